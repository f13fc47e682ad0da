"""Triggers and outputs beside the controller, on real servers."""

import json
import shutil
import subprocess
import threading
import time
import urllib.request
from contextlib import closing
from http.server import BaseHTTPRequestHandler, HTTPServer

import pytest

from plants import Bench, free_port, soon
from tenfold.apps.line.floor import open_floor
from tenfold.apps.line.outputs import MOST_WAITING, Outputs
from tenfold.apps.line.station import ByFolder, ByHttp, ByTimer, ToWebhook, parse
from tenfold.apps.line.triggers import open_trigger
from tenfold.apps.line.values import Decision
from tenfold.errors import Unavailable

OK = Decision(1, "4711", "ok")
ODD = (
    b'{"sequence": 9223372036854775808}',
    b'{"part": "\\ud800"}',
    b'{"serial": "a\\u0000"}',
    b'{"lot": "\\n"}',
)
"""Numbers and letters that no journal or controller takes."""


def test_a_timer_ticks_with_sequences_that_never_come_again():
    source = open_trigger(ByTimer(kind="timer", every_s=0.05, part="4711"))
    told = [source.wait(1) for _ in range(3)]
    assert [one.part for one in told] == ["4711"] * 3
    assert len({one.sequence for one in told}) == 3
    later = open_trigger(ByTimer(kind="timer", every_s=0.05)).wait(1)
    assert later.sequence > told[-1].sequence


def test_a_new_file_is_a_part_and_an_old_one_is_none(tmp_path):
    (tmp_path / "old.png").touch()
    source = open_trigger(ByFolder(kind="folder", path=tmp_path))
    assert source.wait(0.05) is None
    for name in ("S1.png", "S2.png"):
        (tmp_path / name).touch()
    assert [source.wait(1).serial for _ in range(2)] == ["S1", "S2"]
    assert source.wait(0.05) is None


def test_a_part_is_pushed_by_http_and_nonsense_is_told():
    port = free_port()
    with closing(open_trigger(ByHttp(kind="http", port=port))) as source:

        def post(body, path="/trigger"):
            request = urllib.request.Request(f"http://127.0.0.1:{port}{path}", body)
            with urllib.request.urlopen(request, timeout=5) as reply:
                return reply.status

        assert post(b'{"sequence": 7, "part": "A"}') == 202
        assert source.wait(1).sequence == 7
        for body in (
            b"[",
            b"[]",
            b'{"sequence": "7"}',
            b'{"sequence": true}',
            b'{"part": 1}',
            *ODD,
        ):
            with pytest.raises(urllib.error.HTTPError, match="400"):
                post(body)
        with pytest.raises(urllib.error.HTTPError, match="404"):
            post(b"{}", "/other")
        with pytest.raises(Unavailable, match="cannot listen"):
            open_trigger(ByHttp(kind="http", port=port))


@pytest.fixture
def broker(tmp_path):
    program = shutil.which("mosquitto") or shutil.which("/usr/sbin/mosquitto")
    if program is None:
        pytest.skip("mosquitto is not installed here")
    port = free_port()
    with subprocess.Popen([program, "-p", str(port)], stderr=subprocess.DEVNULL) as process:
        yield port
        process.kill()


def test_mqtt_brings_parts_and_tells_verdicts(broker):
    from tenfold.apps.line.broker import Broker

    spec = parse(
        f"station: a\ntrigger: {{kind: mqtt, host: 127.0.0.1, port: {broker}, topic: in}}\n"
        "camera: {kind: folder, path: x}\ndeadline_ms: 500\n"
        f"outputs: [{{kind: mqtt, host: 127.0.0.1, port: {broker}, topic: out}}]\n",
        where="a.yaml",
    )
    heard = []
    with (
        closing(open_floor(spec)) as floor,
        closing(Broker("127.0.0.1", broker, topic="out/#", told=heard.append)) as other,
    ):
        assert other.wait(10)
        soon(lambda: not floor.problem())
        soon(lambda: other.publish("in", b'{"sequence": 9, "part": "B"}') or floor.wait(0.2))
        soon(lambda: floor.put(OK) or heard)
        assert heard[0].topic == "out/verdict"
        told = json.loads(heard[0].payload)
        assert (told["sequence"], told["outcome"]) == (1, "ok")


class Hook:
    """A webhook; it answers after `slow_s`."""

    def __init__(self, slow_s=0.0):
        self.heard, heard = [], []
        self.heard = heard

        class Handler(BaseHTTPRequestHandler):
            def do_POST(self):
                body = self.rfile.read(int(self.headers["Content-Length"]))
                time.sleep(slow_s)
                heard.append(json.loads(body))
                self.send_response(204)
                self.end_headers()

            def log_message(self, *_):
                pass

        self.server = HTTPServer(("127.0.0.1", 0), Handler)
        self.url = f"http://127.0.0.1:{self.server.server_port}/verdicts"
        threading.Thread(target=self.server.serve_forever, daemon=True).start()

    def close(self):
        self.server.shutdown()
        self.server.server_close()


def webhook(url, timeout_s=1.0):
    return closing(Outputs([ToWebhook(kind="webhook", url=url, timeout_s=timeout_s)]))


def test_a_webhook_gets_each_verdict():
    with closing(Hook()) as hook, webhook(hook.url) as outputs:
        outputs.put(OK)
        outputs.beat(1, is_ready=True, reason="")
        assert soon(lambda: hook.heard)[0]["part"] == "4711"


def test_a_slow_or_dead_webhook_holds_nothing_up():
    with closing(Hook(slow_s=0.3)) as hook, webhook(hook.url, timeout_s=0.1) as outputs:
        began = time.monotonic()
        for _ in range(2 * MOST_WAITING):
            outputs.put(OK)
        assert time.monotonic() - began < 0.2
        assert outputs.all[0].dropped >= MOST_WAITING - 2
    with webhook(f"http://127.0.0.1:{free_port()}/") as outputs:
        outputs.put(OK)
        assert "does not take verdicts" in soon(lambda: outputs.all[0].problem)


def test_what_the_controller_was_not_told_is_not_told_as_released():
    with closing(Bench("modbus")) as bench, closing(Hook()) as hook:
        spec = parse(
            "station: a\ntrigger: {kind: controller}\ncamera: {kind: folder, path: x}\n"
            f"controller: {{kind: modbus, host: 127.0.0.1, port: {bench.cable.port}}}\n"
            f"deadline_ms: 500\noutputs: [{{kind: webhook, url: '{hook.url}'}}]\n",
            where="a.yaml",
        )
        with closing(open_floor(spec)) as floor:
            soon(lambda: not floor.problem())
            bench.bring(1)
            assert floor.wait(5).sequence == 1
            assert floor.stands(1)
            bench.cable.cut()
            with pytest.raises(Unavailable):
                floor.put(OK)
            assert soon(lambda: hook.heard)[0]["outcome"] == "reject"

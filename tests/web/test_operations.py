"""Who may ask, what is refused, and what happens when something is switched, killed or full."""

import hashlib
import json
import os
import random
import shutil
import signal
import socket
import subprocess
import sys
import threading
import time
from collections import Counter
from contextlib import suppress
from http.client import HTTPException
from pathlib import Path

import pytest
from sqlalchemy import func, select

import tenfold
from malformed import infer, picture, requests
from serving_at import COMMAND, serving
from tenfold.catalog import keys, models
from tenfold.catalog.tables import entries
from tenfold.errors import Conflict, Unsupported
from tenfold.predictions import pictures
from tenfold.predictions.history import read
from tenfold.web.app import NICENESS

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]  # one worker makes the line

CAP = "station-7/cap"


@pytest.fixture(scope="module")
def made(line, tmp_path_factory):
    """A copy of the line with two heads for one question; both answer, differently named."""
    home = shutil.copytree(line.settings.home, tmp_path_factory.mktemp("operations") / "home")
    (home / "second.yaml").write_text(
        "task: second\nkind: classify\ndataset: cells\nquestion: {negative: [good]}\n"
        "bar: {escape: 0.4, overkill: 0.4}\nrung: linear\nseed: 5\n"
    )
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "second.yaml")])
    return home


@pytest.fixture
def home(made, tmp_path):
    """A home of its own where the first head is live."""
    home = shutil.copytree(made, tmp_path / "served")
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.deploy(workspace, CAP, "classify-cells", unproven=True)
    return home


@pytest.fixture(scope="module")
def data(cells):
    return sorted((cells / "cracked").iterdir())[0].read_bytes()


def raw(server, request):
    """The status of a raw request, 0 where the connection was closed without a word."""
    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=30) as connection:
        with suppress(ConnectionError):
            connection.sendall(request)
        try:
            head = connection.recv(4096)
        except ConnectionError:
            return 0, b""
        return (int(head.split()[1]) if head else 0), head


def niceness_of(group):
    """Of every thread in a group of processes."""
    for file in Path("/proc").glob("[0-9]*/task/*/stat"):
        with suppress(FileNotFoundError, ProcessLookupError):  # it ended meanwhile
            fields = file.read_text().rpartition(")")[2].split()
            if int(fields[2]) == group:
                yield int(fields[16])


@pytest.mark.skipif(
    sys.platform != "linux", reason="elsewhere threads have no niceness of their own"
)
def test_the_trunk_stands_back_for_what_answers(home, data):
    with serving(home) as server:
        assert server.post(f"/predict/{CAP}", data)[0] == 200
        nice = list(niceness_of(os.getpgid(server.process.pid)))
    ours = os.getpriority(os.PRIO_PROCESS, 0)
    assert set(nice) == {ours, ours + NICENESS}
    assert nice.count(ours + NICENESS) <= 2 * (os.cpu_count() or 1), "no others than the trunk's"


def test_malformed_requests_are_told_and_nothing_breaks(home, data):
    with serving(home) as server:
        seen = Counter()
        for request in requests(CAP, seed=1, count=240):
            status, head = raw(server, request)
            assert status == 0 or 400 <= status < 500, (status, head, request[:300])
            seen[status] += 1
        assert seen[400] > 100
        assert seen[413] > 10
        assert server.post(f"/predict/{CAP}", data)[0] == 200
        page = server.get("/v2/health/ready")
        assert page[0] == 200


def test_without_a_key_only_this_machine_is_served(home):
    run = subprocess.run(
        [*COMMAND, "serve", "--host", "0.0.0.0", "--port", "0"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == 9
    assert "tenfold key create" in run.stderr


def test_with_a_key_nobody_is_served_without_one(home, data):
    with tenfold.opened(home) as workspace:
        secret = keys.create(workspace.scope, "line-3")
        slow = keys.create(workspace.scope, "slow", per_minute=2)
    with serving(home, "--host", "0.0.0.0") as server:
        path = f"/predict/{CAP}"
        assert server.told["needs_key"]
        assert server.post(path, data)[0] == 401
        assert server.post(path, data, Authorization="Bearer tf_wrong")[0] == 401
        assert server.post(path, data, Authorization=f"Bearer {secret}")[0] == 200
        assert server.post(path, data, X_API_Key=secret)[0] == 200
        assert server.get("/v2/health/ready")[0] == 200
        assert server.get(f"/v2/models/{CAP}")[0] == 401
        assert server.get(f"/v2/models/{CAP}", X_API_Key=secret)[0] == 200
        often = [server.post(path, data, X_API_Key=slow)[0] for _ in range(4)]
        assert often == [200, 200, 429, 429]
        with tenfold.opened(home) as workspace:
            keys.revoke(workspace.scope, "line-3")
        time.sleep(2)
        assert server.post(path, data, X_API_Key=secret)[0] == 401


def test_large_and_slow_bodies_end(home, data):
    with serving(home, "--body-mb", "0.1") as server:
        assert server.post(f"/predict/{CAP}", bytes(200_000))[0] == 413
        lines = [f"POST /predict/{CAP} HTTP/1.1", "Host: x", "Transfer-Encoding: chunked", "", ""]
        chunked = "\r\n".join(lines).encode()
        assert raw(server, chunked + (b"8000\r\n" + bytes(0x8000) + b"\r\n") * 20)[0] == 413
        host, _, port = server.address.partition(":")
        began = time.monotonic()
        with socket.create_connection((host, int(port)), timeout=40) as slow:
            slow.sendall(b"POST /predict/x HTTP/1.1\r\nHo")
            assert slow.recv(10) == b""  # closed after some seconds
        assert time.monotonic() - began < 30
        assert server.post(f"/predict/{CAP}", data[:90_000])[0] in (200, 400)


def test_a_switch_under_load_fails_nothing_and_mixes_nothing(home, data):
    """Every answer is of one generation, and says the head that was live in it."""
    with tenfold.opened(home) as workspace:
        live = {1: models.get(workspace.scope, "classify-cells").id}
    with serving(home) as server:
        seen, stop = [], threading.Event()

        def ask():
            while not stop.is_set():
                status, told = server.post(f"/predict/{CAP}?route_key=SN-1", data)
                seen.append((status, told.get("generation"), told.get("version")))

        threads = [threading.Thread(target=ask) for _ in range(4)]
        for thread in threads:
            thread.start()
        with tenfold.opened(home) as workspace:
            second = tenfold.deploy(workspace, CAP, "second", unproven=True)
            live[second.generation] = second.live
            time.sleep(2)
            back = tenfold.rollback(workspace, CAP, why="a test")
            live[back.generation] = back.live
        server.wait_for(back.generation)
        time.sleep(0.3)
        stop.set()
        for thread in threads:
            thread.join()
    assert {status for status, _, _ in seen} == {200}
    assert {generation for _, generation, _ in seen} >= {1, back.generation}
    for _, generation, version in seen:
        assert live[generation].startswith(version)


def test_a_restart_serves_exactly_what_was_live(home, data):
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.deploy(workspace, CAP, "second", unproven=True)
        tenfold.canary(workspace, CAP, "classify-cells", share=0.5, unproven=True)
    routes = [f"SN-{n}" for n in range(12)]

    def roles():
        with serving(home) as server:
            told = [server.post(f"/predict/{CAP}?route_key={key}", data)[1] for key in routes]
            server.kill()
            return [(one["role"], one["version"], one["generation"]) for one in told]

    first = roles()
    assert {role for role, _, _ in first} == {"live", "canary"}
    assert roles() == first


def test_a_shadow_answers_nobody_and_is_recorded(home, data):
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.shadow(workspace, CAP, "second", unproven=True)
    with serving(home, "--durable") as server:
        status, told = server.post(f"/predict/{CAP}", data)
        assert (status, told["role"]) == (200, "live")
    rows = read(home / "answers" / "local").to_pylist()
    assert sorted(row["role"] for row in rows) == ["live", "shadow"]
    assert len({row["id"] for row in rows}) == 1


def booked(home):
    query = select(func.sum(entries.c.images)).where(entries.c.kind == "serve")
    with tenfold.opened(home) as workspace, workspace.scope.read() as connection:
        return connection.execute(query).scalar() or 0


def test_killed_under_load_in_durable_mode_nothing_is_lost_or_doubled(home, data):
    given = []
    for turn in range(3):
        with serving(home, "--durable") as server:
            stop = threading.Event()

            def ask(turn=turn, server=server, stop=stop):
                number = 0
                while not stop.is_set():
                    name = f"{turn}-{threading.get_ident()}-{number}"
                    number += 1
                    try:
                        status, _ = server.post(f"/predict/{CAP}", data, X_Request_Id=name)
                    except (OSError, HTTPException):
                        return
                    if status == 200:
                        given.append(name)

            threads = [threading.Thread(target=ask) for _ in range(3)]
            for thread in threads:
                thread.start()
            time.sleep(0.7 + 0.5 * turn)
            server.kill()
            stop.set()
            for thread in threads:
                thread.join()
    with serving(home, "--durable") as server:
        assert server.post(f"/predict/{CAP}", data, X_Request_Id="last")[0] == 200
        given.append("last")
    recorded = [row["id"] for row in read(home / "answers" / "local").to_pylist()]
    assert len(recorded) == len(set(recorded))
    assert set(given) <= set(recorded)
    assert booked(home) == len(recorded)


def test_workers_go_with_a_killed_parent(home, data):
    with serving(home) as server:
        assert server.post(f"/predict/{CAP}", data)[0] == 200
        os.kill(server.process.pid, signal.SIGKILL)
        server.process.wait(10)
        for _ in range(100):
            try:
                server.get("/v2/health/live")
            except OSError:
                return
            time.sleep(0.1)
        raise AssertionError("a worker answers ten seconds after its parent was killed")


def test_what_the_server_fails_at_is_logged_with_its_request_id(home, data, capfd):
    with tenfold.opened(home) as workspace:
        pack = workspace.blobs.local(models.get(workspace.scope, "classify-cells").pack)
    pack.rename(pack.with_suffix(".away"))
    with serving(home) as server:
        assert server.get("/v2/health/ready")[0] == 503
        status, told = server.post(f"/predict/{CAP}", data, X_Request_Id="order-66")
        assert status == 500
        assert "its head cannot be used" in told["error"]
    lines = [json.loads(line) for line in capfd.readouterr().err.splitlines() if line[:1] == "{"]
    (line,) = [line for line in lines if line.get("id") == "order-66"]
    assert (line["level"], line["status"]) == ("error", 500)
    assert "cannot be used" in line["problem"]


def test_a_request_is_recorded_as_a_whole_or_not_at_all(home, data):
    with serving(home, "--durable") as server:
        for files, status in (([data, b"no picture"], 400), ([data, data], 200)):
            tail = b"".join(len(one).to_bytes(4, "little") + one for one in files)
            parameters = {"binary_data_size": len(tail)}
            image = {"name": "image", "shape": [2], "datatype": "BYTES", "parameters": parameters}
            head = json.dumps({"id": str(status), "inputs": [image]}).encode()
            told = server.post(
                f"/v2/models/{CAP}/infer",
                head + tail,
                Inference_Header_Content_Length=str(len(head)),
            )
            assert told[0] == status
    rows = read(home / "answers" / "local").to_pylist()
    assert [row["id"] for row in rows] == ["200", "200"]


def test_the_last_key_gone_opens_nothing(home, data):
    with tenfold.opened(home) as workspace:
        keys.create(workspace.scope, "line-3")
    with serving(home, "--host", "0.0.0.0") as server:
        with tenfold.opened(home) as workspace:
            keys.revoke(workspace.scope, "line-3")
        time.sleep(2.5)
        assert server.post(f"/predict/{CAP}", data)[0] == 401


def test_a_trial_answers_as_what_is_live_does(home):
    with tenfold.opened(home) as workspace, pytest.raises(Unsupported, match="kind anomaly"):
        tenfold.shadow(workspace, CAP, "anomaly-cells", unproven=True)


def test_it_drains_when_it_is_asked_to_stop(home, data):
    with serving(home) as server:
        seen, began = [], threading.Event()

        def ask():
            while True:
                try:
                    began.set()
                    seen.append(server.post(f"/predict/{CAP}", data)[0])
                except (OSError, HTTPException):
                    return

        thread = threading.Thread(target=ask)
        thread.start()
        began.wait(5)
        time.sleep(1)
        server.process.send_signal(signal.SIGTERM)
        server.process.wait(40)
        thread.join(10)
        assert server.process.returncode == 0
        assert seen
        assert set(seen) <= {200}


def test_two_workers_share_one_port(home, data):
    with serving(home, "--workers", "2") as server:
        assert {server.post(f"/predict/{CAP}", data)[0] for _ in range(20)} == {200}
        page = raw(server, b"GET /metrics HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n")
        assert page[0] == 200


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_a_full_disk_means_503_and_then_goes_on(home, data):
    folder = home / "answers" / "local"
    folder.mkdir(parents=True, exist_ok=True)
    mount = ["mount", "-t", "tmpfs", "-o", "size=64k", "tmpfs", str(folder)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        with serving(home, "--durable") as server:
            path = f"/predict/{CAP}"
            assert server.post(path, data)[0] == 200
            (folder / "filler").write_bytes(b"")
            subprocess.run(f"cat /dev/zero > {folder}/filler", shell=True, check=False, stderr=-3)
            refused = [server.post(path, data) for _ in range(12)]
            assert refused[-1][0] == 503
            assert "could not be recorded" in refused[-1][1]["error"]
            (folder / "filler").unlink()
            assert server.post(path, data)[0] == 200
    finally:
        subprocess.run(["umount", "-l", str(folder)], check=True)


def test_requests_from_the_open_document_are_answered_as_it_says(home, tmp_path):
    with serving(home) as server:
        done = subprocess.run(
            [
                sys.executable,
                "-m",
                "schemathesis.cli",
                "run",
                f"{server.url}/openapi.json",
                "--max-examples=10",
                "--seed=1",
                "--phases=fuzzing",
                "--checks=not_a_server_error,response_schema_conformance,status_code_conformance",
                "--no-color",
            ],
            cwd=tmp_path,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout[-3000:]


def test_a_good_request_is_good(home):
    with serving(home) as server:
        assert raw(server, infer(CAP, picture(random.Random(0))))[0] == 200


def test_pictures_are_kept_only_where_it_is_said(home, data):
    folder = home / "answers" / "local"
    sample = hashlib.sha256(data).hexdigest()
    with serving(home) as server:
        assert server.post(f"/predict/{CAP}", data)[0] == 200
        with tenfold.opened(home) as workspace:
            kept = tenfold.keep_pictures(workspace, CAP, days=2, why="a new lamp")
        server.wait_for(kept.generation)
        assert pictures.find(folder, sample) is None
        assert server.post(f"/predict/{CAP}", data)[0] == 200
    assert pictures.find(folder, sample) == data


def test_a_model_at_work_is_not_forgotten(home):
    with tenfold.opened(home) as workspace:
        hanging = tenfold.what_hangs_on(workspace, "classify-cells")
        with pytest.raises(Conflict, match=CAP):
            tenfold.forget(workspace, hanging)
        tenfold.retire(workspace, CAP)
        tenfold.forget(workspace, hanging)


def test_when_too_many_wait_it_says_when_to_come_back(home, data):
    with serving(home, "--queue", "1") as server:
        host, _, port = server.address.partition(":")
        kinds = ["Host: x", f"Content-Length: {len(data)}", "", ""]
        request = "\r\n".join([f"POST /predict/{CAP} HTTP/1.1", *kinds]).encode() + data
        several = [socket.create_connection((host, int(port)), timeout=60) for _ in range(40)]
        for one in several:
            one.sendall(request)
        heads = [one.recv(4096).decode() for one in several]
        for one in several:
            one.close()
    seen = Counter(int(head.split()[1]) for head in heads)
    assert seen.keys() == {200, 429}
    assert all("retry-after: 1" in head.lower() for head in heads if " 429 " in head)

"""`tenfold line check` on a station whose parts are there, and on one whose are not."""

import json
import subprocess
import sys
from contextlib import closing

import numpy as np
from PIL import Image

from plants import Bench, free_port
from tenfold.apps.line.check import check, is_reachable
from tenfold.apps.line.station import parse

STATION = """\
station: press-3
trigger: {{kind: controller}}
controller: {{kind: opcua, url: 'opc.tcp://127.0.0.1:{port}/', tags: {{prefix: '{prefix}'}}}}
camera: {{kind: folder, path: {folder}}}
deadline_ms: 200
outputs: [{{kind: webhook, url: 'http://127.0.0.1:{hook}/'}}]
"""


def station(folder, port, *, prefix="ns=2;s=Line.", outputs=True):
    text = STATION.format(port=port, folder=folder, prefix=prefix, hook=free_port())
    return text if outputs else text[: text.index("outputs")]


def test_what_is_reached_and_what_is_not(tmp_path):
    with closing(Bench("opcua")) as bench:
        found = check(parse(station(tmp_path, bench.port), where="a.yaml"), wait_s=0.5)
        states = {one.what: one.state for one in found}
        assert states == {
            "trigger": "ok", "controller": "ok", "camera": "problem", "outputs.0": "problem",
        }  # fmt: skip
        assert all(one.hint for one in found if one.state == "problem")
        Image.fromarray(np.zeros((8, 9), np.uint8)).save(tmp_path / "a.png")
        whole = parse(station(tmp_path, bench.port, outputs=False), where="a.yaml")
        found = check(whole)
        assert is_reachable(found)
        assert "9 × 8 pixels" in found[-1].text
        assert bench.words.values["release"] == 0
        lost = parse(station(tmp_path, bench.port, prefix="ns=2;s=Lime."), where="a.yaml")
        found = check(lost)
        assert "no tag for sequence (ns=2;s=Lime.sequence)" in found[1].text


def test_the_command_says_it_and_its_exit_code(tmp_path):
    path = tmp_path / "press.yaml"
    path.write_text(station(tmp_path, free_port()))
    code = "import sys; from tenfold.cli import main; sys.argv[0] = 'tenfold'; main()"
    command = [sys.executable, "-c", code, "line", "check", str(path), "--wait", "0.3", "--json"]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode == 8, done.stderr
    told = json.loads(done.stdout)
    assert told["reachable"] is False
    assert {one["what"] for one in told["findings"] if one["state"] == "problem"} == {
        "controller", "camera", "outputs.0",
    }  # fmt: skip

"""A station on the plant of examples/line: a real OPC UA server, a conveyor, a gate that counts."""

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path
from urllib.request import urlopen

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the extra `line`")
pytest.importorskip("asyncua", reason="needs the extra `line`")

import tenfold
from parts_drawn import BOXES, plate, scratched, seen
from serving_at import COMMAND
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.modes import live
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.teach import Shown, teach

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]
PLANT = Path(__file__).parents[3] / "examples" / "line"
PARTS, KILLS = 40, 2
SPEC = {
    "part": "4711",
    "reference": "4711.png",
    "regions": [
        {"name": name, "box": box, "checks": [{"check": "surface", "head": f"s1-4711-{name}"}]}
        for name, box in BOXES.items()
    ],
}
STATION = """\
station: s1
trigger: {{kind: controller}}
controller: {{kind: opcua, url: "opc.tcp://127.0.0.1:{port}", tags: {{prefix: "ns=2;s=Line."}}}}
camera: {{kind: folder, path: shown, order: newest, lead_ms: 200}}
deadline_ms: 1500
"""


def free_port():
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        return found.getsockname()[1]


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    """A home in which part 4711 is taught, and pictures of good and bad ones."""
    folder = tmp_path_factory.mktemp("line")
    rng = np.random.default_rng(0)
    goods = [Shown(seen(plate(rng), rng), {}) for _ in range(40)]
    with tenfold.opened(folder / "home", actor="ann") as workspace:
        parts = Parts(folder / "home" / "line" / "s1" / "parts")
        teach(workspace, parts, PartSpec.model_validate(SPEC), plate(rng), goods)
        live(workspace, "s1", "4711", why="the plant of this test has no inspector")
    for kind in ("good", "bad"):
        (folder / "pictures" / kind).mkdir(parents=True)
        for n in range(12):
            pixels = plate(rng) if kind == "good" else scratched(plate(rng), "left")
            Image.fromarray(seen(pixels, rng)).save(folder / "pictures" / kind / f"{n}.png")
    return folder


class Plant:
    """Controller with conveyor and camera, and a station beside them."""

    def __init__(self, folder, *more):
        self.folder, port, barrier = folder, free_port(), free_port()
        self.counts = f"http://127.0.0.1:{(counts := free_port())}"
        (folder / "station.yaml").write_text(STATION.format(port=port))
        self._camera = self._start(PLANT / "camera.py", barrier, "--folder", folder / "shown")
        self.controller = self._start(
            PLANT / "controller.py", "--opcua", port, "--counts", counts, "--parts", PARTS,
            "--every", 1.0, "--gate", 0.9, "--barrier", barrier, "--bad-share", 0.3,
            "--pictures", folder / "pictures", "--log", folder / "gate.log", "--wait-ready", *more,
        )  # fmt: skip
        assert self.controller.stdout.readline() == "ready\n"
        self.station = None

    def _start(self, *words):
        return subprocess.Popen(
            [sys.executable, *map(str, words)], stdout=subprocess.PIPE, text=True
        )

    def start_station(self):
        self.station = subprocess.Popen(
            [*COMMAND, "line", "run", str(self.folder / "station.yaml"), "--json"],
            env={**os.environ, "TENFOLD_HOME": str(self.folder / "home")},
            stdout=subprocess.DEVNULL,
        )

    def kill_station(self):
        self.station.send_signal(signal.SIGKILL)
        self.station.wait(10)

    def told(self):
        with urlopen(self.counts) as answer:
            return json.load(answer)

    def passed(self):
        told = self.told()
        return told["released"] + told["rejected"]

    def wait_until_passed(self, count, timeout_s=120):
        ends = time.monotonic() + timeout_s
        while self.passed() < count:
            assert time.monotonic() < ends, self.told()
            time.sleep(0.2)

    def close(self):
        for one in (self.station, self.controller, self._camera):
            if one is not None and one.poll() is None:
                one.kill()
                one.wait(10)


@pytest.fixture
def plant(taught, tmp_path):
    shutil.copytree(taught, tmp_path / "line")
    made = Plant(tmp_path / "line", "--linger", 5)
    yield made
    made.close()


def test_a_killed_station_releases_nothing_wrong_and_loses_no_verdict(plant):
    plant.start_station()
    for kill in range(1, KILLS + 1):
        plant.wait_until_passed(kill * PARTS // (KILLS + 1))
        plant.kill_station()
        plant.start_station()
    plant.wait_until_passed(PARTS)
    told = plant.told()
    plant.close()
    assert (told["released_unjudged"], told["released_wrong_part"]) == (0, 0)
    journal = Journal(plant.folder / "home" / "line" / "s1" / "journal.sqlite")
    kept = {part.sequence: part for part in journal.find()}
    at_gate = [json.loads(line) for line in (plant.folder / "gate.log").read_text().splitlines()]
    released = [part for part in at_gate if part["released"]]
    assert released
    assert all(kept[part["sequence"]].outcome == "ok" for part in released)
    assert not any(part["is_bad"] for part in released)
    assert len(kept) >= PARTS / 2  # a station that begins anew takes seconds

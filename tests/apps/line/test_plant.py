"""The example plant as it is meant to be used: controller, conveyor and camera in processes of
their own, and a station that knows the truth from the pictures alone."""

import json
import time
from contextlib import closing

import numpy as np
import pytest
from PIL import Image

from plants import counts_of, free_port, running, soon
from tenfold.apps.line.cameras import open_camera
from tenfold.apps.line.floor import open_floor
from tenfold.apps.line.station import parse
from tenfold.apps.line.values import Decision
from tenfold.errors import Unavailable

PARTS = 40
CONTROLLERS = {
    "opcua": "{{kind: opcua, url: 'opc.tcp://127.0.0.1:{port}/', tags: {{prefix: ns=2;s=Line.}}}}",
    "modbus": "{{kind: modbus, host: 127.0.0.1, port: {port}}}",
}


@pytest.mark.parametrize("kind", ["opcua", "modbus"])
@pytest.mark.parametrize("torn_share", [0.0, 0.5], ids=["", "torn"])
def test_only_what_is_good_leaves(tmp_path, kind, torn_share):
    for name, grey in (("good", 200), ("bad", 20)):
        (tmp_path / name).mkdir()
        Image.fromarray(np.full((32, 32), grey, np.uint8)).save(tmp_path / name / "1.png")
    port, barrier = free_port(), free_port()
    spec = parse(
        "station: a\ntrigger: {kind: controller}\ndeadline_ms: 400\n"
        f"camera: {{kind: folder, path: '{tmp_path / 'seen'}', order: newest, lead_ms: 150}}\n"
        f"controller: {CONTROLLERS[kind].format(port=port)}\n",
        where="a.yaml",
    )
    plant = (f"--{kind}", port, "--parts", PARTS, "--every", 0.25, "--gate", 0.2, "--wait-ready")
    more = ("--numbers", "A,B", "--bad-share", 0.3, "--pictures", tmp_path, "--barrier", barrier)
    log = tmp_path / "log.jsonl"
    faults = ("--torn-share", torn_share, "--log", log)
    with (
        running("camera.py", barrier, "--folder", tmp_path / "seen"),
        running("controller.py", *plant, *more, *faults) as conveyor,
        closing(open_floor(spec)) as floor,
        closing(open_camera(spec.camera)) as camera,
    ):
        soon(lambda: not floor.problem())
        floor.beat(1, is_ready=True, reason="")
        end = time.monotonic() + 30
        while conveyor.poll() is None and time.monotonic() < end:
            look_at_one(floor, camera)
        counts = counts_of(conveyor)
    assert counts["came"] == PARTS
    assert counts["released_unjudged"] == counts["released_wrong_part"] == 0
    assert counts["released_bad"] == 0
    if not torn_share:
        assert counts["rejected_good"] <= PARTS // 10  # a machine that is busy may be late
    lines = [json.loads(line) for line in log.read_text().splitlines()]
    assert sum(line["released"] for line in lines) == counts["released"]


def look_at_one(floor, camera):
    trigger = floor.wait(0.2)
    if trigger is None:
        return
    try:
        is_good = camera.grab(0.1).pixels.mean() > 100 and floor.stands(trigger.sequence)
        outcome = "ok" if is_good else "reject"
        floor.put(Decision(trigger.sequence, trigger.part, outcome, "" if is_good else "dark"))
    except Unavailable:
        pass  # the conveyor ended, or the camera saw nothing: the part is not released

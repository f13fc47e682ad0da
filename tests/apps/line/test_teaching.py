"""A station is taught a part at the line, and then judges it."""

from datetime import UTC, datetime

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

import tenfold
from parts_drawn import BOXES, plate, scratched, seen
from tenfold.apps.line.asking import heads
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.station import Identity
from tenfold.apps.line.teach import Shown, teach
from tenfold.apps.line.values import Frame, Trigger
from tenfold.errors import DataError

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
SPEC = PartSpec.model_validate(
    {
        "part": "4711",
        "reference": "4711.png",
        "regions": [
            {"name": name, "box": box, "checks": [{"check": "surface", "head": f"s1-4711-{name}"}]}
            for name, box in BOXES.items()
        ],
    }
)


@pytest.fixture(scope="module")
def taught(tmp_path_factory):
    home = tmp_path_factory.mktemp("taught")
    rng = np.random.default_rng(0)
    goods = [Shown(seen(plate(rng), rng), {}) for _ in range(40)]
    with tenfold.opened(home / "home", actor="ann") as workspace:
        parts = Parts(home / "parts")
        told = teach(workspace, parts, SPEC, plate(rng), goods)
        yield workspace, parts, told


def test_what_is_proven_of_few_parts_is_said(taught):
    _, parts, told = taught
    assert [head.region for head in told.heads] == ["left", "right"]
    assert {head.status for head in told.heads} <= {"taught", "refused"}  # one of seven may err
    assert all(0 < head.overkill < 1 for head in told.heads)
    assert told.heads[0].escape is None
    assert told.more_good > 40
    assert parts.names() == ["4711"]
    assert parts.get("4711").spec.mode == "shadow"


def test_a_taught_station_passes_most_good_parts_and_no_scratched_one(taught):
    workspace, parts, _ = taught
    rng = np.random.default_rng(1)
    goods = [plate(rng) for _ in range(12)]
    bads = [scratched(plate(rng), region) for region in ("left", "right") * 4]
    with heads(workspace) as desk:
        eyes = Eyes(parts, desk, Identity())

        def look(pixels, number="4711"):
            return eyes.look(Trigger(1, number), Frame(pixels, NOON), 20.0)

        assert look(goods[0], "none").reason == "unknown part"
        assert look(np.full((240, 320, 3), 128, np.uint8)).reason == "cannot align"
        told = [look(seen(one, rng)) for one in (*goods, *bads)]
    outcomes = [one.outcome for one in told]
    assert outcomes[:12].count("ok") >= 6
    assert "ok" not in outcomes[12:]
    assert {seen.region for seen in told[0].regions} == {"left", "right"}
    assert {"align", "regions", "heads", "decide"} <= set(told[0].times)


def test_few_good_parts_are_too_few(taught, tmp_path):
    workspace, _, _ = taught
    rng = np.random.default_rng(2)
    goods = [Shown(seen(plate(rng), rng), {}) for _ in range(3)]
    with pytest.raises(DataError, match="3 good parts can be used, 20 are needed"):
        teach(workspace, Parts(tmp_path), SPEC, plate(rng), goods)
    assert Parts(tmp_path).names() == []

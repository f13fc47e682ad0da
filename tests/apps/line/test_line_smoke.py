"""A line under fire: by the controller's own count nothing leaves unjudged, and nothing is lost.

The same code as `benchmarks/line_faults.py`, with fewer parts.
"""

import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")
pytest.importorskip("asyncua", reason="needs the extra `line`")

from faulty_line import Plan, live_through

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]


def checked(told):
    wrong = ("released_unjudged", "released_wrong_part", "released_bad", "lost_verdicts")
    assert {name: told[name] for name in wrong} == dict.fromkeys(wrong, 0), told
    assert told["tracebacks"] == 0
    assert 0 < told["released"] < told["parts"]
    assert told["judged"] > told["parts"] / 3, told


def test_nothing_leaves_unjudged_whatever_is_killed_cut_or_blinded(tmp_path):
    faults = {"kill": 3, "cut": 2, "blind": 1}
    told = live_through(tmp_path, Plan(parts=2000, every_s=0.015, faults=faults, patience_s=0.03))
    checked(told)
    assert (told["parts"], told["kills"], told["disconnections"]) == (2000, 3, 2)


@pytest.mark.slow
def test_nothing_does_in_ten_thousand_parts_either(tmp_path):
    faults = {"kill": 10, "cut": 10, "blind": 5, "full": 1}
    checked(live_through(tmp_path, Plan(parts=10_000, every_s=0.02, faults=faults, seed=1)))

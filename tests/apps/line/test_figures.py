"""Yield, Pareto and p-chart of a line."""

from datetime import UTC, datetime, timedelta

import pytest

from tenfold.apps.line.figures import p_chart, pareto, yields
from tenfold.apps.line.journal import Part

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


def looks(*told):
    """Serial, outcome, reason and what a person said, one a minute."""
    found = []
    for number, (serial, outcome, reason, overruled) in enumerate(told, 1):
        part = Part(number, "4711", outcome, reason, serial, overruled=overruled, id=number)
        found.append(part)
    return found


def test_a_part_counts_once_its_last_look_decides_its_first_says_whether_at_once():
    seen = yields(
        looks(
            ("a", "ok", "", ""),
            ("b", "reject", "scratch", ""),
            ("b", "ok", "", ""),
            ("c", "reject", "pit", "ok"),
            ("d", "manual", "blurred", ""),
            ("e", "reject", "pit", ""),
            ("", "ok", "", ""),
        )
    )
    assert (seen.parts, seen.ok, seen.ok_at_once, seen.rejected, seen.manual) == (6, 4, 2, 1, 1)
    assert seen.share == pytest.approx(4 / 5)
    assert seen.first_pass == pytest.approx(2 / 6)


def test_red_rabbits_are_no_parts():
    rabbit = Part(1, "4711", "reject", "scratch", "R1", is_rabbit=True, id=1)
    assert yields([rabbit]).parts == 0
    assert pareto([rabbit]) == []


def test_defects_are_ranked_by_number_then_name():
    told = looks(
        ("a", "reject", "pit", ""), ("b", "reject", "scratch", ""), ("c", "reject", "scratch", "")
    )
    assert pareto(told) == [("scratch", 2), ("pit", 1)]


def parts_with(shares, every=100):
    found = []
    for run, share in enumerate(shares):
        for n in range(every):
            outcome = "reject" if n < share * every else "ok"
            at = NOON + timedelta(minutes=run)
            number = run * every + n + 1
            found.append(Part(number, "4711", outcome, "pit", str(number), at=at, id=number))
    return found


def test_a_run_far_above_those_before_is_an_alarm():
    points = p_chart(parts_with([0.05] * 20 + [0.05, 0.13]), every=100)
    assert [point.is_alarm for point in points] == [False] * 21 + [True]
    last = points[-1]
    # p = 0.05, n = 100: 0.05 ± 3 · 0.0218
    assert last.upper == pytest.approx(0.1154, abs=1e-4)
    assert last.lower == 0.0


def test_few_runs_set_no_limits():
    assert not any(point.is_alarm for point in p_chart(parts_with([0.0, 0.9, 0.1]), every=100))


def test_an_incomplete_run_is_left_out():
    assert len(p_chart(parts_with([0.1, 0.1])[:-1], every=100)) == 1

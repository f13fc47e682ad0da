"""Shifts, and whether a station proved its eyes in them."""

from datetime import UTC, datetime, time, timedelta

import pytest

from tenfold.apps.line.shifts import Shown, Starts, left, seeing
from tenfold.errors import DataError

STARTS = Starts((("early", time(6)), ("late", time(14)), ("night", time(22))))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.mark.parametrize(
    ("hour", "name"),
    [
        (5, "2026-03-01 night"),
        (6, "2026-03-02 early"),
        (13, "2026-03-02 early"),
        (22, "2026-03-02 night"),
    ],
)
def test_a_moment_belongs_to_the_shift_that_began_last(hour, name):
    shift = STARTS.of(NOON.replace(hour=hour))
    assert shift.name == name
    assert shift.begins <= NOON.replace(hour=hour) < shift.ends


def test_a_shift_needs_a_time_of_its_own():
    with pytest.raises(DataError, match="one after the other"):
        Starts((("a", time(6)), ("b", time(6))))


def test_every_rabbit_must_be_rejected_in_this_shift():
    shift = STARTS.of(NOON)
    before = Shown("r1", True, shift.begins - timedelta(hours=1))
    now = [Shown("r1", True, NOON), Shown("r2", True, NOON)]
    assert seeing(["r1", "r2"], [before], shift) == "unproven"
    assert seeing(["r1", "r2"], now[:1], shift) == "unproven"
    assert left(["r1", "r2"], now[:1], shift) == ["r2"]
    assert seeing(["r1", "r2"], now, shift) == "proven"
    assert seeing([], [], shift) == "proven"


def test_a_rabbit_that_passed_makes_blind_until_it_is_rejected():
    shift = STARTS.of(NOON)
    passed = [Shown("r1", True, NOON), Shown("r1", False, NOON + timedelta(minutes=1))]
    assert seeing(["r1"], passed, shift) == "blind"
    again = Shown("r1", True, NOON + timedelta(minutes=2))
    assert seeing(["r1"], [*passed, again], shift) == "proven"


def test_the_last_look_counts_though_the_clock_was_set_back():
    shift = STARTS.of(NOON)
    looks = [Shown("r1", True, NOON), Shown("r1", False, NOON - timedelta(minutes=30))]
    assert seeing(["r1"], looks, shift) == "blind"

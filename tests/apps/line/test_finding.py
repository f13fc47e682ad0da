"""Parts are found among many."""

import itertools
import random

import pytest

from tenfold.apps.line.finding import Sought, numbers, search, shifts, times
from tenfold.apps.line.journal import Journal, Part
from tenfold.apps.line.timing import stages

SHIFTS = ("2026-03-01 late", "2026-03-02 early", "2026-03-02 late")


@pytest.fixture(scope="module")
def journal(tmp_path_factory):
    opened = Journal(tmp_path_factory.mktemp("found") / "journal.sqlite")
    draw = random.Random(1)
    for number in range(300):
        serial = draw.choice(["", f"S{number}", f"S{number // 2}"])
        outcome = draw.choice(["ok", "ok", "ok", "reject", "manual"])
        part = Part(
            sequence=number,
            part=f"47{number % 3}",
            outcome=outcome,
            reason="" if outcome == "ok" else draw.choice(["scratch lid", "cannot align"]),
            serial=serial,
            lot=f"L{number // 100}",
            shift=SHIFTS[number // 100],
            is_rabbit=number % 50 == 7,
            times={"grab": 1.0, "all": float(number)},
        )
        id = opened.put(part)
        if draw.random() < 0.1:
            opened.overrule(id, draw.choice(["ok", "reject"]), by="ann", why="looked at it")
    yield opened
    opened.close()


@pytest.mark.parametrize(
    ("sought", "is_wanted"),
    [
        (Sought(outcome="reject"), lambda part: part.verdict == "reject"),
        (Sought(outcome="overruled"), lambda part: part.overruled),
        (Sought(outcome="rabbit"), lambda part: part.is_rabbit),
        (Sought(serial="S1"), lambda part: part.serial.startswith("S1")),
        (Sought(lot="L1", part="471"), lambda part: (part.lot, part.part) == ("L1", "471")),
        (Sought(shift=SHIFTS[0], before=40), lambda part: part.shift == SHIFTS[0] and part.id < 40),
        (Sought(serial="' or 1 = 1 --"), lambda part: False),
    ],
)
def test_what_is_sought_is_found_newest_first(journal, sought, is_wanted):
    wanted = [part for part in reversed(journal.find()) if is_wanted(part)]
    assert search(journal, sought) == wanted[: sought.limit]


def test_shifts_and_part_numbers_are_named_once_last_first(journal):
    assert shifts(journal, 10) == list(reversed(SHIFTS))
    assert shifts(journal, 2) == list(reversed(SHIFTS))[:2]
    assert numbers(journal, 10) == ["472", "471", "470"]


def test_how_long_the_last_parts_took_is_said_newest_first(journal):
    assert [one["all"] for one in itertools.islice(times(journal, 20), 2)] == [299.0, 298.0]


def test_stages_come_in_their_order_the_whole_last():
    taken = [{"grab": 1.0, "all": 2.0}, *({"grab": 3.0, "heads": 4.0, "all": 8.0},) * 99]
    found = stages(taken)
    assert [one.name for one in found] == ["grab", "heads", "all"]
    assert [(one.parts, one.median_ms) for one in found] == [(100, 3.0), (99, 4.0), (100, 8.0)]
    assert found[1].share == 0.5
    assert stages([]) == []

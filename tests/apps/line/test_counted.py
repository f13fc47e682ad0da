"""Figures of shifts and days, counted in the journal."""

import random
from collections import Counter
from contextlib import closing
from datetime import UTC, datetime, timedelta

import pytest

from tenfold.apps.line import counted
from tenfold.apps.line.figures import Run, Yields
from tenfold.apps.line.journal import Journal, Part, Span

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


@pytest.fixture
def journal(tmp_path):
    with closing(Journal(tmp_path / "journal.sqlite")) as opened:
        yield opened


def put(journal, *told, shift="early", at=NOON, part="4711"):
    """Serial, outcome, reason and what a person said."""
    for number, (serial, outcome, reason, overruled) in enumerate(told, 1):
        moment = at + timedelta(seconds=number)
        id = journal.put(Part(number, part, outcome, reason, serial, shift=shift, at=moment))
        if overruled:
            journal.overrule(id, overruled, by="ann", why="by eye")


def test_a_part_counts_once_its_last_look_decides_its_first_says_whether_at_once(journal):
    put(
        journal,
        ("a", "ok", "", ""),
        ("b", "reject", "scratch", ""),
        ("b", "ok", "", ""),
        ("c", "reject", "pit", "ok"),
        ("d", "manual", "blurred", ""),
        ("e", "reject", "pit", ""),
        ("", "ok", "", ""),
        ("", "ok", "", ""),
        ("f", "ok", "", "reject"),
    )
    found = counted.yields(journal, Span())
    assert (found.parts, found.ok, found.ok_at_once) == (8, 5, 4)
    assert (found.rejected, found.manual) == (2, 1)
    assert found.share == pytest.approx(5 / 7)
    assert found.first_pass == pytest.approx(4 / 8)
    assert counted.pareto(journal, Span()) == [("missed: by eye", 1), ("pit", 1)]


def test_an_empty_span_has_no_figures(journal):
    assert counted.yields(journal, Span(shift="none")) == Yields(0, 0, 0, 0, 0)
    assert counted.yields(journal, Span()).share == 0.0
    assert counted.pareto(journal, Span()) == []
    assert counted.runs(journal, Span(), every=10) == []
    assert counted.stages(journal, Span()) == []
    assert counted.span_of(journal, Span()) == (0, None, None)
    assert (counted.shifts(journal), counted.newest_shift(journal)) == ([], "")


def test_red_rabbits_are_no_parts(journal):
    journal.put(Part(1, "4711", "reject", "scratch", "R1", is_rabbit=True, at=NOON))
    assert counted.yields(journal, Span()).parts == 0
    assert counted.pareto(journal, Span()) == []
    assert [look.serial for look in journal.shown(Span())] == ["R1"]


def test_a_span_is_a_shift_some_days_a_part_number_or_all_of_them(journal):
    good = ("", "ok", "", "")
    put(journal, good, good, shift="2026-03-02 early")
    put(journal, good, shift="2026-03-02 late", at=NOON + timedelta(hours=8))
    put(journal, good, good, shift="2026-03-03 early", at=NOON + timedelta(1), part="9")
    parts = lambda **span: counted.yields(journal, Span(**span)).parts  # noqa: E731
    assert parts(shift="2026-03-02 early") == 2
    assert parts(begins=NOON, ends=NOON + timedelta(hours=9)) == 3
    assert parts(begins=NOON + timedelta(hours=1), part="9") == 2
    assert parts(lot="L9") == 0
    assert [(worked.name, worked.looks) for worked in counted.shifts(journal)] == [
        ("2026-03-03 early", 2),
        ("2026-03-02 late", 1),
        ("2026-03-02 early", 2),
    ]
    assert counted.newest_shift(journal) == "2026-03-03 early"
    told = counted.by_number(journal, Span(), most=1)
    assert [(number, of.parts) for number, of in told] == [("4711", 3)]


def test_runs_follow_the_last_looks_and_an_incomplete_one_is_left_out(journal):
    told = [(f"s{n}", "reject" if n % 5 == 0 else "ok", "pit", "") for n in range(25)]
    put(journal, *told, ("s0", "ok", "", ""))
    # s0 came again, last of all and OK: s1 … s10, s11 … s20, and five more
    begins = [NOON + timedelta(seconds=n) for n in (2, 12)]
    assert counted.runs(journal, Span(), every=10) == [Run(begins[0], 10, 2), Run(begins[1], 10, 2)]


def test_times_are_those_of_the_newest_looks_by_stage(journal):
    for ms in (1.0, 2.0, 9.0):
        journal.put(Part(1, "a", "ok", times={"grab": ms, "all": 2 * ms}, at=NOON))
    grab, every = counted.stages(journal, Span())
    assert (grab.name, grab.median_ms, grab.worst_ms) == ("grab", 2.0, 9.0)
    assert (every.name, every.median_ms) == ("all", 4.0)


def plainly(parts):
    """The same figures, counted part by part."""
    looks = {}
    for part in parts:
        if not part.is_rabbit:
            looks.setdefault(part.serial or part.id, []).append(part)
    last = Counter(of[-1].verdict for of in looks.values())
    at_once = sum(of[0].outcome == "ok" for of in looks.values())
    reasons = Counter(of[-1].reason for of in looks.values() if of[-1].verdict == "reject")
    figures = Yields(len(looks), last["ok"], at_once, last["reject"], last["manual"])
    return figures, sorted(reasons.items(), key=lambda one: (-one[1], one[0]))


def test_the_journal_counts_as_one_would_by_hand(journal):
    rng = random.Random(0)
    for number in range(600):
        outcome = rng.choice(["ok", "ok", "reject", "manual"])
        part = Part(
            number,
            "4711",
            outcome,
            rng.choice(["pit", "scratch", "dent"]) if outcome != "ok" else "",
            rng.choice(["", *(str(n) for n in range(200))]),
            is_rabbit=rng.random() < 0.05,
            at=NOON + timedelta(seconds=number),
        )
        id = journal.put(part)
        if outcome != "ok" and rng.random() < 0.1:
            journal.overrule(id, rng.choice(["ok", "reject"]), by="ann", why="by eye")
    figures, reasons = plainly(journal.each(Span()))
    assert counted.yields(journal, Span()) == figures
    assert counted.pareto(journal, Span()) == reasons

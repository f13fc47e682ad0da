"""Figures of a shift or of some days, counted where the journal lies: no look is read into memory,
however many there are."""

import json
from dataclasses import dataclass
from datetime import datetime
from typing import Any

import numpy as np

from tenfold.apps.line.figures import Run, Yields
from tenfold.apps.line.journal import Journal, Span

PARTS = """
with looks as (
    select id, case when serial = '' then id else serial end as who,
        case outcome when 'ok' then 0 when 'reject' then 1 else 2 end as first_word,
        case when overruled = '' then outcome else overruled end as word
    from parts where {clause} and is_rabbit = 0
), counted as (
    select min(4 * id + first_word) % 4 = 0 as is_at_once,
        max(4 * id + case word when 'ok' then 0 when 'reject' then 1 else 2 end) as last
    from looks group by who
), seen as (
    select last / 4 as id, last % 4 = 0 as is_ok, last % 4 = 1 as is_rejected,
        last % 4 = 2 as is_manual, is_at_once
    from counted
)
"""
"""`seen` has each part once: id of its last look, what that said, whether the first was OK."""
SUMS = "count(*), sum(is_ok), sum(is_at_once), sum(is_rejected), sum(is_manual)"
TIMED = 5_000
"""Looks whose times are read, the newest."""


@dataclass(frozen=True, slots=True)
class Stage:
    """Milliseconds of a stage of the cycle."""

    name: str
    median_ms: float
    p99_ms: float
    worst_ms: float


@dataclass(frozen=True, slots=True)
class Worked:
    """A shift that has looks."""

    name: str
    begins: datetime
    """Its first look."""
    ends: datetime
    looks: int


def yields(journal: Journal, span: Span) -> Yields:
    """Of all parts of a span."""
    ((parts, *rest),) = _ask(journal, span, f"select {SUMS} from seen")
    return Yields(parts, *(number or 0 for number in rest))


def by_number(journal: Journal, span: Span, *, most: int) -> list[tuple[str, Yields]]:
    """Part numbers with their yields, the most frequent first."""
    rows = _ask(
        journal,
        span,
        f"select parts.part, {SUMS} from seen join parts using (id) "
        "group by parts.part order by count(*) desc, parts.part limit ?",
        most,
    )
    return [(number, Yields(*rest)) for number, *rest in rows]


def pareto(journal: Journal, span: Span) -> list[tuple[str, int]]:
    """Reasons of rejected parts with their numbers, the most frequent first. What a person rejected
    that the station did not has no reason but theirs."""
    rows = _ask(
        journal,
        span,
        "select case when 'ok' in (outcome, judged) then 'missed: ' || why "
        "when judged != '' then judged_reason else reason end as told, count(*) "
        "from seen join parts using (id) where is_rejected group by told order by 2 desc, 1",
    )
    return [(reason, number) for reason, number in rows]


def runs(journal: Journal, span: Span, *, every: int) -> list[Run]:
    """Parts in runs of `every` that followed each other; an incomplete last run is left out."""
    rows = _ask(
        journal,
        span,
        ", placed as (select id, is_rejected, (row_number() over (order by id) - 1) / ? as run "
        "from seen), summed as (select min(id) as id, count(*) as parts, "
        "sum(is_rejected) as rejected from placed group by run) "
        "select at, summed.parts, rejected from summed join parts using (id) "
        "where summed.parts = ? order by id",
        every,
        every,
    )
    return [Run(datetime.fromisoformat(at), size, rejected) for at, size, rejected in rows]


def stages(journal: Journal, span: Span) -> list[Stage]:
    """How long each stage took in the newest `TIMED` looks, in the order of the cycle."""
    clause, given = span.clause
    rows = journal.ask(
        f"select times from parts where {clause} order by id desc limit ?", [*given, TIMED]
    )
    found: dict[str, list[float]] = {}
    for (text,) in rows:
        for name, ms in json.loads(text).items():
            found.setdefault(name, []).append(ms)
    return [
        Stage(name, *(float(q) for q in np.quantile(ms, (0.5, 0.99, 1.0))))
        for name, ms in found.items()
    ]


def span_of(journal: Journal, span: Span) -> tuple[int, datetime | None, datetime | None]:
    """How many looks there are, and when the first and the last were."""
    clause, given = span.clause
    ((looks, first, last),) = journal.ask(
        f"select count(*), min(at), max(at) from parts where {clause}", given
    )
    return looks, _at(first), _at(last)


def looks_of(journal: Journal, span: Span, outcome: str) -> int:
    """Looks that ended so, without red rabbits."""
    clause, given = span.clause
    ((number,),) = journal.ask(
        f"select count(*) from parts where {clause} and outcome = ? and not is_rabbit",
        [*given, outcome],
    )
    return number


def in_shadow(journal: Journal, span: Span) -> int:
    """Looks in shadow: a person decides about the part."""
    clause, given = span.clause
    ((number,),) = journal.ask(
        f"select count(*) from parts where {clause} and judged != '' and not is_rabbit", given
    )
    return number


def pictures(journal: Journal, span: Span) -> int:
    """Looks whose picture was kept."""
    clause, given = span.clause
    ((number,),) = journal.ask(
        f"select count(*) from parts where {clause} and picture != ''", given
    )
    return number


def shifts(journal: Journal, *, most: int = 50) -> list[Worked]:
    """The newest shifts that have looks, newest first."""
    rows = journal.ask(
        "with recursive names(name) as (select max(shift) from parts union all "
        "select (select max(shift) from parts where shift < name) from names where name != '' "
        "limit ?), "
        "each_one as (select name, (select min(id) from parts where shift = name) as first, "
        "(select max(id) from parts where shift = name) as last, "
        "(select count(*) from parts where shift = name) as looks from names) "
        "select name, a.at, z.at, looks from each_one "
        "join parts a on a.id = first join parts z on z.id = last order by last desc",
        [most],
    )
    return [
        Worked(name, datetime.fromisoformat(first), datetime.fromisoformat(last), looks)
        for name, first, last, looks in rows
    ]


def newest_shift(journal: Journal) -> str:
    """The shift of the last look; empty: there is none."""
    rows = journal.ask("select shift from parts order by id desc limit 1")
    return rows[0][0] if rows else ""


def _ask(journal: Journal, span: Span, query: str, *more: int) -> list[tuple[Any, ...]]:
    clause, given = span.clause
    return journal.ask(PARTS.format(clause=clause) + query, [*given, *more])


def _at(text: str | None) -> datetime | None:
    return datetime.fromisoformat(text) if text else None

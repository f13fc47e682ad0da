"""What parts in shadow prove of a part number's heads: the station judges, an inspector decides,
and one is held against the other. Pure: looks in, bounds out.

The bounds are exact (Clopper-Pearson) and looked at where it was fixed beforehand how many parts
they rest on, so that whoever looks, and however often, buys nothing: look number k has
alpha · 6 / (π² k²), and all looks of a part number together alpha, also over heads that were made
anew in between. Each part counts once, for the first look at it.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from tenfold.apps.line.journal import Part
from tenfold.factory.report.words import percent_up
from tenfold.metrics.bounds import most_errors, spent_alpha, upper_bound
from tenfold.specs.bar import Bar

GROWTH = 1.5
"""So many times as many parts as the last look had are needed for the next."""
MOST_PARTS = 20_000
"""More parts than this are no advice."""
MOST_UNSAID = 0.05
"""Share of the parts in shadow of which nobody said what they were, from which the proof waits: it
might be those on which station and inspector differ."""

Heads = tuple[tuple[str, str], ...]
"""Region and model of each answer."""


@dataclass(frozen=True, slots=True)
class Rate:
    """How often the station is wrong one way, and what is proven of it."""

    name: str
    """`overkill`: good parts that it would not have passed; `escape`: bad ones that it would."""
    limit: float | None
    """None: the bar does not ask."""
    errors: int
    n: int
    """Inspected parts of that kind."""
    look: int
    """Number of the newest look at the bound, over all heads that the part number had; 0: none."""
    upper: float
    """Proven at the newest look: at most so many. 1: nothing is."""
    more: int | None
    """Parts more that prove the limit if none of them goes wrong; 0: it is proven; None: no number
    is any advice."""

    @property
    def is_proven(self) -> bool:
        return self.limit is None or self.more == 0


@dataclass(frozen=True, slots=True)
class Proof:
    overkill: Rate
    escape: Rate
    unsaid: int
    """Parts in shadow of which no inspector has said what they are."""

    @property
    def is_cleared(self) -> bool:
        """Everything that the bar asks is proven, and nearly all parts were inspected."""
        said = self.overkill.n + self.escape.n
        is_whole = self.unsaid <= MOST_UNSAID * (said + self.unsaid)
        return is_whole and self.overkill.is_proven and self.escape.is_proven


def prove(looks: Sequence[Part], bar: Bar, *, taught: str, models: Heads) -> Proof:
    """What the first looks at parts in shadow, in the order of the inspectors' words, prove of the
    part's file and heads as they are now."""
    now = taught, models
    by_heads: dict[tuple[str, Heads], list[Part]] = {}
    for look, key in zip(looks, _keys(looks), strict=True):
        by_heads.setdefault(key, []).append(look)
    mine = by_heads.pop(now, [])
    before = [[one for one in of if one.overruled] for of in by_heads.values()]
    unsaid = sum(not one.overruled for one in mine)
    overkill, escape = (
        _rate(name, limit, bar.alpha, mine, before)
        for name, limit in (("overkill", bar.overkill), ("escape", bar.escape))
    )
    return Proof(overkill, escape, unsaid)


def models_of(look: Part) -> Heads:
    """Which model said what a region shows, in the order of the regions' names."""
    return tuple(sorted((seen.region, seen.model) for seen in look.regions))


def _keys(looks: Iterable[Part]) -> Iterator[tuple[str, Heads]]:
    """By what each look was judged. A part that no head was asked of, since it could not be found
    in the picture, counts for the heads that were asked before it."""
    last: dict[str, Heads] = {}
    for look in looks:
        models = models_of(look)
        if models:
            last[look.taught] = models
        yield look.taught, models or last.get(look.taught, ())


def _rate(
    name: str, limit: float | None, alpha: float, mine: Sequence[Part], before: Sequence[list[Part]]
) -> Rate:
    wrong = _wrong(name, mine)
    n, errors = len(wrong), sum(wrong)
    if limit is None:
        return Rate(name, None, errors, n, 0, 1.0, None)
    spent = 0
    for others in before:
        spent += sum(1 for _ in _looks(limit, alpha, spent, most=len(_wrong(name, others))))
    look, upper, is_proven = 0, 1.0, False
    for look, size in _looks(limit, alpha, spent, most=n):
        seen = sum(wrong[:size])
        upper = upper_bound(seen, size, alpha=spent_alpha(alpha, look))
        is_proven = seen <= most_errors(size, limit=limit, alpha=spent_alpha(alpha, look))
    more = 0 if is_proven else _more(limit, alpha, spent, (errors, n))
    return Rate(name, limit, errors, n, look, upper, more)


def _wrong(name: str, looks: Sequence[Part]) -> list[bool]:
    """Of each part that could go wrong this way, whether it did."""
    asked = "ok" if name == "overkill" else "reject"
    return [(look.judged == "ok") != (asked == "ok") for look in looks if look.overruled == asked]


def _looks(limit: float, alpha: float, spent: int, *, most: int) -> Iterator[tuple[int, int]]:
    """Numbers of the looks after `spent`, and how many parts each rests on: as many as prove the
    limit if none goes wrong, then ever `GROWTH` times as many."""
    look, size = spent + 1, 0
    while True:
        size = max(math.ceil(GROWTH * size), _fewest(limit, spent_alpha(alpha, look)))
        if size > most:
            return
        yield look, size
        look += 1


def _fewest(limit: float, alpha: float) -> int:
    """Parts that prove a limit without an error: (1 - limit)^n ≤ alpha."""
    near = math.log(alpha) / math.log1p(-limit)
    few = max(1, math.floor(near))
    return few if most_errors(few, limit=limit, alpha=alpha) >= 0 else few + 1


def _more(limit: float, alpha: float, spent: int, seen: tuple[int, int]) -> int | None:
    errors, n = seen
    for look, size in _looks(limit, alpha, spent, most=MOST_PARTS):
        enough = most_errors(size, limit=limit, alpha=spent_alpha(alpha, look))
        if size > n and errors <= enough:
            return size - n
    return None


def in_words(proof: Proof) -> list[str]:
    """What is proven, and what is still needed, for people."""
    return [
        _said(proof.overkill, "good", "rejected"),
        _said(proof.escape, "bad", "passed"),
        *([f"{proof.unsaid} parts in shadow wait for an inspector's word."] * (proof.unsaid > 0)),
    ]


def _said(rate: Rate, kind: str, what: str) -> str:
    seen = f"{rate.name}: {rate.errors} of {rate.n} {kind} parts would have been {what}"
    if rate.limit is None:
        return f"{seen}; the bar does not ask."
    limit = percent_up(rate.limit)
    proven = f", proven ≤ {percent_up(rate.upper)}" if rate.look else ""
    if rate.more == 0:
        return f"{seen}{proven}."
    if rate.more is None:
        return f"{seen}{proven}; so many errors are no way to ≤ {limit}: teach it more."
    return f"{seen}{proven}; {rate.more} more {kind} parts without an error prove ≤ {limit}."

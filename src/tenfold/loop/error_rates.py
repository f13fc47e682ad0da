"""How often production is wrong, proven by audits alone.

Audits are drawn by lot within strata: what passed, what was rejected, what was called unfit. Every
answer of the live model is counted with the probability of its lot, so the audits bound how many
answers of each kind are wrong (`metrics.drawn`): whatever changes over time, whenever one looks,
and whatever people label first. From these numbers follow the rates of the bar, over the answers
that were given; the bounds of the strata are joined by a union bound. A new model begins anew.

What is drawn and not known counts as the worst for either bound: as wrong for the upper one, as
right for the lower one. See docs/decisions/rates-by-the-lot-alone.md.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Literal

from tenfold.loop import draws
from tenfold.loop.draws import Draws
from tenfold.metrics.drawn import Drawn, share_wrong, wrong_ones
from tenfold.specs.bar import Bar

PASSED = "ok"
REJECTED = ("reject", "unfit")
SAID = "said"
End = Literal["fewest", "seen", "most"]
STRATA = 3
"""As many as a question may have: a share of alpha must not change when one is first seen."""
MAY_WAIT = 0.01
"""Share of the audits that may wait for people; where more do, fewer answers are looked at."""


@dataclass(frozen=True, slots=True)
class Audit:
    """One answer that was drawn."""

    stratum: str
    probability: float
    draws: Draws
    """All up to its own."""
    is_wrong: bool | None
    """None: nobody has said yet, or nobody can."""
    is_unknowable: bool = False
    """People agreed that the picture does not show it."""

    @property
    def waits(self) -> bool:
        return self.is_wrong is None and not self.is_unknowable


@dataclass(frozen=True, slots=True)
class Stratum:
    answers: int
    """All of that kind."""
    audited: int
    """Of those: drawn and known."""
    wrong: int
    """Of the audited."""
    fewest: int
    """Wrong ones among all, each bound missed with probability ≤ alpha / strata."""
    most: int
    seen: float | None
    """Share that is wrong, by what is known; None: nothing is."""


@dataclass(frozen=True, slots=True)
class Rate:
    name: str
    """`escape`, `overkill` or `error`, as in the bar."""
    seen: float | None
    """None: an audit that says it is missing."""
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ErrorRates:
    strata: dict[str, Stratum]
    rates: tuple[Rate, ...]
    answers: int
    """The first so many are looked at."""
    later: int
    """Answers after those."""
    waiting: int
    """Of those that are looked at: drawn, and nobody has said yet."""
    unknowable: int
    """Nobody can tell."""
    lost: int
    """Drawn, but never put before people: the picture was gone, or had been drawn before."""


def error_rates(now: Draws, audits: Sequence[Audit], *, alpha: float) -> ErrorRates:
    """What is proven by the audits of all answers so far, in the order in which they were drawn."""
    looked_at = _looked_at(audits)
    then = now
    if looked_at < len(audits):
        then = audits[looked_at - 1].draws if looked_at else ()
    counted = audits[:looked_at]
    names = sorted({one.stratum for one in then})
    drawn = {name: _drawn(name, then, counted) for name in names}
    strata = {name: _stratum(some, alpha=alpha / STRATA) for name, some in drawn.items()}
    answers = draws.answers(then)
    return ErrorRates(
        strata,
        _rates(strata),
        answers=answers,
        later=draws.answers(now) - answers,
        waiting=sum(one.waits for one in counted),
        unknowable=sum(one.is_unknowable for one in counted),
        lost=sum(one.drawn for one in then) - looked_at,
    )


def against(bar: Bar, found: ErrorRates) -> list[str]:
    """What is proven of each bound of the bar, in plain words, and of which answers."""
    told: list[str] = []
    for rate in found.rates:
        limit = getattr(bar, rate.name)
        if limit is None:
            continue
        word = "not decided yet"
        if rate.upper <= limit:
            word = "within the bar"
        elif rate.lower > limit:
            word = "outside the bar"
        elif rate.seen is None:
            told.append(f"{rate.name} in production: not known yet, no audit says it.")
            continue
        seen = "" if rate.seen is None else f"{rate.seen:.1%} seen, "
        proven = f"{seen}{rate.lower:.1%} to {rate.upper:.1%} proven"
        told.append(f"{rate.name} in production: {word} of {limit:.1%} ({proven}).")
    return told + _of_which(found) if told else []


def _of_which(found: ErrorRates) -> list[str]:
    told: list[str] = []
    if found.later and found.answers:
        total = found.answers + found.later
        told.append(
            f"That is of the first {found.answers:,} of {total:,} answers: "
            "too many later audits wait for people."
        )
    unknown = {
        "nobody said yet": found.waiting,
        "nobody can tell": found.unknowable,
        "the picture was gone or had been drawn before": found.lost,
    }
    if any(unknown.values()):
        why = ", ".join(f"{word} ({number:,})" for word, number in unknown.items() if number)
        told.append(f"Drawn answers that count as the worst for either bound: {why}.")
    return told


def _looked_at(audits: Sequence[Audit]) -> int:
    """The longest beginning of which few wait. By what waits alone, whatever is wrong."""
    waiting, longest = 0, 0
    for number, one in enumerate(audits, 1):
        waiting += one.waits
        if waiting <= MAY_WAIT * number:
            longest = number
    return longest


def _drawn(stratum: str, then: Draws, counted: Sequence[Audit]) -> list[Drawn]:
    found: list[Drawn] = []
    for one in then:
        if one.stratum != stratum:
            continue
        of_both = (stratum, one.probability)
        said = [a.is_wrong for a in counted if (a.stratum, a.probability) == of_both]
        wrong, right = said.count(True), said.count(False)
        unknown = one.drawn - wrong - right
        found.append(Drawn(one.probability, one.answers, wrong, right, unknown))
    return found


def _stratum(drawn: Sequence[Drawn], *, alpha: float) -> Stratum:
    fewest, most = wrong_ones(drawn, alpha=alpha)
    return Stratum(
        answers=sum(one.all for one in drawn),
        audited=sum(one.wrong + one.right for one in drawn),
        wrong=sum(one.wrong for one in drawn),
        fewest=fewest,
        most=most,
        seen=share_wrong(drawn),
    )


def _rates(strata: Mapping[str, Stratum]) -> tuple[Rate, ...]:
    if SAID in strata:
        said = strata[SAID]
        return (Rate("error", said.seen, said.fewest / said.answers, said.most / said.answers),)
    passed = strata.get(PASSED)
    rejected = [strata[name] for name in REJECTED if name in strata]
    there = [*([passed] if passed else []), *rejected]
    is_known = bool(there) and all(one.seen is not None for one in there)
    found: list[Rate] = []
    for name, rate in (("escape", _escape), ("overkill", _overkill)):
        seen = rate(passed, rejected, "seen") if is_known else None
        lower, upper = (rate(passed, rejected, end) for end in ("fewest", "most"))
        found.append(Rate(name, seen, lower, upper))
    return tuple(found)


def _escape(passed: Stratum | None, rejected: Sequence[Stratum], end: End) -> float:
    """Bad ones that passed, of all bad ones; it grows with the wrong ones of either kind."""
    through = _wrong(passed, end) if passed else 0
    caught = sum(one.answers - _wrong(one, end) for one in rejected)
    return _share(through, caught, end)


def _overkill(passed: Stratum | None, rejected: Sequence[Stratum], end: End) -> float:
    """Good ones that were rejected, of all good ones; it grows with both too."""
    lost = sum(_wrong(one, end) for one in rejected)
    kept = passed.answers - _wrong(passed, end) if passed else 0
    return _share(lost, kept, end)


def _wrong(one: Stratum, end: End) -> float:
    if end == "seen":
        return one.answers * (one.seen or 0.0)
    return one.fewest if end == "fewest" else one.most


def _share(wrong: float, right: float, end: End) -> float:
    if wrong + right > 0:
        return wrong / (wrong + right)
    return 1.0 if end == "most" else 0.0

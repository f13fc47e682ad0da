"""How often production is wrong, proven by audits alone.

Audits are drawn by lot within strata: what passed, what was rejected, what was called unfit. In
each the drawn answers are a fair sample whatever the share that is drawn, so wrong ones among them
say how often that kind of answer is wrong; how many answers of each kind there were is known. From
both follow the rates of the bar, with bounds that hold at all times, whenever one looks.

Where an error rate changes over time the bounds are about its mean over the audits; a new model
begins anew. Sources: stratified sampling with known weights (Cochran 1977, "Sampling techniques",
section 5.3); the bounds of each stratum are `metrics.sequences`, joined by a union bound.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import takewhile

from tenfold.metrics.sequences import ConfidenceSequence
from tenfold.specs.bar import Bar

PASSED = "ok"
REJECTED = ("reject", "unfit")
SAID = "said"
STRATA = 3
"""As many as a question may have: a share of alpha must not change when one is first seen."""


@dataclass(frozen=True, slots=True)
class Audit:
    """One answer that was drawn."""

    stratum: str
    is_wrong: bool | None
    """None: nobody has said yet."""
    is_unknowable: bool = False
    """People agreed that the picture does not show it."""


@dataclass(frozen=True, slots=True)
class Stratum:
    answers: int
    """All of that kind."""
    audited: int
    """Of those: drawn and known."""
    wrong: int
    lower: float
    upper: float
    """Bounds of the share that is wrong, each missed with probability ≤ alpha / strata."""

    @property
    def seen(self) -> float:
        return self.wrong / self.audited if self.audited else 0.0


@dataclass(frozen=True, slots=True)
class Rate:
    name: str
    """`escape`, `overkill` or `error`, as in the bar."""
    seen: float | None
    """None: nothing was audited that says it."""
    lower: float
    upper: float


@dataclass(frozen=True, slots=True)
class ErrorRates:
    strata: dict[str, Stratum]
    rates: tuple[Rate, ...]
    unknowable: int
    """Audits left out because the picture does not show it."""
    waiting: int
    """Audits that wait for people, or behind one that does."""


def error_rates(answers: Mapping[str, int], audits: Sequence[Audit], *, alpha: float) -> ErrorRates:
    """What is proven by audits in the order in which they were drawn.

    Within a stratum none counts before all before it are known: what people label first is easier.
    """
    names = sorted(set(answers) | {audit.stratum for audit in audits})
    strata: dict[str, Stratum] = {}
    waiting = unknowable = 0
    for name in names:
        mine = [audit for audit in audits if audit.stratum == name]
        known = list(takewhile(lambda audit: audit.is_wrong is not None, mine))
        counted = [audit for audit in known if not audit.is_unknowable]
        waiting += len(mine) - len(known)
        unknowable += len(known) - len(counted)
        strata[name] = _stratum(answers.get(name, 0), counted, alpha=alpha / STRATA)
    return ErrorRates(strata, _rates(strata), unknowable, waiting)


def against(bar: Bar, found: ErrorRates) -> list[str]:
    """What is proven of each bound of the bar, in plain words."""
    told: list[str] = []
    for rate in found.rates:
        limit = getattr(bar, rate.name)
        if limit is None:
            continue
        if rate.seen is None:
            told.append(f"{rate.name} in production: not known yet, no audit says it.")
            continue
        seen = f"{rate.seen:.1%} seen, {rate.lower:.1%} to {rate.upper:.1%} proven"
        if rate.upper <= limit:
            word = "within the bar"
        elif rate.lower > limit:
            word = "outside the bar"
        else:
            word = "not decided yet"
        told.append(f"{rate.name} in production: {word} of {limit:.1%} ({seen}).")
    return told


def _stratum(answers: int, counted: Sequence[Audit], *, alpha: float) -> Stratum:
    values = [float(bool(audit.is_wrong)) for audit in counted]
    bounds = ConfidenceSequence.of_rate(alpha=2 * alpha).fold(values)  # alpha each side
    # audits of answers that are counted later, as those of a canary
    return Stratum(
        answers=max(answers, len(counted)),
        audited=len(counted),
        wrong=int(sum(values)),
        lower=max(0.0, bounds.lower),
        upper=min(1.0, bounds.upper),
    )


def _rates(strata: Mapping[str, Stratum]) -> tuple[Rate, ...]:
    if SAID in strata:
        said = strata[SAID]
        seen = said.seen if said.audited else None
        return (Rate("error", seen, said.lower, said.upper),)
    passed = strata.get(PASSED)
    rejected = [strata[name] for name in REJECTED if name in strata]
    escape = [_escape(passed, rejected, end) for end in ("lower", "seen", "upper")]
    overkill = [_overkill(passed, rejected, end) for end in ("lower", "seen", "upper")]
    is_known = all(one.audited for one in (*([passed] if passed else []), *rejected))
    return tuple(
        Rate(name, seen if is_known and strata else None, lower, upper)
        for name, (lower, seen, upper) in (("escape", escape), ("overkill", overkill))
    )


def _escape(passed: Stratum | None, rejected: Sequence[Stratum], end: str) -> float:
    """Bad ones that passed, of all bad ones; it grows with either share of wrong answers."""
    through = passed.answers * getattr(passed, end) if passed else 0.0
    caught = sum(one.answers * (1 - getattr(one, end)) for one in rejected)
    return _share(through, caught, end)


def _overkill(passed: Stratum | None, rejected: Sequence[Stratum], end: str) -> float:
    """Good ones that were rejected, of all good ones; it grows with either share too."""
    lost = sum(one.answers * getattr(one, end) for one in rejected)
    kept = passed.answers * (1 - getattr(passed, end)) if passed else 0.0
    return _share(lost, kept, end)


def _share(wrong: float, right: float, end: str) -> float:
    if wrong + right > 0:
        return wrong / (wrong + right)
    return 1.0 if end == "upper" else 0.0

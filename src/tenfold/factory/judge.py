"""Is the bar met? Exact bounds on the judge split, at the alpha this look may still spend."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float

from tenfold.catalog.questions import Spent
from tenfold.metrics.bounds import labels_needed, most_errors, spent_alpha, upper_bound
from tenfold.specs.bar import Bar

Status = Literal["accepted", "undecided", "refused", "taught"]
DEFAULT_ESCAPE, DEFAULT_OVERKILL, DEFAULT_ERROR = 0.05, 0.10, 0.05


@dataclass(frozen=True, slots=True)
class Count:
    """What happened on judge, for one kind of error."""

    name: str
    """`escape`, `overkill`, `error` or `miss CLASS`."""
    of: str
    """The class whose samples could go wrong this way; empty for any."""
    errors: int
    n: int


@dataclass(frozen=True, slots=True)
class Bound:
    """One line of the bar and what judge proves about it."""

    name: str
    of: str
    limit: float | None
    """None: not asked, shown for information."""
    errors: int
    n: int
    upper: float
    """Exact one-sided upper bound at the spent alpha."""
    more: int | None
    """More judged samples of that class that would decide with 80 % power at the next look, if
    the observed rate holds; None: none needed, or no number would do."""

    @property
    def rate(self) -> float:
        return self.errors / self.n if self.n else 0.0

    @property
    def is_met(self) -> bool:
        return self.limit is None or self.upper <= self.limit


@dataclass(frozen=True, slots=True)
class Verdict:
    status: Status
    bounds: tuple[Bound, ...]
    look: int
    alpha: float
    """What this look may spend."""
    confidence: float
    """What all looks together keep."""
    by_group: bool
    sentences: tuple[str, ...]
    next_steps: tuple[str, ...]

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Verdict":
        lists: dict[str, Any] = {n: tuple(plain[n]) for n in ("sentences", "next_steps")}
        bounds = tuple(Bound(**bound) for bound in plain["bounds"])
        return cls(**{**plain, **lists, "bounds": bounds})


def counts_good_bad(
    said_bad: Bool[np.ndarray, " n"], is_bad: Bool[np.ndarray, " n"], *, classes: Sequence[str]
) -> list[Count]:
    """Escapes and overkills. An unfit picture counts as rejected."""
    good, bad = classes
    escapes = int((is_bad & ~said_bad).sum())
    overkills = int((~is_bad & said_bad).sum())
    return [
        Count("escape", bad, escapes, int(is_bad.sum())),
        Count("overkill", good, overkills, int((~is_bad).sum())),
    ]


def counts_classes(
    right: Bool[np.ndarray, " n"], targets: Float[np.ndarray, "n classes"], classes: Sequence[str]
) -> list[Count]:
    """Wrong answers over all, and by class."""
    total = Count("error", "", int((~right).sum()), len(right))
    each = [
        Count(f"miss {name}", name, int((~right & hit).sum()), int(hit.sum()))
        for name, hit in zip(classes, targets.T > 0.5, strict=True)
    ]
    return [total, *each]


def judge(counts: Sequence[Count], bar: Bar, *, look: int, by_group: bool) -> Verdict:
    """The verdict on what happened; see DESIGN promise 1 for the rules.

    Refused: an observed rate is over its limit. Accepted: every bound holds. Taught: judge is too
    small to prove the bar even without an error. Undecided: anything else.
    """
    alpha = spent_alpha(bar.alpha, look)
    limits = _limits(bar, counts)
    bounds = tuple(_bound(c, limits.get(c.name), bar, look) for c in counts)
    asked = [b for b in bounds if b.limit is not None]
    status = _status(asked, alpha)
    sentences = [_sentence(b, bar) for b in asked]
    if status == "taught":
        sentences.insert(0, "Taught, not proven: too few judged samples for the bar.")
    if any(b.name == "escape" and b.n == 0 for b in bounds):
        sentences.append("Escape is unproven: no defect was there to judge.")
    if not by_group:
        sentences.append("Image-level proof: no groups (lots, days, modules) were known.")
    return Verdict(
        status=status,
        bounds=bounds,
        look=look,
        alpha=alpha,
        confidence=bar.confidence,
        by_group=by_group,
        sentences=tuple(sentences),
        next_steps=tuple(_next_steps(status, asked)),
    )


@dataclass(frozen=True, slots=True)
class Lineage:
    """What was spent on a question before: all lineages that share a sample with it."""

    joined: tuple[int, ...]
    looks: int
    judge: frozenset[str]
    fit: frozenset[str]

    @property
    def next_look(self) -> int:
        return self.looks + 1


def lineage(spent: Sequence[Spent], samples: frozenset[str]) -> Lineage:
    """Join every lineage of the same question that ever used one of `samples`, so that a copy of
    a dataset, or a new name, cannot buy fresh looks."""
    mine = [s for s in spent if samples & (s.judge | s.fit)]
    return Lineage(
        joined=tuple(s.question_id for s in mine),
        looks=sum(s.looks for s in mine),
        judge=frozenset[str]().union(*(s.judge for s in mine)),
        fit=frozenset[str]().union(*(s.fit for s in mine)),
    )


def _limits(bar: Bar, counts: Sequence[Count]) -> dict[str, float]:
    asked = {"escape": bar.escape, "overkill": bar.overkill, "error": bar.error}
    asked |= {f"miss {name}": limit for name, limit in bar.miss.items()}
    limits = {name: limit for name, limit in asked.items() if limit is not None}
    if limits:
        return limits
    if counts[0].name == "error":
        return {"error": DEFAULT_ERROR}
    has_bad = counts[0].n > 0
    return {"overkill": DEFAULT_OVERKILL} | ({"escape": DEFAULT_ESCAPE} if has_bad else {})


def _bound(count: Count, limit: float | None, bar: Bar, look: int) -> Bound:
    upper = upper_bound(count.errors, count.n, alpha=spent_alpha(bar.alpha, look))
    more = None
    if limit is not None and upper > limit:
        rate = count.errors / count.n if count.n else 0.0
        total = labels_needed(rate, limit=limit, alpha=spent_alpha(bar.alpha, look + 1))
        more = None if total is None else max(total - count.n, 1)
    return Bound(count.name, count.of, limit, count.errors, count.n, upper, more)


def _status(asked: Sequence[Bound], alpha: float) -> Status:
    if any(b.limit is not None and b.rate > b.limit for b in asked):
        return "refused"
    if all(b.is_met for b in asked):
        return "accepted"
    if any(most_errors(b.n, limit=b.limit or 1, alpha=alpha) < 0 for b in asked):
        return "taught"
    return "undecided"


WORDS = {
    "escape": "of {of} samples escape",
    "overkill": "of {of} samples are rejected",
    "error": "of answers are wrong",
    "miss": "of {of} samples are called something else",
}


def _sentence(bound: Bound, bar: Bar) -> str:
    what = WORDS[bound.name.split()[0]].format(of=bound.of)
    asked = f"the bar asks ≤ {bound.limit:.1%}"
    if not bound.n:
        return f"Nothing is known of how many {what}; {asked}."
    seen = f"{bound.errors} of {bound.n} seen"
    proven = f"At most {bound.upper:.1%} {what} ({seen}), proven at {bar.confidence:.0%}; {asked}"
    if bound.limit is not None and bound.rate > bound.limit:
        return f"{bound.rate:.1%} {what} ({seen}); {asked}."
    return proven + ("." if bound.is_met else ", so this is not proven yet.")


def _next_steps(status: Status, asked: Sequence[Bound]) -> list[str]:
    if status == "accepted":
        return ["Deploy it in shadow first; keep the package's golden samples with it."]
    steps: list[str] = []
    for bound in asked:
        of = f" of {bound.of!r}" if bound.of else ""
        if bound.limit is not None and bound.rate > bound.limit:
            steps.append(
                f"{bound.name} is over its limit: look at the worst mistakes in the report, mend "
                f"wrong labels, add samples{of} like those that went wrong, allow a higher rung, "
                "or ask for less."
            )
        elif bound.more is not None:
            steps.append(
                f"Label about {bound.more:,} more judged samples{of}: that decides with 80 % power "
                f"if the rate seen ({bound.rate:.1%}) holds."
            )
        elif not bound.is_met:
            steps.append(
                f"{bound.name}: the rate seen equals the limit, so no number of labels proves it; "
                "make the head better or ask for less."
            )
    return steps

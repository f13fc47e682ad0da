"""Is the bar met? Exact bounds on the judge split, at the alpha this look may still spend.

A binomial bound is exact only for samples that err independently, and pictures of one lot do not.
So of each group one picture counts in each bound: the one with the smallest digest, which knows
nothing of scores. What all pictures say is shown beside it and can refuse, never accept; see
docs/decisions/proof-by-group.md.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float, Int
from scipy.special import bdtr

from tenfold.errors import DataError, SpecError
from tenfold.metrics.bounds import labels_needed, most_errors, spent_alpha, upper_bound
from tenfold.specs.bar import Bar

Status = Literal["accepted", "undecided", "refused", "taught"]
PRACTICAL_LABELS = 20_000
"""More labels than this are no advice."""
DEFAULT_ESCAPE, DEFAULT_OVERKILL, DEFAULT_ERROR = 0.05, 0.10, 0.05


@dataclass(frozen=True, slots=True, eq=False)
class Units:
    """Which samples stay together; the one of lowest rank stands for its group."""

    groups: Int[np.ndarray, " n"]
    ranks: Int[np.ndarray, " n"]
    """The order of the samples' digests, which know nothing of scores."""

    @classmethod
    def of(cls, pairs: Sequence[tuple[str, str]]) -> "Units":
        """From the group and digest of each sample."""
        groups = np.unique([group for group, _ in pairs], return_inverse=True)[1]
        return cls(groups, np.argsort(np.argsort([digest for _, digest in pairs])))

    def __len__(self) -> int:
        return len(self.groups)


@dataclass(frozen=True, slots=True)
class Count:
    """What happened on judge, for one kind of error."""

    name: str
    """`escape`, `overkill`, `error` or `miss CLASS`."""
    of: str
    """The class whose samples could go wrong this way; empty for any."""
    errors: int
    n: int
    """One picture of each group."""
    pictures: tuple[int, int] | None = None
    """Errors and number of all pictures, where groups hold several; None: the same."""


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
    """More judged groups of that class that would decide with 80 % power at the next look, if the
    observed rate holds; None: none needed, or no number would do."""
    pictures: tuple[int, int] | None = None
    """As in `Count`."""

    @property
    def rate(self) -> float:
        return self.errors / self.n if self.n else 0.0

    @property
    def worst_rate(self) -> float:
        """The higher of the rates over one picture per group and over all pictures."""
        errors, n = self.pictures or (0, 1)
        return max(self.rate, errors / n)

    @property
    def is_over(self) -> bool:
        return self.limit is not None and self.worst_rate > self.limit

    @property
    def is_met(self) -> bool:
        return self.limit is None or (self.upper <= self.limit and not self.is_over)


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

    @property
    def claims(self) -> tuple[str, ...]:
        """The sentences without the remarks on how samples were counted."""
        remarks = ("Of each", "Image-level")
        return tuple(s for s in self.sentences if not s.startswith(remarks))

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Verdict":
        return cls(
            status=plain["status"],
            bounds=tuple(_read_bound(bound) for bound in plain["bounds"]),
            look=plain["look"],
            alpha=plain["alpha"],
            confidence=plain["confidence"],
            by_group=plain["by_group"],
            sentences=tuple(plain["sentences"]),
            next_steps=tuple(plain["next_steps"]),
        )


def _read_bound(plain: dict[str, Any]) -> Bound:
    pictures: Any = plain.get("pictures") and tuple(plain["pictures"])
    fields: dict[str, Any] = {**plain, "pictures": pictures}
    return Bound(**fields)


def counts_good_bad(
    said_bad: Bool[np.ndarray, " n"],
    is_bad: Bool[np.ndarray, " n"],
    *,
    classes: Sequence[str],
    units: Units | None = None,
) -> list[Count]:
    """Escapes and overkills. A picture called unfit is not passed as good: it counts as bad.

    Without `units` every picture is its own group.
    """
    good, bad = classes
    return [
        tally("escape", bad, ~said_bad, is_bad, units=units),
        tally("overkill", good, said_bad, ~is_bad, units=units),
    ]


def counts_classes(
    right: Bool[np.ndarray, "..."],
    targets: Float[np.ndarray, "n classes"],
    classes: Sequence[str],
    *,
    units: Units | None = None,
) -> list[Count]:
    """Wrong answers over all, and samples of each class that got it wrong.

    `right` says it of whole answers [n], or of each label [n, classes] where there are several:
    then all must be right, and a class is missed where its own label is wrong.
    """
    by_class = right if right.ndim == 2 else np.repeat(right[:, None], targets.shape[1], axis=1)
    whole: Bool[np.ndarray, " n"] = np.all(by_class, axis=1, keepdims=False)
    has = targets > 0.5
    total = tally("error", "", ~whole, np.ones(len(whole), bool), units=units)
    each = [
        tally(f"miss {name}", name, ~by_class[:, c], has[:, c], units=units)
        for c, name in enumerate(classes)
    ]
    return [total, *each]


def tally(
    name: str,
    of: str,
    is_error: Bool[np.ndarray, " n"],
    can_err: Bool[np.ndarray, " n"],
    *,
    units: Units | None,
) -> Count:
    """Errors among those that could go wrong: over one picture of each group, and over all."""
    able = np.flatnonzero(can_err)
    everything = int(is_error[able].sum()), len(able)
    if units is None:
        return Count(name, of, *everything)
    if len(units) != len(can_err):
        raise DataError(f"{len(units)} groups for {len(can_err)} judged samples.")
    by_rank = able[np.argsort(units.ranks[able])]
    drawn = by_rank[np.unique(units.groups[by_rank], return_index=True)[1]]
    counted = int(is_error[drawn].sum()), len(drawn)
    return Count(name, of, *counted, pictures=everything if len(drawn) < len(able) else None)


def judge(counts: Sequence[Count], bar: Bar, *, look: int, by_group: bool) -> Verdict:
    """The verdict on what happened; see DESIGN promise 1 for the rules.

    Refused: an observed rate is over its limit. Accepted: every bound holds. Taught: judge is too
    small to prove the bar even without an error. Undecided: anything else.

    Raises:
        SpecError: the bar limits something that was not counted.
    """
    alpha = spent_alpha(bar.alpha, look)
    limits = _limits(bar, counts)
    bounds = tuple(_bound(c, limits.get(c.name), bar, look) for c in counts)
    asked = [b for b in bounds if b.limit is not None]
    status = status_of(asked, alpha=alpha)
    return Verdict(
        status=status,
        bounds=bounds,
        look=look,
        alpha=alpha,
        confidence=bar.confidence,
        by_group=by_group,
        sentences=tuple(_sentences(status, bounds, bar, by_group=by_group)),
        next_steps=tuple(_next_steps(status, asked)),
    )


def is_promising(
    expected: Sequence[Count], judged: Sequence[tuple[str, int]], bar: Bar, *, look: int
) -> bool:
    """Whether this look would be accepted if judge showed the rates that were expected.

    `judged` gives the number of judge samples behind each count, by its name.
    """
    if not expected:
        return True  # nothing is known against it
    sizes = dict(judged)
    foreseen: list[Count] = []
    for seen in expected:
        n = sizes.get(seen.name, 0)
        foreseen.append(Count(seen.name, seen.of, round(n * seen.errors / max(seen.n, 1)), n))
    return judge(foreseen, bar, look=look, by_group=True).status == "accepted"


def status_of(asked: Sequence[Bound], *, alpha: float) -> Status:
    if any(b.is_over for b in asked):
        return "refused"
    if asked and all(b.is_met for b in asked):
        return "accepted"
    if any(most_errors(b.n, limit=b.limit or 1, alpha=alpha) < 0 for b in asked):
        return "taught"
    return "undecided"


def expected_false_acceptances(climbs: Iterable[Sequence[Mapping[str, Any]]]) -> float:
    """How many models may be accepted falsely, at most, were every one just at its bar: the alpha
    of every look that the climbs' rungs took, whatever it came to; each model once."""
    looks = {rung["model"]: rung["alpha"] for climb in climbs for rung in climb if rung["model"]}
    return sum(looks.values())


def withstand_fdr(chances: Sequence[float], *, fdr: float, judged: int) -> list[bool]:
    """Which accepted verdicts stand when at most a share `fdr` of those that stand may be false,
    out of `judged` models, however their samples overlap. `chances` are their `p_value`s.

    Source: Benjamini & Yekutieli 2001, "The control of the false discovery rate in multiple testing
    under dependency", theorem 1.3; models that were not accepted count with p = 1.
    """
    from scipy.stats import false_discovery_control  # half a second, which few fleets need

    values = [*chances] + [1.0] * (judged - len(chances))
    adjusted = false_discovery_control(values, method="by") if values else []
    return [bool(value <= fdr) for value in adjusted[: len(chances)]]


def p_value(verdict: Verdict) -> float:
    """Chance of so few errors, had every asked rate been at its limit; looks are paid for."""
    chances = [float(bdtr(b.errors, b.n, b.limit)) for b in verdict.bounds if b.limit is not None]
    return min(1.0, max(chances, default=1.0) / spent_alpha(1.0, verdict.look))


@dataclass(frozen=True, slots=True)
class Lineage:
    """What was spent on a question before, by all tasks that share a sample."""

    looks: int
    judge: frozenset[bytes]
    """By `questions.short`."""
    fit: frozenset[bytes]

    @property
    def next_look(self) -> int:
        return self.looks + 1


def _limits(bar: Bar, counts: Sequence[Count]) -> dict[str, float]:
    asked = {"escape": bar.escape, "overkill": bar.overkill, "error": bar.error}
    asked |= {f"miss {name}": limit for name, limit in bar.miss.items()}
    limits = {name: limit for name, limit in asked.items() if limit is not None}
    unknown = sorted(set(limits) - {c.name for c in counts})
    if unknown:
        raise SpecError(
            f"the bar limits {unknown[0]!r}; counted are {', '.join(c.name for c in counts)}.",
            where="bar",
            hint="Correct the name in the bar.",
        )
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
    return Bound(count.name, count.of, limit, count.errors, count.n, upper, more, count.pictures)


WORDS = {
    "escape": "of {of} samples escape",
    "overkill": "of {of} samples are rejected",
    "error": "of answers are wrong",
    "miss": "of {of} samples are called something else",
}


def _sentences(
    status: Status, bounds: Sequence[Bound], bar: Bar, *, by_group: bool
) -> Iterable[str]:
    if status == "taught":
        yield "Not proven: too few judged samples for the bar, even without an error."
    yield from (_sentence(b, bar) for b in bounds if b.limit is not None)
    if any(b.name == "escape" and not b.n for b in bounds):
        yield "Escape is unproven: no defect was there to judge. This speaks of overkill only."
    if any(b.pictures for b in bounds if b.limit is not None):
        group = "group" if by_group else "group of near-duplicates"
        yield f"Of each {group} one picture counts, because pictures of a group err together."
    if not by_group:
        yield "Image-level proof: not every sample had a group (lot, day, module)."


def _sentence(bound: Bound, bar: Bar) -> str:
    what = WORDS[bound.name.split()[0]].format(of=bound.of)
    asked = f"the bar asks ≤ {bound.limit:.1%}"
    if not bound.n:
        return f"Nothing is known of how many {what}; {asked}."
    seen = f"{bound.errors} of {bound.n} seen"
    if bound.pictures:
        seen += "; of all pictures {} of {}".format(*bound.pictures)
    if bound.is_over:
        return f"{bound.worst_rate:.1%} {what} ({seen}); {asked}."
    proven = (
        f"At most {_up(bound.upper)} {what} ({seen}), proven at {100 * bar.confidence:g} %; {asked}"
    )
    return proven + ("." if bound.is_met else ", so this is not proven yet.")


def _up(share: float) -> str:
    """Rounded up: a claim may be weaker than the truth only."""
    return f"{min(np.ceil(round(share * 1000, 6)) / 10, 100):.1f}%"


def _next_steps(status: Status, asked: Sequence[Bound]) -> list[str]:
    if status == "accepted":
        return ["Deploy it in shadow first; keep the package's golden samples with it."]
    steps: list[str] = []
    for bound in asked:
        of = f" of {bound.of!r}" if bound.of else ""
        what = "judged groups" if bound.pictures else "judged samples"
        if bound.is_over:
            steps.append(
                f"{bound.name} is over its limit: look at the worst mistakes in the report, mend "
                f"wrong labels, add samples{of} like those that went wrong, allow a higher rung, "
                "or ask for less."
            )
        elif bound.more is not None and bound.more <= PRACTICAL_LABELS:
            steps.append(
                f"Label about {bound.more:,} more {what}{of}: that decides with 80 % power if the "
                f"rate seen ({bound.rate:.1%}) holds. Judge gets only its share of new samples."
            )
        elif not bound.is_met:
            steps.append(
                f"{bound.name}: the rate seen is too close to the limit for labels to prove it; "
                "make the head better or ask for less."
            )
    return steps

"""Whether production changed, as a deployment's own answers show it.

Everything that is watched is a share of the answers: those least like what had judged the head,
those in blocks that lean one way or look another way than usual (`metrics.changes`), those with
unusual scores, rejects, slow ones, `unfit` ones. For each there is a limit that it may reach by
chance, as far as the finite reference shows, and a margin beyond it that harms nobody. A change is
alarmed when the share is proven to lie above, by a bound that holds at all times.

Pictures of one lot or person err together, so one observation is the mean of a whole block of
answers. A bound over all answers ever would notice a late change late; so it begins anew after some
blocks, each time with less of the alarm probability, which sums to the whole.

Sources: the bound is `metrics.sequences`; limits of the reference are Clopper & Pearson 1934;
spending over restarts with weights 6 / (pi k)^2 as `metrics.bounds.spent_alpha`. To bet against
"nothing changed" from new starts on is the idea of Shin, Ramdas & Rinaldo 2022, "E-detectors: a
nonparametric framework for sequential change detection" (arXiv:2203.03532). They begin at every
observation and bound the average run length; this begins after `restart` blocks and spends, which
bounds the probability of any false alarm ever, and finds late changes a little later.
"""

import base64
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from functools import lru_cache
from typing import Annotated, Any

import numpy as np
from jaxtyping import Bool, Float16, Float32, Float64
from pydantic import Field

from tenfold.loop import looks
from tenfold.loop.looks import LOOKS
from tenfold.loop.review import UNFIT, novelty_of
from tenfold.metrics import changes
from tenfold.metrics.bounds import spent_alpha, upper_bound
from tenfold.metrics.sequences import ConfidenceSequence
from tenfold.specs.yaml_file import Part

KINDS = ("features", "drift", *LOOKS, "scores", "rejects", "passes", "slow", "unfit")
WORDS = {
    "features": "unlike what had judged the head",
    "drift": "in blocks that lean one way, farther than lots of what had judged the head do",
    "brightness": "in blocks brighter or darker than usual",
    "contrast": "in blocks with more or less contrast than usual",
    "sharpness": "in blocks sharper, noisier or more blurred than usual",
    "scores": "with a score as one in twenty had at first",
    "rejects": "not of the most usual answer",
    "passes": "of the most usual answer",
    "slow": "slower than the budget",
    "unfit": "unfit to be judged",
}
USUAL = 0.95
"""Share of the reference that counts as usual."""
LIMIT_ALPHA = 0.01
"""With which the reference's own share may be missed."""
LEANING = 0.5
"""Share of the blocks that may lean far, or look unusual: lots follow each other, and some are odd
for a while; a change makes most of them odd."""
APART, LEARNT, FEWEST_LEARNT = 4, 16, 2
"""Blocks between those that teach which way and the one that is looked at, which may be of one lot
with those just before it; most and fewest blocks that teach."""


class Rule(Part):
    """When a change is alarmed."""

    alarm_probability: Annotated[float, Field(gt=0, le=0.5)] = 0.05
    """Of any false alarm, ever, while no share rises beyond its limit and margin."""
    margin: Annotated[float, Field(ge=0, le=1)] = 0.1
    """How far a share may rise beyond what chance explains; and by which share of itself
    brightness, contrast or sharpness may always change."""
    block: Annotated[int, Field(ge=1)] = 25
    """Answers that are one observation; at least as many as follow each other alike."""
    baseline: Annotated[int, Field(ge=25)] = 500
    """First answers, which say what scores, decisions and looks are usual."""
    restart: Annotated[int, Field(ge=2)] = 40
    """Blocks after which each bound begins anew."""
    slow_ms: Annotated[float, Field(gt=0)] = 200.0
    """Answers that take longer are slow."""


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """What a head had shown when it was judged, and on trial."""

    projections: Float32[np.ndarray, "n 128"]
    scores: Float32[np.ndarray, " n"]
    labels: tuple[str, ...]
    groups: tuple[str, ...]
    """What each sample stays together with."""
    looks: Float32[np.ndarray, "n 3"]
    """`LOOKS`, each 0 .. 1; NaN where nobody knows them."""

    @property
    def usual(self) -> tuple[float, int]:
        """How far from samples of other groups all but one in twenty lie, and how many groups say
        so."""
        names = {name: i for i, name in enumerate(dict.fromkeys(self.groups))}
        group = np.array([names[name] for name in self.groups])
        away = np.empty(len(group), np.float32)
        for number in range(len(names)):
            mine = group == number
            away[mine] = novelty_of(self.projections[mine], self.projections[~mine])
        return (float(np.quantile(away, USUAL)) if len(away) else np.inf), len(names)


@dataclass(frozen=True, slots=True, eq=False)
class Answers:
    """Answers in their order."""

    projections: Float32[np.ndarray, "n 128"]
    scores: Float32[np.ndarray, " n"]
    labels: tuple[str, ...]
    latency_ms: Float32[np.ndarray, " n"]
    routes: tuple[str, ...]
    at: Float64[np.ndarray, " n"]
    """Seconds since 1970, UTC."""
    looks: Float32[np.ndarray, "n 3"]
    """`LOOKS`, each 0 .. 1; NaN where they were not recorded."""

    def __len__(self) -> int:
        return len(self.labels)


@dataclass(frozen=True, slots=True)
class Alarm:
    kind: str
    at_answer: int
    """How many answers had been seen."""
    reason: str


@dataclass(frozen=True, slots=True)
class Share:
    """One share against its limit."""

    limit: float
    bound: ConfidenceSequence
    number: int = 1
    """Of the bound: how often it began, this time included."""
    blocks: int = 0
    alarmed_at: int = 0
    """Answers that had been seen; 0: no alarm."""
    lower: float = 0.0
    """Of the share, when it was alarmed."""


@dataclass(frozen=True, slots=True)
class State:
    """How far the watch is; JSON, a few kilobytes."""

    novel: float
    """Distance beyond which an answer is unlike the reference."""
    seen: int = 0
    shares: dict[str, Share] = field(default_factory=dict[str, Share])
    block: tuple[tuple[float, str, float, float], ...] = ()
    """(novelty, label, score, latency) of answers that fill no block yet."""
    first: tuple[tuple[float, str, float, float], ...] = ()
    """The first answers, until they are the baseline."""
    usual: tuple[float, float, str] | None = None
    """Lowest and highest usual score, and the most usual answer; None: not known yet."""
    total: tuple[float, ...] = ()
    """Sum of the projections of answers that fill no block yet; in float64 it is exact."""
    means: tuple[str, ...] = ()
    """Of the projections of the last blocks: float16, in base64."""
    looked: tuple[float, ...] = ()
    """Of answers that fill no block yet: how many have looks, and the sums of their logs."""
    first_looks: tuple[tuple[float, ...], ...] = ()
    """Mean logs of looks of the first blocks, until they are the baseline."""
    usual_looks: tuple[tuple[float, float], ...] = ()
    """Lowest and highest usual mean log of each of `LOOKS`; (): not known yet."""

    def to_json(self) -> dict[str, Any]:
        shares = {
            kind: {
                "limit": one.limit,
                "bound": one.bound.to_json(),
                "number": one.number,
                "blocks": one.blocks,
                "alarmed_at": one.alarmed_at,
                "lower": one.lower,
            }
            for kind, one in self.shares.items()
        }
        return {
            "novel": self.novel,
            "seen": self.seen,
            "shares": shares,
            "block": [list(one) for one in self.block],
            "first": [list(one) for one in self.first],
            "usual": None if self.usual is None else list(self.usual),
            "total": list(self.total),
            "means": list(self.means),
            "looked": list(self.looked),
            "first_looks": [list(one) for one in self.first_looks],
            "usual_looks": [list(one) for one in self.usual_looks],
        }

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "State":
        shares = {
            kind: Share(**one | {"bound": ConfidenceSequence.from_json(one["bound"])})
            for kind, one in plain["shares"].items()
        }
        fields: dict[str, Any] = {
            "shares": shares,
            "block": tuple(tuple(one) for one in plain["block"]),
            "first": tuple(tuple(one) for one in plain["first"]),
            "usual": None if plain["usual"] is None else tuple(plain["usual"]),
            "total": tuple(plain.get("total", ())),
            "means": tuple(plain.get("means", ())),
            "looked": tuple(plain.get("looked", ())),
            "first_looks": tuple(tuple(one) for one in plain.get("first_looks", ())),
            "usual_looks": tuple(tuple(one) for one in plain.get("usual_looks", ())),
        }
        return cls(**plain | fields)


def begin(rule: Rule, reference: Reference) -> State:
    """Nothing is seen yet; features are compared from the first block on."""
    novel, groups = reference.usual
    limit = upper_bound(round((1 - USUAL) * groups), groups, alpha=LIMIT_ALPHA) + rule.margin
    shares = {"features": _share(rule, limit)} if groups > 1 else {}
    if _leaning(reference, rule.block) is not None:
        shares["drift"] = _share(rule, LEANING)
    return State(novel, shares=shares | {"slow": _share(rule, 1 - USUAL + rule.margin)})


def fold(rule: Rule, reference: Reference, state: State, answers: Answers) -> State:
    """With more answers; the pieces in which they come change nothing."""
    novelty = novelty_of(answers.projections, reference.projections)
    fresh = zip(
        novelty.tolist(),
        answers.labels,
        answers.scores.tolist(),
        answers.latency_ms.tolist(),
        strict=True,
    )
    waiting = [*state.block, *fresh]
    exact = answers.projections.astype(np.float16).astype(np.float64)
    logs = looks.counted_logs(answers.looks)
    while len(waiting) >= rule.block:
        used = rule.block - (len(waiting) - len(exact))
        mean = (_sum(state.total, exact[:used]) / rule.block).astype(np.float16)
        state = _with_drift(rule, reference, state, mean)
        state = _with_looks(rule, reference, state, _sum(state.looked, logs[:used]))
        state = _with_block(rule, state, waiting[: rule.block])
        waiting, exact, logs = waiting[rule.block :], exact[used:], logs[used:]
    total = tuple(_sum(state.total, exact).tolist()) if waiting else ()
    looked = tuple(_sum(state.looked, logs).tolist()) if waiting else ()
    return replace(state, block=tuple(waiting), total=total, looked=looked)


def alarms(rule: Rule, state: State) -> tuple[Alarm, ...]:
    """Every change that was alarmed; it stays until the watch begins anew."""
    return tuple(
        Alarm(
            kind,
            one.alarmed_at,
            f"at least {one.lower:.1%} of the answers are {WORDS[kind]}; up to "
            f"{one.limit:.1%} are usual (answer {one.alarmed_at:,}, "
            f"false alarms: {rule.alarm_probability:.0%}).",
        )
        for kind, one in state.shares.items()
        if one.alarmed_at
    )


def _with_drift(
    rule: Rule, reference: Reference, state: State, mean: Float16[np.ndarray, " 128"]
) -> State:
    """With the mean of a block, held against the way that earlier ones lean."""
    taught = [_from_text(text) for text in state.means[:-APART]]
    leaning = _leaning(reference, rule.block)
    if "drift" in state.shares and leaning is not None and len(taught) >= FEWEST_LEARNT:
        lots, far = leaning
        lean = float(lots.lean(mean[None], np.mean(taught, axis=0))[0])
        seen = state.seen + rule.block
        share = _folded(rule, state.shares["drift"], float(lean > far), seen)
        state = replace(state, shares=state.shares | {"drift": share})
    means = (*state.means, _as_text(mean))[-APART - LEARNT :]
    return replace(state, means=means, total=())


@lru_cache(maxsize=64)
def _leaning(reference: Reference, block: int) -> tuple[changes.Lots, float] | None:
    """How lots of the reference differ, and how far is far; None where it has too few."""
    lots = changes.as_lots(reference.groups, least=block)
    if len(np.unique(lots)) < changes.FEWEST_LOTS:
        return None
    far = changes.usual_lean(reference.projections, lots, block=block)
    return changes.Lots.of(reference.projections, lots), far


def _with_looks(
    rule: Rule, reference: Reference, state: State, looked: Float64[np.ndarray, "4"]
) -> State:
    """With how a block looks: how many of its answers say so, and the sums of their logs."""
    state, count = replace(state, looked=()), looked[0]
    if not count:
        return state
    logs: list[float] = (looked[1:] / count).tolist()
    if state.usual_looks:
        shares = dict(state.shares)
        for kind, log, (low, high) in zip(LOOKS, logs, state.usual_looks, strict=True):
            is_odd = not low <= log <= high
            shares[kind] = _folded(rule, shares[kind], float(is_odd), state.seen + rule.block)
        return replace(state, shares=shares)
    first = (*state.first_looks, tuple(logs))
    if len(first) < max(2, rule.baseline // rule.block):
        return replace(state, first_looks=first)
    fresh = {kind: _share(rule, LEANING) for kind in LOOKS}
    usual = looks.usual(
        reference.looks, reference.groups, np.array(first), block=rule.block, margin=rule.margin
    )
    return replace(state, first_looks=(), usual_looks=usual, shares=state.shares | fresh)


def _sum(
    total: tuple[float, ...], numbers: Float64[np.ndarray, "n k"]
) -> Float64[np.ndarray, " k"]:
    return numbers.sum(0) + np.array(total) if total else numbers.sum(0)


def _as_text(mean: Float16[np.ndarray, " 128"]) -> str:
    return base64.b64encode(mean.astype("<f2").tobytes()).decode()


def _from_text(text: str) -> Float64[np.ndarray, " 128"]:
    return np.frombuffer(base64.b64decode(text), "<f2").astype(np.float64)


def _with_block(
    rule: Rule, state: State, block: Sequence[tuple[float, str, float, float]]
) -> State:
    seen = state.seen + len(block)
    shares = dict(state.shares)
    for kind, events in _events(rule, state, block).items():
        if kind in shares:
            shares[kind] = _folded(rule, shares[kind], float(events.mean()), seen)
    state = replace(state, seen=seen, shares=shares)
    if state.usual is not None:
        return state
    first = (*state.first, *block)
    return (
        _with_baseline(rule, replace(state, first=first))
        if seen >= rule.baseline
        else replace(state, first=first)
    )


def _events(
    rule: Rule, state: State, block: Sequence[tuple[float, str, float, float]]
) -> dict[str, Bool[np.ndarray, " block"]]:
    novelty, labels, scores, latency = (np.array(column) for column in zip(*block, strict=True))
    found = {"features": novelty > state.novel, "slow": latency > rule.slow_ms}
    if state.usual is None:
        return found
    low, high, most = state.usual
    is_fit = labels != UNFIT
    return found | {
        "scores": is_fit & ((scores < low) | (scores > high)),
        "rejects": is_fit & (labels != most),
        "passes": labels == most,
        "unfit": ~is_fit,
    }


def _with_baseline(rule: Rule, state: State) -> State:
    """What the first answers say is usual, each limit as far as so few blocks can tell."""
    scores = [score for _, label, score, _ in state.first if label != UNFIT]
    low, high = np.quantile(scores, [(1 - USUAL) / 2, (1 + USUAL) / 2]) if scores else (0.0, 0.0)
    counted = Counter(label for _, label, _, _ in state.first)
    most = max(counted, key=lambda label: (counted[label], label))
    state = replace(state, usual=(float(low), float(high), most), first=())
    blocks = max(1, state.seen // rule.block)
    usual = {
        "scores": 1 - USUAL,
        "rejects": 1 - (counted[most] + counted[UNFIT] * (most != UNFIT)) / state.seen,
        "passes": counted[most] / state.seen,
        "unfit": counted[UNFIT] / state.seen,
    }
    fresh = {
        kind: _share(
            rule,
            upper_bound(round(share * blocks), blocks, alpha=LIMIT_ALPHA) + rule.margin,
        )
        for kind, share in usual.items()
    }
    return replace(state, shares=state.shares | fresh)


def _share(rule: Rule, limit: float) -> Share:
    return Share(limit, _bound(rule, 1))


def _bound(rule: Rule, number: int) -> ConfidenceSequence:
    alpha = spent_alpha(rule.alarm_probability / len(KINDS), number)
    return ConfidenceSequence.of_rate(alpha=2 * alpha)  # of its two bounds the lower one is used


def _folded(rule: Rule, one: Share, share: float, seen: int) -> Share:
    if one.alarmed_at or one.limit >= 1:
        return one
    if one.blocks >= rule.restart:
        number = one.number + 1
        one = Share(one.limit, _bound(rule, number), number)
    bound = one.bound.fold([share])
    one = replace(one, bound=bound, blocks=one.blocks + 1)
    if bound.lower <= one.limit:
        return one
    return replace(one, alarmed_at=seen, lower=bound.lower)

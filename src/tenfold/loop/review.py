"""Which answers are worth a person's look, and what people agree on.

Two kinds of picks never mix. An *audit* is drawn by lot, whatever the answer looks like, with a
known probability: only audits say how often production is wrong. All others are picked because they
teach most, so they say nothing of how often.
"""

import hashlib
from collections import Counter
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Annotated, Literal

import numpy as np
from jaxtyping import Float32
from pydantic import Field

from tenfold.specs.yaml_file import Part

UNFIT = "unfit"
CANNOT_TELL = ""
"""What a person says, or people agree on, where the picture does not show it."""
Share = Annotated[float, Field(ge=0, le=1)]
Stratum = Literal["ok", "reject", "said", "unfit"]
Signal = Literal["doubt", "novelty", "drift", "disagreement"]
ALIKE = 0.1
"""Pictures nearer to each other than this share of the usual distance show the same."""
PRESELECTED = 10
"""So many times as many as are wanted are gone through for spread: the β of Zhdanov 2019."""


class Rule(Part):
    """How much people are asked."""

    audit_ok: Share = 0.01
    """Share of the answers that passed something, drawn by lot: finds wrong OKs."""
    audit_reject: Share = 0.1
    """Share of the answers that rejected something, drawn by lot: finds wrong rejects."""
    audit_unfit: Share = 0.05
    """Share of the answers that said `unfit`, drawn by lot."""
    audit_said: Share = 0.02
    """Share of the answers to questions of several classes, drawn by lot."""
    per_day: Annotated[int, Field(ge=0)] = 50
    """Pictures a day that are picked because they teach; audits come on top."""
    doubt: Share = 0.5
    """Of those: the least sure answers. What is left of a kind goes to the others."""
    novelty: Share = 0.5
    """Of those: the ones least like what the head had seen."""
    second_opinion: Share = 0.0
    """Share of the pictures that two people must agree on; a third decides where they do not."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """An answer that might be picked, with what speaks for it."""

    place: int
    """Among the projections."""
    sample: str
    doubt: float
    """0: sure, 1: on the edge."""
    novelty: float
    """How far from what the head had seen; any scale."""


@dataclass(frozen=True, slots=True)
class Chosen:
    place: int
    reason: Signal
    worth: float
    """In [0, 1]; the higher, the sooner it is shown."""


@dataclass(frozen=True, slots=True)
class Said:
    """One label, as the count looks at it."""

    who: str
    label: str


@dataclass(frozen=True, slots=True)
class Agreed:
    truth: str
    """`CANNOT_TELL` where people agree that nobody can."""


@dataclass(frozen=True, slots=True)
class NeedsMore:
    labels: int
    """More people who must look."""


def stratum_of(label: str, *, good: str | None) -> Stratum:
    """What kind of answer it was; `good` is the class that passes, None: there is none."""
    if label == UNFIT:
        return "unfit"
    if good is None:
        return "said"
    return "ok" if label == good else "reject"


def audit_share(rule: Rule, stratum: Stratum) -> float:
    """With which probability an answer of a stratum is drawn."""
    shares = {
        "ok": rule.audit_ok,
        "reject": rule.audit_reject,
        "unfit": rule.audit_unfit,
        "said": rule.audit_said,
    }
    return shares[stratum]


def even_share(rule: Rule, *, good: str | None) -> float:
    """With which probability an answer is drawn whatever it says: what is drawn so is production as
    it comes. The rest of the audits was drawn for what was answered, and must not judge: rejects
    that are drawn ten times as often show ten times the overkill, and hide what passes."""
    shares = (rule.audit_said,) if good is None else (rule.audit_ok, rule.audit_reject)
    return min(*shares, rule.audit_unfit)


def lot_of(answer: str, *, salt: str) -> float:
    """In [0, 1); an answer is drawn where it lies below the share: the same on every machine,
    whatever else is known."""
    return _lot("audit", salt, answer)


def doubt_of(
    scores: Float32[np.ndarray, " n"], *, threshold: float | None, spread: float = 1.0
) -> Float32[np.ndarray, " n"]:
    """How near each answer is to the other one, in (0, 1].

    With a threshold the distance to it counts, in units of `spread`; without one the score says how
    sure the head is of its decision.
    """
    if threshold is None:
        return (1 - scores).astype(np.float32)
    away = np.abs(scores - threshold) / max(spread, 1e-9)
    return (1 / (1 + away)).astype(np.float32)


def novelty_of(
    projections: Float32[np.ndarray, "n dim"], known: Float32[np.ndarray, "m dim"]
) -> Float32[np.ndarray, " n"]:
    """Distance of each to the nearest of what is known."""
    if not len(known):
        return np.zeros(len(projections), np.float32)
    squares = (known**2).sum(1)
    nearest = np.empty(len(projections), np.float32)
    for start in range(0, len(projections), 1024):
        some = projections[start : start + 1024]
        apart = (some**2).sum(1)[:, None] + squares - 2 * some @ known.T
        nearest[start : start + 1024] = np.sqrt(np.maximum(apart.min(1), 0))
    return nearest


def choose(
    rule: Rule,
    candidates: Sequence[Candidate],
    projections: Float32[np.ndarray, "n dim"],
    *,
    budget: int,
    usual: float,
) -> list[Chosen]:
    """At most `budget` of the candidates, those that teach most and no two of a kind.

    By doubt and by novelty, in the shares that the rule says, each on a scale of ranks. Within a
    reason the worthiest are gone through: the next pick has the most worth times distance to all
    picks so far, and what is alike to a pick (nearer than a tenth of `usual`, the usual distance
    between pictures) is not picked. Of 50,000 candidates 100 are chosen within a second.

    Source: Sener & Savarese 2018, "Active learning for convolutional neural networks: a core-set
    approach", section 4.2 (greedy k-center); Zhdanov 2019, "Diverse mini-batch active learning"
    (arXiv:1901.05954), section 3 (the most informative first, and as weights).
    """
    total = rule.doubt + rule.novelty
    if not candidates or budget <= 0 or not total:
        return []
    worths: dict[Signal, np.ndarray] = {
        "novelty": _ranks([one.novelty for one in candidates]),
        "doubt": _ranks([one.doubt for one in candidates]),
    }
    novel = budget - round(budget * rule.doubt / total)
    turns: list[tuple[Signal, int]] = [("novelty", novel), ("doubt", budget), ("novelty", budget)]
    places = np.array([one.place for one in candidates])
    spread = _Spread(projections[places], usual=usual)
    chosen: list[Chosen] = []
    for reason, most in turns:
        if not getattr(rule, reason):
            continue
        worth = worths[reason]
        for i in spread.take(worth, most - len(chosen)):
            chosen.append(Chosen(candidates[i].place, reason, float(worth[i])))
    return chosen


def agreed(labels: Iterable[Said], *, needed: int = 1) -> Agreed | NeedsMore:
    """What people agree on: one label settles an ordinary picture; where `needed` is two they must
    say the same, and a third decides where they do not.

    Labels come oldest first; of each person the newest counts. Several classes joined by `;` are
    the same in any order. Three who say three things agree on nothing: one more must look, until
    two say the same.
    """
    newest = {one.who: ";".join(sorted(set(one.label.split(";")))) for one in labels}
    votes = Counter(newest.values())
    if not votes:
        return NeedsMore(needed)
    (label, most), *rest = sorted(votes.items(), key=lambda vote: (-vote[1], vote[0]))
    is_tied = bool(rest) and rest[0][1] == most
    if len(votes) > 1:
        needed = max(2, needed)
    if is_tied or most < needed:
        return NeedsMore(1 if is_tied else needed - most)
    return Agreed(label)


def opinions_needed(rule: Rule, sample: str, *, salt: str) -> int:
    """How many people must agree on a picture: by lot, so that nobody can tell beforehand."""
    return 2 if _lot("second opinion", salt, sample) < rule.second_opinion else 1


def _lot(*words: str) -> float:
    """A number in [0, 1), evenly over all words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return (int.from_bytes(digest[:8], "big") >> 11) / 2**53


def _ranks(values: Sequence[float]) -> np.ndarray:
    """Evenly in (0, 1]; equal values have equal ranks, the least that one of them could have, and
    nothing has rank 0."""
    _, number, counts = np.unique(values, return_inverse=True, return_counts=True)
    starts = np.cumsum(counts) - counts + 1
    ranks = (starts / len(values))[number].astype(np.float32)
    return np.where(np.array(values) > 0, ranks, np.float32(0))


class _Spread:
    """Picks far from each other."""

    def __init__(self, points: Float32[np.ndarray, "n dim"], *, usual: float) -> None:
        self._points = points
        self._least = ALIKE * usual
        self._usual = max(usual, 1e-9)
        self._picked: list[int] = []

    def take(self, worth: np.ndarray, count: int) -> list[int]:
        """Places of the next picks; from the less worthy only when the worthiest are used up."""
        order = np.argsort(-worth, kind="stable")
        order = order[worth[order] > 0]
        if count <= 0 or not len(order):
            return []
        last = order[: PRESELECTED * count][-1]
        first = int(np.count_nonzero(worth >= worth[last]))  # with all that are worth the same
        taken = self._farthest(order[:first], worth, count)
        return taken + self._farthest(order[first:], worth, count - len(taken))

    def _farthest(self, places: np.ndarray, worth: np.ndarray, count: int) -> list[int]:
        points, taken = self._points[places], list[int]()
        if not len(places):
            return taken
        away = np.full(len(places), np.inf, np.float32)
        for pick in self._picked if count else []:
            away = np.minimum(away, np.linalg.norm(points - self._points[pick], axis=1))
        while len(taken) < count:
            value = worth[places] * np.minimum(away / self._usual, 1.0)
            best = int(np.where(away > self._least, value, 0.0).argmax())
            if away[best] <= self._least:
                break
            taken.append(int(places[best]))
            away = np.minimum(away, np.linalg.norm(points - points[best], axis=1))
        self._picked += taken
        return taken

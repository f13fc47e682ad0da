"""What a candidate has shown so far: as a shadow in pairs with live, as a canary by how it works.

Pure, and small enough to be kept as JSON. Answers come in the order in which they were recorded,
in pieces of any size; the pieces change nothing.
"""

import math
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, replace
from typing import Any

from tenfold.loop.review import CANNOT_TELL, UNFIT
from tenfold.loop.rollout import Costs, Evidence, Operation, Rule, loss_difference
from tenfold.metrics.sequences import ConfidenceSequence

FINEST_MS, STEP, CELLS = 0.1, 1.1, 160
"""Latencies are counted in cells, each a tenth wider than the one before: up to seven minutes."""
MOST_ALONE = 2_000
"""Answers that wait for their pair; where more wait, the oldest never had one."""
ROUTE_DIGITS = 10


@dataclass(frozen=True, slots=True)
class Told:
    """One answer, as the trial looks at it."""

    id: str
    sample: str
    route: str
    """Digest of the route key: pictures of one part err together."""
    role: str
    model: str
    label: str | None
    """None: it failed."""
    latency_ms: float

    @property
    def key(self) -> str:
        return f"{self.id}/{self.sample[:16]}"


@dataclass(frozen=True, slots=True)
class Pair:
    sample: str
    live: str
    shadow: str

    @property
    def differs(self) -> bool:
        return loss_difference(self.shadow, self.live, None) is None


@dataclass(frozen=True, slots=True)
class Latencies:
    """How often answers took how long."""

    counts: tuple[int, ...] = (0,) * CELLS

    def with_one(self, ms: float) -> "Latencies":
        cell = math.ceil(math.log(max(ms, FINEST_MS) / FINEST_MS, STEP) - 1e-9)
        counts = list(self.counts)
        counts[min(CELLS - 1, cell)] += 1
        return Latencies(tuple(counts))

    @property
    def p95_ms(self) -> float | None:
        """Of 95 % of the answers at most so much, at most a tenth too high; None: none was seen."""
        total, seen = sum(self.counts), 0
        for cell, count in enumerate(self.counts):
            seen += count
            if count and seen >= 0.95 * total:
                return FINEST_MS * STEP**cell
        return None


@dataclass(frozen=True, slots=True)
class Trial:
    model: str
    differences: ConfidenceSequence
    disagreements: int = 0
    """Pairs of different answers among those that are settled."""
    tail: tuple[Pair, ...] = ()
    """Pairs in their order, from the first on whose truth is waited for."""
    alone: tuple[tuple[str, str, str, str], ...] = ()
    """(key, role, sample, label) of answers whose pair has not come."""
    routes: frozenset[str] = frozenset()
    """Beginnings of the parts' digests that gave a pair."""
    shadow_ms: Latencies = field(default_factory=Latencies)
    canary_ms: Latencies = field(default_factory=Latencies)
    answers: int = 0
    """Of the canary, failures included."""
    failures: int = 0
    unfit: int = 0
    live_answers: int = 0
    """While the canary answered."""
    live_unfit: int = 0

    @property
    def waits_for(self) -> tuple[Pair, ...]:
        """Pairs of different answers, the first of which holds up the rest."""
        return tuple(pair for pair in self.tail if pair.differs)

    @property
    def evidence(self) -> Evidence:
        return Evidence(self.differences, self.disagreements, self.shadow_ms.p95_ms)

    @property
    def operation(self) -> Operation:
        return Operation(
            answers=self.answers,
            failures=self.failures,
            unfit=self.unfit,
            p95_ms=self.canary_ms.p95_ms,
            live_unfit_share=self.live_unfit / self.live_answers if self.live_answers else None,
        )

    def to_json(self) -> dict[str, Any]:
        plain = asdict(self) | {"differences": self.differences.to_json()}
        return plain | {"routes": sorted(self.routes)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "Trial":
        fields: dict[str, Any] = {
            "differences": ConfidenceSequence.from_json(plain["differences"]),
            "tail": tuple(Pair(**pair) for pair in plain["tail"]),
            "alone": tuple(tuple(one) for one in plain["alone"]),
            "routes": frozenset(plain["routes"]),
            "shadow_ms": Latencies(tuple(plain["shadow_ms"]["counts"])),
            "canary_ms": Latencies(tuple(plain["canary_ms"]["counts"])),
        }
        return cls(**plain | fields)


def begin(model: str, rule: Rule) -> Trial:
    """Nothing is shown yet."""
    return Trial(model, ConfidenceSequence.of_differences(alpha=rule.alpha))


def fold(rule: Rule, trial: Trial, told: Iterable[Told], *, live: str) -> Trial:
    """With more answers; those of models other than the candidate and `live` are passed over."""
    work = _Folding(trial, most=rule.most)
    for one in told:
        if one.model == trial.model and one.role == "shadow":
            work.shadow(one)
        elif one.model == trial.model and one.role == "canary":
            work.canary(one)
        elif one.model == live and one.role == "live":
            work.live(one)
    return work.done()


def settle(
    rule: Rule, trial: Trial, truths: Mapping[str, str], *, costs: Costs | None = None
) -> Trial:
    """With what people agreed on since, by sample; `CANNOT_TELL` counts as the worst.

    Pairs count in their order, none before the truth of all before it is known: otherwise those
    that agree would count before those that do not.
    """
    known: list[float] = []
    disagreements = 0
    for pair in trial.tail:
        difference = _difference(pair, truths.get(pair.sample), costs)
        if difference is None:
            break
        known.append(difference)
        disagreements += pair.differs
    if not known:
        return trial
    return replace(
        trial,
        differences=trial.differences.fold(known),
        disagreements=trial.disagreements + disagreements,
        tail=trial.tail[len(known) :],
    )


def _difference(pair: Pair, truth: str | None, costs: Costs | None) -> float | None:
    if pair.differs and truth == CANNOT_TELL:
        return 1.0
    return loss_difference(pair.shadow, pair.live, truth, costs=costs)


class _Folding:
    """A trial while answers are added."""

    def __init__(self, trial: Trial, *, most: int) -> None:
        self._trial = trial
        self._most = most
        self._alone = {key: (role, sample, label) for key, role, sample, label in trial.alone}
        self._routes = set(trial.routes)
        self._tail = list(trial.tail)
        self._shadow_ms, self._canary_ms = trial.shadow_ms, trial.canary_ms
        self._counted = {
            name: getattr(trial, name)
            for name in ("answers", "failures", "unfit", "live_answers", "live_unfit")
        }

    def shadow(self, one: Told) -> None:
        self._shadow_ms = self._shadow_ms.with_one(one.latency_ms)
        self._paired(one)

    def canary(self, one: Told) -> None:
        self._counted["answers"] += 1
        self._counted["failures"] += one.label is None
        self._counted["unfit"] += one.label == UNFIT
        if one.label is not None:
            self._canary_ms = self._canary_ms.with_one(one.latency_ms)

    def live(self, one: Told) -> None:
        if self._counted["answers"]:
            self._counted["live_answers"] += 1
            self._counted["live_unfit"] += one.label == UNFIT
        self._paired(one)

    def _paired(self, one: Told) -> None:
        if one.label is None:
            return
        other = self._alone.get(one.key)
        if other is None or other[0] == one.role:
            self._alone[one.key] = (one.role, one.sample, one.label)
            if len(self._alone) > MOST_ALONE:
                del self._alone[next(iter(self._alone))]
            return
        del self._alone[one.key]
        route = one.route[:ROUTE_DIGITS]
        is_full = self._trial.differences.n + len(self._tail) >= self._most
        if route in self._routes or is_full:
            return
        self._routes.add(route)
        labels = {one.role: one.label, other[0]: other[2]}
        self._tail.append(Pair(one.sample, labels["live"], labels["shadow"]))

    def done(self) -> Trial:
        return replace(
            self._trial,
            tail=tuple(self._tail),
            alone=tuple((key, *rest) for key, rest in self._alone.items()),
            routes=frozenset(self._routes),
            shadow_ms=self._shadow_ms,
            canary_ms=self._canary_ms,
            **self._counted,
        )

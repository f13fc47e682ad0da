"""From trials to the registry: who gets which look, the verdict, and one transaction for all."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

import numpy as np

from tenfold import packages
from tenfold.catalog import ledger, models
from tenfold.catalog.ledger import Entry, Used
from tenfold.catalog.models import Judging, Make, Model
from tenfold.errors import TenfoldError
from tenfold.factory.climb import Climb
from tenfold.factory.feed import strides_of
from tenfold.factory.gate import Gate
from tenfold.factory.history import History
from tenfold.factory.job import Attempted, Fault, Job, Judged, Trial
from tenfold.factory.judge import Verdict, is_promising, judge
from tenfold.factory.plan import Plan
from tenfold.factory.report.words import percent, percent_up
from tenfold.factory.splits import CALIBRATE, FIT, JUDGE
from tenfold.packages import Package
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True, eq=False)
class Made:
    """What one task came to."""

    task: str
    model: Model
    verdict: Verdict
    rungs: tuple[dict[str, Any], ...]
    seconds: dict[str, float]
    was_found: bool = False
    """It had been made before: nothing was done."""

    @property
    def total_seconds(self) -> float:
        return sum(self.seconds.values())

    @property
    def proof(self) -> list[str]:
        """One short line for each bound that was asked."""
        return [
            f"{b.name} {b.errors}/{b.n}, ≤ {percent_up(b.upper)} (bar {percent(b.limit)})"
            for b in self.verdict.bounds
            if b.limit is not None
        ]

    @property
    def in_words(self) -> str:
        return " ".join([f"{self.verdict.status.capitalize()}:", *self.verdict.claims])


@dataclass(frozen=True, slots=True, eq=False)
class Desk:
    """Where results are written down."""

    workspace: Workspace
    gate: Gate
    run: str
    """The ledger's run."""
    fleet: str
    patiently: Callable[[Callable[[], None]], None]
    """Calls what may be called again until the catalog is there."""


@dataclass(frozen=True, slots=True, eq=False)
class Step:
    """One climb's next rung."""

    climb: Climb
    plan: Plan
    job: Job | None
    """None: its model is there already."""
    known: Model | None = None


@dataclass(frozen=True, slots=True, eq=False)
class Chunk:
    """Steps on one cohort, in the order of their looks."""

    steps: tuple[Step, ...]
    samples: frozenset[bytes]
    roster: str
    history: History

    @property
    def jobs(self) -> tuple[Job, ...]:
        return tuple(step.job for step in self.steps if step.job)


@dataclass(slots=True, eq=False)
class Recorded:
    done: list[Made | Fault] = field(default_factory=list[Made | Fault])
    going_on: list[Climb] = field(default_factory=list[Climb])
    """Climbs with a rung still to try."""


@dataclass(slots=True, eq=False)
class _Draft:
    """What one transaction will hold."""

    models: list[Model] = field(default_factory=list[Model])
    makes: list[Make] = field(default_factory=list[Make])
    entries: list[Entry] = field(default_factory=list[Entry])
    plans: list[Plan] = field(default_factory=list[Plan])
    """Of the models."""


def record(desk: Desk, chunk: Chunk, attempted: Attempted | None) -> Recorded:
    """Judge what deserves a look, in order, and write all of it down at once.

    Raises:
        Conflict: somebody else looked at the question meanwhile; nothing was written.
        IntegrityError: the serving runtime does not show golden pictures as they were judged.
    """
    draft, result = _Draft(), Recorded()
    first = chunk.history.next_look(chunk.samples)
    trials = iter(attempted.trials if attempted else ())
    for step in chunk.steps:
        climb = step.climb.copied()
        try:
            if step.known is not None:
                _found(climb, step.known)
            else:
                _tried(desk, _Taken(step, climb, next(trials), attempted), draft, chunk, first)
        except TenfoldError as error:
            result.done.append(Fault(climb.order.spec.task, error))
            continue
        if climb.go_on():
            result.going_on.append(climb)
        else:
            draft.makes.append(_make(desk, climb))
            if climb.used.images:
                draft.entries.append(_entry(desk, climb, climb.order.id, climb.used))
            result.done.append(made_of(climb))
    desk.patiently(lambda: _write(desk, chunk, draft, first))
    chunk.history.take_looks(chunk.samples, len(draft.models))
    return result


def made_of(climb: Climb) -> Made:
    model = climb.answer
    return Made(
        task=climb.order.spec.task,
        model=model,
        verdict=Verdict.from_json(model.verdict),
        rungs=tuple(climb.rungs),
        seconds=climb.seconds,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    """A step with what became of it."""

    step: Step
    climb: Climb
    trial: Trial | Fault
    attempted: Attempted | None


def _found(climb: Climb, known: Model) -> None:
    climb.judged.append(known)
    climb.note(known.status, estimate=known.estimate, model=known)


def _tried(desk: Desk, taken: _Taken, draft: _Draft, chunk: Chunk, first: int) -> None:
    climb, trial = taken.climb, taken.trial
    if isinstance(trial, Fault):
        raise trial.error
    spec, look = climb.order.spec, first + len(draft.models)
    climb.seconds["fit"] += trial.fit.wall
    estimate = climb.estimate_of(climb.place) if trial.estimate is None else trial.estimate
    judged = trial.judged
    is_due = climb.must_judge or is_promising(trial.expected, trial.sizes, spec.bar, look=look)
    if judged is None or not is_due:
        climb.note("not promising", estimate=estimate, seconds=trial.fit.wall)
        climb.pass_by(estimate)
        climb.used += _used(taken)
        return
    by_group = taken.step.plan.splits.by_group
    verdict = judge(judged.counts, spec.bar, look=look, by_group=by_group)
    model = replace(_model(desk, taken, judged, verdict, roster=chunk.roster), estimate=estimate)
    _pass_gate(desk, taken, judged, model)
    climb.seconds["judge"] += judged.judge.wall + judged.package.wall
    climb.judged.append(model)
    climb.note(
        verdict.status,
        estimate=estimate,
        seconds=trial.fit.wall,
        model=model,
        suspects=judged.suspects,
    )
    draft.models.append(model)
    draft.plans.append(taken.step.plan)
    draft.entries.append(_entry(desk, climb, model.id, _used(taken)))


def _model(desk: Desk, taken: _Taken, judged: Judged, verdict: Verdict, *, roster: str) -> Model:
    assert taken.step.job is not None
    assert taken.attempted is not None
    assert isinstance(taken.trial, Trial)
    climb, plan, trial = taken.climb, taken.step.plan, taken.trial
    spec = climb.order.spec
    return Model(
        id=taken.step.job.manifest.model,
        task=spec.task,
        fleet=desk.fleet,
        sector=spec.sector,
        kind=spec.kind,
        dataset=spec.dataset,
        snapshot=climb.order.snapshot.id,
        make_id=climb.order.id,
        rung=climb.rung.name,
        estimate=trial.estimate,
        status=verdict.status,
        verdict=verdict.to_json(),
        identity=plan.identity(climb.rung),
        pack=taken.attempted.pack,
        head=judged.head,
        evidence=judged.evidence,
        roster=roster,
        seconds={
            "fit": trial.fit.wall,
            "judge": judged.judge.wall,
            "package": judged.package.wall,
        },
    )


def _pass_gate(desk: Desk, taken: _Taken, judged: Judged, model: Model) -> None:
    assert taken.step.job is not None
    manifest = taken.step.job.manifest

    def package() -> Package:
        return packages.of_model(desk.workspace.blobs, model)

    desk.gate.check(manifest, strides_of(taken.climb.rung), judged.goldens, package)


def _used(taken: _Taken) -> Used:
    """What one trial used."""
    assert isinstance(taken.trial, Trial)
    assert taken.attempted is not None
    trial, attempted = taken.trial, taken.attempted
    steps = [trial.fit, *([trial.judged.judge, trial.judged.package] if trial.judged else [])]
    read = int((taken.step.plan.splits.codes > 0).sum())
    return Used(
        cpu_s=sum(step.cpu for step in steps),
        wall_s=sum(step.wall for step in steps),
        peak_mb=attempted.peak_mb,
        bytes_stored=trial.judged.head.length + trial.judged.evidence.length if trial.judged else 0,
        bytes_read=attempted.bytes_read // len(attempted.trials),
        images=read,
        labels=read,
    )


def _entry(desk: Desk, climb: Climb, subject: str, used: Used) -> Entry:
    spec = climb.order.spec
    return Entry.of(
        used,
        run=desk.run,
        kind="make",
        subject=subject,
        dataset=spec.dataset,
        task=spec.task,
        fleet=desk.fleet,
        sector=spec.sector,
    )


def _make(desk: Desk, climb: Climb) -> Make:
    return Make(
        id=climb.order.id,
        task=climb.order.spec.task,
        fleet=desk.fleet,
        dataset=climb.order.spec.dataset,
        snapshot=climb.order.snapshot.id,
        spec=climb.order.spec.model_dump_json(exclude_defaults=True),
        model_id=climb.answer.id,
        rungs=climb.rungs,
        seconds=climb.seconds,
    )


def _write(desk: Desk, chunk: Chunk, draft: _Draft, first: int) -> None:
    scope = desk.workspace.scope
    with scope.write() as connection:
        if draft.models:
            judging = Judging(
                key=chunk.steps[0].climb.question_key,
                samples=chunk.samples,
                first_look=first,
                judge=_union(draft.plans, JUDGE),
                fit=_union(draft.plans, FIT, CALIBRATE),
                models=tuple(draft.models),
            )
            models.register(connection, scope, judging)
        models.put_makes(connection, scope, draft.makes)
        ledger.add(connection, scope, draft.entries)


def _union(plans: Sequence[Plan], *roles: int) -> frozenset[bytes]:
    """Samples that have one of the roles in any of the plans, which share a cohort."""
    hit = np.isin(np.stack([plan.splits.codes for plan in plans]), roles).any(0)
    names = plans[0].cohort.shorts
    return frozenset(names[i] for i in np.flatnonzero(hit))

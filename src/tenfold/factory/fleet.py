"""Every task of a fleet file: what it would come to, and the making of it."""

import time
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from functools import partial
from pathlib import Path
from typing import Any

from tenfold.catalog import models
from tenfold.errors import TenfoldError
from tenfold.factory import feed
from tenfold.factory.judge import Verdict, withstand_fdr
from tenfold.factory.ladder import rungs_for
from tenfold.factory.make import Made, make
from tenfold.factory.plan import Plan, plan
from tenfold.factory.register import expected_false
from tenfold.factory.shortfall import Shortfall, failed, ranked, shortfall
from tenfold.factory.stock import Stock
from tenfold.specs import fleet as fleets
from tenfold.specs.fleet import FleetSpec
from tenfold.specs.task import TaskSpec
from tenfold.specs.yaml_file import keys_of, text_of
from tenfold.values import Progress
from tenfold.workspace import Workspace

SECONDS_A_HEAD = {"classify": 0.3, "anomaly": 5.0}
"""Rough guesses for a first rung."""
BYTES_A_HEAD = {"classify": 30_000, "anomaly": 1_200_000}


@dataclass(frozen=True, slots=True)
class Survey:
    """What a fleet would be; nothing has run."""

    fleet: str
    tasks: int
    found: int
    """Tasks made before, on these very data."""
    impossible: tuple[tuple[str, str], ...]
    """Tasks that cannot be made, and why."""
    questions: int
    """Different things decided, on different data."""
    datasets: dict[str, int]
    """Samples of each dataset that are asked about."""
    images: int
    """Pictures that would have to pass a trunk for the first rungs."""
    seconds: float
    """A rough guess: a fixed time per head and kind, and pictures at the speed doctor measured."""
    bytes: int

    @property
    def variants(self) -> int:
        """Tasks that ask what another task asks: other seeds, sizes, bars, rungs."""
        return self.tasks - len(self.impossible) - self.questions


@dataclass(frozen=True, slots=True)
class Outcome:
    """What one task came to."""

    task: str
    status: str
    """A verdict's word, `failed` or `left out` (the budget was spent)."""
    question: str = ""
    model: str = ""
    rung: str = ""
    was_found: bool = False
    holds_fdr: bool | None = None
    """Accepted, and not among those that the fleet's `fdr` turns down."""


@dataclass(frozen=True, slots=True)
class FleetMade:
    fleet: str
    outcomes: tuple[Outcome, ...]
    shortfalls: tuple[Shortfall, ...]
    """Cheapest to mend first."""
    expected_false: float
    """Models accepted by chance, at most: the alpha of all looks taken for these tasks."""
    seconds: float
    fdr: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(outcome.status for outcome in self.outcomes))

    @property
    def questions(self) -> int:
        return len({o.question for o in self.outcomes if o.question})


@dataclass(slots=True)
class _Tally:
    outcomes: list[Outcome] = field(default_factory=list[Outcome])
    verdicts: dict[int, Verdict] = field(default_factory=dict[int, Verdict])
    """By place in `outcomes`."""
    shortfalls: list[Shortfall] = field(default_factory=list[Shortfall])
    climbs: list[tuple[dict[str, Any], ...]] = field(
        default_factory=list[tuple[dict[str, Any], ...]]
    )


def is_fleet(path: str) -> bool:
    """Whether a YAML file describes a fleet rather than one task."""
    return path.endswith((".yaml", ".yml")) and "fleet" in keys_of(text_of(Path(path).expanduser()))


def survey(workspace: Workspace, path: str) -> Survey:
    """What `make_fleet` would do, from what, and about how long it would take.

    Raises:
        SpecError: the fleet file is wrong; names file and line.
        NotFound: a dataset that an axis reads does not exist.
    """
    stock = Stock.of(workspace)
    spec, tasks = opened(stock, path)
    impossible: list[tuple[str, str]] = []
    questions: set[tuple[str, str]] = set()
    asked: dict[str, set[str]] = {}
    missing: set[tuple[str, str]] = set()
    found = 0
    seconds, size = 0.0, 0
    for task, planned in _planned(stock, tasks):
        if isinstance(planned, TenfoldError):
            impossible.append((task.task, str(planned)))
            continue
        questions.add((task.dataset, planned.question_key))
        asked.setdefault(task.dataset, set()).update(planned.cohort.samples)
        missing |= set(_lacking(stock, planned))
        known = models.find_make(workspace.scope, planned.id) is not None
        found += known
        if not known:
            seconds += SECONDS_A_HEAD[task.kind]
            size += BYTES_A_HEAD[task.kind]
    rate = float(workspace.machine().get("images_per_second", 50.0))
    return Survey(
        fleet=spec.fleet,
        tasks=len(tasks),
        found=found,
        impossible=tuple(impossible),
        questions=len(questions),
        datasets={name: len(samples) for name, samples in sorted(asked.items())},
        images=len(missing),
        seconds=seconds + len(missing) / rate,
        bytes=size,
    )


def make_fleet(workspace: Workspace, path: str, *, progress: Progress | None = None) -> FleetMade:
    """Make every task; one that fails is told and stops no other. Run again, it goes on.

    Raises:
        SpecError: the fleet file is wrong; names file and line.
        NotFound: a dataset that an axis reads does not exist.
    """
    began = time.perf_counter()
    stock = Stock.of(workspace)
    spec, tasks = opened(stock, path)
    tally = _Tally()
    for done, (task, planned) in enumerate(_planned(stock, tasks)):
        if _is_spent(spec, tally.outcomes, time.perf_counter() - began):
            tally.outcomes.append(Outcome(task.task, "left out"))
        else:
            _take(stock, tally, task, planned)
        if progress:
            progress("fleet", done + 1, len(tasks))
    outcomes = _with_fdr(tally, spec.fdr)
    return FleetMade(
        fleet=spec.fleet,
        outcomes=outcomes,
        shortfalls=ranked(tally.shortfalls),
        expected_false=expected_false(workspace, tally.climbs),
        seconds=time.perf_counter() - began,
        fdr=spec.fdr,
    )


def opened(stock: Stock, path: str) -> tuple[FleetSpec, tuple[TaskSpec, ...]]:
    """The fleet in a file and all its tasks."""
    spec, text = fleets.load(path)
    return spec, fleets.expand(spec, partial(_values_of, stock), text=text, where=path)


def _values_of(stock: Stock, dataset: str, attribute: str | None) -> list[str]:
    items, _ = stock.dataset(dataset)
    if attribute is None:
        return sorted({label for item in items for label in item.labels})
    return sorted({item.attributes[attribute] for item in items if attribute in item.attributes})


def _planned(
    stock: Stock, tasks: Iterable[TaskSpec]
) -> Iterator[tuple[TaskSpec, Plan | TenfoldError]]:
    """One plan at a time: all of a large fleet's would not fit into memory."""
    for task in tasks:
        try:
            yield task, plan(stock.workspace, task, stock=stock)
        except TenfoldError as error:
            yield task, error


def _take(stock: Stock, tally: _Tally, task: TaskSpec, planned: Plan | TenfoldError) -> None:
    try:
        if isinstance(planned, TenfoldError):
            raise planned
        made = make(stock.workspace, planned, stock=stock)
    except TenfoldError as error:
        tally.outcomes.append(Outcome(task.task, "failed"))
        tally.shortfalls.append(failed(task.task, error))
        return
    tally.climbs.append(made.rungs)
    if made.verdict.status == "accepted":
        tally.verdicts[len(tally.outcomes)] = made.verdict
    else:
        tally.shortfalls.append(_shortfall(stock, planned, made))
    tally.outcomes.append(_outcome(planned, made))


def _outcome(planned: Plan, made: Made) -> Outcome:
    return Outcome(
        task=made.task,
        status=made.verdict.status,
        question=f"{planned.spec.dataset}/{planned.question_key}",
        model=made.model.id,
        rung=made.model.rung,
        was_found=made.was_found,
    )


def _shortfall(stock: Stock, planned: Plan, made: Made) -> Shortfall:
    spec = planned.spec
    tried = {rung["name"] for rung in made.rungs if rung["outcome"] != "over budget"}
    names = [
        rung.name
        for rung in rungs_for(spec.kind, spec.symmetry, multi_label=spec.question.multi_label)
    ]
    highest = max((names.index(name) for name in tried if name in names), default=-1)
    untried = names[highest + 1 :] if spec.trunk is None else []
    table = stock.workspace.blobs.get(made.model.evidence).decode()
    return shortfall(made.task, made.verdict, higher_rungs=untried, evidence=table)


def _is_spent(spec: FleetSpec, outcomes: Sequence[Outcome], seconds: float) -> bool:
    budget = spec.budget
    worked = sum(1 for o in outcomes if o.model and not o.was_found)
    too_late = budget.seconds is not None and seconds > budget.seconds
    return too_late or (budget.tasks is not None and worked >= budget.tasks)


def _with_fdr(tally: _Tally, fdr: float | None) -> tuple[Outcome, ...]:
    """Accepted models marked by whether they withstand the fleet's false discovery rate."""
    if fdr is None:
        return tuple(tally.outcomes)
    judged = sum(1 for o in tally.outcomes if o.model)
    holds = withstand_fdr(list(tally.verdicts.values()), fdr=fdr, judged=judged)
    marked: dict[int, Any] = dict(zip(tally.verdicts, holds, strict=True))
    return tuple(
        replace(outcome, holds_fdr=marked.get(place))
        for place, outcome in enumerate(tally.outcomes)
    )


def _lacking(stock: Stock, planned: Plan) -> Iterator[tuple[str, str]]:
    """(space, sample) that no trunk has seen yet, for the first rung."""
    rung = planned.rungs[0]
    for given in planned.inputs(rung):
        for view in given.views:
            space = planned.space(given, view)
            for output in feed.outputs_of(rung):
                for sample in stock.workspace.features.missing(
                    space, output, planned.cohort.samples
                ):
                    yield space.key, sample

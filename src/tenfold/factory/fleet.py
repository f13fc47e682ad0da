"""Every task of a fleet file: what it would come to, and the making of it."""

import time
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from functools import cache
from pathlib import Path
from typing import Any, cast

from tenfold.catalog import datasets, gallery, models
from tenfold.errors import TenfoldError
from tenfold.factory import feed
from tenfold.factory.job import Fault
from tenfold.factory.judge import expected_false_acceptances, p_value, withstand_fdr
from tenfold.factory.ladder import LADDERS
from tenfold.factory.make import HERE, Workers, floor_for
from tenfold.factory.plan import Order, Plan, order, plan_of
from tenfold.factory.produce import Floor, produce
from tenfold.factory.recording import Made
from tenfold.factory.shortfall import Shortfall, failed, ranked, shortfall
from tenfold.factory.stock import Stock
from tenfold.specs import fleet as fleets
from tenfold.specs.fleet import FleetBudget, FleetSpec
from tenfold.specs.task import TaskSpec
from tenfold.specs.yaml_file import text_of
from tenfold.values import Kind, Progress
from tenfold.workspace import Workspace

AT_ONCE = 500
"""Tasks that are looked up together."""
Live = Callable[[Mapping[str, int]], None]
SECONDS_A_HEAD: dict[Kind, float] = {"classify": 0.03, "anomaly": 0.6}
"""Of one core, for a first rung on some hundred samples."""
BYTES_A_HEAD: dict[Kind, int] = {"classify": 20_000, "anomaly": 90_000}


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
    seconds_by_stage: dict[str, float]
    """CPU seconds: fit, judge and package of all workers; plan, embed and catalog of the driver."""
    fdr: float | None = None

    @property
    def counts(self) -> dict[str, int]:
        return dict(Counter(outcome.status for outcome in self.outcomes))

    @property
    def questions(self) -> int:
        return len({o.question for o in self.outcomes if o.question})


@dataclass(slots=True, eq=False)
class _Tally:
    """Outcomes by task, and what is kept of each."""

    outcomes: dict[str, Outcome] = field(default_factory=dict[str, Outcome])
    chances: dict[str, float] = field(default_factory=dict[str, float])
    """Of the accepted: how likely so few errors are just at the bar."""
    shortfalls: list[Shortfall] = field(default_factory=list[Shortfall])
    climbs: list[list[dict[str, Any]]] = field(default_factory=list[list[dict[str, Any]]])
    """What took looks: models and their alpha."""
    counts: Counter[str] = field(default_factory=Counter[str])


def is_fleet(path: str) -> bool:
    """Whether a YAML file describes a fleet rather than one task."""
    return path.endswith((".yaml", ".yml")) and fleets.describes(text_of(Path(path).expanduser()))


def survey(workspace: Workspace, path: str, *, progress: Progress | None = None) -> Survey:
    """What `make_fleet` would do, from what, and about how long it would take.

    Raises:
        SpecError: the fleet file is wrong; names file and line.
        NotFound: a dataset that an axis reads does not exist.
    """
    stock = Stock.of(workspace)
    spec, tasks = read(workspace, _text(path), where=path)
    surveying = _Surveying(stock)
    for done, some in enumerate(_some(tasks, AT_ONCE)):
        surveying.look_at(some)
        if progress:
            progress("survey", min((done + 1) * AT_ONCE, len(tasks)), len(tasks))
    return surveying.result(spec.fleet, len(tasks))


def make_fleet(
    workspace: Workspace,
    path: str,
    *,
    workers: Workers = HERE,
    progress: Progress | None = None,
    live: Live | None = None,
    lacks: Callable[[Shortfall], None] | None = None,
) -> FleetMade:
    """Make every task; one that fails is told and stops no other. Run again, it goes on.

    `live` hears the counts by outcome while they grow, `lacks` what is not accepted.

    Raises:
        SpecError: the fleet file is wrong; names file and line.
        NotFound: a dataset that an axis reads does not exist.
    """
    began = time.perf_counter()
    stock = Stock.of(workspace)
    spec, tasks = read(workspace, _text(path), where=path)
    tally, told = _Tally(), 0
    if progress:
        progress("models", 0, len(tasks))
    with floor_for(
        workspace, tasks=len(tasks), workers=workers, fleet=spec.fleet, progress=progress
    ) as floor:
        floor = replace(floor, stock=stock, room=_Room(spec.budget, began))
        for outcome in produce(floor, _ordered(stock, tasks, tally)):
            _take(tally, outcome)
            if progress:
                progress("models", len(tally.outcomes), len(tasks))
            if live:
                live(tally.counts)
            while lacks and told < len(tally.shortfalls):
                lacks(tally.shortfalls[told])
                told += 1
    if progress:
        progress("models", len(tally.outcomes), len(tasks))
    return _made(spec, tasks, tally, floor, time.perf_counter() - began)


def _made(
    spec: FleetSpec, tasks: Sequence[TaskSpec], tally: _Tally, floor: Floor, seconds: float
) -> FleetMade:
    standing = _with_fdr(tally, spec.fdr)
    nothing = Outcome("", "left out")
    outcomes = [standing.get(task.task, replace(nothing, task=task.task)) for task in tasks]
    return FleetMade(
        fleet=spec.fleet,
        outcomes=tuple(outcomes),
        shortfalls=ranked(tally.shortfalls),
        expected_false=expected_false_acceptances(tally.climbs),
        seconds=seconds,
        seconds_by_stage={name: round(cpu, 2) for name, cpu in floor.cpu_s.items()},
        fdr=spec.fdr,
    )


def read(workspace: Workspace, text: str, *, where: str) -> tuple[FleetSpec, tuple[TaskSpec, ...]]:
    """The fleet in YAML text, and all its tasks.

    Raises:
        SpecError: names the line of what is wrong.
        NotFound: a dataset that an axis reads does not exist.
    """

    @cache
    def values_of(dataset: str, attribute: str | None) -> list[str]:
        datasets.get(workspace.scope, dataset)
        return sorted(gallery.labels(workspace.scope, dataset, attribute=attribute or ""))

    spec = fleets.parse(text, where=where)
    return spec, fleets.expand(spec, values_of, text=text, where=where)


def _text(path: str) -> str:
    return text_of(Path(path).expanduser())


def _some(tasks: Sequence[TaskSpec], size: int) -> Iterator[Sequence[TaskSpec]]:
    return (tasks[start : start + size] for start in range(0, len(tasks), size))


def _ordered(stock: Stock, tasks: Iterable[TaskSpec], tally: _Tally) -> Iterator[Order]:
    """An order for each task that has a dataset; the others have failed."""
    for task in tasks:
        try:
            yield order(stock, task)
        except TenfoldError as error:
            _fail(tally, task.task, error)


def _fail(tally: _Tally, task: str, error: TenfoldError) -> None:
    tally.outcomes[task] = Outcome(task, "failed")
    tally.counts["failed"] += 1
    tally.shortfalls.append(failed(task, error))


def _take(tally: _Tally, outcome: Made | Fault) -> None:
    if isinstance(outcome, Fault):
        _fail(tally, outcome.task, outcome.error)
        return
    model, status = outcome.model, outcome.verdict.status
    tally.outcomes[outcome.task] = Outcome(
        task=outcome.task,
        status=status,
        question=f"{model.dataset}/{model.identity['question']}",
        model=model.id,
        rung=model.rung,
        was_found=outcome.was_found,
    )
    tally.counts[status] += 1
    looks = [{name: rung[name] for name in ("model", "alpha")} for rung in outcome.rungs]
    tally.climbs.append(looks)
    if status == "accepted":
        tally.chances[outcome.task] = p_value(outcome.verdict)
    else:
        tally.shortfalls.append(_shortfall(outcome))


def _shortfall(made: Made) -> Shortfall:
    tried = {rung["name"] for rung in made.rungs if rung["outcome"] != "over budget"}
    names = [rung.name for rung in LADDERS[cast("Kind", made.model.kind)]]
    highest = max((names.index(name) for name in tried if name in names), default=-1)
    suspects = [
        s for rung in made.rungs if rung["model"] == made.model.id for s in rung["suspects"]
    ]
    found = shortfall(
        made.task, made.verdict, higher_rungs=names[highest + 1 :], suspects=tuple(suspects)
    )
    return replace(found, model=made.model.id)


class _Room:
    """How many of so many tasks the budget lets begin; those begun are finished."""

    def __init__(self, budget: FleetBudget, began: float) -> None:
        self.budget, self.began = budget, began
        self.begun = 0

    def __call__(self, wanted: int) -> int:
        seconds, tasks = self.budget.seconds, self.budget.tasks
        if seconds is not None and time.perf_counter() - self.began > seconds:
            return 0
        given = wanted if tasks is None else min(wanted, tasks - self.begun)
        self.begun += given
        return given


def _with_fdr(tally: _Tally, fdr: float | None) -> dict[str, Outcome]:
    """Accepted models marked by whether they withstand the fleet's false discovery rate."""
    if fdr is None:
        return tally.outcomes
    judged = sum(1 for outcome in tally.outcomes.values() if outcome.model)
    holds = withstand_fdr(list(tally.chances.values()), fdr=fdr, judged=judged)
    marked = dict(zip(tally.chances, holds, strict=True))
    return {
        task: replace(outcome, holds_fdr=marked.get(task))
        for task, outcome in tally.outcomes.items()
    }


class _Surveying:
    """Looks at tasks some at a time; variants of a question cost next to nothing."""

    def __init__(self, stock: Stock) -> None:
        self.stock = stock
        self.found = 0
        self.seconds, self.bytes = 0.0, 0
        self.impossible: list[tuple[str, str]] = []
        self.questions: set[tuple[str, str]] = set()
        self.asked: dict[str, set[str]] = {}
        self.missing: set[tuple[str, str]] = set()
        self._planned: dict[object, str] = {}
        """Why a task cannot be made, by what decides it: the same for all seeds and sizes."""

    def look_at(self, tasks: Sequence[TaskSpec]) -> None:
        orders: list[Order] = []
        for task in tasks:
            try:
                orders.append(order(self.stock, task))
            except TenfoldError as error:
                self.impossible.append((task.task, str(error)))
        made = models.find_makes(self.stock.workspace.scope, [one.id for one in orders])
        self.found += len(made)
        for one in orders:
            why = self._why_not(one)
            if why:
                self.impossible.append((one.spec.task, why))
            elif one.id not in made:
                self.seconds += SECONDS_A_HEAD[one.spec.kind]
                self.bytes += BYTES_A_HEAD[one.spec.kind]

    def _why_not(self, one: Order) -> str:
        spec = one.spec
        alike = spec.model_copy(update={"task": "", "seed": 0})
        key = (one.snapshot.id, alike.model_dump_json())
        if key not in self._planned:
            try:
                plan = plan_of(self.stock, one)
                self.questions.add((spec.dataset, plan.question_key))
                self.asked.setdefault(spec.dataset, set()).update(plan.cohort.samples)
                self.missing |= set(self._lacking(plan))
                self._planned[key] = ""
            except TenfoldError as error:
                self._planned[key] = str(error)
        return self._planned[key]

    def _lacking(self, plan: Plan) -> Iterator[tuple[str, str]]:
        """(space, sample) that no trunk has seen yet, for the first rung."""
        rung, features = plan.rungs[0], self.stock.workspace.features
        for given in plan.inputs(rung):
            for view in given.views:
                space = plan.space(given, view)
                for output in feed.outputs_of(rung):
                    for sample in features.missing(space, output, plan.cohort.samples):
                        yield space.key, sample

    def result(self, fleet: str, tasks: int) -> Survey:
        rate = float(self.stock.workspace.machine().get("images_per_second", 50.0))
        return Survey(
            fleet=fleet,
            tasks=tasks,
            found=self.found,
            impossible=tuple(self.impossible),
            questions=len(self.questions),
            datasets={name: len(samples) for name, samples in sorted(self.asked.items())},
            images=len(self.missing),
            seconds=self.seconds / self.stock.workspace.settings.cores + len(self.missing) / rate,
            bytes=self.bytes,
        )

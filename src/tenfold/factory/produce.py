"""Production: many tasks through plan, embed, fit, judge and registration, on whatever engine.

Tasks that ask one question are a family. Their looks are numbered in the order of the tasks, one
rung after another, whoever computes what when; so a run that was killed, another engine or more
workers end in the same registry. Workers fit; this process alone writes the catalog.
"""

import logging
import time
from collections import defaultdict, deque
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from itertools import groupby, islice
from typing import TypeVar

from tenfold.catalog import models, questions
from tenfold.engine import Engine, Failed
from tenfold.errors import Conflict, TenfoldError, Unsupported
from tenfold.factory import embedding
from tenfold.factory.attempt import attempt
from tenfold.factory.climb import Climb
from tenfold.factory.feed import strides_of
from tenfold.factory.gate import Gate
from tenfold.factory.goldens import golden_rows
from tenfold.factory.history import History
from tenfold.factory.job import Assignment, Attempted, Depot, Fault, Job, Trial
from tenfold.factory.judge import Verdict
from tenfold.factory.plan import Order, Plan, planned
from tenfold.factory.recording import Chunk, Desk, Made, Step, record
from tenfold.factory.splits import CALIBRATE, FIT, JUDGE
from tenfold.factory.stock import Stock
from tenfold.ledger.meter import Running
from tenfold.packages import Manifest
from tenfold.patience import patiently
from tenfold.values import Progress
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

CHUNK = {"classify": 48, "anomaly": 8}
"""Jobs that go to a worker together, at most."""
LOOKED_UP = 500
"""Makes and models that are looked up together."""
MOST_CONFLICTS = 20
WAIT_S = 0.5
"""Between two looks at families that other processes are working on."""

Outcome = Made | Fault
T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Floor:
    """Where production happens."""

    stock: Stock
    engine: Engine
    run: Running
    fleet: str = ""
    threads: int = 1
    """Cores that one job may use."""
    room: Callable[[int], int] = int
    """How many of so many tasks may still be begun; the others are left out."""
    progress: Progress | None = None
    waits: Callable[[str], None] = log.warning
    """Told why nothing happens for a while."""
    cpu_s: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    """CPU seconds by stage: fit, judge and package of all workers, the rest of this process."""
    wall_s: dict[str, float] = field(default_factory=lambda: defaultdict[str, float](float))
    """Of this process, by stage."""

    @property
    def workspace(self) -> Workspace:
        return self.stock.workspace

    def patiently(self, call: Callable[[], T]) -> T:
        """`call`, again and again while the catalog or store is away."""
        return patiently(
            call,
            patience_s=self.workspace.settings.patience_s,
            told=lambda error, again_s: self.waits(f"{error} Trying again in {again_s:.0f} s."),
        )

    @contextmanager
    def stage(self, name: str) -> Generator[None]:
        cpu, wall = time.process_time(), time.perf_counter()
        try:
            yield
        finally:
            self.cpu_s[name] += time.process_time() - cpu
            self.wall_s[name] += time.perf_counter() - wall


@dataclass(slots=True, eq=False)
class Family:
    """Climbs that ask one question, in the order of their tasks."""

    key: str
    climbs: list[Climb]
    singly: bool = False
    """One job at a time, to find the one that costs a worker its life."""
    conflicts: int = 0
    """How often its history changed while it was worked on."""


def produce(floor: Floor, orders: Iterable[Order]) -> Iterator[Outcome]:
    """What each task came to, in the order in which they end.

    What is made already is found; a task that fails stops no other. What was not begun when the
    budget was spent has no outcome.
    """
    families: dict[str, Family] = {}
    orders = iter(orders)
    while some := list(islice(orders, LOOKED_UP)):
        yield from _sorted_in(floor, some, families)
    todo, is_told = list(families.values()), False
    while todo:
        wave = _Wave(floor, todo)
        yield from wave.results()
        todo = wave.left
        if wave.busy and not wave.has_worked:
            if not is_told:
                floor.waits(f"Other processes make {wave.busy} of these questions; waiting.")
            is_told = True
            time.sleep(WAIT_S)


def depot_of(workspace: Workspace) -> Depot:
    """Where workers find what this workspace keeps.

    Raises:
        Unsupported: it keeps its blobs in this process's memory.
    """
    settings = workspace.settings
    if settings.blobs.startswith("memory:"):
        raise Unsupported(
            "workers cannot reach blobs in memory.",
            where="TENFOLD_BLOBS",
            hint="Keep them in a folder or in S3 to make models.",
        )
    return Depot(
        home=str(settings.home),
        blobs=settings.blobs,
        features=settings.features,
        limit_bytes=int(settings.features_gb * 1e9),
    )


def found(floor: Floor, orders: Sequence[Order]) -> dict[str, Made]:
    """What is made already, by make."""
    scope = floor.workspace.scope
    makes = floor.patiently(lambda: models.find_makes(scope, [order.id for order in orders]))
    answers = floor.patiently(
        lambda: models.find_all(scope, [make.model_id for make in makes.values()])
    )
    return {
        make.id: Made(
            make.task,
            answers[make.model_id],
            Verdict.from_json(answers[make.model_id].verdict),
            tuple(make.rungs),
            make.seconds,
            was_found=True,
        )
        for make in makes.values()
        if make.model_id in answers
    }


def _sorted_in(
    floor: Floor, orders: Sequence[Order], families: dict[str, Family]
) -> Iterator[Outcome]:
    """Found ones are told, the others join their families."""
    with floor.stage("plan"):
        made = found(floor, orders)
    for order in orders:
        if order.id in made:
            yield made[order.id]
            continue
        try:
            with floor.stage("plan"):
                _, one_way = floor.stock.cohort(order.spec, order.items, order.snapshot.id)
        except TenfoldError as error:
            yield Fault(order.spec.task, error)
            continue
        key = one_way.question_key
        family = families.setdefault(key, Family(key, []))
        family.climbs.append(Climb.begun(order, key))


class _Wave:
    """One rung of every climb, as far as nobody else is at work on its question."""

    def __init__(self, floor: Floor, families: Sequence[Family]) -> None:
        self.floor, self.families = floor, families
        self.desk = Desk(
            floor.workspace, Gate(floor.stock), floor.run.id, floor.fleet, floor.patiently
        )
        self.depot = depot_of(floor.workspace)
        self.left: list[Family] = []
        """Families with something still to do."""
        self.busy = 0
        """Families that other processes hold."""
        self.has_worked = False
        self._sent: deque[tuple[Family, Chunk]] = deque()
        self._told: deque[Outcome] = deque()
        self._open: dict[str, int] = {}
        """Chunks of a claimed family that are not recorded yet."""
        self._next: dict[str, list[Climb]] = {}
        """Climbs of a claimed family for the next wave."""
        self._under_way: dict[str, set[str]] = {}
        """Models of a claimed family that this wave makes."""
        self._spoilt: set[str] = set()
        """Families whose history changed under us: what is still to come of them is done again."""

    def results(self) -> Iterator[Outcome]:
        families = self._embedded()
        yield from self._drain()
        try:
            for result in self.floor.engine.map(attempt, self._assignments(families)):
                self._take_what_needs_no_worker()
                self._take(*self._sent.popleft(), result)
                yield from self._drain()
            self._take_what_needs_no_worker()
            yield from self._drain()
        finally:
            for family in self.families:
                if family.key in self._open:
                    self._release(family)

    def _drain(self) -> Iterator[Outcome]:
        while self._told:
            yield self._told.popleft()

    def _claim(self, family: Family) -> bool:
        """One process at a time works on a question, so none is made twice."""
        workspace = self.floor.workspace
        taken = self.floor.patiently(
            lambda: workspace.catalog.claims.take(workspace.scope.tenant, family.key)
        )
        if not taken:
            self.busy += 1
            self.left.append(family)
            return False
        self._open[family.key] = 1  # itself, until all its chunks are out
        self._next[family.key] = []
        self._under_way[family.key] = set()
        made = found(self.floor, [climb.order for climb in family.climbs])
        self._told.extend(made.values())
        family.climbs = [climb for climb in family.climbs if climb.order.id not in made]
        if not family.climbs:
            self._close(family)
        return bool(family.climbs)

    def _embedded(self) -> list[Family]:
        """Families whose features are there; those of a dataset that cannot be read have failed."""
        with self.floor.stage("embed"):
            faults = embedding.embed_for(
                self.floor.stock,
                [climb for family in self.families for climb in family.climbs],
                run=self.floor.run.id,
                fleet=self.floor.fleet,
                progress=self.floor.progress,
            )
        for family in self.families:
            for climb in family.climbs:
                if climb.order.spec.dataset in faults:
                    error = faults[climb.order.spec.dataset]
                    self._told.append(Fault(climb.order.spec.task, error))
            family.climbs = [c for c in family.climbs if c.order.spec.dataset not in faults]
        return [family for family in self.families if family.climbs]

    def _assignments(self, families: Sequence[Family]) -> Iterator[Assignment]:
        for family in families:
            if not self._claim(family):
                continue
            history = self._history(family)
            for climbs in _chunks(family):
                with self.floor.stage("plan"):
                    chunk = self._chunk(family, self._begun(climbs), history)
                if chunk is None:
                    continue
                self._open[family.key] += 1
                self._sent.append((family, chunk))
                if chunk.jobs:
                    yield Assignment(self.depot, chunk.roster, chunk.jobs, self.floor.threads)
            self._count_down(family)

    def _begun(self, climbs: Sequence[Climb]) -> list[Climb]:
        """Those that were begun, and as many others as there is room for."""
        fresh = [climb for climb in climbs if not climb.is_begun]
        for climb in fresh[: self.floor.room(len(fresh))]:
            climb.is_begun = True
        return [climb for climb in climbs if climb.is_begun]

    def _history(self, family: Family) -> History:
        scope = self.floor.workspace.scope
        return History(self.floor.patiently(lambda: questions.spent(scope, family.key)))

    def _chunk(self, family: Family, climbs: Sequence[Climb], history: History) -> Chunk | None:
        """Steps of the climbs that can be planned; they share a cohort.

        Two tasks may ask for the very same model: the second waits until the first has made it.
        """
        drafts: list[tuple[Climb, Plan, Manifest]] = []
        for climb in climbs:
            try:
                plan = self._plan(climb, history)
            except TenfoldError as error:
                self._told.append(Fault(climb.order.spec.task, error))
                continue
            manifest = plan.manifest(climb.rung)
            if manifest.model in self._under_way[family.key]:
                self._next[family.key].append(climb)
                continue
            self._under_way[family.key].add(manifest.model)
            drafts.append((climb, plan, manifest))
        if not drafts:
            return None
        scope, ids = self.floor.workspace.scope, [manifest.model for _, _, manifest in drafts]
        known = self.floor.patiently(lambda: models.find_all(scope, ids))
        cohort = drafts[0][1].cohort
        look = history.next_look(cohort.everyone)
        steps: list[Step] = []
        for climb, plan, manifest in drafts:
            is_known = manifest.model in known
            job = None if is_known else _job(climb, plan, manifest, next_look=look)
            steps.append(Step(climb, plan, job, known.get(manifest.model)))
        order = drafts[0][1].order
        roster = self.floor.patiently(
            lambda: self.floor.stock.roster(cohort, order.snapshot.id, order.items)
        )
        chunk = Chunk(tuple(steps), cohort.everyone, roster, history)
        if chunk.jobs and chunk.jobs[0].must_judge:
            goldens = [cohort.samples[i] for i in golden_rows(cohort.samples, cohort.truth)]
            self.desk.gate.begin(chunk.jobs[0].manifest, strides_of(chunk.jobs[0].rung), goldens)
        return chunk

    def _plan(self, climb: Climb, history: History) -> Plan:
        order = climb.order
        cohort, one_way = self.floor.stock.cohort(order.spec, order.items, order.snapshot.id)
        plan = planned(order, cohort, one_way, history)
        judge, fit = plan.those(JUDGE), plan.those(FIT, CALIBRATE)
        history.give_roles(cohort.everyone, judge=judge, fit=fit)
        return plan

    def _take_what_needs_no_worker(self) -> None:
        while self._sent and not self._sent[0][1].jobs:
            self._take(*self._sent.popleft(), None)

    def _take(self, family: Family, chunk: Chunk, result: Attempted | Failed | None) -> None:
        """Record a chunk, or keep its climbs for another try."""
        self.has_worked = True
        climbs = [step.climb for step in chunk.steps]
        if isinstance(result, Failed):
            self._lost(family, climbs, result)
        elif family.key in self._spoilt:
            self._next[family.key] += climbs
        else:
            self._count(result)
            try:
                with self.floor.stage("catalog"):
                    recorded = record(self.desk, chunk, result)
            except Conflict as error:
                self._spoil(family, climbs, error)
            else:
                self._told.extend(recorded.done)
                self._next[family.key] += recorded.going_on
        self._count_down(family)

    def _spoil(self, family: Family, climbs: Sequence[Climb], error: Conflict) -> None:
        """Somebody else looked at the question: plan it again, unless that never ends."""
        log.info("planned again: %s", error)
        family.conflicts += 1
        if family.conflicts > MOST_CONFLICTS:
            self._told.extend(Fault(climb.order.spec.task, error) for climb in climbs)
            return
        self._spoilt.add(family.key)
        self._next[family.key] += climbs

    def _lost(self, family: Family, climbs: Sequence[Climb], result: Failed) -> None:
        if len(climbs) > 1:
            self._spoilt.add(family.key)
            family.singly = True
            self._next[family.key] += climbs
        else:
            self._told.append(Fault(climbs[0].order.spec.task, result.error))

    def _count(self, result: Attempted | None) -> None:
        for trial in result.trials if result else ():
            if isinstance(trial, Trial):
                self.floor.cpu_s["fit"] += trial.fit.cpu
                self.floor.cpu_s["judge"] += trial.judged.judge.cpu if trial.judged else 0
                self.floor.cpu_s["package"] += trial.judged.package.cpu if trial.judged else 0

    def _count_down(self, family: Family) -> None:
        self._open[family.key] -= 1
        if not self._open[family.key]:
            self._close(family)

    def _close(self, family: Family) -> None:
        going_on = self._next.pop(family.key)
        if going_on:
            self.left.append(Family(family.key, going_on, family.singly, family.conflicts))
        self._release(family)

    def _release(self, family: Family) -> None:
        del self._open[family.key]
        workspace = self.floor.workspace
        with suppress(TenfoldError):  # a catalog that is away holds no claim
            workspace.catalog.claims.release(workspace.scope.tenant, family.key)


def _chunks(family: Family) -> Iterator[list[Climb]]:
    """Climbs of one dataset that follow each other, some at a time."""
    for _, same in groupby(family.climbs, key=lambda climb: climb.order.snapshot.id):
        rest = list(same)
        most = 1 if family.singly else CHUNK[rest[0].order.spec.kind]
        yield from (rest[start : start + most] for start in range(0, len(rest), most))


def _job(climb: Climb, plan: Plan, manifest: Manifest, *, next_look: int) -> Job:
    return Job(
        task=climb.order.spec.task,
        rung=climb.rung,
        manifest=manifest,
        roles=plan.splits.codes.tobytes(),
        seed=climb.order.spec.seed,
        bar=climb.order.spec.bar,
        must_judge=climb.must_judge,
        next_look=next_look,
    )

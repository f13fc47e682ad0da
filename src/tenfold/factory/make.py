"""The whole line, read aloud: open a floor, order, produce, report."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenfold import engine as engines
from tenfold.atomic import write_bytes
from tenfold.catalog import datasets
from tenfold.engine import Engine
from tenfold.errors import DataError, SpecError
from tenfold.factory import embedding
from tenfold.factory.embedding import Booking
from tenfold.factory.feed import Embedded, Needs
from tenfold.factory.ingest import default_name, ingest
from tenfold.factory.job import Fault
from tenfold.factory.ladder import rungs_for
from tenfold.factory.plan import Order, Plan, order
from tenfold.factory.produce import Floor, produce
from tenfold.factory.recording import Made
from tenfold.factory.reporting import write_report
from tenfold.factory.stock import Stock
from tenfold.ledger import meter
from tenfold.specs import task as tasks
from tenfold.specs.task import TaskSpec
from tenfold.values import Progress
from tenfold.workspace import Workspace

FEW = 8
"""So many tasks are made in this process; starting others would take longer."""


@dataclass(frozen=True, slots=True)
class Workers:
    """Who fits heads."""

    engine: str = "local"
    """A key of `tenfold.engine.ENGINES`."""
    address: str = ""
    """Of a cluster that is there already."""


HERE = Workers()


@dataclass(frozen=True, slots=True, eq=False)
class Batch:
    """What one `tenfold make` came to."""

    made: tuple[Made, ...]
    report: Path
    understood: tuple[str, ...] = ()
    task_files: tuple[Path, ...] = ()
    """Written because no task file was given."""
    seconds: dict[str, float] = field(default_factory=dict[str, float])

    @property
    def remarks(self) -> list[str]:
        """How samples were counted: said once for all tasks."""
        every = (s for made in self.made for s in made.verdict.sentences)
        told = {claim for made in self.made for claim in made.verdict.claims}
        return list(dict.fromkeys(sentence for sentence in every if sentence not in told))

    @property
    def written(self) -> list[tuple[str, Path]]:
        return [*(("Task file", path) for path in self.task_files), ("Report", self.report)]

    def as_json(self) -> dict[str, Any]:
        return {
            "understood": self.understood,
            "made": [
                {
                    "task": made.task,
                    "model": made.model.id,
                    "status": made.verdict.status,
                    "rung": made.model.rung,
                    "verdict": made.verdict.to_json(),
                    "rungs": made.rungs,
                    "seconds": made.seconds,
                    "was_found": made.was_found,
                }
                for made in self.made
            ],
            "report": str(self.report),
            "task_files": [str(path) for path in self.task_files],
            "seconds": self.seconds,
        }


def make(workspace: Workspace, planned: Plan, *, progress: Progress | None = None) -> Made:
    """Climb the ladder until the bar is cleared or the budget is spent; find what is made already.

    Raises:
        DataError: the data cannot answer the question.
    """
    with floor_for(workspace, tasks=1, progress=progress) as floor:
        (made,) = _all_made(floor, [planned.order])
    return made


def make_all(
    workspace: Workspace,
    sources: Sequence[str],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
    workers: Workers = HERE,
) -> Batch:
    """Make every task; a source is a task file, or one folder or table of pictures.

    Raises:
        SpecError: two tasks have one name, or a folder is mixed with task files.
        DataError: the data of a task cannot answer its question.
    """
    began = time.perf_counter()
    specs, understood, task_files = _specs(workspace, sources, progress)
    names = [spec.task for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"two tasks are called {twice[0]!r}.", hint="Give each its own name.")
    made, embed_s = _made_together(workspace, specs, workers=workers, progress=progress)
    seconds = {"embed": embed_s, "the rest": time.perf_counter() - began - embed_s}
    report = write_report(workspace, names, out=out, seconds=seconds)
    return Batch(made, report, understood, task_files, seconds)


def make_those(
    workspace: Workspace, specs: Sequence[TaskSpec], *, progress: Progress | None = None
) -> tuple[Made, ...]:
    """Make tasks of different names, in their order, and write no report: for programs that show
    what came of it themselves.

    Raises:
        DataError: the data of a task cannot answer its question.
    """
    made, _ = _made_together(workspace, specs, progress=progress)
    return made


def _made_together(
    workspace: Workspace,
    specs: Sequence[TaskSpec],
    *,
    workers: Workers = HERE,
    progress: Progress | None = None,
) -> tuple[tuple[Made, ...], float]:
    """In the order of the tasks; and the seconds that pictures passed the trunk."""
    with floor_for(workspace, tasks=len(specs), workers=workers, progress=progress) as floor:
        made = _all_made(floor, [order(floor.stock, spec) for spec in specs])
        embed_s = floor.wall_s["embed"]
    by_name = {one.task: one for one in made}
    return tuple(by_name[spec.task] for spec in specs), embed_s


def embed_ahead(
    workspace: Workspace,
    dataset: str,
    *,
    kinds: Sequence[str],
    progress: Progress | None = None,
) -> Embedded:
    """Pass a dataset through the trunk for the first rung of each kind, ahead of any task."""
    known = datasets.get(workspace.scope, dataset)
    items = datasets.items_of(workspace.scope, dataset)
    stock, needs = Stock.of(workspace), Needs()
    for kind in kinds:
        if kind not in ("classify", "anomaly"):
            raise SpecError(f"no kind {kind!r}.", hint="There are: classify, anomaly.")
        spec = TaskSpec(task=known.name, kind=kind, dataset=known.name)
        needs.add(order(stock, spec), rungs_for(spec.kind, spec.symmetry)[0], items)
    with meter.running(workspace.scope, workspace.runs_folder, command="embed") as run:
        booking = Booking(run.id, dataset, items)
        return embedding.embed(workspace, needs, booking=booking, progress=progress)


@contextmanager
def floor_for(
    workspace: Workspace,
    *,
    tasks: int,
    workers: Workers = HERE,
    fleet: str = "",
    progress: Progress | None = None,
) -> Generator[Floor]:
    """A floor whose engine suits so many tasks, metered as one run of `make`."""
    with meter.running(workspace.scope, workspace.runs_folder, command="make", fleet=fleet) as run:
        inline = workers.engine == "local" and tasks <= FEW
        with _engine(workspace, workers, run.id, inline=inline) as engine:
            yield Floor(
                stock=Stock.of(workspace),
                engine=engine,
                run=run,
                fleet=fleet,
                threads=workspace.settings.cores if inline else 1,
                progress=progress,
            )


@contextmanager
def _engine(workspace: Workspace, workers: Workers, run: str, *, inline: bool) -> Generator[Engine]:
    options: dict[str, Any] = {"start": (meter.join, (workspace.runs_folder, run))}
    if inline:
        options = {"inline": True}
    elif workers.engine == "local":
        options["workers"] = workspace.settings.cores
    else:
        options["address"] = workers.address
    engine = engines.opened(workers.engine, **options)
    try:
        yield engine
    finally:
        engine.close()


def _all_made(floor: Floor, orders: Sequence[Order]) -> list[Made]:
    """Every task made; the first fault is raised once all others are done."""
    outcomes: list[Made | Fault] = []
    for outcome in produce(floor, orders):
        outcomes.append(outcome)
        if floor.progress and len(orders) > 1:
            floor.progress("tasks", len(outcomes), len(orders))
    faults = [outcome for outcome in outcomes if isinstance(outcome, Fault)]
    if faults:
        raise faults[0].error
    return [outcome for outcome in outcomes if isinstance(outcome, Made)]


def _specs(
    workspace: Workspace, sources: Sequence[str], progress: Progress | None
) -> tuple[list[TaskSpec], tuple[str, ...], tuple[Path, ...]]:
    """Task files as they are; a folder or table becomes a dataset and a task file."""
    files = [s for s in sources if s.endswith((".yaml", ".yml"))]
    if len(files) == len(sources):
        return [tasks.load(Path(name).expanduser()) for name in files], (), ()
    if len(sources) > 1:
        raise SpecError(
            "give either task files, or one folder or table of pictures.",
            where=", ".join(sources),
        )
    source = Path(sources[0]).expanduser()
    made = ingest(workspace, source, progress=progress)
    if not made.labels:
        raise DataError(
            "no picture has a label, so nobody knows what to make.",
            where=str(source),
            hint=f"The pictures are kept as dataset {made.dataset.name!r}; write a task for it. "
            f"{made.dataset.understood}",
        )
    spec = tasks.propose(
        made.dataset.name,
        made.kind,
        good=made.good,
        labels=list(made.labels),
        splits=made.splits,
        several=made.several,
    )
    path = workspace.settings.home / "tasks" / f"{default_name(source)}.yaml"
    write_bytes(path, f"# {made.dataset.understood}\n{spec.to_yaml()}".encode())
    return [spec], (made.dataset.understood, *made.sentences), (path,)

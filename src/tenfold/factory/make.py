"""The whole line: plan → embed → fit → climb → judge → package → report."""

import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tenfold.atomic import write_bytes
from tenfold.catalog import datasets, models
from tenfold.catalog.models import Make, Model
from tenfold.errors import DataError, SpecError
from tenfold.factory import feed
from tenfold.factory.climb import best, is_promising
from tenfold.factory.fit import Trial, fit
from tenfold.factory.ingest import default_name, ingest
from tenfold.factory.judge import Verdict
from tenfold.factory.ladder import Rung, rungs_for
from tenfold.factory.plan import Plan, plan
from tenfold.factory.register import judged_sizes, model_id, register
from tenfold.factory.report.words import percent, percent_up
from tenfold.factory.reporting import write_report
from tenfold.factory.stock import Stock
from tenfold.specs import task as tasks
from tenfold.specs.task import TaskSpec
from tenfold.values import Progress
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


def make(
    workspace: Workspace,
    planned: Plan,
    *,
    stock: Stock | None = None,
    progress: Progress | None = None,
) -> Made:
    """Climb the ladder until the bar is cleared or the budget is spent; find what is made already.

    Raises:
        DataError: the data cannot answer the question.
    """
    found = models.find_make(workspace.scope, planned.id)
    if found:
        model = models.find(workspace.scope, found.model_id)
        if model:
            return _made(planned, model, found.rungs, found.seconds, was_found=True)
    climb = _Climb(stock or Stock.of(workspace), planned, progress)
    model = climb.to_the_bar()
    models.put_make(
        workspace.scope,
        Make(
            id=planned.id,
            task=planned.spec.task,
            dataset=planned.spec.dataset,
            snapshot=planned.snapshot.id,
            spec=planned.spec.to_yaml(),
            model_id=model.id,
            rungs=climb.rungs,
            seconds=climb.seconds,
        ),
    )
    return _made(planned, model, climb.rungs, climb.seconds)


def make_all(
    workspace: Workspace,
    sources: Sequence[str],
    *,
    out: Path | None = None,
    progress: Progress | None = None,
) -> Batch:
    """Make every task; a source is a task file, or one folder or table of pictures.

    Raises:
        SpecError: two tasks have one name, or a folder is mixed with task files.
    """
    began = time.perf_counter()
    specs, understood, task_files = _specs(workspace, sources, progress)
    names = [spec.task for spec in specs]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        raise SpecError(f"two tasks are called {twice[0]!r}.", hint="Give each its own name.")
    stock = Stock.of(workspace)
    plans = [plan(workspace, spec, stock=stock) for spec in specs]
    missing = [p for p in plans if not models.find_make(workspace.scope, p.id)]
    embedded = feed.ensure(workspace, [(p, p.rungs[0]) for p in missing], progress=progress)
    made: list[Made] = []
    for done, planned in enumerate(plans):
        made.append(make(workspace, planned, stock=stock, progress=progress))
        if progress and len(plans) > 1:
            progress("tasks", done + 1, len(plans))
    total = time.perf_counter() - began
    seconds = {"embed": embedded.seconds, "the rest": total - embedded.seconds}
    report = write_report(workspace, names, out=out, seconds=seconds)
    return Batch(tuple(made), report, understood, task_files, seconds)


def embed_ahead(
    workspace: Workspace,
    dataset: str,
    *,
    kinds: Sequence[str],
    progress: Progress | None = None,
) -> feed.Embedded:
    """Pass a dataset through the trunk for the first rung of each kind, ahead of any task."""
    known = datasets.get(workspace.scope, dataset)
    items = datasets.items_of(workspace.scope, dataset)
    labels = sorted({label for item in items for label in item.labels})
    wanted: list[tuple[Plan, Rung]] = []
    for kind in kinds:
        if kind not in ("classify", "anomaly"):
            raise SpecError(f"no kind {kind!r}.", hint="There are: classify, anomaly.")
        question: dict[str, Any] = (
            {"multi_label": True} if kind == "classify" else {"negative": labels}
        )
        if not labels:  # any attribute will do: no head is fitted
            question = {"label": min({name for item in items for name in item.attributes})}
        spec = TaskSpec.model_validate(
            {"task": known.name, "kind": kind, "dataset": known.name, "question": question}
        )
        wanted.append((plan(workspace, spec), rungs_for(spec.kind, spec.symmetry)[0]))
    return feed.ensure(workspace, wanted, progress=progress)


class _Climb:
    """One walk up the ladder, with its record."""

    def __init__(self, stock: Stock, planned: Plan, progress: Progress | None) -> None:
        self.stock, self.workspace, self.planned = stock, stock.workspace, planned
        self.progress = progress
        self.began = time.perf_counter()
        self.rungs: list[dict[str, Any]] = []
        self.seconds: dict[str, float] = {"embed": 0.0, "fit": 0.0, "judge": 0.0}
        self.judged: list[tuple[float, Model]] = []

    def to_the_bar(self) -> Model:
        unjudged: list[Trial] = []
        for rung in self.planned.rungs:
            if self.rungs and self._is_over_budget():
                self._record(rung.name, "over budget")
                continue
            known = models.find(self.workspace.scope, model_id(self.planned, rung))
            if known is None:
                trial = self._fitted(rung)
                if not self._is_promising(trial):
                    unjudged.append(trial)
                    self._record(rung.name, "not promising", trial)
                    continue
                known = self._judged(trial)
            else:
                self._record(rung.name, known.status, model=known)
                self.judged.append((0.0, known))
            if known.status == "accepted":
                return known
        if not self.judged:
            return self._judged(best(unjudged), again=True)
        return max(self.judged, key=lambda one: one[0])[1]

    def _fitted(self, rung: Rung) -> Trial:
        embedded = feed.ensure(self.workspace, [(self.planned, rung)], progress=self.progress)
        trial = fit(self.stock, self.planned, rung)
        self.seconds["embed"] += embedded.seconds
        self.seconds["fit"] += trial.seconds
        return trial

    def _is_promising(self, trial: Trial) -> bool:
        looks = self.planned.lineage.next_look + len(self.judged)
        sizes = judged_sizes(self.planned)
        return is_promising(trial.expected, sizes, self.planned.spec.bar, look=looks)

    def _judged(self, trial: Trial, *, again: bool = False) -> Model:
        began = time.perf_counter()
        registered = register(self.stock, self.planned, trial)
        self.seconds["judge"] += time.perf_counter() - began
        self.judged.append((trial.estimate or 0.0, registered.model))
        if again:
            self.rungs = [r for r in self.rungs if r["name"] != trial.rung.name]
        self._record(trial.rung.name, registered.verdict.status, trial, registered.model)
        return registered.model

    def _is_over_budget(self) -> bool:
        limit = self.planned.spec.budget.seconds
        return limit is not None and time.perf_counter() - self.began > limit

    def _record(
        self, name: str, outcome: str, trial: Trial | None = None, model: Model | None = None
    ) -> None:
        self.rungs.append(
            {
                "name": name,
                "outcome": outcome,
                "estimate": trial.estimate if trial else None,
                "seconds": trial.seconds if trial else 0.0,
                "model": model.id if model else "",
            }
        )


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


def _made(
    planned: Plan,
    model: Model,
    rungs: Sequence[dict[str, Any]],
    seconds: dict[str, float],
    *,
    was_found: bool = False,
) -> Made:
    return Made(
        task=planned.spec.task,
        model=model,
        verdict=Verdict.from_json(model.verdict),
        rungs=tuple(rungs),
        seconds=seconds,
        was_found=was_found,
    )

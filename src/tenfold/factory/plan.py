"""What would be made of a task: which samples, in which roles, on which rungs. Nothing runs yet."""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from tenfold.catalog import questions
from tenfold.catalog.datasets import Item
from tenfold.catalog.snapshots import Snapshot
from tenfold.errors import DataError, NotFound, SpecError
from tenfold.factory.cohort import Cohort
from tenfold.factory.judge import Lineage, lineage
from tenfold.factory.ladder import Rung, on_trunk, rungs_for
from tenfold.factory.snapshot import thaw
from tenfold.factory.splits import Known, Splits, split
from tenfold.factory.stock import Stock
from tenfold.packages import TrunkInput
from tenfold.specs.task import TaskSpec
from tenfold.trunks import Trunk
from tenfold.trunks.runtimes import runtime_version
from tenfold.values import FeatureSpace, Precision, fingerprint
from tenfold.workspace import Workspace

CODE_VERSION = 2
"""Counts changes of how models are made that change their bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One task on one snapshot."""

    spec: TaskSpec
    question_key: str
    """What is decided, however it is spelt."""
    snapshot: Snapshot
    cohort: Cohort
    splits: Splits
    lineage: Lineage
    rungs: tuple[Rung, ...]
    precision: Precision
    runtime: str
    trunks: dict[str, Trunk]
    """By the name that rungs use."""

    @property
    def id(self) -> str:
        """What this make is known by: the task, its data and what computes."""
        return fingerprint(
            [
                self.spec.model_dump(mode="json"),
                self.snapshot.id,
                self.precision,
                self.runtime,
                CODE_VERSION,
                [asdict(rung) for rung in self.rungs],
                {name: trunk.digest for name, trunk in self.trunks.items()},
            ]
        )

    def inputs(self, rung: Rung) -> tuple[TrunkInput, ...]:
        return tuple(
            TrunkInput(
                trunk=given.trunk,
                digest=self.trunks[given.trunk].digest,
                size_px=given.size_px or self.trunks[given.trunk].size_px,
                fit=given.fit,
                views=given.views,
            )
            for given in rung.inputs
        )

    def space(self, given: TrunkInput, view: int) -> FeatureSpace:
        return FeatureSpace(
            trunk=given.digest,
            size_px=given.size_px,
            fit=given.fit,
            view=view,
            precision=self.precision,
            runtime=self.runtime,
        )

    def identity(self, rung: Rung) -> dict[str, object]:
        """What a model of this plan is known by: the same identity is the same model."""
        return {
            "snapshot": self.snapshot.id,
            "question": self.question_key,
            "bar": self.spec.bar.model_dump(mode="json"),
            "roles": fingerprint(list(self.splits.roles)),
            "soft_label": self.spec.soft_label,
            "recipe": [rung.recipe, rung.params],
            "inputs": [given.model_dump(mode="json") for given in self.inputs(rung)],
            "precision": self.precision,
            "runtime": self.runtime,
            "seed": self.spec.seed,
            "code": CODE_VERSION,
        }


def plan(workspace: Workspace, spec: TaskSpec, *, stock: Stock | None = None) -> Plan:
    """Freeze the dataset, gather who can answer, give roles and name the rungs.

    Raises:
        NotFound: there is no such dataset or rung.
        DataError: the dataset cannot answer the question.
    """
    stock = stock or Stock.of(workspace)
    items, snapshot = stock.dataset(spec.dataset)
    return _planned(stock, spec, snapshot, items)


def replan(workspace: Workspace, spec: TaskSpec, snapshot: Snapshot) -> Plan:
    """The plan of a task on an older snapshot."""
    return _planned(Stock.of(workspace), spec, snapshot, thaw(workspace, snapshot.id))


def _planned(stock: Stock, spec: TaskSpec, snapshot: Snapshot, items: Sequence[Item]) -> Plan:
    workspace = stock.workspace
    cohort, one_way = stock.cohort(spec, items, snapshot.id)
    unknown = sorted(set(spec.bar.miss) - set(cohort.classes))
    if unknown:
        raise SpecError(
            f"bar.miss names {unknown[0]!r}; the classes are {', '.join(cohort.classes)}.",
            where=f"task {spec.task}",
        )
    spent = questions.spent(workspace.scope, one_way.question_key)
    before = lineage(spent, frozenset(cohort.samples))
    rungs = _rungs(spec)
    splits = split(one_way, cohort, Known(before.judge, before.fit))
    _check_enough(spec, cohort, splits)
    return Plan(
        spec=spec,
        question_key=one_way.question_key,
        snapshot=snapshot,
        cohort=cohort,
        splits=splits,
        lineage=before,
        rungs=rungs,
        precision=workspace.precision,
        runtime=runtime_version(workspace.settings.runtime),
        trunks={g.trunk: stock.trunk(g.trunk) for rung in rungs for g in rung.inputs},
    )


def _check_enough(spec: TaskSpec, cohort: Cohort, splits: Splits) -> None:
    """Fit must hold what the head learns from; a threshold needs goods in calibrate."""
    groups = len({g for g, role in zip(splits.groups, splits.roles, strict=True) if role})
    fitted = cohort.targets[splits.where("fit")].sum(0)
    lacking = [name for name, n in zip(cohort.classes, fitted, strict=True) if n < 1]
    if spec.kind == "anomaly":
        lacking = [name for name in lacking if name == cohort.classes[0]]
    where = "fit"
    if not lacking and cohort.is_binary:
        calibrated = cohort.targets[splits.where("calibrate"), 0].sum()
        lacking, where = ([] if calibrated else [cohort.classes[0]]), "calibrate"
    if lacking:
        raise DataError(
            f"{len(cohort.items)} samples in {groups} group(s) leave no {lacking[0]!r} for "
            f"{where}.",
            where=f"task {spec.task}",
            hint=f"Add samples of {lacking[0]!r} from other groups (lots, or pictures that are "
            "not near-duplicates): three groups of a class are the least, twenty a start.",
        )


def _rungs(spec: TaskSpec) -> tuple[Rung, ...]:
    rungs = rungs_for(spec.kind, spec.symmetry, multi_label=spec.question.multi_label)
    if spec.trunk is not None:
        rungs = on_trunk(rungs, spec.trunk)
    if spec.rung is not None:
        chosen = tuple(rung for rung in rungs if rung.name == spec.rung)
        if not chosen:
            raise NotFound(
                f"the ladder of {spec.kind} with symmetry {spec.symmetry} has no rung "
                f"{spec.rung!r}.",
                where=f"task {spec.task}",
                hint=f"There are: {', '.join(rung.name for rung in rungs)}.",
            )
        return chosen
    return rungs[: spec.budget.rungs]

"""What would be made of a task: which samples, in which roles, on which rungs. Nothing runs yet."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import cache
from importlib.metadata import version

import numpy as np

from tenfold.catalog import questions
from tenfold.catalog.datasets import Item
from tenfold.catalog.snapshots import Snapshot
from tenfold.errors import DataError, NotFound, SpecError
from tenfold.factory.cohort import Cohort
from tenfold.factory.history import History
from tenfold.factory.judge import Lineage
from tenfold.factory.ladder import Rung, reading, rungs_for
from tenfold.factory.snapshot import thaw
from tenfold.factory.splits import CALIBRATE, FIT, ROLES, Known, Splits, split
from tenfold.factory.stock import Stock
from tenfold.packages import HeadSpec, Manifest, TrunkInput
from tenfold.specs.task import Symmetry, TaskSpec
from tenfold.trunks import Trunk
from tenfold.trunks.runtimes import runtime_version
from tenfold.values import FeatureSpace, Kind, Precision, fingerprint
from tenfold.workspace import Workspace

CODE_VERSION = 5
"""Counts changes of how models are made that change their bytes."""


@dataclass(frozen=True, slots=True, eq=False)
class Order:
    """A task on one snapshot, before anybody asked who can answer it."""

    spec: TaskSpec
    snapshot: Snapshot
    items: Sequence[Item]
    rungs: tuple[Rung, ...]
    precision: Precision
    runtime: str
    trunks: dict[str, Trunk]
    """By the name that rungs use."""
    id: str
    """What its make is known by: the task, its data and what computes."""


@dataclass(frozen=True, slots=True, eq=False)
class Plan:
    """One task on one snapshot."""

    order: Order
    question_key: str
    """What is decided, however it is spelt."""
    cohort: Cohort
    splits: Splits
    lineage: Lineage

    @property
    def spec(self) -> TaskSpec:
        return self.order.spec

    @property
    def snapshot(self) -> Snapshot:
        return self.order.snapshot

    @property
    def rungs(self) -> tuple[Rung, ...]:
        return self.order.rungs

    @property
    def id(self) -> str:
        return self.order.id

    def inputs(self, rung: Rung) -> tuple[TrunkInput, ...]:
        return inputs_of(self.order, rung)

    def space(self, given: TrunkInput, view: int) -> FeatureSpace:
        return space_in(self.order, given, view)

    def those(self, *roles: int) -> frozenset[bytes]:
        """Samples that have one of the roles, as lineages name them."""
        names = self.cohort.shorts
        return frozenset(names[i] for i in np.flatnonzero(np.isin(self.splits.codes, roles)))

    def identity(self, rung: Rung) -> dict[str, object]:
        """What a model of this plan is known by: the same identity is the same model."""
        order = self.order
        return {
            "snapshot": order.snapshot.id,
            "question": self.question_key,
            "bar": order.spec.bar.model_dump(mode="json"),
            "roles": hashlib.sha256(self.splits.codes.tobytes()).hexdigest(),
            "soft_label": order.spec.soft_label,
            "recipe": [rung.recipe, dict(rung.params)],
            "inputs": [given.model_dump(mode="json") for given in self.inputs(rung)],
            "precision": order.precision,
            "runtime": order.runtime,
            "seed": order.spec.seed,
            "code": CODE_VERSION,
        }

    def manifest(self, rung: Rung) -> Manifest:
        """Of the package that this rung would make, without what the fit finds out."""
        order, spec = self.order, self.order.spec
        inputs = self.inputs(rung)
        return Manifest(
            model=fingerprint(self.identity(rung)),
            task=spec.task,
            kind=spec.kind,
            classes=self.cohort.classes,
            multi_label=spec.question.multi_label,
            question=spec.question.model_dump(mode="json"),
            inputs=inputs,
            precision=order.precision,
            runtime=order.runtime,
            head=HeadSpec(name=rung.recipe, params=dict(rung.params), version=CODE_VERSION),
            lineage={
                "dataset": spec.dataset,
                "snapshot": order.snapshot.id,
                "question": self.question_key,
                "rung": rung.name,
                "splits": self._split_counts(),
                "seed": spec.seed,
            },
            licences={g.trunk: order.trunks[g.trunk].licence for g in inputs},
            made_by=_made_by(),
        )

    def _split_counts(self) -> dict[str, dict[str, int]]:
        """Samples of each answer in each split."""
        answers, number = self.cohort.answers
        counted: dict[str, dict[str, int]] = {}
        for role in ("fit", "calibrate", "judge"):
            mine = number[self.splits.codes == ROLES.index(role)]
            counts = np.bincount(mine, minlength=len(answers)).tolist()
            counted[role] = {a or "none": n for a, n in zip(answers, counts, strict=True) if n}
        return counted


@cache
def _made_by() -> str:
    return f"tenfold {version('tenfold')}"


def inputs_of(order: Order, rung: Rung) -> tuple[TrunkInput, ...]:
    return tuple(
        TrunkInput(
            trunk=given.trunk,
            digest=order.trunks[given.trunk].digest,
            size_px=given.size_px or order.trunks[given.trunk].size_px,
            fit=given.fit,
            views=given.views,
        )
        for given in rung.inputs
    )


def space_in(order: Order, given: TrunkInput, view: int) -> FeatureSpace:
    return FeatureSpace(
        trunk=given.digest,
        size_px=given.size_px,
        fit=given.fit,
        view=view,
        precision=order.precision,
        runtime=order.runtime,
    )


def _plain(rung: Rung) -> dict[str, object]:
    return {
        "name": rung.name,
        "recipe": rung.recipe,
        "params": dict(rung.params),
        "inputs": [[g.trunk, g.size_px, g.fit, g.views] for g in rung.inputs],
    }


def plan(workspace: Workspace, spec: TaskSpec, *, stock: Stock | None = None) -> Plan:
    """Freeze the dataset, gather who can answer, give roles and name the rungs.

    Raises:
        NotFound: there is no such dataset or rung.
        DataError: the dataset cannot answer the question.
    """
    stock = stock or Stock.of(workspace)
    return plan_of(stock, order(stock, spec))


def plan_of(stock: Stock, ordered: Order) -> Plan:
    """The plan of an order, by what the catalog knows of its question now.

    Raises:
        DataError: the dataset cannot answer the question.
    """
    cohort, one_way = stock.cohort(ordered.spec, ordered.items, ordered.snapshot.id)
    history = History(questions.spent(stock.workspace.scope, one_way.question_key))
    return planned(ordered, cohort, one_way, history)


def order(stock: Stock, spec: TaskSpec) -> Order:
    """The task on its dataset as it is now.

    Raises:
        NotFound: there is no such dataset or rung.
    """
    items, snapshot = stock.dataset(spec.dataset)
    return _ordered(stock, spec, snapshot, items)


def reorder(stock: Stock, spec: TaskSpec, snapshot: Snapshot) -> Order:
    """The task on an older snapshot."""
    return _ordered(stock, spec, snapshot, thaw(stock.workspace, snapshot.id))


def planned(ordered: Order, cohort: Cohort, one_way: TaskSpec, history: History) -> Plan:
    """Roles for everybody; `one_way` is the task with its question spelt one way.

    Raises:
        SpecError: the bar names a class that is none.
        DataError: too little is there to fit or to set a threshold.
    """
    spec = ordered.spec
    unknown = sorted(set(spec.bar.miss) - set(cohort.classes))
    if unknown:
        raise SpecError(
            f"bar.miss names {unknown[0]!r}; the classes are {', '.join(cohort.classes)}.",
            where=f"task {spec.task}",
        )
    before = history.before(cohort.everyone)
    splits = split(one_way, cohort, Known(before.judge, before.fit))
    _check_enough(spec, cohort, splits)
    return Plan(ordered, one_way.question_key, cohort, splits, before)


def _ordered(stock: Stock, spec: TaskSpec, snapshot: Snapshot, items: Sequence[Item]) -> Order:
    workspace = stock.workspace
    rungs = _rungs(spec)
    runtime = runtime_version(workspace.settings.runtime)
    trunks = {g.trunk: stock.trunk(g.trunk) for rung in rungs for g in rung.inputs}
    draft = Order(spec, snapshot, items, rungs, stock.precision, runtime, trunks, "")
    return replace(draft, id=_id_of(draft))


def _id_of(draft: Order) -> str:
    return fingerprint(
        [
            draft.spec.model_dump(mode="json"),
            draft.snapshot.id,
            draft.precision,
            draft.runtime,
            CODE_VERSION,
            [_plain(rung) for rung in draft.rungs],
            {name: trunk.digest for name, trunk in draft.trunks.items()},
        ]
    )


def _check_enough(spec: TaskSpec, cohort: Cohort, splits: Splits) -> None:
    """Fit must hold what the head learns from; a threshold needs goods in calibrate."""
    fitted = cohort.targets[splits.codes == FIT].sum(0)
    lacking = [name for name, n in zip(cohort.classes, fitted, strict=True) if n < 1]
    if spec.kind == "anomaly":
        lacking = [name for name in lacking if name == cohort.classes[0]]
    where = "fit"
    if not lacking and cohort.is_binary:
        calibrated = cohort.targets[splits.codes == CALIBRATE, 0].sum()
        lacking, where = ([] if calibrated else [cohort.classes[0]]), "calibrate"
    if lacking:
        groups = len(set(cohort.groups.of[splits.codes > 0].tolist()))
        raise DataError(
            f"{len(cohort.items)} samples in {groups} group(s) leave no {lacking[0]!r} for "
            f"{where}.",
            where=f"task {spec.task}",
            hint=f"Add samples of {lacking[0]!r} from other groups (lots, or pictures that are "
            "not near-duplicates): three groups of a class are the least, twenty a start.",
        )


def _rungs(spec: TaskSpec) -> tuple[Rung, ...]:
    read = (spec.trunk, spec.size_px)
    rungs = _ladder(spec.kind, spec.symmetry, spec.question.multi_label, read)
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


@cache
def _ladder(
    kind: Kind, symmetry: Symmetry, multi_label: bool, read: tuple[str | None, int | None]
) -> tuple[Rung, ...]:
    rungs, (trunk, size_px) = rungs_for(kind, symmetry, multi_label=multi_label), read
    return rungs if read == (None, None) else reading(rungs, trunk=trunk, size_px=size_px)

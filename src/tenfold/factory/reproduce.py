"""Make a registered model again from its snapshot, and compare."""

from collections.abc import Mapping
from dataclasses import dataclass, replace

import numpy as np
from threadpoolctl import threadpool_limits

from tenfold import packages
from tenfold.catalog import models
from tenfold.catalog.models import Model
from tenfold.catalog.snapshots import Snapshot
from tenfold.errors import Unsupported
from tenfold.factory import evidence
from tenfold.factory.embedding import Booking, embed
from tenfold.factory.feed import Needs
from tenfold.factory.fit import Fitted, Workbench, fit
from tenfold.factory.job import Job
from tenfold.factory.judge import Lineage
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import Order, Plan, reorder
from tenfold.factory.produce import depot_of
from tenfold.factory.reading import reader_at
from tenfold.factory.splits import Splits
from tenfold.factory.stock import Stock
from tenfold.ledger import meter
from tenfold.packages import Package
from tenfold.runtime import check_goldens
from tenfold.specs.task import parse
from tenfold.values import Progress
from tenfold.workspace import Workspace

ELSEWHERE = 1e-2
"""Largest relative difference of golden scores where other bytes came out, as on another
processor; decisions must be the same."""


@dataclass(frozen=True, slots=True)
class Reproduced:
    model: str
    bytes_equal: bool
    """Head and gate came out byte for byte."""
    thresholds_equal: bool
    worst_gap: float
    """Largest relative difference of golden scores, from pixels."""

    @property
    def in_words(self) -> str:
        same = "the same bytes" if self.bytes_equal else "other bytes"
        return (
            f"Model {self.model[:12]} was made again: {same}; golden decisions equal, golden "
            f"scores within {self.worst_gap:.1e}."
        )


def reproduce(workspace: Workspace, name: str, *, progress: Progress | None = None) -> Reproduced:
    """Fit the model again from its snapshot, roles, recipe and seed.

    Raises:
        Unsupported: another runtime, trunk or code version is here than made it.
        IntegrityError: golden decisions or scores differ.
    """
    model = models.get(workspace.scope, name)
    package = packages.of_model(workspace.blobs, model)
    made = models.find_make(workspace.scope, model.make_id)
    if made is None:
        raise Unsupported(f"the make of model {model.id[:12]} was not finished.")
    spec = parse(made.spec, where=f"task {made.task}")
    stock = replace(Stock.of(workspace), precision=package.manifest.precision)
    order = reorder(stock, spec, Snapshot(model.snapshot, model.dataset, 0))
    plan = _as_it_was(workspace, stock, order, model)
    rung = next(r for r in plan.rungs if r.name == model.rung)
    _check_identity(plan, rung, model)
    needs = Needs()
    needs.add(order, rung, plan.cohort.items)
    with meter.running(workspace.scope, workspace.runs_folder, command="reproduce") as run:
        booking = Booking(run.id, model.dataset, order.items)
        embed(workspace, needs, booking=booking, progress=progress)
    again, fitted = _fitted(workspace, stock, plan, rung, package)
    is_same = _same(again.head, package.head) and _same(again.gate, package.gate)
    if not is_same:  # another processor rounds otherwise
        elsewhere = package.manifest.model_copy(update={"tolerance": ELSEWHERE})
        again = replace(again, manifest=elsewhere)
    return Reproduced(
        model=model.id,
        bytes_equal=is_same,
        thresholds_equal=fitted.thresholds == package.manifest.thresholds,
        worst_gap=check_goldens(again, stock.look),
    )


def _as_it_was(workspace: Workspace, stock: Stock, order: Order, model: Model) -> Plan:
    """The plan with the roles that the model's evidence names, whatever happened since."""
    cohort, one_way = stock.cohort(order.spec, order.items, order.snapshot.id)
    codes = evidence.arrays_of(workspace.blobs, model)["roles"]
    by_group = all(item.lot is not None for item in cohort.items)
    lineage = Lineage(0, frozenset(), frozenset())
    return Plan(order, one_way.question_key, cohort, Splits(codes, by_group), lineage)


def _check_identity(plan: Plan, rung: Rung, model: Model) -> None:
    identity = plan.identity(rung)
    if identity != model.identity:
        differing = [k for k, v in identity.items() if v != model.identity.get(k)]
        raise Unsupported(
            f"{', '.join(differing)} differ here from what made the model.",
            where=f"model {model.id[:12]}",
            hint="Use the Tenfold version, runtime and trunk that its manifest names.",
        )


def _fitted(
    workspace: Workspace, stock: Stock, plan: Plan, rung: Rung, package: Package
) -> tuple[Package, Fitted]:
    """The package with its head fitted again, on one thread as a worker does."""
    reader = reader_at(depot_of(workspace))
    digest = stock.roster(plan.cohort, plan.snapshot.id, plan.order.items)
    job = Job(
        task=plan.spec.task,
        rung=rung,
        manifest=plan.manifest(rung),
        roles=plan.splits.codes.tobytes(),
        seed=plan.spec.seed,
        bar=plan.spec.bar,
        must_judge=True,
        next_look=1,
    )
    with threadpool_limits(1, user_api="blas"):
        fitted = fit(Workbench(reader, digest, reader.roster(digest), threads=1), job)
    gate = fitted.gate.arrays() if fitted.gate else {}
    return replace(package, head=fitted.head.arrays(), gate=gate), fitted


def _same(one: Mapping[str, np.ndarray], other: Mapping[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[n].dtype == other[n].dtype and one[n].tobytes() == other[n].tobytes() for n in one
    )

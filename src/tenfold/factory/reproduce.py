"""Make a registered model again from its snapshot, and compare."""

from dataclasses import dataclass, replace

import numpy as np

from tenfold import packages
from tenfold.catalog import models
from tenfold.catalog.snapshots import Snapshot
from tenfold.errors import Unsupported
from tenfold.factory import feed
from tenfold.factory.fit import fit
from tenfold.factory.plan import Plan, replan
from tenfold.factory.stock import Stock
from tenfold.runtime import LoadedHead, check_goldens
from tenfold.specs.task import parse
from tenfold.values import Progress
from tenfold.workspace import Workspace


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
    package = packages.of_model(workspace.packs_folder, model)
    make = next(
        (
            made
            for made in models.makes_of(workspace.scope, dataset=model.dataset)
            if any(rung["model"] == model.id for rung in made.rungs)
        ),
        None,
    )
    if make is None:
        raise Unsupported(f"the make of model {model.id[:12]} was not finished.")
    spec = parse(make.spec, where=f"task {make.task}")
    plan: Plan = replan(workspace, spec, Snapshot(model.snapshot, model.dataset, 0))
    rung = next(r for r in plan.rungs if r.name == model.rung)
    plan = replace(plan, rungs=(rung,))
    if plan.identity(rung) != model.identity:
        differing = [k for k, v in plan.identity(rung).items() if v != model.identity.get(k)]
        raise Unsupported(
            f"{', '.join(differing)} differ here from what made the model.",
            where=f"model {model.id[:12]}",
            hint="Use the Tenfold version, runtime and trunk that its manifest names.",
        )
    feed.ensure(workspace, [(plan, rung)], progress=progress)
    stock = Stock.of(workspace)
    trial = fit(stock, plan, rung)
    arrays = trial.head.arrays()
    gate = trial.gate.arrays() if trial.gate else {}
    again = replace(package, head=arrays, gate=gate)
    worst = check_goldens(again, stock.look)
    LoadedHead.of(again)
    return Reproduced(
        model=model.id,
        bytes_equal=_same(arrays, dict(package.head)) and _same(gate, dict(package.gate)),
        thresholds_equal=trial.thresholds == package.manifest.thresholds,
        worst_gap=worst,
    )


def _same(one: dict[str, np.ndarray], other: dict[str, np.ndarray]) -> bool:
    return one.keys() == other.keys() and all(
        one[n].dtype == other[n].dtype and one[n].tobytes() == other[n].tobytes() for n in one
    )

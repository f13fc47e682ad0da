"""Everything that the page of a model shows, read in one go beside the event loop."""

from collections import Counter
from dataclasses import dataclass
from decimal import Decimal

from tenfold import packages
from tenfold.catalog import deployments, economics, models
from tenfold.catalog.models import Family, Make, Model
from tenfold.factory import evidence
from tenfold.factory.judge import Verdict
from tenfold.factory.report.values import Confusion, JudgedScores, Lineage
from tenfold.factory.reporting import (
    Judged,
    confusion_of,
    lineage_lines,
    scores_of,
    surest_mistakes,
)
from tenfold.factory.thresholds import WhatIf, what_if
from tenfold.ledger import in_force
from tenfold.ledger.cost import NOTHING, cost_of
from tenfold.packages import Manifest
from tenfold.workspace import Workspace

ALL_MONTHS = (0, 999_999)


@dataclass(frozen=True, slots=True)
class Spent:
    """What the ledger booked to the task, all its makes together."""

    total: Decimal
    currency: str


@dataclass(frozen=True, slots=True, eq=False)
class JudgedModel:
    model: Model
    manifest: Manifest
    verdict: Verdict
    judged: Judged
    mistakes: list[int]
    """Judge rows that went wrong, the surest first."""
    scores: JudgedScores | None
    """Of yes-or-no questions with judge pictures."""
    what_if: list[WhatIf]
    confusion: Confusion | None
    family: Family
    lineage: Lineage
    make: Make | None
    """The newest that this model answers."""
    has_report: bool
    """Whether the report of its task is about it: it may have been made anew since."""
    head_bytes: int
    at_work: list[str]
    """Deployments it works in."""
    spent: Spent

    @property
    def has_heat(self) -> bool:
        return self.manifest.kind == "anomaly"

    @property
    def is_binary(self) -> bool:
        return bool(self.manifest.thresholds) and not self.manifest.multi_label


def gather(workspace: Workspace, model: Model) -> JudgedModel:
    """All about a model.

    Raises:
        NotFound: a blob is gone.
    """
    scope, blobs = workspace.scope, workspace.blobs
    package = packages.of_model(blobs, model)
    manifest, verdict = package.manifest, Verdict.from_json(model.verdict)
    judged = Judged.of(evidence.read(evidence.of_model(blobs, model)))
    is_binary = bool(manifest.thresholds) and not manifest.multi_label
    family = models.lineage_of(scope, model.id)
    newest = models.make_of(scope, model.task)
    scores = scores_of(judged, manifest) if is_binary else None
    others = not is_binary and not manifest.multi_label
    return JudgedModel(
        model=model,
        manifest=manifest,
        verdict=verdict,
        judged=judged,
        mistakes=surest_mistakes(judged, manifest),
        scores=scores,
        what_if=_what_if(judged, manifest, verdict) if scores else [],
        confusion=confusion_of(judged, manifest) if others and _is_told(judged, manifest) else None,
        family=family,
        lineage=lineage_lines(model, manifest),
        make=max(family.makes, key=lambda make: str(make.created_at), default=None),
        has_report=newest is not None and newest.model_id == model.id,
        head_bytes=package.head_bytes,
        at_work=deployments.using(scope, [model.id]),
        spent=_spent(workspace, model.task),
    )


def _what_if(judged: Judged, manifest: Manifest, verdict: Verdict) -> list[WhatIf]:
    return what_if(
        judged.rows,
        bad=manifest.classes[1],
        threshold=manifest.thresholds[0],
        alpha=verdict.alpha,
    )


def _is_told(judged: Judged, manifest: Manifest) -> bool:
    """Whether every answer is a class: what is unfit has no place in a confusion matrix."""
    said = Counter(row.decision for row in judged.rows)
    return bool(said) and set(said) <= set(manifest.classes)


def _spent(workspace: Workspace, task: str) -> Spent:
    prices = in_force.prices(workspace.scope, workspace.settings.prices)
    sums = economics.of_tasks(workspace.scope, [task], ALL_MONTHS)[task]
    total = sum((cost_of(one, prices) for one in sums), NOTHING).total
    return Spent(total, prices.currency)

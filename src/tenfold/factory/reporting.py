"""Gather what a report shows from the catalog and the evidence, and write the page."""

from collections import Counter, defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import numpy as np

from tenfold import packages
from tenfold.atomic import write_bytes
from tenfold.catalog import datasets, models
from tenfold.catalog.models import Make, Model
from tenfold.errors import NotFound
from tenfold.factory import evidence
from tenfold.factory.evidence import EvidenceRow, read
from tenfold.factory.judge import Bound, Verdict, expected_false_acceptances
from tenfold.factory.overlay import overlay
from tenfold.factory.report import render
from tenfold.factory.report.values import (
    BoundLine,
    ClassLine,
    Confusion,
    DatasetSummary,
    Exhibit,
    JudgedScores,
    Lineage,
    ModelReport,
    Quarantined,
    ReportData,
    RungLine,
    SplitLine,
    VerdictLines,
)
from tenfold.factory.snapshot import thaw
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.metrics.classification import auroc
from tenfold.packages import Package
from tenfold.runtime import UNFIT, LoadedHead, Runtime
from tenfold.workspace import Workspace

SHOWN = 12
"""Mistakes shown as pictures."""
HEAT_MAPS = 6
COUNTS = {
    "escape": "defects passed as good",
    "overkill": "goods rejected",
    "error": "wrong answers",
}


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """The evidence of a model, read back."""

    rows: list[EvidenceRow]
    scores: np.ndarray
    """[n, scores] of the judge rows."""

    @classmethod
    def of(cls, given: Sequence[EvidenceRow]) -> "Judged":
        rows = [row for row in given if row.split == "judge"]
        return cls(rows, np.array([row.scores for row in rows], float).reshape(len(rows), -1))


def write_report(
    workspace: Workspace,
    tasks: Sequence[str],
    *,
    out: Path | None = None,
    seconds: Mapping[str, float] | None = None,
) -> Path:
    """One self-contained HTML page about the newest make of every task; returns its path.

    `out` is a file that ends in .html, or a folder.

    Raises:
        NotFound: a task was never made.
    """
    makes = [_make(workspace, task) for task in tasks]
    data = ReportData(
        title=tasks[0] if len(tasks) == 1 else f"{len(tasks)} tasks on {makes[0].dataset}",
        made_at=datetime.now(UTC),
        dataset=summary(workspace, makes[0]),
        models=tuple(model_report(workspace, make) for make in makes),
        expected_false_acceptances=expected_false_acceptances(make.rungs for make in makes)
        if len(makes) > 1
        else None,
        seconds=seconds or {},
    )
    name = tasks[0] if len(tasks) == 1 else f"{makes[0].dataset}-{len(tasks)}-tasks"
    path = out or workspace.reports_folder
    path = path if path.suffix == ".html" else path / f"{name}.html"
    write_bytes(path, render(data).encode())
    return path


def summary(workspace: Workspace, make: Make) -> DatasetSummary:
    """What was ingested, as the snapshot froze it."""
    items = thaw(workspace, make.snapshot)
    groups: dict[str, list[str]] = defaultdict(list)
    for item in items:
        if item.near:
            groups[item.near].append(item.path)
    labels = Counter(";".join(item.labels) or "unlabelled" for item in items)
    aside = datasets.set_aside_of(workspace.scope, make.dataset)
    return DatasetSummary(
        name=make.dataset,
        snapshot=make.snapshot,
        labels=dict(labels.most_common()),
        quarantined=tuple(Quarantined(s.path, f"{s.reason}: {s.detail}") for s in aside),
        near_duplicates=tuple(tuple(paths) for paths in groups.values()),
    )


def model_report(workspace: Workspace, make: Make) -> ModelReport:
    model = models.find(workspace.scope, make.model_id)
    if model is None:
        raise NotFound(f"the model of task {make.task!r} is gone.", hint="Make it again.")
    package = packages.of_model(workspace.blobs, model)
    manifest = package.manifest
    judged = Judged.of(read(evidence.of_model(workspace.blobs, model)))
    verdict = Verdict.from_json(model.verdict)
    mistakes = surest_mistakes(judged, manifest)
    pictures = _Pictures(workspace, package)
    is_binary = bool(manifest.thresholds) and not manifest.multi_label
    return ModelReport(
        name=make.task,
        kind=_kind_words(manifest),
        decides=_decides(manifest, make.dataset),
        verdict=_verdict_lines(verdict),
        lineage=lineage_lines(model, manifest),
        measures=_measures(judged, manifest, is_binary=is_binary),
        splits=tuple(SplitLine(n, found) for n, found in manifest.lineage["splits"].items()),
        scores=scores_of(judged, manifest) if is_binary else None,
        confusion=None if is_binary or manifest.multi_label else confusion_of(judged, manifest),
        classes=_class_lines(verdict) if manifest.multi_label else (),
        mistakes=tuple(pictures.exhibit(judged, i) for i in mistakes[:SHOWN]),
        mistake_count=len(mistakes),
        heat_maps=_heat_maps(judged, pictures, manifest),
        unfit=sum(row.decision == UNFIT for row in judged.rows),
        rungs=_rungs(make),
        estimate_name=_estimate_name(manifest, is_binary=is_binary),
        seconds=make.seconds,
        bytes={"head": package.head_bytes, "package": model.head.length},
    )


def _make(workspace: Workspace, task: str) -> Make:
    make = models.make_of(workspace.scope, task)
    if make is None:
        raise NotFound(f"task {task!r} was never made.", hint="`tenfold ls` lists what was.")
    return make


def _kind_words(manifest: packages.Manifest) -> str:
    if manifest.kind == "anomaly":
        return "anomaly, learnt from good pictures"
    if manifest.multi_label:
        return f"classify, {len(manifest.classes)} labels, several may hold"
    return f"classify, {len(manifest.classes)} classes"


def _decides(manifest: packages.Manifest, dataset: str) -> str:
    where = manifest.question["where"]
    limits = "".join(f", {name} {value}" for name, value in where.items())
    if manifest.kind == "anomaly":
        return f"Whether a picture of {dataset}{limits} shows anything that good ones never show."
    names = " or ".join(manifest.classes[:4]) + (" or …" if len(manifest.classes) > 4 else "")
    return f"Whether a picture of {dataset}{limits} is {names}."


def _verdict_lines(verdict: Verdict) -> VerdictLines:
    return VerdictLines(
        status=verdict.status,
        sentence=" ".join([f"{verdict.status.capitalize()}:", *verdict.claims]),
        next_steps=verdict.next_steps,
        bounds=tuple(bound_line(b) for b in verdict.bounds if b.limit is not None),
        confidence=verdict.confidence,
        look=verdict.look,
        alpha=verdict.alpha,
        grouped_by="lots and near-duplicates" if verdict.by_group else "",
    )


def bound_line(bound: Bound) -> BoundLine:
    assert bound.limit is not None
    return BoundLine(
        name=bound.name,
        counts=COUNTS.get(bound.name, "called something else"),
        limit=bound.limit,
        errors=bound.errors,
        n=bound.n,
        upper=bound.upper if bound.n else None,
        more_labels=bound.more,
        more_of=bound.of,
    )


def lineage_lines(model: Model, manifest: packages.Manifest) -> Lineage:
    return Lineage(
        model=model.id,
        snapshot=model.snapshot,
        question=manifest.lineage["question"],
        recipe=f"{model.rung}: {manifest.head.name} {manifest.head.params or ''}".strip(),
        trunk=", ".join(
            f"{g.trunk} at {g.size_px} px, {len(g.views)} view(s)" for g in manifest.inputs
        ),
        precision=manifest.precision,
        runtime=manifest.runtime,
        seed=manifest.lineage["seed"],
        code=f"{manifest.made_by}, recipe version {manifest.head.version}",
        package=model.head.digest,
    )


def scores_of(judged: Judged, manifest: packages.Manifest) -> JudgedScores | None:
    if not judged.rows:
        return None
    good, bad = manifest.classes
    return JudgedScores(
        scores=judged.scores[:, -1],
        is_positive=np.array([row.label == bad for row in judged.rows]),
        threshold=manifest.thresholds[0],
        positive=bad,
        negative=good,
    )


def _measures(judged: Judged, manifest: packages.Manifest, *, is_binary: bool) -> dict[str, float]:
    right = [row.decision == row.label for row in judged.rows]
    measures = {"accuracy": float(np.mean(right))} if right else {}
    if is_binary and judged.rows:
        is_bad = np.array([row.label == manifest.classes[1] for row in judged.rows])
        if is_bad.any() and not is_bad.all():
            measures["AUC"] = auroc(is_bad.astype(int), judged.scores[:, -1])
    return measures


def confusion_of(judged: Judged, manifest: packages.Manifest) -> Confusion:
    place = {name: i for i, name in enumerate(manifest.classes)}
    counts = np.zeros((len(place), len(place)), int)
    for row in judged.rows:
        counts[place[row.label], place[row.decision]] += 1
    return Confusion(manifest.classes, counts)


def _class_lines(verdict: Verdict) -> tuple[ClassLine, ...]:
    each = [b for b in verdict.bounds if b.name.startswith("miss ")]
    return tuple(ClassLine(b.of, b.n, b.errors, 0) for b in each)


def surest_mistakes(judged: Judged, manifest: packages.Manifest) -> list[int]:
    """Judge rows that went wrong, the surest mistakes first."""
    wrong = [i for i, row in enumerate(judged.rows) if _is_wrong(row, manifest)]

    def regret(i: int) -> float:
        row, scores = judged.rows[i], judged.scores[i]
        if manifest.thresholds and not manifest.multi_label:
            gap = float(scores[-1] - manifest.thresholds[0])
            return gap if row.label == manifest.classes[0] else -gap
        return float(scores.max())

    return sorted(wrong, key=regret, reverse=True)


def _is_wrong(row: EvidenceRow, manifest: packages.Manifest) -> bool:
    if manifest.kind == "anomaly" and row.decision == UNFIT:
        return row.label == manifest.classes[0]
    return row.decision != row.label


def _heat_maps(
    judged: Judged, pictures: "_Pictures", manifest: packages.Manifest
) -> tuple[Exhibit, ...]:
    if manifest.kind != "anomaly" or not judged.rows:
        return ()
    order = np.argsort(-judged.scores[:, 0])[:HEAT_MAPS]
    return tuple(pictures.exhibit(judged, int(i)) for i in order)


def _rungs(make: Make) -> tuple[RungLine, ...]:
    return tuple(
        RungLine(
            name=rung["name"],
            estimate=rung["estimate"],
            outcome=rung["outcome"],
            seconds=rung["seconds"],
            is_chosen=rung["model"] == make.model_id,
        )
        for rung in make.rungs
    )


def _estimate_name(manifest: packages.Manifest, *, is_binary: bool) -> str:
    if manifest.kind == "anomaly":
        return "AUC on calibrate"
    return "cross-validated AUC" if is_binary else "cross-validated accuracy"


class _Pictures:
    """Shows samples, with heat maps where the head makes them."""

    def __init__(self, workspace: Workspace, package: Package) -> None:
        self.workspace = workspace
        self.package = package
        self.runtime = runtime_of(workspace)
        self.loaded = LoadedHead.of(package)

    def exhibit(self, judged: Judged, place: int) -> Exhibit:
        row = judged.rows[place]
        data = self.workspace.blobs.get(row.sample)
        score = judged.scores[place]
        return Exhibit(
            path=row.path,
            truth=row.label or "none",
            said=row.decision or "none",
            score=float(score[-1] if len(score) <= 2 else score.max()),
            picture=data,
            overlay=self._overlay(data, row.path),
        )

    def _overlay(self, data: bytes, path: str) -> bytes | None:
        manifest = self.package.manifest
        if manifest.kind != "anomaly":
            return None
        pixels = decode(data, where=path, max_pixels=10**9)
        return overlay_of(self.runtime, self.loaded, pixels)


def overlay_of(runtime: Runtime, loaded: LoadedHead, pixels: Any) -> bytes:
    """The picture under its anomaly map, on a scale that its threshold sets."""
    batch = runtime.maps(loaded.manifest, loaded.strides, pixels)
    (answer,) = loaded.answer_maps(batch)
    assert answer.score_map is not None
    middle = loaded.manifest.thresholds[0]
    x0, y0, x1, y1 = (float(v) for v in batch.content_xyxy[0])
    return overlay(
        pixels,
        answer.score_map,
        low=0.5 * middle,
        high=1.5 * middle,
        content_xyxy=(x0, y0, x1, y1),
        max_side_px=480,
    )

"""One page from one `ReportData`: no script, no address outside itself, every text escaped."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from jinja2 import ChoiceLoader, Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from tenfold.factory.report import charts, words
from tenfold.factory.report.pictures import PICTURE_BYTES, Gallery, gallery
from tenfold.factory.report.values import (
    BoundLine,
    ClassLine,
    Confusion,
    JudgedScores,
    ModelReport,
    ReportData,
)

MATRIX_CLASSES = 12
"""A confusion matrix is drawn up to this many classes; beyond, its largest cells are listed."""
LISTED = 12
CHART_BYTES = 30_000
"""About what the charts and tables of one model take; a large fleet shows fewer pictures."""
WORDS = ("percent", "percent_up", "count", "duration", "size", "plural", "shorten", "unbroken")


@dataclass(frozen=True, slots=True)
class Confused:
    """One truth often taken for one other class."""

    truth: str
    said: str
    times: int
    of: int


@dataclass(frozen=True, slots=True)
class Section:
    """One model with everything drawn."""

    anchor: str
    model: ModelReport
    charts: "Drawn | None"
    matrix: Markup | None
    pairs: tuple[Confused, ...]
    classes: tuple[ClassLine, ...]
    gallery: Gallery


@dataclass(frozen=True, slots=True)
class Drawn:
    """The charts of a yes-or-no question; ROC and precision-recall need both truths."""

    histogram: Markup
    trade_off: Markup
    roc: Markup | None
    precision_recall: Markup | None
    auc: float | None
    workable: tuple[float, float] | None
    has_limits: bool
    beyond: int


def render(data: ReportData) -> str:
    """The report as one HTML text, at most about 3 MB for up to 60 models."""
    share = max(PICTURE_BYTES // max(len(data.models), 1) - CHART_BYTES, 0)
    sections = [
        _section(f"model-{i}", model, picture_bytes=share)
        for i, model in enumerate(data.models, start=1)
    ]
    return environment().get_template("report.html").render(data=data, sections=sections)


def environment(*packages: str) -> Environment:
    """Templates with our words as filters; autoescape is on for all of them. Those of `packages`
    may extend `page.html`."""
    loaders = [PackageLoader(name) for name in (*packages, "tenfold.factory.report")]
    made = Environment(
        loader=ChoiceLoader(loaders),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    ours: dict[str, Any] = {word: getattr(words, word) for word in WORDS}
    ours |= {"interval": charts.interval, "bars": bars}
    made.filters.update(ours)
    return made


def bars(amounts: Mapping[str, float]) -> list[tuple[str, float, float]]:
    """(name, amount, share of the largest in percent), in the order given."""
    top = max(amounts.values(), default=0) or 1
    return [(name, amount, 100 * amount / top) for name, amount in amounts.items()]


def _section(anchor: str, model: ModelReport, *, picture_bytes: int) -> Section:
    confusion = model.confusion
    is_small = confusion is not None and len(confusion.classes) <= MATRIX_CLASSES
    classes = model.classes if confusion is None else class_lines(confusion)
    return Section(
        anchor=anchor,
        model=model,
        charts=_drawn(model.scores, model.verdict.bounds) if model.scores else None,
        matrix=charts.confusion_matrix(confusion) if confusion and is_small else None,
        pairs=most_confused(confusion) if confusion and not is_small else (),
        classes=tuple(sorted(classes, key=_found_share)[:LISTED]),
        gallery=gallery(model, budget_bytes=picture_bytes),
    )


def _drawn(judged: JudgedScores, bounds: tuple[BoundLine, ...]) -> Drawn:
    by_name = {bound.name: bound.limit for bound in bounds}
    limits = (by_name.get("escape"), by_name.get("overkill"))
    has_both = bool(judged.is_positive.any() and not judged.is_positive.all())
    return Drawn(
        histogram=charts.histogram(judged),
        trade_off=charts.trade_off(judged, limits=limits),
        roc=charts.roc(judged, limits=limits) if has_both else None,
        precision_recall=charts.precision_recall(judged) if has_both else None,
        auc=charts.area_under_roc(judged),
        workable=charts.workable(charts.rates(judged), limits),
        has_limits=limits != (None, None),
        beyond=charts.beyond(judged),
    )


def class_lines(confusion: Confusion) -> tuple[ClassLine, ...]:
    """What each class lost and what was wrongly taken for it."""
    right = np.diag(confusion.counts)
    truth, said = confusion.counts.sum(axis=1), confusion.counts.sum(axis=0)
    return tuple(
        ClassLine(name, int(n), missed=int(n - hit), false_alarms=int(m - hit))
        for name, n, m, hit in zip(confusion.classes, truth, said, right, strict=True)
    )


def most_confused(confusion: Confusion) -> tuple[Confused, ...]:
    """The largest cells off the diagonal, largest first, ties by name."""
    wrong = confusion.counts - np.diag(np.diag(confusion.counts))
    totals = confusion.counts.sum(axis=1)
    found = [
        Confused(confusion.classes[i], confusion.classes[j], int(wrong[i, j]), int(totals[i]))
        for i, j in zip(*np.nonzero(wrong), strict=True)
    ]
    return tuple(sorted(found, key=lambda c: (-c.times, c.of, c.truth, c.said))[:LISTED])


def _found_share(line: ClassLine) -> float:
    return 1 - line.missed / line.n if line.n else 2.0

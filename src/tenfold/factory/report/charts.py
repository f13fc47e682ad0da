"""The charts of a report: each answers one question and marks the threshold it stands on.

Every function takes plain values and returns SVG to be placed inside a page.
"""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import Markup

from tenfold.factory.report.svg import (
    BOTTOM,
    HEIGHT,
    LEFT,
    RIGHT,
    TOP,
    Scale,
    axes,
    box,
    chart,
    line,
    node,
    path,
    ticks,
    words,
)
from tenfold.factory.report.values import BoundLine, Confusion, JudgedScores
from tenfold.factory.report.words import count, percent, percent_up, shorten

Tell = Callable[..., str]
"""Says an English pattern with its values, perhaps in another language."""
BINS = 44


def _plainly(english: str, **values: object) -> str:
    return english.format(**values)


SHARES = tuple((i / 5, percent(i / 5)) for i in range(6))


@dataclass(frozen=True, slots=True, eq=False)
class Rates:
    """What every threshold would have done on judge; thresholds rise."""

    thresholds: Float[np.ndarray, " k"]
    escape: Float[np.ndarray, " k"]
    """Share of positives scored below the threshold; NaN without positives."""
    overkill: Float[np.ndarray, " k"]
    """Share of negatives scored at or above it; NaN without negatives."""
    precision: Float[np.ndarray, " k"]
    """Share of positives among all at or above it; 1 when there are none."""

    def at(self, threshold: float) -> tuple[float, float, float]:
        """Escape, overkill and precision at `threshold`."""
        i = min(int(np.searchsorted(self.thresholds, threshold)), len(self.thresholds) - 1)
        return float(self.escape[i]), float(self.overkill[i]), float(self.precision[i])


def rates(judged: JudgedScores) -> Rates:
    """Error rates at every score seen, and above them all."""
    scores = judged.scores.astype(np.float64)
    top = scores.max(initial=judged.threshold)
    thresholds = np.unique(np.append(scores, np.nextafter(top, np.inf)))
    positive = np.sort(scores[judged.is_positive])
    negative = np.sort(scores[~judged.is_positive])
    missed = np.searchsorted(positive, thresholds)
    rejected = len(negative) - np.searchsorted(negative, thresholds)
    caught = len(positive) - missed
    flagged = caught + rejected
    with np.errstate(invalid="ignore"):
        return Rates(
            thresholds=thresholds,
            escape=missed / np.float64(len(positive)),
            overkill=rejected / np.float64(len(negative)),
            precision=np.where(flagged > 0, caught / np.maximum(flagged, 1), 1.0),
        )


def area_under_roc(judged: JudgedScores) -> float | None:
    """Chance that a positive scores above a negative, ties half; None with one class only."""
    found = rates(judged)
    if np.isnan(found.escape).any() or np.isnan(found.overkill).any():
        return None
    return float(-np.trapezoid(1 - found.escape, np.append(1.0, found.overkill[1:])))


def histogram(judged: JudgedScores, *, tell: Tell = _plainly) -> Markup:
    """Where do scores fall? Negatives grow upwards, positives downwards; errors are solid."""
    edges = _edges(judged)
    across = score_scale(judged)
    middle = (TOP + BOTTOM) / 2
    clipped = np.clip(judged.scores, edges[0], edges[-1])
    parts = [
        axes(across, Scale(0, 1, BOTTOM, TOP), x_ticks=ticks(across.low, across.high), y_ticks=()),
        line((LEFT, middle), (RIGHT, middle), class_="axis"),
    ]
    for is_positive, far in ((False, TOP + 10), (True, BOTTOM - 10)):
        mine = clipped[judged.is_positive == is_positive]
        parts += _lane(mine, edges, judged, across=across, heights=(middle, far), tell=tell)
    parts.append(_threshold_mark(across, judged.threshold, name="score →", tell=tell))
    label = tell(
        "Scores of {good} and {bad} pictures around the threshold",
        good=judged.negative,
        bad=judged.positive,
    )
    return chart(label, parts)


def score_scale(judged: JudgedScores) -> Scale:
    """Where a score stands in `histogram` and `trade_off`."""
    edges = _edges(judged)
    return Scale(float(edges[0]), float(edges[-1]), LEFT, RIGHT)


def beyond(judged: JudgedScores) -> int:
    """Scores too far out for the histogram; its last bar holds them."""
    return int((judged.scores > _edges(judged)[-1]).sum())


def _edges(judged: JudgedScores) -> Float[np.ndarray, " edges"]:
    """Bin edges with the threshold among them; the last bin takes the far tail."""
    scores = judged.scores
    low = min(float(scores.min(initial=judged.threshold)), judged.threshold)
    high = max(float(scores.max(initial=judged.threshold)), judged.threshold)
    if len(scores):
        tail = max(float(np.quantile(scores, 0.985)), judged.threshold)
        high = min(high, low + 1.6 * (tail - low)) if tail > low else high
    step = max((high - low) / BINS, 1e-9)
    below = int(np.ceil((judged.threshold - low) / step - 1e-9)) + 1
    above = int(np.ceil((high - judged.threshold) / step - 1e-9)) + 1
    return judged.threshold + step * np.arange(-below, above + 1)


def _lane(
    scores: Float[np.ndarray, " n"],
    edges: Float[np.ndarray, " edges"],
    judged: JudgedScores,
    *,
    across: Scale,
    heights: tuple[float, float],
    tell: Tell,
) -> list[Markup]:
    """One truth's bars; those on the wrong side of the threshold are solid."""
    is_upper = heights[1] < heights[0]
    kind, label = ("good", judged.negative) if is_upper else ("bad", judged.positive)
    at = TOP - 6 if is_upper else BOTTOM - 6
    if not len(scores):
        note = tell("no {label} pictures judged", label=shorten(label, 24))
        return [words(LEFT + 4, heights[1], note, class_="name")]
    counts, _ = np.histogram(scores, bins=edges)
    up = Scale(0, float(counts.max()), *heights, power=0.5)
    is_wrong = (edges[:-1] >= judged.threshold - 1e-12) == is_upper
    bars = [
        box(
            across.at(float(edges[i])) + 0.5,
            heights[0],
            across.at(float(edges[i + 1])) - 0.5,
            up.at(float(counts[i])),
            class_=f"{kind}{'' if is_wrong[i] else ' faint'}",
            hint=tell(
                "{count} × {label}, score {low} to {high}",
                count=counts[i],
                label=label,
                low=f"{edges[i]:.3g}",
                high=f"{edges[i + 1]:.3g}",
            ),
        )
        for i in np.flatnonzero(counts)
    ]
    wrong = int(counts[is_wrong].sum())
    pattern = "{wrong} of {n} {label} rejected" if is_upper else "{wrong} of {n} {label} passed"
    note = tell(pattern, wrong=count(wrong), n=count(len(scores)), label=shorten(label, 16))
    side = (RIGHT, "end") if is_upper else (LEFT, "start")
    peak = words(LEFT - 8, heights[1] + 4, count(int(counts.max())), anchor="end", class_="tick")
    return [*bars, peak, words(side[0], at, note, anchor=side[1], class_=f"{kind}-words")]


def _threshold_mark(across: Scale, threshold: float, *, name: str, tell: Tell) -> Markup:
    """The threshold's line and number, and the axis' `name` on the side it leaves free."""
    x = across.at(threshold)
    is_left = x < (across.start + across.end) / 2
    near, far = ("start", "end") if is_left else ("end", "start")
    label = tell("threshold {value}", value=f"{threshold:.3g}")
    return Markup("").join(
        (
            line((x, TOP), (x, BOTTOM), class_="mark"),
            words(x + (5 if is_left else -5), HEIGHT - 8, label, anchor=near, class_="mark-words"),
            words(RIGHT if is_left else LEFT, HEIGHT - 8, tell(name), anchor=far, class_="name"),
        )
    )


def roc(
    judged: JudgedScores, *, limits: tuple[float | None, float | None], tell: Tell = _plainly
) -> Markup:
    """How many positives are caught for how many rejected negatives?

    `limits` are the bar's (escape, overkill); where both are known, their region is shaded.
    """
    found = rates(judged)
    across, up = Scale(0, 1, LEFT, RIGHT, power=0.5), Scale(0, 1, BOTTOM, TOP)
    escape, overkill, _ = found.at(judged.threshold)
    parts = [axes(across, up, x_ticks=_spread_shares(), y_ticks=SHARES)]
    if limits[0] is not None and limits[1] is not None:
        corner = (across.at(limits[1]), up.at(1 - limits[0]))
        parts.insert(0, box(LEFT, TOP, corner[0], corner[1], class_="region"))
    xs = np.linspace(0, 1, 60)
    parts.append(path(xs, xs, (across, up), class_="chance"))
    parts.append(path(found.overkill, 1 - found.escape, (across, up), class_="curve"))
    parts += _operating_point(
        (across.at(overkill), up.at(1 - escape)),
        (
            tell("catches {share}", share=percent(1 - escape)),
            tell("rejects {share}", share=percent(overkill)),
        ),
    )
    parts += _axis_names(
        tell("{label} rejected →", label=judged.negative),
        tell("{label} caught ↑", label=judged.positive),
    )
    return chart(tell("Receiver operating characteristic with the operating point"), parts)


def precision_recall(judged: JudgedScores) -> Markup:
    """How often is a rejected picture truly positive?"""
    found = rates(judged)
    across, up = Scale(0, 1, LEFT, RIGHT), Scale(0, 1, BOTTOM, TOP)
    escape, _, precision = found.at(judged.threshold)
    share = float(judged.is_positive.mean())
    parts = [
        axes(across, up, x_ticks=SHARES, y_ticks=SHARES),
        line((LEFT, up.at(share)), (RIGHT, up.at(share)), class_="chance"),
        path(1 - found.escape, found.precision, (across, up), class_="curve"),
    ]
    parts += _operating_point(
        (across.at(1 - escape), up.at(precision)),
        (f"{percent(precision)} of alarms are right", f"catches {percent(1 - escape)}"),
    )
    parts += _axis_names(f"{judged.positive} caught →", "alarms that are right ↑")
    return chart("Precision against recall with the operating point", parts)


def trade_off(
    judged: JudgedScores, *, limits: tuple[float | None, float | None], tell: Tell = _plainly
) -> Markup:
    """What would another threshold cost? Both error rates, and where both meet the bar."""
    found = rates(judged)
    across = score_scale(judged)
    up = Scale(0, 1, BOTTOM, TOP, power=0.5)
    y_ticks = [(v, percent(v)) for v in (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)]
    parts = [
        *_region(found, limits, across),
        axes(across, up, x_ticks=ticks(across.low, across.high), y_ticks=y_ticks),
    ]
    for name, kind, values, limit, (x, anchor) in (
        ("overkill", "good", found.overkill, limits[1], (LEFT, "start")),
        ("escape", "bad", found.escape, limits[0], (RIGHT, "end")),
    ):
        if np.isnan(values).any():
            continue
        parts.append(path(found.thresholds, values, (across, up), class_=f"{kind}-line"))
        parts.append(words(x, TOP - 8, tell(name), anchor=anchor, class_=f"{kind}-words"))
        if limit is not None:
            y = up.at(limit)
            parts.append(line((LEFT, y), (RIGHT, y), class_=f"{kind}-limit"))
    parts.append(_threshold_mark(across, judged.threshold, name="threshold →", tell=tell))
    return chart(tell("Escape and overkill at every threshold"), parts)


def _region(found: Rates, limits: tuple[float | None, float | None], across: Scale) -> list[Markup]:
    """Thresholds at which judge saw no bound of the bar broken."""
    span = workable(found, limits)
    if span is None:
        return []
    return [box(across.at(span[0]), TOP, across.at(span[1]), BOTTOM, class_="region")]


def workable(found: Rates, limits: tuple[float | None, float | None]) -> tuple[float, float] | None:
    """Lowest and highest threshold whose observed rates meet every known limit; None: no such."""
    is_fine = np.ones(len(found.thresholds), dtype=bool)
    for values, limit in ((found.escape, limits[0]), (found.overkill, limits[1])):
        if limit is not None and not np.isnan(values).any():
            is_fine &= values <= limit
    if not is_fine.any() or limits == (None, None):
        return None
    good = np.flatnonzero(is_fine)
    below = max(int(good[0]) - 1, 0)  # any threshold above the score before does the same
    return float(found.thresholds[below]), float(found.thresholds[good[-1]])


def _operating_point(at: tuple[float, float], notes: tuple[str, str]) -> list[Markup]:
    """A ring with two lines of words on the side where there is room."""
    x, y = at
    is_left = x < (LEFT + RIGHT) / 2
    step, anchor = (14, "start") if is_left else (-14, "end")
    below = y < BOTTOM - 60
    first = y + 22 if below else y - 26
    return [
        node("circle", cx=x, cy=y, r=5.5, class_="point"),
        words(x + step, first, notes[0], anchor=anchor, class_="mark-words"),
        words(x + step, first + 17, notes[1], anchor=anchor, class_="mark-words"),
    ]


def _axis_names(across: str, up: str) -> list[Markup]:
    return [
        words(RIGHT, HEIGHT - 8, shorten(across, 40), anchor="end", class_="name"),
        words(8, TOP - 13, shorten(up, 40), class_="name"),
    ]


def _spread_shares() -> list[tuple[float, str]]:
    return [(v, percent(v)) for v in (0, 0.01, 0.05, 0.1, 0.25, 0.5, 1)]


def interval(bound: BoundLine, *, tell: Tell = _plainly) -> Markup:
    """Is the bound inside the bar? Dot: seen; line: proven at most; shade: allowed."""
    width, height, base = 360, 42, 16
    reach = max(bound.limit * 1.6, (bound.upper if bound.upper is not None else 0) * 1.12)
    across = Scale(0, min(max(reach, 0.01), 1), 8, width - 8)
    limit = across.at(bound.limit)
    parts = [
        box(8, base - 9, limit, base + 9, class_="allowed"),
        line((8, base), (width - 8, base), class_="grid"),
        line((limit, base - 12), (limit, base + 12), class_="mark"),
        words(8, height - 2, "0", class_="tick small"),
        words(
            limit,
            height - 2,
            tell("bar {limit}", limit=percent(bound.limit)),
            anchor="middle",
            class_="tick small",
        ),
    ]
    if bound.observed is not None and bound.upper is not None:
        seen, most = across.at(bound.observed), across.at(bound.upper)
        tone = "met" if bound.is_met else "unmet"
        parts += [
            line((seen, base), (most, base), class_=f"reach {tone}"),
            line((most, base - 7), (most, base + 7), class_=f"reach {tone}"),
            node("circle", cx=seen, cy=base, r=5, class_=f"seen {tone}"),
        ]
    label = tell(
        "{name}: at most {upper}, the bar asks {limit}",
        name=tell(bound.name),
        upper=percent_up(bound.upper),
        limit=percent(bound.limit),
    )
    return chart(label, parts, width=width, height=height)


def confusion_matrix(confusion: Confusion, *, tell: Tell = _plainly) -> Markup:
    """Which class is taken for which? For up to about a dozen classes."""
    names, counts = confusion.classes, confusion.counts
    k = len(names)
    side = min(56.0, 400 / k)
    left, top = 132.0, 96.0
    width, height = int(left + side * k + 70), int(top + side * k + 14)
    totals = np.maximum(counts.sum(axis=1), 1)
    parts: list[Markup] = []
    for i, name in enumerate(names):
        y, x = top + i * side, left + i * side
        parts.append(words(left - 8, y + side / 2 + 4, shorten(name, 17), anchor="end"))
        turn = f"translate({x + side / 2 + 4:.1f} {top - 8}) rotate(-45)"
        parts.append(node("g", words(0, 0, shorten(name, 14)), transform=turn))
        recall = percent(float(counts[i, i] / totals[i]))
        parts.append(words(left + side * k + 8, y + side / 2 + 4, recall, class_="tick"))
        parts += [_cell(confusion, (i, j), (left + j * side, y, side), tell) for j in range(k)]
    parts.append(words(left + side * k + 8, top - 8, tell("found"), class_="name"))
    label = tell("Confusion matrix: truth in rows, answer in columns")
    return chart(label, parts, width=width, height=height)


def _cell(
    confusion: Confusion, at: tuple[int, int], place: tuple[float, float, float], tell: Tell
) -> Markup:
    (i, j), (x, y, side) = at, place
    number = int(confusion.counts[i, j])
    share = number / max(int(confusion.counts[i].sum()), 1)
    hint = tell(
        "{count} × {truth} answered {answer}",
        count=number,
        truth=confusion.classes[i],
        answer=confusion.classes[j],
    )
    frame = box(x + 1, y + 1, x + side - 1, y + side - 1, class_="cell", hint=hint)
    if not number:
        return frame
    fill = node(
        "rect",
        x=x + 1,
        y=y + 1,
        width=side - 2,
        height=side - 2,
        class_="good" if i == j else "bad",
        fill_opacity=f"{0.12 + 0.7 * share:.2f}",
    )
    tone = "on" if share > 0.55 else ""
    return (
        frame
        + fill
        + words(x + side / 2, y + side / 2 + 4, count(number), anchor="middle", class_=tone)
    )

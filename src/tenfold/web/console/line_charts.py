"""Charts of a station: how long parts took, and the share of rejects with its limits."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np
from markupsafe import Markup

from tenfold.apps.line.figures import Point
from tenfold.factory.report import svg
from tenfold.web.console.text import Text

WIDTH, HEIGHT = 620, 250
LEFT, RIGHT, TOP, BOTTOM = 52, 608, 20, 212


def taken(say: Text, ms: Sequence[float], deadline_ms: float) -> Markup:
    """How long the last parts took, one after another."""
    longest = max(ms, default=1.0)
    shows_deadline = 0 < deadline_ms < 3 * longest
    top = 1.1 * max(longest, deadline_ms if shows_deadline else 0.0)
    across = svg.Scale(0.0, max(len(ms) - 1, 1), LEFT, RIGHT)
    up = svg.Scale(0.0, top, BOTTOM, TOP)
    parts = [
        svg.axes(across, up, x_ticks=[], y_ticks=svg.ticks(0.0, top, 4)),
        svg.words(LEFT - 8, TOP - 7, "ms", anchor="end", class_="tick"),
        svg.words(LEFT, BOTTOM + 20, say("{count} parts ago", count=len(ms)), class_="tick"),
        svg.words(RIGHT, BOTTOM + 20, say("now"), anchor="end", class_="tick"),
    ]
    if len(ms) > 1:
        xs = np.arange(len(ms), dtype=np.float64)
        parts.append(svg.path(xs, np.asarray(ms, np.float64), (across, up), class_="curve"))
    if shows_deadline:
        at = up.at(deadline_ms)
        told = say("deadline {ms} ms", ms=f"{deadline_ms:g}")
        parts.append(svg.line((LEFT, at), (RIGHT, at), class_="bad-limit"))
        parts.append(svg.words(RIGHT, at - 6, told, anchor="end", class_="bad-words"))
    return svg.chart(say("How long the last parts took"), parts, width=WIDTH, height=HEIGHT)


def rejects(say: Text, points: Sequence[Point]) -> Markup:
    """Share of rejects by runs of parts, and the limits that the runs before set."""
    ends = [point.upper for point in points if point.upper < 1.0]
    top = 1.15 * max([0.02, *(point.share for point in points), *ends])
    across = svg.Scale(0.0, max(len(points) - 1, 1), LEFT, RIGHT)
    up = svg.Scale(0.0, top, BOTTOM, TOP)
    marks = [(at, say.percent(at)) for at, _ in svg.ticks(0.0, top, 4)]
    parts = [svg.axes(across, up, x_ticks=[], y_ticks=marks)]
    for place, (one, after) in enumerate(pairwise(points)):
        for name in ("lower", "upper"):
            if one.upper < 1.0:
                ends_at = (across.at(place), up.at(getattr(one, name)))
                next_at = (across.at(place + 1), up.at(getattr(after, name)))
                parts.append(svg.line(ends_at, next_at, class_="bad-limit"))
    if len(points) > 1:
        xs = np.arange(len(points), dtype=np.float64)
        shares = np.array([point.share for point in points])
        parts.append(svg.path(xs, shares, (across, up), class_="curve"))
    for place, point in enumerate(points):
        parts.append(_dot(say, across.at(place), up.at(point.share), point))
    if points:
        parts.append(svg.words(LEFT, BOTTOM + 20, f"{points[0].begins:%m-%d %H:%M}", class_="tick"))
        last = f"{points[-1].begins:%m-%d %H:%M}"
        parts.append(svg.words(RIGHT, BOTTOM + 20, last, anchor="end", class_="tick"))
    return svg.chart(say("Share of rejects over time"), parts, width=WIDTH, height=HEIGHT)


def _dot(say: Text, x: float, y: float, point: Point) -> Markup:
    told = say(
        "{when}: {rejected} of {parts} rejected",
        when=f"{point.begins:%m-%d %H:%M}",
        rejected=point.rejected,
        parts=point.parts,
    )
    hint = svg.node("title", told)
    look = {"r": 6, "class_": "alarm-dot"} if point.is_alarm else {"r": 3, "class_": "dot"}
    return svg.node("circle", hint, cx=x, cy=y, **look)

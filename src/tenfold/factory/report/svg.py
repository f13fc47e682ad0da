"""Strokes the charts are drawn with. Colours are CSS classes, so a page can be light or dark.

Every text and attribute passes `escape`: labels come from folders of strangers.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float
from markupsafe import Markup, escape

WIDTH, HEIGHT = 520, 306
LEFT, RIGHT, TOP, BOTTOM = 52, 504, 28, 258
"""The plot area inside a chart, in the chart's own pixels."""


@dataclass(frozen=True, slots=True)
class Scale:
    """Maps values low..high to pixels start..end; `power` 0.5 spreads out small values."""

    low: float
    high: float
    start: float
    end: float
    power: float = 1.0

    def at(self, value: float) -> float:
        span = (self.high - self.low) or 1.0
        share = min(max((value - self.low) / span, 0.0), 1.0) ** self.power
        return self.start + share * (self.end - self.start)


def node(name: str, *inner: str, **attributes: object) -> Markup:
    """One element; `class_` → class, `stroke_width` → stroke-width."""
    pairs = (
        Markup(' {}="{}"').format(key.rstrip("_").replace("_", "-"), _short(value))
        for key, value in attributes.items()
        if value != ""
    )
    return Markup("<{0}{1}>{2}</{0}>").format(
        Markup(name), Markup("").join(pairs), Markup("").join(inner)
    )


def _short(value: object) -> str:
    return f"{value:.1f}".rstrip("0").rstrip(".") if isinstance(value, float) else str(value)


def words(x: float, y: float, content: str, *, anchor: str = "start", class_: str = "") -> Markup:
    return node("text", escape(content), x=x, y=y, text_anchor=anchor, class_=class_)


def line(start: tuple[float, float], end: tuple[float, float], *, class_: str) -> Markup:
    return node("line", x1=start[0], y1=start[1], x2=end[0], y2=end[1], class_=class_)


def box(x0: float, y0: float, x1: float, y1: float, *, class_: str, hint: str = "") -> Markup:
    """Rectangle between two corners, in any order; `hint` shows when pointed at."""
    inner = [node("title", escape(hint))] if hint else []
    return node(
        "rect",
        *inner,
        x=min(x0, x1),
        y=min(y0, y1),
        width=abs(x1 - x0),
        height=abs(y1 - y0),
        class_=class_,
    )


def path(
    xs: Float[np.ndarray, " n"],
    ys: Float[np.ndarray, " n"],
    scales: tuple[Scale, Scale],
    **style: str,
) -> Markup:
    """A line through the points; straight runs are joined and no more than 400 points drawn."""
    across, up = scales
    points = [(across.at(float(x)), up.at(float(y))) for x, y in zip(xs, ys, strict=True)]
    corners = [
        b
        for a, b, c in zip([points[0], *points], points, [*points[1:], points[-1]], strict=False)
        if not (a[0] == b[0] == c[0] or a[1] == b[1] == c[1]) or b in (points[0], points[-1])
    ]
    picked = np.unique(np.linspace(0, len(corners) - 1, min(len(corners), 400)).round().astype(int))
    text = " ".join(f"{corners[i][0]:.1f},{corners[i][1]:.1f}" for i in picked)
    return node("polyline", points=text, **style)


def axes(
    across: Scale,
    up: Scale,
    *,
    x_ticks: Sequence[tuple[float, str]],
    y_ticks: Sequence[tuple[float, str]],
) -> Markup:
    """Grid lines with their numbers."""
    parts: list[Markup] = []
    for value, label in y_ticks:
        y = up.at(value)
        parts.append(line((across.start, y), (across.end, y), class_="grid"))
        parts.append(words(across.start - 8, y + 4, label, anchor="end", class_="tick"))
    for value, label in x_ticks:
        x = across.at(value)
        parts.append(line((x, up.start), (x, up.start + 4), class_="axis"))
        parts.append(words(x, up.start + 19, label, anchor="middle", class_="tick"))
    parts.append(line((across.start, up.start), (across.end, up.start), class_="axis"))
    return Markup("").join(parts)


def chart(label: str, parts: Iterable[str], *, width: int = WIDTH, height: int = HEIGHT) -> Markup:
    """The finished picture; `label` is what a screen reader says."""
    return node(
        "svg",
        *parts,
        viewBox=f"0 0 {width} {height}",
        role="img",
        aria_label=label,
        class_="chart",
    )


def ticks(low: float, high: float, wanted: int = 5) -> list[tuple[float, str]]:
    """About `wanted` round numbers from low to high, with their labels."""
    if not high > low:
        return [(low, f"{low:g}")]
    raw = (high - low) / wanted
    magnitude = 10.0 ** np.floor(np.log10(raw))
    step = float(magnitude * min((1, 2, 2.5, 5, 10), key=lambda m: abs(m * magnitude - raw)))
    first = int(np.ceil(low / step - 1e-9))
    last = int(np.floor(high / step + 1e-9))
    return [(k * step, f"{k * step:.6g}") for k in range(first, last + 1)]

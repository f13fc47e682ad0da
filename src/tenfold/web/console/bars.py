"""Charts of bars: one a month, in parts or whole, and one a kind. Values in, SVG out."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass

from markupsafe import Markup

from tenfold.factory.report.svg import Scale, axes, box, chart, line, ticks, words

WIDTH, HEIGHT = 620, 260
LEFT, RIGHT, TOP, BOTTOM = 58, 612, 22, 222
WIDEST = 56
"""Pixels of a bar, where there are few."""
NAMED, TOLD = 9, 12
"""So many bars have a name under them, and so many a value above."""
ROW, NAME_END, VALUE_START = 34, 112, 450


@dataclass(frozen=True, slots=True)
class Piece:
    """Of a bar; its class says its colour."""

    value: float
    class_: str
    hint: str
    """Shows when pointed at."""


@dataclass(frozen=True, slots=True)
class Bar:
    name: str
    pieces: Sequence[Piece]
    told: str = ""
    """Its value in words."""

    @property
    def value(self) -> float:
        return sum(piece.value for piece in self.pieces)


def columns(
    label: str, bars: Sequence[Bar], tick: Callable[[float], str], *, whole: bool
) -> Markup:
    """Bars side by side over time; `whole`: what is counted has no fractions."""
    top = max((bar.value for bar in bars), default=0.0) or 1.0
    marks = [at for at, _ in ticks(0.0, top, 4) if not whole or at == int(at)]
    up = Scale(0.0, top, BOTTOM, TOP)
    step = (RIGHT - LEFT) / max(len(bars), 1)
    wide = min(step * 0.72, WIDEST)
    every = -(-len(bars) // NAMED)
    across = Scale(0.0, 1.0, LEFT, RIGHT)
    parts: list[Markup] = [axes(across, up, x_ticks=[], y_ticks=[(at, tick(at)) for at in marks])]
    for place, bar in enumerate(bars):
        middle = LEFT + step * (place + 0.5)
        parts += _stack(bar, middle, wide, up)
        if (len(bars) - 1 - place) % every == 0:
            is_last = place == len(bars) - 1 and step < WIDEST  # it would end behind the edge
            at, anchor = (RIGHT, "end") if is_last else (middle, "middle")
            parts.append(words(at, BOTTOM + 20, bar.name, anchor=anchor, class_="tick"))
    return chart(label, parts, width=WIDTH, height=HEIGHT)


def rows(label: str, bars: Sequence[Bar]) -> Markup:
    """Bars below each other, each with its name and its value."""
    top = max((bar.value for bar in bars), default=0.0) or 1.0
    along = Scale(0.0, top, NAME_END + 10, VALUE_START)
    parts: list[Markup] = []
    for place, bar in enumerate(bars):
        y, end = 6 + ROW * place, along.start
        parts.append(words(NAME_END, y + 17, bar.name, anchor="end", class_="name"))
        for piece in bar.pieces:
            begin, end = end, end + along.at(piece.value) - along.start
            parts.append(box(begin, y, end, y + 24, class_=piece.class_, hint=piece.hint))
        parts.append(words(end + 8, y + 17, bar.told, class_="mark-words"))
    height = max(ROW * len(bars) + 8, ROW)
    parts.append(line((along.start, 0), (along.start, height), class_="axis"))
    return chart(label, parts, width=WIDTH, height=height)


def _stack(bar: Bar, middle: float, wide: float, up: Scale) -> list[Markup]:
    """One bar, and what it stands for where there is room above it."""
    found: list[Markup] = []
    below = 0.0
    for piece in bar.pieces:
        bottom, top = up.at(below), up.at(below + piece.value)
        if bottom - top > 0:
            corners = (middle - wide / 2, bottom, middle + wide / 2, top)
            found.append(box(*corners, class_=piece.class_, hint=piece.hint))
        below += piece.value
    if bar.told and below:
        at = up.at(below) - 6
        found.append(words(middle, at, bar.told, anchor="middle", class_="mark-words"))
    return found

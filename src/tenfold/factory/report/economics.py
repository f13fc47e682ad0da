"""The page of the report on economics, and its charts."""

from collections.abc import Sequence
from decimal import Decimal

import numpy as np
from markupsafe import Markup

from tenfold.factory.report.render import bars, environment
from tenfold.factory.report.svg import (
    BOTTOM,
    LEFT,
    RIGHT,
    TOP,
    Scale,
    axes,
    box,
    chart,
    node,
    path,
    ticks,
    words,
)
from tenfold.ledger.cost import money
from tenfold.ledger.months import name
from tenfold.ledger.report import Economics, Month

KINDS = {
    "embed": "embedding",
    "make": "making",
    "label": "labels",
    "spend": "bills",
    "overhead": "overhead",
    "waste": "waste (killed runs)",
}
"""In the order they are stacked; each has the colour class of its name."""
LISTED = 100
"""Lines on the page; the CSV has them all."""
MOST_LABELS = 7


def render(report: Economics) -> str:
    """One self-contained HTML page."""
    made = environment()
    made.filters["money"] = money
    kinds = {KINDS.get(k, k): float(cost.total) for k, cost in report.kinds.items()}
    parts = {part: float(amount) for part, amount in report.cost.parts.items() if amount}
    groups = [line for line in report.lines if line.is_group]
    return made.get_template("economics.html").render(
        data=report,
        kinds=sorted(bars(kinds), key=lambda bar: -bar[1]),
        parts=sorted(bars(parts), key=lambda bar: -bar[1]),
        legend=[(kind, word) for kind, word in KINDS.items() if kind in report.kinds],
        accepted=accepted(report.months),
        costs=costs(report.months, report.currency),
        per_model=per_model(report.months, report.currency),
        lines=[*groups[:LISTED], *(line for line in report.lines if not line.is_group)],
        hidden=max(len(groups) - LISTED, 0),
    )


def accepted(months: Sequence[Month]) -> Markup:
    """How many models are accepted in all? A step up each month."""
    totals = [month.total for month in months]
    start = totals[0] - months[0].accepted
    up = Scale(0, _round_up(max(totals)), BOTTOM, TOP)
    across = Scale(0, len(months), LEFT, RIGHT)
    xs = np.repeat(np.arange(len(months) + 1, dtype=float), 2)[1:-1]
    ys = np.repeat(np.array(totals, float), 2)
    area = [(across.at(0), up.at(0))]
    area += [(across.at(float(x)), up.at(float(y))) for x, y in zip(xs, ys, strict=True)]
    area.append((across.at(len(months)), up.at(0)))
    corners = " ".join(f"{x:.1f},{y:.1f}" for x, y in area)
    parts = [
        node("polygon", points=corners, class_="good faint"),
        _axes(across, up, months),
        path(xs, ys, (across, up), class_="good-line"),
    ]
    parts += _hints(months, across, [f"{m.accepted:,} new, {m.total:,} in all" for m in months])
    return chart(f"Accepted models from {start:,} to {totals[-1]:,}", parts)


def costs(months: Sequence[Month], currency: str) -> Markup:
    """What did each month cost, and what for? One bar a month."""
    most = max((sum(max(c, 0) for c in m.by_kind.values()) for m in months), default=0)
    up = Scale(0, _round_up(float(most)), BOTTOM, TOP)
    across = Scale(0, len(months), LEFT, RIGHT)
    parts = [_axes(across, up, months)]
    for i, month in enumerate(months):
        height = 0.0
        for kind in KINDS:
            cost = month.by_kind.get(kind, Decimal(0))
            if cost <= 0:
                continue
            hint = f"{name(month.month)}: {KINDS[kind]} {money(cost, currency)}"
            sides = across.at(i + 0.12), across.at(i + 0.88)
            top = height + float(cost)
            parts.append(
                box(sides[0], up.at(height), sides[1], up.at(top), class_=f"kind-{kind}", hint=hint)
            )
            height = top
    parts.append(words(LEFT, TOP - 10, currency, class_="name"))
    return chart("Cost of each month by what it was for", parts)


def per_model(months: Sequence[Month], currency: str) -> Markup:
    """What did one accepted model cost, month by month? Months without one have no bar."""
    each = [float(m.cost / m.accepted) if m.accepted else 0.0 for m in months]
    up = Scale(0, _round_up(max(each)), BOTTOM, TOP)
    across = Scale(0, len(months), LEFT, RIGHT)
    parts = [_axes(across, up, months)]
    for i, (month, cost) in enumerate(zip(months, each, strict=True)):
        if cost > 0:
            hint = f"{name(month.month)}: {money(Decimal(cost), currency)} a model"
            sides = across.at(i + 0.2), across.at(i + 0.8)
            parts.append(box(sides[0], up.at(0), sides[1], up.at(cost), class_="bad", hint=hint))
    parts.append(words(LEFT, TOP - 10, f"{currency} a model", class_="name"))
    return chart("Cost of one accepted model, by month", parts)


def _axes(across: Scale, up: Scale, months: Sequence[Month]) -> Markup:
    step = -(-len(months) // MOST_LABELS)
    x_ticks = [(i + 0.5, name(m.month)) for i, m in enumerate(months) if i % step == 0]
    y_ticks = [(value, _short(value)) for value, _ in ticks(0, up.high)]
    return axes(across, up, x_ticks=x_ticks, y_ticks=y_ticks)


def _hints(months: Sequence[Month], across: Scale, said: Sequence[str]) -> list[Markup]:
    """Invisible columns that speak when pointed at."""
    return [
        box(
            across.at(i),
            TOP,
            across.at(i + 1),
            BOTTOM,
            class_="hint",
            hint=f"{name(month.month)}: {text}",
        )
        for i, (month, text) in enumerate(zip(months, said, strict=True))
    ]


def _round_up(value: float) -> float:
    """A little above the value, so that the highest bar keeps its distance."""
    return value * 1.05 if value > 0 else 1.0


def _short(value: float) -> str:
    """`1500000` → `1.5M`: as much as fits beside an axis."""
    for size, unit in ((1e9, "G"), (1e6, "M"), (1e3, "k")):
        if abs(value) >= size:
            return f"{value / size:.4g}{unit}"
    return f"{value:.3g}"

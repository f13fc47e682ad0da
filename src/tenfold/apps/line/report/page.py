"""One page from one `Report`: no script, no address outside itself, every text escaped."""

import base64
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from markupsafe import Markup

from tenfold.apps.line.figures import FEWEST, Point
from tenfold.apps.line.journal import Part
from tenfold.apps.line.report.gathering import Reject, Report
from tenfold.factory.report.pictures import thumbnail
from tenfold.factory.report.render import environment
from tenfold.factory.report.svg import Scale, axes, box, chart, line, node, ticks, words
from tenfold.factory.report.words import count, percent, plural

WIDE, HIGH = 1060, 276
LEFT, RIGHT, TOP, BOTTOM = 56, 1046, 22, 250
MOST_LABELS = 8
REASONS = 12
PICTURE_BYTES = 1_600_000
SAID = {"ok": "OK", "reject": "reject", "manual": "manual inspection"}


@dataclass(frozen=True, slots=True)
class Shown:
    """A reject with its pictures as `data:` addresses."""

    part: Part
    picture: str
    maps: Sequence[tuple[str, str]]
    """Regions, those that the reason names first."""


def render(report: Report) -> str:
    """The report as one HTML text, of about 2 MB at most."""
    made = environment("tenfold.apps.line.report")
    is_one_day = bool(report.first and report.last) and _day(report.first) == _day(report.last)
    made.filters.update(clock=clock, moment=time_of_day if is_one_day else clock, said=said)
    rejects = [_shown(one) for one in report.rejects]
    return made.get_template("shift.html").render(
        report=report,
        yields=report.yields,
        headline=headline(report),
        p_chart=p_chart(report.points) if report.points else None,
        limits_from=FEWEST,
        pareto=pareto(report.pareto),
        more_reasons=max(len(report.pareto) - REASONS, 0),
        rejects=_fitting(rejects),
    )


def clock(at: datetime | None) -> str:
    """By the clock of this machine."""
    return "–" if at is None else f"{at.astimezone():%Y-%m-%d %H:%M:%S}"


def time_of_day(at: datetime | None) -> str:
    return "–" if at is None else f"{at.astimezone():%H:%M:%S}"


def _day(at: datetime | None) -> str:
    return clock(at)[:10]


def said(outcome: str) -> str:
    return SAID.get(outcome, outcome)


def headline(report: Report) -> str:
    """What whoever reads one sentence should know."""
    yields, alarms = report.yields, len(report.alarms)
    if not yields.parts:
        return "No part was looked at."
    told = f"{count(yields.ok)} of {plural(yields.parts, 'part')} are OK"
    if yields.manual:
        wait = "waits" if yields.manual == 1 else "wait"
        told += f", {count(yields.manual)} {wait} for manual inspection"
    told += f"; {percent(yields.first_pass)} passed at once."
    if report.in_shadow:
        told += f" {plural(report.in_shadow, 'look')} in shadow: a person decided."
    blind = [one.serial for one in report.rabbits if one.passed]
    unseen = [one.serial for one in report.rabbits if one.rejected_at is None]
    if blind:
        told += f" Red rabbits passed as good: {', '.join(blind)}."
    elif unseen:
        told += f" Red rabbits were not proven: {', '.join(unseen)}."
    if alarms:
        told += (
            f" The share of rejects left its limits {'once' if alarms == 1 else f'{alarms} times'}."
        )
    return told


def pareto(reasons: Sequence[tuple[str, int]]) -> list[tuple[str, int, float, float]]:
    """Reason, number, its bar and the running share, both in percent."""
    total, most, running = sum(n for _, n in reasons), max((n for _, n in reasons), default=1), 0
    found: list[tuple[str, int, float, float]] = []
    for reason, number in reasons[:REASONS]:
        running += number
        found.append((reason, number, 100 * number / most, 100 * running / total))
    return found


def p_chart(points: Sequence[Point]) -> Markup:
    """Share of rejects, run by run, with the limits that the runs before set; alarms are marked."""
    limited = [point.upper for point in points if point.upper < 1]
    most = max([*(point.share for point in points), *limited, 0.01])
    up = Scale(0, min(1.0, 1.12 * most), BOTTOM, TOP)
    across = Scale(-0.5, len(points) - 0.5, LEFT, RIGHT)
    step = -(-len(points) // MOST_LABELS)
    x_ticks = [
        (float(n), f"{point.begins.astimezone():%H:%M}")
        for n, point in enumerate(points)
        if n % step == 0
    ]
    y_ticks = [(value, percent(value)) for value, _ in ticks(0, up.high, 4)]
    parts = [axes(across, up, x_ticks=x_ticks, y_ticks=y_ticks), *_limits(points, across, up)]
    corners = " ".join(f"{across.at(n):.1f},{up.at(p.share):.1f}" for n, p in enumerate(points))
    parts.append(node("polyline", points=corners, class_="run"))
    for n, point in enumerate(points):
        at = (across.at(n), up.at(point.share))
        hint = (
            f"{point.begins.astimezone():%H:%M:%S}: {point.rejected} of {point.parts} rejected"
            f"{', outside its limits' if point.is_alarm else ''}"
        )
        parts.append(_dot(at, hint, is_alarm=point.is_alarm))
    parts.append(words(LEFT, TOP - 8, "rejected", class_="name"))
    label = f"Share of rejects in {len(points)} runs, {sum(p.is_alarm for p in points)} alarms"
    return chart(label, parts, width=WIDE, height=HIGH)


def _limits(points: Sequence[Point], across: Scale, up: Scale) -> list[Markup]:
    """Steps from run to run, since each has limits of its own."""
    parts: list[Markup] = []
    for n, point in enumerate(points):
        if point.upper >= 1:
            continue
        sides = across.at(n - 0.5), across.at(n + 0.5)
        parts.append(box(sides[0], up.at(point.lower), sides[1], up.at(point.upper), class_="band"))
        for value in (point.lower, point.upper) if point.lower else (point.upper,):
            parts.append(line((sides[0], up.at(value)), (sides[1], up.at(value)), class_="limit"))
    return parts


def _dot(at: tuple[float, float], hint: str, *, is_alarm: bool) -> Markup:
    title = node("title", hint)
    if is_alarm:
        ring = node("circle", cx=at[0], cy=at[1], r=9.0, class_="ring")
        return ring + node("circle", title, cx=at[0], cy=at[1], r=4.5, class_="alarm")
    return node("circle", title, cx=at[0], cy=at[1], r=3.0, class_="calm")


def _shown(reject: Reject) -> Shown:
    maps = sorted(reject.maps.items(), key=lambda one: (one[0] not in reject.part.reason, one[0]))
    return Shown(
        reject.part,
        _address(reject.picture) if reject.picture else "",
        [(region, _address(data)) for region, data in maps[:1]],
    )


def _fitting(shown: Sequence[Shown]) -> list[Shown]:
    """As many as fit into `PICTURE_BYTES`, the newest first."""
    kept: list[Shown] = []
    spent = 0
    for one in shown:
        spent += len(one.picture) + sum(len(address) for _, address in one.maps)
        if spent > PICTURE_BYTES:
            break
        kept.append(one)
    return kept


def _address(picture: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(thumbnail(picture)).decode()

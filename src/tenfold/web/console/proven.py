"""What is proven of a rate, drawn against the bound that it must keep."""

from nicegui import ui

from tenfold.factory.report import svg
from tenfold.web.console.parts import words
from tenfold.web.console.text import Text

WIDTH, HEIGHT = 380, 52
START, END, MIDDLE = 6, 374, 20


def interval(
    say: Text,
    name: str,
    ends: tuple[float, float],
    limit: float,
    *,
    seen: float | None = None,
    limit_name: str = "",
) -> None:
    """A stretch that the rate lies in, what was seen, and the bound; green: it keeps it."""
    lower, upper = ends
    reach = min(1.0, max(2 * limit, 1.15 * min(upper, 1.0)))
    across = svg.Scale(0.0, reach, START, END)
    state = "met" if upper <= limit else "unmet" if lower > limit else "open"
    at = across.at(limit)
    told = f"{limit_name or say('bar')} {say.percent(limit)}"
    anchor = "start" if at < 60 else "end" if at > 320 else "middle"
    parts = [
        svg.box(START, MIDDLE - 7, at, MIDDLE + 7, class_="allowed"),
        svg.line((START, MIDDLE), (END, MIDDLE), class_="axis"),
        svg.line((across.at(lower), MIDDLE), (across.at(upper), MIDDLE), class_=f"reach {state}"),
        *(
            svg.line(
                (across.at(end), MIDDLE - 6), (across.at(end), MIDDLE + 6), class_=f"reach {state}"
            )
            for end in ends
        ),
        svg.line((at, MIDDLE - 13), (at, MIDDLE + 13), class_="mark"),
        svg.words(at, MIDDLE + 28, told, anchor=anchor, class_="mark-words"),
    ]
    if seen is not None:
        parts.append(svg.node("circle", cx=across.at(seen), cy=MIDDLE, r=4.5, class_="point"))
    with ui.element("div").classes("interval"):
        ui.html(
            str(
                svg.chart(
                    f"{name}: {in_words(say, ends)}, {told}", parts, width=WIDTH, height=HEIGHT
                )
            ),
            sanitize=False,
        )


def in_words(say: Text, ends: tuple[float, float]) -> str:
    lower, upper = ends
    return say("{lower} to {upper} proven", lower=say.percent(lower), upper=say.percent_up(upper))


def standing(say: Text, ends: tuple[float, float], limit: float) -> None:
    """Whether the bound is kept."""
    lower, upper = ends
    if upper <= limit:
        words(say("within the bar"), tag="span", classes="badge good")
    elif lower > limit:
        words(say("outside the bar"), tag="span", classes="badge bad")
    else:
        words(say("not decided yet"), tag="span", classes="badge warn")

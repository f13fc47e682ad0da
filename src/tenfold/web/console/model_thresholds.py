"""What other thresholds would do: a slider over the judge scores. It proves nothing new."""

import json
import math
from collections.abc import Sequence

from nicegui import ui

from tenfold.factory.judge import Bound, Verdict
from tenfold.factory.report import charts
from tenfold.factory.report.words import THIN
from tenfold.factory.thresholds import Tallied, WhatIf
from tenfold.web.console.judged_model import JudgedModel
from tenfold.web.console.parts import card, heading, words
from tenfold.web.console.text import Text


def threshold_card(say: Text, seen: JudgedModel) -> None:
    """Charts of a yes-or-no question, with a mark that moves."""
    if seen.scores is None or not seen.what_if:
        return
    threshold = seen.manifest.thresholds[0]
    own = next(i for i, one in enumerate(seen.what_if) if one.threshold == threshold)
    with card(say("If the threshold were another"), classes="what-if") as made:
        made.props["data-points"] = json.dumps(_points(seen))
        made.props["data-own"] = own
        with ui.element("p").classes("note"):
            words(say("This proves nothing new."), tag="strong")
            words(
                say(
                    "A threshold chosen on the judge pictures is fitted to them, so its bounds are "
                    "no longer proofs. The package keeps its own threshold of {threshold}, set "
                    "without them.",
                    threshold=f"{threshold:.3g}",
                ),
                tag="span",
            )
        _slider(say, own, len(seen.what_if), seen.what_if[own])
        _outcome(say, seen.verdict, seen.what_if[own])
        _charts(say, seen)


def _points(seen: JudgedModel) -> list[list[float]]:
    """For each threshold: itself, its place in the charts, errors and per mille at most of both."""
    assert seen.scores is not None
    place = charts.score_scale(seen.scores)
    return [
        [
            round(one.threshold, 6),
            round(place.at(one.threshold), 1),
            *_plain(one.escape),
            *_plain(one.overkill),
        ]
        for one in seen.what_if
    ]


def _plain(found: Tallied) -> tuple[int, int, float]:
    """The bound in per mille, rounded up as everywhere; and the rate, to compare."""
    return found.errors, math.ceil(round(found.upper * 1000, 6)), round(found.upper, 9)


def _slider(say: Text, own: int, count: int, now: WhatIf) -> None:
    with ui.element("div").classes("slider"):
        with ui.element("label").classes("grow"):
            with ui.element("span").classes("row spread"):
                words(say("← more is rejected"), tag="span")
                with ui.element("strong"):
                    words(say("Threshold") + " ", tag="span")
                    told = words(f"{now.threshold:.4g}", tag="span")
                    told.props["data-out"] = "threshold"
                words(say("more passes →"), tag="span")
            made = ui.element("input").props('type="range" min="0" step="1"')
            made.props["max"] = count - 1
            made.props["value"] = own
            made.props["aria-label"] = say("Threshold")
            made.props["aria-valuetext"] = f"{now.threshold:.4g}"
            made.props["oninput"] = "tenfold.whatIf(this)"
        back = words(say("Back to its own"), tag="button", classes="button")
        back.props('type="button"').props["onclick"] = "tenfold.ownThreshold(this)"


def _outcome(say: Text, verdict: Verdict, own: WhatIf) -> None:
    heads = ("", say("Wrong at this threshold"), say("At most"), say("Wrong at its own"))
    heads = (*heads, say("At most"), say("Bar"))
    with ui.element("div").classes("scroll"), ui.element("table").classes("outcome"):
        with ui.element("thead"), ui.element("tr"):
            for i, name in enumerate(heads):
                head = words(name, tag="th", classes="number" if i else "")
                head.props["scope"] = "col"
        with ui.element("tbody").props('aria-live="polite"'):
            for kind, found in (("escape", own.escape), ("overkill", own.overkill)):
                _line(say, kind, found, _bound(verdict.bounds, kind))


def _line(say: Text, kind: str, own: Tallied, bound: Bound | None) -> None:
    limit = bound.limit if bound else None
    tone = "" if limit is None else "met" if own.upper <= limit else "unmet"
    upper = say.percent_up(own.upper)
    seen = say("{errors} of {n}", errors=say.number(own.errors), n=say.number(own.n))
    with ui.element("tr") as row:
        if limit is not None:
            row.props["data-limit"] = limit
        with ui.element("th").props('scope="row"'):
            words(say(kind), tag="strong")
            if bound and bound.of:
                pattern = "'{of}' passed" if kind == "escape" else "'{of}' rejected"
                words(say(pattern, of=bound.of), tag="div", classes="muted small")
        with ui.element("td").classes("number big"):
            words(say.number(own.errors), tag="span").props["data-out"] = kind
            words(" " + say("of {n}", n=say.number(own.n)), tag="span", classes="muted")
        words(upper, tag="td", classes=f"number big {tone}").props["data-out"] = f"{kind}-upper"
        words(seen, tag="td", classes="number muted")
        words(upper, tag="td", classes="number muted")
        words(f"≤{THIN}{say.percent(limit)}" if limit is not None else "–", tag="td").classes(
            "number"
        )


def _bound(bounds: Sequence[Bound], kind: str) -> Bound | None:
    return next((bound for bound in bounds if bound.name == kind), None)


def _charts(say: Text, seen: JudgedModel) -> None:
    assert seen.scores is not None
    found = {kind: _bound(seen.verdict.bounds, kind) for kind in ("escape", "overkill")}
    limits = tuple(bound.limit if bound else None for bound in found.values())
    pair = (limits[0], limits[1])
    has_both = bool(seen.scores.is_positive.any() and not seen.scores.is_positive.all())
    with ui.element("div").classes("charts"):
        with ui.element("figure").classes("movable"):
            heading(say("Where the scores fall"), 3)
            ui.html(charts.histogram(seen.scores, tell=say), sanitize=False)
        with ui.element("figure").classes("movable"):
            heading(say("What each threshold costs"), 3)
            ui.html(charts.trade_off(seen.scores, limits=pair, tell=say), sanitize=False)
        if has_both:
            with ui.element("figure"):
                heading(say("How well good and bad come apart"), 3)
                ui.html(charts.roc(seen.scores, limits=pair, tell=say), sanitize=False)
    words(
        say(
            "Charts count every judged picture; the table counts one of each group. Solid bars are "
            "errors; green is where both rates seen are within the bar."
        ),
        classes="muted small",
    )

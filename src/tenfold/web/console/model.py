"""One model: what is proven of it, where it errs, what it came from, and how to put it to work."""

from collections.abc import Callable
from typing import Any

from nicegui import ui

from tenfold.catalog import models
from tenfold.catalog.models import Model
from tenfold.factory.report import charts
from tenfold.factory.reporting import bound_line
from tenfold.web.console.frame import title
from tenfold.web.console.judged_model import JudgedModel, gather
from tenfold.web.console.model_deploy import deploy_card
from tenfold.web.console.model_mistakes import mistakes_card
from tenfold.web.console.model_origin import origin
from tenfold.web.console.model_thresholds import threshold_card
from tenfold.web.console.parts import Column, badge, card, heading, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.verdicts import MEANING, asked, claim, next_steps, remarks
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

MOST_LINES = 12
"""Classes shown with an interval of their own; of more there is a table."""


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    model = await visitor.read(_find, visitor.given("name"))
    seen = await visitor.read(gather, model)
    link(say("All models"), "/models", classes="back")
    title(seen.model.task, _decides(say, seen))
    with ui.element("div").classes("verdict"):
        _verdict(say, seen)
        with ui.element("div").classes("stack"):
            deploy_card(visitor, seen)
            _downloads(say, seen)
    threshold_card(say, seen)
    _confusion(say, seen)
    mistakes_card(say, seen)
    origin(say, seen)


def _find(workspace: Workspace, name: str) -> Model:
    return models.get(workspace.scope, name)


def _decides(say: Text, seen: JudgedModel) -> str:
    """The question in words."""
    manifest, dataset = seen.manifest, seen.model.dataset
    where: dict[str, Any] = manifest.question["where"]
    only = ", ".join(f"{name} = {value}" for name, value in where.items())
    of = say("{dataset} where {only}", dataset=dataset, only=only) if where else dataset
    if manifest.kind == "anomaly":
        return say("Finds in pictures of {of} what good ones never show.", of=of)
    names = " / ".join(manifest.classes[:5]) + (" / …" if len(manifest.classes) > 5 else "")
    if manifest.multi_label:
        return say("Finds in pictures of {of} which of these hold: {names}.", of=of, names=names)
    return say("Tells in pictures of {of}: {names}.", of=of, names=names)


def _verdict(say: Text, seen: JudgedModel) -> None:
    verdict = seen.verdict
    with card(classes=f"judged {verdict.status}"):
        with ui.element("div").classes("row"):
            heading(say("Verdict"))
            badge(verdict.status, say(verdict.status))
        words(say(MEANING[verdict.status]), classes="lead")
        lines = asked(verdict)
        for bound in lines[:MOST_LINES]:
            with ui.element("div").classes("claim"):
                words(claim(say, bound))
                if bound.n:
                    ui.html(charts.interval(bound_line(bound), tell=say), sanitize=False)
        if lines[:MOST_LINES]:
            words(
                say("Dot: seen. Line: at most, proven. Green: what the bar allows."),
                classes="muted small",
            )
        for bound in lines[MOST_LINES:]:
            words(claim(say, bound), classes="small")
        heading(say("What to do next"), 3)
        with ui.element("ul").classes("steps"):
            for step in next_steps(say, verdict):
                words(step, tag="li")
        with ui.element("div").classes("remarks muted small"):
            for remark in remarks(say, verdict):
                words(remark)


def _downloads(say: Text, seen: JudgedModel) -> None:
    model = seen.model
    with card(say("Evidence")):
        words(
            say("Every judged picture with its scores; anyone can recompute the verdict from it."),
            classes="muted small",
        )
        with ui.element("div").classes("row"):
            file = link(say("Evidence as CSV"), f"/console/evidence/{model.id}.csv")
            file.classes("button").props("download")
            if seen.has_report:
                report = link(say("Report"), f"/api/reports/{model.task}", classes="button")
                report.props('target="_blank" rel="noopener"')


def _confusion(say: Text, seen: JudgedModel) -> None:
    """For several classes: which is taken for which."""
    if seen.confusion is not None and len(seen.confusion.classes) <= MOST_LINES:
        with card(say("Which class is taken for which"), classes="narrow-chart"):
            ui.html(charts.confusion_matrix(seen.confusion, tell=say), sanitize=False)
        return
    missed = [bound for bound in seen.verdict.bounds if bound.name.startswith("miss ")]
    if seen.scores is None and missed:
        with card(say("Class by class")):
            _classes(say, [(b.of, b.errors, b.n, b.upper) for b in missed])


def _classes(say: Text, missed: list[tuple[str, int, int, float]]) -> None:
    columns = [
        Column(say("Class")),
        Column(say("Judged"), is_number=True),
        Column(say("Missed"), is_number=True),
        Column(say("At most"), is_number=True),
    ]
    number: Callable[[int], str] = say.number
    rows = [[of, number(n), number(errors), say.percent_up(up)] for of, errors, n, up in missed]
    table(columns, rows, label=say("Class by class"))

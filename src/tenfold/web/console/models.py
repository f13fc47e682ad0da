"""All models: what was asked of each, and what is proven of it."""

from collections.abc import Callable
from dataclasses import dataclass, fields, replace
from typing import get_args
from urllib.parse import urlencode

from nicegui import ui

from tenfold.catalog import models
from tenfold.catalog.models import Model, Search
from tenfold.factory.judge import Status, Verdict
from tenfold.values import Kind
from tenfold.web.console.frame import title
from tenfold.web.console.parts import (
    TONES,
    Column,
    Tone,
    badge,
    empty,
    figure,
    link,
    table,
    words,
)
from tenfold.web.console.text import Text
from tenfold.web.console.verdicts import asked, in_short
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

PAGE = 50
MOST_BOUNDS = 2
"""Lines of a bar in a row of the table; the model's page has them all."""
MOST_CHOICES = 500
STATES: tuple[Status, ...] = get_args(Status)
KINDS: tuple[Kind, ...] = get_args(Kind)


@dataclass(frozen=True, slots=True)
class Found:
    models: list[Model]
    counts: dict[str, int]
    has_more: bool
    datasets: list[str]
    fleets: list[str]


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    sought = _sought(visitor)
    found = await visitor.read(_find, sought)
    title(
        say("Models"), say("Each is judged on pictures it never saw; the badge is what came of it.")
    )
    if sought == Search(limit=PAGE) and not found.models:
        empty(
            say("No model yet"),
            say("Write a task: a dataset, what to tell apart, and the bar to prove."),
            to="/make" if visitor.may("make") else "",
            action=say("Make the first model"),
        )
        return
    _counts(say, sought, found.counts)
    _filters(say, sought, found)
    if not found.models:
        empty(
            say("Nothing matches"),
            say("Ask for less, or for another name."),
            to="/models",
            action=say("Show all models"),
        )
        return
    _rows(say, found.models)
    _pages(say, sought, found)


def _sought(visitor: Visitor) -> Search:
    given = {f.name: visitor.given(f.name).strip() for f in fields(Search) if f.name != "limit"}
    return Search(**given, limit=PAGE)


def _find(workspace: Workspace, sought: Search) -> Found:
    scope = workspace.scope
    page = models.search(scope, replace(sought, limit=PAGE + 1))
    return Found(
        models=page[:PAGE],
        counts=models.count(scope, sought),
        has_more=len(page) > PAGE,
        datasets=models.values_of(scope, "dataset", most=MOST_CHOICES),
        fleets=models.values_of(scope, "fleet", most=MOST_CHOICES),
    )


def address(sought: Search, **changed: str) -> str:
    """The page that shows a search, to be shared."""
    wanted = replace(sought, after="")
    wanted = replace(wanted, **changed)
    given = {f.name: getattr(wanted, f.name) for f in fields(Search) if f.name != "limit"}
    told = urlencode({name: value for name, value in given.items() if value})
    return f"/models?{told}" if told else "/models"


def _counts(say: Text, sought: Search, counts: dict[str, int]) -> None:
    """How many of what is sought came to what; each leads to those alone."""
    with ui.element("nav").classes("figures tight") as states:
        states.props["aria-label"] = say("By verdict")
        total = sum(counts.values())
        _count(say.number(total), say("all"), sought, "", tone="plain")
        for state in STATES:
            number = say.number(counts.get(state, 0))
            _count(number, say(state), sought, state, tone=TONES[state])


def _count(number: str, name: str, sought: Search, state: str, *, tone: Tone) -> None:
    to, is_here = address(sought, status=state), sought.status == state
    figure(number, name, to=to, tone=tone, is_here=is_here)


def _filters(say: Text, sought: Search, found: Found) -> None:
    """An ordinary form: what it asks for stands in the address."""
    with ui.element("form").classes("filters").props('method="get" action="/models"'):
        with ui.element("label").classes("wide"):
            words(say("Task"), tag="span")
            box = ui.element("input").classes("field").props('type="search" name="text"')
            box.props["value"] = sought.text
            box.props["placeholder"] = say("Part of its name")
        _choice(say, "dataset", say("Dataset"), sought.dataset, found.datasets)
        if found.fleets:
            _choice(say, "fleet", say("Fleet"), sought.fleet, found.fleets)
        _choice(say, "kind", say("Kind"), sought.kind, KINDS, tell=say)
        if sought.status:
            kept = ui.element("input").props('type="hidden" name="status"')
            kept.props["value"] = sought.status
        words(say("Search"), tag="button", classes="button").props('type="submit"')


def _choice(
    say: Text,
    name: str,
    label: str,
    chosen: str,
    values: list[str] | tuple[str, ...],
    *,
    tell: Callable[[str], str] = str,
) -> None:
    with ui.element("label"):
        words(label, tag="span")
        with ui.element("select").classes("field") as made:
            made.props["name"] = name
            made.props["onchange"] = "this.form.requestSubmit()"
            known = values if not chosen or chosen in values else [*values, chosen]
            for value in ["", *known]:
                option = words(tell(value) if value else say("any"), tag="option")
                option.props["value"] = value
                if value == chosen:
                    option.props["selected"] = True


def _rows(say: Text, found: list[Model]) -> None:
    columns = [
        Column(say("Task")),
        Column(say("Dataset")),
        Column(say("Verdict")),
        Column(say("Proof")),
        Column(say("Rung")),
        Column(say("Made"), is_number=True),
    ]
    rows = [
        [
            lambda m=model: _task(say, m),
            lambda m=model: _from(say, m),
            lambda m=model: badge(m.status, say(m.status)),
            lambda m=model: _proof(say, m),
            model.rung,
            say.moment(model.created_at),
        ]
        for model in found
    ]
    table(columns, rows, label=say("Models"))


def _task(say: Text, model: Model) -> None:
    link(model.task, f"/models/{model.id}", classes="strong")
    with ui.element("div").classes("muted small"):
        words(f"{say(model.kind)} · {model.id[:8]}", tag="span")


def _from(say: Text, model: Model) -> None:
    link(model.dataset, f"/datasets/{model.dataset}")
    if model.fleet:
        with ui.element("div").classes("muted small"):
            words(say("fleet {name}", name=model.fleet), tag="span")


def _proof(say: Text, model: Model) -> None:
    bounds = asked(Verdict.from_json(model.verdict))
    for bound in bounds[:MOST_BOUNDS]:
        tone = "" if bound.is_met else "unmet" if bound.is_over else "unproven"
        words(in_short(say, bound), tag="div", classes=tone)
    if (more := len(bounds) - MOST_BOUNDS) > 0:
        words(say("and {count} more", count=say.number(more)), tag="div", classes="muted small")


def _pages(say: Text, sought: Search, found: Found) -> None:
    total = found.counts.get(sought.status, 0) if sought.status else sum(found.counts.values())
    with ui.element("nav").classes("row spread pages") as made:
        made.props["aria-label"] = say("Pages")
        shown = say.number(len(found.models))
        words(say("{shown} of {total} shown", shown=shown, total=say.number(total)), tag="span")
        with ui.element("div").classes("row"):
            if sought.after:
                link(say("Back to the first"), address(sought), classes="button")
            if found.has_more:
                last = found.models[-1].id
                link(say("Next {count}", count=PAGE), address(sought, after=last), classes="button")

"""Everything that is deployed, by name, and where somebody is needed."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from urllib.parse import urlencode

from nicegui import ui

from tenfold.catalog import at_work
from tenfold.catalog.at_work import GROUPS, AtWork, Group, Sought
from tenfold.web.console.frame import title
from tenfold.web.console.parts import (
    Column,
    Tone,
    badge,
    empty,
    figure,
    link,
    table,
    words,
)
from tenfold.web.console.retold import ALARMS
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

PAGE = 50
NAMES: dict[Group, str] = {
    "": "deployments",
    "trial": "on trial",
    "watched": "watched",
    "alarm": "with an alarm",
    "review": "ask for review",
    "retired": "retired",
}
TONES: dict[Group, Tone] = {"alarm": "bad", "review": "warn"}


@dataclass(frozen=True, slots=True)
class Found:
    rows: list[AtWork]
    counts: dict[Group, int]
    has_more: bool


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    sought = _sought(visitor)
    found = await visitor.read(_find, sought)
    title(say("Deployments"), say("What is at work under which name, and where you are needed."))
    if not any(found.counts.values()) and not sought.text:
        empty(
            say("Nothing is deployed yet"),
            say("Open a model and give it a name; from then on it answers there."),
            to="/models",
            action=say("Choose a model"),
        )
        return
    _groups(say, sought, found.counts)
    _filter(say, sought)
    if not found.rows:
        empty(
            say("Nothing matches"),
            say("Ask for less, or for another name."),
            to="/deployments",
            action=say("Show all deployments"),
        )
        return
    _rows(visitor, found.rows)
    _pages(say, sought, found)


def _sought(visitor: Visitor) -> Sought:
    group = visitor.given("group")
    return Sought(
        text=visitor.given("text").strip(),
        group=group if group in GROUPS else "",
        after=visitor.given("after"),
        limit=PAGE,
    )


def _find(workspace: Workspace, sought: Sought) -> Found:
    rows = at_work.search(workspace.scope, replace(sought, limit=PAGE + 1))
    counts = at_work.counts(workspace.scope, sought.text)
    return Found(rows[:PAGE], counts, has_more=len(rows) > PAGE)


def address(sought: Sought, *, group: Group, after: str = "") -> str:
    """The page that shows a search, to be shared."""
    given = {"text": sought.text, "group": group, "after": after}
    told = urlencode({name: value for name, value in given.items() if value})
    return f"/deployments?{told}" if told else "/deployments"


def _groups(say: Text, sought: Sought, counts: dict[Group, int]) -> None:
    with ui.element("nav").classes("figures tight") as made:
        made.props["aria-label"] = say("Which deployments")
        for group in GROUPS:
            number = counts[group]
            tone = TONES.get(group, "plain") if number else "plain"
            to, is_here = address(sought, group=group), group == sought.group
            figure(say.number(number), say(NAMES[group]), to=to, tone=tone, is_here=is_here)


def _filter(say: Text, sought: Sought) -> None:
    """An ordinary form: what it asks for stands in the address."""
    with ui.element("form").classes("filters").props('method="get" action="/deployments"'):
        with ui.element("label").classes("wide"):
            words(say("Name"), tag="span")
            box = ui.element("input").classes("field").props('type="search" name="text"')
            box.props["value"] = sought.text
            box.props["placeholder"] = say("Part of its name, such as station-7")
        if sought.group:
            kept = ui.element("input").props('type="hidden" name="group"')
            kept.props["value"] = sought.group
        words(say("Search"), tag="button", classes="button").props('type="submit"')


def _rows(visitor: Visitor, rows: Sequence[AtWork]) -> None:
    say = visitor.say
    columns = [
        Column(say("Name")),
        Column(say("State")),
        Column(say("Live model")),
        Column(say("On trial")),
        Column(say("Loop")),
        Column(say("To review"), is_number=True),
    ]
    cells = [
        [
            lambda one=one: _name(one),
            lambda one=one: _state(say, one),
            lambda one=one: _live(say, one),
            lambda one=one: _trial(say, one),
            lambda one=one: _loop(say, one),
            lambda one=one: _waiting(visitor, one),
        ]
        for one in rows
    ]
    table(columns, cells, label=say("Deployments"))


def _name(one: AtWork) -> None:
    link(one.name, f"/deployments/{one.name}", classes="strong")


def _state(say: Text, one: AtWork) -> None:
    badge(one.state, say(one.state))


def _live(say: Text, one: AtWork) -> None:
    with ui.element("div"):
        link(one.task or one.live[:12], f"/models/{one.live}")
    with ui.element("div").classes("muted small"):
        words(f"{one.live[:12]} · {say(one.status)}" if one.status else say("gone"), tag="span")


def _trial(say: Text, one: AtWork) -> None:
    if not one.shadow and not one.canary:
        words("–", tag="span", classes="muted")
    for role, model in (("shadow", one.shadow), ("canary", one.canary)):
        if model:
            with ui.element("div").classes("pair"):
                share = f" {say.percent(one.canary_share)}" if role == "canary" else ""
                badge(role, say(role) + share)
                link(model[:12], f"/models/{model}", classes="small")


def _loop(say: Text, one: AtWork) -> None:
    if not one.is_watched:
        words(say("not watched"), tag="span", classes="muted")
        return
    if not one.alarms:
        words(say("watched"), tag="span")
        return
    with ui.element("div").classes("pair"):
        for kind in one.alarms[:2]:
            words(say(ALARMS.get(kind, kind)), tag="span", classes="badge bad")
        if len(one.alarms) > 2:
            words(f"+{len(one.alarms) - 2}", tag="span", classes="muted small")


def _waiting(visitor: Visitor, one: AtWork) -> None:
    number = visitor.say.number(one.waiting)
    if one.waiting and visitor.may("label"):
        made = link(number, f"/review/{one.name}")
        made.props["aria-label"] = visitor.say("Review {count} pictures", count=number)
        return
    words(number, tag="span", classes="" if one.waiting else "muted")


def _pages(say: Text, sought: Sought, found: Found) -> None:
    with ui.element("nav").classes("row spread") as made:
        made.props["aria-label"] = say("Pages")
        total = found.counts[sought.group]
        words(
            say("{shown} of {total} shown", shown=len(found.rows), total=say.number(total)),
            classes="muted",
        )
        with ui.element("div").classes("row"):
            if sought.after:
                first = address(sought, group=sought.group)
                link(say("Back to the first"), first, classes="button")
            if found.has_more:
                after = address(sought, group=sought.group, after=found.rows[-1].name)
                link(say("Next page"), after, classes="button")

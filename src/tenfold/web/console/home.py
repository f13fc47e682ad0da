"""Home: the loop as a living picture. Each part leads to its screen."""

from nicegui import ui

from tenfold.catalog.at_work import AtWork
from tenfold.catalog.overview import Overview
from tenfold.ledger.cost import money
from tenfold.web.console.frame import title
from tenfold.web.console.line_words import standing as standing_words
from tenfold.web.console.parts import Tone, card, empty, link, words
from tenfold.web.console.retold import ALARMS
from tenfold.web.console.standing import EVERY_S, MOST, Standing, standing
from tenfold.web.console.visitor import Visitor


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(
        say("The loop"), say("Pictures in, proven models out, watched at work, improved by review.")
    )
    holder, shown = ui.element("div").classes("home"), await visitor.read(standing)
    _draw(visitor, holder, shown)

    async def look() -> None:
        nonlocal shown
        found = await visitor.read(standing)
        if found != shown:  # drawing costs every open page, and the machine that serves
            shown = found
            _draw(visitor, holder, found)

    ui.timer(EVERY_S, look, immediate=False)


def _draw(visitor: Visitor, holder: ui.element, found: Standing) -> None:
    holder.clear()
    with holder:
        if not found.is_shared:
            _nobody(visitor)
        _loop(visitor, found)
        _line(visitor, found)
        _needs(visitor, found)
        _first_steps(visitor, found.now)


def _nobody(visitor: Visitor) -> None:
    say = visitor.say
    with ui.element("div").classes("note"):
        words(
            say(
                "Nobody has an account yet: whoever sits at this machine may do everything. "
                "The hub printed a link, once, that makes you the owner."
            )
        )


def _loop(visitor: Visitor, found: Standing) -> None:
    """Six stations around, in the order in which a picture passes them."""
    say, now = visitor.say, found.now
    made = sum(now.models.values())
    accepted = say("{count} accepted", count=say.number(now.models.get("accepted", 0)))
    trial = say("{count} on trial", count=say.number(now.on_trial))
    watched = say("{count} watched", count=say.number(now.watched))
    sets = say("datasets: {count}", count=say.number(now.datasets))
    with ui.element("ol").classes("loop").props(f'aria-label="{say("The loop")}"'):
        _station(say.number(now.pictures), say("pictures"), sets, "/datasets")
        _station(say.number(made), say("models made"), accepted, "/models")
        _station(say.number(now.live), say("live"), trial, "/deployments")
        _station(say.number(now.answers), say("answers"), watched, "/deployments")
        tone: Tone = "bad" if now.alarms else "plain"
        seen = say("the watch sees a change") if now.alarms else say("nothing changed")
        _station(say.number(len(now.alarms)), say("alarms"), seen, "/deployments?group=alarm", tone)
        tone = "warn" if now.waiting else "plain"
        to = "/review" if visitor.may("label") else ""
        _station(say.number(now.waiting), say("to review"), say("back to the data"), to, tone)
    with ui.element("a").classes("today").props('href="/ledger"'):
        words(money(found.cost, found.currency), tag="strong")
        words(say("cost today"), tag="span")


def _station(number: str, name: str, under: str, to: str, tone: Tone = "plain") -> None:
    with ui.element("li"), ui.element("a" if to else "div").classes(f"station {tone}") as made:
        if to:
            made.props["href"] = to
        words(number, tag="strong")
        words(name, tag="span", classes="what")
        words(under, tag="span", classes="muted")


def _line(visitor: Visitor, found: Standing) -> None:
    """The stations of this machine, where there are any."""
    if not found.stations:
        return
    with card(visitor.say("Line")), ui.element("ul").classes("needs"):
        for one in found.stations[:MOST]:
            with ui.element("li"):
                told = standing_words(visitor.say, one.state, is_silent=one.is_silent)
                kind = {"ready": "good", "not": "bad"}.get(told["kind"], "")
                state = {"ready": "Ready", "not": "Not ready"}.get(told["kind"], "Silent")
                words(visitor.say(state), tag="span", classes=f"badge {kind}")
                link(one.station, f"/line/{one.station}", classes="strong")
                words("" if told["kind"] == "ready" else told["what"], tag="span", classes="muted")


def _needs(visitor: Visitor, found: Standing) -> None:
    """What waits for a person, the most pressing first."""
    say, asking = visitor.say, found.asking if visitor.may("label") else []
    if not found.changed and not found.proven and not asking:
        return
    with card(say("What needs a person")), ui.element("ul").classes("needs"):
        for one in found.changed:
            kinds = say(", ").join(say(ALARMS.get(kind, kind)) for kind in one.alarms)
            _need(one, "bad", say("changed"), kinds)
        for one in found.proven:
            _need(one, "good", say("proven"), say("A new model waits for a person's word"))
        for one in asking:
            told = say("{count} pictures wait for you.", count=say.number(one.waiting))
            _need(one, "warn", say("to review"), told, to=f"/review/{one.name}")


def _need(one: AtWork, tone: str, kind: str, told: str, *, to: str = "") -> None:
    with ui.element("li"):
        words(kind, tag="span", classes=f"badge {tone}")
        link(one.name, to or f"/deployments/{one.name}", classes="strong")
        words(told, tag="span", classes="muted")


def _first_steps(visitor: Visitor, now: Overview) -> None:
    """What to do next while the loop is not closed yet."""
    say = visitor.say
    if not now.datasets:
        hint = say("Drop a folder of pictures: what is good and what is not may be its subfolders.")
        empty(say("No pictures yet"), hint, to="/datasets", action=say("Add pictures"))
    elif not now.models:
        hint = say("Say what to look for, and how sure it must be.")
        empty(say("No models yet"), hint, to="/make", action=say("Make a model"))
    elif not now.live:
        hint, to = say("Choose a model and give it a place to work."), "/models?status=accepted"
        empty(say("Nothing is at work yet"), hint, to=to, action=say("See accepted models"))

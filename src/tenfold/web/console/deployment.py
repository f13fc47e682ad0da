"""One deployment: what answers, what is on trial, how it is looked after, what happened to it."""

from nicegui import ui

from tenfold.catalog.models import Model
from tenfold.web.console import deployment_changes, deployment_loop, miss, timeline
from tenfold.web.console.deployment_seen import Seen, seen
from tenfold.web.console.frame import title
from tenfold.web.console.parts import badge, card, facts, link, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    name = visitor.given("name")
    shown = await visitor.read(seen, name, actor=visitor.identity.actor)
    now = shown.now
    link(say("All deployments"), "/deployments", classes="back")
    with ui.element("div").classes("row"):
        title(name)
        badge(now.state, say(now.state))
    _needs(visitor, shown)
    with ui.element("div").classes("roles"):
        _role(say, shown, "live", now.live)
        if now.shadow:
            _role(say, shown, "shadow", now.shadow)
        if now.canary:
            _role(say, shown, "canary", now.canary)
        if visitor.may("deploy"):
            deployment_changes.buttons(visitor, shown)
    deployment_loop.loop_card(visitor, shown)
    with ui.element("div").classes("columns"):
        await timeline.timeline_card(visitor, shown)
        if visitor.may("label") and now.state == "live":
            miss.miss_card(visitor, shown)


def _needs(visitor: Visitor, shown: Seen) -> None:
    """What waits for the one who looks."""
    say = visitor.say
    if shown.waiting and visitor.may("label"):
        with ui.element("div").classes("note"):
            words(say("{count} pictures wait for you.", count=say.number(shown.waiting)))
            link(say("Review them"), f"/review/{shown.now.name}", classes="strong")


def _role(say: Text, shown: Seen, role: str, model_id: str) -> None:
    model, now = shown.models.get(model_id), shown.now
    with card(classes=f"role {role}" if now.state == "live" else "role"):
        with ui.element("div").classes("row spread"):
            badge(role if now.state == "live" else "retired", _part(say, shown, role))
            words(_share(say, shown, role), tag="strong", classes="share")
        with ui.element("div").classes("lead"):
            link(model.task if model else model_id[:12], f"/models/{model_id}")
        facts(_facts(say, shown, role, model_id, model))


def _part(say: Text, shown: Seen, role: str) -> str:
    return say(role) if shown.now.state == "live" else say("was live")


def _share(say: Text, shown: Seen, role: str) -> str:
    now = shown.now
    if now.state == "retired":
        return ""
    if role == "shadow":
        return say("answers unseen")
    canary = now.canary_share if now.canary else 0.0
    share = canary if role == "canary" else 1 - canary
    return say("{share} of the traffic", share=say.percent(share))


def _facts(
    say: Text, shown: Seen, role: str, model_id: str, model: Model | None
) -> list[tuple[str, str]]:
    now = shown.now
    found = [(say("Model"), model_id[:12])]
    if model:
        found.append((say("Verdict"), say(model.status)))
        found.append((say("Dataset"), model.dataset))
    if role == "live":
        if now.before:
            before = shown.models.get(now.before)
            told = f"{before.task} · {now.before[:12]}" if before else now.before[:12]
            found.append((say("Before it"), told))
        days = say("{days} days", days=now.keep_days) if now.keep_days else say("not kept")
        found.append((say("Pictures asked about"), days))
    return found

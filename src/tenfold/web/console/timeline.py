"""What happened to a deployment, newest first."""

from typing import Any

from nicegui import ui

from tenfold.catalog.loops import Happening
from tenfold.web.console.deployment_seen import FEW, MOST, Seen, story
from tenfold.web.console.parts import badge, card, link, words
from tenfold.web.console.retold import ALARMS, retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

KINDS = {
    "deploy": "A model was made live",
    "shadow": "A shadow was added",
    "canary": "A canary was started",
    "promote": "The model on trial became live",
    "rollback": "Rolled back",
    "retire": "Retired",
    "keep": "How long pictures are kept was changed",
    "watched": "The watch began",
    "not watched": "The watch ended",
    "alarm": "A change was noticed",
    "makes": "A new model is being made",
    "made": "A new model was made",
    "not made": "No new model could be made",
    "waits for a nod": "A new model waits for a person's word",
    "approved": "A person approved the new model",
    "rejected": "A person rejected the new model",
    "promoted": "The new model is live",
    "given up": "The new model was given up",
    "problem": "Answers could not be looked at",
}
MARKS = {
    "alarm": "bad",
    "problem": "bad",
    "not made": "bad",
    "retire": "bad",
    "rejected": "warn",
    "given up": "warn",
    "rollback": "warn",
    "waits for a nod": "warn",
    "promoted": "good",
    "promote": "good",
    "deploy": "good",
    "approved": "good",
}


async def timeline_card(visitor: Visitor, shown: Seen) -> None:
    """Its end; all of it where one asks for all."""
    say, name = visitor.say, shown.now.name
    with card(say("Timeline")) as made:
        made.props["id"] = "timeline"
        holder = ui.element("div").classes("stack")

    async def fill(limit: int) -> None:
        told = await visitor.read(story, name, limit=limit)
        holder.clear()
        with holder:
            with ui.element("ol").classes("timeline"):
                for one in told[:limit]:
                    _line(say, one)
            if len(told) > limit and limit < MOST:
                more = words(say("Show all"), tag="button", classes="button")
                more.props["type"] = "button"
                more.on("click", lambda: fill(MOST))

    await fill(FEW)


def _line(say: Text, one: Happening) -> None:
    detail: dict[str, Any] = one.detail or {}
    with ui.element("li").classes(MARKS.get(one.kind, "")):
        with ui.element("div").classes("row spread"):
            words(say(KINDS.get(one.kind, one.kind)), tag="strong")
            words(say.moment(one.at), tag="time", classes="muted small")
        with ui.element("div").classes("pair small"):
            words(one.actor, tag="span", classes="muted")
            if one.model:
                link(one.model[:12], f"/models/{one.model}")
            _extra(say, one, detail)
        why = _why(say, one, detail)
        if why:
            words(why, classes="small")


def _extra(say: Text, one: Happening, detail: dict[str, Any]) -> None:
    if one.kind == "alarm":
        kind = str(detail.get("what", ""))
        words(say(ALARMS.get(kind, kind)), tag="span", classes="badge bad")
    if one.kind == "made":
        status = str(detail.get("status", ""))
        badge(status, say(status))


def _why(say: Text, one: Happening, detail: dict[str, Any]) -> str:
    """The reason; of a new model what it had learnt, as its verdict stands on its own page."""
    if one.kind == "made":
        return say(
            "{added} pictures learnt, {audits} of them judge; {corrected} labels corrected.",
            added=say.number(int(detail.get("added", 0))),
            audits=say.number(int(detail.get("audits", 0))),
            corrected=say.number(int(detail.get("corrected", 0))),
        )
    told = str(detail.get("why") or detail.get("problem") or "")
    return retold(say, told) if told else ""

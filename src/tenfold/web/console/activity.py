"""Who did what, the newest first; and whether the log is as it was written."""

import re
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui
from nicegui.element import Element

from tenfold.catalog import activity
from tenfold.catalog.activity import LEAST_DIGITS, Deed, Sought, Verified
from tenfold.web.console.forms import asking, choice, field
from tenfold.web.console.frame import title
from tenfold.web.console.key_list import copy
from tenfold.web.console.parts import Column, card, empty, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

PAGE = 50
FILTERS = ("actor", "action", "subject")
DIGEST = re.compile(rf"[0-9a-fA-F]{{{LEAST_DIGITS},64}}")
DEEDS = {
    "ingest": "read in pictures",
    "forget": "removed a dataset",
    "run": "ran a command",
    "deploy": "put a model live",
    "shadow": "let a model watch as shadow",
    "canary": "gave a model part of the questions",
    "promote": "made the new model live",
    "rollback": "went back to the model before",
    "retire": "took a deployment away",
    "keep": "kept the model in force",
    "change-many": "changed many deployments",
    "watch": "had a deployment watched",
    "unwatch": "had a deployment watched no more",
    "approved": "approved a new model",
    "rejected": "rejected a new model",
    "create-key": "made an API key",
    "revoke-key": "revoked an API key",
    "create-account": "added an account",
    "set-role": "gave a role",
    "set-password": "set a password",
    "disable-account": "disabled an account",
    "enable-account": "enabled an account",
    "set-prices": "changed the prices",
    "set-headcount": "changed the headcount",
    "sign-in": "signed in",
    "sign-out": "signed out",
    "sign-in-failed": "noted a failed sign-in",
}
"""Each action in plain words."""
DETAILS = {
    "size": "pictures",
    "set_aside": "set aside",
    "source": "source",
    "command": "command",
    "fleet": "fleet",
    "host": "machine",
    "role": "role",
    "before": "before",
    "address": "address",
    "times": "times",
    "ended": "sessions ended",
    "per_minute": "requests a minute",
    "model": "model",
    "why": "reason",
    "reason": "reason",
    "actions": "actions",
    "rules": "rules",
    "changes": "changes",
    "generation": "generation",
    "text": "text",
}
DEPLOYMENT = ("deploy", "shadow", "canary", "promote", "rollback", "retire", "keep")
LOOP = ("watch", "unwatch", "approved", "rejected")
MOST_LETTERS = 60
SHORT = 12


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Activity"), say("Who did what, the newest first. Rows are never changed."))
    sought = _sought(visitor)
    _verifying(visitor)
    with card():
        _ask(say, sought)
        found = await visitor.read(page, sought)
        if not found:
            empty(
                say("No row is like that."),
                say("Ask for less, or for the whole log."),
                to="/activity",
                action=say("The whole log"),
            )
            return
        brief = (say("When (UTC)"), say("Who"), say("What"))
        table(
            [
                Column(say("Row"), is_number=True),
                *(Column(name, is_brief=True) for name in brief),
                *(Column(name) for name in (say("On what"), say("Details"))),
            ],
            [_row(say, deed) for deed in found[:PAGE]],
            label=say("Activity"),
        )
        _around(say, sought, found)


def page(workspace: Workspace, sought: Sought) -> list[Deed]:
    """One more than is shown, to know whether there are older ones."""
    return activity.page(workspace.scope, sought, limit=PAGE + 1)


def _sought(visitor: Visitor) -> Sought:
    before = visitor.given("before", "0")
    actor, action, subject = (visitor.given(name).strip() for name in FILTERS)
    number = int(before) if before.isascii() and before.isdigit() and len(before) < 16 else 0
    return Sought(actor, action, subject, number)


def _ask(say: Text, sought: Sought) -> None:
    actions = [("", say("everything")), *((word, say(text)) for word, text in DEEDS.items())]
    with asking(say("Which rows")):
        field(say("Who"), "actor", sought.actor)
        choice(say("What"), "action", actions, sought.action)
        field(say("On what"), "subject", sought.subject)
        words(say("Show"), tag="button", classes="button").props["type"] = "submit"
        if sought != Sought():
            link(say("The whole log"), "/activity")


def _around(say: Text, sought: Sought, found: list[Deed]) -> None:
    asked = {"actor": sought.actor, "action": sought.action, "subject": sought.subject}
    kept = {name: value for name, value in asked.items() if value}
    with ui.element("nav").classes("row spread") as around:
        around.props["aria-label"] = say("Pages of the log")
        if sought.before:
            link(say("Newest"), f"/activity?{urlencode(kept)}", classes="button")
        if len(found) > PAGE:
            to = urlencode({**kept, "before": found[PAGE - 1].number})
            link(say("Older"), f"/activity?{to}", classes="button")


def _row(say: Text, deed: Deed) -> list[Any]:
    def subject() -> None:
        to = _place(deed)
        if to:
            link(deed.subject, to)
        else:
            words(deed.subject, tag="span")

    def details() -> None:
        for key, value in deed.detail.items():
            if value in ("", None, [], {}):
                continue
            with ui.element("div"):
                words(say(DETAILS.get(key, key)), tag="span", classes="muted detail")
                words(_told(say, key, value), tag="span")

    what = say(DEEDS[deed.action]) if deed.action in DEEDS else deed.action
    number = say.number(deed.number)
    return [number, say.moment(deed.at), deed.actor, what, subject, details]


def _place(deed: Deed) -> str:
    """Where what was changed is seen."""
    name = quote(deed.subject)
    if not name:
        return ""
    if deed.action == "ingest":
        return f"/datasets/{name}"
    if deed.action in DEPLOYMENT or deed.action in LOOP:
        return f"/deployments/{name}"
    return ""


def _told(say: Text, key: str, value: Any) -> str:
    if isinstance(value, int) and not isinstance(value, bool):
        return say.number(value)
    if isinstance(value, list | dict):
        value = ", ".join(map(str, value))  # pyright: ignore[reportUnknownArgumentType, reportUnknownVariableType]
    text = str(value)
    if key in ("role", "before"):
        text = say(text)
    if DIGEST.fullmatch(text):
        return text[:SHORT]
    return text if len(text) <= MOST_LETTERS else f"{text[: MOST_LETTERS - 1]}…"


def _verifying(visitor: Visitor) -> None:
    """A button, and in words what it found."""
    say = visitor.say
    with card(say("Is the log as it was written?")):
        words(
            say(
                "Each row is sealed with the digest of the one before. Whoever notes the newest "
                "digest elsewhere can find out later whether rows were changed or cut off."
            )
        )
        with ui.element("div").classes("row low"):
            noted = field(say("A digest noted before (may be empty)"), "noted")
            noted.props["size"] = 40

            async def check(event: Any) -> None:
                await _verify(visitor, str(event.args or "").strip(), room)

            made = words(say("Verify the log"), tag="button", classes="button primary")
            made.props["type"] = "button"
            made.on(
                "click",
                check,
                js_handler="(event) => "
                "emit(event.currentTarget.parentElement.querySelector('input').value)",
            )
        room = ui.element("div").props('role="status"')


def verified(workspace: Workspace, noted: str) -> tuple[Verified, bool]:
    """What was found, and whether the rows that there are fit together."""
    found = activity.verify(workspace.scope, noted=[noted] if noted else ())
    is_whole = found.holds or (bool(noted) and activity.verify(workspace.scope).holds)
    return found, is_whole


async def _verify(visitor: Visitor, noted: str, room: Element) -> None:
    say = visitor.say
    if noted and not DIGEST.fullmatch(noted):
        _warn(room, say("A digest has 16 to 64 digits of 0-9 and a-f."))
        return
    done = await visitor.do("activity", verified, noted)
    if done is None:
        return
    found, is_whole = done
    rows = say.number(found.rows)
    if found.holds:
        room.clear()
        with room, ui.element("div").classes("said"):
            words(say("Yes: all {count} rows are as they were written.", count=rows), tag="strong")
            words(say("The newest digest, to note down elsewhere:"))
            words(found.head, tag="code")
            copy(say)
    elif is_whole:
        _warn(
            room, say("No: no row has the digest you noted. The log was cut off or written anew.")
        )
    elif found.broken:
        number = say.number(found.broken.number)
        _warn(
            room,
            say("No: row {number} was changed, exchanged or removed.", number=number),
            say("The {count} rows before it hold.", count=rows),
        )


def _warn(room: Element, text: str, more: str = "") -> None:
    room.clear()
    with room, ui.element("div").classes("said bad"):
        words(text, tag="strong")
        if more:
            words(more)

"""API keys of programs: made, told once, revoked."""

from dataclasses import dataclass
from typing import Any

from nicegui import ui
from nicegui.element import Element

from tenfold.catalog import keys
from tenfold.catalog.keys import Key
from tenfold.roles import ROLES
from tenfold.web.console.forms import Sending, choice, field, send, sending
from tenfold.web.console.parts import Column, button, card, heading, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace


async def show_keys(visitor: Visitor) -> None:
    """The part of the page for keys; for owners."""
    await _Keys(visitor).show()


def in_force(workspace: Workspace) -> list[Key]:
    return keys.in_force(workspace.scope)


def revoke(workspace: Workspace, name: str) -> bool:
    keys.revoke(workspace.scope, name)
    return True


@dataclass(eq=False)
class _Keys:
    """The list of keys, drawn anew after each change."""

    visitor: Visitor
    room: Element | None = None

    async def show(self) -> None:
        say = self.visitor.say
        with card(say("API keys")):
            words(say("A program sends its key as “Authorization: Bearer KEY”."), classes="muted")
            self.room = ui.element("div")
            await self.draw()
            heading(say("Make a key"), 3)
            self._make(say)

    async def draw(self) -> None:
        found = await self.visitor.do("accounts", in_force)
        if found is None or self.room is None:
            return
        say = self.visitor.say
        self.room.clear()
        with self.room:
            if not found:
                words(say("No key is in force."))
                return
            table(
                [
                    Column(say("Name")),
                    Column(say("Role")),
                    Column(say("Requests a minute"), is_number=True),
                    Column(say("Since")),
                    Column(say("Made by")),
                    Column(""),
                ],
                [self._row(key) for key in found],
                label=say("API keys"),
            )

    def _row(self, key: Key) -> list[Any]:
        say = self.visitor.say

        def act() -> None:
            made = button(say("Revoke"), lambda: self._ask_revoke(key.name), kind="danger")
            made.props["aria-label"] = say("Revoke {name}", name=key.name)

        most = say.number(key.per_minute) if key.per_minute else say("any number")
        return [key.name, say(key.role), most, say.moment(key.created_at), key.created_by, act]

    def _make(self, say: Text) -> None:
        told = {"409": say("There is a key of that name, or was one. Choose another.")}
        with sending(self.visitor, Sending("/api/keys", told=told, reveals="key")):
            made = field(say("Name"), "name")
            made.props.update({"required": True, "maxlength": 100})
            choice(say("Role"), "role", [(role, say(role)) for role in ROLES], "caller")
            most = field(say("Requests a minute (0: any number)"), "per_minute", "0", kind="number")
            most.props.update({"min": 0, "max": 1_000_000_000, "required": True})
            send(say("Make a key"))
        with ui.element("div").classes("said").props('id="key" role="status" hidden'):
            words(say("This key is shown once. Copy it now to where it is used."))
            words("", tag="code")
            copy(say)
            button(say("I have it"), lambda: ui.navigate.to("/settings"))

    def _ask_revoke(self, name: str) -> None:
        say = self.visitor.say

        async def act() -> None:
            dialog.close()
            if await self.visitor.do("accounts", revoke, name):
                ui.notify(say("Done."), type="positive", position="top")
            await self.draw()

        with ui.dialog(value=True) as dialog, ui.element("div").classes("card ask"):
            heading(say("Revoke {name}?", name=name))
            words(say("Programs that use it are refused at once. Its name stays taken."))
            with ui.element("div").classes("row"):
                button(say("Revoke"), act, kind="danger")
                button(say("Cancel"), dialog.close)


def copy(say: Text) -> None:
    """A button that copies the code beside it."""
    made = words(say("Copy"), tag="button", classes="button")
    made.props.update({"type": "button", "data-done": say("Copied")})
    made.on("click", js_handler="(event) => tenfold.copy(event.currentTarget)")

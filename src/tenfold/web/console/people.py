"""Settings: one's own account, people, keys, and what this hub runs by."""

from dataclasses import dataclass
from typing import Any

from nicegui import ui
from nicegui.element import Element

from tenfold.catalog import accounts
from tenfold.catalog.accounts import Account
from tenfold.roles import ROLES, Role, role_of
from tenfold.web.console.forms import (
    Sending,
    choice,
    field,
    new_password,
    select,
    send,
    sending,
)
from tenfold.web.console.frame import title
from tenfold.web.console.key_list import show_keys
from tenfold.web.console.machine import show_machine
from tenfold.web.console.parts import Column, badge, button, card, facts, heading, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

MAY: dict[Role, str] = {
    "caller": "asks deployments",
    "viewer": "sees all that was made and decided",
    "labeller": "reviews pictures",
    "engineer": "makes and deploys models, reads the activity",
    "owner": "manages people, keys and prices",
}
"""What each role adds."""


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Settings"), say("Your account, who else may do what, and what this hub runs by."))
    _own(visitor)
    if visitor.may("accounts"):
        await _People(visitor).show()
        await show_keys(visitor)
    await show_machine(visitor)


def _own(visitor: Visitor) -> None:
    say, known = visitor.say, visitor.identity
    with card(say("Your account")):
        facts(
            [
                (say("Name"), known.actor),
                (say("Role"), say(known.role)),
                (say("May"), lambda: _may(say, known.role)),
            ]
        )
        if known.via == "local":
            words(
                say(
                    "Nobody has an account yet, so whoever sits at this machine may do everything. "
                    "Add an owner below; from then on, everybody signs in."
                )
            )
        if known.via != "session":
            return
        told = {
            "401": say("The password you have now is another."),
            "400": say("Anybody guesses this password. Take a few words in a row."),
            "again": say("The new password was written in two ways."),
        }
        heading(say("Change your password"), 3)
        with sending(visitor, Sending("/api/me/password", to="/sign-in", told=told)):
            old = field(say("Password now"), "old", kind="password", keeps="current-password")
            old.props["required"] = True
            new_password(say("New password"), "new")
            new_password(say("New password again"), "again")
            send(say("Change it"), kind="")
        words(say("At least ten letters. You sign in again with it."), classes="muted")


def everyone(workspace: Workspace) -> list[Account]:
    return accounts.everyone(workspace.scope)


def set_role(workspace: Workspace, name: str, role: Role) -> Account:
    return accounts.set_role(workspace.scope, name, role)


def disable(workspace: Workspace, name: str) -> Account:
    return accounts.disable(workspace.scope, name)


def enable(workspace: Workspace, name: str) -> Account:
    return accounts.enable(workspace.scope, name)


@dataclass(eq=False)
class _People:
    """The list of people, drawn anew after each change."""

    visitor: Visitor
    room: Element | None = None

    async def show(self) -> None:
        say = self.visitor.say
        with card(say("People")):
            self.room = ui.element("div")
            await self.draw()
            heading(say("Add somebody"), 3)
            self._add(say)

    async def draw(self) -> None:
        found = await self.visitor.do("accounts", everyone)
        if found is None or self.room is None:
            return
        say = self.visitor.say
        owners = [one for one in found if one.role == "owner" and one.disabled_at is None]
        self.room.clear()
        with self.room:
            if not found:
                words(say("Nobody has an account yet. The first one is an owner's."))
                return
            names = (say("Name"), say("Role"), say("State"), say("Since"), "")
            table(
                [Column(name) for name in names],
                [self._row(one, is_last=owners == [one]) for one in found],
                label=say("People"),
            )

    def _row(self, one: Account, *, is_last: bool) -> list[Any]:
        say = self.visitor.say

        def role() -> None:
            made = select("role", _roles(say), one.role)
            made.props["aria-label"] = say("Role of {name}", name=one.name)
            if is_last:
                made.props["disabled"] = True
                made.props["title"] = say("The last owner stays one.")
            made.on(
                "change",
                lambda event: self._set_role(one.name, event.args),
                js_handler="(event) => emit(event.target.value)",
            )

        def state() -> None:
            if one.disabled_at is None:
                badge("accepted", say("may sign in"))
            else:
                badge("retired", say("disabled"))

        def acts() -> None:
            with ui.element("div").classes("row"):
                button(say("New password"), lambda: self._ask_password(one.name))
                if one.disabled_at is not None:
                    button(say("Enable"), lambda: self._change(enable, one.name))
                elif not is_last:
                    button(say("Disable"), lambda: self._ask_disable(one.name), kind="danger")

        return [one.name, role, state, say.moment(one.created_at), acts]

    def _add(self, say: Text) -> None:
        told = {
            "409": say("There is somebody of that name, or the first account is no owner's."),
            "400": say(
                "Name or password cannot be taken: small letters for the name, a password that "
                "nobody guesses."
            ),
        }
        is_first = self.visitor.identity.via == "local"
        with sending(self.visitor, Sending("/api/accounts", told=told)):
            made = field(say("Name"), "name")
            made.props.update({"required": True, "maxlength": 100})
            made.props.update({"pattern": "[a-z0-9][a-z0-9._@\\-]*", "autocapitalize": "none"})
            made.props["title"] = say("Small letters, digits, and . _ @ -")
            new_password(say("Password"))
            choice(say("Role"), "role", _roles(say), "owner" if is_first else "viewer")
            send(say("Add"))
        words(say("Each role may also do what those below it may:"), classes="muted")
        facts([(say(role), say(MAY[role])) for role in reversed(ROLES)])

    async def _set_role(self, name: str, word: str) -> None:
        await self._change(set_role, name, role_of(word))

    async def _change(self, verb: Any, *given: Any) -> None:
        if await self.visitor.do("accounts", verb, *given) is not None:
            ui.notify(self.visitor.say("Done."), type="positive", position="top")
        await self.draw()

    def _ask_disable(self, name: str) -> None:
        say = self.visitor.say

        async def act() -> None:
            dialog.close()
            await self._change(disable, name)

        with ui.dialog(value=True) as dialog, ui.element("div").classes("card ask"):
            heading(say("Disable {name}?", name=name))
            words(say("They are signed out everywhere and may not sign in until enabled again."))
            with ui.element("div").classes("row"):
                button(say("Disable"), act, kind="danger")
                button(say("Cancel"), dialog.close)

    def _ask_password(self, name: str) -> None:
        say = self.visitor.say
        told = {"400": say("Anybody guesses this password. Take a few words in a row.")}
        how = Sending(f"/api/accounts/{name}/password", "PUT", told=told)
        with ui.dialog(value=True) as dialog, ui.element("div").classes("card ask"):
            heading(say("New password for {name}", name=name))
            words(say("They will be signed out everywhere. Tell them the new password yourself."))
            with sending(self.visitor, how):
                new_password(say("New password"))
                send(say("Set it"))
            words(say("At least ten letters."), classes="muted")
            button(say("Cancel"), dialog.close)


def _may(say: Text, role: Role) -> None:
    for one in ROLES[: ROLES.index(role) + 1]:
        words(say(MAY[one]), tag="div")


def _roles(say: Text) -> list[tuple[str, str]]:
    return [(role, say(role)) for role in reversed(ROLES)]

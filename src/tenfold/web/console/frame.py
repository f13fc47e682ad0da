"""What every screen stands in: the way around, who one is, the language."""

from collections.abc import Generator
from contextlib import contextmanager
from copy import copy
from typing import Any
from urllib.parse import quote

from nicegui import ui

from tenfold.apps.line.stations import names
from tenfold.roles import Action
from tenfold.web.console.parts import heading, link, words
from tenfold.web.console.text import Language
from tenfold.web.console.visitor import Visitor, here, sign_in_at

PLACES: tuple[tuple[str, str, Action], ...] = (
    ("/", "Home", "show"),
    ("/datasets", "Datasets", "show"),
    ("/make", "Make", "show"),
    ("/models", "Models", "show"),
    ("/deployments", "Deployments", "show"),
    ("/review", "Review", "label"),
    ("/line", "Line", "show"),
    ("/ledger", "Ledger", "show"),
    ("/settings", "Settings", "show"),
    ("/activity", "Activity", "activity"),
)
"""Where one can go: path, name, what one must be allowed."""
BELOW = {"/jobs": "/make"}
TAGS: dict[Language, Any] = {"en": "en-US", "zh": "zh-CN"}
"""As browsers call our languages."""
OTHER = {"en": ("zh", "简体中文"), "zh": ("en", "English")}


def head(language: Language) -> None:
    """Styles and scripts of a page, which all lie on this machine, and its language."""
    ui.add_head_html('<link rel="stylesheet" href="/console/static/console.css">')
    ui.add_head_html('<script src="/console/static/console.js" defer></script>')
    client = ui.context.client
    client.page = copy(client.page)  # which all visitors share
    client.page.language = TAGS[language]
    for one in client.layout.descendants():
        if one.tag == "q-page":
            one.props["role"] = "none"  # it is drawn as a `main` around ours


@contextmanager
def frame(visitor: Visitor, path: str) -> Generator[None]:
    """The page around a screen."""
    say = visitor.say
    head(say.language)
    ui.on_exception(visitor.on_exception)
    link(say("Skip to content"), "#content", classes="skip")
    with ui.element("header").classes("bar"):
        with ui.element("a").classes("brand").props('href="/"'):
            ui.html(MARK, tag="span", sanitize=False)
            words("Tenfold", tag="span")
        with ui.element("nav") as around:
            around.props["aria-label"] = say("Screens")
            for place, name, action in PLACES:
                if visitor.may(action) and (place != "/line" or _has_line(visitor)):
                    _place(say(name), place, is_here=_is_here(place, path))
        with ui.element("div").classes("who"):
            _who(visitor)
    with ui.element("main").props('id="content" tabindex="-1"'):
        yield
    _signed_out(visitor)


def title(text: str, under: str = "") -> None:
    """The name of a screen, and of the browser's tab."""
    ui.page_title(f"{text} · Tenfold")
    heading(text, 1)
    if under:
        words(under, classes="under")


def refusal(visitor: Visitor, action: Action) -> None:
    """A screen that this person may not see."""
    say = visitor.say
    title(say("Not for your role"))
    words(
        say(
            "You are signed in as {name} with the role {role}, which may not do this: {action}.",
            name=visitor.identity.actor,
            role=say(visitor.identity.role),
            action=say(action),
        )
    )
    words(say("An owner can give you another role under Settings."), classes="muted")


def _signed_out(visitor: Visitor) -> None:
    """Opened once somebody does something whose session has ended, see `Visitor`."""
    say = visitor.say
    with ui.element("dialog").classes("card asked").props('id="signed-out"') as dialog:
        dialog.props["aria-label"] = say("You are signed out")
        heading(say("You are signed out"))
        words(
            say("Your session ended, perhaps in another tab. Nothing that was sent before is lost.")
        )
        with ui.element("form").classes("row").props('method="dialog"'):
            link(say("Sign in"), sign_in_at(visitor.request), classes="button primary")
            words(say("Stay on this page"), tag="button", classes="button")


def _place(name: str, place: str, *, is_here: bool) -> None:
    made = link(name, place)
    if is_here:
        made.props["aria-current"] = "page"


def _has_line(visitor: Visitor) -> bool:
    return bool(names(visitor.app.state.workspace.settings.home))


def _is_here(place: str, path: str) -> bool:
    path = next((to for begin, to in BELOW.items() if path.startswith(begin)), path)
    return path == place or (place != "/" and path.startswith(place))


def _who(visitor: Visitor) -> None:
    say, known = visitor.say, visitor.identity
    other, name = OTHER[say.language]
    link(name, f"/language/{other}?to={quote(here(visitor.request))}").props(f'lang="{other}"')
    words(known.actor, tag="span", classes="name")
    words(say(known.role), tag="span", classes="muted")
    if known.via == "session":
        made = words(say("Sign out"), tag="button", classes="button plain")
        made.props["type"] = "button"
        made.on("click", js_handler=f"() => tenfold.signOut('{visitor.csrf}')")


MARK = (
    '<svg viewBox="0 0 32 32" width="26" height="26" aria-hidden="true">'
    '<rect x="1" y="1" width="30" height="30" rx="7" fill="var(--accent)"/>'
    '<path d="M16 26V15M16 15L7 7M16 15l-4.5-9M16 15V6M16 15l4.5-9M16 15l9-8" '
    'stroke="#fff" stroke-width="2" stroke-linecap="round" fill="none"/></svg>'
)
"""One trunk, many heads."""

"""One picture at a time: what it shows, by a key. The browser does it, see static/review.js."""

import json
from dataclasses import dataclass
from typing import Literal

from nicegui import ui

from tenfold import packages
from tenfold.catalog import deployments, models
from tenfold.loop import labelling
from tenfold.web.console.frame import title
from tenfold.web.console.parts import link, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

REASONS = {
    "audit": "drawn by lot",
    "doubt": "the model was unsure",
    "novelty": "unlike what the model had learnt",
    "disagreement": "two models said different things",
    "drift": "production changed",
    "miss": "reported as a missed defect",
    "overruled": "somebody at the line did not believe it",
    "suspect": "its label was doubted",
}
HELP = (
    ("1 – 9", "say what it shows"),
    ("0 / ?", "cannot tell"),
    ("U", "undo"),
    ("S", "later"),
    ("+ / -", "zoom; drag moves"),
    ("F", "fit"),
    ("R", "mark a region"),
)


@dataclass(frozen=True, slots=True)
class Question:
    words: tuple[str, ...]
    is_multi: bool
    has_heat: bool
    live: str


async def screen(visitor: Visitor) -> None:
    say, name = visitor.say, visitor.given("name")
    asked = await visitor.read(_question, name)
    scripts("viewer", "outbox", "review")
    with ui.element("div").classes("row spread review-head"):
        with ui.element("div").classes("row"):
            title(name)
            words("", tag="span", classes="left badge").props('role="status"')
        with ui.element("div").classes("row"):
            link(say("Deployment"), f"/deployments/{name}")
            link(say("All reviews"), "/review")
    with ui.element("div").classes("reviewing").props('id="review"') as root:
        root.props["data-config"] = json.dumps(_config(visitor, name, asked), ensure_ascii=False)
        stage = ui.element("div").classes("stage").props('tabindex="0" role="img"')
        stage.props["aria-label"] = say("The picture to look at")
        with ui.element("div").classes("side"):
            _choices(say, asked)
            _tools(say, asked)
            words("", classes="told").props('role="status" aria-live="polite"')
            words("", classes="last muted small").props('aria-live="polite"')
            words("", classes="unsent small").props('role="alert"')
            _help(say, asked)
    begin("review")


def scripts(*names: str) -> None:
    """What the browser needs, in this order."""
    for name in names:
        ui.add_head_html(f'<script src="/console/static/{name}.js" defer></script>')


def begin(what: Literal["review", "miss"]) -> None:
    """Let the browser begin in the element of that name, once its scripts are there."""
    made = f"tenfold{what.capitalize()}"
    ui.run_javascript(
        f"const begin = () => tenfoldApi.begin('{what}', {made}.begin);"
        f"window.{made} ? begin() : addEventListener('tenfold-{what}', begin, {{once: true}})"
    )


def _question(workspace: Workspace, name: str) -> Question:
    now = deployments.get(workspace.scope, name)
    model = models.get(workspace.scope, now.live)
    manifest = packages.of_model(workspace.blobs, model).manifest
    return Question(
        words=tuple(labelling.words_of(workspace, now)),
        is_multi=manifest.multi_label,
        has_heat=model.kind == "anomaly",
        live=now.live,
    )


def _choices(say: Text, asked: Question) -> None:
    with ui.element("div").classes("choices").props('role="group"') as group:
        group.props["aria-label"] = say("What it shows")
        for number, word in enumerate(asked.words, 1):
            with ui.element("button").classes("choice").props('type="button"') as made:
                made.props["data-word"] = word
                words(str(number) if number < 10 else "", tag="kbd")
                words(word, tag="span")
        if asked.is_multi:
            with ui.element("button").classes("choice primary").props('type="button"') as made:
                made.props["data-do"] = "send"
                words("↵", tag="kbd")
                words(say("These it shows"), tag="span")
        with ui.element("button").classes("choice").props('type="button"') as made:
            made.props["data-word"] = ""
            words("0", tag="kbd")
            words(say("Cannot tell"), tag="span")


def _tools(say: Text, asked: Question) -> None:
    tools = [("undo", "U", say("Undo")), ("skip", "S", say("Later"))]
    tools += [("region", "R", say("Region")), ("fit", "F", say("Fit"))]
    if asked.has_heat:
        tools.append(("heat", "H", say("Heat map")))
    with ui.element("div").classes("tools"):
        for action, key, name in tools:
            with ui.element("button").classes("tool").props('type="button"') as made:
                made.props["data-do"] = action
                words(key, tag="kbd")
                words(name, tag="span")


def _help(say: Text, asked: Question) -> None:
    with ui.element("details").classes("more keys"):
        words(say("Keys"), tag="summary")
        with ui.element("dl").classes("facts small"):
            for key, name in (*HELP, *((("H", "heat map"),) if asked.has_heat else ())):
                words(key, tag="dt")
                words(say(name), tag="dd")


def _config(visitor: Visitor, name: str, asked: Question) -> dict[str, object]:
    say = visitor.say
    told = {
        "left": say("{n} left", n="{n}"),
        "done": say("Nothing waits for you any more"),
        "doneHint": say(
            "New pictures come while the deployment answers; this page looks for them."
        ),
        "loading": say("Loading…"),
        "broken": say(
            "This picture cannot be shown. Leave it for later, or say that you cannot tell."
        ),
        "silent": say("The hub does not answer."),
        "signedOut": say("You are signed out. Sign in again in another tab; nothing is lost."),
        "unsent": say("{n} labels wait to be sent. {why}", n="{n}", why="{why}"),
        "refused": say("A label was not taken: {why}", why="{why}"),
        "said": say("You said {word}", word="{word}"),
        "cannot": say("cannot tell"),
        "undone": say("Taken back; say it again."),
        "correct": say("It was sent already: what you say now corrects it."),
        "nothing": say("There is nothing to undo."),
        "drawing": say("Drag over the picture to mark a region; Escape takes it away."),
        "picked": say("Last picture: {reasons}.", reasons="{reasons}"),
        "hadSaid": say("The model had said {word}.", word="{word}"),
        "joint": say(", "),
        "heating": say("Drawing the heat map…"),
        "noHeat": say("The heat map could not be drawn."),
    }
    return {
        "deployment": name,
        "actor": visitor.identity.actor,
        "csrf": visitor.csrf,
        "words": list(asked.words),
        "multi": asked.is_multi,
        "heat": asked.has_heat,
        "live": asked.live,
        "told": told,
        "reasons": {key: say(value) for key, value in REASONS.items()},
    }

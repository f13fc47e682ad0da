"""Reviewing: one picture at a time, by keys. The browser holds the next ones ready."""

import json
from dataclasses import dataclass

from nicegui import ui

from tenfold import packages
from tenfold.catalog import deployments, models, picks
from tenfold.loop import labelling
from tenfold.web.console.frame import title
from tenfold.web.console.parts import heading, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

WHY = {
    "audit": "it was drawn by lot",
    "doubt": "the answer was doubtful",
    "novelty": "it looks like nothing before",
    "disagreement": "heads disagreed",
    "drift": "it shows what has changed",
    "miss": "a missed defect was reported",
    "suspect": "its label may be wrong",
}
"""Reasons of picks, told after one has spoken."""
KEYS = (
    ("1–9", "say what it shows"),
    ("0", "nobody can tell"),
    ("u", "back to the last"),
    ("h", "heat map"),
    ("r", "draw a region"),
    ("+ -", "zoom; drag to move"),
)


@dataclass(frozen=True, slots=True)
class Queue:
    words: tuple[str, ...]
    waiting: int
    model: str
    """Empty: its head draws no heat map."""


async def screen(visitor: Visitor) -> None:
    say, name = visitor.say, visitor.given("name")
    queue = await visitor.read(_queue, name)
    title(name, say("What does the picture show?"))
    ui.add_head_html('<script src="/console/static/review.js" defer></script>')
    with ui.element("div").classes("review").props('id="review"'):
        with ui.element("div").classes("stage").props('tabindex="0"') as stage:
            stage.props["aria-label"] = say("Picture")
        with ui.element("aside").classes("card"):
            words(say("{count} waiting", count=say.number(queue.waiting)), classes="left")
            _choices(say, queue.words)
            words("", classes="muted last").props('role="status"')
            words("", classes="wrong").props('role="alert"')
            _keys(say, has_heat=bool(queue.model))
    told = {
        "name": name,
        "csrf": visitor.csrf,
        "model": queue.model,
        "words": list(queue.words),
        "say": _said(say),
    }
    ui.run_javascript(f"tenfoldReview({json.dumps(told)})")


def _queue(workspace: Workspace, name: str) -> Queue:
    now = deployments.get(workspace.scope, name)
    model = models.get(workspace.scope, now.live)
    kind = packages.of_model(workspace.blobs, model).manifest.kind
    return Queue(
        labelling.words_of(workspace, now),
        picks.waiting(workspace.scope).get(name, 0),
        model.id if kind == "anomaly" else "",
    )


def _choices(say: Text, labels: tuple[str, ...]) -> None:
    with ui.element("div").classes("choices"):
        for number, label in enumerate(labels, start=1):
            _choice(str(number) if number < 10 else "", label, label)
        _choice("0", "", say("cannot tell"))


def _choice(key: str, label: str, shown: str) -> None:
    with ui.element("button").classes("button choice").props('type="button"') as made:
        made.props["data-label"] = label
        words(key, tag="kbd")
        words(shown, tag="span")


def _keys(say: Text, *, has_heat: bool) -> None:
    heading(say("Keys"), 3)
    with ui.element("dl").classes("keys"):
        for key, does in KEYS:
            if key != "h" or has_heat:
                words(key, tag="dt")
                words(say(does), tag="dd")


def _said(say: Text) -> dict[str, object]:
    return {
        "left": say("{count} waiting", count="{count}"),
        "done": say("Nothing more waits for you here."),
        "last": say("{label}: it was picked because {why}.", label="{label}", why="{why}"),
        "unsure": say("cannot tell"),
        "more": say("Others are asked too."),
        "unsent": say(
            "{count} not sent yet: the hub does not answer. It is tried again.", count="{count}"
        ),
        "region": say("Drag over what is wrong."),
        "why": {reason: say(text) for reason, text in WHY.items()},
    }

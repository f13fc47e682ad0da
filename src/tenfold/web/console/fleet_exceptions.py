"""Tasks of a fleet that were not accepted: why, and the cheapest thing that would change it."""

from collections.abc import Iterator, Mapping, Sequence
from urllib.parse import quote

from nicegui import ui

from tenfold.catalog.models import Model
from tenfold.factory.judge import Verdict
from tenfold.factory.shortfall import Shortfall
from tenfold.web.console import verdicts
from tenfold.web.console.job_words import plain
from tenfold.web.console.parts import Cell, Column, badge, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

NAMED = 3
"""Pictures that a row names."""


def show(
    visitor: Visitor, some: Sequence[Shortfall], found: Mapping[str, Model], *, job: str
) -> None:
    """Rows of exceptions, each with what one may do."""
    say = visitor.say
    columns = [
        Column(say("Task")),
        Column(say("Verdict")),
        Column(say("Cheapest next step")),
        Column(say("Do it")),
    ]
    rows = [_row(visitor, one, found.get(one.model), job) for one in some]
    table(columns, rows, label=say("What needs a person"))


def _row(visitor: Visitor, one: Shortfall, model: Model | None, job: str) -> list[Cell]:
    say = visitor.say

    def task() -> None:
        if model:
            link(one.task, f"/models/{model.id}", classes="strong")
        else:
            words(one.task, tag="span", classes="strong")

    def verdict() -> None:
        badge(one.status, say(one.status))
        for told in _why(say, one, model):
            words(told, tag="div", classes="muted small")

    def step() -> None:
        for told in steps(say, one, model):
            words(told, tag="div")

    return [task, verdict, step, lambda: _acts(visitor, one, model, job)]


def _acts(visitor: Visitor, one: Shortfall, model: Model | None, job: str) -> None:
    say = visitor.say
    with ui.element("div").classes("row"):
        if model and one.means in ("labels", "look", "work"):
            link(say("Its pictures"), f"/datasets/{quote(model.dataset)}", classes="button")
        if visitor.may("make") and model:
            link(say("Edit the task"), f"/make?task={quote(one.task)}", classes="button")
        elif visitor.may("make"):
            link(say("Edit the fleet"), f"/make?job={quote(job)}", classes="button")


def _why(say: Text, one: Shortfall, model: Model | None) -> Iterator[str]:
    if model is None:
        yield plain(say, one.why)
        return
    for bound in verdicts.asked(Verdict.from_json(model.verdict)):
        if not bound.is_met:
            yield verdicts.in_short(say, bound)


def steps(say: Text, one: Shortfall, model: Model | None) -> Iterator[str]:
    """What to do now, in the language of the reader."""
    if one.means == "rung":
        yield say("Allow a higher rung: {rungs}.", rungs=", ".join(one.rungs))
    elif one.means == "look":
        names = ", ".join(one.suspects[:NAMED])
        yield say("Look at the labels of {names}.", names=names)
        if len(one.suspects) > NAMED:
            yield say("and {count} more", count=len(one.suspects) - NAMED)
    elif model is None or one.means == "fix":
        yield plain(say, one.next_step)
    else:
        verdict = Verdict.from_json(model.verdict)
        for bound in verdicts.asked(verdict):
            if not bound.is_met and bound.more and one.means == "labels":
                pattern = "Add about {count} labels of '{of}'" if bound.of else "Add {count} labels"
                yield say(pattern, count=say.number(bound.more), of=bound.of)
        if one.means == "work":
            yield from verdicts.next_steps(say, verdict)

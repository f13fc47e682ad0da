"""Parts that a station was taught, on the engineer's screen: in shadow or live, what is proven, and
who says that it goes live."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from functools import partial
from urllib.parse import quote

from nicegui import ui

from tenfold.apps.line import modes
from tenfold.apps.line.modes import PartState
from tenfold.apps.line.part import Mode
from tenfold.apps.line.proving import Rate
from tenfold.web.console.asking import Given, asked, field, form, never_mind, send
from tenfold.web.console.line_figures import Figures
from tenfold.web.console.parts import Column, badge, button, card, link, table, words
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

MODES = {"shadow": "in shadow", "live": "live"}
STEPS = {"live": "Live", "shadow": "Back to shadow"}
SEEN = {
    "overkill": "overkill: {errors} of {n} good parts would have been rejected",
    "escape": "escape: {errors} of {n} bad parts would have been passed",
}
MORE = {
    "overkill": "; {more} more good parts without an error prove ≤ {limit}.",
    "escape": "; {more} more bad parts without an error prove ≤ {limit}.",
}
VERBS = {"live": modes.live, "shadow": modes.shadow}


@dataclass(frozen=True, slots=True, eq=False)
class Around:
    """The page on which the parts stand."""

    visitor: Visitor
    station: str
    box: ui.element
    """Where questions open, whatever is drawn anew meanwhile."""
    again: Callable[[], Awaitable[None]]
    """Looks once more, and draws what is new."""


def taught(around: Around, found: Figures) -> None:
    visitor, station, say = around.visitor, around.station, around.visitor.say
    with card(say("Parts taught here")) as made:
        made.props("id=taught")
        if not found.taught:
            words(say("None yet. 20 good parts teach one."), classes="muted")
        else:
            columns = [
                Column(say("Part number")),
                Column(say("Heads"), is_number=True),
                Column(say("Mode"), is_brief=True),
                Column(say("Proven so far")),
                Column("", is_brief=True),
            ]
            rows = [
                [
                    one.part,
                    say.number(len(one.heads)),
                    partial(badge, one.mode, say(MODES[one.mode])),
                    partial(_proof, say, one),
                    partial(_step, around, one),
                ]
                for one in found.taught
            ]
            table(columns, rows, label=say("Parts taught here"))
        if found.taught_count > len(found.taught):
            count = say.number(found.taught_count - len(found.taught))
            words(say("and {count} more", count=count), classes="muted")
        if visitor.may("make"):
            with ui.element("div"):
                link(say("Teach a part"), f"/line/{quote(station)}/teach", classes="button")


def _proof(say: Text, one: PartState) -> None:
    """What is proven, and who let it go live."""
    for line in proof_words(say, one):
        words(line)
    said = one.said
    if said is not None:
        who = say("the proof") if said.by == modes.BY_PROOF else said.by
        told = say("{who}: {why}", who=who, why=retold(say, said.why))
        words(told, classes="muted small")
    elif one.mode == "live":
        words(say("Live by its file."), classes="muted small")


def proof_words(say: Text, one: PartState) -> list[str]:
    """As `tenfold line parts` has them, in the language of the reader."""
    proof = one.proof
    if proof is None or one.mode == "live":
        return [retold(say, line) for line in one.words]
    unsaid = say("{count} parts in shadow wait for an inspector's word.", count=proof.unsaid)
    return [_rate(say, proof.overkill), _rate(say, proof.escape), *[unsaid] * (proof.unsaid > 0)]


def _rate(say: Text, rate: Rate) -> str:
    seen = say(SEEN[rate.name], errors=rate.errors, n=rate.n)
    if rate.limit is None:
        return seen + say("; the bar does not ask.")
    limit = say.percent_up(rate.limit)
    proven = say(", proven ≤ {upper}", upper=say.percent_up(rate.upper)) if rate.look else ""
    if rate.more == 0:
        return seen + proven + say(".")
    if rate.more is None:
        vain = say("; so many errors are no way to ≤ {limit}: teach it more.", limit=limit)
        return seen + proven + vain
    return seen + proven + say(MORE[rate.name], more=say.number(rate.more), limit=limit)


def _step(around: Around, one: PartState) -> None:
    if around.visitor.may("approve"):
        to: Mode = "shadow" if one.mode == "live" else "live"
        button(around.visitor.say(STEPS[to]), partial(_ask, around, one, to))


def _ask(around: Around, one: PartState, to: Mode) -> None:
    visitor, say = around.visitor, around.visitor.say
    with around.box, asked(say, f"{say(STEPS[to])} · {one.part}") as dialog:
        if to == "live":
            words(say("The station releases good parts of this number from now on, by your name."))
            for line in proof_words(say, one):
                words(line, classes="muted")
        else:
            words(say("A person decides about each part of this number from now on."))

        async def change(given: Given) -> None:
            problem.text = "" if given["why"] else say("Say why: it stands in the journal.")
            if problem.text:
                return
            given_to = (VERBS[to], around.station, one.part)
            if await visitor.do("approve", *given_to, why=given["why"]) is not None:
                dialog.close()
                await around.again()

        with form(change):
            field(say("Why, for the journal"), "why")
            problem = words("", classes="wrong").props('role="alert"')
            with ui.element("div").classes("row"):
                send(say(STEPS[to]), kind="primary")
                never_mind(say, dialog)

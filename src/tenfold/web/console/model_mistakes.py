"""Judge pictures that went wrong, the surest mistakes first."""

from collections.abc import Sequence

from nicegui import ui

from tenfold.factory.evidence import EvidenceRow
from tenfold.factory.report.words import shorten
from tenfold.runtime import UNFIT
from tenfold.web.console.judged_model import JudgedModel
from tenfold.web.console.parts import card, heading, words
from tenfold.web.console.text import Text

FIRST = 12
MOST = 120


def mistakes_card(say: Text, seen: JudgedModel) -> None:
    rows = [seen.judged.rows[i] for i in seen.mistakes]
    with card(say("Mistakes"), classes="mistakes"):
        if not rows:
            judged = len(seen.judged.rows)
            told = "None of {n} judged pictures went wrong." if judged else "Nothing was judged."
            words(say(told, n=say.number(judged)), classes="muted")
            return
        _introduce(say, seen)
        if not seen.is_binary:
            _grid(say, seen, rows)
            return
        good, bad = seen.manifest.classes
        for label, pattern in (
            (bad, "'{label}' that passed as good: {n}"),
            (good, "'{label}' that was rejected: {n}"),
        ):
            mine = [row for row in rows if row.label == label]
            if mine:
                heading(say(pattern, label=label, n=say.number(len(mine))), 3)
                _grid(say, seen, mine)


def _introduce(say: Text, seen: JudgedModel) -> None:
    told = say("The surest mistakes come first: a wrong label is often among them.")
    if seen.has_heat:
        told += " " + say("Click a picture, or press h over it, for what the head found strange.")
    words(told, classes="muted")


def _grid(say: Text, seen: JudgedModel, rows: Sequence[EvidenceRow]) -> None:
    _tiles(say, seen, rows[:FIRST])
    rest = rows[FIRST:MOST]
    if not rest:
        return
    with ui.element("details").classes("more"):
        words(say("Show {n} more", n=say.number(len(rest))), tag="summary")
        _tiles(say, seen, rest)
        if len(rows) > MOST:
            words(
                say("All {n} stand in the evidence.", n=say.number(len(rows))),
                classes="muted small",
            )


def _tiles(say: Text, seen: JudgedModel, rows: Sequence[EvidenceRow]) -> None:
    with ui.element("ul").classes("tiles"):
        for row in rows:
            with ui.element("li"):
                _tile(say, seen, row)


def _tile(say: Text, seen: JudgedModel, row: EvidenceRow) -> None:
    small = f"/console/small/{row.sample}"
    said = say(UNFIT) if row.decision == UNFIT else row.decision or say("none")
    truth = row.label or say("none")
    label = say("{path}: is {truth}, was called {said}", path=row.path, truth=truth, said=said)
    with ui.element("button" if seen.has_heat else "a").classes("tile") as made:
        made.props["title"] = label
        if seen.has_heat:
            made.props["type"] = "button"
            made.props["aria-pressed"] = "false"
            made.props["data-plain"] = small
            made.props["data-heat"] = f"/console/heat/{seen.model.id}/{row.sample}"
            made.props["onclick"] = "tenfold.heat(this)"
        else:
            made.props["href"] = f"/console/whole/{row.sample}"
            made.props["target"] = "_blank"
        picture = ui.element("img").props('loading="lazy" decoding="async"')
        picture.props["src"] = small
        picture.props["alt"] = label
    with ui.element("div").classes("caption"):
        words(shorten(row.path.rpartition("/")[2], 22), tag="span")
        score = [*row.scores][-1] if len(row.scores) <= 2 else max(row.scores)
        words(f"{score:.3g}", tag="span", classes="muted").props["title"] = say("Score")
    if not seen.is_binary:
        words(f"{shorten(truth, 16)} → {shorten(said, 16)}", tag="div", classes="muted small")

"""What a model came from, down to the bytes; what was tried, and what it cost."""

from nicegui import ui

from tenfold.factory.report.words import duration, size
from tenfold.ledger.cost import money
from tenfold.web.console.judged_model import JudgedModel
from tenfold.web.console.parts import Cell, Column, badge, card, facts, link, table, words
from tenfold.web.console.text import Text

MOST_RELATIVES = 6
MOST_LABELS = 12
SPLITS = {"fit": "to learn from", "calibrate": "to set the threshold", "judge": "to judge"}
STEPS = {"fit": "learning", "judge": "judging", "package": "packing"}


def origin(say: Text, seen: JudgedModel) -> None:
    with ui.element("div").classes("columns"):
        _lineage(say, seen)
        with ui.element("div").classes("stack"):
            _splits(say, seen)
            _rungs(say, seen)
            _cost(say, seen)


def _lineage(say: Text, seen: JudgedModel) -> None:
    model, lineage = seen.model, seen.lineage
    with card(say("Where it comes from")):
        facts(
            [
                (say("Dataset"), lambda: _link(model.dataset, f"/datasets/{model.dataset}")),
                (say("Snapshot"), lambda: _digest(lineage.snapshot)),
                (say("Question"), lambda: _question(say, seen)),
                (say("Recipe"), lineage.recipe),
                (say("Trunk"), lambda: _trunks(say, seen)),
                (say("Precision"), f"{lineage.precision}, {lineage.runtime}"),
                (say("Seed"), str(lineage.seed)),
                (
                    say("Code"),
                    say(
                        "{code}, recipe version {version}",
                        code=seen.manifest.made_by,
                        version=seen.manifest.head.version,
                    ),
                ),
                (say("Package"), lambda: _digest(lineage.package)),
                (say("Model"), lambda: _digest(model.id)),
                (
                    say("Made"),
                    say(
                        "{when} UTC by {who}",
                        when=say.moment(model.created_at),
                        who=model.created_by,
                    ),
                ),
                *([(say("Fleet"), model.fleet)] if model.fleet else []),
            ]
        )
        _relatives(say, seen)


def _link(text: str, to: str) -> None:
    link(text, to)


def _digest(digest: str) -> None:
    words(f"{digest[:16]}…", tag="code").props["title"] = digest


def _trunks(say: Text, seen: JudgedModel) -> None:
    for given in seen.manifest.inputs:
        told = say(
            "{trunk} at {px} px, views: {views}",
            trunk=given.trunk,
            px=given.size_px,
            views=len(given.views),
        )
        words(told, tag="div")


def _question(say: Text, seen: JudgedModel) -> None:
    _digest(seen.lineage.question)
    words(
        say(
            "looks taken: {looks}; other models of it: {others}",
            looks=say.number(seen.family.looks),
            others=say.number(seen.family.related),
        ),
        tag="div",
        classes="muted small",
    )


def _relatives(say: Text, seen: JudgedModel) -> None:
    """Other answers to the same question, newest first."""
    if not seen.family.relatives:
        return
    with ui.element("div"):
        words(say("Other models of this question"), tag="h3")
        with ui.element("ul").classes("plain"):
            for one, task, status in seen.family.relatives[:MOST_RELATIVES]:
                with ui.element("li").classes("row"):
                    link(f"{task} · {one[:8]}", f"/models/{one}")
                    badge(status, say(status))


def _splits(say: Text, seen: JudgedModel) -> None:
    counted: dict[str, dict[str, int]] = seen.manifest.lineage["splits"]
    splits = {name: counted[name] for name in SPLITS if name in counted}
    answers = sorted({answer for found in splits.values() for answer in found})
    with card(say("Pictures, by what they were for")):
        columns = [
            Column(say("Label")),
            *(Column(say(SPLITS[name]), is_number=True) for name in splits),
        ]
        rows = [
            [
                say("none") if answer == "none" else answer,
                *(say.number(found.get(answer, 0)) for found in splits.values()),
            ]
            for answer in answers[:MOST_LABELS]
        ]
        sums = [say.number(sum(found.values())) for found in splits.values()]
        table(columns, [*rows, [say("all"), *sums]], label=say("Pictures, by what they were for"))
        dataset = seen.model.dataset
        link(say("See the pictures of {dataset}", dataset=dataset), f"/datasets/{dataset}")


def _rungs(say: Text, seen: JudgedModel) -> None:
    if seen.make is None or not seen.make.rungs:
        return
    chosen = seen.model.id
    with card(say("Rungs of the ladder that were tried")):
        columns = [
            Column(say("Rung")),
            Column(say("Outcome")),
            Column(say("Estimate"), is_number=True),
            Column(say("Time"), is_number=True),
        ]
        rows = [
            [
                f"{rung['name']} ←" if rung["model"] == chosen else rung["name"],
                _state(say, rung["outcome"]),
                "–" if rung["estimate"] is None else f"{rung['estimate']:.3f}",
                duration(rung["seconds"]),
            ]
            for rung in seen.make.rungs
        ]
        table(columns, rows, label=say("Rungs of the ladder that were tried"))
        words(
            say("The estimate is made without the judge pictures; ← is this model."),
            classes="muted small",
        )


def _state(say: Text, state: str) -> Cell:
    return lambda: badge(state, say(state))


def _cost(say: Text, seen: JudgedModel) -> None:
    seconds = seen.model.seconds
    times = [(say(STEPS.get(step, step)), duration(took)) for step, took in seconds.items()]
    with card(say("What it cost")):
        facts(
            [
                *times,
                (say("head"), size(seen.head_bytes)),
                (say("package"), size(seen.model.head.length)),
                (
                    say("Ledger"),
                    lambda: _link(
                        say(
                            "{amount} for this task so far",
                            amount=money(seen.spent.total, seen.spent.currency),
                        ),
                        "/ledger",
                    ),
                ),
            ]
        )

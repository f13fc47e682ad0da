"""Commands about the loop: watch, unwatch, watched, timeline, approve, reject, report-miss."""

from pathlib import Path
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, stdout
from tenfold.workspace import opened

Name = Annotated[str, typer.Argument(help="A deployment, such as station-7/cap.")]
Why = Annotated[str, typer.Option(help="Why, for the timeline.")]


def register(app: typer.Typer) -> None:
    for command in (watch, unwatch, watched, timeline, approve, reject):
        app.command()(command)
    app.command("report-miss")(report_miss)


def watch(
    name: Name,
    rules: Annotated[
        Path | None, typer.Option(help="Rules of the loop (YAML); none: the defaults.")
    ] = None,
    json: Json = False,
) -> None:
    """Watch a deployment: look for change, ask people, make it anew and roll it out."""
    from tenfold.loop import flows, spec

    chosen = spec.load(rules) if rules else spec.LoopSpec()
    with opened() as workspace:
        loop = flows.watch(workspace, name, chosen)
    if json:
        emit({"deployment": name, "rules": loop.spec})
        return
    stdout.print(f"{escape(name)} is watched while `tenfold hub` runs.")
    how = "after a person's nod" if chosen.approve == "person" else "by the rules alone"
    stdout.print(f"[dim]A new model that is proven goes live {how}.[/]")


def unwatch(name: Name, json: Json = False) -> None:
    """Watch a deployment no longer; its timeline and labels stay."""
    from tenfold.loop import flows

    with opened() as workspace:
        flows.unwatch(workspace, name)
    emit({"deployment": name}) if json else stdout.print(f"{escape(name)} is no longer watched.")


def watched(
    name: Annotated[str, typer.Argument(help="One deployment, in full.")] = "", json: Json = False
) -> None:
    """What is watched, what changed there, and what the loop does next."""
    from tenfold.loop import describing

    with opened() as workspace:
        found = describing.watched(workspace, name)
    if json:
        emit(found)
        return
    if not found:
        stdout.print("Nothing is watched yet: tenfold watch NAME")
        return
    table = Table("deployment", "live", "answers", "change", "to review", "labels", "next")
    for one in found:
        table.add_row(
            escape(one.deployment),
            one.live[:12],
            f"{one.answers:,}",
            escape(", ".join(one.alarms)) or "none",
            f"{one.to_review:,}",
            f"{one.labels:,}",
            escape(one.next),
        )
    stdout.print(table)
    for one in found if name else []:
        for sentence in (*one.rates, *one.remarks):
            stdout.print(escape(sentence), soft_wrap=True)


def timeline(name: Name, json: Json = False) -> None:
    """Everything that happened to a deployment, oldest first."""
    from tenfold.catalog import loops

    with opened() as workspace:
        told = loops.timeline(workspace.scope, name)
    if json:
        emit(told)
        return
    table = Table("when (UTC)", "who", "what", "model", "why")
    for one in told:
        detail: dict[str, Any] = one.detail or {}
        when = f"{one.at:%Y-%m-%d %H:%M:%S}" if one.at else ""
        why = str(detail.get("why") or detail.get("problem") or "")
        table.add_row(when, escape(one.actor), one.kind, one.model[:12], escape(why))
    stdout.print(table)


def approve(name: Name, why: Why = "", json: Json = False) -> None:
    """Let the new model that waits for a nod go on to answer."""
    from tenfold.loop import flows

    with opened() as workspace:
        model = flows.approve(workspace, name, why=why)
    emit({"model": model}) if json else stdout.print(f"Model {model[:12]} may go on.")


def reject(name: Name, why: Why = "", json: Json = False) -> None:
    """Give up the new model that is on trial; what is live stays."""
    from tenfold.loop import flows

    with opened() as workspace:
        model = flows.reject(workspace, name, why=why)
    emit({"model": model}) if json else stdout.print(f"Model {model[:12]} is given up.")


def report_miss(
    image: Annotated[Path, typer.Argument(help="The picture in which a defect was missed.")],
    deployment: Annotated[str, typer.Option(help="What missed it, such as station-7/cap.")],
    region: Annotated[
        list[str] | None,
        typer.Option(help="Where the defect is: x0,y0,x1,y1 in pixels; may be given again."),
    ] = None,
    label: Annotated[str, typer.Option(help="What it is; default: the bad class.")] = "",
    json: Json = False,
) -> None:
    """Report a defect that was let pass: the next model must know it and its like."""
    from tenfold.loop import misses

    boxes = [misses.box_of(text) for text in region or []]
    with opened() as workspace:
        told = misses.report_miss(workspace, image, deployment, boxes=boxes, label=label)
    if json:
        emit(told)
        return
    stdout.print(f"Reported as {escape(repr(told.label))}: sample {told.sample[:12]}.")
    stdout.print(f"[dim]{escape(told.next)}[/]")

"""Commands about the review queue: review ls, picture, label, export, import."""

import time
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, stdout
from tenfold.errors import NotFound
from tenfold.workspace import opened

MOST_SHOWN = 50
Name = Annotated[str, typer.Argument(help="A deployment, such as station-7/cap.")]


def register(app: typer.Typer) -> None:
    group = typer.Typer(help="Pictures that somebody should look at.", no_args_is_help=True)
    group.command("ls")(waiting)
    group.command("picture")(picture)
    group.command("label")(label)
    group.command("export")(export)
    group.command("import")(take)
    app.add_typer(group, name="review")


def waiting(
    name: Annotated[str, typer.Argument(help="One deployment; default: all.")] = "",
    limit: Annotated[int, typer.Option(help="At most so many pictures.")] = MOST_SHOWN,
    json: Json = False,
) -> None:
    """What waits for people, worthiest first."""
    from tenfold.catalog import picks

    with opened() as workspace:
        if not name:
            counts = picks.waiting(workspace.scope)
            if json:
                emit(counts)
                return
            for deployment, count in counts.items():
                stdout.print(f"{escape(deployment)}: {count:,} pictures")
            if not counts:
                stdout.print("Nothing waits for anybody.")
            return
        actor = workspace.scope.actor
        found = picks.open_picks(workspace.scope, name, limit=limit, unseen_by=actor)
        of_others = 0 if found else picks.waiting(workspace.scope).get(name, 0)
    if json:
        emit([{"sample": one.sample, "answered_at": one.answered_at} for one in found])
        return
    if not found:
        others = f"Nothing waits for you; {of_others:,} pictures wait for somebody else to look."
        stdout.print(others if of_others else "Nothing waits for anybody.")
        return
    table = Table("picture", "answered (UTC)")
    for one in found:  # who knows why, or what was said, sees what was said
        table.add_row(one.sample[:16], f"{one.answered_at:%Y-%m-%d %H:%M}")
    stdout.print(table)
    stdout.print(f"[dim]tenfold review picture {escape(name)} PICTURE --out FILE shows one.[/]")


def picture(
    name: Name,
    sample: Annotated[str, typer.Argument(help="The picture, as `review ls` names it.")],
    out: Annotated[Path, typer.Option(help="File to write.")],
    json: Json = False,
) -> None:
    """Write a picture of the queue to a file."""
    with opened() as workspace:
        from tenfold.loop import labelling

        digest = labelling.sample_of(workspace, name, sample)
        try:
            out.write_bytes(workspace.blobs.get(digest))
        except OSError as error:
            raise NotFound(f"it cannot be written ({error.strerror}).", where=str(out)) from error
    emit({"sample": digest, "file": out}) if json else stdout.print(escape(str(out)))


def label(
    name: Name,
    sample: Annotated[str, typer.Argument(help="The picture, as `review ls` names it.")],
    said: Annotated[str, typer.Argument(help="A class; an empty word: nobody can tell.")],
    seconds: Annotated[float, typer.Option(help="How long it took, for the ledger.")] = 0.0,
    json: Json = False,
) -> None:
    """Say what a picture shows."""
    from tenfold.loop import labelling
    from tenfold.loop.labelling import Opinion

    with opened() as workspace:
        digest = labelling.sample_of(workspace, name, sample)
        key = f"cli:{digest}:{workspace.scope.actor}:{time.time_ns()}"
        opinion = Opinion(digest, said, seconds=seconds, shown={"by": "cli"}, key=key)
        taken = labelling.label(workspace, name, opinion)
    emit(taken) if json else stdout.print(escape(labelling.in_words(taken)))


Tool = Annotated[str, typer.Option(help="The tool: label_studio or cvat.")]


def export(
    name: Name,
    folder: Annotated[Path, typer.Argument(help="A new folder.")],
    tool: Tool = "label_studio",
    limit: Annotated[int, typer.Option(help="At most so many pictures; 0: all.")] = 0,
    json: Json = False,
) -> None:
    """Write what waits for people as files that an annotation tool imports."""
    from tenfold.loop import exchanging

    with opened() as workspace:
        count = exchanging.export(workspace, name, tool, folder, limit=limit)
    if json:
        emit({"pictures": count, "folder": folder})
        return
    stdout.print(f"{count:,} pictures in {escape(str(folder))}: docs/review-exchange.md goes on.")


def take(
    name: Name,
    file: Annotated[Path, typer.Argument(help="What the tool exported.")],
    tool: Tool = "label_studio",
    who: Annotated[str, typer.Option(help="Who labelled, where the tool does not say.")] = "",
    json: Json = False,
) -> None:
    """Take in what people said in an annotation tool; again adds nothing."""
    from tenfold.loop import exchanging

    with opened() as workspace:
        done = exchanging.import_labels(workspace, name, tool, file, who=who)
    if json:
        emit(done)
        return
    stdout.print(
        f"{done.labels:,} new labels, {done.known:,} were known; {done.settled:,} settled."
    )

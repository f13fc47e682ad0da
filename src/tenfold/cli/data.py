"""Commands about data: ingest, embed, ls, show, forget."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli import output
from tenfold.cli.output import Json, emit, progress_bars, stdout
from tenfold.workspace import opened


def register(app: typer.Typer) -> None:
    app.command()(ingest)
    app.command()(embed)
    app.command()(ls)
    app.command()(show)
    app.command()(forget)


def ingest(
    source: Annotated[str, typer.Argument(help="A folder, a CSV file, or `elpv`.")],
    name: Annotated[str | None, typer.Option(help="Dataset name; default: the source's.")] = None,
    format: Annotated[str | None, typer.Option(help="image_folder, mvtec, csv or elpv.")] = None,
    json: Json = False,
) -> None:
    """Read pictures and labels into the catalog; bad files are set aside with their reason."""
    from tenfold.factory.ingest import ingest as run

    with opened() as workspace, progress_bars() as progress:
        made = run(workspace, source, name=name, format=format, progress=progress)
    if json:
        emit(made)
        return
    stdout.print(f"Understood: {escape(made.dataset.understood)}")
    for sentence in made.sentences:
        stdout.print(escape(sentence))
    stdout.print(f"Next: [bold]tenfold make[/] a task on {escape(made.dataset.name)!r}.")


def embed(
    dataset: Annotated[str, typer.Argument(help="Name of an ingested dataset.")],
    kind: Annotated[
        list[str] | None, typer.Option(help="classify (pooled features) and/or anomaly (maps).")
    ] = None,
    json: Json = False,
) -> None:
    """Pass every picture through the trunk once, ahead of `make`, for the first rung of a kind."""
    from tenfold.factory.make import embed_ahead

    with opened() as workspace, progress_bars() as progress:
        done = embed_ahead(workspace, dataset, kinds=kind or ["classify"], progress=progress)
    if json:
        emit(done)
        return
    stdout.print(
        f"{done.images:,} pictures embedded in {done.seconds:.1f} s; "
        f"{done.found:,} were there already."
    )


def ls(
    text: Annotated[str, typer.Argument(help="Only models whose task has this in its name.")] = "",
    dataset: Annotated[str, typer.Option(help="Only models on this dataset.")] = "",
    fleet: Annotated[str, typer.Option(help="Only models of this fleet.")] = "",
    status: Annotated[str, typer.Option(help="Only models with this verdict.")] = "",
    limit: Annotated[int, typer.Option(help="Models to list at most; 0: all.")] = 50,
    json: Json = False,
) -> None:
    """List datasets and models, by the names of their tasks."""
    from tenfold.catalog import datasets, models

    sought = models.Search(text, dataset=dataset, fleet=fleet, status=status, limit=limit)
    with opened() as workspace:
        have = datasets.everything(workspace.scope)
        made = models.search(workspace.scope, sought)
        counts = models.count(workspace.scope)
    if json:
        emit({"datasets": have, "models": made, "counts": counts})
        return
    if not have:
        stdout.print("Nothing here yet. Try: [bold]tenfold make ./images[/]")
        return
    table = Table("dataset", "format", "samples", "set aside", "source")
    for d in have:
        table.add_row(d.name, d.format, f"{d.size:,}", f"{d.set_aside:,}", escape(d.source))
    stdout.print(table)
    table = Table("task", "model", "kind", "dataset", "rung", "verdict", "made")
    for m in made:
        when = m.created_at.strftime("%Y-%m-%d %H:%M") if m.created_at else ""
        table.add_row(m.task, m.id[:12], m.kind, m.dataset, m.rung, output.status(m.status), when)
    stdout.print(table)
    total = sum(counts.values())
    words = ", ".join(f"{output.status(word)} {n:,}" for word, n in sorted(counts.items()))
    stdout.print(f"{len(made):,} of {total:,} models listed ({words}).")


def show(
    name: Annotated[str, typer.Argument(help="A dataset, or a model by task name or id.")],
    json: Json = False,
) -> None:
    """Show a dataset (labels, groups, files set aside) or a model (verdict, lineage, cost)."""
    from tenfold.factory.describe import describe

    with opened() as workspace:
        described = describe(workspace, name)
    if json:
        emit(described)
        return
    for title, rows in described.sections():
        table = Table(title=title, show_header=False, title_justify="left")
        table.add_column(style="bold")
        table.add_column(overflow="fold")
        for key, value in rows:
            table.add_row(escape(key), escape(value))
        stdout.print(table)


def forget(
    name: Annotated[str, typer.Argument(help="A dataset, or a model by task name or id.")],
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    json: Json = False,
) -> None:
    """Remove a dataset or model with what hangs on it, after saying what that is."""
    from tenfold.factory.forget import forget as run
    from tenfold.factory.forget import what_hangs_on

    with opened() as workspace:
        hanging = what_hangs_on(workspace, name)
        if not json:
            stdout.print(escape(hanging.in_words()))
        if not yes:
            typer.confirm("Remove all of this?", abort=True, err=True)
        run(workspace, hanging)
    if json:
        emit(hanging)
    else:
        stdout.print("Forgotten. What was spent on judging stays spent.")

"""Commands about models: make, predict, reproduce, evidence, export."""

import sys
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli import fleet, output
from tenfold.cli.output import Json, emit, progress_bars, stdout
from tenfold.errors import DataError, SpecError
from tenfold.workspace import opened

if TYPE_CHECKING:
    from tenfold.factory.make import Batch

Model = Annotated[str, typer.Argument(help="A model by task name or id, or a .tenfold file.")]


def register(app: typer.Typer) -> None:
    for command in (make, predict, reproduce, evidence, export):
        app.command()(command)


def make(
    sources: Annotated[
        list[str],
        typer.Argument(help="Task files (YAML), one fleet file, or one folder or CSV of pictures."),
    ],
    out: Annotated[
        Path | None,
        typer.Option(help="The report: an .html file, or a folder; default: the workspace."),
    ] = None,
    strict: Annotated[
        bool, typer.Option("--strict", help="Exit 11 unless every verdict is `accepted`.")
    ] = False,
    plan: Annotated[
        bool, typer.Option("--plan", help="Of a fleet: say what would be made; nothing runs.")
    ] = False,
    engine: Annotated[
        str, typer.Option(help="Who fits heads: local (this machine's cores) or ray.")
    ] = "local",
    address: Annotated[
        str, typer.Option(help="Of a Ray cluster that is there; default: one on this machine.")
    ] = "",
    json: Json = False,
) -> None:
    """Make models: embed, fit, climb the ladder, calibrate, judge, package, report."""
    from tenfold.factory.fleet import is_fleet
    from tenfold.factory.make import Workers, make_all

    if address and engine == "local":
        raise SpecError("--address needs --engine ray.")
    workers = Workers(engine, address)
    if any(is_fleet(source) for source in sources):
        if out is not None:
            raise SpecError(
                "--out is for the report of tasks; a fleet prints what it came to.",
                hint="`tenfold report task TASK --out …` writes the report of one of its tasks.",
            )
        if plan:
            fleet.survey(sources, json=json)
        else:
            fleet.make(sources, workers=workers, strict=strict, json=json)
        return
    if plan:
        raise SpecError("--plan is for fleet files.", hint="docs/fleets.md says what one is.")

    with opened() as workspace, progress_bars() as progress:
        batch = make_all(workspace, sources, out=out, progress=progress, workers=workers)
    if json:
        emit(batch.as_json())
    else:
        _print_batch(batch)
    if strict and any(made.model.status != "accepted" for made in batch.made):
        sys.exit(output.NOT_ACCEPTED)


def _print_batch(batch: "Batch") -> None:
    for sentence in batch.understood:
        stdout.print(escape(sentence))
    table = Table("task", "verdict", "rung", "proof", "looks", "seconds")
    for made in batch.made:
        table.add_row(
            escape(made.task),
            output.status(made.model.status),
            made.model.rung,
            escape("\n".join(made.proof)),
            str(made.verdict.look),
            "found" if made.was_found else f"{made.total_seconds:.1f}",
        )
    stdout.print(table)
    for made in batch.made:
        stdout.print(f"[bold]{escape(made.task)}[/]: {escape(made.in_words)}")
        for step in made.verdict.next_steps:
            stdout.print(f"  [dim]→[/] {escape(step)}")
    for remark in batch.remarks:
        stdout.print(f"[dim]{escape(remark)}[/]")
    for name, path in batch.written:
        stdout.print(f"{name}: {escape(str(path))}", soft_wrap=True)


def predict(
    model: Model,
    paths: Annotated[list[str], typer.Argument(help="Files, folders or globs of pictures.")],
    csv: Annotated[bool, typer.Option("--csv", help="Print CSV.")] = False,
    jsonl: Annotated[bool, typer.Option("--jsonl", help="Print JSON Lines.")] = False,
    overlays: Annotated[
        Path | None, typer.Option(help="Write overlays of anomaly maps (PNG) into this folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Ask a model about pictures; the order is kept, a bad file is a row that says why."""
    from tenfold.factory.predict import as_csv, predict_paths

    with opened() as workspace:
        with progress_bars() as progress:
            rows = list(
                predict_paths(workspace, model, paths, overlays=overlays, progress=progress)
            )
        if json:
            emit({"model": model, "rows": rows})
        elif jsonl:
            for row in rows:
                emit(row)
        elif csv:
            sys.stdout.write(as_csv(rows))
        else:
            table = Table("answer", "score", "note")
            table.add_column("file", overflow="fold")
            for row in rows:
                score = "" if row.score is None else f"{row.score:.4f}"
                table.add_row(escape(row.answer), score, escape(row.note), escape(row.path))
            stdout.print(table)
    if rows and all(row.answer == "error" for row in rows):
        sys.exit(output.EXIT_CODES[DataError])  # the rows say why


def reproduce(model: Model, json: Json = False) -> None:
    """Make a model again from its snapshot and compare it with the registered one."""
    from tenfold.factory.reproduce import reproduce as run

    with opened() as workspace, progress_bars() as progress:
        outcome = run(workspace, model, progress=progress)
    if json:
        emit(outcome)
    else:
        stdout.print(escape(outcome.in_words))


def evidence(
    model: Model,
    out: Annotated[Path | None, typer.Option(help="Folder; default: print the CSV.")] = None,
    json: Json = False,
) -> None:
    """Export what a verdict rests on: a CSV of every judged sample, and the arithmetic."""
    from tenfold.factory.export import evidence_of

    with opened() as workspace:
        csv_text, arithmetic = evidence_of(workspace, model)
    if json:
        emit({"csv": csv_text, "arithmetic": arithmetic})
    elif out is None:
        sys.stdout.write(csv_text)
    else:
        out.mkdir(parents=True, exist_ok=True)
        (out / "evidence.csv").write_text(csv_text)
        (out / "arithmetic.txt").write_text(arithmetic)
        stdout.print(f"{escape(str(out / 'evidence.csv'))}\n{escape(str(out / 'arithmetic.txt'))}")


def export(
    models: Annotated[
        list[str], typer.Argument(help="A model by task name or id; several with `--edge`.")
    ],
    out: Annotated[Path | None, typer.Option(help="File to write.")] = None,
    onnx: Annotated[
        bool, typer.Option("--onnx", help="One ONNX file: preprocessing, trunk and head.")
    ] = False,
    edge: Annotated[
        Path | None,
        typer.Option(help="Folder to write: a panel of heads on one trunk, and its runner."),
    ] = None,
    json: Json = False,
) -> None:
    """Write a model as one `.tenfold` file, or one or several as files that need no Tenfold."""
    from tenfold.factory.edge_export import export_edge
    from tenfold.factory.export import export_onnx, export_package

    if (out is None) == (edge is None) or (edge and onnx):
        raise SpecError(
            "an export is one of `--out FILE`, `--out FILE --onnx` and `--edge FOLDER`.",
            hint="Name one of them.",
        )
    if out and len(models) > 1:
        raise SpecError(
            f"one file holds one model, got {len(models)}.",
            hint="Export one after another, or as a panel with `--edge FOLDER`.",
        )
    with opened() as workspace, progress_bars() as progress:
        if out:
            run = export_onnx if onnx else export_package
            written = run(workspace, models[0], out, progress=progress)
        else:
            assert edge is not None
            written = export_edge(workspace, models, edge, progress=progress)
    if json:
        emit(written)
    else:
        stdout.print(escape(written.in_words), soft_wrap=True)

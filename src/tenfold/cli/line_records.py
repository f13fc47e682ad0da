"""What a station recorded, for people: reports of shifts, and what became of a part."""

from contextlib import closing
from dataclasses import asdict
from datetime import datetime
from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, stdout
from tenfold.errors import SpecError
from tenfold.workspace import opened


def register(line_app: typer.Typer) -> None:
    line_app.command("report")(report_shift)
    line_app.command("trace")(trace_part)


def report_shift(
    station: Annotated[str, typer.Argument(help="Name of the station.")],
    shift: Annotated[
        str, typer.Option("--shift", help="Such as '2026-03-02 early'; else the newest.")
    ] = "",
    since: Annotated[str, typer.Option("--since", help="From that day or time on.")] = "",
    until: Annotated[str, typer.Option("--until", help="Until that day or time.")] = "",
    part: Annotated[str, typer.Option("--part", help="Of that part number alone.")] = "",
    out: Annotated[Path | None, typer.Option("--out", help="HTML file to write.")] = None,
    csv: Annotated[
        Path | None, typer.Option("--csv", help="Write all looks into this CSV file.")
    ] = None,
    note: Annotated[
        str, typer.Option("--note", help="A sentence for its head, such as what was simulated.")
    ] = "",
    json: Json = False,
) -> None:
    """Write the report of a shift, or of some days, as one HTML file."""
    from tenfold.apps.line import stations
    from tenfold.apps.line.counted import newest_shift
    from tenfold.apps.line.journal import Span
    from tenfold.apps.line.report import gather, render
    from tenfold.apps.line.tracing import write_csv
    from tenfold.atomic import write_bytes
    from tenfold.factory.report.words import percent

    with opened() as workspace, closing(stations.worked(workspace, station)) as journal:
        if not (shift or since or until):
            shift = newest_shift(journal)
        span = Span(shift, _moment(since), _moment(until), part=part)
        evidence = stations.evidence_of(workspace, station)
        rabbits = stations.rabbits_of(workspace, station)
        report = gather(journal, evidence, span, station=station, note=note, rabbits=rabbits)
        name = "".join(c if c.isalnum() else "-" for c in f"{station} {report.name}")
        path = out or workspace.settings.home / "reports" / f"line-{name}.html"
        write_bytes(path, render(report).encode())
        rows = 0
        if csv:
            rows = write_csv(csv, journal.each(span))
    if json:
        emit(
            {"station": station, "shift": report.name, "yields": report.yields, "report": path}
            | {"alarms": len(report.alarms), "pareto": report.pareto, "csv": csv, "rows": rows}
        )
        return
    yields = report.yields
    stdout.print(
        f"{escape(report.name)}: {yields.ok:,} of {yields.parts:,} parts OK, yield "
        f"{percent(yields.share)}, first-pass yield {percent(yields.first_pass)}."
    )
    stdout.print(f"Report: {escape(str(path))}", soft_wrap=True)
    if csv:
        stdout.print(f"{rows:,} rows: {escape(str(csv))}", soft_wrap=True)


def trace_part(
    station: Annotated[str, typer.Argument(help="Name of the station.")],
    serial: Annotated[str, typer.Option("--serial", help="Looks at that part.")] = "",
    lot: Annotated[str, typer.Option("--lot", help="Looks at parts of that lot.")] = "",
    shift: Annotated[str, typer.Option("--shift", help="Looks of that shift.")] = "",
    part: Annotated[str, typer.Option("--part", help="Looks at that part number.")] = "",
    last: Annotated[int, typer.Option("--last", min=1, help="So many of them, the newest.")] = 50,
    json: Json = False,
) -> None:
    """Tell what a station saw and said of parts, with the files of their pictures."""
    from tenfold.apps.line import stations
    from tenfold.apps.line.counted import span_of
    from tenfold.apps.line.journal import Span

    with opened() as workspace, closing(stations.worked(workspace, station)) as journal:
        span = Span(shift, part=part, serial=serial, lot=lot)
        looks, (in_all, _, _) = journal.newest(span, last)[::-1], span_of(journal, span)
        evidence = stations.evidence_of(workspace, station)
        files = [evidence.path(look) for look in looks]
    if json:
        told = [
            {**asdict(look), "verdict": look.verdict, "file": file}
            for look, file in zip(looks, files, strict=True)
        ]
        emit({"station": station, "looks": told, "in_all": in_all})
        return
    table = Table(
        "time", "number", "part", "serial", "lot", "outcome", "reason", "overruled", "picture"
    )
    for look, file in zip(looks, files, strict=True):
        word = f"{look.overruled} by {look.overruled_by}" if look.overruled else ""
        told = (look.part, look.serial, look.lot, look.outcome, look.reason, word, str(file or ""))
        when = f"{look.at.astimezone():%Y-%m-%d %H:%M:%S}"
        table.add_row(when, f"{look.sequence}", *map(escape, told))
    stdout.print(table)
    if in_all > len(looks):
        stdout.print(f"The newest {len(looks)} of {in_all:,} looks; --last shows more.")


def _moment(text: str) -> datetime | None:
    """A day or a time, by the clock of this machine."""
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).astimezone()
    except ValueError as error:
        raise SpecError(
            f"expected a day or a time, got {text!r}.",
            hint="Such as 2026-03-02, or '2026-03-02 06:00'.",
        ) from error

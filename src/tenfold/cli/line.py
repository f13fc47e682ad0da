"""Commands of the inspection station on a production line."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tenfold.cli import line_parts, line_records
from tenfold.cli.output import Json, emit, stdout
from tenfold.errors import SpecError
from tenfold.workspace import opened

line_app = typer.Typer(help="An inspection station on a production line.", no_args_is_help=True)
NOT_REACHED = 8
"""Exit code of `Unavailable`."""


def register(app: typer.Typer) -> None:
    line_records.register(line_app)
    line_parts.register(line_app)
    app.add_typer(line_app, name="line")


@line_app.command("check")
def check_station(
    spec: Annotated[Path, typer.Argument(help="YAML file of the station.")],
    wait: Annotated[
        float, typer.Option("--wait", min=0.1, max=300, help="Seconds for a camera to answer.")
    ] = 10.0,
    json: Json = False,
) -> None:
    """Check a station's file, and say what the station cannot reach; releases nothing."""
    from tenfold.apps.line.check import check, is_reachable
    from tenfold.apps.line.station import load_station

    station = load_station(spec)
    findings = check(station, wait_s=wait)
    is_ready = is_reachable(findings)
    if json:
        emit({"station": station.station, "reachable": is_ready, "findings": findings})
    else:
        for one in findings:
            mark = "[green]✓[/]" if one.state == "ok" else "[bold red]✗[/]"
            stdout.print(f"{mark} {escape(one.what)}: {escape(one.text)}", soft_wrap=True)
            if one.hint:
                stdout.print(f"    [dim]→[/] {escape(one.hint)}", soft_wrap=True)
        stdout.print(
            f"Station {escape(station.station)!r} reaches all it needs."
            if is_ready
            else f"Station {escape(station.station)!r} does not reach all it needs."
        )
    if not is_ready:
        raise typer.Exit(NOT_REACHED)


@line_app.command("run")
def run_station(
    spec: Annotated[Path, typer.Argument(help="YAML file of the station.")],
    json: Json = False,
) -> None:
    """Be the station: judge every part that comes, until Ctrl-C or SIGTERM."""
    import signal

    from tenfold.apps.line import running
    from tenfold.apps.line.station import load_station

    asked = load_station(spec)
    with opened() as workspace, running.opened(workspace, asked) as station:

        def stop(_number: int, _frame: object) -> None:
            station.ask_to_stop()

        for number in (signal.SIGTERM, signal.SIGINT):
            signal.signal(number, stop)
        if json:
            emit({"station": asked.station, "state": "at work"})
        else:
            stdout.print(f"Station {escape(asked.station)!r} is at work. Ctrl-C ends it.")
        station.run()


@line_app.command("teach")
def teach_part(
    spec: Annotated[Path, typer.Argument(help="YAML file of the station.")],
    part: Annotated[Path, typer.Argument(help="YAML file of the part: regions and checks.")],
    good: Annotated[Path, typer.Argument(help="Folder with pictures of good parts, 20 or more.")],
    bad: Annotated[
        list[str] | None,
        typer.Option(
            "--bad", help="REGION=LABEL:FOLDER, pictures of parts with a defect there; repeatable."
        ),
    ] = None,
    json: Json = False,
) -> None:
    """Teach a station a part; seconds later its heads are at work."""
    from tenfold.apps.line.part import load_part
    from tenfold.apps.line.pictures import pictures_in, read
    from tenfold.apps.line.station import load_station
    from tenfold.apps.line.stations import parts_of
    from tenfold.apps.line.teach import Shown, in_words, teach

    asked, wanted = load_station(spec), load_part(part)
    shown = [Shown(pixels, {}) for pixels in pictures_in(good)]
    for region, label, folder in map(_defect, bad or []):
        shown += [Shown(pixels, {region: label}) for pixels in pictures_in(folder)]
    with opened() as workspace:
        reference = read(part.parent / wanted.reference)
        parts = parts_of(workspace, asked.station)
        told = teach(workspace, parts, wanted, reference, shown)
        mode = parts.get(wanted.part).spec.mode
    if json:
        emit({"taught": told, "mode": mode})
        return
    for line in in_words(told):
        stdout.print(escape(line), soft_wrap=True)
    if mode == "shadow":
        stdout.print(
            f"It is in shadow: a person decides about each part until it is live. "
            f"`tenfold line parts {escape(asked.station)}` says what is proven.",
            soft_wrap=True,
        )


def _defect(text: str) -> tuple[str, str, Path]:
    region, _, rest = text.partition("=")
    label, _, folder = rest.partition(":")
    if not (region and label and folder):
        raise SpecError(f"expected REGION=LABEL:FOLDER, got {text!r}.", where="--bad")
    return region, label, Path(folder)

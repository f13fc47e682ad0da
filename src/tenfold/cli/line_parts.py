"""Commands about the part numbers of a station: what people say of parts, and what is proven."""

from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, stdout
from tenfold.workspace import opened

Station = Annotated[str, typer.Argument(help="Name of the station.")]
PartNumber = Annotated[str, typer.Argument(metavar="PART", help="Part number.")]
Id = Annotated[int, typer.Argument(help="Of the look at the part, as the journal counts.")]
Verdict = Annotated[Literal["ok", "reject", "manual"], typer.Argument(help="What the part is.")]
Why = Annotated[str, typer.Option(help="Why, for the journal.")]
Region = Annotated[str, typer.Option(help="The region that shows it.")]
Label = Annotated[str, typer.Option(help="What that region shows, such as scratch or hole.")]


def register(line_app: typer.Typer) -> None:
    for command in (propose, overrule, inspected, live, shadow, parts):
        line_app.command()(command)


def overrule(
    station: Station,
    id: Id,
    verdict: Verdict,
    why: Why,
    region: Region = "",
    label: Label = "",
    json: Json = False,
) -> None:
    """Overrule a station's verdict; the part's heads learn from it when they are taught again."""
    from tenfold.apps.line.overruling import Word, in_words
    from tenfold.apps.line.overruling import overrule as overruled

    with opened() as workspace:
        word = Word(verdict, workspace.scope.actor, why, region, label)
        told = overruled(workspace, station, id, word)
    if json:
        emit({"overruled": told})
        return
    for line in in_words(told):
        stdout.print(escape(line), soft_wrap=True)


def inspected(
    station: Station,
    id: Id,
    verdict: Verdict,
    why: Why = "inspected",
    region: Region = "",
    label: Label = "",
    json: Json = False,
) -> None:
    """Say what a part in shadow is; it counts for or against the part number's heads."""
    from tenfold.apps.line.modes import state
    from tenfold.apps.line.overruling import Word, in_words
    from tenfold.apps.line.overruling import inspected as taken

    with opened() as workspace:
        word = Word(verdict, workspace.scope.actor, why, region, label)
        told = taken(workspace, station, id, word)
        proven = state(workspace, station, told.part.part).words if told.part.judged else []
    if json:
        emit({"inspected": told, "proven": proven})
        return
    for line in (*in_words(told), *proven):
        stdout.print(escape(line), soft_wrap=True)


def live(station: Station, part: PartNumber, why: Why, json: Json = False) -> None:
    """Let a part number go live: the station releases its good parts. Recorded by name."""
    from tenfold.apps.line import modes

    with opened() as workspace:
        said = modes.live(workspace, station, part, why=why)
    if json:
        emit({"said": said})
        return
    stdout.print(f"Part number {escape(part)} is live, says {escape(said.by)}. What is proven:")
    for line in said.proven or ("nothing",):
        stdout.print(escape(line), soft_wrap=True)


def shadow(station: Station, part: PartNumber, why: Why, json: Json = False) -> None:
    """Take a part number back into shadow: a person decides about each part."""
    from tenfold.apps.line import modes

    with opened() as workspace:
        said = modes.shadow(workspace, station, part, why=why)
    if json:
        emit({"said": said})
        return
    stdout.print(f"Part number {escape(part)} is in shadow, says {escape(said.by)}.")


def parts(station: Station, json: Json = False) -> None:
    """Part numbers of a station: live or in shadow, their heads, what is proven and needed."""
    from tenfold.apps.line import modes

    with opened() as workspace:
        found = modes.states(workspace, station)
    if json:
        emit({"station": station, "parts": found})
        return
    if not found:
        stdout.print("No part was taught here yet: tenfold line teach")
        return
    table = Table("part", "mode", "heads", "proof")
    for one in found:
        table.add_row(escape(one.part), one.mode, f"{len(one.heads)}", escape("\n".join(one.words)))
    stdout.print(table)


def propose(
    spec: Annotated[Path, typer.Argument(help="YAML file of the station.")],
    good: Annotated[Path, typer.Argument(help="Folder with pictures of good parts.")],
    part: Annotated[str, typer.Option(help="Part number.")],
    reference: Annotated[
        Path | None, typer.Option(help="Picture of a good part; none: the first of the folder.")
    ] = None,
    json: Json = False,
) -> None:
    """Propose regions of a part, as its file: edit it, then teach."""
    from tenfold.apps.line import proposing
    from tenfold.apps.line.pictures import paths_in, read
    from tenfold.apps.line.station import load_station

    station, paths = load_station(spec).station, paths_in(good)
    chosen = reference or paths[0]
    goods = [read(path) for path in paths[: proposing.LOOKED_AT]]
    found = proposing.propose(
        read(chosen), goods, part=part, path=str(chosen.resolve()), station=station
    )
    if json:
        emit({"part": found.model_dump(mode="json", exclude_defaults=True)})
        return
    stdout.print(found.to_yaml(), end="", markup=False, highlight=False, soft_wrap=True)

"""Commands about this machine: doctor and trunks."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, progress_bars, stdout
from tenfold.workspace import opened

trunk_app = typer.Typer(help="Frozen backbones: list them, add your own.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(doctor)
    app.add_typer(trunk_app, name="trunk")


def doctor(
    quick: Annotated[bool, typer.Option("--quick", help="Only show; measure nothing.")] = False,
    json: Json = False,
) -> None:
    """Show the settings, measure this machine, and choose the precision that trunks run at."""
    from tenfold.factory.doctor import examine

    with opened() as workspace, progress_bars() as progress:
        findings = examine(workspace, measures=not quick, progress=progress)
    if json:
        emit(findings)
        return
    table = Table("setting", "value", "what it is", title="Settings", title_justify="left")
    for name, value, text in findings.settings:
        table.add_row(name, escape(value), text)
    stdout.print(table)
    for line in findings.lines:
        stdout.print(escape(line), soft_wrap=True)


@trunk_app.command("ls")
def list_trunks(json: Json = False) -> None:
    """List the trunks that tasks can name."""
    from tenfold.trunks import known_trunks

    with opened() as workspace:
        names = known_trunks(workspace.trunks_folder)
    if json:
        emit({"trunks": names})
    else:
        stdout.print("\n".join(names))


@trunk_app.command("add")
def add_trunk(
    source: Annotated[str, typer.Argument(help="An ONNX file, or timm:NAME or hf:NAME_OR_FOLDER.")],
    preprocessing: Annotated[
        Path | None, typer.Argument(help="YAML of the ONNX file's preprocessing and maps.")
    ] = None,
    json: Json = False,
) -> None:
    """Add a trunk of your own; a task then names it with `trunk:`."""
    from tenfold.errors import SpecError
    from tenfold.trunks.torch_export import add_timm_or_hf
    from tenfold.trunks.user_onnx import add_onnx

    with opened() as workspace:
        if source.startswith(("timm:", "hf:")):
            trunk = add_timm_or_hf(source, workspace.trunks_folder)
        elif preprocessing is None:
            raise SpecError(
                "an ONNX file needs the YAML of its preprocessing.",
                where=source,
                hint="docs/trunks.md shows one.",
            )
        else:
            trunk = add_onnx(Path(source), preprocessing, workspace.trunks_folder)
    if json:
        emit({"name": trunk.name, "digest": trunk.digest, "size_px": trunk.size_px})
    else:
        stdout.print(
            f"Trunk {escape(trunk.name)!r} ({trunk.digest[:12]}): {trunk.pooled_dim} pooled "
            f"features, maps at strides {', '.join(map(str, sorted(trunk.channels)))}."
        )

"""Commands that keep a copy: backup, restore."""

from pathlib import Path
from typing import Annotated

import typer
from rich.markup import escape

from tenfold.cli.output import Json, emit, progress_bars, size, stdout
from tenfold.errors import SpecError
from tenfold.workspace import opened


def register(app: typer.Typer) -> None:
    app.command()(backup)
    app.command()(restore)


def backup(
    folder: Annotated[str, typer.Argument(help="A folder of its own, kept elsewhere.")],
    json: Json = False,
) -> None:
    """Copy the catalog of all tenants, pictures, models and trunks into a folder, while others
    work; again copies only what is new."""
    from tenfold.backup import back_up

    with opened() as workspace, progress_bars() as progress:
        done = back_up(workspace, _folder(folder), progress=progress)
    if json:
        emit(done)
        return
    stdout.print(
        f"Backed up {_tenants(done.tenants)}: {done.rows:,} rows of the catalog and "
        f"{done.blobs:,} files ({size(done.size_bytes)}); {done.new_blobs:,} of them "
        f"({size(done.new_bytes)}) are new."
    )
    if done.removed_blobs:
        stdout.print(f"{done.removed_blobs:,} files that nothing names any more were removed.")
    if done.fresh_starts:
        stdout.print(
            f"Something was forgotten meanwhile: the catalog was copied {done.fresh_starts + 1:,} "
            "times, and the last copy counts."
        )
    if done.forgotten:
        stdout.print(
            f"{done.forgotten:,} pictures of earlier states of datasets had been forgotten before."
        )
    if done.absent_trunks:
        stdout.print(
            f"Not on this machine, so not copied: trunk {escape(', '.join(done.absent_trunks))}. "
            "Built-in ones come back by themselves."
        )
    stdout.print(
        "Left out: features, which are computed again; reports; what serving answered (`answers`)."
    )
    stdout.print(f"Next: [bold]tenfold restore {escape(folder)}[/] where TENFOLD_HOME is new.")


def restore(
    folder: Annotated[str, typer.Argument(help="The folder that `tenfold backup` wrote.")],
    json: Json = False,
) -> None:
    """Fill an empty TENFOLD_HOME with what a backup holds, every byte of it checked."""
    from tenfold.backup import restore as run

    with opened() as workspace, progress_bars() as progress:
        done = run(workspace, _folder(folder), progress=progress)
    if json:
        emit(done)
        return
    stdout.print(
        f"Restored {_tenants(done.tenants)}, as of {done.made_at:%Y-%m-%d %H:%M} UTC: "
        f"{done.rows:,} rows of the catalog and {done.blobs:,} files ({size(done.size_bytes)})."
    )
    stdout.print("Features are computed again when they are needed.")
    stdout.print("Next: [bold]tenfold ls[/].")


def _folder(name: str) -> Path:
    if "://" in name:
        raise SpecError(
            f"a backup is a folder, got {name!r}.", hint="Back up into a folder, then copy that."
        )
    return Path(name).expanduser().absolute()


def _tenants(names: tuple[str, ...]) -> str:
    if not names:
        return "an empty catalog"
    shown = ", ".join(names[:5]) + (", …" if len(names) > 5 else "")
    return f"{len(names):,} tenant{'s' * (len(names) > 1)} ({escape(shown)})"

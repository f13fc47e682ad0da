"""Commands that keep a copy: backup, restore."""

import typer


def register(app: typer.Typer) -> None:
    del app

"""Commands that serve: serve, keys."""

import typer


def register(app: typer.Typer) -> None:
    del app

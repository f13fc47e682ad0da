"""Commands about deployments: deploy, promote, rollback, retire."""

import typer


def register(app: typer.Typer) -> None:
    del app

"""The `tenfold` command."""

import logging
import sys

import typer

from tenfold.cli import (
    accounts,
    backups,
    data,
    deployments,
    hub,
    ledger,
    line,
    loops,
    machine,
    models,
    review,
    serving,
)
from tenfold.cli.output import report_error
from tenfold.errors import TenfoldError

app = typer.Typer(
    name="tenfold",
    help="A vision model factory: folders of images in, accepted models out.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)
PARTS = (
    data,
    models,
    deployments,
    serving,
    hub,
    loops,
    review,
    accounts,
    ledger,
    machine,
    backups,
    line,
)
for part in PARTS:
    part.register(app)


def main() -> None:
    """Run one command; expected errors become one line, a hint and an exit code."""
    logging.basicConfig(level=logging.WARNING, format="%(levelname)s %(name)s: %(message)s")
    try:
        app()
    except TenfoldError as error:
        sys.exit(report_error(error, as_json="--json" in sys.argv))

"""What `tenfold make` prints of a fleet."""

import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from rich.markup import escape
from rich.table import Table

from tenfold.cli import output
from tenfold.cli.output import emit, progress_bars, stdout
from tenfold.errors import SpecError
from tenfold.workspace import opened

if TYPE_CHECKING:
    from tenfold.factory.fleet import FleetMade, Survey
    from tenfold.factory.make import Workers

SHOWN = 20
"""Shortfalls in the terminal; `--json` has them all."""


def survey(sources: list[str], *, json: bool) -> None:
    """Say what the fleet in the one file given would come to."""
    from tenfold.factory.fleet import survey as run

    path = _only(sources)
    with opened() as workspace, progress_bars() as progress:
        planned = run(workspace, path, progress=progress)
    if json:
        emit(asdict(planned) | {"variants": planned.variants})
    else:
        _print_survey(planned)


def make(sources: list[str], *, workers: "Workers", strict: bool, json: bool) -> None:
    """Make the fleet in the one file given."""
    from tenfold.factory.fleet import make_fleet

    path = _only(sources)
    with opened() as workspace, progress_bars() as board:
        made = make_fleet(workspace, path, workers=workers, progress=board, live=board.count)
    if json:
        emit(asdict(made) | {"counts": made.counts, "questions": made.questions})
    else:
        _print_made(made)
    if made.counts.get("failed") or (strict and set(made.counts) - {"accepted"}):
        sys.exit(output.NOT_ACCEPTED)


def _only(sources: list[str]) -> str:
    if len(sources) > 1:
        raise SpecError("give one fleet file, or task files.", where=", ".join(sources))
    return sources[0]


def _print_survey(survey: "Survey") -> None:
    table = Table(title=f"Fleet {escape(survey.fleet)}: nothing has run", show_header=False)
    rows = [
        ("tasks", f"{survey.tasks:,}, of which {survey.found:,} are made already"),
        ("different questions", f"{survey.questions:,}"),
        ("variants", f"{survey.variants:,} (other seeds, sizes, bars or rungs)"),
        ("datasets", ", ".join(f"{escape(n)} ({k:,})" for n, k in survey.datasets.items())),
        ("pictures to embed", f"{survey.images:,}"),
        ("about", f"{survey.seconds:,.0f} s, {output.size(survey.bytes)}"),
    ]
    for name, said in rows:
        table.add_row(name, said)
    stdout.print(table)
    for task, why in survey.impossible[:SHOWN]:
        stdout.print(f"[red]cannot be made[/] {escape(task)}: {escape(why)}")


def _print_made(made: "FleetMade") -> None:
    words = [f"{output.status(word)} {n:,}" for word, n in sorted(made.counts.items())]
    found = sum(outcome.was_found for outcome in made.outcomes)
    stdout.print(
        f"Fleet [bold]{escape(made.fleet)}[/]: {len(made.outcomes):,} tasks, "
        f"{made.questions:,} different questions: {', '.join(words)}; {found:,} were made before. "
        f"{made.seconds:,.1f} s."
    )
    stdout.print(
        f"At most {made.expected_false:.2g} of the judged are expected to be accepted by chance, "
        "were every one just at its bar."
    )
    if made.fdr is not None:
        stand = sum(1 for outcome in made.outcomes if outcome.holds_fdr)
        stdout.print(f"At a false discovery rate of {made.fdr:.0%} {stand:,} of them stand.")
    if not made.shortfalls:
        return
    table = Table("task", "verdict", "why", "cheapest next step")
    for one in made.shortfalls[:SHOWN]:
        table.add_row(
            escape(one.task), output.status(one.status), escape(one.why), escape(one.next_step)
        )
    stdout.print(table)
    more = len(made.shortfalls) - SHOWN
    if more > 0:
        stdout.print(f"[dim]… and {more:,} more: `--json` lists all.[/]")

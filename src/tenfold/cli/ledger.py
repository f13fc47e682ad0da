"""Commands about reports and costs: report task, report economics, ledger book, ledger show."""

import sys
from datetime import UTC, date, datetime, time
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Annotated, Literal

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli import economics as shown
from tenfold.cli.output import Json, emit, size, stdout
from tenfold.errors import Conflict, SpecError
from tenfold.workspace import opened

By = Literal["task", "fleet", "tenant", "sector"]
Prices = Annotated[
    Path | None, typer.Option(help="Price file; default: what Settings of the console shows.")
]

report_app = typer.Typer(help="Reports: of made tasks, and on economics.", no_args_is_help=True)
ledger_app = typer.Typer(help="The ledger: book a bill, show entries.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    report_app.command("task")(report_task)
    report_app.command("economics")(report_economics)
    ledger_app.command("book")(book)
    ledger_app.command("show")(show)
    app.add_typer(report_app, name="report")
    app.add_typer(ledger_app, name="ledger")


def report_task(
    tasks: Annotated[list[str], typer.Argument(help="Tasks that were made.")],
    out: Annotated[
        Path | None, typer.Option(help="An .html file, or a folder; default: the workspace.")
    ] = None,
    json: Json = False,
) -> None:
    """Write the HTML report of made tasks again."""
    from tenfold.factory.reporting import write_report

    with opened() as workspace:
        path = write_report(workspace, tasks, out=out)
    if json:
        emit({"report": path})
    else:
        stdout.print(f"Report: {escape(str(path))}", soft_wrap=True)


def report_economics(
    since: Annotated[
        str | None, typer.Option(help="First month that counts (2026-01 or a day of it).")
    ] = None,
    until: Annotated[str | None, typer.Option(help="Last month that counts.")] = None,
    by: Annotated[By, typer.Option(help="What the lines are about.")] = "fleet",
    out: Annotated[Path | None, typer.Option(help="Write the report with charts: .html.")] = None,
    csv: Annotated[bool, typer.Option("--csv", help="Print the lines as CSV.")] = False,
    prices: Prices = None,
    headcount: Annotated[
        Path | None, typer.Option(help="Headcount file; default: what the console shows.")
    ] = None,
    json: Json = False,
) -> None:
    """How many models were accepted, by how many people, at what cost."""
    from tenfold.atomic import write_bytes
    from tenfold.factory.report.economics import render
    from tenfold.ledger import in_force
    from tenfold.ledger.export import as_csv, as_json
    from tenfold.ledger.report import Question, economics_of

    if out is not None and out.suffix != ".html":
        raise SpecError(f"expected a file that ends in .html, got {out.name!r}.", where="--out")
    question = Question(_day(since, "--since"), _day(until, "--until"), by)
    with opened() as workspace:
        settings = workspace.settings
        known = in_force.prices(workspace.scope, str(prices or settings.prices))
        counted = in_force.people(workspace.scope, str(headcount or settings.headcount))
        found = economics_of(workspace.scope, question, known, counted)
    if out is not None:
        write_bytes(out, render(found).encode())
    if json:
        emit(as_json(found) | {"report": out})
    elif csv:
        sys.stdout.write(as_csv(found))
    else:
        shown.show(found)
        if out is not None:
            stdout.print(f"Report: {escape(str(out))}", soft_wrap=True)


def book(
    amount: Annotated[str, typer.Argument(help="Money, such as 1499.90.")],
    what: Annotated[str, typer.Option(help="What it was for; names the entry.")],
    on: Annotated[str | None, typer.Option(help="Day of the bill; default: today.")] = None,
    currency: Annotated[
        str, typer.Option(help="Such as USD; default: that of the price file.")
    ] = "",
    fleet: Annotated[str, typer.Option(help="Fleet that caused it.")] = "",
    sector: Annotated[str, typer.Option(help="Sector that caused it.")] = "",
    json: Json = False,
) -> None:
    """Book a bill: salaries, rent, machines, whatever Tenfold does not meter."""
    from tenfold.catalog import ledger
    from tenfold.ledger import in_force

    with opened() as workspace:
        day = _day(on, "--on") or workspace.scope.now().date()
        entry = ledger.Entry(
            run="book",
            kind="spend",
            subject=f"{day} {what}",
            fleet=fleet,
            sector=sector,
            at=datetime.combine(day, time(), UTC),
            amount=_amount(amount),
            currency=currency
            or in_force.prices(workspace.scope, workspace.settings.prices).currency,
        )
        if not ledger.book(workspace.scope, [entry]):
            raise Conflict(
                f"{what!r} of {day} is booked already.", hint="Another bill needs another --what."
            )
    if json:
        emit(entry)
    else:
        said = f"{_billed(_amount(amount))} {entry.currency}"
        stdout.print(f"Booked {escape(said)} on {day}: {escape(what)}.")


def show(
    newest: Annotated[int, typer.Option(min=1, max=10_000, help="How many entries.")] = 20,
    json: Json = False,
) -> None:
    """Show the newest entries of the ledger, and runs that were killed or still work."""
    from tenfold.catalog import ledger

    with opened() as workspace:
        found = ledger.newest(workspace.scope, newest)
        runs = ledger.runs_of(workspace.scope, newest=newest)
    if json:
        emit({"entries": found, "runs": runs})
        return
    if not found and not runs:
        stdout.print("Nothing is booked yet: `tenfold make` does, and `tenfold ledger book`.")
        return
    table = Table("at", "kind", "about", "CPU s", "images", "labels", "stored")
    table.add_column("money", justify="right", no_wrap=True)
    for one in found:
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M}",
            one.kind,
            escape(one.task or one.dataset or one.fleet or one.subject),
            f"{one.cpu_s:,.2f}" if one.cpu_s else "",
            f"{one.images:,}" if one.images else "",
            f"{one.labels:,}" if one.labels else "",
            size(one.bytes_stored) if one.bytes_stored else "",
            f"{_billed(one.amount)} {one.currency}" if one.amount else "",
        )
    stdout.print(table)
    for run in runs:
        if run.outcome != "done":
            state = run.outcome or "at work, or killed"
            stdout.print(f"[dim]{run.began_at:%Y-%m-%d %H:%M}[/] {escape(run.command)}: {state}")


def _amount(text: str) -> Decimal:
    try:
        return Decimal(text)
    except InvalidOperation as error:
        raise SpecError(
            f"expected an amount of money, got {text!r}.", hint="Write it as 1499.90."
        ) from error


def _billed(amount: Decimal) -> str:
    """Exactly, with cents at least."""
    cents = f"{amount:,.2f}"
    return cents if Decimal(cents.replace(",", "")) == amount else f"{amount.normalize():,f}"


def _day(text: str | None, option: str) -> date | None:
    """A day, or the first of a month given alone."""
    if text is None:
        return None
    try:
        return date.fromisoformat(text if len(text) > 7 else f"{text}-01")
    except ValueError as error:
        raise SpecError(
            f"expected a date, got {text!r}.", where=option, hint="Write 2026-01-31 or 2026-01."
        ) from error

"""Commands about people: account, audit."""

import sys
from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.catalog.activity import Deed
from tenfold.cli.output import Json, emit, stdout
from tenfold.errors import IntegrityError
from tenfold.roles import ROLES, role_of
from tenfold.workspace import opened

account = typer.Typer(help="People who may sign in: add, list, change.", no_args_is_help=True)
audit = typer.Typer(help="Who did what: show it, and prove it unchanged.", no_args_is_help=True)
Name = Annotated[str, typer.Argument(help="Whose account.")]
Stdin = Annotated[
    bool, typer.Option("--password-stdin", help="Read the password from standard input.")
]
ROLE_HELP = f"What they may do: {', '.join(ROLES)}; each what those before it may."


def register(app: typer.Typer) -> None:
    app.add_typer(account, name="account")
    app.add_typer(audit, name="audit")


@account.command("add")
def add(
    name: Annotated[str, typer.Argument(help="Such as ann or ann@example.com.")],
    role: Annotated[
        str, typer.Option(help=f"{ROLE_HELP} Default: viewer; of the first account: owner.")
    ] = "",
    password_stdin: Stdin = False,
    json: Json = False,
) -> None:
    """Let somebody sign in; from the first account on, the hub asks who is there."""
    from tenfold.catalog import accounts

    chosen = role_of(role) if role else None
    secret = _password(from_stdin=password_stdin)
    with opened() as workspace:
        made = accounts.create(workspace.scope, name, secret, role=chosen)
    emit(made) if json else stdout.print(f"{escape(made.name)} may sign in as {made.role}.")


@account.command("ls")
def ls(json: Json = False) -> None:
    """List accounts."""
    from tenfold.catalog import accounts

    with opened() as workspace:
        found = accounts.everyone(workspace.scope)
    if json:
        emit(found)
        return
    table = Table("name", "role", "created (UTC)", "by", "disabled (UTC)")
    for one in found:
        ended = f"{one.disabled_at:%Y-%m-%d %H:%M}" if one.disabled_at else ""
        made = f"{one.created_at:%Y-%m-%d %H:%M}"
        table.add_row(escape(one.name), one.role, made, escape(one.created_by), ended)
    stdout.print(table if found else "There are no accounts: tenfold account add NAME")


@account.command("role")
def role(
    name: Name,
    role: Annotated[str, typer.Argument(help=ROLE_HELP)],
    json: Json = False,
) -> None:
    """Give somebody another role, from their next request on."""
    from tenfold.catalog import accounts

    with opened() as workspace:
        done = accounts.set_role(workspace.scope, name, role_of(role))
    emit(done) if json else stdout.print(f"{escape(name)} is {done.role} now.")


@account.command("password")
def password(name: Name, password_stdin: Stdin = False) -> None:
    """Set another password; whoever is signed in by the old one is no longer."""
    from tenfold.catalog import accounts

    with opened() as workspace:
        accounts.get(workspace.scope, name)
        accounts.set_password(workspace.scope, name, _password(from_stdin=password_stdin))
    stdout.print(f"{escape(name)} signs in by the new password.")


@account.command("disable")
def disable(name: Name, json: Json = False) -> None:
    """Let somebody sign in no more, and sign them out everywhere."""
    from tenfold.catalog import accounts

    with opened() as workspace:
        done = accounts.disable(workspace.scope, name)
    emit(done) if json else stdout.print(f"{escape(name)} may sign in no more.")


@account.command("enable")
def enable(name: Name, json: Json = False) -> None:
    """Let somebody sign in again."""
    from tenfold.catalog import accounts

    with opened() as workspace:
        done = accounts.enable(workspace.scope, name)
    emit(done) if json else stdout.print(f"{escape(name)} may sign in again.")


@audit.command("show")
def show(
    actor: Annotated[str, typer.Option(help="Of somebody.")] = "",
    action: Annotated[str, typer.Option(help="Of one kind, such as promote.")] = "",
    subject: Annotated[str, typer.Option(help="About something, such as a deployment.")] = "",
    before: Annotated[int, typer.Option(help="Only rows with lower numbers.", min=0)] = 0,
    limit: Annotated[int, typer.Option(help="So many.", min=1)] = 50,
    json: Json = False,
) -> None:
    """Who did what, the newest first."""
    from tenfold.catalog import activity

    sought = activity.Sought(actor, action, subject, before)
    with opened() as workspace:
        found = activity.page(workspace.scope, sought, limit=limit)
    emit(found) if json else stdout.print(_table(found))


@audit.command("head")
def head(json: Json = False) -> None:
    """The digest of the newest row: write it down elsewhere, for `verify --from`."""
    from tenfold.catalog import activity

    with opened() as workspace:
        newest = activity.head(workspace.scope)
    number, digest = (newest.number, newest.digest) if newest else (0, "")
    if json:
        emit({"number": number, "digest": digest})
    elif newest:
        stdout.print(f"row {number:,}: {digest}", soft_wrap=True, highlight=False)
    else:
        stdout.print("Nobody did anything yet.")


@audit.command("verify")
def verify(
    noted: Annotated[
        list[str] | None,
        typer.Option("--from", help="A digest that `head` printed; again for several."),
    ] = None,
    json: Json = False,
) -> None:
    """Walk the whole log; says the first row that was changed, removed, inserted or exchanged.

    The log alone cannot tell that its end was cut off, or that all of it was written anew: a digest
    noted elsewhere can.
    """
    from tenfold.catalog import activity

    with opened() as workspace:
        found = activity.verify(workspace.scope, noted=noted or ())
    if found.broken:
        raise IntegrityError(
            found.broken.why,
            where="activity log",
            hint="Rows before it hold. A backup says what was there.",
        )
    if json:
        emit({"rows": found.rows, "head": found.head if found.rows else ""})
        return
    stdout.print(f"[bold green]The log holds[/]: {found.rows:,} rows.")
    if found.rows:
        stdout.print(f"The newest is {found.head}", soft_wrap=True, highlight=False)
    if noted:
        stdout.print("It goes on from what was noted.")


def _password(*, from_stdin: bool) -> str:
    if from_stdin:
        return sys.stdin.readline().rstrip("\r\n")
    return typer.prompt("Password", hide_input=True, confirmation_prompt=True)


def _table(found: list[Deed]) -> Table:
    table = Table("row", "when (UTC)", "who", "what", "about", "detail")
    for one in found:
        told = {name: value for name, value in one.detail.items() if value not in ("", None)}
        table.add_row(
            str(one.number),
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            escape(one.actor),
            escape(one.action),
            escape(one.subject),
            escape(", ".join(f"{name} {_short(value)}" for name, value in told.items())),
        )
    return table


def _short(value: object) -> str:
    text = " ".join(str(value).split())
    return text if len(text) <= 40 else f"{text[:12]}…"

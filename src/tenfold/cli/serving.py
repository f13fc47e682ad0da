"""Commands that serve: serve, key."""

from importlib import import_module
from typing import Annotated, Any

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.cli.output import Json, emit, stdout
from tenfold.roles import ROLES, role_of
from tenfold.workspace import opened

SERVER = "tenfold.web.server"
"""Started by name: the commands and the web stand beside each other and do not import each
other."""

key = typer.Typer(help="API keys: create, list, revoke.", no_args_is_help=True)


def register(app: typer.Typer) -> None:
    app.command()(serve)
    app.add_typer(key, name="key")


def serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port; 0: any that is free.", min=0, max=65535)] = 8080,
    workers: Annotated[int, typer.Option(help="Processes that share the port.", min=1)] = 1,
    durable: Annotated[
        bool, typer.Option("--durable", help="Every answer is on the disk before it is given.")
    ] = False,
    heads_mb: Annotated[int, typer.Option(help="Memory for heads, of each worker.", min=1)] = 512,
    queue: Annotated[
        int, typer.Option(help="Pictures that may wait, of each worker.", min=1)
    ] = 256,
    budget_ms: Annotated[
        float, typer.Option(help="How long a picture may wait for company under load.", min=0)
    ] = 5.0,
    body_mb: Annotated[float, typer.Option(help="Largest request.", min=0.01)] = 32.0,
    verbose: Annotated[
        bool, typer.Option("--verbose", help="One line of JSON for every request.")
    ] = False,
    json: Json = False,
) -> None:
    """Answer requests for everything that is deployed, until Ctrl-C or SIGTERM."""
    server: Any = import_module(SERVER)
    limits = server.Limits(
        heads_mb=heads_mb, queue=queue, budget_ms=budget_ms, body_mb=body_mb, durable=durable
    )
    serving = server.Serving(host, port, workers, limits, verbose)

    def told(ready: Any) -> None:
        if json:
            emit(ready)
        else:
            _print_ready(ready, workers=workers, durable=durable)

    with opened() as workspace:
        server.serve(workspace, serving, told=told)


def _print_ready(ready: Any, *, workers: int, durable: bool) -> None:
    head = " -H 'Authorization: Bearer KEY'" if ready.needs_key else ""
    each = "each with memory and limits of its own" if workers > 1 else "one process"
    stdout.print(f"[bold]Listening at {ready.url}[/] ({workers} worker(s), {each})")
    stdout.print(
        f"{ready.deployments:,} deployments are live (generation {ready.generation}); "
        f"{ready.memory_mb:,.0f} MB; ready after {ready.seconds:.1f} s."
    )
    kept = "on the disk before they are given" if durable else "recorded beside, never waited for"
    stdout.print(f"Answers are {kept}. Metrics: {ready.url}/metrics", soft_wrap=True)
    stdout.print(f"Try: curl{head} -F file=@picture.png {ready.url}/predict/NAME", soft_wrap=True)
    if not ready.deployments:
        stdout.print("[yellow]Nothing is deployed yet:[/] tenfold deploy NAME MODEL")


@key.command("create")
def create(
    name: Annotated[str, typer.Argument(help="Who it is for.")],
    per_minute: Annotated[
        int, typer.Option(help="Most requests a minute, of each worker; 0: any number.", min=0)
    ] = 0,
    role: Annotated[
        str, typer.Option(help=f"What it may do: {', '.join(ROLES)}; caller: only ask deployments.")
    ] = "caller",
    json: Json = False,
) -> None:
    """Create a key; it is told once and never again."""
    from tenfold.catalog import keys

    chosen = role_of(role)
    with opened() as workspace:
        secret = keys.create(workspace.scope, name, per_minute=per_minute, role=chosen)
    if json:
        emit({"name": name, "role": chosen, "key": secret})
    else:
        stdout.print(f"{secret}", soft_wrap=True)
        stdout.print("[dim]Keep it: it is not shown again.[/]")


@key.command("ls")
def ls(json: Json = False) -> None:
    """List keys in force."""
    from tenfold.catalog import keys

    with opened() as workspace:
        found = keys.in_force(workspace.scope)
    if json:
        emit(
            [
                {
                    "name": k.name,
                    "role": k.role,
                    "per_minute": k.per_minute,
                    "created_at": k.created_at,
                }
                for k in found
            ]
        )
        return
    table = Table("name", "role", "a minute", "created (UTC)", "by")
    for one in found:
        often = str(one.per_minute) if one.per_minute else "any"
        when = f"{one.created_at:%Y-%m-%d %H:%M}"
        table.add_row(escape(one.name), one.role, often, when, escape(one.created_by))
    stdout.print(table)


@key.command("revoke")
def revoke(name: Annotated[str, typer.Argument(help="Which key.")]) -> None:
    """Make a key open nothing any more; servers know within a second."""
    from tenfold.catalog import keys

    with opened() as workspace:
        keys.revoke(workspace.scope, name)
    stdout.print(f"{escape(name)} is revoked.")

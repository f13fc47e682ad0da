"""Commands that stay: hub, and up, which starts the hub and serving."""

import signal
import subprocess
import sys
import time
from importlib import import_module
from typing import Annotated, Any

import typer

from tenfold.cli.output import Json, emit, stderr, stdout
from tenfold.errors import Unavailable
from tenfold.workspace import opened

HUB = "tenfold.web.hub"
COMMAND = (sys.executable, "-c", "from tenfold.cli import main; main()")
STOP_S = 40.0


def register(app: typer.Typer) -> None:
    app.command()(hub)
    app.command()(up)


def hub(
    host: Annotated[
        str, typer.Option(help="Address of the API; others than this machine need accounts.")
    ] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the API; 0: any.", min=0, max=65535)] = 8081,
    json: Json = False,
) -> None:
    """Collect answers, watch deployments, have models made and tried, and answer the API."""
    module: Any = import_module(HUB)

    def told(working: Any) -> None:
        if json:
            emit(working)
        else:
            stdout.print(
                f"The hub is at work at {working.url} (process {working.pid}). Ctrl-C stops it."
            )
            stdout.print("[dim]tenfold watched says what it looks after.[/]")

    with opened() as workspace:
        module.run(workspace, module.Listening(host, port), told=told)


def up(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the answers; 0: any that is free.")] = 8080,
    workers: Annotated[int, typer.Option(help="Processes that answer.")] = 1,
    hub_port: Annotated[int, typer.Option(help="Port of the hub's API; 0: any.")] = 8081,
) -> None:
    """Start serving and the hub; both stop with Ctrl-C, or when one of them ends."""
    serve = ["serve", "--host", host, "--port", str(port), "--workers", str(workers)]
    running = {
        name: subprocess.Popen([*COMMAND, *words], start_new_session=True)
        for name, words in {"serve": serve, "hub": ["hub", "--port", str(hub_port)]}.items()
    }
    is_asked = False

    def ask(*_: object) -> None:
        nonlocal is_asked
        is_asked = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    while not is_asked and all(one.poll() is None for one in running.values()):
        time.sleep(0.2)
    ended = [name for name, one in running.items() if one.poll() is not None]
    for one in running.values():
        one.terminate()
    for one in running.values():
        try:
            one.wait(STOP_S)
        except subprocess.TimeoutExpired:
            one.kill()
    if ended and not is_asked:
        stderr.print(f"{ended[0]} ended by itself; the other was stopped.")
        raise Unavailable(f"`tenfold {ended[0]}` ended.", hint="What it said stands above.")

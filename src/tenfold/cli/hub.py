"""Commands that stay: hub, and up, which starts the hub and serving."""

import multiprocessing
import os
import signal
import sys
import time
from importlib import import_module
from typing import Annotated, Any

import typer

from tenfold.child import end_with_the_parent, shielded
from tenfold.cli.output import Json, emit, stderr, stdout
from tenfold.errors import Unavailable
from tenfold.workspace import opened

HUB = "tenfold.web.hub"
SPAWN = multiprocessing.get_context("spawn")
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
                f"The console is at {working.url} (process {working.pid}). Ctrl-C stops it."
            )
            if working.first:
                stdout.print("Make yourself the owner there, once:")
                stdout.print(working.first, soft_wrap=True, markup=False)

    with opened() as workspace:
        module.run(workspace, module.Listening(host, port), told=told)


def up(
    host: Annotated[str, typer.Option(help="Address of the answers.")] = "127.0.0.1",
    port: Annotated[int, typer.Option(help="Port of the answers; 0: any that is free.")] = 8080,
    workers: Annotated[int, typer.Option(help="Processes that answer.")] = 1,
    hub_host: Annotated[
        str, typer.Option(help="Address of the hub's API; others than this machine need accounts.")
    ] = "127.0.0.1",
    hub_port: Annotated[int, typer.Option(help="Port of the hub's API; 0: any.")] = 8081,
) -> None:
    """Start serving and the hub; both stop with Ctrl-C, or when one of them ends."""
    is_asked = False

    def ask(*_: object) -> None:
        nonlocal is_asked
        is_asked = True

    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, ask)
    serve = ["serve", "--host", host, "--port", str(port), "--workers", str(workers)]
    watch = ["hub", "--host", hub_host, "--port", str(hub_port)]
    running = [
        SPAWN.Process(target=_command, args=words, name=words[0]) for words in (serve, watch)
    ]
    with shielded():
        for one in running:
            one.start()
    while not is_asked and all(one.is_alive() for one in running):
        time.sleep(0.2)
    ended = [one.name for one in running if not one.is_alive()]
    for one in running:
        one.terminate()
    for one in running:
        one.join(STOP_S)
        if one.is_alive():
            one.kill()
            one.join()
    if ended and not is_asked:
        stderr.print(f"{ended[0]} ended by itself; the other was stopped.")
        raise Unavailable(f"`tenfold {ended[0]}` ended.", hint="What it said stands above.")


def _command(*words: str) -> None:
    """A command in a process of its own; asked to stop when whoever started it is gone."""
    os.setsid()  # Ctrl-C is the parent's to handle
    signal.pthread_sigmask(signal.SIG_UNBLOCK, {signal.SIGINT})
    end_with_the_parent(signal.SIGTERM, within_s=STOP_S)
    sys.argv = ["tenfold", *words]
    import_module("tenfold.cli").main()

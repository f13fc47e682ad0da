"""Commands about deployments: deploy, promote, rollback, retire, deployments."""

from typing import Annotated

import typer
from rich.markup import escape
from rich.table import Table

from tenfold.catalog.deployments import Deployment, Transition
from tenfold.cli.output import Json, emit, stdout
from tenfold.errors import SpecError
from tenfold.workspace import opened

MOST_SHOWN = 50
Name = Annotated[str, typer.Argument(help="A deployment, such as station-7/cap.")]
Why = Annotated[str, typer.Option(help="Why, for the history.")]


def register(app: typer.Typer) -> None:
    for command in (deploy, promote, rollback, retire):
        app.command()(command)
    app.command("deployments")(show)


def deploy(
    name: Annotated[str, typer.Argument(help="A name, such as station-7/cap.")] = "",
    model: Annotated[str, typer.Argument(help="A model by task name or id.")] = "",
    shadow: Annotated[
        bool, typer.Option("--shadow", help="Ask it too; nobody gets its answers.")
    ] = False,
    canary: Annotated[
        float | None, typer.Option(help="Let it answer this share of the route keys, 0 .. 1.")
    ] = None,
    fleet: Annotated[
        str, typer.Option(help="Deploy every accepted model of a fleet, named by its task.")
    ] = "",
    prefix: Annotated[str, typer.Option(help="Put before the names of a fleet's tasks.")] = "",
    unproven: Annotated[
        bool, typer.Option("--unproven", help="Deploy what is not accepted, knowingly.")
    ] = False,
    keep_days: Annotated[
        int | None, typer.Option(help="Keep pictures that are asked about so long; 0: never.")
    ] = None,
    why: Why = "",
    json: Json = False,
) -> None:
    """Put a model to work under a name: live, or as the shadow or canary of what is live."""
    from tenfold.serving import deploying

    is_trial = shadow or canary is not None
    if fleet and (name or model or is_trial or keep_days is not None):
        raise SpecError("--fleet makes models live, and takes neither NAME, MODEL nor a trial.")
    if not fleet and not (name and model):
        raise SpecError(
            "expected NAME and MODEL, or --fleet.",
            hint="tenfold deploy station-7/cap cap-scratches",
        )
    if shadow and canary is not None:
        raise SpecError("a model is a shadow or a canary, not both.")
    if keep_days is not None and keep_days < 0:
        raise SpecError(f"expected 0 or more days, got {keep_days}.", where="--keep-days")
    with opened() as workspace:
        if fleet:
            count = deploying.deploy_fleet(
                workspace, fleet, prefix=prefix, why=why, unproven=unproven
            )
            emit({"deployed": count}) if json else stdout.print(f"{count:,} models are live.")
            return
        if shadow:
            done = deploying.shadow(workspace, name, model, why=why, unproven=unproven)
        elif canary is not None:
            done = deploying.canary(
                workspace, name, model, share=canary, why=why, unproven=unproven
            )
        else:
            done = deploying.deploy(workspace, name, model, why=why, unproven=unproven)
        if keep_days is not None:
            done = deploying.keep_pictures(workspace, name, days=keep_days, why=why)
    _tell(done, json=json)


def promote(name: Name, why: Why = "", json: Json = False) -> None:
    """Make the canary, else the shadow, live."""
    from tenfold.serving import deploying

    with opened() as workspace:
        _tell(deploying.promote(workspace, name, why=why), json=json)


def rollback(name: Name, why: Why = "", json: Json = False) -> None:
    """End a trial; without one, go back to what was live before."""
    from tenfold.serving import deploying

    with opened() as workspace:
        _tell(deploying.rollback(workspace, name, why=why), json=json)


def retire(name: Name, why: Why = "", json: Json = False) -> None:
    """Take a deployment out of service; its history stays."""
    from tenfold.serving import deploying

    with opened() as workspace:
        _tell(deploying.retire(workspace, name, why=why), json=json)


def show(
    name: Annotated[str, typer.Argument(help="One deployment, with its history.")] = "",
    json: Json = False,
) -> None:
    """List what is deployed, or show one deployment and every change of it."""
    from tenfold.catalog import answers, deployments

    with opened() as workspace:
        scope = workspace.scope
        found = [deployments.get(scope, name)] if name else deployments.changed(scope)
        history = deployments.history(scope, name) if name else []
        total = answers.totals(scope)
    if json:
        emit({"deployments": found, "history": history, "answers": total})
        return
    shown = [one for one in found if name or one.state == "live"]
    if shown:
        stdout.print(_table(shown[:MOST_SHOWN]))
    else:
        stdout.print("Nothing is deployed yet: tenfold deploy NAME MODEL")
    if len(shown) > MOST_SHOWN:
        stdout.print(f"[dim]{len(shown) - MOST_SHOWN:,} more; --json has all.[/]")
    if history:
        stdout.print(_history(history))
    lost = f"; [yellow]{total.lost:,} were given and not recorded[/]" if total.lost else ""
    stdout.print(f"[dim]{total.answers:,} answers are collected{lost}.[/]")


def _tell(done: Deployment, *, json: bool) -> None:
    if json:
        emit(done)
    else:
        stdout.print(_table([done]))


def _table(found: list[Deployment]) -> Table:
    """Columns that are empty everywhere are left out."""
    columns = {
        "name": [escape(one.name) for one in found],
        "live": [one.live[:12] if one.state == "live" else "retired" for one in found],
        "before": [one.before[:12] for one in found],
        "shadow": [one.shadow[:12] for one in found],
        "canary": [f"{d.canary[:12]} {d.canary_share:.0%}" if d.canary else "" for d in found],
        "pictures kept": [f"{one.keep_days} days" if one.keep_days else "" for one in found],
        "generation": [str(one.generation) for one in found],
    }
    told = {name: cells for name, cells in columns.items() if any(cells)}
    table = Table()
    for name in told:
        table.add_column(name, overflow="fold")
    for row in zip(*told.values(), strict=True):
        table.add_row(*row)
    return table


def _history(history: list[Transition]) -> Table:
    table = Table("when (UTC)", "who", "what", "model", "live before", "why")
    for one in history:
        table.add_row(
            f"{one.at:%Y-%m-%d %H:%M:%S}",
            escape(one.actor),
            one.action,
            one.model[:12],
            one.before[:12],
            escape(one.why),
        )
    return table

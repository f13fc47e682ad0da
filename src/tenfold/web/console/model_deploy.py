"""Put a model to work from its page: live, or as a shadow where another is live already."""

from typing import Any

from nicegui import ui
from nicegui.events import GenericEventArguments

from tenfold.catalog import deployments
from tenfold.catalog.deployments import Deployment
from tenfold.errors import NotFound
from tenfold.serving import deploying
from tenfold.web.console.judged_model import JudgedModel
from tenfold.web.console.parts import button, card, link, words
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

SENT = (
    "() => emit({name: document.getElementById('deploy-name').value, "
    "unproven: !!document.getElementById('deploy-unproven')?.checked})"
)


def deploy_card(visitor: Visitor, seen: JudgedModel) -> None:
    say = visitor.say
    with card(say("At work")):
        if seen.at_work:
            with ui.element("ul").classes("plain"):
                for name in seen.at_work[:10]:
                    with ui.element("li"):
                        link(name, f"/deployments/{name}")
        else:
            words(say("It works nowhere yet."), classes="muted")
        if visitor.may("deploy"):
            _form(visitor, seen)


def _form(visitor: Visitor, seen: JudgedModel) -> None:
    say, model = visitor.say, seen.model
    with ui.element("div").classes("stack small-gap"):
        if model.status != "accepted":
            words(say("This model is not accepted: its bar is not proven."), classes="wrong")
            with ui.element("label").classes("tick"):
                ui.element("input").props('type="checkbox" id="deploy-unproven"')
                words(say("Deploy although it is not proven"), tag="span")
        with ui.element("label"):
            words(say("Name of the deployment"), tag="span")
            box = ui.element("input").classes("field")
            box.props('id="deploy-name" autocomplete="off" spellcheck="false" maxlength="200"')
            box.props["placeholder"] = model.task
        wrong = words("", classes="wrong").props('role="alert"')

        async def ask(event: GenericEventArguments) -> None:
            given: dict[str, Any] = event.args
            name, unproven = str(given["name"]).strip() or model.task, bool(given["unproven"])
            choice.clear()
            wrong.text = ""
            if model.status != "accepted" and not unproven:
                wrong.text = say("Tick that you deploy it although it is not proven.")
                return
            if not deployments.is_name(name):
                wrong.text = say(
                    "A name has letters, digits, dots, _ and -, in parts between /, such as "
                    "station-7/cap."
                )
                return
            now = await visitor.read(_live, name)
            if now is None:
                await _change(visitor, deploying.deploy, name, seen, unproven=unproven)
                return
            with choice:
                _choose(visitor, seen, now, unproven=unproven)

        with ui.element("div"):
            made = words(say("Deploy"), tag="button", classes="button primary")
            made.props["type"] = "button"
            made.on("click", ask, js_handler=SENT)
        choice = ui.element("div").classes("stack small-gap").props('role="status"')


def _live(workspace: Workspace, name: str) -> Deployment | None:
    """What is live under a name; None: nothing."""
    try:
        found = deployments.get(workspace.scope, name)
    except NotFound:
        return None
    return found if found.state == "live" else None


def _choose(visitor: Visitor, seen: JudgedModel, now: Deployment, *, unproven: bool) -> None:
    """Something is live there already."""
    say, name = visitor.say, now.name
    if seen.model.id == now.live:
        words(say("This model is live as {name} already.", name=name))
        link(say("Show the deployment"), f"/deployments/{name}")
        return
    words(
        say(
            "Another model is live as {name}. As a shadow this one is asked too, and nobody gets "
            "its answers until you promote it.",
            name=name,
        )
    )

    async def shadow() -> None:
        await _change(visitor, deploying.shadow, name, seen, unproven=unproven)

    async def replace() -> None:
        await _change(visitor, deploying.deploy, name, seen, unproven=unproven)

    with ui.element("div").classes("row"):
        button(say("Add as shadow"), shadow, kind="primary")
        button(say("Replace what is live"), replace, kind="danger")


async def _change(
    visitor: Visitor, verb: Any, name: str, seen: JudgedModel, *, unproven: bool
) -> None:
    done = await visitor.do("deploy", verb, name, seen.model.id, unproven=unproven)
    if done is not None:
        ui.navigate.to(f"/deployments/{name}")

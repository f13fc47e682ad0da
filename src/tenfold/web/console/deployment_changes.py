"""Buttons that change a deployment; each says what will happen and asks why."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

from nicegui import ui

from tenfold.serving import deploying
from tenfold.web.console.asking import Given, asked, field, form, never_mind, send, tick
from tenfold.web.console.deployment_seen import Seen
from tenfold.web.console.parts import button, card, words
from tenfold.web.console.visitor import Visitor


@dataclass(frozen=True, slots=True)
class Step:
    """One change."""

    name: str
    meaning: str
    verb: Callable[..., Any]
    needs_model: bool = False
    needs_share: bool = False
    is_risky: bool = False


DEPLOY = Step(
    "Deploy another model",
    "It answers everything at once. What is live now can be rolled back to; a trial ends.",
    deploying.deploy,
    needs_model=True,
    is_risky=True,
)
AGAIN = Step(
    "Deploy it again",
    "The model answers under this name again.",
    deploying.deploy,
    needs_model=True,
)
SHADOW = Step(
    "Add a shadow",
    "It is asked too, and its answers are recorded; nobody gets them.",
    deploying.shadow,
    needs_model=True,
)
CANARY = Step(
    "Start a canary",
    "It answers for a share of the parts; the rest stays with what is live.",
    deploying.canary,
    needs_model=True,
    needs_share=True,
    is_risky=True,
)
PROMOTE = Step(
    "Promote",
    "What is on trial becomes live and answers everything. What is live now can be rolled back to.",
    deploying.promote,
    is_risky=True,
)
END = Step(
    "End the trial", "Shadow and canary are taken away; what is live stays.", deploying.rollback
)
BACK = Step(
    "Roll back",
    "The model that was live before answers again, at once.",
    deploying.rollback,
    is_risky=True,
)
RETIRE = Step(
    "Retire",
    "Nothing answers under this name any more: whoever asks gets an error. Its history stays.",
    deploying.retire,
    is_risky=True,
)


def buttons(visitor: Visitor, shown: Seen) -> None:
    """What may be done now."""
    with card(visitor.say("Change it"), classes="change"), ui.element("div").classes("row"):
        for step in _possible(shown):
            _button(visitor, shown, step)


def _possible(shown: Seen) -> list[Step]:
    now = shown.now
    if now.state == "retired":
        return [AGAIN]
    trial = [PROMOTE, END] if now.shadow or now.canary else []
    back = [BACK] if now.before and not trial else []
    return [*trial, DEPLOY, SHADOW, CANARY, *back, RETIRE]


def _button(visitor: Visitor, shown: Seen, step: Step) -> None:
    kind = "primary" if step is PROMOTE else "danger" if step in (RETIRE, BACK) else ""
    button(visitor.say(step.name), lambda: _ask(visitor, shown, step), kind=kind)


def _ask(visitor: Visitor, shown: Seen, step: Step) -> None:
    say, now = visitor.say, shown.now
    title = f"{say(step.name)} · {now.name}"
    with asked(say, title) as dialog:
        words(say(step.meaning))

        async def change(given: Given) -> None:
            problem.text = _wrong(visitor, step, given)
            if problem.text:
                return
            named = _named(step, given)
            model = [given["model"]] if step.needs_model else []
            done = await visitor.do("deploy", step.verb, now.name, *model, **named)
            if done is not None:
                dialog.close()
                ui.navigate.to(f"/deployments/{now.name}")

        with form(change):
            if step.needs_model:
                _model(visitor, shown, step)
            if step.needs_share:
                field(say("Share of the traffic, in percent"), "share", value="10", kind="number")
            field(
                say("Why, for the timeline"),
                "why",
                hint=say("A few words for those who come after"),
            )
            problem = words("", classes="wrong").props('role="alert"')
            with ui.element("div").classes("row"):
                send(say(step.name), kind="danger" if step.is_risky else "primary")
                never_mind(say, dialog)


def _model(visitor: Visitor, shown: Seen, step: Step) -> None:
    say = visitor.say
    value = shown.now.live[:12] if step is AGAIN else ""
    hint = say("Task, or beginning of a model's number")
    box = field(say("Model"), "model", value=value, hint=hint)
    box.props["list"] = "offered-models"
    with ui.element("datalist").props('id="offered-models"'):
        for model in shown.offered:
            made = ui.element("option")
            made.props["value"] = model.id[:12]
            made.props["label"] = f"{model.task} · {say(model.status)}"
    tick(say("Even if its bar is not proven"), "unproven")


def _wrong(visitor: Visitor, step: Step, given: Given) -> str:
    say = visitor.say
    if step.needs_model and not given.get("model"):
        return say("Choose a model.")
    if step.needs_share and not 0 < _number(given.get("share", "")) < 100:
        return say("The share lies between 0 and 100 percent.")
    return ""


def _named(step: Step, given: Given) -> dict[str, Any]:
    named: dict[str, Any] = {"why": given.get("why", "")}
    if step.needs_model:
        named["unproven"] = "unproven" in given
    if step.needs_share:
        named["share"] = _number(given["share"]) / 100
    return named


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return 0.0

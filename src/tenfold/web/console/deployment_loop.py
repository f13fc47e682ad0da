"""The loop of a deployment: what changed, what is proven, what comes next, and a person's word."""

from collections.abc import Callable

import yaml
from nicegui import ui

from tenfold.loop import draws, flows, spec
from tenfold.loop.describing import Closely
from tenfold.loop.retrain import Action, AskPerson, GiveUp, Make, Promote, Try
from tenfold.loop.spec import LoopSpec
from tenfold.web.console.asking import Given, asked, field, form, never_mind, send
from tenfold.web.console.deployment_seen import Seen
from tenfold.web.console.loop_measures import alarms, changes, rates
from tenfold.web.console.parts import button, card, facts, heading, link, words
from tenfold.web.console.proven import interval
from tenfold.web.console.retold import advice, problem, retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace


def loop_card(visitor: Visitor, shown: Seen) -> None:
    say = visitor.say
    with card(say("Loop")):
        if shown.problem:
            why = f"{problem(say, shown.problem)} {advice(say, shown.problem)}"
            words(say("It is watched, but cannot be shown now: {why}", why=why))
            _rules(visitor, shown, rules="")
        elif shown.loop is None:
            words(
                say(
                    "Nobody watches this deployment: no change is noticed, nothing is asked, and "
                    "it is never made anew."
                )
            )
            if visitor.may("deploy") and shown.now.state == "live":
                _rules(visitor, shown, rules="")
        else:
            _watched(visitor, shown, shown.loop)


def _watched(visitor: Visitor, shown: Seen, loop: Closely) -> None:
    say = visitor.say
    with ui.element("div").classes("next"):
        words(say("Next"), tag="span", classes="muted small")
        words(_headline(say, loop.action), tag="strong", classes="lead")
        words(retold(say, loop.action.why))
    if _waits_for_word(loop):
        _word(visitor, loop)
    alarms(say, loop)
    rates(say, loop)
    with ui.element("div").classes("spaced"):
        facts(_facts(say, loop))
    changes(say, loop)
    if visitor.may("deploy"):
        _rules(visitor, shown, rules=loop.loop.spec)


def _headline(say: Text, action: Action) -> str:
    match action:
        case Make():
            return say("Makes a new model")
        case Try():
            return say("Puts a new model on trial as {stage}", stage=say(action.stage))
        case AskPerson():
            return say("Waits for a person's word")
        case Promote():
            return say("Makes the new model live")
        case GiveUp():
            return say("Gives the new model up")
        case _:
            return say("Waits")


def _facts(say: Text, loop: Closely) -> list[tuple[str, str | Callable[[], None]]]:
    state, now = loop.state, loop.now
    answers = draws.answers(state.draws)
    found: list[tuple[str, str | Callable[[], None]]] = [
        (say("Answers of what is live"), say.number(answers)),
        (say("New labels since the last try"), say.number(loop.seen.new_labels)),
        (say("Tries so far"), say.number(state.tries)),
        (say("Last try"), say.moment(state.last_try)),
    ]
    if state.candidate and not state.candidate.is_over:
        model = state.candidate.model
        found.append((say("New model"), lambda: _to_model(model)))
    waits = len(state.trial.waits_for) if state.trial else 0
    if waits:
        found.append((say("Pictures that hold up the trial"), say.number(waits)))
    word = loop.rules.approve
    how = say("after a person's word") if word == "person" else say("by the rules alone")
    found.append((say("A proven model goes live"), how))
    days = say("{days} days", days=now.keep_days)
    found.append((say("Pictures are kept"), days if now.keep_days else say("not kept")))
    return found


def _to_model(model: str) -> None:
    link(model[:12], f"/models/{model}")


def _waits_for_word(loop: Closely) -> bool:
    """A yes or no changes something: nobody said one yet."""
    tried = loop.state.candidate
    is_open = tried is not None and not tried.is_over and tried.status == "accepted"
    return is_open and not loop.seen.has_nod and not loop.seen.has_veto


def _word(visitor: Visitor, loop: Closely) -> None:
    """What the candidate has shown, and the buttons for those who may decide."""
    say, tried = visitor.say, loop.state.candidate
    assert tried is not None
    is_asked = isinstance(loop.action, AskPerson)
    with ui.element("section").classes("word"):
        heading(say("A new model waits for your word") if is_asked else say("A new model"), 3)
        with ui.element("div").classes("row"):
            link(tried.model[:12], f"/models/{tried.model}", classes="strong")
            trial = loop.state.trial
            if trial is not None:
                pairs = say.number(trial.differences.n)
                words(say("{count} pairs with what is live", count=pairs), classes="muted")
        if trial is not None and trial.differences.n:
            _difference(say, loop)
        if visitor.may("approve"):
            with ui.element("div").classes("row"):
                if is_asked:
                    _say_button(visitor, loop, "Approve", flows.approve)
                _say_button(visitor, loop, "Reject", flows.reject)
        else:
            words(say("An engineer decides."), classes="muted")


def _difference(say: Text, loop: Closely) -> None:
    assert loop.state.trial is not None
    bounds, margin = loop.state.trial.differences, loop.rules.rollout.margin
    words(say("How much more it loses per answer than what is live"), classes="muted small")
    ends = max(0.0, bounds.lower), max(0.0, bounds.upper)
    interval(say, say("more lost"), ends, margin, limit_name=say("margin"))


def _say_button(visitor: Visitor, loop: Closely, name: str, verb: Callable[..., str]) -> None:
    say, deployment = visitor.say, loop.now.name
    is_yes = verb is flows.approve
    meaning = (
        say(
            "It answers for {share} of the parts first, then for all.",
            share=say.percent(loop.rules.canary_share),
        )
        if is_yes
        else say("It is given up; what is live stays.")
    )

    def ask() -> None:
        with asked(say, f"{say(name)} · {deployment}") as dialog:
            words(meaning)

            async def decide(given: Given) -> None:
                done = await visitor.do("approve", verb, deployment, why=given.get("why", ""))
                if done is not None:
                    dialog.close()
                    ui.navigate.to(f"/deployments/{deployment}")

            with form(decide):
                field(say("Why, for the timeline"), "why")
                with ui.element("div").classes("row"):
                    send(say(name), kind="primary" if is_yes else "danger")
                    never_mind(say, dialog)

    button(say(name), ask, kind="primary" if is_yes else "danger")


def _rules(visitor: Visitor, shown: Seen, *, rules: str) -> None:
    """Begin, change or end the watch."""
    say, name = visitor.say, shown.now.name
    written = "" if rules.strip() in ("", "{}") else rules

    async def watch(given: Given) -> None:
        done = await visitor.do("deploy", _watch, name, given.get("rules", ""))
        if done is not None:
            ui.navigate.to(f"/deployments/{name}")

    with ui.element("details").classes("more"):
        words(say("Rules of the loop") if shown.is_watched else say("Watch it"), tag="summary")
        with form(watch):
            with ui.element("label"):
                words(say("Rules in YAML; empty: the defaults"), tag="span")
                box = words(written, tag="textarea", classes="field short")
                box.props.update({"name": "rules", "spellcheck": "false"})
                box.props["placeholder"] = "approve: person\nretrain: {labels: 100}"
            with ui.element("details").classes("more"):
                words(say("All rules with their defaults"), tag="summary")
                words(_defaults(), tag="pre")
            with ui.element("div").classes("row"):
                send(say("Save the rules") if shown.is_watched else say("Watch it"))
                if shown.is_watched:
                    button(say("Watch it no longer"), lambda: _end(visitor, name), kind="danger")


def _watch(workspace: Workspace, name: str, rules: str) -> object:
    chosen = spec.parse(rules, where="rules") if rules.strip() else None
    return flows.watch(workspace, name, chosen)


def _defaults() -> str:
    return yaml.safe_dump(LoopSpec().model_dump(mode="json"), sort_keys=False)


def _end(visitor: Visitor, name: str) -> None:
    say = visitor.say
    with asked(say, f"{say('Watch it no longer')} · {name}") as dialog:
        words(
            say(
                "No change is noticed any more and nothing is made anew. Timeline and labels stay, "
                "and what is on trial stays so."
            )
        )

        async def end() -> None:
            done = await visitor.do("deploy", _unwatch, name)
            if done:
                dialog.close()
                ui.navigate.to(f"/deployments/{name}")

        with ui.element("div").classes("row"):
            button(say("Watch it no longer"), end, kind="danger")
            never_mind(say, dialog)


def _unwatch(workspace: Workspace, name: str) -> bool:
    flows.unwatch(workspace, name)
    return True

"""What the hub runs: one pass over every loop, each step of which may be taken twice.

Each pass looks at what is known, decides (`retrain.next_action`) and does one thing. What it does
is looked for first, so a hub that was killed between doing and noting does nothing twice.
"""

import logging
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from tenfold.catalog import activity, deployments, loops, picks
from tenfold.catalog.deployments import Change, Deployment
from tenfold.catalog.loops import Happening, Loop
from tenfold.errors import Conflict, TenfoldError
from tenfold.loop import rollout, spec, trial
from tenfold.loop.making import base_of, task_of
from tenfold.loop.retrain import (
    STAGES,
    Action,
    AskPerson,
    Candidate,
    GiveUp,
    Make,
    Promote,
    Situation,
    Try,
    Wait,
    next_action,
)
from tenfold.loop.spec import LoopSpec
from tenfold.loop.state import LoopState
from tenfold.loop.state import Try as Trying
from tenfold.loop.taking_in import take_in
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

RETRAIN = "retrain"
"""The kind of the job that makes a deployment's model anew; see `making.retrain`."""
KEEP_DAYS = 30
"""Pictures of a watched deployment are kept so long where it did not say."""
Submit = Callable[[str, dict[str, Any], str], object]
"""Has a job done in a while: its kind, its arguments, and the key under which it is done once."""


def watch(workspace: Workspace, deployment: str, rules: LoopSpec | None = None) -> Loop:
    """Watch a deployment from now on, or change the rules by which it is.

    Raises:
        NotFound: nothing is deployed under that name, or its task is gone.
        Conflict: it is retired.
    """
    scope, now = workspace.scope, deployments.get(workspace.scope, deployment)
    if now.state == "retired":
        raise Conflict(f"{deployment!r} is retired.", hint="Deploy it again, then watch it.")
    base = base_of(task_of(workspace, now.live), deployment)
    if not now.keep_days:
        why = "review needs the pictures"
        deployments.change(scope, [Change(deployment, "keep", why=why, keep_days=KEEP_DAYS)])
    began = LoopState(base=base, began=scope.now(), tries=_tried(workspace, deployment)).to_json()
    first = Happening(deployment, "watched", f"watched:{now.generation}", now.live)
    return loops.put(scope, deployment, (rules or LoopSpec()).to_yaml(), state=began, first=first)


def _tried(workspace: Workspace, deployment: str) -> int:
    """Tries of loops that ended: a number names a job, and is never used again."""
    told = loops.timeline(workspace.scope, deployment)
    return max((int(one.key.rpartition(":")[2]) for one in told if one.kind == "makes"), default=0)


def unwatch(workspace: Workspace, deployment: str) -> None:
    """End a loop; what is on trial stays so, timeline and labels stay.

    Raises:
        NotFound: the deployment is not watched.
    """
    loop = loops.get(workspace.scope, deployment)
    last = Happening(deployment, "not watched", f"not watched:{loop.version}")
    loops.drop(workspace.scope, deployment, last=last)


def reconcile(workspace: Workspace, submit: Submit) -> None:
    """One pass: take in what was answered since, then one step of each loop."""
    take_in(workspace)
    for loop in loops.everything(workspace.scope):
        try:
            step(workspace, loop, submit)
        except Conflict as error:
            log.info("%s", error)  # somebody went on: the next pass looks again
        except TenfoldError as error:
            log.warning("the loop of %s takes no step: %s", loop.deployment, error)


def step(workspace: Workspace, loop: Loop, submit: Submit) -> Action:
    """Do the one thing that is to be done now, and say what."""
    rules = spec.parse(loop.spec, where=f"loop of {loop.deployment}")
    now = deployments.get(workspace.scope, loop.deployment)
    before = LoopState.from_json(loop.state)
    state = _settled(workspace, loop.deployment, rules, _on_trial(rules, before))
    if state != before:
        with workspace.scope.write() as connection:
            loops.advance(connection, workspace.scope, loop, state.to_json())
        loop = replace(loop, state=state.to_json(), version=loop.version + 1)
    if state.trying is not None:  # asked for before, and perhaps never heard
        _submit(submit, loop.deployment, state.trying)
    seen = situation(workspace, rules, state, now)
    action = next_action(rules.retrain, seen, needs_nod=rules.approve == "person")
    _Doing(workspace, loop, rules, state, now, submit).do(action, seen)
    return action


def situation(
    workspace: Workspace, rules: LoopSpec, state: LoopState, now: Deployment
) -> Situation:
    """All that is known of a deployment."""
    counted = picks.counts(workspace.scope, now.name)
    tried, shown = state.candidate, state.trial
    if shown is not None and (tried is None or shown.model != tried.model):
        shown = None
    return Situation(
        now=workspace.scope.now(),
        live=now.live,
        shadow=now.shadow,
        canary=now.canary,
        is_retired=now.state == "retired",
        alarms=len(state.alarmed),
        new_labels=counted.settled - state.settled,
        labels_since_alarm=counted.settled - max(state.settled, state.settled_at_alarm),
        is_older_than_alarm=bool(state.alarmed) and state.settled < state.settled_at_alarm,
        new_misses=counted.misses - state.misses,
        in_vain=state.in_vain,
        last_try=state.last_try,
        began=state.began,
        is_making=state.trying is not None,
        candidate=tried,
        shadow_says=rollout.decide_shadow(rules.rollout, shown.evidence) if shown else None,
        canary_says=rollout.decide_canary(rules.rollout, shown.operation) if shown else None,
        was_tried=tried is not None and not tried.is_over and _was_tried(workspace, now, tried),
        has_nod=_was_said(workspace, now.name, "approved", tried.model if tried else ""),
        has_veto=_was_said(workspace, now.name, "rejected", tried.model if tried else ""),
    )


def approve(workspace: Workspace, deployment: str, *, why: str = "") -> str:
    """A person's nod to the candidate; returns its model.

    Raises:
        Conflict: no candidate waits for one.
    """
    return _say(workspace, deployment, "approved", why)


def reject(workspace: Workspace, deployment: str, *, why: str = "") -> str:
    """A person's no to the candidate; returns its model.

    Raises:
        Conflict: there is no candidate.
    """
    return _say(workspace, deployment, "rejected", why)


def _say(workspace: Workspace, deployment: str, word: str, why: str) -> str:
    state = LoopState.from_json(loops.get(workspace.scope, deployment).state)
    tried = state.candidate
    if tried is None or tried.is_over or tried.status != "accepted":
        raise Conflict(
            f"no new model of {deployment!r} waits for anybody's word.",
            hint="`tenfold watched NAME` says how far it is.",
        )
    happening = Happening(deployment, word, f"{word}:{tried.model}", tried.model, {"why": why})
    with workspace.scope.write() as connection:
        loops.note(connection, workspace.scope, [happening])
        detail = {"model": tried.model, "why": why}
        activity.add(connection, workspace.scope, word, subject=deployment, detail=detail)
    return tried.model


def _was_said(workspace: Workspace, deployment: str, word: str, model: str) -> bool:
    return bool(model) and loops.has_happened(workspace.scope, deployment, f"{word}:{model}")


def _was_tried(workspace: Workspace, now: Deployment, tried: Candidate) -> bool:
    """Whether the history has it as shadow or canary: a hub that was killed remembers nothing."""
    history = deployments.history(workspace.scope, now.name)
    return any(one.model == tried.model and one.action in STAGES for one in history)


def _on_trial(rules: LoopSpec, state: LoopState) -> LoopState:
    """With room for what the candidate will show, before any of it can come."""
    tried = state.candidate
    if tried is None or tried.is_over or (state.trial and state.trial.model == tried.model):
        return state
    return replace(state, trial=trial.begin(tried.model, rules.rollout))


def _settled(workspace: Workspace, deployment: str, rules: LoopSpec, state: LoopState) -> LoopState:
    """With the truths that the candidate's pairs waited for."""
    if state.trial is None or not state.trial.tail:
        return state
    waiting = [pair.sample for pair in state.trial.waits_for]
    truths = picks.truths(workspace.scope, deployment, waiting) if waiting else {}
    return replace(state, trial=trial.settle(rules.rollout, state.trial, truths, costs=rules.costs))


def _submit(submit: Submit, deployment: str, trying: Trying) -> None:
    arguments = {"deployment": deployment, "number": trying.number}
    submit(RETRAIN, arguments, f"{RETRAIN}:{deployment}:{trying.number}")


class _Doing:
    """One action of one loop."""

    def __init__(
        self,
        workspace: Workspace,
        loop: Loop,
        rules: LoopSpec,
        state: LoopState,
        now: Deployment,
        submit: Submit,
    ) -> None:
        self._workspace, self._loop, self._rules = workspace, loop, rules
        self._state, self._now, self._submit = state, now, submit

    def do(self, action: Action, seen: Situation) -> None:
        match action:
            case Wait():
                return
            case Make():
                self._make(action, seen)
            case AskPerson():
                self._note("waits for a nod", f"nod:{action.model}", action.model, action.why)
            case Try():
                self._try(action)
            case Promote():
                self._promote(action)
            case GiveUp():
                self._give_up(action)

    def _make(self, action: Make, seen: Situation) -> None:
        number = self._state.tries + 1
        trying = Trying(
            number=number,
            trigger=action.trigger,
            why=action.why,
            began=seen.now,
            settled=self._state.settled + seen.new_labels,
            misses=self._state.misses + seen.new_misses,
        )
        after = replace(self._state, tries=number, trying=trying)
        self._write(after, Happening(self._name, "makes", f"makes:{number}", "", _why(action.why)))
        _submit(self._submit, self._name, trying)

    def _try(self, action: Try) -> None:
        """Set the stage, unless a pass before this one did."""
        if getattr(self._now, action.stage) != action.model:
            share = self._rules.canary_share if action.stage == "canary" else 0.0
            self._change(Change(self._name, action.stage, action.model, action.why, share))

    def _promote(self, action: Promote) -> None:
        if self._now.live != action.model:
            self._change(Change(self._name, "promote", action.model, action.why))
        self._over("promoted", action.model, action.why)

    def _give_up(self, action: GiveUp) -> None:
        if action.model in (self._now.shadow, self._now.canary):
            self._change(Change(self._name, "rollback", action.model, action.why))
        self._over("given up", action.model, action.why)

    def _over(self, kind: str, model: str, why: str) -> None:
        tried = self._state.candidate
        assert tried is not None
        after = replace(
            self._state,
            candidate=replace(tried, is_over=True),
            trial=None,
            in_vain=self._state.in_vain + (kind != "promoted"),
        )
        happening = Happening(self._name, kind, f"over:{model}", model, _why(why))
        self._write(after, happening)

    def _note(self, kind: str, key: str, model: str, why: str) -> None:
        if not loops.has_happened(self._workspace.scope, self._name, key):
            with self._workspace.scope.write() as connection:
                happening = Happening(self._name, kind, key, model, _why(why))
                loops.note(connection, self._workspace.scope, [happening])

    def _change(self, change: Change) -> None:
        deployments.change(self._workspace.scope, [change])

    def _write(self, after: LoopState, *some: Happening) -> None:
        scope = self._workspace.scope
        with scope.write() as connection:
            loops.advance(connection, scope, self._loop, after.to_json())
            loops.note(connection, scope, some)

    @property
    def _name(self) -> str:
        return self._loop.deployment


def _why(why: str) -> dict[str, Any]:
    return {"why": why}

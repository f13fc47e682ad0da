"""How far loops are, in plain words."""

from dataclasses import dataclass, replace

from tenfold import packages
from tenfold.catalog import deployments, labels, loops, models, picks
from tenfold.catalog.deployments import Deployment
from tenfold.catalog.loops import Loop
from tenfold.catalog.picks import Pick
from tenfold.loop import draws, flows, spec
from tenfold.loop.error_rates import Audit, ErrorRates, against, error_rates
from tenfold.loop.labelling import is_good_or_bad
from tenfold.loop.making import task_of
from tenfold.loop.retrain import (
    Action,
    AskPerson,
    GiveUp,
    Make,
    Promote,
    Situation,
    Try,
    Wait,
    next_action,
)
from tenfold.loop.review import CANNOT_TELL
from tenfold.loop.spec import LoopSpec
from tenfold.loop.state import LoopState
from tenfold.specs.bar import Bar
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Watched:
    """One deployment that is watched."""

    deployment: str
    live: str
    state: str
    answers: int
    """Of what is live, since it is."""
    alarms: tuple[str, ...]
    """Kinds of change."""
    to_review: int
    labels: int
    next: str
    """What the loop does next, or waits for."""
    rates: tuple[str, ...] = ()
    """How often production is wrong, as audits prove it."""
    remarks: tuple[str, ...] = ()


def watched(workspace: Workspace, deployment: str = "") -> list[Watched]:
    """What is watched; empty: everything.

    Raises:
        NotFound: that deployment is not watched.
    """
    if deployment:
        return [_watched(workspace, loops.get(workspace.scope, deployment))]
    return [_watched(workspace, loop) for loop in loops.everything(workspace.scope)]


@dataclass(frozen=True, slots=True)
class Closely:
    """One loop in numbers, for whoever draws it."""

    loop: Loop
    rules: LoopSpec
    state: LoopState
    now: Deployment
    seen: Situation
    action: Action
    bar: Bar | None = None
    """Of the task of what is live; None: it is not watched yet."""
    rates: ErrorRates | None = None


def closely(workspace: Workspace, deployment: str) -> Closely:
    """How far a loop is, in numbers.

    Raises:
        NotFound: that deployment is not watched.
    """
    loop = loops.get(workspace.scope, deployment)
    found = looked_at(workspace, loop)
    bar, rates = _proven(workspace, deployment, found.state) or (None, None)
    return replace(found, bar=bar, rates=rates)


def looked_at(workspace: Workspace, loop: Loop) -> Closely:
    """How far a loop is and what comes next, without what is proven of it."""
    rules = spec.parse(loop.spec, where=f"loop of {loop.deployment}")
    state = LoopState.from_json(loop.state)
    now = deployments.get(workspace.scope, loop.deployment)
    seen = flows.situation(workspace, rules, state, now)
    action = next_action(rules.retrain, seen, needs_nod=rules.approve == "person")
    return Closely(loop, rules, state, now, seen, action)


def _watched(workspace: Workspace, loop: Loop) -> Watched:
    found = looked_at(workspace, loop)
    state, now = found.state, found.now
    counted = picks.counts(workspace.scope, loop.deployment)
    remarks = (
        [f"Model {state.trying.number} is being made: {state.trying.why}"] if state.trying else []
    )
    waits = len(state.trial.waits_for) if state.trial else 0
    if waits:
        remarks.append(f"{waits:,} pictures hold up the trial until somebody says what they show.")
    proven = _proven(workspace, loop.deployment, state)
    return Watched(
        deployment=loop.deployment,
        live=now.live,
        state=now.state,
        answers=draws.answers(state.draws),
        alarms=state.alarmed,
        to_review=counted.open,
        labels=labels.count(workspace.scope, loop.deployment),
        next=in_words(found.action),
        rates=tuple(against(*proven)) if proven else (),
        remarks=tuple(remarks),
    )


def _proven(
    workspace: Workspace, deployment: str, state: LoopState
) -> tuple[Bar, ErrorRates] | None:
    """How often what is live is wrong, and the bar of its task; None: it is not watched yet."""
    if not state.live:
        return None
    bar = task_of(workspace, state.live).bar
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, state.live)).manifest
    good = manifest.classes[0] if is_good_or_bad(manifest) else None
    drawn = picks.audits(workspace.scope, deployment, state.live)
    audits = [
        _audit(one, good=good) for one in drawn if one.detail.get("watch") == state.watched_as
    ]
    return bar, error_rates(state.draws, audits, alpha=bar.alpha)


def _audit(one: Pick, *, good: str | None) -> Audit:
    """Whether what was said was wrong: of good or bad questions, whether it passed what it should
    not, or the other way round; other labels of the dataset than its good one are bad."""
    upto = draws.read(one.detail["draws"])
    if one.truth is None or one.truth == CANNOT_TELL:
        is_unknowable = one.truth == CANNOT_TELL
        return Audit(one.stratum, one.probability, upto, None, is_unknowable)
    is_wrong = set(one.said.split(";")) != set(one.truth.split(";"))
    if good is not None:
        is_wrong = (one.said == good) != (one.truth == good)
    return Audit(one.stratum, one.probability, upto, is_wrong)


def in_words(action: Action) -> str:
    match action:
        case Wait():
            return action.why
        case Make():
            return f"Makes a new model: {action.why}"
        case Try():
            return f"Puts model {action.model[:12]} to work as {action.stage}: {action.why}"
        case AskPerson():
            return f"Waits for a person: tenfold approve NAME, or reject. {action.why}"
        case Promote():
            return f"Makes model {action.model[:12]} live: {action.why}"
        case GiveUp():
            return f"Gives up model {action.model[:12]}: {action.why}"

"""How far loops are, in plain words."""

from dataclasses import dataclass

from tenfold import packages
from tenfold.catalog import deployments, labels, loops, models, picks
from tenfold.catalog.loops import Loop
from tenfold.catalog.picks import Pick
from tenfold.loop import draws, flows, spec
from tenfold.loop.error_rates import Audit, against, error_rates
from tenfold.loop.labelling import is_good_or_bad
from tenfold.loop.making import task_of
from tenfold.loop.retrain import (
    Action,
    AskPerson,
    GiveUp,
    Make,
    Promote,
    Try,
    Wait,
    next_action,
)
from tenfold.loop.review import CANNOT_TELL
from tenfold.loop.state import LoopState
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


def _watched(workspace: Workspace, loop: Loop) -> Watched:
    rules = spec.parse(loop.spec, where=f"loop of {loop.deployment}")
    state = LoopState.from_json(loop.state)
    now = deployments.get(workspace.scope, loop.deployment)
    seen = flows.situation(workspace, rules, state, now)
    action = next_action(rules.retrain, seen, needs_nod=rules.approve == "person")
    counted = picks.counts(workspace.scope, loop.deployment)
    remarks = (
        [f"Model {state.trying.number} is being made: {state.trying.why}"] if state.trying else []
    )
    waits = len(state.trial.waits_for) if state.trial else 0
    if waits:
        remarks.append(f"{waits:,} pictures hold up the trial until somebody says what they show.")
    return Watched(
        deployment=loop.deployment,
        live=now.live,
        state=now.state,
        answers=draws.answers(state.draws),
        alarms=state.alarmed,
        to_review=counted.open,
        labels=labels.count(workspace.scope, loop.deployment),
        next=in_words(action),
        rates=tuple(_rates(workspace, loop.deployment, state)),
        remarks=tuple(remarks),
    )


def _rates(workspace: Workspace, deployment: str, state: LoopState) -> list[str]:
    """How often what is live is wrong, held against the bar of its task."""
    if not state.live:
        return []
    bar = task_of(workspace, state.live).bar
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, state.live)).manifest
    good = manifest.classes[0] if is_good_or_bad(manifest) else None
    drawn = picks.audits(workspace.scope, deployment, state.live)
    audits = [
        _audit(one, good=good) for one in drawn if one.detail.get("watch") == state.watched_as
    ]
    return against(bar, error_rates(state.draws, audits, alpha=bar.alpha))


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

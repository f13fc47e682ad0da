"""A deployment's model made anew from what production taught. Run by the hub as a job."""

import logging
from collections.abc import Sequence
from dataclasses import replace

from tenfold import jobs
from tenfold.catalog import labels, loops, models, picks
from tenfold.catalog.labels import Label
from tenfold.catalog.loops import Happening, Loop
from tenfold.catalog.picks import Pick
from tenfold.errors import NotFound, TenfoldError, Unavailable
from tenfold.factory.make import make
from tenfold.factory.plan import plan
from tenfold.factory.recording import Made
from tenfold.loop.harvest import Box, Harvest, Learnt, harvest, name_of
from tenfold.loop.retrain import Candidate
from tenfold.loop.review import CANNOT_TELL
from tenfold.loop.state import LoopState, Try
from tenfold.specs.task import TaskSpec, parse
from tenfold.values import Progress
from tenfold.workspace import Workspace, opened

log = logging.getLogger(__name__)


def retrain(
    workspace: Workspace, deployment: str, number: int, *, progress: Progress | None = None
) -> Candidate | None:
    """Carry out try `number` of a deployment's loop; None: it is over already.

    Killed at any moment it can be run again: the harvest is written over itself, the model is found
    where it is made, and the try ends once.

    Raises:
        NotFound: the loop has ended.
    """
    loop = loops.get(workspace.scope, deployment)
    state = LoopState.from_json(loop.state)
    if state.trying is None or state.trying.number != number:
        return None
    try:
        taken, made = _made(workspace, deployment, state, progress)
    except TenfoldError as error:
        _end(workspace, deployment, state.trying, None, {"problem": str(error)})
        return None
    candidate = Candidate(
        made.model.id, made.verdict.status, is_over=made.verdict.status != "accepted"
    )
    detail: dict[str, object] = {
        "status": made.verdict.status,
        "why": " ".join(made.verdict.claims),
        "dataset": taken.dataset,
        "added": taken.added,
        "audits": taken.audits,
        "corrected": taken.corrected,
    }
    _end(workspace, deployment, state.trying, candidate, detail)
    return candidate


def retrain_at(home: str, deployment: str, number: int) -> None:
    """`retrain` in the workspace of a home, by whoever the hub is."""
    with opened(home) as workspace:
        retrain(workspace, deployment, number)


def retrain_in_child(home: str, deployment: str, number: int) -> None:
    """`retrain_at` in a process of its own; a try whose process ended ends with it."""
    try:
        target = f"{retrain_at.__module__}:{retrain_at.__name__}"
        jobs.in_child(target, home, {"deployment": deployment, "number": number})
    except Unavailable as error:
        with opened(home) as workspace:
            fail(workspace, deployment, number, str(error))
    except NotFound as error:
        log.info("%s", error)  # nobody watches it any more


def fail(workspace: Workspace, deployment: str, number: int, problem: str) -> None:
    """End a try that made nothing."""
    try:
        state = LoopState.from_json(loops.get(workspace.scope, deployment).state)
    except NotFound:
        return
    if state.trying is not None and state.trying.number == number:
        _end(workspace, deployment, state.trying, None, {"problem": problem})


def task_of(workspace: Workspace, model: str) -> TaskSpec:
    """The task that a model was made for.

    Raises:
        NotFound: the model or its task is gone.
    """
    found = models.get(workspace.scope, model)
    made = models.find_make(workspace.scope, found.make_id)
    if made is None:
        raise NotFound(
            f"the task of model {model[:12]} was not finished.", hint="Make it, then deploy that."
        )
    return parse(made.spec, where=f"task {made.task}")


def base_of(spec: TaskSpec, deployment: str) -> str:
    """The task's own dataset, also of a model that a loop made."""
    ending = name_of("", deployment)
    return spec.dataset.removesuffix(ending)


def learnt_of(settled: Sequence[Pick], said: Sequence[Label]) -> list[Learnt]:
    """What people agreed on, a picture each.

    What was drawn whatever was answered judges, even if it was picked for another reason too: it
    would have been drawn anyway. Only boxes of the newest label of each person count.
    """
    even = {one.sample for one in settled if one.reason == "audit" and one.detail.get("even")}
    boxes: dict[str, dict[str, tuple[Box, ...]]] = {}
    for label in said:
        boxes.setdefault(label.sample, {})[label.actor] = tuple(label.boxes)
    found: dict[str, Learnt] = {}
    for one in settled:
        if one.truth is None or one.truth == CANNOT_TELL:
            continue
        route = str(one.detail.get("route") or one.sample)
        found[one.sample] = Learnt(
            sample=one.sample,
            truth=one.truth,
            origin="audit" if one.sample in even else "review",
            lot=None if route == one.sample else f"route {route}",
            boxes=tuple(box for some in boxes.get(one.sample, {}).values() for box in some),
        )
    return [found[sample] for sample in sorted(found)]


def _made(
    workspace: Workspace, deployment: str, state: LoopState, progress: Progress | None
) -> tuple[Harvest, Made]:
    spec = task_of(workspace, state.live).model_copy(update={"dataset": state.base})
    settled = picks.settled(workspace.scope, deployment)
    learnt = learnt_of(settled, labels.of_deployment(workspace.scope, deployment))
    taken = harvest(workspace, spec, deployment, learnt)
    anew = spec.model_copy(update={"dataset": taken.dataset})
    return taken, make(workspace, plan(workspace, anew), progress=progress)


def _end(
    workspace: Workspace,
    deployment: str,
    trying: Try,
    candidate: Candidate | None,
    detail: dict[str, object],
) -> None:
    """Write down what came of a try, once, whoever else takes steps meanwhile."""
    loop = loops.get(workspace.scope, deployment)
    state = LoopState.from_json(loop.state)
    if state.trying is None or state.trying.number != trying.number:
        return
    after = replace(
        state,
        trying=None,
        last_try=workspace.scope.now(),
        settled=trying.settled,
        misses=trying.misses,
        candidate=candidate or state.candidate,
        trial=None,
        in_vain=state.in_vain + (candidate is not None and candidate.is_over),
    )
    happening = Happening(
        deployment,
        "made" if candidate else "not made",
        f"made:{trying.number}",
        candidate.model if candidate else "",
        detail,
    )
    _write(workspace, loop, after, happening)


def _write(workspace: Workspace, loop: Loop, after: LoopState, happening: Happening) -> None:
    with workspace.scope.write() as connection:
        loops.advance(connection, workspace.scope, loop, after.to_json())
        loops.note(connection, workspace.scope, [happening])

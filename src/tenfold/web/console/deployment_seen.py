"""What the page of a deployment shows, read at once."""

from dataclasses import dataclass

from tenfold import packages
from tenfold.catalog import deployments, loops, models, picks
from tenfold.catalog.deployments import Deployment
from tenfold.catalog.loops import Happening
from tenfold.catalog.models import Model, Search
from tenfold.errors import TenfoldError
from tenfold.loop import describing, labelling
from tenfold.loop.describing import Closely
from tenfold.workspace import Workspace

MOST_OFFERED = 40
FEW = 20
"""Of the timeline, unless one asks for all."""
MOST = 2_000


@dataclass(frozen=True, slots=True)
class Seen:
    now: Deployment
    models: dict[str, Model]
    """By id, those that it names."""
    offered: list[Model]
    """That could take the place of what is live."""
    waiting: int
    """Pictures that wait for whoever looks."""
    words: tuple[str, ...]
    """What may be said of its pictures."""
    needs_word: bool
    """Whether a missed defect must be named."""
    is_watched: bool
    loop: Closely | None
    problem: TenfoldError | None
    """Why the loop cannot be shown."""


def seen(workspace: Workspace, name: str, *, actor: str) -> Seen:
    """One deployment.

    Raises:
        NotFound: there is none.
    """
    scope = workspace.scope
    now = deployments.get(scope, name)
    found = models.find_all(scope, {*now.models, now.before} - {""})
    live = found.get(now.live)
    told, needs_word = _words(workspace, now)
    loop, problem = _loop(workspace, name)
    return Seen(
        now=now,
        models=found,
        offered=models.search(scope, _like(live)) if live else [],
        waiting=picks.left(scope, name, unseen_by=actor),
        words=told,
        needs_word=needs_word,
        is_watched=loop is not None or problem is not None,
        loop=loop,
        problem=problem,
    )


def story(workspace: Workspace, name: str, *, limit: int) -> list[Happening]:
    """The end of its timeline, newest first; one more where there are more."""
    return loops.latest(workspace.scope, name, limit=limit + 1)


def _like(live: Model) -> Search:
    return Search(dataset=live.dataset, kind=live.kind, limit=MOST_OFFERED)


def _words(workspace: Workspace, now: Deployment) -> tuple[tuple[str, ...], bool]:
    try:
        told = labelling.words_of(workspace, now)
        model = models.get(workspace.scope, now.live)
        manifest = packages.of_model(workspace.blobs, model).manifest
    except TenfoldError:
        return (), False
    return told, not labelling.is_good_or_bad(manifest)


def _loop(workspace: Workspace, name: str) -> tuple[Closely | None, TenfoldError | None]:
    """How far the loop is. One that cannot be looked at must not hide the rest of the page."""
    if loops.find(workspace.scope, name) is None:
        return None, None
    try:
        return describing.closely(workspace, name), None
    except TenfoldError as error:
        return None, error

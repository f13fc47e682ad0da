"""Take in what a person says of a picture, and settle it when people agree."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from typing import Any

from sqlalchemy import Connection

from tenfold import packages
from tenfold.catalog import deployments, gallery, labels, loops, models, picks
from tenfold.catalog.deployments import Deployment
from tenfold.catalog.labels import Label
from tenfold.errors import Conflict, DataError, NotFound
from tenfold.loop import review, spec
from tenfold.loop.harvest import Box
from tenfold.loop.review import CANNOT_TELL, Agreed, Said
from tenfold.packages import Manifest
from tenfold.values import fingerprint
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Opinion:
    """What somebody says."""

    sample: str
    label: str
    """A class, several joined by `;`; empty: the picture does not show it."""
    boxes: tuple[Box, ...] = ()
    seconds: float = 0.0
    shown: Mapping[str, Any] = field(default_factory=dict[str, Any])
    source: str = "review"
    key: str = ""
    """By which the same opinion is taken in once; empty: it is a new one."""
    who: str = ""
    """Empty: whoever asks."""
    at: datetime | None = None
    """None: now."""


@dataclass(frozen=True, slots=True)
class Taken:
    sample: str
    is_new: bool
    truth: str | None
    """What people agree on; None: more must look."""
    more: int = 0
    """How many."""


def label(workspace: Workspace, deployment: str, opinion: Opinion) -> Taken:
    """Take in one opinion about a picture of the queue.

    Raises:
        NotFound: nothing is deployed under that name, or the picture is not in its queue.
        DataError: the label is no answer to the question, or the seconds are impossible.
    """
    (taken,) = label_all(workspace, deployment, [opinion])
    return taken


def label_all(workspace: Workspace, deployment: str, opinions: Sequence[Opinion]) -> list[Taken]:
    """Take in all opinions, or none.

    Raises:
        NotFound, DataError: as `label`; the first that is wrong is named.
    """
    scope = workspace.scope
    now = deployments.get(scope, deployment)
    words = _words_for(workspace, now, {word for one in opinions for word in one.label.split(";")})
    for one in opinions:
        _check(workspace, deployment, one, words)
    rules = _rules(workspace, deployment)
    with scope.write() as connection:
        return [_taken(connection, workspace, now, rules, one) for one in opinions]


def sample_of(workspace: Workspace, deployment: str, begin: str) -> str:
    """The picture of a deployment's queue whose digest begins so.

    Raises:
        NotFound: there is none.
        Conflict: there are several.
    """
    deployments.get(workspace.scope, deployment)
    found = picks.beginning(workspace.scope, deployment, begin)
    if not found:
        raise NotFound(
            f"{deployment!r} asks nothing about a picture {begin!r}.",
            hint="`tenfold review ls NAME` lists what waits.",
        )
    if len(found) > 1:
        raise Conflict(f"several pictures begin with {begin!r}.", hint="Give more digits.")
    return found[0]


def _words_for(workspace: Workspace, now: Deployment, said: set[str]) -> tuple[str, ...]:
    """What may be said. The labels of a dataset, which may be large, are read only where something
    was said that is no class of the model."""
    classes = _manifest(workspace, now).classes
    return classes if said <= {*classes, ""} else words_of(workspace, now)


def words_of(workspace: Workspace, now: Deployment) -> tuple[str, ...]:
    """What may be said of a deployment's pictures: its classes, then other labels of its dataset
    where the question is good or bad."""
    manifest = _manifest(workspace, now)
    if not is_good_or_bad(manifest):
        return manifest.classes
    name = manifest.question.get("label") or ""
    dataset = models.get(workspace.scope, now.live).dataset
    there = gallery.labels(workspace.scope, dataset, attribute=name)
    return (*manifest.classes, *sorted(there - set(manifest.classes)))


def _manifest(workspace: Workspace, now: Deployment) -> Manifest:
    model = models.get(workspace.scope, now.live)
    return packages.of_model(workspace.blobs, model).manifest


def is_good_or_bad(manifest: Manifest) -> bool:
    return len(manifest.classes) == 2 and not manifest.multi_label and bool(manifest.thresholds)


def _check(workspace: Workspace, deployment: str, one: Opinion, words: Sequence[str]) -> None:
    where = f"sample {one.sample[:12]}"
    if not picks.of_sample(workspace.scope, deployment, one.sample):
        raise NotFound(
            f"{deployment!r} asks nothing about this picture.",
            where=where,
            hint="`tenfold review ls NAME` lists what waits.",
        )
    unknown = [word for word in one.label.split(";") if word and word not in words]
    if unknown:
        raise DataError(
            f"{unknown[0]!r} is no answer here; there are {', '.join(words)}.",
            where=where,
            hint="Leave the label empty where nobody can tell.",
        )


def _rules(workspace: Workspace, deployment: str) -> review.Rule:
    found = loops.find(workspace.scope, deployment)
    if found is None:
        return review.Rule()
    return spec.parse(found.spec, where=f"loop of {deployment}").review


def _taken(
    connection: Connection,
    workspace: Workspace,
    now: Deployment,
    rules: review.Rule,
    one: Opinion,
) -> Taken:
    scope = workspace.scope
    event = Label(
        deployment=now.name,
        sample=one.sample,
        label=one.label,
        key="",
        boxes=one.boxes,
        source=one.source,
        seconds=min(one.seconds, labels.LONGEST_S),  # a screen that was left open is no work
        shown=one.shown,
        at=one.at,
        actor=one.who,
    )
    before = labels.of_sample(connection, scope, now.name, one.sample)
    said_so = fingerprint([one.label, [list(box) for box in one.boxes]])[:12]
    key = f"{one.key or f'{one.sample[:16]}:{len(before)}'}:{said_so}"
    is_new = labels.add(connection, scope, replace(event, key=key))
    said = labels.of_sample(connection, scope, now.name, one.sample)
    needed = review.opinions_needed(rules, one.sample, salt=now.salt)
    result = review.agreed([Said(label.actor, label.label) for label in said], needed=needed)
    truth = result.truth if isinstance(result, Agreed) else None
    picks.settle(connection, scope, now.name, one.sample, truth)
    more = 0 if isinstance(result, Agreed) else result.labels
    return Taken(one.sample, is_new, truth, more)


def in_words(taken: Taken) -> str:
    """What came of an opinion, for people."""
    if taken.truth is None:
        return f"{taken.more} more must look at it."
    if taken.truth == CANNOT_TELL:
        return "Settled: nobody can tell."
    return f"Settled: {taken.truth}."

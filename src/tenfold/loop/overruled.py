"""What somebody at the line says of an answer, against the head that gave it: reviewers are asked
about its picture, or it is settled by that word."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from tenfold.catalog import labels, picks
from tenfold.catalog.labels import Label
from tenfold.catalog.picks import Pick
from tenfold.workspace import Workspace

SOURCE = "line"


@dataclass(frozen=True, slots=True)
class Doubted:
    """An answer that somebody does not believe."""

    deployment: str
    picture: bytes
    truth: str = ""
    """What it shows; empty: reviewers are to say."""
    is_miss: bool = False
    """A defect was let pass, and is known."""
    said: str = ""
    """By the head."""
    score: float = 0.0
    model: str = ""
    route: str = ""
    """What its picture must not be parted from, such as the serial number of its part."""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])


def take_in(workspace: Workspace, doubted: Sequence[Doubted]) -> list[str]:
    """Put answers before reviewers, or settle them by what was said; taking one in again adds
    nothing. Returns the pictures' digests."""
    scope = workspace.scope
    samples = [workspace.blobs.put(one.picture) for one in doubted]
    with scope.write() as connection:
        for one, sample in zip(doubted, samples, strict=True):
            picks.put(connection, scope, [_pick(one, sample)])
            if one.truth:
                labels.add(connection, scope, _label(one, sample, scope.actor))
                picks.settle(connection, scope, one.deployment, sample, one.truth)
    return samples


def _pick(one: Doubted, sample: str) -> Pick:
    return Pick(
        one.deployment,
        sample,
        "miss" if one.is_miss else "overruled",
        model=one.model,
        said=one.said,
        score=one.score,
        worth=1.0,
        detail={**one.detail, **({"route": one.route} if one.route else {})},
    )


def _label(one: Doubted, sample: str, actor: str) -> Label:
    drawn = hashlib.sha256(one.truth.encode()).hexdigest()[:16]
    key = f"{SOURCE}:{sample}:{drawn}:{actor}"
    return Label(one.deployment, sample, one.truth, key=key, source=SOURCE)

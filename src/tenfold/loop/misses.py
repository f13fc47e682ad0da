"""A defect that was let pass, reported by somebody: the next model must know it and its like."""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold import packages
from tenfold.catalog import deployments, labels, loops, models, picks
from tenfold.catalog.labels import Label
from tenfold.catalog.picks import Pick
from tenfold.errors import DataError, NotFound, SpecError, Unsupported
from tenfold.formats.pixels import inspect
from tenfold.loop.harvest import Box
from tenfold.loop.labelling import is_good_or_bad, words_of
from tenfold.packages import Manifest
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Reported:
    sample: str
    label: str
    boxes: tuple[Box, ...]
    next: str
    """What will come of it, in plain words."""


def box_of(text: str) -> Box:
    """The box that `x0,y0,x1,y1` says.

    Raises:
        SpecError: it says none.
    """
    try:
        x0, y0, x1, y1 = (float(part) for part in text.split(","))
    except ValueError as error:
        raise SpecError(
            f"expected x0,y0,x1,y1 in pixels, got {text!r}.", where="--region"
        ) from error
    if not (0 <= x0 < x1 and 0 <= y0 < y1):
        raise SpecError(f"a region goes from left to right and from top to bottom, got {text!r}.")
    return x0, y0, x1, y1


def report_miss(
    workspace: Workspace,
    image: Path | bytes,
    deployment: str,
    *,
    boxes: Sequence[Box] = (),
    label: str = "",
) -> Reported:
    """Take in a picture whose defect was let pass; reporting it again adds nothing.

    Raises:
        NotFound: there is no such file or deployment.
        DataError: it is no picture, or a region lies outside it.
        Unsupported: the deployment does not tell good from bad, or knows no such label.
    """
    now = deployments.get(workspace.scope, deployment)
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, now.live)).manifest
    truth = label or _bad_class(manifest, deployment)
    if truth not in (words := words_of(workspace, now)):
        raise DataError(f"{truth!r} is no answer here; there are {', '.join(words)}.")
    data, where = _bytes_of(image)
    limit = int(workspace.settings.max_megapixels * 1e6)
    width, height, _ = inspect(data, where=where, max_pixels=limit)
    for box in boxes:
        if box[2] > width or box[3] > height:
            raise DataError(
                f"the region {','.join(f'{side:g}' for side in box)} lies outside the picture of "
                f"{width} × {height} pixels.",
                where=where,
            )
    sample = workspace.blobs.put(data)
    _write(workspace, deployment, sample, truth, boxes)
    return Reported(sample, truth, tuple(boxes), _next(workspace, deployment))


def _write(
    workspace: Workspace, deployment: str, sample: str, truth: str, boxes: Sequence[Box]
) -> None:
    scope = workspace.scope
    drawn = hashlib.sha256(repr([truth, sorted(boxes)]).encode()).hexdigest()[:16]
    live = deployments.get(scope, deployment).live
    pick = Pick(deployment, sample, "miss", model=live, said="", worth=1.0)
    said = Label(
        deployment,
        sample,
        truth,
        boxes=tuple(boxes),
        source="miss",
        key=f"miss:{sample}:{drawn}:{scope.actor}",
    )
    with scope.write() as connection:
        picks.put(connection, scope, [pick])
        labels.add(connection, scope, said)
        picks.settle(connection, scope, deployment, sample, truth)


def _bad_class(manifest: Manifest, deployment: str) -> str:
    if not is_good_or_bad(manifest):
        raise Unsupported(
            f"{deployment!r} tells {', '.join(manifest.classes)} apart: a miss needs to know what "
            "it is.",
            hint="Say it with --label.",
        )
    return manifest.classes[1]


def _bytes_of(image: Path | bytes) -> tuple[bytes, str]:
    if isinstance(image, bytes):
        return image, "picture"
    try:
        return image.expanduser().read_bytes(), str(image)
    except OSError as error:
        raise NotFound(
            f"the picture cannot be read ({error.strerror}).", where=str(image)
        ) from error


def _next(workspace: Workspace, deployment: str) -> str:
    if loops.find(workspace.scope, deployment) is not None:
        return "The loop makes a model that knows it, proves it and tries it: tenfold timeline NAME"
    return "Nothing is made of it until the deployment is watched: tenfold watch NAME"

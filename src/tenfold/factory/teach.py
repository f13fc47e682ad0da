"""Anomaly heads taught by defects that were let pass: bad pictures whose role is fit."""

from collections.abc import Iterator
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.factory.job import Job
from tenfold.factory.reading import Reader, one_of
from tenfold.factory.roster import Roster, rows_of
from tenfold.formats.pixels import decode
from tenfold.heads import recipe
from tenfold.heads.taught import Lessons, Miss, TaughtScorer

MARKED_ABOVE = 127
"""Grey level of a mask's pixels that lie on the defect."""


def misses_of(roster: Roster, job: Job) -> list[int]:
    """Rows of the bad pictures that an anomaly head is to learn."""
    roles = np.frombuffer(job.roles, np.uint8)
    return [row for row in rows_of(roles, "fit") if roster.targets[row, 1] > 0.5]


def taught(
    reader: Reader,
    roster: Roster,
    job: Job,
    head: Any,
    calibrated: tuple[Float32[np.ndarray, " goods"], float],
) -> TaughtScorer:
    """The head with one lesson of each miss, on the head's own scale.

    `calibrated` are its scores of the good pictures of calibrate, and its threshold.
    """
    roles, manifest = np.frombuffer(job.roles, np.uint8), job.manifest
    made = recipe(job.rung.recipe, **job.rung.params)
    is_good = roster.targets[:, 1] <= 0.5
    fit, calibrate = (
        [roster.samples[row] for row in rows_of(roles, role) if is_good[row]]
        for role in ("fit", "calibrate")
    )
    goods = reader.maps(manifest, made.strides, fit, all_views=True)
    lessons = Lessons.learnt(made, goods, _misses(reader, roster, job, made.strides))
    batches = reader.maps(manifest, made.strides, calibrate)
    responses = np.concatenate([lessons.picture(batch) for batch in batches()])
    scores, threshold = calibrated
    return TaughtScorer(head, lessons.calibrated(responses, scores=scores, threshold=threshold))


def _misses(reader: Reader, roster: Roster, job: Job, strides: tuple[int, ...]) -> Iterator[Miss]:
    rows = misses_of(roster, job)
    batches = reader.maps(job.manifest, strides, [roster.samples[row] for row in rows])
    regions = iter([_region(reader, roster.masks[row]) for row in rows])
    for batch in batches():
        for place in range(len(batch)):
            yield Miss(one_of(batch, place), next(regions))


def _region(reader: Reader, mask: str | None) -> Bool[np.ndarray, "height width"] | None:
    if mask is None:
        return None
    pixels = decode(reader.blobs.get(mask), where=f"mask {mask[:12]}")
    return pixels.max(2) > MARKED_ABOVE

"""What reported misses teach an anomaly head of any kind: to know these defects and their like.

Each miss gives one lesson: the direction in which its defect differs from good patches, weighed by
what good patches hardly ever do, w = Σ⁻¹ (defect - mean). One covariance, of good patches alone,
serves all lessons, so that a single picture is enough. A picture is as bad as the head finds it, or
as its likest patch to a lesson is, whichever is worse: what was caught before stays caught.

Where nobody said where the defect is, the picture is a bag with one bad instance in it: the place
that differs most from good patches.

Source: Hariharan, Malik & Ramanan 2012, "Discriminative Decorrelation for Clustering and
Classification" (ECCV), section 2; the bag is that of Dietterich, Lathrop & Lozano-Pérez 1997,
"Solving the multiple instance problem with axis-parallel rectangles". Written from the papers.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int

from tenfold.errors import DataError
from tenfold.heads.moments import Moments
from tenfold.heads.patches import (
    AnomalyScores,
    Layout,
    Source,
    content_mask,
    good_patches,
    joined,
    layout_of,
    smoothing,
    write_content_mask,
    write_joined,
)
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch

PREFIX = "taught."
"""Of the arrays that a taught head has beside its own."""
RIDGE = 0.01
"""Added to the eigenvalues of the correlation of good patches, whose mean is 1."""
MOST_LESSONS = 64
"""More are merged, the most alike first; a lesson takes 4 bytes a channel."""
REGION_SHARE = 0.25
"""Cells that hold this share of the fullest cell's marked pixels belong to the defect."""
AROUND = 1
"""Cells about the strangest one that count as the defect, where nobody marked it."""
DEVIATIONS = 3.0
"""Of good pictures, between their mean and what alarms."""
LEAST_SPREAD = 1e-3
"""Of good pictures' responses, where a good patch varies by 1."""
LEAST_SLOPE = 0.05
"""Of the threshold: how far below it the usual good picture is put at least."""


@dataclass(frozen=True, slots=True, eq=False)
class Miss:
    """A picture whose defect was let pass."""

    seen: MapBatch
    """This picture alone."""
    region: Bool[np.ndarray, "height width"] | None = None
    """Where in the picture somebody saw the defect."""


@dataclass(frozen=True, slots=True, eq=False)
class Lessons:
    """Directions that defects take; a patch's response is the largest along any."""

    layout: Layout
    grid: int
    centre: Float32[np.ndarray, " channels"]
    directions: Float32[np.ndarray, "channels lessons"]
    offsets: Float32[np.ndarray, " lessons"]

    @classmethod
    def learnt(cls, made: Any, goods: Source, misses: Iterable[Miss]) -> "Lessons":
        """One lesson a miss, for a head of the recipe `made`; a response of 0 is a good picture's
        mean along each, 1 a standard deviation more.

        Raises:
            DataError: there are no good patches or no misses, or features hold NaN.
        """
        first = next(iter(goods()), None)
        if first is None:
            raise DataError("no good patches to compare misses with.", hint="Add good images.")
        layout = layout_of(first, made.strides)
        shared = Moments.none(sum(channels for _, channels in layout.values()))
        for _, patches, inside in good_patches(goods, made.strides, grid=made.grid):
            shared = shared.with_patches(patches[inside])
        centre = shared.mean.astype(np.float32)
        whitening = _whitening(shared.covariance)
        defects = [
            _defect(
                ((joined(miss.seen, made.strides, grid=made.grid)[0] - centre) @ whitening), miss
            )
            for miss in misses
        ]
        if not defects:
            raise DataError("no miss to learn from.", hint="Report one: `tenfold report-miss`.")
        apart = _merged(np.stack(defects))
        directions = np.ascontiguousarray(whitening @ apart.T)
        raw = cls(layout, made.grid, centre, directions, np.zeros(len(apart), np.float32))
        peaks = np.concatenate([raw.peaks(batch) for batch in goods() if len(batch)])
        spread = np.maximum(peaks.std(0), LEAST_SPREAD)
        return raw.rescaled(1 / spread, -peaks.mean(0) / spread)

    @property
    def strides(self) -> tuple[int, ...]:
        return tuple(self.layout)

    def responses(self, batch: MapBatch) -> Float32[np.ndarray, "n cells lessons"]:
        patches = joined(batch, self.strides, grid=self.grid) - self.centre
        return patches @ self.directions + self.offsets

    def peaks(self, batch: MapBatch) -> Float32[np.ndarray, "n lessons"]:
        """The largest response to each lesson anywhere in each picture."""
        return _inside(self.responses(batch), batch).max(1)

    def picture(self, batch: MapBatch) -> Float32[np.ndarray, " n"]:
        """The largest response to any lesson."""
        return self.peaks(batch).max(1)

    def rescaled(self, factor: Any, shift: Any) -> "Lessons":
        """The lessons whose responses are those of before times `factor` plus `shift`."""
        directions = (self.directions * factor).astype(np.float32)
        offsets = (self.offsets * factor + shift).astype(np.float32)
        return Lessons(self.layout, self.grid, self.centre, directions, offsets)

    def calibrated(
        self,
        responses: Float32[np.ndarray, " goods"],
        *,
        scores: Float32[np.ndarray, " goods"],
        threshold: float,
    ) -> "Lessons":
        """The lessons on the head's own scale, from good pictures that neither has learnt.

        The mean good response comes to lie at the mean good score; the threshold lies where no
        good picture responds, and at least `DEVIATIONS` beyond their mean.
        """
        usual, spread = float(responses.mean()), float(responses.std())
        limit = max(float(responses.max()), usual + DEVIATIONS * max(spread, LEAST_SPREAD))
        above = max(threshold - float(scores.mean()), LEAST_SLOPE * abs(threshold), 1e-6)
        slope = above / (limit - usual) * (1 - 1e-5)  # the good picture at the limit stays good
        return self.rescaled(slope, threshold - slope * limit - 1e-5 * above)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            f"{PREFIX}layout": np.array(
                [[s, *shape] for s, shape in self.layout.items()], np.int64
            ),
            f"{PREFIX}grid": np.array([self.grid], np.int64),
            f"{PREFIX}centre": self.centre,
            f"{PREFIX}directions": self.directions,
            f"{PREFIX}offsets": self.offsets,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "Lessons":
        layout = {int(s): (int(size), int(dim)) for s, size, dim in arrays[f"{PREFIX}layout"]}
        names = ("centre", "directions", "offsets")
        return cls(layout, int(arrays[f"{PREFIX}grid"][0]), *(arrays[PREFIX + n] for n in names))


@dataclass(frozen=True, slots=True, eq=False)
class TaughtScorer:
    """An anomaly head and what misses taught it."""

    head: Any
    lessons: Lessons

    @property
    def strides(self) -> tuple[int, ...]:
        return self.head.strides

    def score(self, batch: MapBatch) -> AnomalyScores:
        """The head's scores, or those of the likest lesson where they are higher."""
        own = self.head.score(batch)
        cells = _inside(self.lessons.responses(batch), batch).max(2)
        grid = self.lessons.grid
        maps = np.where(np.isfinite(cells), cells, 0).reshape(-1, grid, grid)
        return AnomalyScores(np.maximum(own.image, cells.max(1)), np.maximum(own.maps, maps))

    def extended(self, batches: Source) -> "TaughtScorer":
        """The scorer with more good images learnt by the head; lessons stay."""
        return TaughtScorer(self.head.extended(batches), self.lessons)

    def arrays(self) -> dict[str, np.ndarray]:
        return {**self.head.arrays(), **self.lessons.arrays()}

    def write_onnx(
        self, parts: GraphParts, inputs: dict[str, str], *, prefix: str = ""
    ) -> dict[str, str]:
        """Nodes from `map_s*` and `content_xyxy` to `image_score` [n] and `score_map` [n, g, g]."""
        own = self.head.write_onnx(parts, inputs, prefix=f"{prefix}untaught_")
        prefix, lessons = f"{prefix}taught_", self.lessons
        grid = lessons.grid

        def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
            return parts.node(kind, given, prefix + name, **attributes)

        def constant(name: str, value: object, dtype: type = np.float32) -> str:
            return parts.constant(prefix + name, value, dtype)

        flow = write_joined(parts, inputs, layout=lessons.layout, grid=grid, prefix=prefix)
        flow = node("Sub", [flow, constant("centre_patch", lessons.centre)], "deviation")
        flow = node("MatMul", [flow, constant("directions", lessons.directions)], "along")
        flow = node("Add", [flow, constant("offsets", lessons.offsets)], "responses")
        last = constant("last_axis_only", [2], np.int64)
        flow = node("ReduceMax", [flow, last], "cells", keepdims=0)
        square = constant("square", [-1, grid, grid], np.int64)
        flow = node("Reshape", [flow, square], "cells_square")
        inside = write_content_mask(parts, inputs["content_xyxy"], grid=grid, prefix=prefix)
        is_inside = node("Greater", [inside, constant("half", 0.5)], "is_inside")
        shown = node("Where", [is_inside, flow, constant("nothing", 0.0)], "shown")
        least = constant("least", np.finfo(np.float32).min)
        ranked = node("Where", [is_inside, flow, least], "ranked")
        axes = constant("picture_axes", [1, 2], np.int64)
        peak = node("ReduceMax", [ranked, axes], "peak", keepdims=0)
        return {
            "image_score": node("Max", [own["image_score"], peak], "image_score"),
            "score_map": node("Max", [own["score_map"], shown], "score_map"),
        }


def _inside(
    responses: Float32[np.ndarray, "n cells lessons"], batch: MapBatch
) -> Float32[np.ndarray, "n cells lessons"]:
    """Minus infinity in the padding."""
    grid = round(responses.shape[1] ** 0.5)
    inside = content_mask(batch.content_xyxy, grid=grid)
    return np.where(inside[:, :, None], responses, np.float32(-np.inf))


def _whitening(covariance: np.ndarray) -> Float32[np.ndarray, "channels channels"]:
    """Principal directions of the correlation of good patches, each at about unit variance."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    variance, directions = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    scale = np.sqrt(np.maximum(variance, 0) + RIDGE)
    return (directions / deviation[:, None] / scale).astype(np.float32)


def _defect(
    white: Float32[np.ndarray, "cells channels"], miss: Miss
) -> Float32[np.ndarray, " channels"]:
    """Unit vector from the mean of good patches to the defect's mean patch, in white space."""
    grid = round(len(white) ** 0.5)
    inside = content_mask(miss.seen.content_xyxy, grid=grid)[0]
    cells = _marked(miss, grid)
    cells = cells[inside[cells]]
    if not len(cells):
        cells = _strangest(white, inside, grid)
    mean = white[cells].mean(0)
    return mean / max(float(np.linalg.norm(mean)), 1e-9)


def _marked(miss: Miss, grid: int) -> Int[np.ndarray, " some"]:
    """Cells that hold most of the region; none where there is no region."""
    if miss.region is None or not miss.region.any():
        return np.zeros(0, np.int64)
    height, width = miss.region.shape
    x0, y0, x1, y1 = miss.seen.content_xyxy[0].astype(np.float64)
    rows, columns = np.nonzero(miss.region)
    down = np.clip(((y0 + (rows + 0.5) / height * (y1 - y0)) * grid).astype(int), 0, grid - 1)
    across = np.clip(((x0 + (columns + 0.5) / width * (x1 - x0)) * grid).astype(int), 0, grid - 1)
    pixels = np.bincount(down * grid + across, minlength=grid * grid)
    return np.flatnonzero(pixels >= REGION_SHARE * pixels.max())


def _strangest(
    white: Float32[np.ndarray, "cells channels"], inside: Bool[np.ndarray, " cells"], grid: int
) -> Int[np.ndarray, " some"]:
    """The cell whose surroundings differ most from good patches, and those next to it."""
    blur = smoothing(grid)
    strange = (np.linalg.norm(white, axis=1) * inside).reshape(grid, grid)
    strange = np.where(inside.reshape(grid, grid), blur @ strange @ blur, -1)
    row, column = np.unravel_index(int(strange.argmax()), strange.shape)
    place = np.arange(grid)
    near = (np.abs(place - row) <= AROUND)[:, None] & (np.abs(place - column) <= AROUND)[None, :]
    return np.flatnonzero(near.ravel() & inside)


def _merged(units: Float32[np.ndarray, "n channels"]) -> Float32[np.ndarray, "few channels"]:
    """At most `MOST_LESSONS` unit vectors: the two most alike become their mean until so few."""
    counts = np.ones(len(units), np.float32)
    alike = units @ units.T
    np.fill_diagonal(alike, -np.inf)
    while len(units) > MOST_LESSONS:
        one, other = np.unravel_index(int(alike.argmax()), alike.shape)
        both = counts[one] * units[one] + counts[other] * units[other]
        units[one] = both / max(float(np.linalg.norm(both)), 1e-9)
        counts[one] += counts[other]
        units, counts = np.delete(units, other, 0), np.delete(counts, other)
        alike = np.delete(np.delete(alike, other, 0), other, 1)
        one -= int(other < one)
        alike[one] = alike[:, one] = units @ units[one]
        alike[one, one] = -np.inf
    return units

"""Anomaly head that remembers good patches and scores by distance to the nearest one.

The memory is a coreset built in one pass: a patch is remembered when nothing remembered lies
within a radius; when the memory is full the radius grows and the memory is thinned. So it stays
as small for a million pictures as for a hundred.

Source: Roth et al. 2022, "Towards Total Recall in Industrial Anomaly Detection", sections 3.1-3.3
(arXiv:2106.08265); the growing radius is the doubling algorithm of Charikar et al. 2004,
"Incremental clustering and dynamic information retrieval", section 3. Written from the papers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32

from tenfold.errors import DataError
from tenfold.heads.moments import Moments
from tenfold.heads.patches import (
    AnomalyScores,
    Layout,
    Source,
    good_patches,
    image_and_map,
    joined,
    layout_of,
    write_joined,
    write_scores,
)
from tenfold.heads.recipes import recipe_array, recipe_from
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch

GROWTH = 1.1
"""Of the radius, each time the memory is full."""
RIDGE = 0.01
SOFTENING = 1e-4
"""Added to squared distances per dimension: the root of a rounding error must not look like one."""
AT_ONCE = 256
"""Patches compared with each other before they are remembered."""


@dataclass(frozen=True, slots=True)
class NearestMemory:
    """Recipe: which maps, and how much to remember."""

    strides: tuple[int, ...] = (8, 16)
    """Maps to read, in pixels per cell."""
    grid: int = 17
    """Cells a side of the score map."""
    dim: int = 64
    """Most principal features per patch."""
    capacity: int = 3000
    """Most patches remembered; the head takes 2 * dim * capacity bytes."""
    top_share: float = 0.03
    """Share of the cells that makes the image's score, in (0, 1]."""

    def fit(self, batches: Source, *, rng: np.random.Generator) -> "NearestMemoryScorer":
        """Learn the feature space in one pass and the memory in a second.

        Raises:
            DataError: there are no good patches, or they hold NaN.
        """
        first = next(iter(batches()), None)
        if first is None:
            raise DataError("no good patches to remember.", hint="Add at least one good image.")
        layout = layout_of(first, self.strides)
        shared = Moments.none(sum(channels for _, channels in layout.values()))
        for _, patches, inside in good_patches(batches, self.strides, grid=self.grid):
            shared = shared.with_patches(patches[inside])
        if shared.count < 2:
            raise DataError("no good patches to remember.", hint="Add at least one good image.")
        projection = _projection(shared.covariance, self.dim)
        centre = shared.mean.astype(np.float32)
        empty = np.zeros((0, projection.shape[1]), np.float16)
        start = NearestMemoryScorer(self, layout, centre, projection, empty, 0.0)
        return start.extended(batches)


@dataclass(frozen=True, slots=True, eq=False)
class NearestMemoryScorer:
    recipe: NearestMemory
    layout: Layout
    centre: Float32[np.ndarray, " channels"]
    projection: Float16[np.ndarray, "channels dim"]
    memory: Float16[np.ndarray, "kept dim"]
    radius: float
    """Everything seen lay about this close to something remembered."""

    @property
    def strides(self) -> tuple[int, ...]:
        return self.recipe.strides

    def score(self, batch: MapBatch) -> AnomalyScores:
        """Distance to the nearest remembered patch, over the root of the dimensions."""
        joint = joined(batch, self.strides, grid=self.recipe.grid)
        memory = self.memory.astype(np.float32)
        squared = np.stack([_nearest(p, memory) for p in self._projected(joint)])
        cells = np.sqrt(squared / np.float32(memory.shape[1]) + np.float32(SOFTENING))
        return image_and_map(cells, batch.content_xyxy, top_share=self.recipe.top_share)

    def extended(self, batches: Source) -> "NearestMemoryScorer":
        """The scorer with more good images remembered, in the space it was fitted in."""
        memory, radius = self.memory.astype(np.float32), self.radius
        for patches in self._chunks(batches):
            memory = _remembered(memory, patches, radius)
            while len(memory) > self.recipe.capacity:
                radius = radius * GROWTH or _smallest_gap(memory)
                memory = _remembered(memory[:0], memory, radius)
        kept = memory.astype(np.float16)
        return NearestMemoryScorer(
            self.recipe, self.layout, self.centre, self.projection, kept, radius
        )

    def _chunks(self, batches: Source) -> Iterator[Float32[np.ndarray, "n dim"]]:
        recipe = self.recipe
        for _, joint, inside in good_patches(batches, recipe.strides, grid=recipe.grid):
            patches = self._projected(joint)[inside]
            for start in range(0, len(patches), recipe.capacity):
                yield patches[start : start + recipe.capacity]

    def _projected(self, joint: np.ndarray) -> np.ndarray:
        return (joint - self.centre) @ self.projection.astype(np.float32)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "recipe": recipe_array(self.recipe),
            "layout": np.array([[s, *shape] for s, shape in self.layout.items()], np.int64),
            "centre": self.centre,
            "projection": self.projection,
            "memory": self.memory,
            "radius": np.array([self.radius], np.float64),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "NearestMemoryScorer":
        layout = {int(s): (int(size), int(dim)) for s, size, dim in arrays["layout"]}
        recipe = recipe_from(NearestMemory, arrays["recipe"])
        centre, projection, memory = (arrays[k] for k in ("centre", "projection", "memory"))
        return cls(recipe, layout, centre, projection, memory, float(arrays["radius"][0]))

    def write_onnx(
        self, parts: GraphParts, inputs: dict[str, str], *, prefix: str = ""
    ) -> dict[str, str]:
        """Nodes from `map_s*` and `content_xyxy` to `image_score` [n] and `score_map` [n, g, g]."""

        def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
            return parts.node(kind, given, prefix + name, **attributes)

        def constant(name: str, value: object, dtype: type = np.float32) -> str:
            return parts.constant(prefix + name, value, dtype)

        grid, memory = self.recipe.grid, self.memory.astype(np.float32)
        dim = np.float32(memory.shape[1])
        flow = write_joined(parts, inputs, layout=self.layout, grid=grid, prefix=prefix)
        flow = node("Sub", [flow, constant("centre_patch", self.centre)], "centred")
        flow = node("MatMul", [flow, constant("projection", self.projection)], "projected")
        last = constant("last_axis_only", [-1], np.int64)
        own = node("ReduceSumSquare", [flow, last], "own_squared", keepdims=1)
        both = node("MatMul", [flow, constant("memory_turned", -2 * memory.T)], "both")
        apart = node("Add", [both, constant("memory_squared", (memory**2).sum(1))], "apart")
        least = node("Add", [node("ReduceMin", [apart, last], "least", keepdims=1), own], "nearest")
        squared = node("Squeeze", [node("Relu", [least], "nearest_squared"), last], "squared")
        even = node("Div", [squared, constant("dim", dim)], "even")
        soft = node("Add", [even, constant("softening", SOFTENING)], "soft")
        cells = node("Sqrt", [soft], "cells")
        content, share = inputs["content_xyxy"], self.recipe.top_share
        return write_scores(parts, cells, content, grid=grid, top_share=share, prefix=prefix)


def _projection(covariance: np.ndarray, dim: int) -> Float16[np.ndarray, "channels kept"]:
    """Leading principal directions of the correlation, weighted by the root of their deviation."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    variance, directions = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    leading = slice(None, -dim - 1, -1)
    scale = (np.maximum(variance[leading], 0) + RIDGE) ** 0.25
    projection = directions[:, leading] / deviation[:, None] / scale
    return np.clip(projection, -6e4, 6e4).astype(np.float16)


def _nearest(
    patches: Float32[np.ndarray, "n dim"], memory: Float32[np.ndarray, "kept dim"]
) -> Float32[np.ndarray, " n"]:
    """Squared distance to the nearest of `memory`; infinite where there is none."""
    if not len(memory):
        return np.full(len(patches), np.inf, np.float32)
    apart = (-2 * patches) @ memory.T
    apart += (memory**2).sum(1)
    return np.maximum(apart.min(1) + (patches**2).sum(1), 0)


def _remembered(
    memory: Float32[np.ndarray, "kept dim"], patches: Float32[np.ndarray, "n dim"], radius: float
) -> Float32[np.ndarray, "more dim"]:
    """`memory` and those `patches`, in order, that nothing before them lies within `radius` of."""
    limit = np.float32(radius) ** 2
    patches = patches[_nearest(patches, memory) > limit]
    fresh = memory[:0]
    for start in range(0, len(patches), AT_ONCE):
        some = patches[start : start + AT_ONCE]
        some = some[_nearest(some, fresh) > limit]
        squares = (some**2).sum(1)
        near = squares[:, None] + squares[None, :] - 2 * some @ some.T <= limit
        chosen: list[int] = []
        for place in range(len(some)):
            if not near[place, chosen].any():
                chosen.append(place)
        fresh = np.concatenate([fresh, some[chosen]])
    return np.concatenate([memory, fresh])


def _smallest_gap(memory: Float32[np.ndarray, "kept dim"]) -> float:
    """A first radius: the tenth percentile of the gaps to the nearest other patch, in a sample."""
    sample = memory[:: max(1, len(memory) // 512)]
    squares = (sample**2).sum(1)
    apart = squares[:, None] + squares[None, :] - 2 * sample @ sample.T
    np.fill_diagonal(apart, np.inf)
    return float(np.sqrt(max(np.quantile(apart.min(1), 0.1), 1e-12)))

"""Anomaly head that scores what good patches never do: the part outside their usual subspace.

Position does not matter, so it suits parts that move or turn. Per stride, the leading principal
directions of good patches are free; the rest is weighted by how rarely good patches go there.

Source: Rippel, Mertens & Merhof 2021, "Modeling the Distribution of Normal Data in Pre-Trained
Deep Features for Anomaly Detection" (arXiv:2005.14140), section III: the directions of least
variance tell best. Written from the paper; no code taken.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Float64

from tenfold.errors import DataError
from tenfold.heads.moments import Moments
from tenfold.heads.patches import (
    AnomalyScores,
    Layout,
    Source,
    good_patches,
    image_and_map,
    laid_squares,
    layout_of,
    write_joined,
    write_scores,
)
from tenfold.heads.recipes import recipe_array, recipe_from
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch


@dataclass(frozen=True, slots=True)
class NormalSubspace:
    """Recipe: which maps, and how much variance counts as normal."""

    strides: tuple[int, ...] = (4, 8, 16)
    """Maps to read, in pixels per cell."""
    grid: int = 33
    """Cells a side of the score map."""
    explained: float = 0.5
    """Share of each stride's variance that is free, in [0, 1)."""
    floor: float = 0.003
    """Least variance of a direction, as a share of the mean one, in (0, 1]."""
    top_share: float = 0.03
    """Share of the cells that makes the image's score, in (0, 1]."""

    def fit(self, batches: Source, *, rng: np.random.Generator) -> "NormalSubspaceScorer":
        """Learn the subspace of good patches in one pass; nothing here is random.

        Raises:
            DataError: there are no good patches, or they hold NaN.
        """
        first = next(iter(batches()), None)
        layout = layout_of(first, self.strides) if first is not None else {}
        nothing = [Moments.none(channels) for _, channels in layout.values()]
        moments = _learnt(nothing, self, batches)
        if not moments or moments[0].count < 2:
            raise DataError("no good patches to learn from.", hint="Add at least one good image.")
        return NormalSubspaceScorer.of(self, layout, moments)


@dataclass(frozen=True, slots=True, eq=False)
class NormalSubspaceScorer:
    recipe: NormalSubspace
    layout: Layout
    moments: list[Moments]
    """Of good patches, per stride."""
    centre: Float32[np.ndarray, " dim"]
    whitening: Float32[np.ndarray, "dim kept"]
    """Directions outside the normal subspace, each over its deviation."""

    @classmethod
    def of(
        cls, recipe: NormalSubspace, layout: Layout, moments: list[Moments]
    ) -> "NormalSubspaceScorer":
        moments = [m.rounded() for m in moments]
        blocks = [_outside(m, recipe) for m in moments]
        dim, kept = sum(len(b) for b in blocks), sum(b.shape[1] for b in blocks)
        whitening = np.zeros((dim, kept), np.float32)
        row = column = 0
        for block in blocks:
            whitening[row : row + len(block), column : column + block.shape[1]] = block
            row, column = row + len(block), column + block.shape[1]
        centre = np.concatenate([m.mean for m in moments]).astype(np.float32)
        return cls(recipe, layout, moments, centre, whitening / np.float32(np.sqrt(kept)))

    @property
    def strides(self) -> tuple[int, ...]:
        return self.recipe.strides

    def score(self, batch: MapBatch) -> AnomalyScores:
        """Root mean square of the deviations outside the normal subspace; about 1 on good ones."""
        squares = sum(
            laid_squares(batch, stride, whitening, centre, grid=self.recipe.grid)
            for stride, whitening, centre in self._blocks()
        )
        cells = np.sqrt(np.asarray(squares))
        return image_and_map(cells, batch.content_xyxy, top_share=self.recipe.top_share)

    def _blocks(self) -> Iterator[tuple[int, np.ndarray, np.ndarray]]:
        """Stride, its own part of the whitening, and its centre: other strides' parts are zero."""
        row = column = 0
        for stride, (_, dim) in self.layout.items():
            rows = slice(row, row + dim)
            kept = int(np.count_nonzero(self.whitening[rows].any(0)))
            yield stride, self.whitening[rows, column : column + kept], self.centre[rows]
            row, column = row + dim, column + kept

    def extended(self, batches: Source) -> "NormalSubspaceScorer":
        """The scorer with more good images learnt, as if they had been there from the start."""
        moments = _learnt(self.moments, self.recipe, batches)
        return NormalSubspaceScorer.of(self.recipe, self.layout, moments)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "recipe": recipe_array(self.recipe),
            "layout": np.array([[s, *shape] for s, shape in self.layout.items()], np.int64),
            "count": np.array([m.count for m in self.moments], np.float64),
            "mean": np.concatenate([m.mean for m in self.moments]).astype(np.float32),
            "covariance": np.concatenate([m.packed_covariance() for m in self.moments]),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "NormalSubspaceScorer":
        layout = {int(s): (int(size), int(dim)) for s, size, dim in arrays["layout"]}
        moments: list[Moments] = []
        at = packed_at = 0
        for count, (_, dim) in zip(arrays["count"], layout.values(), strict=True):
            packed = dim * (dim + 1) // 2
            covariance = arrays["covariance"][packed_at : packed_at + packed]
            moments.append(
                Moments.from_packed(float(count), arrays["mean"][at : at + dim], covariance)
            )
            at, packed_at = at + dim, packed_at + packed
        return cls.of(recipe_from(NormalSubspace, arrays["recipe"]), layout, moments)

    def write_onnx(
        self, parts: GraphParts, inputs: dict[str, str], *, prefix: str = ""
    ) -> dict[str, str]:
        """Nodes from `map_s*` and `content_xyxy` to `image_score` [n] and `score_map` [n, g, g]."""
        grid = self.recipe.grid
        patches = write_joined(parts, inputs, layout=self.layout, grid=grid, prefix=prefix)
        centre = parts.constant(f"{prefix}centre_patch", self.centre)
        flow = parts.node("Sub", [patches, centre], f"{prefix}deviation")
        whitening = parts.constant(f"{prefix}whitening", self.whitening)
        flow = parts.node("MatMul", [flow, whitening], f"{prefix}outside")
        axis = parts.constant(f"{prefix}patch_axis", [2], np.int64)
        cells = parts.node("ReduceL2", [flow, axis], f"{prefix}cells", keepdims=0)
        content, share = inputs["content_xyxy"], self.recipe.top_share
        return write_scores(parts, cells, content, grid=grid, top_share=share, prefix=prefix)


def _learnt(moments: list[Moments], recipe: NormalSubspace, batches: Source) -> list[Moments]:
    for _, patches, inside in good_patches(batches, recipe.strides, grid=recipe.grid):
        ends = np.cumsum([len(m.mean) for m in moments])[:-1]
        pieces = np.split(patches[inside], ends, axis=1)
        moments = [m.with_patches(p) for m, p in zip(moments, pieces, strict=True)]
    return moments


def _outside(moments: Moments, recipe: NormalSubspace) -> Float64[np.ndarray, "dim kept"]:
    """Eigenvectors beyond the explained share of variance, each over its deviation."""
    variance, directions = np.linalg.eigh(moments.covariance)  # ascending
    variance = np.clip(variance, 0, None)
    beyond = np.cumsum(variance) <= (1 - recipe.explained) * variance.sum()
    beyond[0] = True
    kept = np.maximum(variance[beyond], recipe.floor * variance.mean() + 1e-12)
    return directions[:, beyond] / np.sqrt(kept)

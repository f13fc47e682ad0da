"""Anomaly head that knows what each place of a part looks like: one Gaussian per position.

Patches are whitened by the covariance that all positions share; what a position does otherwise is
kept as its mean and a few own directions over even noise. So the head stays near 1 MB, where full
covariances take tens.

Source: Defard et al. 2020, "PaDiM: a Patch Distribution Modeling Framework for Anomaly Detection
and Localization", section III (arXiv:2011.08785); the compact form is the probabilistic PCA of
Tipping & Bishop 1999, eq. 7 and 8, per position. Written from the papers; no code taken.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32, Int8

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

RIDGE = 0.01
"""Added to the eigenvalues of the shared correlation matrix, whose mean is 1."""
SPARE_DIRECTIONS = 8
ITERATIONS = 4
CELLS_AT_ONCE = 64
LEAST_NOISE = 1e-3
"""Variance, where 1 is the shared one."""


@dataclass(frozen=True, slots=True)
class PositionGaussian:
    """Recipe: which maps, and how much is kept of each position's covariance."""

    strides: tuple[int, ...] = (8, 16, 32)
    """Maps to read, in pixels per cell."""
    grid: int = 20
    """Cells a side of the score map."""
    dim: int = 100
    """Most whitened features per patch."""
    rank: int = 24
    """Own directions per position; the head takes about grid² * dim * (rank + 2) bytes. On magnetic
    tiles 24 of 100 lose 0.001 image AUROC against all, 16 lose 0.007."""
    prior: float = 10.0
    """How many pictures the shared covariance counts for at each position."""
    top_share: float = 0.03
    """Share of the cells that makes the image's score, in (0, 1]."""

    def fit(self, batches: Source, *, rng: np.random.Generator) -> "PositionGaussianScorer":
        """Learn each position in two passes over the good pictures, holding one batch at a time.

        Raises:
            DataError: there are no good patches, or they hold NaN.
        """
        first = next(iter(batches()), None)
        if first is None:
            raise DataError("no good patches to learn from.", hint="Add at least one good image.")
        layout = layout_of(first, self.strides)
        shared = Moments.none(sum(channels for _, channels in layout.values()))
        for _, patches, inside in good_patches(batches, self.strides, grid=self.grid):
            shared = shared.with_patches(patches[inside])
        if shared.count < 2:
            raise DataError("no good patches to learn from.", hint="Add at least one good image.")
        whitening = _whitening(shared.covariance, self.dim)
        space = _Space(self, layout, shared.mean.astype(np.float32), whitening)
        cells, dim = self.grid**2, whitening.shape[1]
        nothing = _Tally(
            np.zeros(cells, np.float32),
            np.zeros((cells, dim), np.float32),
            np.zeros((cells, dim, dim), np.float32),
        )
        return _compacted(space, _tallied(nothing, space, batches))


@dataclass(frozen=True, slots=True, eq=False)
class _Space:
    """Where patches are compared."""

    recipe: PositionGaussian
    layout: Layout
    centre: Float32[np.ndarray, " channels"]
    whitening: Float16[np.ndarray, "channels dim"]

    def patches(self, joint: Float32[np.ndarray, "n cells channels"]) -> np.ndarray:
        return (joint - self.centre) @ self.whitening.astype(np.float32)


@dataclass(frozen=True, slots=True, eq=False)
class _Tally:
    """Sums over good pictures, per cell."""

    count: Float32[np.ndarray, " cells"]
    total: Float32[np.ndarray, "cells dim"]
    squares: Float32[np.ndarray, "cells dim dim"]


@dataclass(frozen=True, slots=True, eq=False)
class PositionGaussianScorer:
    space: _Space
    count: Float32[np.ndarray, " cells"]
    """Good pictures seen at each cell."""
    mean: Float16[np.ndarray, "cells dim"]
    steps: Int8[np.ndarray, "cells rank dim"]
    """Own directions in 127ths of `sizes`, unit length apart from the rounding."""
    sizes: Float16[np.ndarray, "cells rank"]
    variance: Float32[np.ndarray, "cells rank"]
    """Of good patches along the own directions; at least `noise`."""
    noise: Float32[np.ndarray, " cells"]
    """Variance along every other direction."""

    @property
    def strides(self) -> tuple[int, ...]:
        return self.space.recipe.strides

    @property
    def directions(self) -> Float32[np.ndarray, "cells rank dim"]:
        return self.steps * (self.sizes.astype(np.float32) / np.float32(127))[:, :, None]

    def score(self, batch: MapBatch) -> AnomalyScores:
        """Mahalanobis distance over the root of the dimensions; about 1 on good patches."""
        recipe = self.space.recipe
        joint = joined(batch, recipe.strides, grid=recipe.grid)
        offset, scaled, gain = self._terms()
        cells = np.empty(joint.shape[:2], np.float32)
        for place, patches in enumerate(self.space.patches(joint)):
            gap = patches - offset
            along = (scaled @ gap[:, :, None])[:, :, 0]
            squared = (gap**2).sum(1) - (along**2).sum(1)
            cells[place] = np.sqrt(np.maximum(squared, 0) * gain)
        return image_and_map(cells, batch.content_xyxy, top_share=recipe.top_share)

    def _terms(self) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
        """Means, directions times the root of the share they take back, and 1 / (noise * dim)."""
        back = np.sqrt(np.clip(1 - self.noise[:, None] / self.variance, 0, 1))
        mean = self.mean.astype(np.float32)
        return mean, self.directions * back[:, :, None], 1 / (self.noise * mean.shape[1])

    def extended(self, batches: Source) -> "PositionGaussianScorer":
        """The scorer with more good images learnt; what it knew enters in its compact form."""
        count = self.count[:, None, None]
        mean, directions = self.mean.astype(np.float32), self.directions
        prior = self.space.recipe.prior
        dim = mean.shape[1]
        even = self.noise[:, None, None] * np.eye(dim, dtype=np.float32)
        own = directions * np.sqrt(self.variance - self.noise[:, None])[:, :, None]
        covariance = even + own.transpose(0, 2, 1) @ own
        total = (count[:, :, 0] + prior) * mean
        scatter = (count + prior) * covariance - prior * np.eye(dim, dtype=np.float32)
        squares = scatter + (count + 2 * prior) * mean[:, :, None] * mean[:, None, :]
        known = _Tally(self.count, total, squares.astype(np.float32))
        return _compacted(self.space, _tallied(known, self.space, batches))

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "recipe": recipe_array(self.space.recipe),
            "layout": np.array([[s, *shape] for s, shape in self.space.layout.items()], np.int64),
            "centre": self.space.centre,
            "whitening": self.space.whitening,
            "count": self.count,
            "mean": self.mean,
            "steps": self.steps,
            "sizes": self.sizes,
            "variance": self.variance,
            "noise": self.noise,
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "PositionGaussianScorer":
        layout = {int(s): (int(size), int(dim)) for s, size, dim in arrays["layout"]}
        recipe = recipe_from(PositionGaussian, arrays["recipe"])
        space = _Space(recipe, layout, arrays["centre"], arrays["whitening"])
        names = ("count", "mean", "steps", "sizes", "variance", "noise")
        return cls(space, *(arrays[name] for name in names))

    def write_onnx(
        self, parts: GraphParts, inputs: dict[str, str], *, prefix: str = ""
    ) -> dict[str, str]:
        """Nodes from `map_s*` and `content_xyxy` to `image_score` [n] and `score_map` [n, g, g]."""

        def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
            return parts.node(kind, given, prefix + name, **attributes)

        def constant(name: str, value: object, dtype: type = np.float32) -> str:
            return parts.constant(prefix + name, value, dtype)

        recipe = self.space.recipe
        offset, scaled, gain = self._terms()
        flow = write_joined(
            parts, inputs, layout=self.space.layout, grid=recipe.grid, prefix=prefix
        )
        flow = node("Sub", [flow, constant("centre_patch", self.space.centre)], "centred")
        flow = node("MatMul", [flow, constant("whitening", self.space.whitening)], "whitened")
        gap = node("Sub", [flow, constant("means", offset)], "gap")
        last = constant("last_axis_only", [-1], np.int64)
        column = node("Unsqueeze", [gap, last], "gap_column")
        along = node("MatMul", [constant("directions", scaled), column], "along_column")
        along = node("Squeeze", [along, last], "along")
        whole = node("ReduceSumSquare", [gap, last], "whole_squared", keepdims=0)
        taken = node("ReduceSumSquare", [along, last], "taken_squared", keepdims=0)
        squared = node("Relu", [node("Sub", [whole, taken], "rest")], "rest_squared")
        cells = node("Sqrt", [node("Mul", [squared, constant("gain", gain)], "even")], "cells")
        content, share = inputs["content_xyxy"], recipe.top_share
        return write_scores(parts, cells, content, grid=recipe.grid, top_share=share, prefix=prefix)


def _whitening(covariance: np.ndarray, dim: int) -> Float16[np.ndarray, "channels kept"]:
    """Leading principal directions of the shared correlation, each at about unit variance."""
    deviation = np.sqrt(np.maximum(np.diag(covariance), 1e-12))
    variance, directions = np.linalg.eigh(covariance / np.outer(deviation, deviation))
    leading = slice(None, -dim - 1, -1)
    scale = np.sqrt(np.maximum(variance[leading], 0) + RIDGE)
    whitening = directions[:, leading] / deviation[:, None] / scale
    return np.clip(whitening, -6e4, 6e4).astype(np.float16)


def _tallied(tally: _Tally, space: _Space, batches: Source) -> _Tally:
    count, total, squares = tally.count.copy(), tally.total.copy(), tally.squares.copy()
    recipe = space.recipe
    for _, joint, inside in good_patches(batches, recipe.strides, grid=recipe.grid):
        patches = space.patches(joint) * inside[:, :, None].astype(np.float32)
        count += inside.sum(0, dtype=np.float32)
        total += patches.sum(0)
        by_cell = np.ascontiguousarray(patches.transpose(1, 0, 2))
        squares += by_cell.transpose(0, 2, 1) @ by_cell
    return _Tally(count, total, squares)


def _compacted(space: _Space, tally: _Tally) -> PositionGaussianScorer:
    """Means and probabilistic PCA per cell, a few cells at a time: squares are the big part."""
    pieces = [
        _compact_cells(
            _Tally(tally.count[some], tally.total[some], tally.squares[some]), space.recipe
        )
        for some in (
            slice(at, at + CELLS_AT_ONCE) for at in range(0, len(tally.count), CELLS_AT_ONCE)
        )
    ]
    mean, steps, sizes, variance, noise = (
        np.concatenate(some) for some in zip(*pieces, strict=True)
    )
    return PositionGaussianScorer(space, tally.count, mean, steps, sizes, variance, noise)


def _compact_cells(tally: _Tally, recipe: PositionGaussian) -> tuple[np.ndarray, ...]:
    """Mean, steps, sizes, variance and noise; drawn towards what all cells share."""
    prior, dim = recipe.prior, tally.total.shape[1]
    weight = (tally.count + prior)[:, None, None]
    mean = (tally.total / weight[:, :, 0]).astype(np.float16)
    used = mean.astype(np.float32)
    cross = used[:, :, None] * tally.total[:, None, :]
    between = tally.count[:, None, None] * used[:, :, None] * used[:, None, :]
    scatter = tally.squares - cross - cross.transpose(0, 2, 1) + between
    covariance = (scatter + prior * np.eye(dim, dtype=np.float32)) / weight
    rank = min(recipe.rank, dim - 1)
    variance, directions = _leading(covariance, rank)
    whole = np.trace(covariance, axis1=1, axis2=2)
    noise = np.maximum((whole - variance.sum(1)) / (dim - rank), LEAST_NOISE).astype(np.float32)
    sizes = np.maximum(np.abs(directions).max(2), 1e-6).astype(np.float16)
    ratio = directions / sizes.astype(np.float32)[:, :, None]
    steps = np.clip(np.rint(ratio * 127), -127, 127).astype(np.int8)
    return mean, steps, sizes, np.maximum(variance, noise[:, None]).astype(np.float32), noise


def _leading(
    covariance: Float32[np.ndarray, "cells dim dim"], rank: int
) -> tuple[Float32[np.ndarray, "cells rank"], Float32[np.ndarray, "cells rank dim"]]:
    """The `rank` largest eigenvalues and their directions, by subspace iteration.

    Source: Halko, Martinsson & Tropp 2011, algorithm 4.4 (arXiv:0909.4061); tens of times faster
    than all eigenvectors of every cell. The start is fixed, so the result is too.
    """
    dim = covariance.shape[1]
    width = min(dim, rank + SPARE_DIRECTIONS)
    start = np.random.default_rng(0).standard_normal((dim, width)).astype(np.float32)
    basis = np.linalg.qr(covariance @ start)[0]
    for _ in range(ITERATIONS):
        basis = np.linalg.qr(covariance @ basis)[0]
    values, turns = np.linalg.eigh(basis.transpose(0, 2, 1) @ covariance @ basis)
    directions = (basis @ turns)[:, :, : -rank - 1 : -1]
    return values[:, : -rank - 1 : -1], np.ascontiguousarray(directions.transpose(0, 2, 1))

"""Random Fourier features of a Gaussian kernel, drawn from a seed and never stored.

Structured: sign flips and Walsh-Hadamard transforms stand in for a matrix of normal numbers, so
16,384 dimensions turn with two products of 128 x 128, in numpy and in ONNX alike.

Source: Rahimi & Recht 2007, "Random features for large-scale kernel machines"; Yu et al. 2016,
"Orthogonal random features" (arXiv:1610.09072), section 4 (SORF). Written from the papers.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, Int
from scipy.linalg import hadamard

from tenfold.onnx_graph import GraphParts

TURNS = 3
CHUNK = 256  # rows turned at a time: keeps memory flat


@dataclass(frozen=True, slots=True)
class Fourier:
    """`cos` and `sin` of `frequencies` random projections of a vector of `dim` numbers."""

    dim: int
    frequencies: int
    seed: int

    @property
    def sides(self) -> tuple[int, int]:
        """Powers of two whose product is the padded length."""
        bits = max(2, int(self.dim - 1).bit_length())
        return 2 ** (bits // 2), 2 ** (bits - bits // 2)

    @property
    def blocks(self) -> int:
        """How many independent turnings it takes to have enough projections."""
        return -(-self.frequencies // (self.sides[0] * self.sides[1]))

    def signs(self) -> Float32[np.ndarray, "blocks turns rows columns"]:
        """±1 from the raw bits of PCG64, whose stream is fixed for good."""
        rows, columns = self.sides
        count = self.blocks * TURNS * rows * columns
        words = np.random.PCG64(self.seed).random_raw(-(-count // 64)).astype("<u8")
        bits = np.unpackbits(words.view(np.uint8))[:count]
        shape = (self.blocks, TURNS, rows, columns)
        return (bits.astype(np.float32) * 2 - 1).reshape(shape)

    def of(self, points: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n features"]:
        """Features whose inner product is about exp(-½ |difference|²)."""
        features = np.empty((len(points), 2 * self.frequencies), np.float32)
        for columns, waves in self.pieces(points):
            features[:, columns] = waves
        return features

    def pieces(
        self, points: Float32[np.ndarray, "n dim"]
    ) -> Iterator[tuple[Int[np.ndarray, " some"], Float32[np.ndarray, "n some"]]]:
        """The features some columns at a time, with their places: memory stays flat."""
        rows, columns = self.sides
        for i, block in enumerate(self.signs()):
            first = i * rows * columns
            places = np.arange(first, min(first + rows * columns, self.frequencies))
            waves = np.empty((len(points), 2 * len(places)), np.float32)
            for start in range(0, len(points), CHUNK):
                angles = self._turned(points[start : start + CHUNK], block)[:, : len(places)]
                waves[start : start + CHUNK, : len(places)] = np.cos(angles)
                waves[start : start + CHUNK, len(places) :] = np.sin(angles)
            waves /= np.float32(np.sqrt(self.frequencies))
            yield np.concatenate([places, self.frequencies + places]), waves

    def _turned(self, points: np.ndarray, signs: np.ndarray) -> np.ndarray:
        rows, columns = self.sides
        left, right = self._transforms()
        flow = np.pad(points, ((0, 0), (0, rows * columns - self.dim)))
        flow = flow.reshape(-1, rows, columns)
        for flips in signs:
            flow = left @ (flow * flips) @ right
        return flow.reshape(len(points), -1) * self._norm

    @property
    def _norm(self) -> np.float32:
        """Length of each projection's direction, that of a normal vector."""
        return np.float32(np.sqrt(self.sides[0] * self.sides[1]))

    def _transforms(self) -> tuple[np.ndarray, np.ndarray]:
        left, right = ((hadamard(side) / np.sqrt(side)).astype(np.float32) for side in self.sides)
        return left, right

    def write(self, parts: GraphParts, points: str, *, prefix: str) -> str:
        """Nodes from `points` [n, dim] to the features; their name."""
        rows, columns = self.sides
        pads = parts.constant(f"{prefix}pads", [0, 0, 0, rows * columns - self.dim], np.int64)
        padded = parts.node("Pad", [points, pads], f"{prefix}padded")
        grid = parts.constant(f"{prefix}grid", [-1, rows, columns], np.int64)
        square = parts.node("Reshape", [padded, grid], f"{prefix}square")
        left, right = (
            parts.constant(f"{prefix}hadamard_{side}", matrix)
            for side, matrix in zip(("left", "right"), self._transforms(), strict=True)
        )
        flat = parts.constant(f"{prefix}flat", [-1, rows * columns], np.int64)
        angles: list[str] = []
        for i, block in enumerate(self.signs()):
            flow = square
            for j, flips in enumerate(block):
                name = f"{prefix}turn_{i}_{j}"
                flow = parts.node("Mul", [flow, parts.constant(f"{name}_signs", flips)], name)
                flow = parts.node("MatMul", [left, flow], f"{name}_left")
                flow = parts.node("MatMul", [flow, right], f"{name}_right")
            angles.append(parts.node("Reshape", [flow, flat], f"{prefix}angles_{i}"))
        flow = parts.node("Concat", angles, f"{prefix}angles", axis=1)
        ends = [
            parts.constant(f"{prefix}{name}", [value], np.int64)
            for name, value in (("first", 0), ("last", self.frequencies), ("wave_axis", 1))
        ]
        flow = parts.node("Slice", [flow, *ends], f"{prefix}angles_kept")
        flow = parts.node("Mul", [flow, parts.constant(f"{prefix}norm", self._norm)], f"{prefix}a")
        waves = [parts.node(kind, [flow], f"{prefix}{kind}") for kind in ("Cos", "Sin")]
        flow = parts.node("Concat", waves, f"{prefix}waves", axis=1)
        share = parts.constant(f"{prefix}share", 1 / np.sqrt(self.frequencies))
        return parts.node("Mul", [flow, share], f"{prefix}fourier")

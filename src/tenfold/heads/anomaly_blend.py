"""Anomaly head that asks several others and averages how unusual each finds a picture.

Each part's scores are brought to one scale by what it says of good pictures it did not learn from,
so that no part speaks louder than another.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Float64

from tenfold.errors import DataError
from tenfold.heads import fitted, recipe
from tenfold.heads.patches import AnomalyScores, Source
from tenfold.heads.recipes import recipe_array, recipe_from
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch

HELD_OUT_SHARE = 0.2
"""Of the good pictures, to measure the scales; then every part learns them all."""
LEAST_SPREAD = 0.02
"""Of the logarithm of good pictures' scores."""
STEEPNESS = 0.1
"""Growth of the blended score, in powers of e, per standard deviation of good pictures."""


@dataclass(frozen=True, slots=True)
class Blend:
    """Recipe: which heads to ask. All read the same maps and answer on the same grid."""

    parts: tuple[str, ...] = ("anomaly_gaussian", "anomaly_memory")
    """Names in `tenfold.heads.HEADS`."""
    strides: tuple[int, ...] = (8, 16, 32)
    """Maps to read, in pixels per cell."""
    grid: int = 20
    """Cells a side of the score map."""
    top_share: float = 0.03
    """Share of the cells that makes the image's score, in (0, 1]."""

    def fit(self, batches: Source, *, rng: np.random.Generator) -> "BlendScorer":
        """Fit every part twice: without the held-out pictures for its scale, then with all.

        Raises:
            DataError: there are no good patches, or they hold NaN.
        """
        recipes = [
            recipe(name, strides=self.strides, grid=self.grid, top_share=self.top_share)
            for name in self.parts
        ]
        scales = np.array([_scale(made, batches, rng) for made in recipes])
        return BlendScorer(self, [made.fit(batches, rng=rng) for made in recipes], scales)


@dataclass(frozen=True, slots=True, eq=False)
class BlendScorer:
    recipe: Blend
    parts: list[Any]
    scales: Float64[np.ndarray, "parts 2"]
    """Per part, mean and standard deviation of the logarithm of unseen good pictures' scores."""

    @property
    def strides(self) -> tuple[int, ...]:
        return self.recipe.strides

    def score(self, batch: MapBatch) -> AnomalyScores:
        """Geometric mean of the parts' scores on their common scale; about 1 on good pictures."""
        scores = [part.score(batch) for part in self.parts]
        image = np.ones_like(scores[0].image)
        maps = np.ones_like(scores[0].maps)
        for one, usual, power in zip(scores, *self._powers(), strict=True):
            image *= (one.image / usual) ** power
            maps *= (one.maps / usual) ** power
        return AnomalyScores(image, maps)

    def _powers(self) -> tuple[list[np.float32], list[np.float32]]:
        """Per part, its usual score and the power that puts it on the common scale."""
        powers = STEEPNESS / self.scales[:, 1] / len(self.parts)
        return list(np.exp(self.scales[:, 0]).astype(np.float32)), list(powers.astype(np.float32))

    def extended(self, batches: Source) -> "BlendScorer":
        """The scorer with more good images learnt by every part; scales stay."""
        return BlendScorer(self.recipe, [p.extended(batches) for p in self.parts], self.scales)

    def arrays(self) -> dict[str, np.ndarray]:
        own = {"recipe": recipe_array(self.recipe), "scales": self.scales}
        for place, part in enumerate(self.parts):
            own |= {f"part{place}.{name}": array for name, array in part.arrays().items()}
        return own

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "BlendScorer":
        made = recipe_from(Blend, arrays["recipe"])
        parts: list[Any] = []
        for place, name in enumerate(made.parts):
            start = f"part{place}."
            own = {k.removeprefix(start): v for k, v in arrays.items() if k.startswith(start)}
            parts.append(fitted(name, own))
        return cls(made, parts, arrays["scales"])

    def write_onnx(
        self, parts: GraphParts, inputs: dict[str, str], *, prefix: str = ""
    ) -> dict[str, str]:
        """Nodes from `map_s*` and `content_xyxy` to `image_score` [n] and `score_map` [n, g, g]."""
        factors: dict[str, list[str]] = {"image_score": [], "score_map": []}
        for place, (part, usual, power) in enumerate(zip(self.parts, *self._powers(), strict=True)):
            start = f"{prefix}part{place}_"
            written = part.write_onnx(parts, inputs, prefix=start)
            level = parts.constant(f"{start}usual", usual)
            exponent = parts.constant(f"{start}power", power)
            for name, flow in written.items():
                scaled = parts.node("Div", [flow, level], f"{start}{name}_scaled")
                factors[name].append(parts.node("Pow", [scaled, exponent], f"{start}{name}_factor"))
        return {name: _product(parts, flows, prefix + name) for name, flows in factors.items()}


def _product(parts: GraphParts, flows: list[str], name: str) -> str:
    flow = flows[0]
    for place, factor in enumerate(flows[1:], 1):
        flow = parts.node("Mul", [flow, factor], f"{name}_product{place}")
    return parts.node("Identity", [flow], name)


def _scale(made: Any, batches: Source, rng: np.random.Generator) -> tuple[float, float]:
    """Mean and spread of the logarithm of what a part says of good pictures it has not seen."""
    if next(_sifted(batches, held_out=False), None) is None:
        raise DataError("no good patches to learn from.", hint="Add at least one good image.")
    part = made.fit(lambda: _sifted(batches, held_out=False), rng=rng)
    scores = [part.score(batch).image for batch in _sifted(batches, held_out=True)]
    if not scores:
        scores = [part.score(batch).image for batch in batches()]
    logs = np.log(np.maximum(np.concatenate(scores).astype(np.float64), 1e-9))
    return float(logs.mean()), max(float(logs.std()), LEAST_SPREAD)


def _sifted(batches: Source, *, held_out: bool) -> Iterator[MapBatch]:
    """The pictures that are (not) held out. A picture's vital signs hardly change when it turns,
    so its views stay together."""
    for batch in batches():
        sign = np.rint(batch.vitals[:, 0] * 1e4 + batch.vitals[:, 1] * 1e4) % 100
        rows = np.flatnonzero((sign < HELD_OUT_SHARE * 100) == held_out)
        if len(rows):
            yield MapBatch(
                {stride: maps[rows] for stride, maps in batch.maps.items()},
                batch.content_xyxy[rows],
                batch.pooled[rows],
                batch.vitals[rows],
            )

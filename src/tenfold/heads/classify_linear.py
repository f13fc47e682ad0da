"""Linear classify head: logistic regression (three classes or more: least squares) on pooled
features.

First rung of the ladder. Views are averaged as signed square roots and standardised; sources are
cited in `roots`, `dual` and `logistic`.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32

from tenfold.errors import SpecError
from tenfold.heads import samples
from tenfold.heads.dual import fit_dual
from tenfold.heads.link import Link, as_probabilities, write_probabilities
from tenfold.heads.roots import mean_root, write_mean_root
from tenfold.onnx_graph import GraphParts

LEAST_SPREAD = 1e-3  # of a feature's root: dead channels must not be blown up


@dataclass(frozen=True, slots=True)
class LinearProbe:
    """Recipe. The penalty is chosen, and the probabilities calibrated, without a held-out set."""

    multi_label: bool = False
    """A picture may show several classes or none; each is then asked for itself."""
    balance: float = 0.0
    """How much rare classes count: 0 each sample alike .. 1 each class alike."""

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise SpecError(f"balance must be 0 .. 1, got {self.balance!r}.")

    def fit(
        self,
        features: Float32[np.ndarray, "n views dim"],
        targets: Float32[np.ndarray, "n classes"],
        *,
        rng: np.random.Generator,
    ) -> "LinearScorer":
        """The fitted head.

        Raises:
            DataError: see `samples.check`.
        """
        return self.fit_roots(mean_root(features), targets, rng=rng)

    def fit_roots(
        self,
        roots: Float32[np.ndarray, "n dim"],
        targets: Float32[np.ndarray, "n classes"],
        *,
        rng: np.random.Generator,
        counts: Float32[np.ndarray, " n"] | None = None,
    ) -> "LinearScorer":
        """`fit` for those who keep the roots: see `mean_root`; `counts`: see `fit_dual`."""
        samples.check(roots, targets, multi_label=self.multi_label)
        centre = roots.mean(axis=0, dtype=np.float64)
        scale = 1 / ((roots.std(axis=0, dtype=np.float64) + LEAST_SPREAD) * roots.shape[1] ** 0.5)
        standard = ((roots - centre) * scale).astype(np.float32)
        dual = fit_dual(
            standard @ standard.T,
            targets,
            multi_label=self.multi_label,
            balance=self.balance,
            counts=counts,
            loss="logistic",
        )
        weights = (standard.T @ dual.coefficients) * scale[:, None]
        link = Link.of(targets.shape[1], multi_label=self.multi_label)
        return LinearScorer.rounded(weights, dual.bias, centre, link)


@dataclass(frozen=True, slots=True, eq=False)
class LinearScorer:
    """Fitted head: weights in float16 with one scale per output, everything else folded in."""

    weights: np.ndarray  # float16 [dim, outputs], largest magnitude 1
    scale: np.ndarray  # float32 [outputs]
    bias: np.ndarray  # float32 [outputs]
    link: Link

    @classmethod
    def rounded(
        cls, weights: np.ndarray, bias: np.ndarray, centre: np.ndarray, link: Link
    ) -> "LinearScorer":
        """Round to float16; the bias is taken against what rounding left."""
        scale = np.maximum(np.abs(weights).max(axis=0), 1e-12).astype(np.float32)
        short = (weights / scale).astype(np.float16)
        bias = bias - (centre @ short.astype(np.float64)) * scale
        return cls(short, scale, bias.astype(np.float32), link)

    def score(
        self, features: Float32[np.ndarray, "n views dim"]
    ) -> Float32[np.ndarray, "n classes"]:
        """Calibrated probabilities."""
        return self.score_roots(mean_root(features))

    def score_roots(self, roots: Float[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n classes"]:
        """`score` for those who keep the roots."""
        logits = (
            roots.astype(np.float64) @ self.weights.astype(np.float64)
        ) * self.scale + self.bias
        return as_probabilities(logits, self.link)

    @staticmethod
    def stacked(heads: Sequence["LinearScorer"]) -> "LinearStack":
        """Several heads that read the same features, as one product."""
        return LinearStack(
            np.concatenate([head.weights.astype(np.float64) for head in heads], axis=1),
            np.concatenate([head.scale for head in heads]),
            np.concatenate([head.bias for head in heads]),
            tuple((head.weights.shape[1], head.link) for head in heads),
        )

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "weights": self.weights,
            "scale": self.scale,
            "bias": self.bias,
            "link": self.link.as_array(),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "LinearScorer":
        link = Link.from_array(arrays["link"])
        return cls(arrays["weights"], arrays["scale"], arrays["bias"], link)

    def write_onnx(self, parts: GraphParts, features: str, *, prefix: str = "") -> str:
        """Nodes from `features` [n, views, dim] to probabilities [n, classes]; their name."""
        mean = write_mean_root(parts, features, prefix=prefix)
        slopes = self.weights.astype(np.float32) * self.scale
        weights = parts.constant(f"{prefix}head_weights", slopes)
        flow = parts.node("MatMul", [mean, weights], f"{prefix}head_product")
        bias = parts.constant(f"{prefix}head_bias", self.bias)
        flow = parts.node("Add", [flow, bias], f"{prefix}head_logits")
        return write_probabilities(parts, flow, self.link, prefix=prefix)


@dataclass(frozen=True, slots=True, eq=False)
class LinearStack:
    """Linear heads side by side."""

    weights: np.ndarray  # float64 [dim, outputs of all heads]
    scale: np.ndarray
    bias: np.ndarray
    parts: tuple[tuple[int, Link], ...]
    """Outputs and link of each head."""

    def score(
        self, features: Float32[np.ndarray, "n views dim"]
    ) -> list[Float32[np.ndarray, "n _"]]:
        """Probabilities of each head, as it gives them alone but for the rounding of a sum."""
        product = mean_root(features).astype(np.float64) @ self.weights
        logits, found, start = product * self.scale + self.bias, list[np.ndarray](), 0
        for width, link in self.parts:
            found.append(as_probabilities(logits[:, start : start + width], link))
            start += width
        return found

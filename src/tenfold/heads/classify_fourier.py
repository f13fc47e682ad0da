"""Kernel classify head: a Gaussian-kernel machine on random Fourier features, in a few kilobytes.

Only the scale of each feature (one byte) and the weight of each wave (one byte) are kept; the
waves come back from the seed. A Gaussian kernel does not care where its points are centred, so no
mean is stored. Sources are cited in `fourier`, `roots`, `dual` and `logistic`.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32, UInt8

from tenfold.errors import SpecError
from tenfold.heads import samples
from tenfold.heads.dual import fit_dual
from tenfold.heads.fourier import Fourier
from tenfold.heads.link import Link, as_probabilities, write_probabilities
from tenfold.heads.roots import mean_root, write_mean_root
from tenfold.onnx_graph import GraphParts

LEAST_SPREAD = 1e-3  # of a feature's root: dead channels must not be blown up
STEPS_PER_OCTAVE = 12  # of a byte-coded scale: at most 3 % off
SCALE_ORIGIN = 128
WEIGHT_STEPS = 127


@dataclass(frozen=True, slots=True)
class FourierMachine:
    """Recipe. The penalty is chosen, and the probabilities calibrated, without a held-out set."""

    multi_label: bool = False
    """A picture may show several classes or none; each is then asked for itself."""
    balance: float = 0.0
    """How much rare classes count: 0 each sample alike .. 1 each class alike."""
    frequencies: int = 4096
    """Waves, 64 .. 65,536; each costs two bytes per class."""
    width: float = 0.9
    """Of the kernel, over the root mean square distance of a sample to the mean, 0.1 .. 10."""

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise SpecError(f"balance must be 0 .. 1, got {self.balance!r}.")
        if not 64 <= self.frequencies <= 65536:
            raise SpecError(f"frequencies must be 64 .. 65536, got {self.frequencies!r}.")
        if not 0.1 <= self.width <= 10:
            raise SpecError(f"width must be 0.1 .. 10, got {self.width!r}.")

    def fit(
        self,
        features: Float32[np.ndarray, "n views dim"],
        targets: Float32[np.ndarray, "n classes"],
        *,
        rng: np.random.Generator,
    ) -> "FourierScorer":
        """The fitted head.

        Raises:
            DataError: see `samples.check`.
        """
        samples.check(features, targets, multi_label=self.multi_label)
        roots = mean_root(features)
        spread = roots.std(axis=0, dtype=np.float64) + LEAST_SPREAD
        scales = coded(1 / (spread * self.width * roots.shape[1] ** 0.5))
        fourier = Fourier(roots.shape[1], self.frequencies, int(rng.integers(2**32)))
        waves = fourier.of(roots * decoded(scales))
        centre = waves.mean(axis=0)
        waves -= centre
        gram = waves @ waves.T
        size = np.float32(np.trace(gram) / len(gram))
        dual = fit_dual(
            gram / size, targets, multi_label=self.multi_label, balance=self.balance, rng=rng
        )
        weights = waves.T @ (dual.coefficients / size)
        step = np.maximum(np.abs(weights).max(axis=0), 1e-12) / WEIGHT_STEPS
        steps = np.round(weights / step).astype(np.int8)
        bias = dual.bias - (centre @ steps.astype(np.float32)) * step
        link = Link.of(targets.shape[1], multi_label=self.multi_label)
        return FourierScorer(
            fourier, scales, steps, step.astype(np.float32), bias.astype(np.float32), link
        )


@dataclass(frozen=True, slots=True, eq=False)
class FourierScorer:
    """Fitted head."""

    fourier: Fourier
    scales: np.ndarray  # uint8 [dim], see `decoded`
    steps: np.ndarray  # int8 [2 * frequencies, outputs], in units of `step`
    step: np.ndarray  # float32 [outputs]
    bias: np.ndarray  # float32 [outputs]
    link: Link

    def score(
        self, features: Float32[np.ndarray, "n views dim"]
    ) -> Float32[np.ndarray, "n classes"]:
        """Calibrated probabilities."""
        waves = self.fourier.of(mean_root(features) * decoded(self.scales))
        logits = (waves.astype(np.float64) @ self.steps.astype(np.float64)) * self.step + self.bias
        return as_probabilities(logits, self.link)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "fourier": np.array([self.fourier.frequencies, self.fourier.seed], np.int64),
            "scales": self.scales,
            "steps": self.steps,
            "step": self.step,
            "bias": self.bias,
            "link": self.link.as_array(),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FourierScorer":
        frequencies, seed = (int(n) for n in arrays["fourier"])
        return cls(
            Fourier(len(arrays["scales"]), frequencies, seed),
            arrays["scales"],
            arrays["steps"],
            arrays["step"],
            arrays["bias"],
            Link.from_array(arrays["link"]),
        )

    def write_onnx(self, parts: GraphParts, features: str, *, prefix: str = "") -> str:
        """Nodes from `features` [n, views, dim] to probabilities [n, classes]; their name."""
        roots = write_mean_root(parts, features, prefix=prefix)
        scales = parts.constant(f"{prefix}head_scales", decoded(self.scales))
        points = parts.node("Mul", [roots, scales], f"{prefix}points")
        waves = self.fourier.write(parts, points, prefix=prefix)
        weights = parts.constant(f"{prefix}head_weights", self.steps * self.step)
        flow = parts.node("MatMul", [waves, weights], f"{prefix}head_product")
        bias = parts.constant(f"{prefix}head_bias", self.bias)
        flow = parts.node("Add", [flow, bias], f"{prefix}head_logits")
        return write_probabilities(parts, flow, self.link, prefix=prefix)


def coded(scales: np.ndarray) -> UInt8[np.ndarray, " dim"]:
    """Scales as bytes, evenly spaced on a logarithm."""
    places = np.round(STEPS_PER_OCTAVE * np.log2(scales)) + SCALE_ORIGIN
    return np.clip(places, 0, 255).astype(np.uint8)


def decoded(places: UInt8[np.ndarray, " dim"]) -> Float32[np.ndarray, " dim"]:
    return np.exp2((places.astype(np.float64) - SCALE_ORIGIN) / STEPS_PER_OCTAVE).astype(np.float32)

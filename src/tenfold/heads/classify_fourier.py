"""Kernel classify head: least squares under a Gaussian kernel, on random Fourier features.

One byte is kept for the scale of each feature, and one for each weight; the waves come back from
the seed. Neither a Gaussian nor a centred linear kernel cares where the features' mean lies, so no
mean is stored. Sources are cited in `fourier`, `roots`, `dual` and `logistic`.
"""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32, Int, UInt8

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
CHANCE = 4.0  # squared correlations below this many over n are taken for luck


@dataclass(frozen=True, slots=True)
class FourierMachine:
    """Recipe. The penalty is chosen, and the probabilities calibrated, without a held-out set."""

    multi_label: bool = False
    """A picture may show several classes or none; each is then asked for itself."""
    balance: float = 0.0
    """How much rare classes count: 0 each sample alike .. 1 each class alike."""
    frequencies: int = 6144
    """Waves, 64 .. 65,536; each costs two bytes per class."""
    width: float = 0.8
    """Of the kernel, over the root mean square distance of a sample to the mean, 0.1 .. 10."""
    straight: float = 0.25
    """Share of the kernel that is linear, 0 .. 1: exact where the waves are only close."""
    relevance: float = 0.5
    """How much more features count that follow the classes: 0 all alike .. 1 in proportion."""

    def __post_init__(self) -> None:
        if not 0 <= self.balance <= 1:
            raise SpecError(f"balance must be 0 .. 1, got {self.balance!r}.")
        if not 64 <= self.frequencies <= 65536:
            raise SpecError(f"frequencies must be 64 .. 65536, got {self.frequencies!r}.")
        if not 0.1 <= self.width <= 10:
            raise SpecError(f"width must be 0.1 .. 10, got {self.width!r}.")
        if not (0 <= self.straight <= 1 and 0 <= self.relevance <= 1):
            given = (self.straight, self.relevance)
            raise SpecError(f"straight and relevance must be 0 .. 1, got {given!r}.")

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
        return self.fit_roots(mean_root(features), targets, rng=rng)

    def fit_roots(
        self,
        roots: Float32[np.ndarray, "n dim"],
        targets: Float32[np.ndarray, "n classes"],
        *,
        rng: np.random.Generator,
        counts: Float32[np.ndarray, " n"] | None = None,
    ) -> "FourierScorer":
        """`fit` for those who keep the roots: see `mean_root`; `counts`: see `fit_dual`."""
        samples.check(roots, targets, multi_label=self.multi_label)
        scales = coded(self._scales(roots, targets))
        points = roots * unit_scales(scales)
        fourier = Fourier(roots.shape[1], self.frequencies, int(rng.integers(2**32)))
        parts = (
            _Part.of(
                lambda: fourier.pieces(points / np.float32(self.width)),
                samples_and_features=(len(points), 2 * self.frequencies),
                share=1 - self.straight,
            ),
            _Part.of(
                lambda: _as_one_piece(points),
                samples_and_features=points.shape,
                share=self.straight,
            ),
        )
        dual = fit_dual(
            parts[0].gram + parts[1].gram,
            targets,
            multi_label=self.multi_label,
            balance=self.balance,
            counts=counts,
            loss="squares",
        )
        waves, slopes = (Weights.rounded(part.weights(dual.coefficients)) for part in parts)
        bias = dual.bias - parts[0].centre @ waves.full() - parts[1].centre @ slopes.full()
        link = Link.of(targets.shape[1], multi_label=self.multi_label)
        return FourierScorer(
            fourier, self.width, scales, waves, slopes, bias.astype(np.float32), link
        )

    def _scales(self, roots: np.ndarray, targets: np.ndarray) -> np.ndarray:
        """What each feature is multiplied with: a sample's mean square is then about 1."""
        n = len(roots)
        spread = roots.std(axis=0, dtype=np.float64) + LEAST_SPREAD
        aims = targets - targets.mean(axis=0)
        aims /= np.sqrt(np.square(aims).mean(axis=0))
        follows = ((roots - roots.mean(axis=0)).T @ aims) / (n * spread[:, None])
        strength = np.square(follows).max(axis=1) + CHANCE / n
        counts = strength ** (self.relevance / 2)
        return counts / (spread * np.sqrt(np.square(counts).mean()))


Pieces = Iterator[tuple[Int[np.ndarray, " some"], Float32[np.ndarray, "n some"]]]


def _as_one_piece(block: Float32[np.ndarray, "n features"]) -> Pieces:
    yield np.arange(block.shape[1]), block


@dataclass(frozen=True, slots=True, eq=False)
class _Part:
    """One part of the kernel; its features are made anew when needed, some columns at a time."""

    pieces: Callable[[], Pieces]
    centre: np.ndarray  # float32 [features]
    scale: np.float32
    gram: np.ndarray  # float32 [n, n], of centred features; its mean diagonal is the share

    @classmethod
    def of(
        cls, pieces: Callable[[], Pieces], *, samples_and_features: tuple[int, ...], share: float
    ) -> "_Part":
        n, features = samples_and_features
        centre, gram = np.empty(features, np.float32), np.zeros((n, n), np.float32)
        for columns, block in pieces():
            centre[columns] = block.mean(axis=0)
            centred = block - centre[columns]
            gram += centred @ centred.T
        scale = np.float32(share / (float(np.trace(gram) / n) + 1e-12))
        return cls(pieces, centre, scale, gram * scale)

    def weights(
        self, coefficients: Float32[np.ndarray, "n outputs"]
    ) -> Float32[np.ndarray, "features outputs"]:
        weights = np.empty((len(self.centre), coefficients.shape[1]), np.float32)
        total = coefficients.sum(axis=0)
        for columns, block in self.pieces():
            raw = block.T @ coefficients - np.outer(self.centre[columns], total)
            weights[columns] = self.scale * raw
        return weights


@dataclass(frozen=True, slots=True, eq=False)
class Weights:
    """A matrix of weights as bytes, in steps of its own per output."""

    steps: np.ndarray  # int8 [features, outputs]
    step: np.ndarray  # float32 [outputs]

    @classmethod
    def rounded(cls, weights: np.ndarray) -> "Weights":
        step = (np.maximum(np.abs(weights).max(axis=0), 1e-12) / WEIGHT_STEPS).astype(np.float32)
        return cls(np.round(weights / step).astype(np.int8), step)

    def full(self) -> Float32[np.ndarray, "features outputs"]:
        return self.steps * self.step


@dataclass(frozen=True, slots=True, eq=False)
class FourierScorer:
    """Fitted head."""

    fourier: Fourier
    width: float
    scales: np.ndarray  # uint8 [dim], see `decoded`
    waves: Weights
    slopes: Weights
    bias: np.ndarray  # float32 [outputs]
    link: Link

    def score(
        self, features: Float32[np.ndarray, "n views dim"]
    ) -> Float32[np.ndarray, "n classes"]:
        """Calibrated probabilities."""
        return self.score_roots(mean_root(features))

    def score_roots(self, roots: Float[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n classes"]:
        """`score` for those who keep the roots."""
        points = roots.astype(np.float32, copy=False) * unit_scales(self.scales)
        logits = points.astype(np.float64) @ self.slopes.full() + self.bias
        weights = self.waves.full()
        for columns, waves in self.fourier.pieces(points / np.float32(self.width)):
            logits += waves.astype(np.float64) @ weights[columns]
        return as_probabilities(logits, self.link)

    def arrays(self) -> dict[str, np.ndarray]:
        return {
            "fourier": np.array([self.fourier.frequencies, self.fourier.seed], np.int64),
            "width": np.array([self.width], np.float64),
            "scales": self.scales,
            "waves": self.waves.steps,
            "waves_step": self.waves.step,
            "slopes": self.slopes.steps,
            "slopes_step": self.slopes.step,
            "bias": self.bias,
            "link": self.link.as_array(),
        }

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FourierScorer":
        frequencies, seed = (int(n) for n in arrays["fourier"])
        return cls(
            Fourier(len(arrays["scales"]), frequencies, seed),
            float(arrays["width"][0]),
            arrays["scales"],
            Weights(arrays["waves"], arrays["waves_step"]),
            Weights(arrays["slopes"], arrays["slopes_step"]),
            arrays["bias"],
            Link.from_array(arrays["link"]),
        )

    def write_onnx(self, parts: GraphParts, features: str, *, prefix: str = "") -> str:
        """Nodes from `features` [n, views, dim] to probabilities [n, classes]; their name."""
        roots = write_mean_root(parts, features, prefix=prefix)
        scales = parts.constant(f"{prefix}head_scales", unit_scales(self.scales))
        points = parts.node("Mul", [roots, scales], f"{prefix}points")
        width = parts.constant(f"{prefix}width", self.width)
        narrowed = parts.node("Div", [points, width], f"{prefix}points_narrowed")
        waves = self.fourier.write(parts, narrowed, prefix=prefix)
        logits = [parts.constant(f"{prefix}head_bias", self.bias)]
        for name, flow, weights in (
            ("waves_part", waves, self.waves),
            ("straight_part", points, self.slopes),
        ):
            table = parts.constant(f"{prefix}{name}_weights", weights.full())
            logits.append(parts.node("MatMul", [flow, table], f"{prefix}{name}"))
        flow = parts.node("Add", [logits[1], logits[2]], f"{prefix}head_product")
        flow = parts.node("Add", [flow, logits[0]], f"{prefix}head_logits")
        return write_probabilities(parts, flow, self.link, prefix=prefix)


def coded(scales: np.ndarray) -> UInt8[np.ndarray, " dim"]:
    """Scales as bytes, evenly spaced on a logarithm."""
    places = np.round(STEPS_PER_OCTAVE * np.log2(scales)) + SCALE_ORIGIN
    return np.clip(places, 0, 255).astype(np.uint8)


def decoded(places: UInt8[np.ndarray, " dim"]) -> Float32[np.ndarray, " dim"]:
    return np.exp2((places.astype(np.float64) - SCALE_ORIGIN) / STEPS_PER_OCTAVE).astype(np.float32)


def unit_scales(places: UInt8[np.ndarray, " dim"]) -> Float32[np.ndarray, " dim"]:
    """Scales that keep the length of a sample apart from how many features it has."""
    return decoded(places) / np.float32(np.sqrt(len(places)))

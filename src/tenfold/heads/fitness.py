"""The gate before an anomaly head: pictures that nobody should judge are *unfit*, never OK.

A picture is unfit when it is black, saturated, empty, blurred, or shows a wholly different scene
than the good pictures did. The limits lie well outside of what good pictures showed, so that a
defect, even a big one, is judged and not turned away.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float16, Float32

from tenfold.errors import DataError
from tenfold.heads.patches import Source
from tenfold.values import MapBatch

TAIL = 0.02
"""Share of the good pictures that a limit may ignore on its side: odd ones must not stretch it."""
DARK = BRIGHT = 0.4
"""Distance to black (white) that is left, as a share of the darkest (brightest) good picture's."""
EMPTY = 0.3
"""Contrast that is left, as a share of the flattest good picture's."""
BLURRED = 0.6
"""Sharpness that is left, as a share of the softest good picture's; and, so that dim light is not
mistaken for blur, `BLURRED_FOR_ITS_CONTRAST` of the usual sharpness for the same contrast."""
BLURRED_FOR_ITS_CONTRAST = 0.7
OTHER_SCENE = 1.45
"""Distance to the usual picture, over that of the oddest good picture."""
LEAST_SCENE_DISTANCE = 0.05
"""A limit for few or equal good pictures, in cosine distance."""


@dataclass(frozen=True, slots=True, eq=False)
class FitnessGate:
    scene: Float16[np.ndarray, " dim"]
    """Unit vector of the usual picture, see `_signature`."""
    limits: Float32[np.ndarray, "7"]
    """mean_low, mean_high, bright_share_high, std_low, sharpness_low, sharpness_per_std_low,
    scene_distance_high."""

    @classmethod
    def fit(cls, batches: Source) -> "FitnessGate":
        """Limits from good pictures, in two passes that hold vital signs only.

        Raises:
            DataError: there are no good pictures, or their features hold NaN.
        """
        total, vitals = np.zeros(0), [np.zeros((0, 5), np.float32)]
        for batch in batches():
            summed = _signature(batch.pooled).sum(0, dtype=np.float64)
            total = total + summed if len(total) else summed
            vitals.append(batch.vitals)
        seen = np.concatenate(vitals)
        if not len(seen):
            raise DataError("no good pictures to learn from.", hint="Add at least one good image.")
        if not (np.isfinite(total).all() and np.isfinite(seen).all()):
            raise DataError("features hold NaN or infinity.", hint="Embed these pictures again.")
        scene = (total / max(float(np.linalg.norm(total)), 1e-12)).astype(np.float16)
        gone = np.concatenate([_distance(batch.pooled, scene) for batch in batches()])
        far = OTHER_SCENE * (1 + 2 / len(gone)) * float(np.quantile(gone, 1 - TAIL))
        limits = [*_vital_limits(seen), max(far, LEAST_SCENE_DISTANCE)]
        return cls(scene, np.array(limits, np.float32))

    def reasons(self, batch: MapBatch) -> list[str]:
        """Per picture, why it is unfit to judge; empty when it is fit."""
        mean_low, mean_high, bright_high, std_low, sharp_low, crisp_low, far = self.limits
        mean, std, _, bright, sharpness = batch.vitals.T
        verdicts: dict[str, np.ndarray] = {
            "too dark": mean < mean_low,
            "too bright": (mean > mean_high) | (bright > bright_high),
            "empty: almost no contrast": std < std_low,
            "blurred": (sharpness < sharp_low) & (sharpness < crisp_low * std),
            "a different scene": _distance(batch.pooled, self.scene) > far,
        }
        whole = np.isfinite(batch.vitals).all(1) & np.isfinite(batch.pooled).all(1)
        verdicts = {"features are not numbers": np.logical_not(whole), **verdicts}
        return [
            next((reason for reason, hit in verdicts.items() if hit[place]), "")
            for place in range(len(batch))
        ]

    def arrays(self) -> dict[str, np.ndarray]:
        return {"scene": self.scene, "limits": self.limits}

    @classmethod
    def from_arrays(cls, arrays: dict[str, np.ndarray]) -> "FitnessGate":
        return cls(arrays["scene"].astype(np.float16), arrays["limits"].astype(np.float32))


def _vital_limits(vitals: Float32[np.ndarray, "n 5"]) -> list[float]:
    mean, std, _, bright, sharpness = vitals.T.astype(np.float64)
    low, high = TAIL, 1 - TAIL
    brightest, most_bright = np.quantile(mean, high), np.quantile(bright, high)
    crispness = sharpness / np.maximum(std, 1e-6)
    return [
        DARK * float(np.quantile(mean, low)),
        1 - BRIGHT * (1 - float(brightest)),
        float(most_bright + 0.5 * (1 - most_bright)),
        EMPTY * float(np.quantile(std, low)),
        BLURRED * float(np.quantile(sharpness, low)),
        BLURRED_FOR_ITS_CONTRAST * float(np.median(crispness)),
    ]


def _signature(pooled: Float32[np.ndarray, "n dim"]) -> Float32[np.ndarray, "n dim"]:
    """Signed square roots at unit length: no single strong feature decides what a scene is."""
    roots = np.sign(pooled) * np.sqrt(np.abs(pooled))
    return roots / np.maximum(np.linalg.norm(roots, axis=1, keepdims=True), 1e-12)


def _distance(
    pooled: Float32[np.ndarray, "n dim"], scene: Float16[np.ndarray, " dim"]
) -> Float32[np.ndarray, " n"]:
    """Cosine distance to the usual picture."""
    usual = scene.astype(np.float32)
    usual = usual / max(float(np.linalg.norm(usual)), 1e-12)
    return (1 - (_signature(pooled) * usual).sum(1)).astype(np.float32)

"""Whether a region can be seen at all, whoever is asked about it: a torn or black picture shows
nothing bad, and not every head would notice that it shows nothing."""

import numpy as np

from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.values import Pixels

DARK = 0.25
"""Brightness that is left, as a share of the reference's."""
EMPTY = 0.25
"""Contrast that is left, as a share of the reference's."""
LEAST_CONTRAST = 4.0
"""Grey levels (of 255) of spread below which the reference shows nothing itself."""


def unfit(pixels: Pixels, reference: Pixels) -> str:
    """Why nobody should judge the region; empty: it is fit."""
    (mean, spread), (usual_mean, usual_spread) = _looks(pixels), _looks(reference)
    if mean < DARK * usual_mean:
        return "too dark"
    if usual_spread >= LEAST_CONTRAST and spread < EMPTY * usual_spread:
        return "empty: almost no contrast"
    return ""


def _looks(pixels: Pixels) -> tuple[float, float]:
    cv2 = opencv()
    mean, spread = cv2.meanStdDev(cv2.cvtColor(np.ascontiguousarray(pixels), cv2.COLOR_RGB2GRAY))
    return float(mean[0, 0]), float(spread[0, 0])

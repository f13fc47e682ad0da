"""Regions that show nothing are judged by nobody."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

from parts_drawn import plate
from tenfold.apps.line.fitness import unfit

USUAL = plate(np.random.default_rng(0))[60:140, 30:110]
FLAT = np.full((80, 80, 3), 128, np.uint8)


@pytest.mark.parametrize(
    ("pixels", "why"),
    [
        (USUAL, ""),
        (plate(np.random.default_rng(1))[60:140, 30:110], ""),
        ((USUAL * 0.5).astype(np.uint8), ""),
        ((USUAL * 0.1).astype(np.uint8), "too dark"),
        (np.zeros_like(USUAL), "too dark"),
        (FLAT, "empty: almost no contrast"),
    ],
)
def test_what_cannot_be_seen_is_unfit(pixels, why):
    assert unfit(pixels, USUAL) == why


def test_what_is_flat_by_nature_is_fit():
    assert unfit(FLAT, FLAT) == ""

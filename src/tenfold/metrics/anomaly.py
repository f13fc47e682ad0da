"""How well score maps find defects: per pixel, and per defect region.

Image AUROC is `tenfold.metrics.classification.auroc` of the image scores.
Source: Bergmann et al. 2021, "The MVTec Anomaly Detection Dataset", IJCV 129, section 5.3
(per-region overlap, area to a false positive rate of 0.3, normalised).
"""

from collections.abc import Sequence
from typing import cast

import numpy as np
from jaxtyping import Bool, Float
from scipy import ndimage

from tenfold.errors import DataError

FALSE_POSITIVE_LIMIT = 0.3
BINS = 4096
"""Levels that pixel scores are sorted into, so that memory does not grow with the pictures."""
EIGHT_NEIGHBOURS = np.ones((3, 3), int)


def pixel_auroc(
    maps: Sequence[Float[np.ndarray, "_ _"]], masks: Sequence[Bool[np.ndarray, "_ _"]]
) -> float:
    """Chance that a defect pixel scores higher than a good one; ties count half.

    Raises:
        DataError: there are no defect pixels, or nothing else.
    """
    levels = _Levels.of(maps)
    good, bad = np.zeros(BINS), np.zeros(BINS)
    for score_map, mask in zip(maps, masks, strict=True):
        good += levels.counted(score_map[~mask])
        bad += levels.counted(score_map[mask])
    _both_there(good, bad)
    lower = np.cumsum(good) - good
    return float(((lower + good / 2) * bad).sum() / (good.sum() * bad.sum()))


def region_overlap(
    maps: Sequence[Float[np.ndarray, "_ _"]],
    masks: Sequence[Bool[np.ndarray, "_ _"]],
    *,
    limit: float = FALSE_POSITIVE_LIMIT,
) -> float:
    """PRO: mean share of each defect region that is found, over all thresholds whose false
    positive rate stays within `limit`; 1 is perfect.

    Raises:
        DataError: there are no defect pixels, or nothing else.
    """
    levels = _Levels.of(maps)
    good, found, regions = np.zeros(BINS), np.zeros(BINS), 0
    for score_map, mask in zip(maps, masks, strict=True):
        good += levels.counted(score_map[~mask])
        labels, count = cast(tuple[np.ndarray, int], ndimage.label(mask, EIGHT_NEIGHBOURS))
        regions += count
        for region in range(1, count + 1):
            inside = levels.counted(score_map[labels == region])
            found += inside / inside.sum()
    _both_there(good, found)
    false_rate = np.concatenate([[0], np.cumsum(good[::-1]) / good.sum()])
    overlap = np.concatenate([[0], np.cumsum(found[::-1]) / regions])
    return _area(false_rate, overlap, limit) / limit


def _area(x: np.ndarray, y: np.ndarray, limit: float) -> float:
    """Trapezoids under y from 0 to `limit`, the last one cut."""
    within = x <= limit
    end = np.interp(limit, x, y)
    xs, ys = np.append(x[within], limit), np.append(y[within], end)
    return float(np.trapezoid(ys, xs))


class _Levels:
    """Evenly spaced levels over the range of all maps."""

    def __init__(self, low: float, high: float) -> None:
        self.low = low
        self.scale = (BINS - 1) / max(high - low, 1e-12)

    @classmethod
    def of(cls, maps: Sequence[np.ndarray]) -> "_Levels":
        if not len(maps):
            raise DataError("expected score maps, got none.", hint="Score some pictures first.")
        return cls(min(float(m.min()) for m in maps), max(float(m.max()) for m in maps))

    def counted(self, scores: np.ndarray) -> np.ndarray:
        level = np.rint((scores - self.low) * self.scale).astype(np.int64)
        return np.bincount(level, minlength=BINS).astype(float)


def _both_there(good: np.ndarray, bad: np.ndarray) -> None:
    if not good.any() or not bad.any():
        raise DataError(
            "expected good and defect pixels, got only one kind.",
            hint="Give masks of defective pictures.",
        )

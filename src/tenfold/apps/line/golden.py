"""Where an aligned picture differs from its reference, beyond what edges and light explain."""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, UInt8

from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.part import Golden
from tenfold.apps.line.values import Pixels
from tenfold.errors import DataError

AROUND_PX = 16
"""Surroundings of a difference that tell whether its place has drifted."""


@dataclass(frozen=True, slots=True)
class Difference:
    box: tuple[int, int, int, int]
    """Left, top, right, bottom in pixels of what was compared; right and bottom lie outside."""
    area_px: int


def differences(
    pixels: Pixels,
    reference: Pixels,
    check: Golden,
    *,
    known: Bool[np.ndarray, "h w"] | None = None,
) -> tuple[Difference, ...]:
    """The largest first. Only what is `known` is compared.

    A pixel differs if it is brighter than the brightest, or darker than the darkest, of the
    reference's pixels within the tolerance. What most pixels differ by is the light's.

    Raises:
        DataError: the pictures differ in size.
    """
    if pixels.shape != reference.shape:
        raise DataError(
            f"expected a picture of {reference.shape}, as the reference is, got {pixels.shape}.",
            hint="Align it first.",
        )
    mask = _differing(pixels, reference, check)
    even = _even(pixels, reference)
    mask = _differing(even, reference, check)
    if known is not None:
        mask &= known
    if check.drift_px:
        mask = _undrifted(mask, even, reference, check)
    return tuple(sorted(_boxes(mask, check), key=lambda one: -one.area_px))


def _even(pixels: Pixels, reference: Pixels) -> Pixels:
    light = np.median(pixels.astype(np.int16) - reference, axis=(0, 1)).round()
    if not light.any():
        return pixels
    return np.clip(pixels.astype(np.int16) - light.astype(np.int16), 0, 255).astype(np.uint8)


def _undrifted(
    mask: UInt8[np.ndarray, "h w"], even: Pixels, reference: Pixels, check: Golden
) -> UInt8[np.ndarray, "h w"]:
    """The mask without what lies somewhere else, as its surroundings do."""
    cv2 = opencv()
    height, width = mask.shape
    drift, left_over = check.drift_px, np.zeros_like(mask)
    for one in _boxes(mask, check):
        x0, y0, x1, y1 = one.box
        top, left = max(y0 - AROUND_PX, 0), max(x0 - AROUND_PX, 0)
        bottom, right = min(y1 + AROUND_PX, height), min(x1 + AROUND_PX, width)
        place = even[top:bottom, left:right]
        there = cv2.copyMakeBorder(reference, *[drift] * 4, cv2.BORDER_REPLICATE)[
            top : bottom + 2 * drift, left : right + 2 * drift
        ]
        _, _, (x, y), _ = cv2.minMaxLoc(cv2.matchTemplate(there, place, cv2.TM_SQDIFF))
        found = there[y : y + place.shape[0], x : x + place.shape[1]]
        here = (slice(y0 - top, y1 - top), slice(x0 - left, x1 - left))
        still = _differing(place, found, check)[here]
        left_over[y0:y1, x0:x1] |= still & mask[y0:y1, x0:x1]
    return left_over


def _differing(even: Pixels, reference: Pixels, check: Golden) -> UInt8[np.ndarray, "h w"]:
    cv2 = opencv()
    side = 2 * check.tolerance_px + 1
    near = np.ones((side, side), np.uint8)
    above = cv2.subtract(even, cv2.dilate(reference, near))
    below = cv2.subtract(cv2.erode(reference, near), even)
    most = cv2.max(above, below).max(axis=2)
    mask = (most >= check.least_difference).astype(np.uint8)
    narrow = np.ones((check.least_width_px, check.least_width_px), np.uint8)
    return cv2.morphologyEx(mask, cv2.MORPH_OPEN, narrow)


def _boxes(mask: UInt8[np.ndarray, "h w"], check: Golden) -> list[Difference]:
    cv2 = opencv()
    merge, margin = check.merge_px, check.margin_px
    height, width = mask.shape
    framed = cv2.copyMakeBorder(mask, merge, merge, merge, merge, cv2.BORDER_CONSTANT, value=0)
    joined = cv2.dilate(framed, np.ones((2 * merge + 1, 2 * merge + 1), np.uint8))
    count, labels, stats, _ = cv2.connectedComponentsWithStats(joined)
    areas = np.bincount(labels[framed > 0], minlength=count)
    found: list[Difference] = []
    for index in range(1, count):
        if areas[index] < check.least_area_px:
            continue
        # joining made the box `merge` larger on each side, and the frame moved it by as much
        x, y, wide, high = (int(v) for v in stats[index, :4])
        right, bottom = x + wide - 2 * merge, y + high - 2 * merge
        box = (max(x - margin, 0), max(y - margin, 0))
        far = (min(right + margin, width), min(bottom + margin, height))
        found.append(Difference((*box, *far), int(areas[index])))
    return found

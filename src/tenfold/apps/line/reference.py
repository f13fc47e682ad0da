"""A part's reference picture, and all that aligning needs of it alone: computed once.

Light is taken out first: each pixel is compared with its own surroundings.

Source: Baker & Matthews 2004, "Lucas-Kanade 20 Years On", section 3.2 (inverse compositional: the
reference's gradients serve every step); Lowe 2004 (SIFT, as OpenCV has it).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.part import Alignment, Motion
from tenfold.errors import DataError

SIDES_PX = (80, 160, 320)
"""Longest side of the reference at which it is compared, coarse to fine."""
NEAR_SHARE = 0.05
"""Surroundings of a pixel reach so far, as a share of the longest side."""
NOISE = 4.0
"""Grey levels (of 255) below which contrast counts as noise."""
FEATURES = 500
TILES = 5
"""Tiles along each side, each of which says how far off it still lies."""
LEAST_SLOPE = 0.002
"""Mean squared slope along its flattest direction from which a tile can say so."""


@dataclass(frozen=True, slots=True, eq=False)
class Tile:
    rows: slice
    columns: slice
    steps: Float32[np.ndarray, "2 hw"]
    """From what is left between pictures to how far the tile is off, x and y."""


@dataclass(frozen=True, slots=True, eq=False)
class Level:
    """The reference at one size, ready to be compared."""

    scale: float
    """Its pixels for one of the reference."""
    plain: Float32[np.ndarray, "h w"]
    """Light taken out."""
    counts: Bool[np.ndarray, "h w"]
    """Where it is compared."""
    slopes: Float32[np.ndarray, "p hw"]
    """How each pixel changes with each parameter; zero where nothing is compared."""
    inverse: Float64[np.ndarray, "p p"]
    tiles: tuple["Tile", ...]
    """Those of its tiles that show enough to say where they lie."""


@dataclass(frozen=True, slots=True, eq=False)
class Features:
    """What SIFT finds in a picture: the dear part of a reference, worth keeping with it."""

    points: Float32[np.ndarray, "n 2"]
    """In pixels of the finest level."""
    descriptors: UInt8[np.ndarray, "n 128"]


@dataclass(frozen=True, slots=True, eq=False)
class Reference:
    """A part's reference picture and what aligning needs of it, computed once."""

    pixels: UInt8[np.ndarray, "h w 3"]
    alignment: Alignment
    levels: tuple[Level, ...]
    features: Features

    @classmethod
    def of(
        cls,
        pixels: UInt8[np.ndarray, "h w 3"],
        alignment: Alignment,
        *,
        features: Features | None = None,
    ) -> "Reference":
        """`features` are those of an earlier reference of the same picture and alignment.

        Raises:
            DataError: the picture shows too little to be found again.
            Unsupported: OpenCV is not installed.
        """
        longest = max(pixels.shape[:2])
        sides = [side for side in SIDES_PX if side < longest] or [longest]
        if len(sides) < len(SIDES_PX) and longest > sides[-1]:
            sides.append(longest)
        scales = [side / longest for side in sides]
        greys = greys_of(pixels, scales)
        levels = tuple(
            _level(grey, scale, alignment) for grey, scale in zip(greys, scales, strict=True)
        )
        if features is None:
            features = features_in(greys[-1], levels[-1].counts)
        return cls(pixels, alignment, levels, features)


def greys_of(
    pixels: UInt8[np.ndarray, "h w 3"], scales: Sequence[float]
) -> list[UInt8[np.ndarray, "sh sw"]]:
    """The picture at rising scales."""
    cv2 = opencv()
    grey = cv2.cvtColor(pixels, cv2.COLOR_RGB2GRAY)
    height, width = grey.shape
    found: list[np.ndarray] = []
    for scale in reversed(scales):
        size = (max(1, round(width * scale)), max(1, round(height * scale)))
        if size != (grey.shape[1], grey.shape[0]):
            grey = cv2.resize(grey, size, interpolation=cv2.INTER_AREA)
        found.append(grey)
    return found[::-1]


def plain_of(grey: UInt8[np.ndarray, "h w"]) -> Float32[np.ndarray, "h w"]:
    """Each pixel against mean and spread of its surroundings, in about -2..2."""
    cv2 = opencv()
    reach = 2 * round(max(grey.shape) * NEAR_SHARE) + 1
    values = cv2.GaussianBlur(grey, (0, 0), 1.0).astype(np.float32)
    difference = values - cv2.blur(values, (reach, reach))
    # sums that run along may end a little below zero
    around = np.maximum(cv2.blur(difference * difference, (reach, reach)), 0)
    spread = cv2.sqrt(around) + NOISE
    return np.clip(difference / spread, -2, 2)


def _level(grey: UInt8[np.ndarray, "h w"], scale: float, alignment: Alignment) -> Level:
    plain = plain_of(grey)
    counts = _counts(plain.shape, alignment, scale)
    slopes = _slopes(plain, alignment.motion) * counts.ravel()
    hessian = (slopes @ slopes.T).astype(np.float64)
    if alignment.motion == "fixed":
        return Level(scale, plain, counts, slopes, np.eye(2), _tiles(slopes, plain.shape))
    if not counts.any() or np.linalg.cond(hessian) > 1e12:
        raise DataError(
            "the reference picture shows too little to be found again.",
            hint="Take a sharp picture of a good part; where a fixture holds it, `motion: fixed`.",
        )
    return Level(scale, plain, counts, slopes, np.linalg.inv(hessian), _tiles(slopes, plain.shape))


def _counts(shape: tuple[int, ...], alignment: Alignment, scale: float) -> Bool[np.ndarray, "h w"]:
    counts = np.zeros(shape, bool)
    for box in (alignment.within,) if alignment.within else ((0, 0, shape[1], shape[0]),):
        x0, y0, x1, y1 = (round(v * scale) if alignment.within else v for v in box)
        counts[y0:y1, x0:x1] = True
    for box in alignment.ignore:
        x0, y0, x1, y1 = (round(v * scale) for v in box)
        counts[y0:y1, x0:x1] = False
    return counts


def _slopes(plain: Float32[np.ndarray, "h w"], motion: Motion) -> Float32[np.ndarray, "p hw"]:
    """Steepest descent images about the middle of the picture, in units of its half side."""
    along_y, along_x = (g.ravel() for g in np.gradient(plain))
    x, y = _places(plain.shape)
    if motion in ("fixed", "shift"):
        return np.stack([along_x, along_y])
    turn, size = along_y * x - along_x * y, along_x * x + along_y * y
    if motion == "similarity":
        return np.stack([along_x, along_y, turn, size])
    return np.stack([along_x, along_y, turn, size, along_x * y + along_y * x, along_x * x])


def _places(
    shape: tuple[int, ...],
) -> tuple[Float32[np.ndarray, " hw"], Float32[np.ndarray, " hw"]]:
    height, width = shape
    half = max(shape) / 2
    y, x = np.mgrid[:height, :width].astype(np.float32)
    return ((x - (width - 1) / 2) / half).ravel(), ((y - (height - 1) / 2) / half).ravel()


def features_in(grey: UInt8[np.ndarray, "h w"], counts: Bool[np.ndarray, "h w"] | None) -> Features:
    cv2 = opencv()
    even = cv2.createCLAHE(3.0, (8, 8)).apply(grey)
    mask = None if counts is None else counts.astype(np.uint8)
    sift = cv2.SIFT_create(FEATURES, contrastThreshold=0.02)
    points, descriptors = sift.detectAndCompute(even, mask)
    places = np.array([point.pt for point in points], np.float32).reshape(-1, 2)
    if descriptors is None:
        descriptors = np.zeros((0, 128))
    return Features(places, descriptors.astype(np.uint8))  # whole numbers up to 255 already


def _tiles(slopes: Float32[np.ndarray, "p hw"], shape: tuple[int, ...]) -> tuple[Tile, ...]:
    x, y = slopes[0].reshape(shape), slopes[1].reshape(shape)
    edges = [np.linspace(0, side, TILES + 1).round().astype(int) for side in shape]
    found: list[Tile] = []
    for top, bottom in pairwise(edges[0]):
        for left, right in pairwise(edges[1]):
            rows, columns = slice(top, bottom), slice(left, right)
            both = np.stack([x[rows, columns].ravel(), y[rows, columns].ravel()])
            hessian = (both @ both.T).astype(np.float64)
            if np.linalg.eigvalsh(hessian)[0] > LEAST_SLOPE * both.shape[1]:
                steps = np.linalg.inv(hessian).astype(np.float32) @ both
                found.append(Tile(rows, columns, steps))
    return tuple(found)

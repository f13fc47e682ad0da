"""A part is found in a picture and brought to the frame of its reference picture.

Starts are tried, the cheap ones first: no move, or the shift that correlates best (phase
correlation); the same for the reference turned; features (SIFT, RANSAC). From a start the transform
is refined, coarse to fine, until reference and picture correlate best, light taken out.

Source: Evangelidis & Psarakis 2008, "Parametric Image Alignment Using Enhanced Correlation
Coefficient Maximization" (the criterion); Baker & Matthews 2004, "Lucas-Kanade 20 Years On",
section 3.2 (inverse compositional: the reference's gradients serve every step). Lowe 2004 (SIFT)
and phase correlation as OpenCV has them.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from math import atan2, ceil, degrees, sqrt
from typing import Any, Literal

import numpy as np
from jaxtyping import Bool, Float32, Float64, UInt8

from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.part import Alignment
from tenfold.apps.line.reference import Level, Reference, features_in, greys_of, plain_of

STEPS = (12, 8, 6)
"""At most so many refining steps at each."""
STILL_PX = 0.02
"""A step that moves no corner farther ends the refining."""
RATIO = 0.85
"""A feature's best match is at most so far away, as a share of its second best (Lowe: 0.8)."""
NEAR_PX = 3.0
"""Features agree with a transform to so many pixels of the finest comparison."""
LEAST_FEATURES = 6
LEAST_INSIDE = 0.5
"""Share of the reference that must lie in the picture for a transform to be believed."""
SURE = 0.15
"""From the cheap start, this much more correlation than asked for needs no second opinion."""
LEAST_SHOWN = 0.003
"""Mean contrast, light taken out, below which a picture shows nothing."""
HOPELESS = 0.5
"""With less than this share of the correlation asked for, finer levels are not walked."""
MOST_SIZE = 1.25
"""A part that looks larger or smaller than this has not been taught."""
NO_TURN = (0.0,)
TURN_DEG = 3.0
"""Between the turns that are tried."""
TURNS_REFINED = 3
"""So many of them, those that correlate best, are refined."""
By = Literal["fixed", "shift", "turn", "features"]
Transform = Float64[np.ndarray, "2 3"]
"""From pixels x, y of the reference to pixels of the picture."""
Transform3 = Float64[np.ndarray, "3 3"]
"""The same with its third line."""


@dataclass(frozen=True, slots=True, eq=False)
class Aligned:
    """Where the part was found."""

    transform: Transform
    residual_px: float
    """Three of four tiles of the reference lie at most so far off, in pixels of the reference."""
    correlation: float
    """Of reference and aligned picture, light taken out, in -1..1."""
    inside: float
    """Share of the reference that lies in the picture."""
    by: By
    """Which start led there."""


@dataclass(frozen=True, slots=True)
class Lost:
    """The part cannot be brought to its reference frame; nobody may judge it from this picture."""

    reason: str
    """What was measured, in words."""
    action: str
    """What somebody at the line should do."""
    residual_px: float | None = None
    correlation: float | None = None


def align(pixels: UInt8[np.ndarray, "h w 3"], reference: Reference) -> Aligned | Lost:
    """Where the part lies in a picture of any size taken at the reference's scale."""
    asked = reference.alignment
    if asked.motion == "fixed":
        (grey,) = greys_of(pixels, [reference.levels[-1].scale])
        return _judged(_as_it_lies(plain_of(grey), reference), asked)
    greys = greys_of(pixels, [level.scale for level in reference.levels])
    plains = [plain_of(grey) for grey in greys]
    if max(float(np.abs(plain).mean()) for plain in plains) < LEAST_SHOWN:
        return Lost("the picture shows nothing", "Check lens, light and whether a part is there.")
    ways: dict[By, Callable[[], Transform3 | None]] = {
        "shift": lambda: _shift_start(plains[0], reference, NO_TURN),
        "turn": lambda: _shift_start(plains[0], reference, _turns(asked)),
        "features": lambda: _feature_start(greys[-1], reference),
    }
    best: Aligned | None = None
    for by, start in ways.items():
        begun = start()
        found = None if begun is None else _refined(begun, plains, reference, by=by)
        if found and (best is None or found.correlation > best.correlation):
            best = found
        if best and _is_sure(best, asked):
            break
    return _judged(best, asked)


def _as_it_lies(plain: Float32[np.ndarray, "h w"], reference: Reference) -> Aligned | None:
    """Where nothing moves; a reference that shows nothing cannot be told from another."""
    level = reference.levels[-1]
    if plain.shape != level.plain.shape:
        return None
    still = np.eye(3)
    seen = _compared(still, plain, level)
    if seen is not None:
        return Aligned(still[:2], _residual(seen[0], level) / level.scale, *seen[1:], "fixed")
    is_blank = float(np.abs(level.plain).mean()) < LEAST_SHOWN
    return Aligned(still[:2], 0.0, 1.0, 1.0, "fixed") if is_blank else None


def to_reference(
    pixels: UInt8[np.ndarray, "h w 3"], aligned: Aligned, reference: Reference
) -> UInt8[np.ndarray, "rh rw 3"]:
    """The picture as it would look were the part where it is in the reference; what lies outside
    the picture repeats its edge."""
    cv2 = opencv()
    height, width = reference.pixels.shape[:2]
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    return cv2.warpAffine(
        pixels, aligned.transform, (width, height), flags=flags, borderMode=cv2.BORDER_REPLICATE
    )


def known(
    pixels: UInt8[np.ndarray, "h w 3"], aligned: Aligned, reference: Reference
) -> Bool[np.ndarray, "rh rw"]:
    """Which pixels of `to_reference` come from the picture."""
    cv2 = opencv()
    height, width = reference.pixels.shape[:2]
    flags = cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP
    ones = np.ones(pixels.shape[:2], np.uint8)
    return cv2.warpAffine(ones, aligned.transform, (width, height), flags=flags) > 0


def _judged(found: Aligned | None, asked: Alignment) -> Aligned | Lost:
    if found is None or found.correlation < asked.least_correlation:
        seen = 0.0 if found is None else found.correlation
        return Lost(
            f"correlation {seen:.2f} with the reference, at least "
            f"{asked.least_correlation:.2f} is asked",
            "Check that the right part lies whole in the picture and that the light is as taught.",
            None if found is None else found.residual_px,
            seen,
        )
    turn_deg = abs(degrees(atan2(found.transform[1, 0], found.transform[0, 0])))
    size = sqrt(abs(float(np.linalg.det(found.transform[:, :2]))))
    if turn_deg > asked.most_turn_deg + TURN_DEG or not 1 / MOST_SIZE < size < MOST_SIZE:
        return Lost(
            f"turned by {turn_deg:.0f}°, {size:.2f} times the size of the reference",
            "Put the part in as it was taught, and check that the camera has not moved.",
            found.residual_px,
            found.correlation,
        )
    if found.residual_px > asked.most_residual_px:
        return Lost(
            f"{found.residual_px:.1f} px off the reference, at most "
            f"{asked.most_residual_px:.1f} px are allowed",
            "Check the part for damage, and that camera and fixture have not moved.",
            found.residual_px,
            found.correlation,
        )
    return found


def _is_sure(found: Aligned, asked: Alignment) -> bool:
    return (
        found.correlation >= min(asked.least_correlation + SURE, 0.95)
        and found.residual_px <= asked.most_residual_px
    )


def _matrix(step: Float64[np.ndarray, " p"], shape: tuple[int, ...]) -> Transform3:
    """The small transform of a step's parameters, in the order of `_slopes`."""
    height, width = shape
    half = max(shape) / 2
    turn, size, shear, wide = [*(step[2:] / half), 0.0, 0.0, 0.0, 0.0][:4]
    linear = np.array([[1 + size + wide, -turn + shear], [turn + shear, 1 + size]])
    middle = np.array([(width - 1) / 2, (height - 1) / 2])
    whole = np.eye(3)
    whole[:2, :2] = linear
    whole[:2, 2] = middle - linear @ middle + step[:2]
    return whole


def _turns(asked: Alignment) -> tuple[float, ...]:
    """Degrees to try, those near to none first."""
    count = ceil(asked.most_turn_deg / TURN_DEG) if asked.motion != "shift" else 0
    return tuple(sign * TURN_DEG * n for n in range(1, count + 1) for sign in (1, -1))


def _shift_start(
    plain: Float32[np.ndarray, "h w"], reference: Reference, turns: Sequence[float]
) -> Transform3 | None:
    """The turn and shift that correlate best at the coarsest level, in pixels of full size."""
    level, best, found = reference.levels[0], -1.0, None
    turned = sorted((_shifted(plain, level, turn) for turn in turns), key=lambda s: -s[0])
    starts = [start for _, start in turned[:TURNS_REFINED]]
    for start in [np.eye(3), *starts] if turns == NO_TURN else starts:
        own = _walked(start, plain, level, STEPS[0])
        seen = None if own is None else _compared(own, plain, level)
        if seen is not None and seen[1] > best:
            best, found = seen[1], own
    return None if found is None else _rescaled(found, 1 / level.scale)


def _shifted(
    plain: Float32[np.ndarray, "h w"], level: Level, turn_deg: float
) -> tuple[float, Transform3]:
    """How well the turned level correlates where it does best, and that transform."""
    cv2 = opencv()
    height, width = (max(a, b) for a, b in zip(plain.shape, level.plain.shape, strict=True))
    there, here = np.zeros((2, height, width), np.float32)
    there[: plain.shape[0], : plain.shape[1]] = plain
    middle = ((level.plain.shape[1] - 1) / 2, (level.plain.shape[0] - 1) / 2)
    turn = np.vstack([cv2.getRotationMatrix2D(middle, turn_deg, 1.0), [0, 0, 1]])
    cv2.warpAffine(level.plain * level.counts, turn[:2], (width, height), dst=here)
    (x, y), response = cv2.phaseCorrelate(here, there)
    shift = np.array([[1, 0, x], [0, 1, y], [0, 0, 1]])
    return float(response), shift @ turn


def _feature_start(grey: UInt8[np.ndarray, "h w"], reference: Reference) -> Transform3 | None:
    """The similarity that most features agree with, in pixels of full size."""
    cv2 = opencv()
    kept, seen = reference.features, features_in(grey, None)
    if min(len(seen.points), len(kept.points)) < LEAST_FEATURES:
        return None
    pairs = cv2.BFMatcher(cv2.NORM_L2).knnMatch(kept.descriptors, seen.descriptors, k=2)
    good = [best for best, second in pairs if best.distance < RATIO * second.distance]
    if len(good) < LEAST_FEATURES:
        return None
    here = kept.points[[match.queryIdx for match in good]]
    there = seen.points[[match.trainIdx for match in good]]
    cv2.setRNGSeed(0)
    found, agree = cv2.estimateAffinePartial2D(
        here, there, method=cv2.RANSAC, ransacReprojThreshold=NEAR_PX, maxIters=2000
    )
    if found is None or int(agree.sum()) < LEAST_FEATURES:
        return None
    return _rescaled(np.vstack([found, [0, 0, 1]]), 1 / reference.levels[-1].scale)


def _rescaled(transform: Transform3, factor: float) -> Transform3:
    """A transform of pixels, of pixels of pictures that are `factor` times as large.

    A pixel's middle lies at a whole number, so that 0 becomes (factor - 1) / 2.
    """
    offset = (factor - 1) / 2
    larger = np.array([[factor, 0, offset], [0, factor, offset], [0, 0, 1.0]])
    return larger @ transform @ np.linalg.inv(larger)


def _refined(
    start: Transform3,
    plains: Sequence[Float32[np.ndarray, "h w"]],
    reference: Reference,
    *,
    by: By,
) -> Aligned | None:
    """None: it ran away."""
    transform = start
    for level, plain, steps in zip(reference.levels, plains, STEPS[-len(plains) :], strict=True):
        own = _walked(_rescaled(transform, level.scale), plain, level, steps)
        if own is None:
            return None
        transform = _rescaled(own, 1 / level.scale)
        seen = _compared(own, plain, level)
        if seen is None or seen[1] < HOPELESS * reference.alignment.least_correlation:
            break
    level = reference.levels[-1]
    seen = _compared(_rescaled(transform, level.scale), plains[-1], level)
    if seen is None:
        return None
    error, correlation, inside = seen
    residual_px = _residual(error, level) / level.scale
    return Aligned(transform[:2], residual_px, correlation, inside, by)


def _walked(
    own: Transform3, plain: Float32[np.ndarray, "h w"], level: Level, steps: int
) -> Transform3 | None:
    """At most so many steps nearer, in pixels of the level; None: it ran away."""
    for _ in range(steps):
        seen = _compared(own, plain, level)
        if seen is None:
            return None
        step = level.inverse @ (level.slopes @ seen[0].ravel()).astype(np.float64)
        own = own @ np.linalg.inv(_matrix(step, level.plain.shape))
        if np.abs(step).max() < STILL_PX:
            break
    return own


def _compared(
    own: Transform3, plain: Float32[np.ndarray, "h w"], level: Level
) -> tuple[Float32[np.ndarray, "h w"], float, float] | None:
    """What is left between reference and picture, their correlation, and the share compared;
    None: too little of the reference lies in the picture."""
    cv2 = opencv()
    height, width = level.plain.shape
    flags = cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP
    size = (width, height)
    seen: Any = cv2.warpAffine(plain, own[:2], size, flags=flags)
    known: Any = cv2.warpAffine(
        np.ones(plain.shape, np.uint8),
        own[:2],
        size,
        flags=cv2.INTER_NEAREST | cv2.WARP_INVERSE_MAP,
    )
    known &= level.counts
    share = cv2.countNonZero(known) / max(cv2.countNonZero(level.counts.view(np.uint8)), 1)
    if share < LEAST_INSIDE:
        return None
    (here_mean, here_spread), (there_mean, there_spread) = (
        [float(v[0, 0]) for v in cv2.meanStdDev(picture, mask=known)]
        for picture in (level.plain, seen)
    )
    if min(here_spread, there_spread) < 1e-3:
        return None
    gain = here_spread / there_spread
    error: Any = seen * np.float32(gain) - level.plain
    error += np.float32(here_mean - gain * there_mean)
    error *= known
    # |a - b|^2 = 2 n s^2 (1 - correlation), where both have mean 0 and spread s
    variance = float(np.dot(error.ravel(), error.ravel())) / cv2.countNonZero(known)
    return error, 1 - variance / (2 * here_spread**2), share


def _residual(error: Float32[np.ndarray, "h w"], level: Level) -> float:
    """In pixels of the level: each tile's own best shift, by one step."""
    off = [
        float(np.linalg.norm(tile.steps @ error[tile.rows, tile.columns].ravel()))
        for tile in level.tiles
    ]
    return float(np.percentile(off, 75)) if off else 0.0

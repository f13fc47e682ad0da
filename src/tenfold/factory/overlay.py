"""Anomaly maps laid over their pictures.

The colours are sampled from "inferno" (Smith & van der Walt, matplotlib, CC0): lightness rises with
the score, so order survives colour blindness and grey printing. Its black end is left out.
"""

import io

import numpy as np
from jaxtyping import Float, UInt8
from PIL import Image

from tenfold.errors import DataError

INFERNO = np.array(
    [
        [85, 15, 109],
        [136, 34, 106],
        [187, 55, 84],
        [227, 89, 51],
        [249, 140, 10],
        [249, 201, 50],
        [252, 255, 164],
    ],
    dtype=np.float32,
)
STRONGEST = 0.75
"""Opacity of the highest score; the picture stays visible below it."""


def overlay(
    pixels: UInt8[np.ndarray, "h w c"],
    score_map: Float[np.ndarray, "gh gw"],
    *,
    low: float | None = None,
    high: float | None = None,
    content_xyxy: tuple[float, float, float, float] = (0.0, 0.0, 1.0, 1.0),
    max_side_px: int | None = None,
) -> bytes:
    """PNG of `pixels` tinted where `score_map` is above `low`, fully at `high`.

    Give `low` and `high` to make pictures comparable (0.5 and 1.5 times the threshold serve well);
    without them the map's median and maximum are used. `content_xyxy`: the part of the map that
    covers the picture, in shares 0..1, when the map covers a padded canvas.

    Raises:
        DataError: the map is empty, holds NaN, or the picture is not 1 or 3 channels of uint8.
    """
    if pixels.ndim != 3 or pixels.shape[2] not in (1, 3) or pixels.dtype != np.uint8:
        raise DataError(f"a picture is uint8 [h, w, 1 or 3], got {pixels.dtype} {pixels.shape}.")
    if score_map.size == 0 or not np.isfinite(score_map).all():
        raise DataError("a score map must hold finite numbers.")
    picture = Image.fromarray(pixels if pixels.shape[2] == 3 else pixels[:, :, 0]).convert("RGB")
    if max_side_px is not None:
        picture.thumbnail((max_side_px, max_side_px))
    heat = _fitted(score_map, picture.size, content_xyxy)
    low = float(np.median(score_map)) if low is None else low
    high = float(score_map.max()) if high is None else high
    share = np.clip((heat - low) / max(high - low, 1e-12), 0, 1)[:, :, None]
    opacity = STRONGEST * np.sqrt(share)
    mixed = (
        np.asarray(picture, dtype=np.float32) * (1 - opacity) + inferno(share[:, :, 0]) * opacity
    )
    out = io.BytesIO()
    Image.fromarray(mixed.round().astype(np.uint8)).save(out, "PNG")
    return out.getvalue()


def inferno(share: Float[np.ndarray, "h w"]) -> Float[np.ndarray, "h w 3"]:
    """RGB 0..255 of shares 0..1, brighter with more."""
    stops = np.linspace(0, 1, len(INFERNO))
    return np.stack([np.interp(share, stops, INFERNO[:, c]) for c in range(3)], axis=-1)


def _fitted(
    score_map: Float[np.ndarray, "gh gw"],
    size_px: tuple[int, int],
    content_xyxy: tuple[float, float, float, float],
) -> Float[np.ndarray, "h w"]:
    """The content part of the map, smoothly enlarged to the picture."""
    rows, columns = score_map.shape
    x0, y0, x1, y1 = content_xyxy
    part = (x0 * columns, y0 * rows, x1 * columns, y1 * rows)
    grid = Image.fromarray(score_map.astype(np.float32))
    return np.asarray(grid.resize(size_px, Image.Resampling.BICUBIC, box=part))

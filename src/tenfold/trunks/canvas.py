"""Put a picture on the square canvas a trunk reads, and remember where it lies.

Resizing is Pillow's bilinear filter with antialiasing. ONNX `Resize` (linear, antialias = 1, on
uint8) gives the same within 2 of 255 levels, so that an exported file can repeat it.
"""

import numpy as np
from jaxtyping import Float32, UInt8
from PIL import Image

from tenfold.errors import DataError, SpecError
from tenfold.values import VIEWS, Fit

Canvas = UInt8[np.ndarray, "s s 3"]
Box = Float32[np.ndarray, " 4"]


def canvas(
    pixels: UInt8[np.ndarray, "h w c"], *, size_px: int, fit: Fit = "letterbox", view: int = 0
) -> tuple[Canvas, Box]:
    """The canvas, and the box of the picture on it as x0, y0, x1, y1 in canvas shares 0..1.

    `letterbox` keeps the aspect ratio: the picture is centred and its edge pixels are repeated
    outwards. `squash` stretches it over the whole canvas. Grey stays one channel until the end.

    Raises:
        DataError: `pixels` is empty or has other than 1 or 3 channels.
    """
    height, width, channels = pixels.shape
    if channels not in (1, 3) or not height or not width:
        raise DataError(
            f"expected pixels [h, w, 1 or 3], got {pixels.shape!r}.",
            hint="Decode pictures with tenfold.formats.pixels.decode.",
        )
    if fit == "squash":
        inner_h = inner_w = size_px
    else:
        longest = max(width, height)
        inner_w = max(1, round(width * size_px / longest))
        inner_h = max(1, round(height * size_px / longest))
    left, top = (size_px - inner_w) // 2, (size_px - inner_h) // 2
    inner = _resized(pixels, inner_w, inner_h)
    full = _edges_repeated(inner, size_px, left, top)
    if full.ndim == 2:
        full = _three_times(full)
    box = np.array([left, top, left + inner_w, top + inner_h], np.float32) / np.float32(size_px)
    return turned(full, box, view=view)


def turned(full: Canvas, box: Box, *, view: int) -> tuple[Canvas, Box]:
    """A finished canvas and its box as dihedral view `view` shows them, see `values.VIEWS`."""
    if not 0 <= view < VIEWS:
        raise SpecError(f"view must be 0 .. {VIEWS - 1}, got {view!r}.")
    if view == 0:
        return full, box
    full = np.rot90(full, view % 4)
    for _ in range(view % 4):
        x0, y0, x1, y1 = box
        box = np.array([y0, 1 - x1, y1, 1 - x0], np.float32)
    if view >= 4:
        full = full[:, ::-1]
        x0, y0, x1, y1 = box
        box = np.array([1 - x1, y0, 1 - x0, y1], np.float32)
    return np.ascontiguousarray(full), box


def _resized(pixels: UInt8[np.ndarray, "h w c"], width: int, height: int) -> np.ndarray:
    """[height, width] for grey, [height, width, 3] for colour."""
    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    if flat.shape[:2] == (height, width):
        return flat
    picture = Image.fromarray(np.ascontiguousarray(flat))
    return np.asarray(picture.resize((width, height), Image.Resampling.BILINEAR))


def _three_times(grey: np.ndarray) -> np.ndarray:
    full = np.empty((*grey.shape, 3), np.uint8)
    for channel in range(3):  # twice as fast as np.repeat, eight times as broadcasting
        full[:, :, channel] = grey
    return full


def _edges_repeated(inner: np.ndarray, size_px: int, left: int, top: int) -> np.ndarray:
    height, width = inner.shape[:2]
    if (height, width) == (size_px, size_px):
        return inner
    full = np.empty((size_px, size_px, *inner.shape[2:]), np.uint8)
    bottom, right = top + height, left + width
    full[top:bottom, left:right] = inner
    full[top:bottom, :left] = inner[:, :1]
    full[top:bottom, right:] = inner[:, -1:]
    full[:top] = full[top]
    full[bottom:] = full[bottom - 1]
    return full

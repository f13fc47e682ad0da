"""Pictures as they are kept for people: parts as JPEG, regions as PNG with what was found there.

OpenCV encodes without holding up other threads, which a station at work needs.
"""

import numpy as np
from jaxtyping import UInt8

from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.values import Pixels, Sight
from tenfold.factory.overlay import overlay
from tenfold.trunks.canvas import canvas

QUALITY = 95
MOST_SIDE_PX = 480
"""Of a region that is drawn."""
BOX_BGR = (36, 78, 240)


def jpeg(pixels: Pixels) -> bytes:
    """A picture of a part; colours at full resolution."""
    cv2 = opencv()
    how = [
        cv2.IMWRITE_JPEG_QUALITY,
        QUALITY,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR,
        cv2.IMWRITE_JPEG_SAMPLING_FACTOR_444,
    ]
    return _encoded(".jpg", cv2.cvtColor(pixels, cv2.COLOR_RGB2BGR), how)


def draw(sight: Sight) -> bytes:
    """PNG of a region: under its heat map on a scale that the threshold sets, with boxes where it
    differs from its reference, or as it is."""
    if sight.score_map is None:
        return _boxed(sight)
    _, box = canvas(sight.pixels, size_px=sight.size_px, fit=sight.fit)
    x0, y0, x1, y1 = (float(share) for share in box)
    return overlay(
        sight.pixels,
        sight.score_map,
        low=0.5 * sight.threshold,
        high=1.5 * sight.threshold,
        content_xyxy=(x0, y0, x1, y1),
        max_side_px=MOST_SIDE_PX,
    )


def _boxed(sight: Sight) -> bytes:
    cv2 = opencv()
    drawn = cv2.cvtColor(sight.pixels, cv2.COLOR_RGB2BGR)
    scale = min(1.0, MOST_SIDE_PX / max(drawn.shape[:2]))
    if scale < 1:
        drawn = cv2.resize(drawn, None, fx=scale, fy=scale, interpolation=cv2.INTER_AREA)
    for left, top, right, bottom in sight.boxes:
        near = (round(left * scale) - 2, round(top * scale) - 2)
        far = (round(right * scale) + 1, round(bottom * scale) + 1)
        cv2.rectangle(drawn, near, far, BOX_BGR, 2)
    return _encoded(".png", drawn, [cv2.IMWRITE_PNG_COMPRESSION, 1])


def _encoded(ending: str, pixels: UInt8[np.ndarray, "h w 3"], how: list[int]) -> bytes:
    is_done, data = opencv().imencode(ending, pixels, how)
    assert is_done
    return data.tobytes()

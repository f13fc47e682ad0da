"""The regions of a part, cut out of the picture in which it was found."""

from collections.abc import Sequence

import numpy as np

from tenfold.apps.line.align import Aligned
from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.part import RegionSpec
from tenfold.apps.line.values import Pixels, Region

OUTSIDE = 128
"""Grey of what lies outside a polygon."""
GRID = 9
"""Points along each side of a region that are looked up in the picture."""


def cut(pixels: Pixels, aligned: Aligned, regions: Sequence[RegionSpec]) -> tuple[Region, ...]:
    """Each region upright and in the size it has in the reference, in their order.

    Straight from the picture, so that each pixel is resampled once; what lies outside the picture
    repeats its edge.
    """
    return tuple(_cut(pixels, aligned, region) for region in regions)


def _cut(pixels: Pixels, aligned: Aligned, region: RegionSpec) -> Region:
    cv2 = opencv()
    left, top, right, bottom = region.bounds
    own = aligned.transform.copy()
    own[:, 2] += own[:, :2] @ (left, top)
    cutting = cv2.warpAffine(
        pixels,
        own,
        (right - left, bottom - top),
        flags=cv2.INTER_LINEAR | cv2.WARP_INVERSE_MAP,
        borderMode=cv2.BORDER_REPLICATE,
    )
    if region.polygon is not None:
        corners = np.array(region.polygon, np.int32) - (left, top)
        within = cv2.fillPoly(np.zeros(cutting.shape[:2], np.uint8), [corners], 1)
        cutting[within == 0] = OUTSIDE
    return Region(region.name, cutting, _inside(region, aligned, pixels.shape))


def _inside(region: RegionSpec, aligned: Aligned, shape: tuple[int, ...]) -> float:
    left, top, right, bottom = region.bounds
    xs, ys = np.linspace(left, right - 1, GRID), np.linspace(top, bottom - 1, GRID)
    points = np.stack([*(g.ravel() for g in np.meshgrid(xs, ys)), np.ones(GRID**2)])
    x, y = aligned.transform @ points
    lies = (x > -0.5) & (x < shape[1] - 0.5) & (y > -0.5) & (y < shape[0] - 0.5)
    return float(lies.mean())

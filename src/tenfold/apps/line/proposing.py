"""Regions of a part that are worth a look, proposed from good parts; a person edits them.

Good parts are laid over each other as they lie in the reference and averaged, light taken out: what
is the same on all of them stays, noise and whatever lies behind the part go. Where much stays there
is something to look at. Such places are put together into a few boxes, and large ones are divided:
a head sees a small box in more detail.

Source: the limit between much and little is Otsu's 1979, "A Threshold Selection Method from
Gray-Level Histograms", IEEE Trans. SMC 9(1), as OpenCV has it.
"""

from collections.abc import Sequence
from itertools import combinations

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.apps.line.align import Aligned, align, known, to_reference
from tenfold.apps.line.opencv import opencv
from tenfold.apps.line.part import Alignment, Box, PartSpec, RegionSpec, Surface
from tenfold.apps.line.reference import Reference, greys_of, plain_of
from tenfold.apps.line.values import Pixels
from tenfold.errors import DataError

CELLS = 32
"""Of the longest side of the reference."""
MOST = 8
"""Regions; those nearest to each other become one until there are no more."""
LARGE = 0.5
"""A box longer than this share of the longest side is divided, as long as there are few."""
LOOKED_AT = 16
"""Good parts that are laid over each other; more change little."""
LEAST_SEEN = 0.9
"""Share of them in which a place must lie in the picture."""
FEWEST_CELLS = 3
"""Smaller spots are no region, unless there is nothing larger."""


def propose(
    reference: Pixels, goods: Sequence[Pixels], *, part: str, path: str, station: str
) -> PartSpec:
    """A part with a surface check for each region that is worth a look, in reading order.

    `path` is where the reference picture lies, as the part's file will say it.

    Raises:
        DataError: the reference shows too little, or is found in no good picture.
    """
    boxes = regions_of(Reference.of(reference, Alignment()), goods)
    regions = [
        RegionSpec(
            name=f"region_{number}",
            box=box,
            checks=(Surface(check="surface", head=f"{station}-{part}-region-{number}"),),
        )
        for number, box in enumerate(boxes, 1)
    ]
    return PartSpec(part=part, reference=path, regions=tuple(regions))


def regions_of(reference: Reference, goods: Sequence[Pixels]) -> list[Box]:
    """One to `MOST` boxes, in reading order.

    Raises:
        DataError: the reference is found in no good picture.
    """
    height, width = reference.pixels.shape[:2]
    side = max(1, max(height, width) // CELLS)
    busy = _busy(_steady(reference, goods), side)
    boxes = _divided(_few(_spots(busy)), max(1, round(LARGE * CELLS)))
    found: list[Box] = []
    for left, top, right, bottom in boxes:  # half a cell of air around
        air = side // 2
        found.append(
            (
                max(0, left * side - air),
                max(0, top * side - air),
                min(width, right * side + air),
                min(height, bottom * side + air),
            )
        )
    return sorted(found, key=lambda box: (box[1] // (4 * side), box[0]))


def _steady(reference: Reference, goods: Sequence[Pixels]) -> Float32[np.ndarray, "h w"]:
    """How much of what is seen stays the same from part to part, light taken out."""
    height, width = reference.pixels.shape[:2]
    total, seen, count = np.zeros((height, width)), np.zeros((height, width)), 0
    for pixels in goods[:LOOKED_AT]:
        place = align(pixels, reference)
        if isinstance(place, Aligned):
            (grey,) = greys_of(to_reference(pixels, place, reference), [1.0])
            total += plain_of(grey)
            seen += known(pixels, place, reference)
            count += 1
    if not count:
        raise DataError(
            "the reference is found in none of the good pictures.",
            hint="Take the reference from the same camera and light.",
        )
    return np.where(seen >= LEAST_SEEN * count, np.abs(total) / count, 0).astype(np.float32)


def _busy(steady: Float32[np.ndarray, "h w"], side: int) -> Bool[np.ndarray, "rows columns"]:
    """Cells in which much stays the same."""
    cv2 = opencv()
    size = (max(1, steady.shape[1] // side), max(1, steady.shape[0] // side))
    cells = cv2.resize(steady, size, interpolation=cv2.INTER_AREA)
    scaled = np.round(255 * cells / max(float(cells.max()), 1e-6)).astype(np.uint8)
    _, mask = cv2.threshold(scaled, 0, 1, cv2.THRESH_BINARY | cv2.THRESH_OTSU)
    return mask.astype(bool)


def _spots(busy: Bool[np.ndarray, "rows columns"]) -> list[Box]:
    """Boxes, in cells, around what hangs together."""
    cv2 = opencv()
    _, _, stats, _ = cv2.connectedComponentsWithStats(busy.astype(np.uint8), connectivity=8)
    spots = [tuple(map(int, row)) for row in stats[1:]]
    large = [spot for spot in spots if spot[4] >= FEWEST_CELLS] or spots
    if not large:
        return [(0, 0, busy.shape[1], busy.shape[0])]
    return [(x, y, x + w, y + h) for x, y, w, h, _ in large]


def _few(boxes: list[Box]) -> list[Box]:
    """Boxes that overlap become one; then those whose union adds the least, until they are few."""
    boxes = list(boxes)
    while len(boxes) > 1:
        waste, one, other = min(
            (_area(_union(a, b)) - _area(a) - _area(b), i, j)
            for (i, a), (j, b) in combinations(enumerate(boxes), 2)
        )
        if waste > 0 and len(boxes) <= MOST:
            break
        joined = _union(boxes[one], boxes[other])
        boxes = [box for n, box in enumerate(boxes) if n not in (one, other)] + [joined]
    return boxes


def _divided(boxes: list[Box], longest: int) -> list[Box]:
    """The longest box in halves, as long as one is large and there is room for more."""
    boxes = list(boxes)
    while len(boxes) < MOST:
        box = max(boxes, key=_length)
        if _length(box) <= longest:
            break
        left, top, right, bottom = box
        boxes.remove(box)
        if right - left >= bottom - top:
            middle = (left + right) // 2
            boxes += [(left, top, middle, bottom), (middle, top, right, bottom)]
        else:
            middle = (top + bottom) // 2
            boxes += [(left, top, right, middle), (left, middle, right, bottom)]
    return boxes


def _union(a: Box, b: Box) -> Box:
    return min(a[0], b[0]), min(a[1], b[1]), max(a[2], b[2]), max(a[3], b[3])


def _area(box: Box) -> int:
    return (box[2] - box[0]) * (box[3] - box[1])


def _length(box: Box) -> int:
    return max(box[2] - box[0], box[3] - box[1])

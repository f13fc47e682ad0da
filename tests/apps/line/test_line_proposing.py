"""Regions worth a look are proposed from good parts."""

from pathlib import Path

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

from parts_drawn import BOXES, plate, seen
from tenfold.apps.line.part import Alignment, parse_part
from tenfold.apps.line.pictures import read
from tenfold.apps.line.proposing import propose, regions_of
from tenfold.apps.line.reference import Reference
from tenfold.errors import DataError

SCREWS = Path(__file__).parents[4] / "shared" / "data" / "B-screws-presence" / "images"
POSITIONS = ((52, 113), (206, 107), (59, 289), (217, 279))
"""Of the screws in picture 001."""


def around(boxes, x, y):
    return [box for box in boxes if box[0] <= x < box[2] and box[1] <= y < box[3]]


def test_all_that_a_part_shows_lies_in_a_few_regions():
    rng = np.random.default_rng(0)
    goods = [seen(plate(rng), rng) for _ in range(12)]
    found = propose(plate(rng), goods, part="4711", path="4711.png", station="s1")
    boxes = [region.bounds for region in found.regions]
    assert 1 <= len(boxes) <= 8
    for left, top, right, bottom in BOXES.values():
        assert around(boxes, (left + right) // 2, (top + bottom) // 2)
    assert found.heads[0] == "s1-4711-region-1"
    assert parse_part(found.to_yaml(), where="") == found


def test_a_part_on_nothing_leaves_the_nothing_out():
    rng = np.random.default_rng(0)
    pixels = np.full((400, 600, 3), 150, np.uint8)
    pixels[100:220, 60:220] = rng.integers(0, 255, (120, 160, 3))
    goods = [np.clip(pixels + rng.normal(0, 4, pixels.shape), 0, 255).astype(np.uint8)] * 6
    boxes = regions_of(Reference.of(pixels, Alignment()), goods)
    assert around(boxes, 140, 160)
    assert not around(boxes, 500, 350)


@pytest.mark.skipif(not SCREWS.is_dir(), reason="the screws are not here")
def test_each_screw_of_a_real_block_has_a_region_of_its_own():
    pictures = [read(path) for path in sorted(SCREWS.glob("*.jpg"))[:16]]
    boxes = regions_of(Reference.of(pictures[0], Alignment()), pictures)
    homes = [around(boxes, x, y) for x, y in POSITIONS]
    assert [len(home) for home in homes] == [1, 1, 1, 1]
    assert len({home[0] for home in homes}) == 4


def test_a_reference_of_another_part_is_told():
    rng = np.random.default_rng(0)
    reference = Reference.of(plate(rng), Alignment())
    with pytest.raises(DataError, match="in none of the good pictures"):
        regions_of(reference, [np.full((240, 320, 3), 128, np.uint8)])

import numpy as np
import pytest

from tenfold.apps.line.align import Aligned
from tenfold.apps.line.part import RegionSpec
from tenfold.apps.line.regions import OUTSIDE, cut

pytest.importorskip("cv2")
CHECKS = ({"check": "golden"},)


def region(**shape: object) -> RegionSpec:
    return RegionSpec.model_validate({"name": "r", "checks": CHECKS} | shape)


def lying(transform: list[list[float]]) -> Aligned:
    return Aligned(np.array(transform, float), 0.0, 1.0, 1.0, "shift")


STRAIGHT = lying([[1, 0, 0], [0, 1, 0]])


def picture() -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (60, 80, 3)).astype(np.uint8)


def test_a_box_is_cut_as_it_lies_in_the_reference():
    (found,) = cut(picture(), STRAIGHT, [region(box=[10, 20, 40, 50])])
    assert (found.pixels == picture()[20:50, 10:40]).all()
    assert found.inside == 1


def test_a_shifted_part_is_cut_where_it_lies():
    (found,) = cut(picture(), lying([[1, 0, 5], [0, 1, -3]]), [region(box=[10, 20, 40, 50])])
    assert (found.pixels == picture()[17:47, 15:45]).all()


def test_a_part_turned_by_a_quarter_is_cut_upright():
    turned = np.rot90(picture(), -1).copy()  # x, y of the part lie at 59 - y, x
    (found,) = cut(turned, lying([[0, -1, 59], [1, 0, 0]]), [region(box=[10, 20, 40, 50])])
    assert (found.pixels == picture()[20:50, 10:40]).all()


def test_outside_a_polygon_all_is_grey():
    (found,) = cut(picture(), STRAIGHT, [region(polygon=[[10, 10], [30, 10], [10, 30]])])
    assert found.pixels.shape == (21, 21, 3)
    assert (found.pixels[-1, -1] == OUTSIDE).all()
    assert (found.pixels[0, 0] == picture()[10, 10]).all()


def test_how_much_of_a_region_lies_in_the_picture_is_told():
    away, half = lying([[1, 0, 200], [0, 1, 0]]), lying([[1, 0, 54.5], [0, 1, 0]])
    assert cut(picture(), away, [region(box=[10, 20, 40, 50])])[0].inside == 0
    found = cut(picture(), half, [region(box=[10, 20, 40, 50])])[0]
    assert found.inside == pytest.approx(0.5, abs=0.1)

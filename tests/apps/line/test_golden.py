import numpy as np
import pytest

from tenfold.apps.line.golden import differences
from tenfold.apps.line.part import Golden
from tenfold.errors import DataError

pytest.importorskip("cv2")


def check(**keys: int) -> Golden:
    return Golden.model_validate({"check": "golden"} | keys)


def board() -> np.ndarray:
    picture = np.full((120, 160, 3), 30, np.uint8)
    picture[40:60, 10:150] = 200
    return picture


def test_the_same_picture_does_not_differ():
    assert differences(board(), board(), check()) == ()


def test_a_gap_is_boxed_to_the_pixel_tolerance():
    seen = board()
    seen[40:60, 70:80] = 30
    (found,) = differences(seen, board(), check(tolerance_px=0))
    assert found.box == (70, 40, 80, 60)
    assert found.area_px == 200


def test_an_edge_that_lies_a_pixel_off_is_no_difference():
    seen = np.roll(board(), 1, axis=0)
    assert differences(seen, board(), check(tolerance_px=1)) == ()
    assert differences(seen, board(), check(tolerance_px=0, least_width_px=1))


def test_light_that_is_brighter_everywhere_is_no_difference():
    seen = board().astype(int) + 40
    assert differences(seen.astype(np.uint8), board(), check(least_difference=20)) == ()


def test_near_differences_are_one_and_far_ones_are_two_largest_first():
    seen = board()
    seen[10:16, 10:16] = seen[10:16, 19:25] = 255
    seen[90:110, 100:120] = 255
    large, small = differences(seen, board(), check(merge_px=4))
    assert large.box[0] >= 100
    assert (small.box[0], small.box[2]) == (10, 25)
    assert len(differences(seen, board(), check(merge_px=0))) == 3


def test_a_box_reaches_to_the_border_and_no_farther():
    seen = board()
    seen[0:6, 150:160] = 255
    (found,) = differences(seen, board(), check(margin_px=5))
    assert found.box == (145, 0, 160, 11)


def test_what_is_not_known_does_not_differ():
    seen = board()
    seen[:20] = 255
    known = np.ones(seen.shape[:2], bool)
    known[:20] = False
    assert differences(seen, board(), check(), known=known) == ()


def test_a_picture_of_another_size_is_an_error():
    with pytest.raises(DataError, match="expected a picture of"):
        differences(board()[:-1], board(), check())


def test_a_place_that_drifted_with_its_surroundings_is_no_difference_but_a_gap_in_it_is():
    seen = np.roll(board(), 4, axis=0)
    assert differences(seen, board(), check())
    assert differences(seen, board(), check(drift_px=5)) == ()
    seen[44:64, 70:80] = 30
    (found,) = differences(seen, board(), check(drift_px=5))
    assert 68 <= found.box[0] <= 72
    assert 78 <= found.box[2] <= 82

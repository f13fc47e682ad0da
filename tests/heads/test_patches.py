import numpy as np
from hypothesis import given
from hypothesis import strategies as st

from tenfold.heads.patches import (
    content_mask,
    image_and_map,
    joined,
    resampling,
    upsampled,
)
from tenfold.values import MapBatch

WHOLE = np.array([[0, 0, 1, 1]], np.float32)


@given(st.integers(1, 70), st.integers(1, 70))
def test_resampling_keeps_flat_maps_flat(size, grid):
    np.testing.assert_allclose(resampling(size, grid=grid).sum(1), 1, rtol=1e-5)


def test_maps_of_all_strides_point_at_the_same_place():
    maps = {}
    for stride, size in {8: 32, 16: 16}.items():
        ramp = (np.arange(size, dtype=np.float32) + 0.5) / size
        maps[stride] = np.broadcast_to(ramp[None, None, :, None], (1, size, size, 1)).copy()
    nothing = np.zeros((1, 5), np.float32)
    batch = MapBatch(maps, WHOLE, nothing, nothing)
    patches = joined(batch, (8, 16), grid=20).reshape(20, 20, 2)
    inner = patches[:, 3:-3]
    np.testing.assert_allclose(inner[..., 0], inner[..., 1], atol=1e-4)
    np.testing.assert_allclose(inner[0, :, 0], (np.arange(20)[3:-3] + 0.5) / 20, atol=1e-4)


def test_padding_neither_alarms_nor_shows():
    content = np.array([[0, 0.25, 1, 0.75]], np.float32)
    cells = np.ones((1, 400), np.float32)
    cells.reshape(20, 20)[:5] = 100
    scores = image_and_map(cells, content, top_share=0.03)
    assert scores.maps[0, :5].max() == 0
    assert scores.image[0] <= 1.001


def test_content_mask_covers_the_box():
    mask = content_mask(np.array([[0.2, 0, 0.8, 1]], np.float32), grid=10).reshape(10, 10)
    assert mask.sum() == 60
    assert mask[:, 2:8].all()


def test_upsampled_map_finds_the_defect_in_the_picture():
    score_map = np.zeros((20, 20), np.float32)
    score_map[8, 14] = 1  # on a 200 x 100 picture, letterboxed to rows 5 .. 15
    big = upsampled(
        score_map, np.array([0, 0.25, 1, 0.75], np.float32), width_px=200, height_px=100
    )
    row, column = np.unravel_index(big.argmax(), big.shape)
    assert big.shape == (100, 200)
    assert (abs(row - 35) <= 5, abs(column - 145) <= 5) == (True, True)

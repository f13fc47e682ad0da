import numpy as np
import pytest

from tenfold.errors import DataError
from tenfold.metrics.anomaly import pixel_auroc, region_overlap
from tenfold.metrics.classification import auroc


def two_regions():
    mask = np.zeros((40, 60), bool)
    mask[2:6, 2:6] = True
    mask[20:36, 20:50] = True
    return mask


def test_perfect_map_scores_one():
    mask = two_regions()
    assert pixel_auroc([mask.astype(np.float32)], [mask]) == 1
    assert region_overlap([mask.astype(np.float32)], [mask]) == pytest.approx(1)


def test_pixel_auroc_is_the_rank_statistic():
    rng = np.random.default_rng(0)
    masks = [rng.random((17, 23)) < 0.2 for _ in range(3)]
    maps = [(rng.normal(size=m.shape) + m).astype(np.float32) for m in masks]
    flat = np.concatenate([m.ravel() for m in masks]).astype(int)
    expected = auroc(flat, np.concatenate([m.ravel() for m in maps]))
    assert pixel_auroc(maps, masks) == pytest.approx(expected, abs=1e-3)


def test_a_missed_small_region_costs_as_much_as_a_big_one():
    mask = two_regions()
    big_only, small_only = mask.astype(np.float32), mask.astype(np.float32)
    big_only[:10] = 0
    small_only[10:] = 0
    assert region_overlap([big_only], [mask]) == pytest.approx(region_overlap([small_only], [mask]))
    assert pixel_auroc([big_only], [mask]) > pixel_auroc([small_only], [mask])


def test_random_map_overlaps_by_chance():
    rng = np.random.default_rng(1)
    masks = [two_regions()] * 20
    maps = [rng.random(m.shape).astype(np.float32) for m in masks]
    assert region_overlap(maps, masks) == pytest.approx(0.15, abs=0.02)  # mean of 0 .. 0.3


def test_no_defects_is_a_data_error():
    with pytest.raises(DataError, match="only one kind"):
        pixel_auroc([np.zeros((4, 4), np.float32)], [np.zeros((4, 4), bool)])

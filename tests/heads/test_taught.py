"""Lessons of reported misses: what is like them is caught, what was caught stays, goods pass."""

import numpy as np
import pytest

from heads.test_anomaly_heads import ANOMALY, GRID, fit, pictures
from tenfold.heads import fitted, recipe
from tenfold.heads.taught import MOST_LESSONS, Lessons, Miss, TaughtScorer
from tenfold.values import MapBatch

WEAK = 0.5
"""A defect that lies about where good pictures vary."""


def one_of(batch, place):
    one = slice(place, place + 1)
    maps = {stride: dense[one] for stride, dense in batch.maps.items()}
    return MapBatch(maps, batch.content_xyxy[one], batch.pooled[one], batch.vitals[one])


def misses_in(batch, count, *, marked=True):
    region = np.zeros((160, 160), bool)
    region[70:100, 70:100] = True
    return [Miss(one_of(batch, i), region if marked else None) for i in range(count)]


def learnt(misses, *, name="anomaly_gaussian"):
    made = recipe(name, strides=(8, 16), grid=GRID)
    goods = [pictures(40, seed=1), pictures(40, seed=2)]
    return Lessons.learnt(made, lambda: iter(goods), misses)


def taught(name, misses):
    """An untaught head, its threshold and the head that the misses taught."""
    head = fit(name, pictures(40, seed=1), pictures(40, seed=2))
    unseen = pictures(40, seed=5)
    usual = head.score(unseen).image
    threshold = float(usual.max()) * 1.001
    lessons = learnt(misses, name=name)
    responses = lessons.picture(unseen)
    scaled = lessons.calibrated(responses, scores=usual, threshold=threshold)
    return head, threshold, TaughtScorer(head, scaled)


@pytest.mark.parametrize("name", ANOMALY)
@pytest.mark.parametrize("marked", [True, False])
def test_what_is_like_a_miss_is_caught_and_goods_pass(name, marked):
    defect = WEAK if marked else 1.4 * WEAK
    misses = misses_in(pictures(5, seed=6, defect=defect), 3, marked=marked)
    head, threshold, after = taught(name, misses)
    bad, good = pictures(60, seed=7, defect=defect), pictures(60, seed=8)
    passed = [(one.score(bad).image < threshold).mean() for one in (head, after)]
    rejected = [(one.score(good).image >= threshold).mean() for one in (head, after)]
    assert passed[1] <= 0.7 * passed[0]
    assert rejected[1] <= rejected[0] + 0.05


@pytest.mark.parametrize("name", ANOMALY)
def test_no_score_falls_and_no_calibrated_good_picture_is_rejected(name):
    head, threshold, after = taught(name, misses_in(pictures(5, seed=6, defect=WEAK), 5))
    for batch in (pictures(20, seed=9), pictures(20, seed=10, defect=1.5)):
        assert (after.score(batch).image >= head.score(batch).image).all()
        assert (after.score(batch).maps >= head.score(batch).maps).all()
    assert (after.score(pictures(40, seed=5)).image < threshold).all()


def test_the_map_shows_where_a_lesson_was_recognised():
    _, threshold, after = taught("anomaly_subspace", misses_in(pictures(5, seed=6, defect=1), 3))
    maps = after.score(pictures(30, seed=11, defect=1)).maps
    row, column = np.unravel_index(maps.mean(0).argmax(), maps.shape[1:])
    assert max(abs(row - 4), abs(column - 4)) <= 1
    assert maps.max() >= threshold


def test_a_region_tells_what_to_learn():
    batch = pictures(1, seed=6, defect=WEAK)
    elsewhere = np.zeros((160, 160), bool)
    elsewhere[:20, :20] = True
    right, wrong = learnt(misses_in(batch, 1)), learnt([Miss(one_of(batch, 0), elsewhere)])
    bad = pictures(40, seed=12, defect=WEAK)
    assert right.picture(bad).mean() > wrong.picture(bad).mean() + 0.5


def test_an_empty_region_is_none():
    batch = pictures(1, seed=6, defect=2.0)
    empty = learnt([Miss(one_of(batch, 0), np.zeros((160, 160), bool))])
    none = learnt(misses_in(batch, 1, marked=False))
    assert empty.directions.tobytes() == none.directions.tobytes()


def test_padding_teaches_nothing_and_is_never_suspected():
    _, _, after = taught("anomaly_gaussian", misses_in(pictures(5, seed=6, defect=WEAK), 2))
    batch = pictures(4, seed=3)
    batch.content_xyxy[:] = (0, 0.25, 1, 0.75)
    maps = after.score(batch).maps
    assert not maps[:, :2].any()
    assert not maps[:, -2:].any()


def test_lessons_stay_few_however_many_misses_are_reported():
    many = learnt(misses_in(pictures(90, seed=6, defect=WEAK), 90))
    assert many.directions.shape == (24, MOST_LESSONS)
    assert np.isfinite(many.picture(pictures(3, seed=1))).all()
    widest = 24 + 48 + 120 + 352  # channels of the default trunk at all strides
    assert widest * MOST_LESSONS * 4 < 200_000


def test_a_single_good_picture_to_calibrate_on_is_enough():
    lessons = learnt(misses_in(pictures(5, seed=6, defect=WEAK), 2))
    alone = lessons.picture(one_of(pictures(1, seed=3), 0))
    scaled = lessons.calibrated(alone, scores=np.ones(1, np.float32), threshold=0.9)
    assert np.isfinite(scaled.picture(pictures(5, seed=4))).all()
    assert scaled.picture(one_of(pictures(1, seed=3), 0))[0] < 0.9


def test_an_untaught_head_is_read_as_before():
    head = fit("anomaly_memory", pictures(20, seed=1))
    again = fitted("anomaly_memory", head.arrays())
    assert not isinstance(again, TaughtScorer)
    assert not [name for name in head.arrays() if name.startswith("taught")]


def test_learning_more_good_pictures_keeps_the_lessons():
    _, _, after = taught("anomaly_gaussian", misses_in(pictures(5, seed=6, defect=WEAK), 2))
    more = after.extended(lambda: iter([pictures(10, seed=13)]))
    assert more.lessons is after.lessons
    assert more.head.count.sum() > after.head.count.sum()

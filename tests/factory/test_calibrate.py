"""Thresholds: set where the bar is cleared best, and never from what is not there."""

import numpy as np
import pytest

from tenfold.errors import DataError
from tenfold.factory.calibrate import threshold
from tenfold.specs.bar import Bar


def drawn(goods, bads, *, gap=4.0, seed=0):
    rng = np.random.default_rng(seed)
    scores = np.concatenate([rng.normal(0, 1, goods), rng.normal(gap, 1, bads)])
    return scores.astype(np.float32), np.arange(goods + bads) >= goods


def test_the_bar_decides_which_error_is_dearer():
    scores, is_bad = drawn(400, 400)
    strict = threshold(scores, is_bad, Bar(escape=0.01, overkill=0.2))
    lax = threshold(scores, is_bad, Bar(escape=0.2, overkill=0.01))
    even = threshold(scores, is_bad, Bar(escape=0.1, overkill=0.1))
    assert strict < even < lax
    assert even == pytest.approx(2.0, abs=0.3)


def test_separated_classes_are_cut_in_the_middle_and_order_does_not_matter():
    scores = np.array([0.1, 0.2, 0.8, 0.9], np.float32)
    is_bad = np.array([False, False, True, True])
    bar = Bar(escape=0.1, overkill=0.1)
    assert threshold(scores, is_bad, bar) == pytest.approx(0.5)
    assert threshold(scores[::-1], is_bad[::-1], bar) == threshold(scores, is_bad, bar)


def test_few_samples_that_lie_wide_apart_are_cut_between_them():
    """By the margins alone, one good more above the threshold would be as good."""
    goods = np.linspace(0.017, 0.036, 14)
    bads = np.array([0.929, 0.932, 0.935, 0.94])
    is_bad = np.arange(18) >= 14
    cut = threshold(np.concatenate([goods, bads]), is_bad, Bar(escape=0.05, overkill=0.05))
    assert 0.4 < cut < 0.6


def test_new_goods_are_rejected_half_as_often_as_the_bar_allows():
    rng = np.random.default_rng(4)
    rates = []
    for _ in range(300):
        goods = rng.gamma(2, size=99).astype(np.float32)
        cut = threshold(goods, np.zeros(99, bool), Bar(overkill=0.2))
        rates.append(np.mean(rng.gamma(2, size=500) >= cut))
        assert np.mean(goods >= cut) <= 0.1
    assert np.mean(rates) == pytest.approx(0.1, abs=0.01)


def test_a_bar_on_escape_alone_rejects_as_few_goods_as_it_can():
    scores, is_bad = drawn(300, 100)
    cut = threshold(scores, is_bad, Bar(escape=0.1))
    assert np.mean(scores[is_bad] < cut) <= 0.05
    assert np.mean(scores[~is_bad] >= cut) < 0.1


@pytest.mark.parametrize("value", [0.0, 0.5, 1.0])
def test_scores_that_tell_nothing_still_give_a_threshold(value):
    is_bad = np.arange(10) >= 5
    cut = threshold(np.full(10, value, np.float32), is_bad, Bar(escape=0.1, overkill=0.1))
    assert np.isfinite(cut)


def test_without_a_good_sample_there_is_no_threshold():
    with pytest.raises(DataError, match="no good sample"):
        threshold(np.ones(3, np.float32), np.ones(3, bool), Bar(escape=0.1))

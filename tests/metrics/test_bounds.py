"""Exact bounds: against the binomial itself, published values and plain arithmetic."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom, binomtest

from tenfold.errors import DataError
from tenfold.metrics.bounds import (
    conformal_quantile,
    labels_needed,
    lower_bound,
    most_errors,
    spent_alpha,
    upper_bound,
)

rates = st.floats(0.001, 0.6)
alphas = st.floats(1e-6, 0.3)


@st.composite
def counts(draw):
    n = draw(st.integers(1, 2000))
    return draw(st.integers(0, n)), n


@settings(max_examples=50)
@given(counts(), alphas)
def test_bounds_are_those_of_scipys_exact_interval(count, alpha):
    errors, n = count
    exact = binomtest(errors, n).proportion_ci(1 - 2 * alpha, method="exact")
    assert upper_bound(errors, n, alpha=alpha) == pytest.approx(exact.high, rel=1e-7)
    assert lower_bound(errors, n, alpha=alpha) == pytest.approx(exact.low, rel=1e-7, abs=1e-12)


def test_no_error_in_59_proves_five_percent_and_58_do_not():
    assert upper_bound(0, 59, alpha=0.05) <= 0.05 < upper_bound(0, 58, alpha=0.05)
    assert upper_bound(0, 59, alpha=0.05) == pytest.approx(1 - 0.05 ** (1 / 59))


@settings(max_examples=30)
@given(st.integers(1, 150), rates, alphas)
def test_a_true_rate_at_the_limit_is_proven_no_more_often_than_alpha(n, rate, alpha):
    proven = [c for c in range(n + 1) if upper_bound(c, n, alpha=alpha) <= rate]
    assert binom.pmf(proven, n, rate).sum() <= alpha * (1 + 1e-9)


@settings(max_examples=50)
@given(st.integers(0, 3000), rates, alphas)
def test_most_errors_is_the_last_count_whose_bound_holds(n, limit, alpha):
    most = most_errors(n, limit=limit, alpha=alpha)
    if most >= 0:
        assert upper_bound(most, n, alpha=alpha) <= limit * (1 + 1e-9)
    if most < n:
        assert upper_bound(most + 1, n, alpha=alpha) > limit * (1 - 1e-9)


def test_nothing_judged_proves_nothing():
    assert (upper_bound(0, 0, alpha=0.05), lower_bound(0, 0, alpha=0.05)) == (1.0, 0.0)


def test_all_looks_together_spend_alpha():
    spent = [spent_alpha(0.05, look) for look in range(1, 20_001)]
    assert spent[0] == pytest.approx(0.05 * 6 / math.pi**2)
    assert spent[2] == pytest.approx(spent[0] / 9)
    assert 0.04999 < sum(spent) < 0.05


@settings(max_examples=40)
@given(st.floats(0, 0.2), st.floats(1.3, 6), alphas)
def test_labels_needed_give_the_power_they_promise(rate, factor, alpha):
    limit = min(max(rate, 0.01) * factor, 0.9)
    n = labels_needed(rate, limit=limit, alpha=alpha)
    assert n is not None
    most = most_errors(n, limit=limit, alpha=alpha)
    assert most >= 0
    assert binom.cdf(most, n, rate) >= 0.8
    fewer = most_errors(n // 2, limit=limit, alpha=alpha)
    assert n == 1 or fewer < 0 or binom.cdf(fewer, n // 2, rate) < 0.8, "half would have done"


def test_no_number_of_labels_proves_a_rate_at_its_limit():
    assert labels_needed(0.05, limit=0.05, alpha=0.05) is None
    assert labels_needed(0.0499999, limit=0.05, alpha=0.05) is None


def test_new_goods_exceed_the_conformal_quantile_as_rarely_as_promised():
    rng = np.random.default_rng(5)
    calibrate, new = rng.gamma(2, size=(8_000, 39)), rng.gamma(2, size=8_000)
    cuts = np.array([conformal_quantile(scores, rate=0.1) for scores in calibrate])
    assert np.mean(new > cuts) == pytest.approx(0.1, abs=0.013)  # 4 in 40; four standard errors
    few = np.array([conformal_quantile(scores[:4], rate=0.1) for scores in calibrate])
    assert np.mean(new > few) == pytest.approx(1 / 5, abs=0.018)


@pytest.mark.parametrize(
    "wrong",
    [
        lambda: upper_bound(3, 2, alpha=0.05),
        lambda: upper_bound(-1, 2, alpha=0.05),
        lambda: upper_bound(0, 2, alpha=0.0),
        lambda: spent_alpha(0.05, 0),
        lambda: conformal_quantile(np.array([]), rate=0.1),
    ],
)
def test_impossible_numbers_are_told(wrong):
    with pytest.raises(DataError):
        wrong()

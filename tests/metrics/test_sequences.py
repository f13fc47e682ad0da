"""Bounds at all times: coverage by simulation, against the definition, and edge by edge."""

import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tenfold.errors import DataError
from tenfold.metrics.bounds import upper_bound
from tenfold.metrics.sequences import CELLS, STAKES, ConfidenceSequence

ALPHA = 0.05
STREAMS_EACH = 120
differences = st.lists(st.sampled_from([-1.0, 0.0, 0.0, 0.0, 0.35, 1.0]), min_size=1, max_size=60)
any_differences = st.lists(st.floats(-1, 1), min_size=1, max_size=30)


def nothing():
    return ConfidenceSequence.of_differences(alpha=ALPHA)


def wealth(mean, seen):
    """Of money spread over the stakes on "the mean is below `mean`", by the definition."""
    stakes = STAKES / (1 - mean)
    return np.prod(1 - stakes[:, None] * (np.array(seen) - mean), axis=1).mean()


def trits(mean, share):
    """Mostly zeros: ±1 with probability `share`."""
    return lambda rng, n: rng.choice(
        [-1.0, 0.0, 1.0], n, p=[(share - mean) / 2, 1 - share, (share + mean) / 2]
    )


STREAMS = {
    "equal heads that differ in 5 %": (0.0, 800, trits(0.0, 0.05)),
    "worse by the margin, 30 % differ": (0.02, 150, trits(0.02, 0.3)),
    "never better, rarely worse": (0.02, 1_000, trits(0.02, 0.02)),
    "better": (-0.05, 300, trits(-0.05, 0.1)),
    "costs between the cells": (
        0.0,
        150,
        lambda rng, n: rng.choice([-0.333, 0.111], n, p=[0.25, 0.75]),
    ),
    "continuous": (0.0, 60, lambda rng, n: rng.uniform(-1, 1, n)),
}


@pytest.mark.heavy
@pytest.mark.parametrize("name", STREAMS)
def test_each_bound_is_ever_missed_no_more_often_than_alpha(name):
    """The last of the running bounds is the tightest of all, so it tells of all times."""
    mean, length, draw = STREAMS[name]
    rng = np.random.default_rng(20_24)
    ends = [nothing().fold(draw(rng, length)) for _ in range(STREAMS_EACH)]
    allowed = binom.ppf(0.999, len(ends), ALPHA)
    assert sum(end.upper < mean for end in ends) <= allowed
    assert sum(end.lower > mean for end in ends) <= allowed


@pytest.mark.parametrize("rate", [0.01, 0.2, 0.97])
def test_a_rate_leaves_its_two_bounds_no_more_often_than_alpha(rate):
    rng = np.random.default_rng(7)
    streams = (rng.random((STREAMS_EACH, 200)) < rate).astype(np.float64)
    ends = [ConfidenceSequence.of_rate(alpha=ALPHA).fold(stream) for stream in streams]
    misses = sum(not end.lower <= rate <= end.upper for end in ends)
    assert misses <= binom.ppf(0.999, len(ends), ALPHA)
    assert all(0 <= bound <= 1 for end in ends for bound in (end.lower, end.upper))


def test_a_rate_costs_little_more_than_a_bound_for_one_look():
    rng = np.random.default_rng(3)
    errors = (rng.random(5_000) < 0.01).astype(np.float64)
    always = ConfidenceSequence.of_rate(alpha=ALPHA).fold(errors)
    once = upper_bound(int(errors.sum()), len(errors), alpha=ALPHA / 2)
    assert once < always.upper < 1.3 * once


@settings(max_examples=60, deadline=None)
@given(differences)
def test_the_upper_bound_is_the_least_mean_that_made_a_bettor_rich(values):
    bound = nothing().fold(values).upper
    ever = [values[:n] for n in range(1, len(values) + 1)]
    if bound < 1:
        assert max(wealth(bound, seen) for seen in ever) == pytest.approx(1 / ALPHA, rel=1e-6)
    assert max(wealth(min(bound, 1 - 1e-9) - 1e-3, seen) for seen in ever) < 1 / ALPHA


@settings(max_examples=60, deadline=None)
@given(any_differences, st.data())
def test_one_by_one_in_parts_or_at_once_is_the_same(values, data):
    cut = data.draw(st.integers(0, len(values)))
    at_once = nothing().fold(values)
    in_parts = nothing().fold(values[:cut]).fold(np.array(values[cut:]))
    one_by_one = nothing()
    for value in values:
        one_by_one = one_by_one.fold([value])
    for other in (in_parts, one_by_one):
        assert other.n == at_once.n == len(values)
        assert other.upper == pytest.approx(at_once.upper, abs=1e-8)
        assert other.lower == pytest.approx(at_once.lower, abs=1e-8)
        assert other.counts == pytest.approx(at_once.counts)


@settings(max_examples=30, deadline=None)
@given(differences)
def test_bounds_only_close_in(values):
    before = nothing()
    for value in values:
        after = before.fold([value])
        assert after.upper <= before.upper
        assert after.lower >= before.lower
        before = after


@settings(max_examples=30, deadline=None)
@given(any_differences)
def test_mirrored_values_have_mirrored_bounds(values):
    straight, mirrored = nothing().fold(values), nothing().fold([-value for value in values])
    assert mirrored.upper == pytest.approx(-straight.lower, abs=1e-8)
    assert mirrored.mean == pytest.approx(-straight.mean, abs=1e-9)
    assert straight.mean == pytest.approx(np.mean(values), abs=1e-9)


@settings(max_examples=40, deadline=None)
@given(any_differences)
def test_values_between_the_cells_widen_the_bound(values):
    bound = nothing().fold(values).upper
    if bound < 1:
        ever = [values[:n] for n in range(1, len(values) + 1)]
        assert max(wealth(bound, seen) for seen in ever) >= (1 - 1e-6) / ALPHA


def test_nothing_seen_proves_nothing():
    empty = nothing().fold([])
    assert empty == nothing()
    assert (empty.lower, empty.upper, empty.n) == (-1.0, 1.0, 0)
    assert np.isnan(empty.mean)
    rate = ConfidenceSequence.of_rate(alpha=ALPHA)
    assert (rate.lower, rate.upper) == (0.0, 1.0)


def test_all_zeros_prove_a_small_difference_and_no_better():
    few, many = nothing().fold(np.zeros(100)), nothing().fold(np.zeros(10_000))
    assert 0 < many.upper < 0.001 < few.upper < 0.06
    assert many.lower == pytest.approx(-many.upper)


def test_all_ones_leave_the_upper_bound_and_all_minus_ones_bring_it_down():
    worst, best = nothing().fold(np.ones(500)), nothing().fold(-np.ones(500))
    assert (worst.upper, best.lower) == (1.0, -1.0)
    assert 0.97 < worst.lower < 1
    assert -1 < best.upper < -0.97


def test_a_million_observations_are_folded_as_well():
    values = np.tile([1.0] * 30 + [-1.0] * 30 + [0.0] * 940, 1_000)
    seen = nothing().fold(values)
    assert seen.n == 1_000_000
    assert 0 < seen.upper < 0.002


@pytest.mark.parametrize("wrong", [float("nan"), 1.001, -1.5, float("inf")])
def test_what_is_no_difference_is_refused(wrong):
    with pytest.raises(DataError, match=r"expected values in \[-1, 1\]"):
        nothing().fold([0.0, wrong])


def test_a_rate_refuses_negative_values():
    with pytest.raises(DataError, match=r"\[0, 1\], got -1.0"):
        ConfidenceSequence.of_rate(alpha=ALPHA).fold([-1.0])


@pytest.mark.parametrize("alpha", [0.0, 1.0, float("nan")])
def test_an_impossible_alpha_is_refused(alpha):
    with pytest.raises(DataError, match="alpha"):
        ConfidenceSequence.of_differences(alpha=alpha)


def test_it_is_kept_as_plain_numbers_and_goes_on_from_them():
    seen = nothing().fold([0.0, -1.0, 0.123, 1.0, 0.0])
    again = ConfidenceSequence.from_json(json.loads(json.dumps(seen.to_json())))
    assert again == seen
    assert again.fold([0.0]) == seen.fold([0.0])


def test_what_was_kept_otherwise_is_refused():
    plain = nothing().to_json() | {"counts": [0.0] * (CELLS - 1)}
    with pytest.raises(DataError, match="not a confidence sequence"):
        ConfidenceSequence.from_json(plain)

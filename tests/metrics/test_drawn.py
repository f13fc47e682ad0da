"""Bounds by the lot alone: coverage whatever is wrong, against the definition, and edge by edge."""

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.stats import binom

from tenfold.errors import DataError
from tenfold.metrics.drawn import BETS, LARGEST, MONEY, Drawn, share_wrong, wrong_ones
from tenfold.metrics.sequences import ConfidenceSequence

ALPHA = 0.1
LENGTH = 3_000
FEW = 0.05


def steady(rng):
    return rng.random(LENGTH) < 0.02


def jump(rng):
    return rng.random(LENGTH) < np.where(np.arange(LENGTH) < LENGTH // 2, 0.002, 0.3)


def burst(rng):
    return np.arange(LENGTH) >= LENGTH - 150


def mostly(rng):
    return rng.random(LENGTH) < 0.8


SAME = np.full(LENGTH, FEW)
STREAMS = {
    "constant": (steady, SAME),
    "jumps": (jump, SAME),
    "late burst": (burst, SAME),
    "mostly wrong": (mostly, SAME),
    "less often drawn later": (jump, np.where(np.arange(LENGTH) < LENGTH // 3, 0.1, 0.02)),
    "more often drawn later": (jump, np.where(np.arange(LENGTH) < LENGTH // 3, 0.02, 0.3)),
    "not drawn, then all": (burst, np.repeat([0.0, FEW, 1.0], LENGTH // 3)),
}


def drawn_of(is_wrong, is_drawn, probability):
    _, first = np.unique(probability, return_index=True)
    found = []
    for p in probability[np.sort(first)]:
        mine = probability == p
        wrong = int((is_wrong & is_drawn & mine).sum())
        right = int((~is_wrong & is_drawn & mine).sum())
        found.append(Drawn(float(p), int(mine.sum()), wrong, right))
    return found


def ever_missed(draw, probability, *, streams, looks):
    """How many streams leave the lower and the upper bound at any look."""
    below = above = 0
    for seed in range(streams):
        rng = np.random.default_rng(seed)
        is_wrong = draw(rng)
        is_drawn = rng.random(LENGTH) < probability
        missed = [False, False]
        for n in looks:
            so_far = drawn_of(is_wrong[:n], is_drawn[:n], probability[:n])
            fewest, most = wrong_ones(so_far, alpha=ALPHA)
            true = is_wrong[:n].sum()
            missed = [missed[0] or true < fewest, missed[1] or true > most]
        below, above = below + missed[0], above + missed[1]
    return below, above


@pytest.mark.parametrize("name", STREAMS)
def test_each_bound_is_ever_missed_no_more_often_than_alpha(name):
    looks = np.unique(np.geomspace(20, LENGTH, 12).astype(int))
    allowed = binom.ppf(0.999, 40, ALPHA)
    assert max(ever_missed(*STREAMS[name], streams=40, looks=looks)) <= allowed


@pytest.mark.slow
@pytest.mark.parametrize("name", STREAMS)
def test_each_bound_is_ever_missed_no_more_often_than_alpha_in_many_streams(name):
    looks = range(10, LENGTH + 1, 30)
    allowed = binom.ppf(0.999, 1_000, ALPHA)
    assert max(ever_missed(*STREAMS[name], streams=1_000, looks=looks)) <= allowed


def worst_luck(seed, *, length, every, is_upper):
    """Whether the bound is ever missed where whoever makes the errors knows every coin so far: most
    are right, until the bound is near what is wrong; then all are wrong, until it is missed."""
    rng, p = np.random.default_rng(seed), 0.1
    counts, wrong, rate = {True: 0, False: 0}, 0, 0.05
    for n in range(1, length + 1):
        is_wrong = bool(rng.random() < rate)
        wrong += is_wrong
        if rng.random() < p:
            counts[is_wrong] += 1
        if n % every == 0:
            fewest, most = wrong_ones([Drawn(p, n, counts[True], counts[False])], alpha=ALPHA)
            away = most - wrong if is_upper else wrong - fewest
            if away < 0:
                return True
            nearest = 25 if is_upper else wrong * 0.4
            rate = float(is_upper) if away < nearest else 0.05
    return False


@pytest.mark.parametrize("is_upper", [True, False])
def test_who_knows_all_coins_so_far_cannot_have_a_bound_missed_more_often(is_upper):
    missed = [worst_luck(seed, length=400, every=5, is_upper=is_upper) for seed in range(30)]
    assert sum(missed) <= binom.ppf(0.999, len(missed), ALPHA)


@pytest.mark.slow
@pytest.mark.parametrize("is_upper", [True, False])
def test_who_knows_all_coins_so_far_cannot_have_a_bound_missed_more_often_in_long(is_upper):
    missed = [worst_luck(seed, length=800, every=2, is_upper=is_upper) for seed in range(400)]
    assert sum(missed) <= binom.ppf(0.999, len(missed), ALPHA)


def money(drawn, is_wrong_of):
    """Of money spread over the bets, by the definition: the product of all factors, one by one."""
    first = next(one.probability for one in drawn if one.probability)
    total = MONEY.copy()
    for one, wrong in zip(drawn, is_wrong_of, strict=True):
        p = one.probability
        if not p:
            continue
        for _ in range(wrong):
            total /= 1 - p * np.minimum(BETS[:, 0] * first / p, LARGEST)
        for _ in range(one.all - wrong):
            total /= 1 + p * (BETS[:, 1] * first / p)
        for _ in range(one.wrong):
            total *= 1 - np.minimum(BETS[:, 0] * first / p, LARGEST)
        for _ in range(one.right):
            total *= 1 + BETS[:, 1] * first / p
    return total.sum()


def most_by_definition(drawn, *, alpha):
    """The largest sum of all pairs of numbers that leave less money than 1 / alpha."""
    first, second = drawn
    possible = [
        i + j
        for i in range(first.wrong, first.all - first.right + 1)
        for j in range(second.wrong, second.all - second.right + 1)
        if money(drawn, (i, j)) < 1 / alpha
    ]
    return max(possible, default=first.wrong + second.wrong)


def two_kinds(data):
    found = []
    for _ in range(2):
        p = data.draw(st.sampled_from([0.05, 0.1, 0.3, 1.0]))
        wrong, right = data.draw(st.integers(0, 5)), data.draw(st.integers(0, 8))
        rest = 0 if p == 1 else data.draw(st.integers(0, 25))
        found.append(Drawn(p, wrong + right + rest, wrong, right))
    return found


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_the_most_is_the_largest_number_that_leaves_less_money_in_any_spread(data):
    drawn = two_kinds(data)
    assert wrong_ones(drawn, alpha=0.2)[1] == most_by_definition(drawn, alpha=0.2)


def test_wrong_ones_may_all_lie_where_the_lot_was_rarest():
    drawn = [Drawn(0.3, 40, 1, 8), Drawn(0.02, 30, 0, 1)]
    assert wrong_ones(drawn, alpha=0.2)[1] == most_by_definition(drawn, alpha=0.2)


@pytest.mark.parametrize("bet", range(0, len(BETS), 5))
@pytest.mark.parametrize("p", [0.003, 0.05, 0.6, 1.0])
def test_each_bet_is_fair(bet, p):
    a, b = min(BETS[bet, 0] * 0.05 / p, LARGEST), BETS[bet, 1] * 0.05 / p
    assert (p * (1 - a) + (1 - p)) / (1 - p * a) == pytest.approx(1)
    assert (p * (1 + b) + (1 - p)) / (1 + p * b) == pytest.approx(1)
    assert MONEY.sum() == pytest.approx(1)


@settings(max_examples=40, deadline=None)
@given(st.data())
def test_what_is_unknown_widens_and_is_covered_whatever_it_is(data):
    p, wrong, right, unknown = 0.1, *(data.draw(st.integers(0, 9)) for _ in range(3))
    total = wrong + right + unknown + data.draw(st.integers(0, 200))
    fewest, most = wrong_ones([Drawn(p, total, wrong, right, unknown)], alpha=ALPHA)
    for of_them in range(unknown + 1):
        known = Drawn(p, total, wrong + of_them, right + unknown - of_them)
        low, high = wrong_ones([known], alpha=ALPHA)
        assert fewest <= low
        assert high <= most


def test_wrong_and_right_are_treated_alike():
    fewest, most = wrong_ones([Drawn(0.1, 500, 12, 30)], alpha=ALPHA)
    mirrored = wrong_ones([Drawn(0.1, 500, 30, 12)], alpha=ALPHA)
    assert mirrored == (500 - most, 500 - fewest)


def test_what_is_all_drawn_is_known_and_what_is_never_drawn_is_not():
    assert wrong_ones([Drawn(1.0, 100, 5, 95)], alpha=ALPHA) == (5, 5)
    assert wrong_ones([Drawn(0.0, 100)], alpha=ALPHA) == (0, 100)
    assert wrong_ones([Drawn(0.0, 100), Drawn(1.0, 10, 1, 9)], alpha=ALPHA) == (1, 101)
    assert wrong_ones([], alpha=ALPHA) == (0, 0)


def test_other_probabilities_add_what_they_prove():
    often, seldom = Drawn(0.05, 20_000, 10, 990), Drawn(0.01, 20_000, 2, 198)
    _, together = wrong_ones([often, seldom], alpha=ALPHA)
    _, of_often = wrong_ones([often], alpha=ALPHA / 2)
    _, of_seldom = wrong_ones([seldom], alpha=ALPHA / 2)
    assert 600 < together < of_often + of_seldom


@pytest.mark.parametrize(
    ("total", "p", "wrong", "here", "constant"),
    [
        (2_000, 0.05, 0, (0.0, 0.061), (0.0, 0.0651)),
        (2_000, 0.05, 1, (0.0005, 0.0985), (0.0, 0.1002)),
        (20_000, 0.05, 10, (0.0024, 0.0250), (0.0030, 0.0248)),
        (200_000, 0.01, 20, (0.0036, 0.0200), (0.0044, 0.0195)),
        (1_000, 0.1, 50, (0.317, 0.683), (0.342, 0.656)),
    ],
)
def test_it_is_about_as_wide_as_a_bound_that_needs_a_constant_rate(total, p, wrong, here, constant):
    """The table of docs/decisions/rates-by-the-lot-alone.md."""
    drawn, alpha = round(total * p), 0.05 / 3
    bounds = wrong_ones([Drawn(p, total, wrong, drawn - wrong)], alpha=alpha)
    assert np.array(bounds) / total == pytest.approx(here, rel=0.01, abs=5e-5)
    one_by_one = [1.0] * wrong + [0.0] * (drawn - wrong)
    ends = [
        ConfidenceSequence.of_rate(alpha=2 * alpha).fold(
            np.random.default_rng(seed).permutation(one_by_one)
        )
        for seed in range(21)
    ]
    median = np.median([(end.lower, end.upper) for end in ends], axis=0)
    assert median == pytest.approx(constant, rel=0.01, abs=5e-5)


def test_the_share_is_weighted_by_what_each_stands_for():
    assert share_wrong([Drawn(0.1, 100, 1, 9), Drawn(0.5, 40, 10, 10)]) == pytest.approx(
        (1 / 0.1 + 10 / 0.5) / (10 / 0.1 + 20 / 0.5)
    )
    assert share_wrong([Drawn(0.1, 100, unknown=3), Drawn(0.0, 10)]) is None


@pytest.mark.parametrize(
    "wrong",
    [
        (1.5, 10),
        (-0.1, 10),
        (math.nan, 10),
        (0.5, 2, 2, 1),
        (0.5, 9, -1, 3),
        (0.0, 9, 1),
        (0.5, -1),
    ],
)
def test_an_impossible_draw_is_refused(wrong):
    with pytest.raises(DataError, match="no draw"):
        Drawn(*wrong)


@pytest.mark.parametrize("alpha", [0.0, 1.0, math.nan])
def test_an_impossible_alpha_is_refused(alpha):
    with pytest.raises(DataError, match="alpha"):
        wrong_ones([Drawn(0.1, 10)], alpha=alpha)

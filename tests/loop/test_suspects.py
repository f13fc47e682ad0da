"""Labels that are likely wrong, found among many that are right."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.errors import DataError
from tenfold.loop.suspects import Suspect, suspects, two_classes


def drawn(rng, n, classes, *, wrong, blur):
    """True classes, labels of which a share is wrong, and probabilities as a fair head gives."""
    truth = rng.integers(0, classes, n)
    is_wrong = rng.random(n) < wrong
    labels = np.where(is_wrong, (truth + rng.integers(1, classes, n)) % classes, truth)
    logits = np.eye(classes)[truth] * 4 + rng.normal(scale=blur, size=(n, classes))
    odds = np.exp(logits - logits.max(1, keepdims=True))
    return truth, labels, odds / odds.sum(1, keepdims=True)


@pytest.mark.parametrize("classes", [2, 5])
def test_wrong_labels_are_found_and_right_ones_left_alone(classes):
    rng = np.random.default_rng(0)
    truth, labels, held_out = drawn(rng, 2_000, classes, wrong=0.05, blur=1.0)
    is_wrong = labels != truth
    found = suspects(labels, held_out, most=2_000)
    rows = [one.row for one in found]
    assert np.mean(is_wrong[rows]) > 0.95, "of those suspected so many are wrong"
    assert is_wrong[rows].sum() / is_wrong.sum() > 0.65, "of those wrong so many are suspected"
    assert np.mean([truth[one.row] == one.likely for one in found]) > 0.95


def test_a_clean_set_has_few_suspects():
    _, labels, held_out = drawn(np.random.default_rng(1), 2_000, 3, wrong=0.0, blur=1.0)
    assert len(suspects(labels, held_out, most=2_000)) < 20


def test_a_head_that_is_unsure_of_a_class_accuses_nobody_of_it():
    """Half of what it says is 0.6 for class 1; a fixed half as threshold would accuse all of it."""
    labels = np.array([0] * 50 + [1] * 50)
    shy = np.where(labels == 1, 0.6, 0.55)
    assert suspects(labels, two_classes(shy), most=100) == []
    shy[3] = 0.9
    assert suspects(labels, two_classes(shy), most=100) == [Suspect(3, 0, 1, pytest.approx(0.8))]


def test_the_likeliest_come_first_and_no_more_than_asked_for():
    labels = np.array([0, 0, 0, 0, 1, 1, 1, 1])
    held_out = two_classes(np.array([0.1, 0.99, 0.95, 0.1, 0.9, 0.9, 0.9, 0.02]))
    assert [one.row for one in suspects(labels, held_out, most=9)] == [1, 7, 2]
    assert [one.row for one in suspects(labels, held_out, most=2)] == [1, 7]


def test_a_class_that_no_row_bears_is_never_likely():
    labels = np.array([0, 0, 1, 1])
    held_out = np.array([[0.1, 0.0, 0.9], [0.6, 0.4, 0.0], [0.1, 0.9, 0.0], [0.2, 0.8, 0.0]])
    assert suspects(labels, held_out, most=9) == []


@given(st.integers(0, 2**32 - 1), st.integers(2, 5), st.integers(1, 60))
def test_the_order_of_the_rows_does_not_matter(seed, classes, n):
    rng = np.random.default_rng(seed)
    _, labels, held_out = drawn(rng, n, classes, wrong=0.3, blur=2.0)
    order = rng.permutation(n)
    found = {(one.row, one.likely) for one in suspects(labels, held_out, most=n)}
    moved = suspects(labels[order], held_out[order], most=n)
    assert found == {(int(order[one.row]), one.likely) for one in moved}
    assert all(one.label != one.likely and 0 < one.worth <= 1 for one in moved)


def test_what_is_no_probability_or_no_class_is_told():
    with pytest.raises(DataError, match=r"in \[0, 1\], got nan"):
        suspects(np.array([0]), np.array([[np.nan, 0.5]]), most=1)
    with pytest.raises(DataError, match="classes 0 to 1, got 2"):
        suspects(np.array([2]), np.array([[0.5, 0.5]]), most=1)
    with pytest.raises(DataError, match="each of 1 rows, got 2"):
        suspects(np.array([0, 1]), np.array([[0.5, 0.5]]), most=1)
    assert suspects(np.zeros(0, int), np.zeros((0, 2)), most=1) == []

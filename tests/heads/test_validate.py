from concurrent.futures import ThreadPoolExecutor

import numpy as np
import pytest

from tenfold.errors import DataError
from tenfold.heads.validate import assign_folds, cross_validate


class Memory:
    """Answers 1 for samples it has seen: a leak would show."""

    def __init__(self, roots):
        self.seen = {row.tobytes() for row in roots}

    def score_roots(self, roots):
        known = [row.tobytes() in self.seen for row in roots]
        return np.tile(np.array(known, np.float32)[:, None], 2)


@pytest.fixture
def roots():
    return np.random.default_rng(0).normal(size=(30, 2)).astype(np.float32)


TARGETS = np.eye(2, dtype=np.float32)[np.arange(30) % 2]


def test_no_sample_is_answered_by_a_head_that_saw_it(roots):
    fold = assign_folds(TARGETS, folds=3, rng=np.random.default_rng(1))
    answers = cross_validate(
        lambda some, rng: Memory(roots[some]), roots, fold, rng=np.random.default_rng(1)
    )
    assert answers.tolist() == np.zeros((30, 2)).tolist()


class Dice:
    """Answers by its random numbers alone."""

    def __init__(self, some, rng):
        self.said = rng.random()

    def score_roots(self, roots):
        return np.full((len(roots), 2), self.said, np.float32)


def test_folds_side_by_side_answer_as_one_after_another(roots):
    fold = assign_folds(TARGETS, folds=4, rng=np.random.default_rng(1))
    one_by_one = cross_validate(Dice, roots, fold, rng=np.random.default_rng(5))
    assert len(np.unique(one_by_one)) == 4, "each fold has its own random numbers"
    with ThreadPoolExecutor(3) as pool:
        rng = np.random.default_rng(5)
        together = cross_validate(Dice, roots, fold, rng=rng, each=pool.map)
    assert together.tolist() == one_by_one.tolist()


def test_groups_stay_whole_and_classes_are_spread():
    groups = np.repeat(np.arange(12), 5)
    labels = (groups < 4).astype(int)
    targets = np.eye(2, dtype=np.float32)[labels]
    fold = assign_folds(targets, groups=groups, folds=4, rng=np.random.default_rng(0))
    assert all(len(set(fold[groups == g])) == 1 for g in range(12))
    assert [labels[fold == f].sum() for f in range(4)] == [5, 5, 5, 5]


def test_fewer_groups_than_folds_is_a_data_error():
    with pytest.raises(DataError, match="2 groups cannot fill 3 folds"):
        assign_folds(
            np.eye(2, dtype=np.float32)[[0, 1, 0]],
            groups=np.array([0, 0, 1]),
            folds=3,
            rng=np.random.default_rng(0),
        )

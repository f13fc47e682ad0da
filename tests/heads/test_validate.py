import numpy as np
import pytest

from tenfold.errors import DataError
from tenfold.heads.validate import assign_folds, cross_validate


class Memory:
    """Answers 1 for samples it has seen: a leak would show."""

    def __init__(self, seen=None):
        self.seen = seen

    def fit(self, features, targets, *, rng):
        return Memory({row.tobytes() for row in features})

    def score(self, features):
        known = [row.tobytes() in self.seen for row in features]
        return np.tile(np.array(known, np.float32)[:, None], 2)


def test_no_sample_is_answered_by_a_head_that_saw_it():
    features = np.random.default_rng(0).normal(size=(30, 1, 2)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(30) % 2]
    fold = assign_folds(targets, folds=3, rng=np.random.default_rng(1))
    answers = cross_validate(Memory(), features, targets, fold, rng=np.random.default_rng(1))
    assert answers.tolist() == np.zeros((30, 2)).tolist()


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

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.errors import DataError
from tenfold.metrics import classification as metrics

LABELS = np.array([0, 0, 1, 1])
SCORES = np.array([0.1, 0.4, 0.35, 0.8])

scored = st.lists(st.tuples(st.integers(0, 1), st.integers(0, 6)), min_size=2, max_size=40).filter(
    lambda pairs: len({label for label, _ in pairs}) == 2
)


def test_curves_and_areas_of_a_worked_example():
    curve = metrics.roc(LABELS, SCORES)
    assert curve.x.tolist() == [0, 0, 0.5, 0.5, 1]
    assert curve.y.tolist() == [0, 0.5, 0.5, 1, 1]
    assert metrics.auroc(LABELS, SCORES) == 0.75
    assert metrics.average_precision(LABELS, SCORES) == pytest.approx(0.5 + 0.5 * 2 / 3)


@given(scored)
def test_auroc_is_the_share_of_pairs_in_order_and_the_area_under_the_curve(pairs):
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    scores = scores.astype(np.float64)
    gap = scores[labels == 1][:, None] - scores[labels == 0][None]
    wanted = ((gap > 0) + 0.5 * (gap == 0)).mean()
    curve = metrics.roc(labels, scores)
    assert metrics.auroc(labels, scores) == pytest.approx(wanted)
    assert np.trapezoid(curve.y, curve.x) == pytest.approx(wanted)


@given(scored)
def test_thresholds_of_the_precision_recall_curve_give_its_points(pairs):
    labels, scores = (np.array(column) for column in zip(*pairs, strict=True))
    curve = metrics.precision_recall(labels, scores.astype(np.float64))
    for recall, precision, threshold in zip(curve.x, curve.y, curve.thresholds, strict=True):
        called = scores >= threshold
        assert precision == pytest.approx(labels[called].mean())
        assert recall == pytest.approx(labels[called].sum() / labels.sum())


def test_confusion_counts_truth_in_rows_and_f1_skips_absent_classes():
    truth, chosen = np.array([0, 0, 1, 1]), np.array([0, 1, 1, 1])
    counts = metrics.confusion(truth, chosen, classes=3)
    assert counts.tolist() == [[1, 1, 0], [0, 2, 0], [0, 0, 0]]
    assert metrics.macro_f1(counts) == pytest.approx((2 / 3 + 4 / 5) / 2)
    assert metrics.accuracy(truth, chosen) == 0.75


def test_calibration_error_is_zero_for_honest_and_large_for_boastful_answers():
    truth = np.tile([0, 0, 0, 1], 25)
    honest = np.tile([0.75, 0.25], (100, 1))
    boastful = np.tile([0.99, 0.01], (100, 1))
    assert metrics.calibration_error(truth, honest, bins=1) == pytest.approx(0)
    assert metrics.calibration_error(truth, boastful, bins=1) == pytest.approx(0.24)
    assert metrics.log_loss(truth, honest) < metrics.log_loss(truth, boastful)


@pytest.mark.parametrize(
    ("labels", "scores"),
    [([1, 1], [0.1, 0.2]), ([], []), ([0, 1], [0.5, np.nan])],
)
def test_what_cannot_be_measured_is_a_data_error(labels, scores):
    with pytest.raises(DataError):
        metrics.auroc(np.array(labels, np.int64), np.array(scores, np.float64))

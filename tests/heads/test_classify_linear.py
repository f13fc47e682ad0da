import numpy as np
import pytest

from tenfold.errors import DataError, SpecError
from tenfold.heads.classify_linear import LinearProbe
from tenfold.heads.samples import MOST_COUNTED, choice_weights
from tenfold.metrics.classification import auroc, calibration_error

DIM = 300


def draw(n, rng, *, positives=0.5, noise=1.5):
    """Features whose first number tells two classes apart, as well as the noise lets it."""
    labels = (rng.random(n) < positives).astype(int)
    features = rng.normal(size=(n, 1, DIM)).astype(np.float32)
    features[:, 0, 0] += ((2 * labels - 1) / noise).astype(np.float32)
    features[:, 0, 1:40] += ((2 * labels - 1) / noise / 4)[:, None].astype(np.float32)
    return features, np.eye(2, dtype=np.float32)[labels], labels


@pytest.mark.parametrize("balance", [0.0, 1.0])
def test_probabilities_are_calibrated_though_one_class_is_rare(balance):
    rng = np.random.default_rng(1)
    features, targets, _ = draw(600, rng, positives=0.1)
    scorer = LinearProbe(balance=balance).fit(features, targets, rng=rng)
    unseen, _, labels = draw(4000, rng, positives=0.1)
    answers = scorer.score(unseen)
    assert auroc(labels, answers[:, 1]) > 0.85
    assert calibration_error(labels, answers) < 0.03
    assert answers[:, 1].mean() == pytest.approx(0.1, abs=0.03)


def test_head_stays_under_twenty_kilobytes_for_each_output():
    rng = np.random.default_rng(2)
    features = rng.normal(size=(40, 1, 2912)).astype(np.float32)
    targets = np.eye(3, dtype=np.float32)[np.arange(40) % 3]
    arrays = LinearProbe().fit(features, targets, rng=rng).arrays()
    assert sum(a.nbytes for a in arrays.values()) <= 3 * 20_000


def test_views_in_any_order_get_the_same_answer():
    rng = np.random.default_rng(3)
    features = rng.normal(size=(60, 4, 30)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(60) % 2]
    scorer = LinearProbe().fit(features, targets, rng=rng)
    np.testing.assert_allclose(
        scorer.score(features), scorer.score(features[:, ::-1].copy()), atol=1e-5
    )


def test_two_classes_at_once_need_multi_label():
    features = np.random.default_rng(4).normal(size=(10, 1, 5)).astype(np.float32)
    targets = np.eye(2, dtype=np.float32)[np.arange(10) % 2]
    targets[0] = 1
    with pytest.raises(DataError, match="exactly one class"):
        LinearProbe().fit(features, targets, rng=np.random.default_rng(0))
    scorer = LinearProbe(multi_label=True).fit(features, targets, rng=np.random.default_rng(0))
    assert scorer.score(features).shape == (10, 2)


def test_balance_out_of_range_is_a_spec_error():
    with pytest.raises(SpecError, match=r"balance must be 0 \.\. 1"):
        LinearProbe(balance=2.0)


def test_doubtful_labels_move_the_head_less_than_sure_ones():
    rng = np.random.default_rng(5)
    features, targets, _ = draw(300, rng)
    mistaken = rng.random(300) < 0.25
    wrong = np.where(mistaken[:, None], 1 - targets, targets)
    doubted = np.where(mistaken[:, None], np.float32(0.5), targets)
    unseen, _, truth = draw(2000, rng)
    believed, doubting = (
        auroc(truth, LinearProbe().fit(features, t, rng=rng).score(unseen)[:, 1])
        for t in (wrong, doubted)
    )
    assert doubting > believed + 0.02


def test_what_was_picked_counts_as_its_class_does_among_the_rest():
    given, picked = np.repeat([0, 1], [80, 20]), np.repeat([0, 1], [45, 5])
    targets = np.eye(2, dtype=np.float32)[np.concatenate([given, picked])]
    is_picked = np.arange(150) >= 100
    counts = choice_weights(targets, is_picked)
    assert counts[:100].tolist() == [1.0] * 100
    assert counts[100:].sum() == pytest.approx(50)
    assert counts[145:].sum() == pytest.approx(0.2 * 50)
    assert choice_weights(targets, np.zeros(150, bool)) is None
    assert choice_weights(targets, np.ones(150, bool)) is None


def test_one_picked_sample_of_a_class_does_not_become_all_that_is_learnt():
    given, picked = np.repeat([0, 1], [50, 50]), np.repeat([0, 1], [199, 1])
    targets = np.eye(2, dtype=np.float32)[np.concatenate([given, picked])]
    counts = choice_weights(targets, np.arange(300) >= 100)
    assert counts[-1] / counts[-2] == pytest.approx(MOST_COUNTED / (0.5 / (199 / 200)))
    only_good = choice_weights(targets[:-1], np.arange(299) >= 100)
    assert only_good.tolist() == [1.0] * 299


def test_a_line_where_bad_is_rare_does_not_teach_that_production_is_good():
    """The picked ones come with another light, which says nothing of good or bad."""
    rng = np.random.default_rng(5)
    features, targets, _ = draw(300, rng, positives=0.4)
    later, their_targets, _ = draw(300, rng, positives=0.05)
    later[:, 0, 100:140] += 1.5
    roots = np.concatenate([features, later])[:, 0]
    aims, is_picked = np.concatenate([targets, their_targets]), np.arange(600) >= 300
    unseen, _, labels = draw(2000, rng, positives=0.4)
    unseen[:, 0, 100:140] += 1.5

    def found(counts):
        scorer = LinearProbe().fit_roots(roots, aims, rng=rng, counts=counts)
        return (scorer.score_roots(unseen[:, 0])[labels == 1, 1] > 0.5).mean()

    assert found(choice_weights(aims, is_picked)) > found(None) + 0.1

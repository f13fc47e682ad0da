import numpy as np
import pytest
from scipy import optimize
from scipy.special import expit

from tenfold.heads.dual import PENALTIES, fit_dual, platt, walk
from tenfold.heads.logistic import fit_sigmoid, fit_squares

RNG = np.random.default_rng(0)
POINTS = RNG.normal(size=(80, 6)).astype(np.float32)
LABELS = (POINTS[:, 0] + 0.5 * RNG.normal(size=80) > 0).astype(np.float32)
ONES = np.ones(80, np.float32)
GRAM = POINTS @ POINTS.T / 6


def test_newton_finds_what_a_general_optimiser_finds():
    def loss(flat):
        logits = POINTS @ flat[:-1] / np.sqrt(6) + flat[-1]
        return (np.logaddexp(0, logits) - LABELS * logits).sum() + 0.05 * (flat[:-1] ** 2).sum()

    best = optimize.minimize(loss, np.zeros(7)).x
    fitted = fit_sigmoid(GRAM, LABELS, ONES, penalty=0.1)
    ours = POINTS.T @ fitted.coefficients / np.sqrt(6)
    np.testing.assert_allclose(ours, best[:-1], rtol=0.02, atol=0.02)
    assert fitted.bias == pytest.approx(best[-1], abs=0.02)


def test_leave_one_out_logits_are_those_of_real_refits():
    fitted = fit_sigmoid(GRAM, LABELS, ONES, penalty=0.3)
    for i in range(0, 80, 8):
        rest = np.arange(80) != i
        refit = fit_sigmoid(GRAM[np.ix_(rest, rest)], LABELS[rest], ONES[rest], penalty=0.3)
        truth = GRAM[i, rest] @ refit.coefficients + refit.bias
        assert fitted.loo_logits[i] == pytest.approx(truth, rel=0.1, abs=0.1)


def test_least_squares_leave_one_out_scores_are_exact():
    targets = np.stack([1 - LABELS, LABELS], axis=1)
    weights = np.linspace(0.5, 1.5, 80).astype(np.float32)
    fitted = fit_squares(GRAM, targets, weights, penalty=0.3)
    for i in range(0, 80, 8):
        rest = np.arange(80) != i
        refit = fit_squares(GRAM[np.ix_(rest, rest)], targets[rest], weights[rest], penalty=0.3)
        truth = GRAM[i, rest] @ refit.coefficients + refit.bias
        np.testing.assert_allclose(fitted.loo_scores[i], truth, atol=1e-3)


def test_platt_undoes_a_boast():
    rng = np.random.default_rng(1)
    honest = rng.normal(size=4000).astype(np.float32) * 2
    labels = (rng.random(4000) < expit(honest)).astype(np.float32)
    slope, offset, _ = platt(4 * honest + 3, labels)
    assert slope == pytest.approx(0.25, rel=0.1)
    assert offset == pytest.approx(-0.75, abs=0.15)


def test_walk_stops_in_the_valley_and_fits_each_penalty_once():
    seen = []

    def fit(penalty):
        seen.append(penalty)
        return abs(np.log(penalty / 0.01)), penalty

    assert walk(fit) == (0.01, 0.01)
    assert len(seen) == len(set(seen)) < len(PENALTIES)


def test_samples_listed_twice_do_not_break_the_fit():
    gram = np.tile(GRAM[:30, :30], (2, 2))
    targets = np.tile(np.eye(3, dtype=np.float32)[np.arange(30) % 3], (2, 1))
    dual = fit_dual(gram, targets, multi_label=False, balance=0.0, loss="logistic")
    assert np.isfinite(dual.coefficients).all()

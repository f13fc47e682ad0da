"""Fit all outputs of a classify head on one Gram matrix, penalty and calibration included.

No sample is held out: binary and multi-label outputs are chosen and calibrated on approximate
leave-one-out logits, softmax outputs on three-fold cross-validation.

Source: Platt 1999, "Probabilistic outputs for support vector machines" (with its smoothed
targets); Alexandari et al. 2020, "Maximum likelihood with bias-corrected calibration"
(arXiv:1901.06852) for softmax.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import TypeVar

import numpy as np
from jaxtyping import Float32
from scipy import linalg, optimize
from scipy.special import expit, log_softmax

from tenfold.heads.logistic import fit_sigmoid, fit_softmax
from tenfold.heads.samples import class_weights

PENALTIES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.3, 2.6)
"""Per unit of the Gram matrix's mean diagonal."""
FIRST_PENALTY = 4  # most sets settle at 0.01 .. 0.1
FOLDS = 3

T = TypeVar("T")


@dataclass(frozen=True, slots=True, eq=False)
class Dual:
    """Calibrated outputs: a sample's logits are its Gram row @ `coefficients` + `bias`.

    A binary question has one output; its two probabilities are 1 - sigmoid and sigmoid.
    """

    coefficients: Float32[np.ndarray, "n outputs"]
    bias: Float32[np.ndarray, " outputs"]
    loss: float
    """Mean log loss on the left-out logits, after calibration; the lower the better."""


def fit_dual(
    gram: Float32[np.ndarray, "n n"],
    targets: Float32[np.ndarray, "n classes"],
    *,
    multi_label: bool,
    balance: float,
    rng: np.random.Generator,
) -> Dual:
    """The outputs for `targets`, each with its own penalty (softmax: one for all)."""
    if not multi_label and targets.shape[1] > 2:
        return _fit_softmax(gram, targets, balance=balance, rng=rng)
    columns = targets if multi_label else targets[:, 1:]
    outputs = [_fit_output(gram, labels, balance=balance) for labels in columns.T]
    return Dual(
        np.stack([o.coefficients[:, 0] for o in outputs], axis=1),
        np.concatenate([o.bias for o in outputs]),
        float(np.mean([o.loss for o in outputs])),
    )


def walk(fit: Callable[[float], tuple[float, T]], *, start: int = FIRST_PENALTY) -> tuple[float, T]:
    """Penalty and result with the least loss, walking downhill from `start`; few fits, no grid."""
    known: dict[int, tuple[float, T]] = {}

    def at(place: int) -> tuple[float, T]:
        if place not in known:
            known[place] = fit(PENALTIES[place])
        return known[place]

    place = start
    while True:
        steps = [p for p in (place + 1, place - 1) if 0 <= p < len(PENALTIES)]
        better = next((p for p in steps if at(p)[0] < at(place)[0]), None)
        if better is None:
            return PENALTIES[place], at(place)[1]
        place = better


def platt(
    logits: Float32[np.ndarray, " n"], labels: Float32[np.ndarray, " n"]
) -> tuple[float, float, float]:
    """Slope and offset that make `logits` probabilities, and the mean log loss they leave."""
    count = labels.sum()
    high, low = (count + 1) / (count + 2), 1 / (len(labels) - count + 2)
    wanted = low + (high - low) * labels.astype(np.float64)
    logits = logits.astype(np.float64)

    def loss(line: np.ndarray) -> tuple[float, np.ndarray]:
        value = line[0] * logits + line[1]
        pull = expit(value) - wanted
        terms = np.logaddexp(0, value) - wanted * value
        return float(terms.mean()), np.array([(pull * logits).mean(), pull.mean()])

    bounds = [(0.05, 20.0), (None, None)]
    best = optimize.minimize(loss, np.array([1.0, 0.0]), jac=True, bounds=bounds)
    return float(best.x[0]), float(best.x[1]), float(best.fun)


def _fit_output(gram: np.ndarray, labels: np.ndarray, *, balance: float) -> Dual:
    weights = class_weights(np.stack([1 - labels, labels], axis=1), balance)

    def fit(penalty: float) -> tuple[float, Dual]:
        fitted = fit_sigmoid(gram, labels, weights, penalty=penalty)
        slope, offset, loss = platt(fitted.loo_logits, labels)
        bias = np.array([fitted.bias * slope + offset], np.float32)
        return loss, Dual(fitted.coefficients[:, None] * np.float32(slope), bias, loss)

    return walk(fit)[1]


def _fit_softmax(
    gram: np.ndarray, targets: np.ndarray, *, balance: float, rng: np.random.Generator
) -> Dual:
    jitter = np.float32(1e-5) * np.eye(len(gram), dtype=np.float32)
    roots = np.asarray(linalg.cholesky(gram + jitter, lower=True), np.float32)
    weights = class_weights(targets, balance)
    fold = _folds(targets, rng)

    def left_out(penalty: float) -> tuple[float, np.ndarray]:
        logits = np.empty_like(targets)
        for held in range(FOLDS):
            seen = fold != held
            slopes, bias = fit_softmax(
                roots[seen], targets[seen], weights[seen], penalty=penalty * (FOLDS - 1) / FOLDS
            )
            logits[~seen] = roots[~seen] @ slopes + bias
        return -float((targets * log_softmax(logits, axis=1)).sum(axis=1).mean()), logits

    penalty, logits = walk(left_out)
    slope, offsets, loss = _temper(logits, targets)
    slopes, bias = fit_softmax(roots, targets, weights, penalty=penalty)
    coefficients = linalg.solve_triangular(roots, slopes, lower=True, trans=1)
    return Dual(
        (coefficients * slope).astype(np.float32), (bias * slope + offsets).astype(np.float32), loss
    )


def _folds(targets: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """A fold for each sample, every class spread over all of them."""
    fold = np.empty(len(targets), np.int64)
    order = rng.permutation(len(targets))
    by_class = order[np.argsort(targets[order].argmax(axis=1), kind="stable")]
    fold[by_class] = np.arange(len(targets)) % FOLDS
    return fold


def _temper(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Inverse temperature, offset per class, and the mean log loss they leave."""
    n, classes = targets.shape
    logits = logits.astype(np.float64)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logs = log_softmax(flat[0] * logits + flat[1:], axis=1)
        pull = (np.exp(logs) - targets) / n
        value = -float((targets * logs).sum()) / n + float(np.square(flat[1:]).sum()) / n
        return value, np.concatenate([[(pull * logits).sum()], pull.sum(axis=0) + 2 * flat[1:] / n])

    start = np.concatenate([[1.0], np.zeros(classes)])
    bounds = [(0.05, 20.0), *[(None, None)] * classes]
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(best.x[0]), best.x[1:], float(best.fun)

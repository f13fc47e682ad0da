"""Fit all outputs of a classify head on one Gram matrix, penalty and calibration included.

No sample is held out: penalties are chosen, and answers calibrated, on leave-one-out logits. With
three classes or more the classes share one least-squares fit: with few samples a class it beat
softmax regression on each public set tried, and its leave-one-out scores are exact.

Source: Platt 1999, "Probabilistic outputs for support vector machines" (with its smoothed
targets); Alexandari et al. 2020, "Maximum likelihood with bias-corrected calibration"
(arXiv:1901.06852) for softmax.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Literal, TypeVar

import numpy as np
from jaxtyping import Float32
from scipy.special import expit, log_softmax

from tenfold.heads.logistic import Sigmoid, fit_sigmoid, fit_squares
from tenfold.heads.samples import class_weights

PENALTIES = (0.002, 0.005, 0.01, 0.02, 0.04, 0.08, 0.16, 0.32, 0.64, 1.3, 2.6)
"""Per unit of the Gram matrix's mean diagonal."""
FIRST_PENALTY = 4  # most sets settle at 0.01 .. 0.1
FLATTEST_SLOPE, STEEPEST_SLOPE = 0.05, 200.0
PLATT_STEPS = 60
PLATT_SETTLED = 1e-9  # of the mean log loss
LEAST_SHARE = 1e-6  # of a step
RIDGE = 1e-12  # keeps the step finite where every sample is sure

T = TypeVar("T")
Loss = Literal["logistic", "squares"]
"""Of a binary or multi-label output; exclusive classes always share least squares."""


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
    loss: Loss,
    counts: Float32[np.ndarray, " n"] | None = None,
) -> Dual:
    """The outputs for `targets`, each with its own penalty (exclusive classes: one for all).

    `counts` says what each sample counts for in the fit; None: all alike.
    """
    if not multi_label and targets.shape[1] > 2:
        return _fit_classes(gram, targets, balance=balance, counts=counts)
    columns = targets if multi_label else targets[:, 1:]
    fit = _fit_logistic if loss == "logistic" else _fit_squares
    outputs = [fit(gram, labels, balance=balance, counts=counts) for labels in columns.T]
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
    """Slope and offset that make `logits` probabilities, and the mean log loss they leave.

    Source: Lin, Lin & Weng 2007, "A note on Platt's probabilistic outputs for support vector
    machines", algorithm 1 (Newton steps with backtracking).
    """
    count = labels.sum()
    high, low = (count + 1) / (count + 2), 1 / (len(labels) - count + 2)
    wanted = low + (high - low) * labels.astype(np.float64)
    logits = logits.astype(np.float64)
    line = (1.0, 0.0)
    loss = _line_loss(line, logits, wanted)
    for _ in range(PLATT_STEPS):
        step = _line_step(line, logits, wanted)
        share = 1.0
        while share > LEAST_SHARE:
            slope = min(max(line[0] - share * step[0], FLATTEST_SLOPE), STEEPEST_SLOPE)
            trial = (slope, line[1] - share * step[1])
            found = _line_loss(trial, logits, wanted)
            if found <= loss:
                break
            share /= 2
        else:
            break
        gained, line, loss = loss - found, trial, found
        if gained < PLATT_SETTLED:
            break
    return line[0], line[1], loss


def _line_loss(line: tuple[float, float], logits: np.ndarray, wanted: np.ndarray) -> float:
    value = line[0] * logits + line[1]
    return float((np.logaddexp(0, value) - wanted * value).mean())


def _line_step(
    line: tuple[float, float], logits: np.ndarray, wanted: np.ndarray
) -> tuple[float, float]:
    """The Newton step of slope and offset."""
    chance = expit(line[0] * logits + line[1])
    pull, curve = chance - wanted, chance * (1 - chance)
    bent = curve * logits
    a, b, c = float(bent @ logits), float(bent.sum()), float(curve.sum())
    a, c = a + RIDGE * len(logits), c + RIDGE * len(logits)
    down, shift = float(pull @ logits), float(pull.sum())
    scale = a * c - b * b
    return (c * down - b * shift) / scale, (a * shift - b * down) / scale


def _fit_logistic(
    gram: np.ndarray, labels: np.ndarray, *, balance: float, counts: np.ndarray | None
) -> Dual:
    weights = class_weights(np.stack([1 - labels, labels], axis=1), balance, counts)

    near: list[Sigmoid] = []  # penalties are walked in small steps: begin where the last one ended

    def fit(penalty: float) -> tuple[float, Dual]:
        start = near[-1] if near else None
        fitted = fit_sigmoid(gram, labels, weights, penalty=penalty, start=start)
        near.append(fitted)
        slope, offset, loss = platt(fitted.loo_logits, labels)
        bias = np.array([fitted.bias * slope + offset], np.float32)
        return loss, Dual(fitted.coefficients[:, None] * np.float32(slope), bias, loss)

    return walk(fit)[1]


def _fit_squares(
    gram: np.ndarray, labels: np.ndarray, *, balance: float, counts: np.ndarray | None
) -> Dual:
    weights = class_weights(np.stack([1 - labels, labels], axis=1), balance, counts)

    def fit(penalty: float) -> tuple[float, Dual]:
        fitted = fit_squares(gram, labels[:, None], weights, penalty=penalty)
        slope, offset, loss = platt(fitted.loo_scores[:, 0], labels)
        bias = (fitted.bias * slope + offset).astype(np.float32)
        return loss, Dual(fitted.coefficients * np.float32(slope), bias, loss)

    return walk(fit)[1]


def _fit_classes(
    gram: np.ndarray, targets: np.ndarray, *, balance: float, counts: np.ndarray | None
) -> Dual:
    weights = class_weights(targets, balance, counts)

    def fit(penalty: float) -> tuple[float, Dual]:
        fitted = fit_squares(gram, targets, weights, penalty=penalty)
        slope, offsets, loss = _temper(fitted.loo_scores, targets)
        coefficients = (fitted.coefficients * slope).astype(np.float32)
        return loss, Dual(coefficients, (fitted.bias * slope + offsets).astype(np.float32), loss)

    return walk(fit)[1]


def _temper(logits: np.ndarray, targets: np.ndarray) -> tuple[float, np.ndarray, float]:
    """Inverse temperature, offset per class, and the mean log loss they leave."""
    n, classes = targets.shape
    logits = logits.astype(np.float64)

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        logs = log_softmax(flat[0] * logits + flat[1:], axis=1)
        pull = (np.exp(logs) - targets) / n
        value = -float((targets * logs).sum()) / n + float(np.square(flat[1:]).sum()) / n
        return value, np.concatenate([[(pull * logits).sum()], pull.sum(axis=0) + 2 * flat[1:] / n])

    from scipy import optimize  # a fifth of a second, which those who only answer need not wait

    start = np.concatenate([[8.0], np.zeros(classes)])
    bounds = [(0.05, 200.0), *[(None, None)] * classes]
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", bounds=bounds)
    return float(best.x[0]), best.x[1:], float(best.fun)

"""Penalised logistic regression and least squares in the dual: all they see of the features is a
Gram matrix, so a fit costs a few factorisations of n × n, however long the features are.

The loss is the weighted sum of log losses plus penalty / 2 times the squared norm of the weights
(least squares: half the squares); the bias is free.

Source: Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", algorithm 3.1 (the
stable form of the Newton step); Cawley & Talbot 2008, "Efficient approximate leave-one-out
cross-validation for kernel logistic regression", Machine Learning 71. Written from the papers.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from scipy import linalg
from scipy.special import expit

from tenfold.errors import DataError

MAX_STEPS = 12
SETTLED = 0.02  # largest change of a logit that still counts as movement
MAX_HALVINGS = 6
FLATTEST = 1e-5  # least curvature of a sample: keeps confident samples from dividing by zero


@dataclass(frozen=True, slots=True, eq=False)
class Sigmoid:
    """One fitted output. A new sample's logit is its Gram row times `coefficients`, plus `bias`."""

    coefficients: Float32[np.ndarray, " n"]
    bias: float
    loo_logits: Float32[np.ndarray, " n"]
    """What each sample's logit would be, had the fit not seen it (to first order)."""


@dataclass(frozen=True, slots=True, eq=False)
class Squares:
    """Outputs, one per class. A new sample scores its Gram row @ `coefficients` + `bias`."""

    coefficients: Float32[np.ndarray, "n classes"]
    bias: Float32[np.ndarray, " classes"]
    loo_scores: Float32[np.ndarray, "n classes"]


def fit_sigmoid(
    gram: Float32[np.ndarray, "n n"],
    labels: Float32[np.ndarray, " n"],
    weights: Float32[np.ndarray, " n"],
    *,
    penalty: float,
    start: Sigmoid | None = None,
) -> Sigmoid:
    """Logistic regression by Newton steps, with its approximate leave-one-out logits.

    `start` is a fit with a like penalty; it saves steps.
    """
    coefficients, bias = np.zeros(len(labels), np.float32), 0.0
    inner, logits = coefficients, coefficients
    if start is not None:
        coefficients, bias = start.coefficients, start.bias
        inner = gram @ coefficients
        logits = (inner + bias).astype(np.float32)
    for _ in range(MAX_STEPS):
        newton = _newton(gram, labels, weights, logits=logits, penalty=penalty)
        coefficients, bias, inner = _shortened(
            newton, (coefficients, bias, inner), (gram, labels, weights, penalty)
        )
        moved = float(np.abs(inner + bias - logits).max())
        logits = (inner + bias).astype(np.float32)
        if moved < SETTLED:
            break
    last = _newton(gram, labels, weights, logits=logits, penalty=penalty)
    return Sigmoid(coefficients, bias, last.left_out(coefficients))


def fit_squares(
    gram: Float32[np.ndarray, "n n"],
    targets: Float32[np.ndarray, "n classes"],
    weights: Float32[np.ndarray, " n"],
    *,
    penalty: float,
) -> Squares:
    """Least squares of all classes at once: one factorisation, exact leave-one-out scores."""
    system = gram.copy()
    system[np.diag_indices_from(system)] += np.float32(penalty) / weights
    factor = linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    ones = np.ones((len(gram), 1), np.float32)
    solved = linalg.cho_solve((factor, True), np.hstack([ones, targets]), check_finite=False)
    share = solved[:, :1] / solved[:, 0].sum()
    bias = solved[:, 1:].sum(axis=0) / solved[:, 0].sum()
    coefficients = solved[:, 1:] - solved[:, :1] * bias
    diagonal = _inverse_diagonal(factor)[:, None] - solved[:, :1] * share
    return Squares(coefficients, bias, targets - coefficients / diagonal)


@dataclass(frozen=True, slots=True, eq=False)
class _Newton:
    """A Newton step around some logits, and the factorisation it came from."""

    coefficients: np.ndarray
    bias: float
    factor: np.ndarray  # lower Cholesky factor of B = 1 + s K s
    s: np.ndarray  # square root of curvature over penalty
    ones: np.ndarray  # (K + s⁻²)⁻¹ 1
    response: np.ndarray  # what the linearised problem regresses on

    def left_out(self, coefficients: np.ndarray) -> Float32[np.ndarray, " n"]:
        """Leave-one-out logits: Cawley & Talbot 2008, eq. 13, with the bias profiled out."""
        inverse = _inverse_diagonal(self.factor)
        diagonal = np.square(self.s) * inverse - self.ones**2 / self.ones.sum()
        return (self.response - coefficients / diagonal).astype(np.float32)


def _inverse_diagonal(factor: np.ndarray) -> np.ndarray:
    """Diagonal of the inverse of the matrix with this lower Cholesky factor."""
    (potri,) = linalg.get_lapack_funcs(("potri",), (factor,))
    return np.diag(potri(factor, lower=1)[0])


def _newton(
    gram: np.ndarray, labels: np.ndarray, weights: np.ndarray, *, logits: np.ndarray, penalty: float
) -> _Newton:
    chance = expit(logits)
    curvature = np.maximum(weights * chance * (1 - chance), np.float32(FLATTEST))
    response = logits - weights * (chance - labels) / curvature
    s = np.sqrt(curvature / np.float32(penalty))
    system = gram * s[:, None] * s[None, :]
    system[np.diag_indices_from(system)] += 1
    sides = s[:, None] * np.stack([response, np.ones_like(response)], axis=1)
    factor, solved = _factorised(system, sides)
    solved *= s[:, None]
    bias = float(solved[:, 0].sum() / solved[:, 1].sum())
    return _Newton(
        solved[:, 0] - np.float32(bias) * solved[:, 1], bias, factor, s, solved[:, 1], response
    )


def _factorised(
    system: Float32[np.ndarray, "n n"], sides: Float32[np.ndarray, "n sides"]
) -> tuple[np.ndarray, np.ndarray]:
    """The lower Cholesky factor of `system`, which is overwritten, and what solves for `sides`.

    LAPACK is called as it is: for a hundred samples the checks around it cost more than it does.
    """
    potrf, potrs = linalg.get_lapack_funcs(("potrf", "potrs"), (system,))
    factor, info = potrf(system.T, lower=1, overwrite_a=1, clean=1)
    if info:
        raise DataError("the samples' Gram matrix is not positive.", hint="Embed them again.")
    return factor, potrs(factor, sides, lower=1)[0]


def _shortened(
    newton: _Newton,
    start: tuple[np.ndarray, float, np.ndarray],
    problem: tuple[np.ndarray, np.ndarray, np.ndarray, float],
) -> tuple[np.ndarray, float, np.ndarray]:
    """Coefficients, bias and K @ coefficients after a step halved until the loss does not grow."""
    gram, labels, weights, penalty = problem
    coefficients, bias, inner = start
    before = _loss(coefficients, inner, bias, (labels, weights, penalty))
    step, step_bias = newton.coefficients - coefficients, newton.bias - bias
    step_inner = gram @ step
    share = 1.0
    for _ in range(MAX_HALVINGS):
        trial = (
            coefficients + np.float32(share) * step,
            bias + share * step_bias,
            inner + np.float32(share) * step_inner,
        )
        if _loss(trial[0], trial[2], trial[1], (labels, weights, penalty)) <= before + 1e-4:
            return trial
        share /= 2
    return start


def _loss(
    coefficients: Float[np.ndarray, " n"],
    inner: Float[np.ndarray, " n"],
    bias: float,
    terms: tuple[np.ndarray, np.ndarray, float],
) -> float:
    labels, weights, penalty = terms
    logits = inner.astype(np.float64) + bias
    fitted = (weights * (np.logaddexp(0, logits) - labels * logits)).sum()
    return float(fitted + penalty / 2 * (coefficients.astype(np.float64) @ inner))

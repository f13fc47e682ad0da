"""Penalised logistic and softmax regression in the dual: all they see of the features is a Gram
matrix, so a fit costs a few factorisations of n × n, however long the features are.

The loss is the weighted sum of log losses plus penalty / 2 times the squared norm of the weights;
the bias is free.

Source: Rasmussen & Williams 2006, "Gaussian Processes for Machine Learning", algorithm 3.1 (the
stable form of the Newton step); Cawley & Talbot 2008, "Efficient approximate leave-one-out
cross-validation for kernel logistic regression", Machine Learning 71. Written from the papers.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Float32
from scipy import linalg, optimize
from scipy.special import expit, log_softmax

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


def fit_sigmoid(
    gram: Float32[np.ndarray, "n n"],
    labels: Float32[np.ndarray, " n"],
    weights: Float32[np.ndarray, " n"],
    *,
    penalty: float,
) -> Sigmoid:
    """Logistic regression by Newton steps, with its approximate leave-one-out logits."""
    coefficients, bias = np.zeros(len(labels), np.float32), 0.0
    inner, logits = coefficients, coefficients
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


def fit_softmax(
    roots: Float32[np.ndarray, "n rank"],
    targets: Float32[np.ndarray, "n classes"],
    weights: Float32[np.ndarray, " n"],
    *,
    penalty: float,
) -> tuple[Float32[np.ndarray, "rank classes"], Float32[np.ndarray, " classes"]]:
    """Softmax regression by L-BFGS on `roots`, whose Gram matrix is the kernel.

    Returns weights and bias.
    """
    n, rank = roots.shape
    classes = targets.shape[1]

    def loss(flat: np.ndarray) -> tuple[float, np.ndarray]:
        table = flat.reshape(rank + 1, classes)
        slopes = table[:-1].astype(np.float32)
        logs = log_softmax(roots @ slopes + table[-1].astype(np.float32), axis=1)
        pull = (np.exp(logs) - targets) * weights[:, None]
        value = -float(((targets * logs).sum(axis=1) * weights).sum())
        value += penalty / 2 * float(np.square(table[:-1]).sum())
        slope = np.vstack([roots.T @ pull + penalty * slopes, pull.sum(axis=0)])
        return value / n, slope.astype(np.float64).ravel() / n

    start = np.zeros((rank + 1) * classes)
    options = {"maxiter": 60, "maxcor": 10, "ftol": 1e-5, "gtol": 1e-6}
    best = optimize.minimize(loss, start, jac=True, method="L-BFGS-B", options=options)
    table = best.x.reshape(rank + 1, classes).astype(np.float32)
    return table[:-1], table[-1]


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
        (potri,) = linalg.get_lapack_funcs(("potri",), (self.factor,))
        inverse, _ = potri(self.factor, lower=1)
        diagonal = np.square(self.s) * np.diag(inverse) - self.ones**2 / self.ones.sum()
        return (self.response - coefficients / diagonal).astype(np.float32)


def _newton(
    gram: np.ndarray, labels: np.ndarray, weights: np.ndarray, *, logits: np.ndarray, penalty: float
) -> _Newton:
    chance = expit(logits)
    curvature = np.maximum(weights * chance * (1 - chance), np.float32(FLATTEST))
    response = logits - weights * (chance - labels) / curvature
    s = np.sqrt(curvature / np.float32(penalty))
    system = gram * s[:, None] * s[None, :]
    system[np.diag_indices_from(system)] += 1
    factor = linalg.cholesky(system, lower=True, overwrite_a=True, check_finite=False)
    sides = s[:, None] * np.stack([response, np.ones_like(response)], axis=1)
    solved = s[:, None] * linalg.cho_solve((factor, True), sides, check_finite=False)
    bias = float(solved[:, 0].sum() / solved[:, 1].sum())
    return _Newton(
        solved[:, 0] - np.float32(bias) * solved[:, 1], bias, factor, s, solved[:, 1], response
    )


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

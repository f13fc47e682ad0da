"""How well classify answers match the truth. Probabilities are [n, classes], truth is a class index
or 0/1 labels; pure functions of arrays.

Source: Fawcett 2006, "An introduction to ROC analysis" (ROC, ties); Davis & Goadrich 2006 (average
precision is the step sum, never an interpolation); Guo et al. 2017 (arXiv:1706.04599, calibration
error).
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from tenfold.errors import DataError


@dataclass(frozen=True, slots=True, eq=False)
class Curve:
    """Points by falling threshold: at `thresholds[i]`, whatever scores at least as much is called
    positive."""

    x: Float[np.ndarray, " points"]
    y: Float[np.ndarray, " points"]
    thresholds: Float[np.ndarray, " points"]


def accuracy(truth: Int[np.ndarray, " n"], chosen: Int[np.ndarray, " n"]) -> float:
    _same_length(truth, chosen)
    return float((truth == chosen).mean())


def confusion(
    truth: Int[np.ndarray, " n"], chosen: Int[np.ndarray, " n"], *, classes: int
) -> Int[np.ndarray, "classes classes"]:
    """Counts; rows are the truth, columns what was chosen."""
    _same_length(truth, chosen)
    return np.bincount(truth * classes + chosen, minlength=classes**2).reshape(classes, classes)


def macro_f1(counts: Int[np.ndarray, "classes classes"]) -> float:
    """Mean F1 of the classes that occur, in truth or in the answers, from `confusion`."""
    hits = np.diag(counts)
    involved = counts.sum(axis=0) + counts.sum(axis=1)
    return float((2 * hits[involved > 0] / involved[involved > 0]).mean())


def roc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> Curve:
    """False positive rate against true positive rate, from (0, 0) to (1, 1)."""
    hits, misses, thresholds = _counts_above(labels, scores)
    start = ([0.0], [0.0], [np.inf])
    return Curve(
        np.concatenate([start[0], misses / misses[-1]]),
        np.concatenate([start[1], hits / hits[-1]]),
        np.concatenate([start[2], thresholds]),
    )


def precision_recall(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> Curve:
    """Recall against precision, one point for each distinct score."""
    hits, misses, thresholds = _counts_above(labels, scores)
    return Curve(hits / hits[-1], hits / (hits + misses), thresholds)


def auroc(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Chance that a positive scores higher than a negative; ties count half."""
    _both_classes(labels, scores)
    positives = int(labels.sum())
    ranks = _ranks(scores)[labels > 0].sum()
    pairs = positives * (len(labels) - positives)
    return float((ranks - positives * (positives + 1) / 2) / pairs)


def _ranks(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " n"]:
    """From 1; ties share the middle of theirs. (`scipy.stats` takes half a second to import, which
    every worker would pay.)"""
    _, place, counts = np.unique(scores, return_inverse=True, return_counts=True)
    return (np.cumsum(counts) - (counts - 1) / 2)[place]


def average_precision(labels: Int[np.ndarray, " n"], scores: Float[np.ndarray, " n"]) -> float:
    """Area under the precision-recall steps."""
    curve = precision_recall(labels, scores)
    return float((np.diff(curve.x, prepend=0.0) * curve.y).sum())


def log_loss(truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"]) -> float:
    """Mean negative log probability of the truth, in nats."""
    _same_length(truth, probabilities)
    right = probabilities[np.arange(len(truth)), truth].astype(np.float64)
    return float(-np.log(np.maximum(right, 1e-12)).mean())


def calibration_error(
    truth: Int[np.ndarray, " n"], probabilities: Float[np.ndarray, "n classes"], *, bins: int = 10
) -> float:
    """Mean gap between confidence and accuracy over bins of equal count (expected calibration
    error of the chosen class)."""
    _same_length(truth, probabilities)
    chosen = probabilities.argmax(axis=1)
    confidence = probabilities.max(axis=1).astype(np.float64)
    right = (chosen == truth).astype(np.float64)
    order = np.argsort(confidence, kind="stable")
    parts = [p for p in np.array_split(order, bins) if len(p)]
    gaps = [abs(confidence[p].mean() - right[p].mean()) * len(p) for p in parts]
    return float(sum(gaps) / len(truth))


def _counts_above(
    labels: np.ndarray, scores: np.ndarray
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Positives and negatives at or above each distinct score, and those scores, falling."""
    _both_classes(labels, scores)
    order = np.argsort(-scores, kind="stable")
    ranked = scores[order]
    last_of_tie = np.append(ranked[1:] != ranked[:-1], True)
    hits = np.cumsum(labels[order] > 0)[last_of_tie]
    seen = np.flatnonzero(last_of_tie) + 1
    return hits.astype(np.float64), (seen - hits).astype(np.float64), ranked[last_of_tie]


def _both_classes(labels: np.ndarray, scores: np.ndarray) -> None:
    _same_length(labels, scores)
    positives = int((labels > 0).sum())
    if not 0 < positives < len(labels):
        raise DataError(
            f"{positives} of {len(labels)} samples are positive: no curve can be drawn.",
            hint="Judge on samples with and without the class.",
        )


def _same_length(truth: np.ndarray, answers: np.ndarray) -> None:
    if len(truth) != len(answers):
        raise DataError(f"{len(truth)} labels but {len(answers)} answers.")
    if len(truth) == 0:
        raise DataError("no samples to measure on.", hint="Add labelled images.")
    if not np.isfinite(answers).all():
        raise DataError("scores hold NaN or infinity.")

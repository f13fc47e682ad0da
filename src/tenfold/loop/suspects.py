"""Which labels of the training data are likely wrong, by what heads say that did not see them.

A head that was fitted on a wrong label may have learnt it by heart, so each row's probabilities
come from a head that was fitted without it. Judge rows are never asked about: to correct those that
a head gets wrong would bend the proof.

Source: Northcutt, Jiang & Chuang 2021, "Confident learning: estimating uncertainty in dataset
labels", JAIR 70 (arXiv:1911.00068), sections 3.1 and 3.2.
"""

from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int

from tenfold.errors import DataError


@dataclass(frozen=True, slots=True)
class Suspect:
    """A label that is likely wrong."""

    row: int
    label: int
    """What it says: a class by its number."""
    likely: int
    """What it likely is."""
    worth: float
    """In [0, 1]: how much surer of `likely` than of `label` the head is; the higher, the sooner a
    person should look."""


def suspects(
    labels: Int[np.ndarray, " n"], held_out: Float[np.ndarray, "n classes"], *, most: int
) -> list[Suspect]:
    """At most `most` labels that are likely wrong, the likeliest first.

    A row counts for a class when the head is as sure of it as it is, on average, of the rows that
    bear that label. So a head that is unsure of a class throughout accuses nobody of it, and one
    that is too sure of itself accuses no more than one that is not. Suspected are rows that count
    for another class than their label's. A class that no row bears is never likely.

    Raises:
        DataError: there is a probability outside [0, 1], or a label without a class.
    """
    _check(labels, held_out)
    if not len(labels):
        return []
    counts = held_out >= _sureness(labels, held_out)  # p(j; x, θ) ≥ t_j, eq. 1
    sure = np.where(counts, held_out, -1.0)
    likely = sure.argmax(1)  # collisions go to the larger probability, eq. 1
    rows = np.flatnonzero(counts.any(1) & (likely != labels))
    worths = held_out[rows, likely[rows]] - held_out[rows, labels[rows]]  # normalized margin, 3.2
    order = np.argsort(-worths, kind="stable")
    found = [(int(rows[i]), float(worths[i])) for i in order if worths[i] > 0]
    return [Suspect(row, int(labels[row]), int(likely[row]), worth) for row, worth in found[:most]]


def two_classes(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, "n 2"]:
    """Probabilities of a yes/no question, no first: so each class of several that may hold at once
    is asked about on its own."""
    return np.stack([1 - scores, scores], 1)


def _sureness(
    labels: Int[np.ndarray, " n"], held_out: Float[np.ndarray, "n classes"]
) -> Float[np.ndarray, " classes"]:
    """How sure the head is of each class, on average over the rows that bear its label: t_j, eq. 2.

    Infinite where no row does.
    """
    sums, rows = np.zeros(held_out.shape[1]), np.arange(len(labels))
    np.add.at(sums, labels, held_out[rows, labels])
    times = np.bincount(labels, minlength=held_out.shape[1])
    return np.where(times > 0, sums / np.maximum(times, 1), np.inf)


def _check(labels: Int[np.ndarray, " n"], held_out: Float[np.ndarray, "n classes"]) -> None:
    rows, classes = held_out.shape
    if len(labels) != rows:
        raise DataError(f"expected a label for each of {rows:,} rows, got {len(labels):,}.")
    wrong = held_out[~((held_out >= 0) & (held_out <= 1))]  # NaN lies nowhere
    if len(wrong):
        raise DataError(
            f"a probability lies in [0, 1], got {float(wrong[0])!r}.",
            hint="Calibrate the scores first.",
        )
    stray = labels[(labels < 0) | (labels >= classes)]
    if len(stray):
        raise DataError(f"expected classes 0 to {classes - 1}, got {int(stray[0])}.")

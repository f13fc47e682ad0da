"""Out-of-fold answers of any classify recipe: how it would do on samples it has not seen."""

from collections.abc import Callable, Iterable
from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Bool, Float32, Int

from tenfold.errors import DataError

Each = Callable[[Callable[[int], np.ndarray], Iterable[int]], Iterable[np.ndarray]]
"""Calls a function on each fold, in order: `map`, or a pool's."""


@runtime_checkable
class Scorer(Protocol):
    def score_roots(
        self, roots: Float32[np.ndarray, "n dim"]
    ) -> Float32[np.ndarray, "n classes"]: ...


Fit = Callable[[Bool[np.ndarray, " n"], np.random.Generator], Scorer]
"""Fits a head on some of the samples, with random numbers of its own."""


def cross_validate(
    fit: Fit,
    roots: Float32[np.ndarray, "n dim"],
    fold: Int[np.ndarray, " n"],
    *,
    rng: np.random.Generator,
    each: Each = map,
) -> Float32[np.ndarray, "n classes"]:
    """Probabilities of each sample from a head that saw nothing of its `fold` (0, 1, ..).

    `each` may run folds side by side: every fold has its own random numbers.

    Raises:
        DataError: some fold's rest lacks a class.
    """
    streams = rng.spawn(int(fold.max()) + 1)

    def held_out(held: int) -> np.ndarray:
        inside = fold == held
        return fit(~inside, streams[held]).score_roots(roots[inside])

    of_folds = list(each(held_out, range(len(streams))))
    answers = np.empty((len(fold), of_folds[0].shape[1]), np.float32)
    for held, scores in enumerate(of_folds):
        answers[fold == held] = scores
    return answers


def assign_folds(
    targets: Float32[np.ndarray, "n classes"],
    *,
    groups: Int[np.ndarray, " n"] | None = None,
    folds: int,
    rng: np.random.Generator,
) -> Int[np.ndarray, " n"]:
    """A fold for each sample; groups stay whole, and the commonest class of each group is spread
    over all folds."""
    if groups is None:
        groups = np.arange(len(targets))
    names, member = np.unique(groups, return_inverse=True)
    if len(names) < folds:
        raise DataError(
            f"{len(names)} groups cannot fill {folds} folds.",
            hint="Add groups, or use fewer folds.",
        )
    totals = np.zeros((len(names), targets.shape[1]))
    np.add.at(totals, member, targets)
    order = rng.permutation(len(names))
    by_class = order[np.argsort(totals[order].argmax(axis=1), kind="stable")]
    of_group = np.empty(len(names), np.int64)
    of_group[by_class] = np.arange(len(names)) % folds
    return of_group[member]

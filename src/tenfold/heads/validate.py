"""Out-of-fold answers of any classify recipe: how it would do on samples it has not seen."""

from typing import Protocol, runtime_checkable

import numpy as np
from jaxtyping import Float32, Int

from tenfold.errors import DataError


@runtime_checkable
class Scorer(Protocol):
    def score(
        self, features: Float32[np.ndarray, "n views dim"]
    ) -> Float32[np.ndarray, "n classes"]: ...


@runtime_checkable
class Recipe(Protocol):
    def fit(
        self,
        features: Float32[np.ndarray, "n views dim"],
        targets: Float32[np.ndarray, "n classes"],
        *,
        rng: np.random.Generator,
    ) -> Scorer: ...


def cross_validate(
    recipe: Recipe,
    features: Float32[np.ndarray, "n views dim"],
    targets: Float32[np.ndarray, "n classes"],
    *,
    groups: Int[np.ndarray, " n"] | None = None,
    folds: int = 4,
    rng: np.random.Generator,
) -> Float32[np.ndarray, "n classes"]:
    """Probabilities of each sample from a head that saw neither it nor its group.

    Raises:
        DataError: fewer groups than folds, or a class that some fold's rest lacks.
    """
    fold = assign_folds(targets, groups=groups, folds=folds, rng=rng)
    answers = np.empty_like(targets)
    for held in range(folds):
        inside = fold == held
        scorer = recipe.fit(features[~inside], targets[~inside], rng=rng)
        answers[inside] = scorer.score(features[inside])
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

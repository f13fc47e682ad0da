"""What every classify head asks of its samples before it starts."""

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.errors import DataError

MOST_COUNTED = 10.0
"""So that a class with one or two picked samples does not become all that is learnt."""


def check(
    features: Float32[np.ndarray, "n ..."],
    targets: Float32[np.ndarray, "n classes"],
    *,
    multi_label: bool,
) -> None:
    """Nothing, if a head can be fitted.

    Targets between 0 and 1 say how sure the people who labelled were: their doubt is data.

    Raises:
        DataError: nothing to learn from, features that are no numbers, or a class without a
            positive or without a negative sample.
    """
    if len(features) == 0:
        raise DataError("no samples to fit.", hint="Add labelled images.")
    if len(features) != len(targets):
        raise DataError(f"{len(features)} samples but {len(targets)} rows of targets.")
    if not np.isfinite(features).all():
        raise DataError(
            "features hold NaN or infinity.", hint="Rebuild the cache: `tenfold embed --force`."
        )
    if not ((targets >= 0) & (targets <= 1)).all():
        raise DataError("targets must be 0 .. 1.", hint="Give one column per class.")
    if targets.shape[1] < (1 if multi_label else 2):
        raise DataError("at least two classes are needed.", hint="Add images of another class.")
    if not multi_label and not np.allclose(targets.sum(axis=1), 1, atol=1e-3):
        raise DataError(
            "some samples have not exactly one class.",
            hint="Set `multi_label: true` if a picture may show several or none.",
        )
    for column, count in enumerate(targets.sum(axis=0)):
        if not 0 < count < len(targets):
            raise DataError(
                f"class {column} has {count:g} of {len(targets)} samples.",
                hint="Add samples with and without this class, or leave the class out.",
            )


def class_weights(
    targets: Float32[np.ndarray, "n classes"],
    balance: float,
    counts: Float32[np.ndarray, " n"] | None = None,
) -> Float32[np.ndarray, " n"]:
    """Weight of each sample, mean 1: its class's rarity to the power `balance` (0: all alike),
    times what it counts for (None: all alike)."""
    rarity = (1 / targets.sum(axis=0)) ** balance
    weights = targets @ rarity
    if counts is not None:
        weights = weights * counts
    return (weights / weights.mean()).astype(np.float32)


def choice_weights(
    targets: Float32[np.ndarray, "n classes"], picked: Bool[np.ndarray, " n"]
) -> Float32[np.ndarray, " n"] | None:
    """What each sample counts for, so that the picked ones hold the classes in the shares of the
    rest; None: all alike.

    How many of the pictures that people were shown are bad says how they were chosen. Learnt as it
    is, a production line where bad ones are rare teaches that whatever looks like production is
    good. The picked ones count as many as they are, and none of them for more than `MOST_COUNTED`.

    Source: Manski & Lerman 1977, "The estimation of choice probabilities from choice based
    samples", Econometrica 45 (likelihoods weighted by population share over sample share).
    """
    if not picked.any() or picked.all():
        return None
    usual, chosen = targets[~picked].mean(axis=0), targets[picked].mean(axis=0)
    ratio = np.divide(usual, chosen, out=np.ones_like(usual), where=chosen > 0)
    mine = np.minimum(targets[picked] @ ratio, MOST_COUNTED)
    counts = np.ones(len(targets), np.float32)
    counts[picked] = mine / mine.mean()
    return counts

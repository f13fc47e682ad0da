"""What every classify head asks of its samples before it starts."""

import numpy as np
from jaxtyping import Float32

from tenfold.errors import DataError


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
    targets: Float32[np.ndarray, "n classes"], balance: float
) -> Float32[np.ndarray, " n"]:
    """Weight of each sample, mean 1: its class's rarity to the power `balance` (0: all alike)."""
    rarity = (1 / targets.sum(axis=0)) ** balance
    weights = targets @ rarity
    return (weights / weights.mean()).astype(np.float32)

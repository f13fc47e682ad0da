"""How bright, rich in contrast and sharp pictures usually are, as logarithms of a block's mean.

Pure. The reference is what had judged a head; the first blocks of production have a say too.
"""

from collections.abc import Sequence

import numpy as np
from jaxtyping import Bool, Float32, Float64

from tenfold.metrics import changes

LOOKS = ("brightness", "contrast", "sharpness")
"""Of the picture as the trunk sees it."""
DIMMEST = 1e-3
"""Added before the logarithm, so that black is a number."""
USUAL = 0.95
"""Share of the blocks that looks usual."""


def counted_logs(looks: Float32[np.ndarray, "n 3"]) -> Float64[np.ndarray, "n 4"]:
    """1 and the logs of each answer whose looks are known, else zeros; sums of them are exact."""
    known = _is_known(looks)
    logs = np.log(np.where(known[:, None], looks, 1) + np.float32(DIMMEST)).astype(np.float16)
    return np.column_stack([np.ones(len(looks)), logs.astype(np.float64)]) * known[:, None]


def usual(
    looks: Float32[np.ndarray, "n 3"],
    groups: Sequence[str],
    first: Float64[np.ndarray, "blocks 3"],
    *,
    block: int,
    margin: float,
) -> tuple[tuple[float, float], ...]:
    """Lowest and highest usual mean log of each of `LOOKS`.

    About the middle of the reference's lots, as wide as those or the first blocks of production
    say, whichever is wider: samples of a reference without lots are more alike than what follows
    each other in production. `margin` is the share of itself by which each may always change.
    """
    spreads = [changes.Spread.of_blocks(first)]
    known = _is_known(looks)
    lots = changes.as_lots([groups[place] for place in np.flatnonzero(known).tolist()], least=block)
    if len(np.unique(lots)) > 1:
        logs = np.log(looks[known].astype(np.float64) + DIMMEST)
        spreads.insert(0, changes.Spread.of(logs, lots, block=block))
    reach = np.max([spread.reach(USUAL) for spread in spreads], axis=0)
    reach = np.maximum(reach, np.log1p(margin))
    centre = spreads[0].centre
    return tuple(zip((centre - reach).tolist(), (centre + reach).tolist(), strict=True))


def _is_known(looks: Float32[np.ndarray, "n 3"]) -> Bool[np.ndarray, " n"]:
    return np.isfinite(looks.sum(axis=1))

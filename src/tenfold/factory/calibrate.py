"""Thresholds from the calibrate split, set with the bar in view."""

import numpy as np
from jaxtyping import Bool, Float

from tenfold.errors import DataError
from tenfold.metrics.bounds import conformal_quantile
from tenfold.specs.bar import Bar

HEADROOM = 0.5
"""Share of a lone bound that the threshold aims at, so that the bound can be proven."""
PLATEAU = 0.5
"""Margins this close to the best, in standard errors, are as good: their middle is taken."""


def threshold(scores: Float[np.ndarray, " n"], is_bad: Bool[np.ndarray, " n"], bar: Bar) -> float:
    """The score from which a sample is called bad.

    With goods and defects: the threshold whose smaller margin to the bar, in standard errors, is
    largest; where goods and defects lie wide apart, in the middle between them. With goods only: a
    conformal quantile of their scores at half the overkill limit.

    Raises:
        DataError: there is no good sample in calibrate.
    """
    goods, bads = np.sort(scores[~is_bad]), np.sort(scores[is_bad])
    if not len(goods):
        raise DataError(
            "calibrate holds no good sample.", hint="Add good pictures, or enlarge `split`."
        )
    if not len(bads) or (bar.escape is None and bar.overkill is not None):
        quantile = conformal_quantile(goods, rate=HEADROOM * (bar.overkill or 0.1))
        return float(np.nextafter(np.float32(quantile), np.float32(np.inf)))
    cuts = _cuts(scores)
    escape = (np.searchsorted(bads, cuts, side="left") + 0.5) / (len(bads) + 1)
    overkill = (len(goods) - np.searchsorted(goods, cuts, side="left") + 0.5) / (len(goods) + 1)
    if bar.overkill is None and bar.escape is not None:
        within = np.flatnonzero(escape <= max(HEADROOM * bar.escape, escape.min()))
        return float(cuts[within[-1]])
    margin = np.minimum(
        _margin(escape, bar.escape or 0.5, len(bads)),
        _margin(overkill, bar.overkill or 0.5, len(goods)),
    )
    return float(cuts[_middle_of_best(margin, _gaps(scores))])


def _margin(rate: Float[np.ndarray, " cuts"], limit: float, n: int) -> Float[np.ndarray, " cuts"]:
    """Room below the limit, in standard errors of a rate at the limit."""
    return (limit - rate) * np.sqrt(n / (limit * (1 - limit)))


def _middle_of_best(margin: Float[np.ndarray, " cuts"], gaps: Float[np.ndarray, " cuts"]) -> int:
    """The middle of the run of cuts around the best whose margins are as good; the best itself
    where the gap between scores that it lies in is wider than all of that run beside it: of few
    samples one error more is no worse by the margins, but it is nearer to all the others."""
    best = int(np.argmax(margin))
    poor = np.flatnonzero(margin < margin[best] - PLATEAU)
    low = int(np.max(poor[poor < best], initial=-1)) + 1
    high = int(np.min(poor[poor > best], initial=len(margin))) - 1
    if 2 * gaps[best] > gaps[low : high + 1].sum():
        return best
    return (low + high) // 2


def _cuts(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " cuts"]:
    """Half-way between neighbouring scores, and beyond both ends."""
    levels = np.unique(scores.astype(np.float64))
    ends = np.array([levels[0] - 1e-6, levels[-1] + 1e-6])
    return np.sort(np.concatenate([ends, (levels[1:] + levels[:-1]) / 2]))


def _gaps(scores: Float[np.ndarray, " n"]) -> Float[np.ndarray, " cuts"]:
    """Between the scores that each cut lies between; 0 beyond both ends."""
    return np.concatenate([[0.0], np.diff(np.unique(scores.astype(np.float64))), [0.0]])

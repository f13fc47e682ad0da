"""Bounds on a mean that hold at all times at once, however often one looks and whenever one stops.

A bettor against "the mean is at least m" who may lose all but never owes anything grows rich only
by luck if that is true: the wealth passes 1 / alpha with probability ≤ alpha, ever. So the upper
bound is the smallest m against which a bettor has grown as rich as that. The bettor stakes a fixed
share of the wealth on every observation; as nobody knows the best share, the money is spread over
many (`STAKES`) once, at the start. The wealth then depends on how often which value was seen, not
on the order, so the counts are all there is to keep.

Sources: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting",
JRSS-B 86(1), section 4 (the capital process K_t(m) and the confidence sequence it gives by Ville's
inequality), for the running intersection too; bets of fixed share mixed over a prior: Orabona &
Jun 2024, "Tight concentrations and confidence sequences from the regret of universal portfolio",
IEEE Trans. Inf. Theory 70(1). Written from the papers; no code taken.
"""

import math
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any

import numpy as np
from jaxtyping import Float64

from tenfold.errors import DataError

CELLS = 41
"""Values that are counted as they are; what lies between two counts as part of each."""
VALUES = np.linspace(0, 1, CELLS)
STAKES = np.geomspace(0.005, 0.99, 16)
"""Shares c of the largest stake that cannot ruin: few for rare errors, many for long streams."""
RICH_ENOUGH = 1e-9
"""How far above log(1 / alpha) the search may stop: above is where the bound still holds."""
MOST_STEPS = 50
"""Of the search; three do, unless rounding keeps it from its end."""
FARTHEST = 60.0
"""The search starts at m = 1 - exp(-60) when nothing is known."""


@dataclass(frozen=True, slots=True)
class ConfidenceSequence:
    """What observations in [least, 1] prove of their mean; `fold` adds more.

    If the mean of each observation, given all before it, is at least m, then `upper` ever falls
    below m with probability ≤ alpha; the same holds for `lower`, mirrored. Both hold at once with
    probability ≥ 1 - 2 alpha. Where `lower` is above `upper` the mean has changed meanwhile, or
    one of them missed it.
    """

    alpha: float
    """Of each bound."""
    least: float = -1.0
    """-1 for differences of losses, 0 for rates."""
    lower: float = -1.0
    """The highest so far."""
    upper: float = 1.0
    """The lowest so far."""
    n: int = 0
    counts: tuple[float, ...] = (0.0,) * CELLS
    """How often each of the evenly spaced values from `least` to 1 was seen."""

    def __post_init__(self) -> None:
        if not 0 < self.alpha < 1:
            raise DataError(f"alpha must lie in (0, 1), got {self.alpha!r}.")
        if self.least not in (-1.0, 0.0) or len(self.counts) != CELLS:
            raise DataError(
                f"not a confidence sequence: least {self.least!r}, {len(self.counts)} counts.",
                hint="Start a new one.",
            )

    @classmethod
    def of_differences(cls, *, alpha: float) -> "ConfidenceSequence":
        """For values in [-1, 1]; each of the two bounds is missed with probability ≤ `alpha`."""
        return cls(alpha)

    @classmethod
    def of_rate(cls, *, alpha: float) -> "ConfidenceSequence":
        """For values in [0, 1]; either of the two bounds is missed with probability ≤ `alpha`."""
        return cls(alpha / 2, least=0.0, lower=0.0)

    @property
    def mean(self) -> float:
        """Of what was seen; NaN before anything was."""
        shares = float(np.dot(self.counts, VALUES)) / self.n if self.n else math.nan
        return self.least + (1 - self.least) * shares

    def fold(self, values: Sequence[float] | Float64[np.ndarray, " n"]) -> "ConfidenceSequence":
        """This with more observations, in the order they came.

        Raises:
            DataError: a value is NaN or out of range.
        """
        array = np.asarray(values, np.float64)
        wrong = array[~((array >= self.least) & (array <= 1))]
        if len(wrong):
            raise DataError(
                f"expected values in [{self.least:g}, 1], got {float(wrong[0])!r}.",
                hint="A loss lies in [0, 1].",
            )
        width = 1 - self.least
        counts = np.array(self.counts)
        low, high = (self.lower - self.least) / width, (self.upper - self.least) / width
        for share, times in _runs((array - self.least) / width):
            _count(counts, share, times)
            high = _upper(counts, self.alpha, high)
            low = 1 - _upper(counts[::-1], self.alpha, 1 - low)
        return replace(
            self,
            lower=max(self.lower, self.least + width * low),
            upper=min(self.upper, self.least + width * high),
            n=self.n + len(array),
            counts=tuple(counts.tolist()),
        )

    def to_json(self) -> dict[str, Any]:
        return asdict(self) | {"counts": list(self.counts)}

    @classmethod
    def from_json(cls, plain: dict[str, Any]) -> "ConfidenceSequence":
        fields: dict[str, Any] = {**plain, "counts": tuple(map(float, plain["counts"]))}
        return cls(**fields)


def _runs(shares: Float64[np.ndarray, " n"]) -> list[tuple[float, int]]:
    """Equal values in a row as (value, how many).

    Within a run the wealth is a sum of exponentials of the number, so it is nowhere higher than at
    one of the ends: to look at the ends alone is to look at each.
    """
    starts = np.flatnonzero(np.diff(shares, prepend=-1.0))
    lengths = np.diff(starts, append=len(shares))
    return list(zip(shares[starts].tolist(), lengths.tolist(), strict=True))


def _count(counts: Float64[np.ndarray, " cells"], share: float, times: int) -> None:
    """Adds `share` in [0, 1] to the two cells beside it, so that their mean is right.

    The log of what a bet returns is concave in the value, so the wealth counted this way is at most
    the true one: the bounds get wider by it, never wrong.
    """
    place = share * (CELLS - 1)
    cell = min(int(place), CELLS - 2)
    counts[cell] += times * (1 - (place - cell))
    counts[cell + 1] += times * (place - cell)


def _upper(counts: Float64[np.ndarray, " cells"], alpha: float, before: float) -> float:
    """The smallest m ≤ `before` against which the wealth is 1 / alpha, for values in [0, 1].

    In s = -log(1 - m) the log of the wealth is convex and grows, so Newton's steps from the right
    come down to the root and do not pass it.
    """
    seen = np.flatnonzero(counts)
    times = counts[seen]
    gains = np.outer(1 - VALUES[seen], STAKES)
    s = -math.log1p(-before) if before < 1 else FARTHEST
    bound = before
    for _ in range(MOST_STEPS):
        risked = gains * math.exp(s)
        returns = (1 - STAKES) + risked  # 1 - λ (x - m), λ = c / (1 - m)
        wealths = times @ np.log(returns)
        top = wealths.max()
        parts = np.exp(wealths - top)
        total = parts.sum()
        over = top + math.log(total / len(STAKES) * alpha)
        if over <= RICH_ENOUGH:
            break
        slope = (parts @ (times @ (risked / returns))) / total
        s -= over / slope
        bound = -math.expm1(-s)
    return bound

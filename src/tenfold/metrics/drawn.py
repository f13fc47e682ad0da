"""How many of all things are wrong, from those that a lot fell on, and by the lot alone.

A coin with a known probability decides on each thing whether somebody looks at it. What is wrong
may be anything: it may come in bursts, follow from what was found before, or change for good. The
coin is the only chance there is, so the bounds are about the things that were there, not about a
rate behind them, and they hold at all times at once.

A bettor who is told how many are wrong stakes money on the coins: with probability p a thing is
drawn; a wrong one then takes the share a of the money, a right one adds the share b. With W wrong
and R right ones of one p, and a price for each thing that makes the bet fair, the money is

    (1 - a)^(drawn wrong) (1 + b)^(drawn right) / ((1 - p a)^W (1 + p b)^R),

a martingale whatever is wrong, since each thing's factor has mean 1 over its coin: it reaches
1 / alpha with probability ≤ alpha, ever (Ville). It grows with W, so the largest W at which it is
less is below the true one no more often. Where p changes the factors multiply, with stakes in
proportion to 1 / p, so that a drawn thing weighs as much as those for which it stands. As nobody
knows the best stakes, the money is spread over `BETS` once, at the start. Counts are all there is
to keep.

Sources: Waudby-Smith & Ramdas 2024, "Estimating means of bounded random variables by betting",
JRSS-B 86(1), for bounds by betting; Shekhar, Xu, Lipton, Liang & Ramdas 2023, "Risk-limiting
financial audits via weighted sampling without replacement", UAI, for bets on values weighted by
1 / probability. There one thing is drawn after the other; here each has a coin of its own (Poisson
sampling: Särndal, Swensson & Wretman 1992, "Model assisted survey sampling", chapter 3), and the
factors are worked out for it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Int64

from tenfold.errors import DataError

LARGEST = 0.99
"""Share of the money that a wrong one may take: more would ruin."""
_SHARES = np.geomspace(0.005, LARGEST, 16)
_GAINS = np.geomspace(0.05, 30, 8)
BETS = np.concatenate(
    [
        np.stack([_SHARES, 0 * _SHARES], 1),  # few are wrong: each that is drawn tells much
        np.stack([_SHARES, _SHARES], 1) / 2,
        np.stack([0 * _GAINS, _GAINS], 1),  # few are right
    ]
)
"""Stakes (a, b) where the probability is that of the first things."""
MONEY = np.concatenate(
    [
        0.6 * np.sqrt(_SHARES) / np.sqrt(_SHARES).sum(),
        0.2 * np.sqrt(_SHARES) / np.sqrt(_SHARES).sum(),
        np.full(len(_GAINS), 0.2 / len(_GAINS)),
    ]
)
"""On each bet; more on the large ones, as nothing or little is wrong in what is worth auditing."""


Counts = Int64[np.ndarray, " probabilities"]


@dataclass(frozen=True, slots=True)
class Drawn:
    """Things on which a coin of one probability decided."""

    probability: float
    """Of being drawn, in [0, 1]."""
    all: int
    """Drawn or not."""
    wrong: int = 0
    """Of the drawn."""
    right: int = 0
    """Of the drawn."""
    unknown: int = 0
    """Of the drawn; they count as what is worst for either bound."""

    def __post_init__(self) -> None:
        most = self.all if self.probability > 0 else 0
        is_counted = min(self.wrong, self.right, self.unknown) >= 0 and self.drawn <= most
        if not (0 <= self.probability <= 1 and self.all >= 0 and is_counted):
            raise DataError(f"no draw can be {self!r}.")

    @property
    def drawn(self) -> int:
        return self.wrong + self.right + self.unknown


def wrong_ones(drawn: Sequence[Drawn], *, alpha: float) -> tuple[int, int]:
    """The fewest and the most that may be wrong among all, drawn or not.

    Each of the two is ever missed with probability ≤ `alpha`, however often and whenever one looks,
    as long as each coin is tossed by itself and what it decides on does not follow from it. The
    first entry must be of the first probability in use, later ones may come in any order.
    """
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie in (0, 1), got {alpha!r}.")
    wrong, right, unknown = (
        np.array([getattr(one, name) for one in drawn], np.int64)
        for name in ("wrong", "right", "unknown")
    )
    most_right = _most(drawn, right + unknown, wrong, alpha)
    return sum(one.all for one in drawn) - most_right, _most(drawn, wrong + unknown, right, alpha)


def share_wrong(drawn: Sequence[Drawn]) -> float | None:
    """Of the known ones, each standing for 1 / probability things; None: none is known.

    With one probability, and where all drawn are known, it is unbiased, given how many there are.
    """
    known = sum((one.wrong + one.right) / one.probability for one in drawn if one.drawn)
    wrong = sum(one.wrong / one.probability for one in drawn if one.drawn)
    return wrong / known if known else None


def _most(drawn: Sequence[Drawn], hits: Counts, misses: Counts, alpha: float) -> int:
    """The largest number of hits at which the money is worth less than 1 / alpha.

    Of all ways to spread so many hits over the probabilities the one counts that leaves the least
    money. A hit in place of a miss multiplies it by (1 + p b) / (1 - p a): p b is the same for all
    p and p a the same or less for small ones, so those of the smallest p are taken for hits first.
    """
    order = sorted(range(len(drawn)), key=lambda i: drawn[i].probability)
    p, total = np.array([[one.probability, one.all] for one in drawn]).reshape(-1, 2).T
    room = (total - hits - misses)[order]
    before = np.cumsum(room) - room
    tossed = p > 0
    if not tossed.any():
        return int(total.sum())
    scale = p[tossed][0] / p[tossed, None]
    a, b = np.minimum(scale * BETS[:, 0], LARGEST), scale * BETS[:, 1]
    start = np.log(MONEY) + hits[tossed] @ np.log1p(-a) + misses[tossed] @ np.log1p(b)
    if_hit, if_miss = (np.log1p(p[tossed, None] * stakes) for stakes in (-a, b))
    low, high = int(hits.sum()), int((total - misses).sum())
    while low < high:
        middle = (low + high + 1) // 2
        so_many = hits.astype(np.float64)
        so_many[order] += np.clip(middle - hits.sum() - before, 0, room)
        some, others = so_many[tossed], (total - so_many)[tossed]
        if np.logaddexp.reduce(start - some @ if_hit - others @ if_miss) < -math.log(alpha):
            low = middle
        else:
            high = middle - 1
    return low

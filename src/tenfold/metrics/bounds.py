"""Exact bounds on error rates, the spending of alpha over looks, and how many labels decide.

Sources: Clopper & Pearson 1934, Biometrika 26 (exact binomial limits); the spending is a union
bound over looks with weights 6 / (pi k)^2, which sum to one (Basel); conformal quantile: Vovk,
Gammerman & Shafer 2005, "Algorithmic Learning in a Random World", section 2.2.
"""

import math

import numpy as np
from jaxtyping import Float
from scipy.special import bdtr, betainccinv, betaincinv

from tenfold.errors import DataError

ZIGZAG = 64
"""Up to so many samples one more may prove less than one fewer, so each number is tried."""
MOST_LABELS = 1_000_000
"""More labels than this are as good as hopeless."""


def upper_bound(errors: int, n: int, *, alpha: float) -> float:
    """Exact one-sided upper limit of an error rate: it is missed with probability ≤ `alpha`.

    1 where nothing was judged.

    Raises:
        DataError: counts or alpha are impossible.
    """
    _check(errors, n, alpha)
    return 1.0 if errors == n else float(betainccinv(errors + 1, n - errors, alpha))


def lower_bound(errors: int, n: int, *, alpha: float) -> float:
    """Exact one-sided lower limit of an error rate; 0 where nothing went wrong."""
    _check(errors, n, alpha)
    return 0.0 if errors == 0 else float(betaincinv(errors, n - errors + 1, alpha))


def spent_alpha(alpha: float, look: int) -> float:
    """What look number `look` = 1, 2, … may spend of `alpha`; all looks together spend `alpha`."""
    if look < 1:
        raise DataError(f"looks are counted from 1, got {look!r}.")
    return alpha * 6 / (math.pi * look) ** 2


def most_errors(n: int, *, limit: float, alpha: float) -> int:
    """Most errors among `n` whose upper bound is still ≤ `limit`; -1 where not even 0 is."""
    # upper_bound(c, n) ≤ limit  ⇔  P(Binomial(n, limit) ≤ c) ≤ alpha
    low, high = -1, n  # c = n is never enough: its bound is 1
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if bdtr(middle, n, limit) <= alpha else (low, middle)
    return low


def labels_needed(rate: float, *, limit: float, alpha: float, power: float = 0.8) -> int | None:
    """Judged samples with which a head of true error `rate` is proven with probability `power`.

    None where `rate` is not below `limit`, or more than a million would be needed.
    """
    if rate >= limit:
        return None
    few = (n for n in range(1, ZIGZAG + 1) if _decides(n, rate, limit, alpha, power))
    if (least := next(few, None)) is not None:
        return least
    low, high = ZIGZAG, 2 * ZIGZAG
    while not _decides(high, rate, limit, alpha, power):
        low, high = high, 2 * high
        if high > MOST_LABELS:
            return None
    while high - low > 1:  # nearly monotone up here
        middle = (low + high) // 2
        low, high = (low, middle) if _decides(middle, rate, limit, alpha, power) else (middle, high)
    return high


def conformal_quantile(scores: Float[np.ndarray, " n"], *, rate: float) -> float:
    """Value that a new good sample exceeds with probability ≤ `rate`.

    The ⌈(n + 1)(1 - rate)⌉-th smallest score; the largest where `n` is too small to promise it,
    then the probability is 1 / (n + 1).

    Raises:
        DataError: there are no scores.
    """
    if not len(scores):
        raise DataError("no good sample to set a threshold from.", hint="Add good pictures.")
    rank = min(math.ceil((len(scores) + 1) * (1 - rate)), len(scores))
    return float(np.sort(scores)[rank - 1])


def _decides(n: int, rate: float, limit: float, alpha: float, power: float) -> bool:
    most = most_errors(n, limit=limit, alpha=alpha)
    return most >= 0 and float(bdtr(most, n, rate)) >= power


def _check(errors: int, n: int, alpha: float) -> None:
    if not 0 <= errors <= n:
        raise DataError(f"{errors} errors of {n} judged samples cannot be.")
    if not 0 < alpha < 1:
        raise DataError(f"alpha must lie in (0, 1), got {alpha!r}.")

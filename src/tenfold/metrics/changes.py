"""Whether what comes leans one way, farther than lots do to which nothing happened.

Brightness, contrast and sharpness are looked at each by itself: along one number it is known how
far another lot may lie (`Spread`).

A change of light or of the camera moves every picture the same way: too little to be seen in one,
but it does not average out as the differences between lots do. The way is learned from earlier
answers, so what is tested has no part in it. How far is counted in standard deviations of the means
of the reference's lots along that way: with few lots that is a rough measure, so what counts as far
is what half of those lots show against the other half.

Sources: that a direction is learned from the past and held against what comes next is the idea of
Shekhar & Ramdas 2023, "Nonparametric two-sample testing by betting" (arXiv:2112.09162), who bet on
an estimate of the witness function; what is bet on here is how often blocks lean far, see
`loop.watch`. The covariance is a mixture of the sample's with a multiple of the identity, as in
Ledoit & Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices",
J. Multivariate Anal. 88; they estimate the best share, ours is fixed. Written from the papers; no
code taken.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float, Int
from scipy.linalg import solve_triangular
from scipy.special import stdtrit

FEWEST_LOTS = 8
"""With fewer nobody can say how lots differ."""
SHRINK = 0.3
"""Share of the identity in the covariance."""
SPLITS = 16
"""Ways to part the lots into halves."""
FLAT = 1e-9
"""A spread, so that equal pictures do not divide by zero."""


@dataclass(frozen=True, slots=True, eq=False)
class Lots:
    """How lots differ from each other."""

    centre: Float[np.ndarray, " dim"]
    whitening: Float[np.ndarray, "dim dim"]
    means: Float[np.ndarray, "lots dim"]
    """Of each lot, whitened, less the mean of all."""

    @classmethod
    def of(cls, projections: Float[np.ndarray, "n dim"], lots: Int[np.ndarray, " n"]) -> "Lots":
        exact = projections.astype(np.float64)
        covariance = np.atleast_2d(np.cov(exact.T))
        even = max(float(np.trace(covariance)) / len(covariance), FLAT)
        pulled = (1 - SHRINK) * covariance + SHRINK * even * np.eye(len(covariance))
        lower = np.linalg.cholesky(pulled)
        whitening = solve_triangular(lower, np.eye(len(pulled)), lower=True).T
        means = np.array([exact[lots == lot].mean(0) for lot in np.unique(lots)])
        centre = means.mean(0)
        return cls(centre, whitening, (means - centre) @ whitening)

    def lean(
        self, blocks: Float[np.ndarray, "n dim"], before: Float[np.ndarray, " dim"]
    ) -> Float[np.ndarray, " n"]:
        """How far the means of blocks lie the way that `before` does: about a Student's t with
        lots - 1 degrees of freedom where both are of other lots and nothing changed."""
        way = (before.astype(np.float64) - self.centre) @ self.whitening
        way = way / max(float(np.linalg.norm(way)), FLAT)
        spread = float((self.means @ way).std(ddof=1)) * (1 + 1 / len(self.means)) ** 0.5
        along = (blocks.astype(np.float64) - self.centre) @ (self.whitening @ way)
        return along / max(spread, FLAT)


@dataclass(frozen=True, slots=True, eq=False)
class Spread:
    """How blocks of different lots differ, each of some numbers by itself."""

    centre: Float[np.ndarray, " k"]
    deviation: Float[np.ndarray, " k"]
    lots: int

    @classmethod
    def of(
        cls, numbers: Float[np.ndarray, "n k"], lots: Int[np.ndarray, " n"], *, block: int
    ) -> "Spread":
        """Of blocks as they lie in at least two lots: between lots, and within them."""
        each = [_blocks(numbers[lots == lot], block) for lot in np.unique(lots)]
        means = np.array([blocks.mean(0) for blocks in each])
        within = np.mean([blocks.var(0) for blocks in each], axis=0)
        return cls(means.mean(0), np.sqrt(means.var(0, ddof=1) + within), len(each))

    @classmethod
    def of_blocks(cls, means: Float[np.ndarray, "n k"]) -> "Spread":
        """Of at least two blocks, as if each were of a lot of its own."""
        return cls(means.mean(0), means.std(0, ddof=1), len(means))

    def reach(self, share: float) -> Float[np.ndarray, " k"]:
        """How far from the centre that share of the blocks of other lots lie at most: wider, the
        fewer lots say so (the prediction interval of normal means, by Student's t)."""
        far = float(stdtrit(self.lots - 1, (1 + share) / 2))
        return far * (1 + 1 / self.lots) ** 0.5 * self.deviation


def as_lots(groups: Sequence[str], *, least: int) -> Int[np.ndarray, " n"]:
    """A number for each sample: groups that are smaller than `least` are put together, in a random
    order that is always the same, as a block of answers would hold several of them."""
    members: dict[str, list[int]] = {}
    for place, name in enumerate(groups):
        members.setdefault(name, []).append(place)
    names = sorted(members)
    lots, number, held = np.zeros(len(groups), np.int64), 0, 0
    for turn in np.random.default_rng(0).permutation(len(names)):
        mine = members[names[turn]]
        lots[mine] = number
        held += len(mine)
        if held >= least:
            number, held = number + 1, 0
    if 0 < held < least and number:  # what is left over joins the last
        lots[lots == number] = number - 1
    return lots


def usual_lean(
    projections: Float[np.ndarray, "n dim"], lots: Int[np.ndarray, " n"], *, block: int
) -> float:
    """How far blocks of one half of the lots lean against the other half, at the middle.

    As if production had half of the lots again and again: its mean is learned from them all. Half
    the lots differ more than all of them would, so this errs towards no alarm.
    """
    names, rng = np.unique(lots), np.random.default_rng(0)
    found: list[float] = []
    for _ in range(SPLITS):
        ours = np.isin(lots, rng.permutation(names)[: len(names) // 2])
        half = Lots.of(projections[ours], lots[ours])
        blocks = np.concatenate(
            [_blocks(projections[lots == lot], block) for lot in np.unique(lots[~ours])]
        )
        found.append(float(np.median(half.lean(blocks, blocks.mean(0)))))
    return float(np.median(found))


def _blocks(projections: Float[np.ndarray, "n dim"], size: int) -> Float[np.ndarray, "k dim"]:
    """Means of each `size` that follow each other; of all, where there are fewer."""
    count = max(1, len(projections) // size)
    return np.array([part.mean(0) for part in np.array_split(projections, count)], np.float64)

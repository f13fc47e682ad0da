"""What other thresholds would have done on judge, counted as the verdict counts. Pure.

It proves nothing: who picks a threshold on the judge pictures has fitted it to them.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.factory.evidence import EvidenceRow
from tenfold.metrics.bounds import upper_bound
from tenfold.runtime import UNFIT

MOST = 400


@dataclass(frozen=True, slots=True)
class Tallied:
    """Errors of one kind, with the exact upper bound of their rate."""

    errors: int
    n: int
    upper: float


@dataclass(frozen=True, slots=True)
class WhatIf:
    """What scores at or above `threshold` being called bad comes to."""

    threshold: float
    escape: Tallied
    overkill: Tallied


@dataclass(frozen=True, slots=True, eq=False)
class _Side:
    """Scores of what was drawn from one class; what is unfit is bad whatever its score."""

    scores: Float32[np.ndarray, " n"]
    is_unfit: Bool[np.ndarray, " n"]

    def passed(self, threshold: float) -> int:
        return int(((self.scores < np.float32(threshold)) & ~self.is_unfit).sum())


def what_if(
    rows: Sequence[EvidenceRow], *, bad: str, threshold: float, alpha: float
) -> list[WhatIf]:
    """For every threshold that judge can tell apart, rising; `MOST` of them where there are more.

    `threshold` is the package's own and always among them.
    """
    positive = _side([row for row in rows if row.label == bad])
    negative = _side([row for row in rows if row.label != bad])
    return [
        WhatIf(
            value,
            _tallied(positive.passed(value), len(positive.scores), alpha),
            _tallied(len(negative.scores) - negative.passed(value), len(negative.scores), alpha),
        )
        for value in _thresholds(np.concatenate([positive.scores, negative.scores]), threshold)
    ]


def _side(rows: Sequence[EvidenceRow]) -> _Side:
    """One sample of each group: the one with the smallest digest, as in `judge.tally`."""
    drawn: dict[str, EvidenceRow] = {}
    for row in sorted(rows, key=lambda row: row.sample):
        drawn.setdefault(row.group, row)
    return _Side(
        np.array([row.scores[-1] for row in drawn.values()], np.float32),
        np.array([row.decision == UNFIT for row in drawn.values()], bool),
    )


def _thresholds(scores: Float32[np.ndarray, " n"], own: float) -> list[float]:
    """A cut at every score and one above all; the package's own for the cut that does the same."""
    cuts = np.unique(scores)
    cuts = np.append(cuts, np.nextafter(cuts[-1:], np.float32(np.inf)))
    picked = np.unique(np.linspace(0, len(cuts) - 1, min(len(cuts), MOST)).round().astype(int))
    same = int(np.searchsorted(cuts, np.float32(own)))
    others = [float(cuts[i]) for i in picked if i != same]
    return sorted([*others, own])


def _tallied(errors: int, n: int, alpha: float) -> Tallied:
    return Tallied(errors, n, upper_bound(errors, n, alpha=alpha))

"""How long the stages of a cycle take."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np

Times = Mapping[str, float]
"""Milliseconds by stage."""
WHOLE = "all"
"""From the trigger to the decision."""


@dataclass(frozen=True, slots=True)
class Stage:
    name: str
    parts: int
    median_ms: float
    p95_ms: float
    p999_ms: float
    share: float
    """Of the median of the whole."""


def stages(parts: Sequence[Times]) -> list[Stage]:
    """Stages in the order in which they come, the whole last."""
    longest_first = sorted(parts, key=len, reverse=True)  # whoever was not judged lacks some
    names = dict.fromkeys(name for part in longest_first for name in part if name != WHOLE)
    found = [_stage(name, parts) for name in (*names, WHOLE)]
    whole = found[-1].median_ms if found[-1] else 0.0
    return [
        Stage(s.name, s.parts, s.median_ms, s.p95_ms, s.p999_ms, s.median_ms / whole)
        for s in found
        if s and whole
    ]


def _stage(name: str, parts: Sequence[Times]) -> Stage | None:
    taken = [part[name] for part in parts if name in part]
    if not taken:
        return None
    median, p95, p999 = np.quantile(taken, [0.5, 0.95, 0.999]).tolist()
    return Stage(name, len(taken), median, p95, p999, 0.0)

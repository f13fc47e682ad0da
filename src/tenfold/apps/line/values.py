"""Values of a line: what triggers a look, what was seen, what was decided."""

import time
from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal, TypeAlias

import numpy as np
from jaxtyping import Float32, UInt8

from tenfold.values import Fit

Pixels: TypeAlias = UInt8[np.ndarray, "h w 3"]
Outcome = Literal["ok", "reject", "manual"]


@dataclass(frozen=True, slots=True)
class Trigger:
    """A part is in place."""

    sequence: int
    """As the controller counts, from 1 on; never the same twice in one counting."""
    part: str = ""
    """Part number; empty: it is read from the picture, or there is one alone."""
    serial: str = ""
    lot: str = ""
    at_s: float = field(default_factory=time.monotonic, compare=False)
    """When it was told, as `time.monotonic` counts; it may have waited since."""
    is_first: bool = field(default=False, compare=False)
    """The first since the controller was connected: it may count anew."""


def is_after(sequence: int, other: int) -> bool:
    """Whether it was counted later, in 32 bits that begin anew after the highest number."""
    return 0 < (sequence - other) % 2**32 < 2**31


@dataclass(frozen=True, slots=True, eq=False)
class Frame:
    """A picture that a camera took."""

    pixels: Pixels
    """RGB."""
    taken_at: datetime


@dataclass(frozen=True, slots=True)
class Decision:
    """What becomes of a part; only `ok` lets it leave."""

    sequence: int
    part: str
    outcome: Outcome
    reason: str = ""
    """A short word that stays the same, for screens and tags; empty for `ok`."""


@dataclass(frozen=True, slots=True, eq=False)
class Region:
    """A region as it was cut out of a picture, upright as in the reference."""

    name: str
    pixels: Pixels
    inside: float
    """Share of it that lies in the picture."""


@dataclass(frozen=True, slots=True)
class Said:
    """What one check of one region said."""

    region: str
    check: int
    """Which of the region's checks, from 0."""
    decision: str = ""
    """Class a head decided for."""
    score: float = 0.0
    """How sure of it, or how bad."""
    unfit: str = ""
    """Why nobody should judge the region; empty when it is fit."""
    threshold: float | None = None
    """Of a head that tells good from bad: it is bad from this score on."""
    good: str = ""
    """What such a head calls a good one."""
    differences: int = 0
    """From the golden reference."""


@dataclass(frozen=True, slots=True, eq=False)
class Sight:
    """A region as its checks saw it, ready to be drawn for people."""

    pixels: Pixels
    score_map: Float32[np.ndarray, "gh gw"] | None = None
    """What a head found strange, over the square canvas that it read."""
    threshold: float = 0.0
    size_px: int = 0
    """Of that canvas."""
    fit: Fit = "letterbox"
    boxes: tuple[tuple[int, int, int, int], ...] = ()
    """Where it differs from the reference: left, top, right, bottom in its pixels."""

    @property
    def nearness(self) -> float:
        """To a reject, by the map alone: 1 is the threshold."""
        if self.score_map is None or not self.threshold:
            return 0.0
        return float(self.score_map.max()) / self.threshold


@dataclass(frozen=True, slots=True)
class Complaint:
    """Why a part is not ok."""

    outcome: Literal["reject", "manual"]
    reason: str
    region: str = ""
    score: float = 0.0

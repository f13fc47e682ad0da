"""Small frozen values that every part above may pass around; each checks itself when made."""

import hashlib
import json
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass
from typing import Any, Literal

import numpy as np
from jaxtyping import Float, Float32

from tenfold.errors import SpecError

Fit = Literal["letterbox", "squash"]
Precision = Literal["fp32", "bf16", "int8"]
Split = Literal["fit", "calibrate", "judge"]
Kind = Literal["classify", "anomaly"]

Progress = Callable[[str, int, int], None]
"""Called with (stage, done, total) while something long runs."""

VIEWS = 8
"""Dihedral views of a square: view v turns by 90° * (v % 4), then mirrors left-right if v ≥ 4."""


@dataclass(frozen=True, slots=True)
class FeatureSpace:
    """Everything but the sample that decides a feature's bytes."""

    trunk: str
    """Digest of the trunk's graph."""
    size_px: int
    """Side of the square canvas."""
    fit: Fit
    view: int
    """0 .. VIEWS - 1."""
    precision: Precision
    runtime: str
    """Name and version, such as `openvino-2026.4.1`."""

    def __post_init__(self) -> None:
        if not 0 <= self.view < VIEWS:
            raise SpecError(f"view must be 0 .. {VIEWS - 1}, got {self.view!r}.")
        if not 32 <= self.size_px <= 4096:
            raise SpecError(f"size_px must be 32 .. 4096, got {self.size_px!r}.")

    @property
    def key(self) -> str:
        """Short stable name, safe as a folder."""
        return fingerprint(asdict(self))[:24]


@dataclass(frozen=True, slots=True, eq=False)
class MapBatch:
    """What a trunk saw in a few pictures, as anomaly heads read it."""

    maps: Mapping[int, Float[np.ndarray, "n _ _ _"]]
    """Feature maps [n, h, w, c] by stride in pixels."""
    content_xyxy: Float32[np.ndarray, "n 4"]
    """Where the picture lies on the canvas, in canvas shares 0..1; the rest is padding."""
    pooled: Float32[np.ndarray, "n dim"]
    vitals: Float32[np.ndarray, "n 5"]
    """See `tenfold.trunks.graph.VITALS`."""

    def __len__(self) -> int:
        return len(self.pooled)


Seen = Float32[np.ndarray, "n views dim"] | MapBatch
"""Pictures after the trunk: pooled features (classify), or maps (anomaly)."""


def fingerprint(value: Any) -> str:
    """SHA-256 of `value` as canonical JSON (sorted keys, no spaces)."""
    text = json.dumps(value, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode()).hexdigest()

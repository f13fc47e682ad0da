"""What was answered: a record for each answer, in segments that only grow.

A segment is one file that one process appends to. Each record says how long it is and ends in a
checksum, so that a reader knows where a killed writer stopped.
"""

import hashlib
import json
import struct
import zlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any

import numpy as np
from jaxtyping import Float16, Float32

from tenfold.heads.roots import mean_root

PROJECTED = 128
SEGMENT = ".answers"
"""How the file of a segment ends."""
HEAD_BYTES = 8
"""A segment begins with the place up to which its records are sure."""
_FRAME = struct.Struct("<4sIII")
"""Magic, bytes of text, bytes of projection, CRC-32 of both."""
_MAGIC = b"TFA1"


@dataclass(frozen=True, slots=True)
class Answered:
    """One answer of one head."""

    id: str
    at: float
    """Seconds since 1970, UTC."""
    deployment: str
    role: str
    """See `tenfold.serving.routing.Role`."""
    model: str
    sample: str
    """SHA-256 of the file; of the file that `as_bmp` makes where pixels were sent."""
    route: str
    label: str | None
    """None: the head failed, and nobody got an answer of it."""
    score: float
    latency_ms: float
    """From the arrival of the request to the answer."""
    busy_ms: float
    """Of decoding, the trunk and the head; shared where several heads looked."""
    generation: int
    brightness: float | None = None
    """Of the picture as the head's first trunk saw it, see `trunks.graph.VITALS`: mean,"""
    contrast: float | None = None
    """standard deviation"""
    sharpness: float | None = None
    """and edges; None: not recorded."""

    @property
    def when(self) -> datetime:
        return datetime.fromtimestamp(self.at, UTC)


@dataclass(frozen=True, slots=True)
class Lost:
    """Answers that were given and could not be recorded."""

    answers: int


@dataclass(frozen=True, slots=True)
class Record:
    what: Answered | Lost
    projection: bytes
    """128 numbers (float16) of the features, see `projected`; empty where nothing was answered."""
    end: int
    """Where the next record begins."""


def frame(what: Answered | Lost, projection: bytes = b"") -> bytes:
    """A record's bytes."""
    text = json.dumps(asdict(what), ensure_ascii=False, separators=(",", ":")).encode()
    check = zlib.crc32(projection, zlib.crc32(text))
    return _FRAME.pack(_MAGIC, len(text), len(projection), check) + text + projection


def records(data: bytes | memoryview, *, start: int = 0) -> Iterator[Record]:
    """Whole records from `start` on; what a killed writer left unfinished ends it."""
    at = start
    while at + _FRAME.size <= len(data):
        magic, text_size, tail_size, check = _FRAME.unpack_from(data, at)
        begin = at + _FRAME.size
        end = begin + text_size + tail_size
        if magic != _MAGIC or end > len(data) or zlib.crc32(data[begin:end]) != check:
            return
        plain: dict[str, Any] = json.loads(bytes(data[begin : begin + text_size]))
        what = Lost(**plain) if "answers" in plain else Answered(**plain)
        yield Record(what, bytes(data[begin + text_size : end]), end)
        at = end


class Projection:
    """Features seen through 128 random directions, the same for every process, machine and version.

    Source: Achlioptas 2003, "Database-friendly random projections", theorem 1.1 (signs).
    """

    def __init__(self) -> None:
        self._signs: dict[int, Float32[np.ndarray, "dim 128"]] = {}

    def projected(self, pooled: Float32[np.ndarray, " dim"]) -> Float16[np.ndarray, " 128"]:
        dim = len(pooled)
        if dim not in self._signs:
            drawn = hashlib.shake_256(f"tenfold {dim}".encode()).digest(dim * PROJECTED // 8)
            bits = np.unpackbits(np.frombuffer(drawn, np.uint8)).reshape(dim, PROJECTED)
            signs = 2 * bits.astype(np.float32) - 1
            self._signs[dim] = signs / np.float32(PROJECTED**0.5)
        return (mean_root(pooled[None, None])[0] @ self._signs[dim]).astype(np.float16)

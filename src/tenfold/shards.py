"""One immutable file of features: sample ids, arrays and a checksum of every row, in safetensors.

Written with the safetensors library. Read by our own few lines, because a reader wants some rows,
and checks what it reads: https://github.com/huggingface/safetensors#format.
"""

import hashlib
import json
import os
import zlib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import UInt32
from safetensors.numpy import save

from tenfold.atomic import writing
from tenfold.errors import IntegrityError

DTYPES = {
    "F32": np.dtype("<f4"),
    "F16": np.dtype("<f2"),
    "U32": np.dtype("<u4"),
    "U8": np.dtype("u1"),
}
IDS, CHECKS = "samples", "crc32"
"""Arrays of every shard: 32 bytes a sample, and a CRC-32 for each row of each other array."""


class Shard:
    """An opened header; rows are read and checked when they are asked for."""

    def __init__(self, path: Path, header: dict[str, Any], start: int) -> None:
        self.path = path
        digests: dict[str, str] = header.pop("__metadata__")
        self._header = header
        self._start = start
        for name in (IDS, CHECKS):
            if hashlib.sha256(self._read(name, None).tobytes()).hexdigest() != digests[name]:
                raise _damaged(path, f"{name} is not what was written")
        self.samples = [bytes(row).hex() for row in self._read(IDS, None)]
        checks = self._read(CHECKS, None)
        self._checks = {name: checks[i] for i, name in enumerate(self.names)}
        self._is_checked = {name: np.zeros(len(self.samples), bool) for name in self.names}

    @property
    def names(self) -> list[str]:
        return sorted(name for name in self._header if name not in (IDS, CHECKS))

    def is_sound(self) -> bool:
        """Whether every array is what was written; each is read and checked once a process."""
        try:
            for name in self.names:
                if not self._is_checked[name].all():
                    self.rows(name, range(len(self.samples)))
        except (IntegrityError, FileNotFoundError):
            return False
        return True

    def rows(self, name: str, rows: Sequence[int]) -> np.ndarray:
        """A copy of some rows.

        Raises:
            FileNotFoundError: the shard was evicted.
            IntegrityError: it is damaged.
        """
        try:
            found = self._read(name, rows)
            fresh = [i for i, row in enumerate(rows) if not self._is_checked[name][row]]
            for i in fresh:
                if zlib.crc32(found[i].data) != self._checks[name][rows[i]]:
                    raise _damaged(self.path, f"{name} is not what was written")
        except (LookupError, ValueError, TypeError) as error:
            raise _damaged(self.path, str(error)) from error
        self._is_checked[name][[rows[i] for i in fresh]] = True
        return found

    def _read(self, name: str, rows: Sequence[int] | None) -> np.ndarray:
        """Rows as they lie there, None: all of them; neighbours are read at once."""
        entry = self._header[name]
        dtype, (count, *shape) = DTYPES[entry["dtype"]], entry["shape"]
        rows = range(count) if rows is None else rows
        width = int(np.prod(shape)) * dtype.itemsize
        found = np.empty((len(rows), width), np.uint8)
        begin, end = (self._start + offset for offset in entry["data_offsets"])
        if end - begin != count * width:
            raise ValueError(f"{name} has {end - begin} bytes, its shape asks for {count * width}")
        with self.path.open("rb", buffering=0) as file:
            for first, last in _runs(rows):
                part = found[first:last]
                if (
                    os.preadv(file.fileno(), [part.data], begin + rows[first] * width)
                    != part.nbytes
                ):
                    raise ValueError(f"{name} is cut")
        return found.view(dtype).reshape(len(rows), *shape)


def read_shard(path: Path) -> Shard:
    """Open a shard and check its header and sample ids.

    Raises:
        FileNotFoundError: it was evicted.
        IntegrityError: it is damaged.
    """
    try:
        with path.open("rb") as file:
            length = int.from_bytes(file.read(8), "little")
            size = path.stat().st_size
            if not 2 <= length <= size - 8:
                raise ValueError("its header is cut")
            header = json.loads(file.read(length))
        ends = [entry["data_offsets"][1] for name, entry in header.items() if name[:2] != "__"]
        if max(ends) != size - 8 - length:
            raise ValueError(f"expected {max(ends) + 8 + length} bytes, got {size}")
        return Shard(path, header, 8 + length)
    except (ValueError, LookupError, TypeError, AttributeError) as error:
        raise _damaged(path, str(error)) from error


def shard_path(folder: Path, samples: Sequence[str], names: Iterable[str]) -> Path:
    """Where a shard of these samples and arrays belongs: its name follows from theirs."""
    words = b"".join(bytes.fromhex(sample) for sample in samples) + " ".join(sorted(names)).encode()
    return folder / f"{hashlib.sha256(words).hexdigest()[:24]}.safetensors"


def write_shard(path: Path, samples: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
    plain = {name: np.ascontiguousarray(arrays[name]) for name in sorted(arrays)}
    own = {
        IDS: np.array([list(bytes.fromhex(sample)) for sample in samples], np.uint8),
        CHECKS: np.stack([_checks_of(array) for array in plain.values()]),
    }
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in own.items()}
    with writing(path) as file:
        file.write(save(own | plain, metadata=digests))


def _checks_of(array: np.ndarray) -> UInt32[np.ndarray, " rows"]:
    return np.array([zlib.crc32(row.tobytes()) for row in array], np.uint32)


def _runs(rows: Sequence[int]) -> Iterable[tuple[int, int]]:
    """Stretches of places at which each row follows the one before."""
    begins = [i for i in range(len(rows)) if i == 0 or rows[i] != rows[i - 1] + 1]
    return zip(begins, [*begins[1:], len(rows)], strict=True)


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        f"the feature shard is damaged ({reason}).",
        where=str(path),
        hint="Delete the file and run the command again: its features are computed anew.",
    )

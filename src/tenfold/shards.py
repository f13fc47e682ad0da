"""One immutable file of features: sample ids and arrays in safetensors, each array with its digest.

Written with the safetensors library. Read by our own few lines, because a reader must map the file,
copy the rows it wants and let go of the pages: https://github.com/huggingface/safetensors#format.
"""

import hashlib
import json
import mmap
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from safetensors.numpy import save

from tenfold.atomic import writing
from tenfold.errors import IntegrityError

DTYPES = {"F32": np.dtype("<f4"), "F16": np.dtype("<f2"), "U8": np.dtype("u1")}
IDS = "samples"


class Shard:
    """An opened header; the arrays are mapped when they are read."""

    def __init__(self, path: Path, header: dict[str, Any], start: int) -> None:
        self.path = path
        self._digests: dict[str, str] = header.pop("__metadata__")
        self._header = header
        self._start = start
        self._checked: set[str] = set()
        self.samples = [bytes(row).hex() for row in self.rows(IDS, slice(None))]

    @property
    def names(self) -> list[str]:
        return [name for name in self._header if name != IDS]

    def is_sound(self) -> bool:
        """Whether every array is what was written; each is read and hashed once a process."""
        try:
            for name in self.names:
                if name not in self._checked:
                    self.rows(name, slice(0, 0))
        except (IntegrityError, FileNotFoundError):
            return False
        return True

    def rows(self, name: str, rows: Sequence[int] | slice) -> np.ndarray:
        """A copy of some rows; no page of the file stays in memory.

        Raises:
            FileNotFoundError: the shard was evicted.
            IntegrityError: it is damaged.
        """
        with self.path.open("rb") as file:
            mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
        try:
            entry = self._header[name]
            first, last = (self._start + offset for offset in entry["data_offsets"])
            if name not in self._checked:
                with memoryview(mapped)[first:last] as view:
                    if hashlib.sha256(view).hexdigest() != self._digests[name]:
                        raise _damaged(self.path, f"{name} is not what was written")
                self._checked.add(name)
            flat = np.frombuffer(mapped, DTYPES[entry["dtype"]], offset=first, count=_size(entry))
            copy = flat.reshape(entry["shape"])[rows].copy()
        except (LookupError, ValueError, TypeError) as error:
            raise _damaged(self.path, str(error)) from error
        return copy  # the mapping, and its pages, go with the last array that looks into it


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
    ids = np.array([list(bytes.fromhex(sample)) for sample in samples], np.uint8)
    tensors = {IDS: ids, **{n: np.ascontiguousarray(a) for n, a in arrays.items()}}
    digests = {name: hashlib.sha256(array.tobytes()).hexdigest() for name, array in tensors.items()}
    with writing(path) as file:
        file.write(save(tensors, metadata=digests))


def _size(entry: dict[str, Any]) -> int:
    return int(np.prod(entry["shape"]))


def _damaged(path: Path, reason: str) -> IntegrityError:
    return IntegrityError(
        f"the feature shard is damaged ({reason}).",
        where=str(path),
        hint="Delete the file and run the command again: its features are computed anew.",
    )

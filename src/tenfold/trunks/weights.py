"""Read pinned PyTorch checkpoints without PyTorch and without trusting their pickle.

Only the legacy (pre-zip) checkpoint layout is read, because that is how the pinned weights come:
magic number, protocol, system info, the object, the storage keys, then the raw storages.

Source: the layout is documented by `torch.serialization` (`_legacy_save`); no code taken.
"""

import hashlib
import io
import pickle
import struct
from collections import OrderedDict
from pathlib import Path
from typing import Any

import numpy as np

from tenfold.errors import IntegrityError

MAGIC = 0x1950A86A20F9469CFC6C
STORAGE_DTYPES = {"FloatStorage": "<f4", "HalfStorage": "<f2", "LongStorage": "<i8"}
BAD_BYTES = (pickle.UnpicklingError, EOFError, struct.error, LookupError, TypeError, ValueError)


class _Tensor:
    """A view to cut out of its storage once the raw bytes are there."""

    def __init__(
        self,
        storage: str,
        offset: int,
        shape: tuple[int, ...],
        strides: tuple[int, ...],
        *_: object,
    ) -> None:
        self.storage, self.offset = storage, offset
        self.shape, self.strides = shape, strides


class _ArraysOnly(pickle.Unpickler):
    """Builds dicts of arrays; any other global is refused before it runs."""

    def __init__(self, file: io.BytesIO, dtypes: dict[str, str]) -> None:
        super().__init__(file)
        self.dtypes = dtypes

    def find_class(self, module: str, name: str, /) -> Any:
        if (module, name) == ("collections", "OrderedDict"):
            return OrderedDict
        if (module, name) == ("torch._utils", "_rebuild_tensor_v2"):
            return _Tensor
        if module == "torch" and name in STORAGE_DTYPES:
            return name
        raise IntegrityError(
            f"the checkpoint asks for {module}.{name}, which is not an array.",
            hint="Use the pinned weights; do not load this file anywhere.",
        )

    def persistent_load(self, pid: Any, /) -> str:
        _, kind, key, _, _, view = pid
        if view is not None:
            raise IntegrityError("the checkpoint holds views of storages, which are not read.")
        self.dtypes[key] = STORAGE_DTYPES[kind]
        return key


def read_checkpoint(path: Path, *, sha256: str) -> dict[str, np.ndarray]:
    """Arrays of a legacy PyTorch checkpoint by name, bit-equal to what torch would load.

    Raises:
        IntegrityError: the file is not the pinned one, or holds anything but arrays.
    """
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != sha256:
        raise IntegrityError(
            f"expected weights with SHA-256 {sha256[:12]}…, got {digest[:12]}….",
            where=str(path),
            hint="Reinstall the weights package at its pinned version.",
        )
    try:
        return _parsed(io.BytesIO(data))
    except BAD_BYTES as error:
        raise IntegrityError(f"the checkpoint is damaged ({error}).", where=str(path)) from error


def _parsed(file: io.BytesIO) -> dict[str, np.ndarray]:
    dtypes: dict[str, str] = {}
    if _ArraysOnly(file, dtypes).load() != MAGIC:
        raise IntegrityError("expected a legacy PyTorch checkpoint, got another pickle.")
    for _ in ("protocol", "system info"):
        _ArraysOnly(file, dtypes).load()
    tensors: dict[str, _Tensor] = _ArraysOnly(file, dtypes).load()
    keys: list[str] = _ArraysOnly(file, dtypes).load()
    storages = {key: _read_storage(file, dtypes[key]) for key in keys}
    return {name: _cut(name, tensor, storages[tensor.storage]) for name, tensor in tensors.items()}


def _read_storage(file: io.BytesIO, dtype: str) -> np.ndarray:
    (count,) = struct.unpack("<q", file.read(8))
    size = count * np.dtype(dtype).itemsize
    data = file.read(size)
    if count < 0 or len(data) != size:
        raise EOFError(f"expected {size} bytes of a storage, got {len(data)}")
    return np.frombuffer(data, dtype)


def _cut(name: str, tensor: _Tensor, storage: np.ndarray) -> np.ndarray:
    """The tensor row by row; the pinned weights are stored in TensorFlow's order of axes."""
    steps = zip(tensor.shape, tensor.strides, strict=True)
    last = tensor.offset + sum((length - 1) * stride for length, stride in steps)
    if min(tensor.offset, *tensor.shape, *tensor.strides, 0) < 0 or last >= len(storage):
        raise IntegrityError(f"{name} reaches beyond its storage.")
    strides = [stride * storage.itemsize for stride in tensor.strides]
    view = np.lib.stride_tricks.as_strided(storage[tensor.offset :], tensor.shape, strides)
    return np.array(view, order="C")

"""Trunks on ONNX Runtime, the portable second."""

from collections.abc import Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from threading import BoundedSemaphore
from typing import Any

import numpy as np
import onnx
import onnxruntime
from jaxtyping import UInt8

from tenfold.trunks import graph
from tenfold.values import Precision


def version() -> str:
    return str(onnxruntime.__version__)


def precisions() -> tuple[Precision, ...]:
    return ("fp32", "int8")


def compile_graph(
    model: bytes,
    outputs: Sequence[str],
    *,
    size_px: int,
    precision: Precision,
    streams: int,
) -> "OnnxRuntimeTrunk":
    small = graph.cut(onnx.load_model_from_string(model), outputs)
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = options.inter_op_num_threads = 1
    options.log_severity_level = 3
    for axis, length in {"n": 1, "h": size_px, "w": size_px}.items():
        options.add_free_dimension_override_by_name(axis, length)
    session = onnxruntime.InferenceSession(graph.to_bytes(small), options)
    return OnnxRuntimeTrunk(session, streams)


class OnnxRuntimeTrunk:
    """See `tenfold.trunks.runtimes.Compiled`."""

    def __init__(self, session: onnxruntime.InferenceSession, streams: int) -> None:
        self.streams = streams
        self._session = session
        self._names = [output.name for output in session.get_outputs()]
        self._threads = ThreadPoolExecutor(streams, thread_name_prefix="trunk")
        self._room = BoundedSemaphore(2 * streams)

    def start(self, canvas: UInt8[np.ndarray, "s s 3"]) -> "_Pending":
        self._room.acquire()
        return _Pending(self._threads.submit(self.one, canvas), self._room)

    def one(self, canvas: UInt8[np.ndarray, "s s 3"]) -> dict[str, np.ndarray]:
        arrays: Any = self._session.run(self._names, {"image": canvas[None]})
        return dict(zip(self._names, arrays, strict=True))


class _Pending:
    def __init__(self, future: Future[dict[str, np.ndarray]], room: BoundedSemaphore) -> None:
        self._future, self._room = future, room

    def result(self) -> dict[str, np.ndarray]:
        try:
            return self._future.result()
        finally:
            self._room.release()

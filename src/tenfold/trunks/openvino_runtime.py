"""Trunks on OpenVINO's processor plugin; the only file that imports openvino."""

from collections.abc import Sequence
from dataclasses import dataclass
from functools import cache
from queue import SimpleQueue
from typing import Any

import numpy as np
import onnx
import openvino
from jaxtyping import UInt8

from tenfold.trunks import graph
from tenfold.values import Precision

HINTS = {"fp32": "f32", "bf16": "bf16", "int8": "f32"}  # int8 lies in the graph itself


def version() -> str:
    return str(openvino.__version__).partition("-")[0]


def precisions() -> tuple[Precision, ...]:
    able = _core().get_property("CPU", "OPTIMIZATION_CAPABILITIES")
    names: dict[Precision, str] = {"fp32": "FP32", "bf16": "BF16", "int8": "INT8"}
    return tuple(ours for ours, theirs in names.items() if theirs in able)


def compile_graph(
    model: bytes,
    outputs: Sequence[str],
    *,
    size_px: int,
    precision: Precision,
    streams: int,
) -> "OpenVinoTrunk":
    small = graph.cut(onnx.load_model_from_string(model), outputs)
    network = _core().read_model(graph.to_bytes(small))
    network.reshape([1, size_px, size_px, 3])
    options = {
        "INFERENCE_PRECISION_HINT": HINTS[precision],
        "NUM_STREAMS": streams,
        "INFERENCE_NUM_THREADS": streams,
        "ENABLE_CPU_PINNING": False,  # pinned streams of two processes would share one core
    }
    return OpenVinoTrunk(_core().compile_model(network, "CPU", options), streams)


class OpenVinoTrunk:
    """See `tenfold.trunks.runtimes.Compiled`."""

    def __init__(self, compiled: Any, streams: int) -> None:
        self.streams = streams
        self._names: list[str] = [output.any_name for output in compiled.outputs]
        self._idle: SimpleQueue[Any] = SimpleQueue()
        for _ in range(2 * streams):
            self._idle.put(compiled.create_infer_request())

    def start(self, canvas: UInt8[np.ndarray, "s s 3"]) -> "_Pending":
        request = self._idle.get()
        canvas = np.require(canvas, requirements=["C", "W"])  # OpenVINO takes no read-only memory
        request.set_input_tensor(openvino.Tensor(canvas[None], shared_memory=True))
        request.start_async()
        return _Pending(request, canvas, self)

    def one(self, canvas: UInt8[np.ndarray, "s s 3"]) -> dict[str, np.ndarray]:
        return self.start(canvas).result()

    def taken(self, request: Any) -> dict[str, np.ndarray]:
        """Wait for a request, copy what it computed and make it free for the next picture."""
        try:
            request.wait()
            return {
                name: request.get_output_tensor(i).data.copy() for i, name in enumerate(self._names)
            }
        finally:
            self._idle.put(request)


@dataclass(slots=True, eq=False)
class _Pending:
    request: Any
    canvas: np.ndarray
    """Held here because the request reads its memory."""
    trunk: OpenVinoTrunk

    def result(self) -> dict[str, np.ndarray]:
        return self.trunk.taken(self.request)


@cache
def _core() -> Any:
    return openvino.Core()

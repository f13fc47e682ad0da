"""An int8 copy of a float trunk, calibrated on pictures; a trunk of its own with its own digest.

Written as QDQ nodes (quantise, dequantise) by onnxruntime.quantization; OpenVINO reads them and
computes the convolutions between them in int8. Pooling and vital signs stay float.
"""

import hashlib
import json
import tempfile
from collections.abc import Iterable, Iterator, Sequence
from pathlib import Path

import numpy as np
import onnx
from jaxtyping import UInt8
from onnxruntime.quantization import (
    CalibrationDataReader,
    CalibrationMethod,
    QuantFormat,
    QuantType,
    quantize_static,
)

from tenfold.errors import DataError, SpecError
from tenfold.trunks import Trunk, graph, keep

QUANTISED = ["Conv", "Clip", "Relu", "Add"]
FLOAT_NODES = ["edges", "edge_size"]
"""Nodes of the vital signs: a sharpness in int8 would be no sharpness."""


def sums_overflow() -> bool:
    """Whether this processor may add products of int8 in 16 bits; where nobody knows, it may."""
    try:
        flags = Path("/proc/cpuinfo").read_text(encoding="utf-8")
    except OSError:
        return True
    return not ("vnni" in flags or "amx_int8" in flags)


def quantised(trunk: Trunk, canvases: Sequence[UInt8[np.ndarray, "s s 3"]], folder: Path) -> Trunk:
    """`trunk` in int8, its ranges taken from `canvases` (16 to 64 typical pictures do).

    A processor without VNNI adds products of int8 in 16 bits, which overflow: there weights have
    7 bits (an int8 trunk belongs to the machine that it was made on).

    Raises:
        DataError: there are no canvases.
        SpecError: `trunk` is int8 already.
    """
    if not len(canvases):
        raise DataError("no pictures to calibrate int8 with.", hint="Give at least 16.")
    if trunk.quantised_from:
        raise SpecError(f"trunk {trunk.name!r} is int8 already.")
    seen = hashlib.sha256(b"".join(canvas.tobytes() for canvas in canvases)).hexdigest()
    with tempfile.TemporaryDirectory(prefix="tenfold-int8-") as name:
        source, target = Path(name) / "float.onnx", Path(name) / "int8.onnx"
        source.write_bytes(_marked_as_prepared(trunk.path))
        quantize_static(
            source,
            target,
            _Pictures(canvases),
            quant_format=QuantFormat.QDQ,
            op_types_to_quantize=QUANTISED,
            nodes_to_exclude=FLOAT_NODES,
            per_channel=True,
            activation_type=QuantType.QUInt8,
            weight_type=QuantType.QInt8,
            calibrate_method=CalibrationMethod.MinMax,
            reduce_range=sums_overflow(),
            extra_options={"WeightSymmetric": True, "QuantizeBias": False},
        )
        model = onnx.load(target)
    facts = {
        "name": f"{trunk.name}-int8-{seen[:8]}",
        "size_px": trunk.size_px,
        "licence": trunk.licence,
        "quantised_from": trunk.digest,
    }
    del model.metadata_props[:]
    onnx.helper.set_model_props(model, {graph.FACTS: json.dumps(facts)})
    return keep(model, folder)


class _Pictures(CalibrationDataReader):
    def __init__(self, canvases: Iterable[UInt8[np.ndarray, "s s 3"]]) -> None:
        self._rest: Iterator[np.ndarray] = iter(canvases)

    def get_next(self) -> dict[str, np.ndarray] | None:  # pyright: ignore[reportIncompatibleMethodOverride]
        canvas = next(self._rest, None)
        return None if canvas is None else {"image": canvas[None]}


def _marked_as_prepared(path: Path) -> bytes:
    """Our graphs are folded already; without this mark the quantiser warns on every call."""
    model = onnx.load(path)
    onnx.helper.set_model_props(model, {"onnx.quant.pre_process": "onnxruntime.quant"})
    return model.SerializeToString()

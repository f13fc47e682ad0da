"""Wrap any network into the one graph every trunk is: pixels in, maps, pooled and vitals out.

One graph holds the normalisation, the network, the pooling and the picture's vital signs, so each
runtime and each exported file computes the same numbers.
"""

import hashlib

import numpy as np
import onnx
from onnx import TensorProto, helper

from tenfold.onnx_graph import GraphParts

OPSET = 18
IR_VERSION = 10
VITALS = ("mean", "std", "dark_share", "bright_share", "sharpness")
"""Vital signs of the letterboxed picture: grey mean and standard deviation (0..1), share of pixels
below 8/255 and above 247/255, and mean absolute Laplacian (0..1)."""


def prologue(parts: GraphParts, *, mean_rgb: list[float], std_rgb: list[float]) -> str:
    """`image` uint8 [n, h, w, 3] RGB → `normalised` float32 [n, 3, h, w]."""
    flow = parts.node("Cast", ["image"], "image_float", to=TensorProto.FLOAT)
    flow = parts.node("Sub", [flow, parts.constant("mean_rgb", mean_rgb)], "centred")
    flow = parts.node("Div", [flow, parts.constant("std_rgb", std_rgb)], "scaled")
    return parts.node("Transpose", [flow], "normalised", perm=[0, 3, 1, 2])


def pooling(parts: GraphParts, maps: dict[str, str], last: str) -> list[str]:
    """Mean, maximum and standard deviation of each map, then the mean of `last`, as `pooled`."""
    axes = parts.constant("spatial_axes", [2, 3], np.int64)
    pooled: list[str] = []
    for name, flow in maps.items():
        mean = parts.node("ReduceMean", [flow, axes], f"{name}_mean4", keepdims=1)
        top = parts.node("ReduceMax", [flow, axes], f"{name}_max", keepdims=0)
        centred = parts.node("Sub", [flow, mean], f"{name}_centred")
        squared = parts.node("Mul", [centred, centred], f"{name}_squared")
        variance = parts.node("ReduceMean", [squared, axes], f"{name}_var", keepdims=0)
        deviation = parts.node("Sqrt", [variance], f"{name}_std")
        mean = parts.node("ReduceMean", [flow, axes], f"{name}_mean", keepdims=0)
        pooled += [mean, top, deviation]
        parts.node("Transpose", [flow], name, perm=[0, 2, 3, 1])
    pooled.append(parts.node("ReduceMean", [last, axes], "embedding", keepdims=0))
    return [parts.node("Concat", pooled, "pooled", axis=1)]


def vital_signs(parts: GraphParts) -> str:
    """`vitals` [n, 5] float32, see `VITALS`; from the pixels alone, whatever the trunk."""
    axes = parts.constant("pixel_axes", [1, 2, 3], np.int64)
    luma = parts.constant("luma", np.array([[0.299], [0.587], [0.114]]) / 255.0)
    grey = parts.node("MatMul", ["image_float", luma], "grey")  # [n, h, w, 1]
    mean4 = parts.node("ReduceMean", [grey, axes], "grey_mean4", keepdims=1)
    centred = parts.node("Sub", [grey, mean4], "grey_centred")
    squared = parts.node("Mul", [centred, centred], "grey_squared")
    variance = parts.node("ReduceMean", [squared, axes], "grey_var", keepdims=0)
    columns = [
        parts.node("ReduceMean", [grey, axes], "grey_mean", keepdims=0),
        parts.node("Sqrt", [variance], "grey_std"),
        _share(parts, "Less", grey, parts.constant("dark", 8 / 255), axes),
        _share(parts, "Greater", grey, parts.constant("bright", 247 / 255), axes),
        _sharpness(parts, grey),
    ]
    axis = parts.constant("column_axis", [1], np.int64)
    columns = [parts.node("Unsqueeze", [c, axis], f"{c}_column") for c in columns]
    return parts.node("Concat", columns, "vitals", axis=1)


def _share(parts: GraphParts, kind: str, grey: str, limit: str, axes: str) -> str:
    hits = parts.node(kind, [grey, limit], f"{limit}_hits")
    counted = parts.node("Cast", [hits], f"{limit}_counted", to=TensorProto.FLOAT)
    return parts.node("ReduceMean", [counted, axes], f"{limit}_share", keepdims=0)


def _sharpness(parts: GraphParts, grey: str) -> str:
    kernel = np.array([[[[0, 1, 0], [1, -4, 1], [0, 1, 0]]]], np.float32)
    plane = parts.node("Transpose", [grey], "grey_plane", perm=[0, 3, 1, 2])
    edges = parts.node("Conv", [plane, parts.constant("laplacian", kernel)], "edges")
    size = parts.node("Abs", [edges], "edge_size")
    axes = parts.constant("edge_axes", [1, 2, 3], np.int64)
    return parts.node("ReduceMean", [size, axes], "sharpness", keepdims=0)


def finish(parts: GraphParts, outputs: list[str], *, name: str) -> onnx.ModelProto:
    """The checked model: `image` in, `outputs` out; free in batch and size."""
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    results = [
        helper.make_tensor_value_info(
            o, TensorProto.FLOAT, ["n", f"{o}_h", f"{o}_w", f"{o}_c"][:: 1 if o[:3] == "map" else 3]
        )
        for o in outputs
    ]
    graph = helper.make_graph(parts.nodes, name, [image], results, parts.weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    onnx.checker.check_model(model)
    return model


def digest(model: onnx.ModelProto) -> str:
    """SHA-256 of the serialised graph: a trunk's identity."""
    return hashlib.sha256(model.SerializeToString(deterministic=True)).hexdigest()

"""Wrap any network into the one graph every trunk is: pixels in, maps, pooled and vitals out.

One graph holds the normalisation, the network, the pooling and the picture's vital signs, so each
runtime and each exported file computes the same numbers.
"""

import json
from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from tenfold.errors import NotFound
from tenfold.onnx_graph import GraphParts

OPSET = 18
IR_VERSION = 10
FACTS = "tenfold"
"""Key of the model's own facts (name, size, licence, ...) among its properties."""
VITALS = ("mean", "std", "dark_share", "bright_share", "sharpness")
"""Vital signs of the letterboxed picture: grey mean and standard deviation (0..1), share of pixels
below 8/255 and above 247/255, and mean absolute Laplacian (0..1)."""


def prologue(parts: GraphParts, *, mean_rgb: Sequence[float], std_rgb: Sequence[float]) -> str:
    """`image` uint8 [n, h, w, 3] RGB → `normalised` float32 [n, 3, h, w]."""
    flow = parts.node("Cast", ["image"], "image_float", to=TensorProto.FLOAT)
    flow = parts.node("Sub", [flow, parts.constant("mean_rgb", mean_rgb)], "centred")
    flow = parts.node("Div", [flow, parts.constant("std_rgb", std_rgb)], "scaled")
    return parts.node("Transpose", [flow], "normalised", perm=[0, 3, 1, 2])


def pooling(parts: GraphParts, maps: Mapping[int, str], embedding: str) -> None:
    """Outputs `map_s{stride}` [n, h, w, c] and `pooled` [n, d] from `maps` [n, c, h, w].

    `pooled` holds mean, maximum and standard deviation of each map, then `embedding` [n, d].
    """
    axes = parts.constant("spatial_axes", [2, 3], np.int64)
    pooled: list[str] = []
    for stride, flow in sorted(maps.items()):
        name = map_name(stride)
        mean = parts.node("ReduceMean", [flow, axes], f"{name}_mean4", keepdims=1)
        top = parts.node("ReduceMax", [flow, axes], f"{name}_max", keepdims=0)
        centred = parts.node("Sub", [flow, mean], f"{name}_centred")
        squared = parts.node("Mul", [centred, centred], f"{name}_squared")
        variance = parts.node("ReduceMean", [squared, axes], f"{name}_var", keepdims=0)
        deviation = parts.node("Sqrt", [variance], f"{name}_std")
        mean = parts.node("ReduceMean", [flow, axes], f"{name}_mean", keepdims=0)
        pooled += [mean, top, deviation]
        parts.node("Transpose", [flow], name, perm=[0, 2, 3, 1])
    parts.node("Concat", [*pooled, embedding], "pooled", axis=1)


def spatial_mean(parts: GraphParts, flow: str, output: str) -> str:
    """[n, c, h, w] → [n, c]."""
    axes = parts.constant(f"{output}_axes", [2, 3], np.int64)
    return parts.node("ReduceMean", [flow, axes], output, keepdims=0)


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


def finish(
    parts: GraphParts, strides: Iterable[int], *, facts: Mapping[str, object], opset: int = OPSET
) -> onnx.ModelProto:
    """The checked model: `image` in; maps, `pooled` and `vitals` out; free in batch and size.

    `facts` travel inside the file as JSON, so that a graph can be read without anything beside it.
    """
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["n", "h", "w", 3])
    outputs = [
        helper.make_tensor_value_info(m, TensorProto.FLOAT, ["n", f"{m}_h", f"{m}_w", f"{m}_c"])
        for m in map(map_name, sorted(strides))
    ]
    for name in ("pooled", "vitals"):
        outputs.append(helper.make_tensor_value_info(name, TensorProto.FLOAT, ["n", f"{name}_c"]))
    graph = helper.make_graph(parts.nodes, "trunk", [image], outputs, parts.weights)
    opsets = [helper.make_opsetid("", opset)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    helper.set_model_props(model, {FACTS: json.dumps(facts, sort_keys=True)})
    onnx.checker.check_model(model)
    return model


def cut(model: onnx.ModelProto, outputs: Iterable[str]) -> onnx.ModelProto:
    """The part of `model` that `outputs` need; whatever else it computed is gone.

    `pooled` and `vitals` always stay: a runtime rounds the last layers of a graph in another way
    than the layers within, so in bf16 a map would change with what else was asked for.
    """
    wanted = {*outputs, "pooled", "vitals"}
    unknown = wanted - {o.name for o in model.graph.output}
    if unknown:
        raise NotFound(
            f"the trunk has no output {sorted(unknown)!r}.",
            hint=f"Its outputs are {', '.join(o.name for o in model.graph.output)}.",
        )
    needed, nodes = set(wanted), []
    for node in reversed(model.graph.node):
        if needed & set(node.output):
            needed.update(node.input)
            nodes.append(node)
    small = onnx.ModelProto()
    small.CopyFrom(model)
    del small.graph.node[:], small.graph.output[:], small.graph.initializer[:]
    small.graph.node.extend(reversed(nodes))
    small.graph.output.extend(o for o in model.graph.output if o.name in wanted)
    small.graph.initializer.extend(w for w in model.graph.initializer if w.name in needed)
    return small


def to_bytes(model: onnx.ModelProto) -> bytes:
    """The same bytes for the same graph."""
    return model.SerializeToString(deterministic=True)


def map_name(stride: int) -> str:
    return f"map_s{stride}"


def map_stride(output: str) -> int:
    """8 for `map_s8`."""
    return int(output.removeprefix("map_s"))

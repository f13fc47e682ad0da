"""A whole model as one ONNX graph: pixels of any size in, the head's scores out.

The graph repeats `trunks.canvas` with ONNX operators, so the file needs `onnxruntime` and `numpy`
alone. It computes in fp32 whatever precision the model was judged at.
"""

import json
from typing import Any

import numpy as np
import onnx
from onnx import TensorProto, compose, helper

from tenfold.errors import Unsupported
from tenfold.onnx_graph import GraphParts
from tenfold.packages import Manifest, TrunkInput
from tenfold.trunks.graph import IR_VERSION, OPSET


def whole_graph(
    manifest: Manifest, head: Any, trunks: dict[str, onnx.ModelProto]
) -> onnx.ModelProto:
    """`image` uint8 [h, w, 3] RGB → `probabilities` [1, classes], or `anomaly_score` [1] and
    `anomaly_map` [1, gh, gw]; classes and thresholds are in the file's metadata.

    `trunks` holds each input's graph by digest.

    Raises:
        Unsupported: the head cannot be written as ONNX.
    """
    parts = GraphParts()
    parts.node("Transpose", ["image"], "image_chw", perm=[2, 0, 1])
    parts.node("Unsqueeze", ["image_chw", parts.constant("batch_axis", [0], np.int64)], "image_4d")
    if manifest.kind == "classify":
        outputs = _classify(parts, manifest, head, trunks)
    else:
        outputs = _anomaly(parts, manifest, head, trunks)
    image = helper.make_tensor_value_info("image", TensorProto.UINT8, ["height", "width", 3])
    results = [helper.make_tensor_value_info(n, TensorProto.FLOAT, s) for n, s in outputs.items()]
    graph = helper.make_graph(parts.nodes, manifest.task, [image], results, parts.weights)
    model = helper.make_model(
        graph, opset_imports=[helper.make_opsetid("", OPSET)], ir_version=IR_VERSION
    )
    facts = manifest.model_dump(
        mode="json", include={"model", "task", "kind", "classes", "thresholds", "licences"}
    )
    helper.set_model_props(model, {name: json.dumps(value) for name, value in facts.items()})
    onnx.checker.check_model(model)
    return model


def _classify(
    parts: GraphParts, manifest: Manifest, head: Any, trunks: dict[str, onnx.ModelProto]
) -> dict[str, list[Any]]:
    blocks: list[str] = []
    for number, given in enumerate(manifest.inputs):
        name = f"input{number}"
        square = _canvas(parts, name, given)
        views = [_view(parts, square, f"{name}_view{view}", view) for view in given.views]
        stack = parts.node("Concat", views, f"{name}_views", axis=0)
        pooled = _trunk(parts, trunks[given.digest], f"{name}_trunk_", stack)["pooled"]
        blocks.append(parts.node("Unsqueeze", [pooled, "batch_axis"], f"{name}_block"))
    features = parts.node("Concat", blocks, "features", axis=2)
    _named(parts, head.write_onnx(parts, features), "probabilities")
    return {"probabilities": [1, len(manifest.classes)]}


def _anomaly(
    parts: GraphParts, manifest: Manifest, head: Any, trunks: dict[str, onnx.ModelProto]
) -> dict[str, list[Any]]:
    if len(manifest.inputs) != 1:
        raise Unsupported(
            "an anomaly head with several trunks has no ONNX form yet.",
            where=f"task {manifest.task}",
            hint="Export it as .tenfold, or pin a recipe with one trunk.",
        )
    given = manifest.inputs[0]
    square = _canvas(parts, "input0", given)
    seen = _trunk(parts, trunks[given.digest], "input0_trunk_", square)
    inputs = {"content_xyxy": "input0_content", "pooled": seen["pooled"], "vitals": seen["vitals"]}
    for stride in head.strides:  # stored maps are half precision: round as the store does
        half = parts.node(
            "Cast", [seen[f"map_s{stride}"]], f"half_s{stride}", to=TensorProto.FLOAT16
        )
        inputs[f"map_s{stride}"] = parts.node(
            "Cast", [half], f"full_s{stride}", to=TensorProto.FLOAT
        )
    written = head.write_onnx(parts, inputs)
    _named(parts, written["image_score"], "anomaly_score")
    _named(parts, written["score_map"], "anomaly_map")
    return {"anomaly_score": [1], "anomaly_map": [1, "grid_h", "grid_w"]}


def _named(parts: GraphParts, flow: str, name: str) -> None:
    if flow != name:
        parts.node("Identity", [flow], name)


def _canvas(parts: GraphParts, name: str, given: TrunkInput) -> str:
    """The letterboxed or squashed square [1, s, s, 3], and `{name}_content` [1, 4]."""
    size = parts.constant(f"{name}_size", [given.size_px], np.int64)
    inner = _inner_size(parts, name, given, size)
    sizes = parts.node(
        "Concat", [parts.constant(f"{name}_lead", [1, 3], np.int64), inner], f"{name}_sizes", axis=0
    )
    resized = parts.node(
        "Resize",
        ["image_4d", "", "", sizes],
        f"{name}_resized",
        mode="linear",
        antialias=1,
        coordinate_transformation_mode="half_pixel",
    )
    gap = parts.node("Sub", [size, inner], f"{name}_gap")
    two = parts.constant(f"{name}_two", [2], np.int64)
    before = parts.node("Div", [gap, two], f"{name}_before")
    after = parts.node("Sub", [gap, before], f"{name}_after")
    none = parts.constant(f"{name}_none", [0, 0], np.int64)
    pads = parts.node("Concat", [none, before, none, after], f"{name}_pads", axis=0)
    padded = parts.node("Pad", [resized, pads], f"{name}_padded", mode="edge")
    _content(parts, name, given, (before, inner))
    return parts.node("Transpose", [padded], f"{name}_canvas", perm=[0, 2, 3, 1])


def _inner_size(parts: GraphParts, name: str, given: TrunkInput, size: str) -> str:
    """Height and width of the picture on the canvas, int64 [2], rounded as `canvas` rounds."""
    if given.fit == "squash":
        return parts.node("Concat", [size, size], f"{name}_inner", axis=0)
    shape = parts.node("Shape", ["image_4d"], f"{name}_shape", start=2, end=4)
    exact = parts.node("Cast", [shape], f"{name}_exact", to=TensorProto.DOUBLE)
    longest = parts.node("ReduceMax", [exact], f"{name}_longest", keepdims=1)
    side = parts.node("Cast", [size], f"{name}_side", to=TensorProto.DOUBLE)
    scaled = parts.node("Mul", [exact, side], f"{name}_scaled")
    ratio = parts.node("Div", [scaled, longest], f"{name}_ratio")
    rounded = parts.node("Round", [ratio], f"{name}_rounded")
    whole = parts.node("Cast", [rounded], f"{name}_whole", to=TensorProto.INT64)
    return parts.node("Max", [whole, parts.constant(f"{name}_one", [1], np.int64)], f"{name}_inner")


def _content(parts: GraphParts, name: str, given: TrunkInput, box: tuple[str, str]) -> None:
    before, inner = box
    far = parts.node("Add", [before, inner], f"{name}_far")
    corners = parts.node("Concat", [before, far], f"{name}_corners_yx", axis=0)
    order = parts.constant(f"{name}_order", [1, 0, 3, 2], np.int64)
    xyxy = parts.node("Gather", [corners, order], f"{name}_corners", axis=0)
    exact = parts.node("Cast", [xyxy], f"{name}_corners_float", to=TensorProto.FLOAT)
    side = parts.constant(f"{name}_side_float", [given.size_px])
    share = parts.node("Div", [exact, side], f"{name}_share")
    parts.node("Unsqueeze", [share, "batch_axis"], f"{name}_content")


def _view(parts: GraphParts, square: str, name: str, view: int) -> str:
    """Dihedral view of a square [1, s, s, 3], see `values.VIEWS`."""
    turns, mirrored = view % 4, view >= 4
    flow = square
    if turns % 2:  # rot90 = transpose, then upside down
        flow = parts.node("Transpose", [flow], f"{name}_transposed", perm=[0, 2, 1, 3])
    upside = turns in (1, 2)
    sideways = (turns in (2, 3)) != mirrored
    for axis, wanted in ((1, upside), (2, sideways)):
        if wanted:
            flow = _reversed(parts, flow, f"{name}_axis{axis}", axis)
    return flow


def _reversed(parts: GraphParts, flow: str, name: str, axis: int) -> str:
    bounds = [
        parts.constant(f"{name}_start", [-1], np.int64),
        parts.constant(f"{name}_end", [np.iinfo(np.int64).min], np.int64),
        parts.constant(f"{name}_axes", [axis], np.int64),
        parts.constant(f"{name}_step", [-1], np.int64),
    ]
    return parts.node("Slice", [flow, *bounds], name)


def _trunk(parts: GraphParts, trunk: onnx.ModelProto, prefix: str, image: str) -> dict[str, str]:
    """Copy the trunk's nodes in, fed by `image`; returns its outputs' names."""
    named = compose.add_prefix(trunk, prefix)
    for node in named.graph.node:
        for place, name in enumerate(node.input):
            if name == f"{prefix}image":
                node.input[place] = image
    parts.nodes.extend(named.graph.node)
    parts.weights.extend(named.graph.initializer)
    return {output.name.removeprefix(prefix): output.name for output in named.graph.output}

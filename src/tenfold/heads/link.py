"""From a classify head's logits to probabilities: in numpy and as ONNX nodes, side by side."""

from enum import IntEnum

import numpy as np
from jaxtyping import Float32, Float64, UInt8
from scipy.special import expit, softmax

from tenfold.onnx_graph import GraphParts


class Link(IntEnum):
    BINARY = 0
    """One output; probabilities [1 - sigmoid, sigmoid]."""
    SOFTMAX = 1
    SIGMOIDS = 2
    """One sigmoid per class; any number of them may be high."""

    @classmethod
    def of(cls, classes: int, *, multi_label: bool) -> "Link":
        if multi_label:
            return cls.SIGMOIDS
        return cls.BINARY if classes == 2 else cls.SOFTMAX

    def as_array(self) -> UInt8[np.ndarray, " 1"]:
        return np.array([self], np.uint8)

    @classmethod
    def from_array(cls, array: UInt8[np.ndarray, " 1"]) -> "Link":
        return cls(int(array[0]))


def as_probabilities(
    logits: Float64[np.ndarray, "n outputs"], link: Link
) -> Float32[np.ndarray, "n classes"]:
    if link is Link.SOFTMAX:
        return softmax(logits, axis=1).astype(np.float32)
    if link is Link.SIGMOIDS:
        return expit(logits).astype(np.float32)
    return expit(np.concatenate([-logits, logits], axis=1)).astype(np.float32)


def write_probabilities(parts: GraphParts, logits: str, link: Link, *, prefix: str) -> str:
    if link is Link.SOFTMAX:
        return parts.node("Softmax", [logits], f"{prefix}probabilities", axis=1)
    if link is Link.BINARY:
        opposite = parts.node("Neg", [logits], f"{prefix}head_logits_negated")
        logits = parts.node("Concat", [opposite, logits], f"{prefix}head_logits_both", axis=1)
    return parts.node("Sigmoid", [logits], f"{prefix}probabilities")

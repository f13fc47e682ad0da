"""What runs a trunk: one picture per request, one thread per stream, answers in order.

One picture per request is as fast as any batch on these networks when there is a stream per core,
and makes a feature depend on its picture alone by construction.
"""

from collections import deque
from collections.abc import Hashable, Iterable, Iterator
from functools import lru_cache
from importlib import import_module
from pathlib import Path
from typing import Any, Protocol, TypeVar, runtime_checkable

import numpy as np
from jaxtyping import UInt8

from tenfold.errors import SpecError, Unsupported
from tenfold.trunks import Trunk
from tenfold.values import FeatureSpace, Precision

RUNTIMES = {
    "openvino": "tenfold.trunks.openvino_runtime",
    "onnxruntime": "tenfold.trunks.onnx_runtime",
}
"""Name → module with `version()`, `precisions()` and `compile_graph(...)`."""

Canvas = UInt8[np.ndarray, "s s 3"]
Outputs = dict[str, np.ndarray]
"""Float32 arrays by output name, each with a leading axis of 1."""
Key = TypeVar("Key", bound=Hashable)


@runtime_checkable
class Pending(Protocol):
    """A picture on its way through the trunk."""

    def result(self) -> Outputs: ...


@runtime_checkable
class Compiled(Protocol):
    """A trunk made ready for one canvas size, precision and set of outputs."""

    streams: int
    """Pictures computed at once, each by one thread."""

    def start(self, canvas: Canvas) -> Pending:
        """Begin; waits while `2 * streams` pictures are under way whose results were not taken."""
        ...

    def one(self, canvas: Canvas) -> Outputs: ...


def runtime_version(name: str) -> str:
    """Name and version as `FeatureSpace.runtime` holds them, such as `openvino-2026.4.1`."""
    return f"{name}-{_module(name).version()}"


def precisions(name: str) -> tuple[Precision, ...]:
    """What this runtime can compute on this machine, most exact first."""
    return _module(name).precisions()


def compile_trunk(
    trunk: Trunk, space: FeatureSpace, outputs: Iterable[str], *, streams: int
) -> Compiled:
    """`trunk` ready for canvases of `space`; `pooled` and `vitals` are always computed.

    Raises:
        SpecError: `space` belongs to another trunk, or to an int8 precision the trunk lacks.
        Unsupported: this machine has another runtime version, or not this precision.
    """
    if space.trunk != trunk.digest:
        raise SpecError(f"the space is of trunk {space.trunk[:12]}…, not {trunk.digest[:12]}….")
    if (space.precision == "int8") != bool(trunk.quantised_from):
        raise SpecError(
            f"trunk {trunk.name!r} cannot run in {space.precision}.",
            hint="int8 has a trunk of its own: see tenfold.trunks.int8.quantised.",
        )
    name = space.runtime.partition("-")[0]
    if space.runtime != runtime_version(name):
        raise Unsupported(
            f"these features need {space.runtime}, this machine has {runtime_version(name)}.",
            hint="Embed again, or install that version.",
        )
    if space.precision not in precisions(name):
        raise Unsupported(
            f"{space.runtime} cannot compute in {space.precision} on this machine.",
            hint="`tenfold doctor` lists what it can.",
        )
    chosen = tuple(sorted(set(outputs)))
    return _compiled(name, trunk.path, chosen, space.size_px, space.precision, streams)


@lru_cache(maxsize=4)
def _compiled(
    name: str,
    path: Path,
    outputs: tuple[str, ...],
    size_px: int,
    precision: Precision,
    streams: int,
) -> Compiled:
    """Compiling takes as long as fifty pictures, and a run asks for the same trunk often."""
    return _module(name).compile_graph(
        path.read_bytes(), outputs, size_px=size_px, precision=precision, streams=streams
    )


def in_order(
    compiled: Compiled, items: Iterable[tuple[Key, Canvas]]
) -> Iterator[tuple[Key, Outputs]]:
    """Outputs of each canvas in the order given; holds `2 * streams` pictures at most."""
    waiting: deque[tuple[Key, Pending]] = deque()
    for key, canvas in items:
        if len(waiting) == 2 * compiled.streams:
            first, pending = waiting.popleft()
            yield first, pending.result()
        waiting.append((key, compiled.start(canvas)))
    while waiting:
        first, pending = waiting.popleft()
        yield first, pending.result()


def _module(name: str) -> Any:
    if name not in RUNTIMES:
        raise Unsupported(f"no runtime {name!r}.", hint=f"Choose one of {', '.join(RUNTIMES)}.")
    return import_module(RUNTIMES[name])

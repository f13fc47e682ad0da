"""Which runtime and precision a trunk should use on this machine: measured, chosen, explained."""

import time
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import UInt8

from tenfold.errors import DataError
from tenfold.trunks import Trunk
from tenfold.trunks.runtimes import (
    RUNTIMES,
    Compiled,
    compile_trunk,
    in_order,
    precisions,
    runtime_version,
)
from tenfold.values import FeatureSpace, Precision

Canvases = Sequence[UInt8[np.ndarray, "s s 3"]]
LEAST_COSINE = 0.99
LEAST_MAP_COSINE = 0.97
"""On solar cells (ELPV) a linear head loses nothing even at a pooled cosine of 0.993 (int8).
Anomaly heads compare maps place by place: bf16's agree to 0.985, int8's only to 0.93."""
LEAST_GAIN = 1.1


@dataclass(frozen=True, slots=True)
class Measurement:
    """How fast one way of running a trunk is, and how near to float32 on the same runtime."""

    runtime: str
    """Name and version."""
    precision: Precision
    trunk: str
    """Digest; int8 has its own."""
    images_per_second: float
    pooled_cosine: float
    """Of the picture that agrees least; 1 is equal."""
    map_cosine: float
    """Of the worst whole map of any picture."""


@dataclass(frozen=True, slots=True)
class Choice:
    measurement: Measurement
    why: str
    """One line per way that was measured, the chosen one first."""


def measure(
    trunks: Iterable[Trunk],
    canvases: Canvases,
    *,
    streams: int,
    runtimes: Iterable[str] = tuple(RUNTIMES),
    seconds: float = 1.5,
) -> list[Measurement]:
    """Every way to run `trunks` (a float trunk first, then its int8 copy if there is one).

    Raises:
        DataError: there are no canvases.
    """
    if not len(canvases):
        raise DataError("no golden pictures to measure with.")
    found: list[Measurement] = []
    for runtime in runtimes:
        exact: list[dict[str, np.ndarray]] = []
        for trunk, precision in _ways(trunks, runtime):
            space = FeatureSpace(
                trunk=trunk.digest,
                size_px=canvases[0].shape[0],
                fit="letterbox",
                view=0,
                precision=precision,
                runtime=runtime_version(runtime),
            )
            answers = _answers(
                compile_trunk(trunk, space, trunk.outputs, streams=streams), canvases
            )
            exact = exact or answers
            pooled = compile_trunk(trunk, space, ("pooled",), streams=streams)
            found.append(
                Measurement(
                    runtime=space.runtime,
                    precision=precision,
                    trunk=trunk.digest,
                    images_per_second=_rate(pooled, canvases, seconds),
                    pooled_cosine=_least_cosine(exact, answers, ["pooled"]),
                    map_cosine=_least_cosine(exact, answers, trunk.outputs[:-2]),
                )
            )
    return found


def choose(measurements: Sequence[Measurement]) -> Choice:
    """The fastest way that agrees with float32; float32 itself where others gain under 10 %."""
    exact = [m for m in measurements if m.precision == "fp32"]
    if not exact:
        raise DataError("float32 was not measured, so nothing can be compared with it.")
    fallback = max(exact, key=lambda m: m.images_per_second)
    good = [m for m in measurements if not _objection(m, fallback)]
    best = max(good, key=lambda m: m.images_per_second, default=fallback)
    lines = [f"{_words(best)}: chosen, {_reason(best, fallback)}."]
    for other in measurements:
        if other is not best:
            lines.append(f"{_words(other)}: {_objection(other, fallback) or 'slower'}.")
    return Choice(best, "\n".join(lines))


def _objection(way: Measurement, exact: Measurement) -> str:
    """Why this way should not replace the fastest exact one; empty if nothing speaks against it."""
    if way.pooled_cosine < LEAST_COSINE:
        return f"pooled features differ (cosine {way.pooled_cosine:.4f}, least {LEAST_COSINE})"
    if way.map_cosine < LEAST_MAP_COSINE:
        return f"feature maps differ (cosine {way.map_cosine:.4f}, least {LEAST_MAP_COSINE})"
    if way.precision == "int8":  # one trunk was measured, and a ladder climbs on several
        return "agrees, but runs only where it is set: the ladder's other trunks have no int8 copy"
    gain = way.images_per_second / exact.images_per_second
    if way is not exact and gain < LEAST_GAIN:
        return f"{gain:.2f} times the speed of exact float32 is no reason to change"
    return ""


def _reason(best: Measurement, fallback: Measurement) -> str:
    if best is fallback:
        return "exact, and no other way that agrees is at least 1.1 times as fast"
    gain = best.images_per_second / fallback.images_per_second
    return (
        f"{gain:.2f} times as fast as float32 and agrees with it "
        f"(cosine of pooled features {best.pooled_cosine:.4f}, of maps {best.map_cosine:.4f})"
    )


def _words(way: Measurement) -> str:
    return f"{way.runtime} {way.precision} {way.images_per_second:.0f} img/s"


def _ways(trunks: Iterable[Trunk], runtime: str) -> list[tuple[Trunk, Precision]]:
    return [
        (trunk, precision)
        for trunk in trunks
        for precision in precisions(runtime)
        if (precision == "int8") == bool(trunk.quantised_from)
    ]


def _answers(compiled: Compiled, canvases: Canvases) -> list[dict[str, np.ndarray]]:
    return [answer for _, answer in in_order(compiled, enumerate(canvases))]


def _rate(compiled: Compiled, canvases: Canvases, seconds: float) -> float:
    """Pictures a second over at least `seconds`, after one round to warm up."""
    _answers(compiled, canvases[: 2 * compiled.streams])
    began, done = time.perf_counter(), 0
    while (spent := time.perf_counter() - began) < seconds:
        done += len(_answers(compiled, canvases))
    return done / spent


def _least_cosine(
    exact: list[dict[str, np.ndarray]], other: list[dict[str, np.ndarray]], outputs: Sequence[str]
) -> float:
    cosines = [
        _cosine(one[output].ravel(), two[output].ravel())
        for one, two in zip(exact, other, strict=True)
        for output in outputs
    ]
    return min(cosines, default=1.0)


def _cosine(one: np.ndarray, two: np.ndarray) -> float:
    one, two = one.astype(np.float64), two.astype(np.float64)
    norm = float(np.sqrt((one @ one) * (two @ two)))
    return float(one @ two) / norm if norm else float(not one.any() and not two.any())

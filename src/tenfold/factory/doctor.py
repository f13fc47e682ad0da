"""Measure how trunks run on this machine and remember the choice."""

import platform
from collections.abc import Sequence
from dataclasses import asdict, dataclass

import numpy as np
from jaxtyping import UInt8

from tenfold.catalog import datasets
from tenfold.factory.ladder import LITE2
from tenfold.formats.pixels import decode
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.choose import choose, measure
from tenfold.trunks.int8 import quantised
from tenfold.trunks.runtimes import RUNTIMES, precisions, runtime_version
from tenfold.values import Progress
from tenfold.workspace import Workspace

PICTURES = 16


@dataclass(frozen=True, slots=True)
class Findings:
    settings: tuple[tuple[str, str, str], ...]
    """Name of the variable, its value now, what it is."""
    lines: tuple[str, ...]
    precision: str
    measurements: tuple[dict[str, object], ...]


def examine(
    workspace: Workspace, *, measures: bool = True, progress: Progress | None = None
) -> Findings:
    """Settings, machine and, if asked, the speed and agreement of every precision."""
    settings = workspace.settings
    lines = [
        f"Data live in {settings.home} ({_size(workspace):,.1f} MB of features).",
        f"{platform.machine()}, {settings.cores} cores, Python {platform.python_version()}, "
        + ", ".join(f"{runtime_version(n)} ({'/'.join(precisions(n))})" for n in RUNTIMES)
        + ".",
    ]
    if measures:
        lines += _measured(workspace, progress)
    known = workspace.machine()
    lines.append(
        f"Trunks run at {workspace.precision}"
        + (" as measured on this machine." if known else "; nothing was measured here yet.")
    )
    measured = tuple(known.get("measured", ()))
    return Findings(settings.told(), tuple(lines), workspace.precision, measured)


def _measured(workspace: Workspace, progress: Progress | None) -> list[str]:
    trunk = load_trunk(LITE2.trunk, workspace.trunks_folder)
    pictures, source = _pictures(workspace, trunk.size_px)
    if progress:
        progress("doctor", 0, 1)
    small = quantised(trunk, pictures, workspace.trunks_folder)
    found = measure(
        [trunk, small],
        pictures,
        streams=workspace.settings.cores,
        runtimes=[workspace.settings.runtime],
    )
    chosen = choose(found)
    workspace.remember_machine(
        {
            "precision": chosen.measurement.precision,
            "why": chosen.why,
            "int8": {trunk.digest: small.digest},
            "images_per_second": chosen.measurement.images_per_second,
            "measured": [asdict(m) for m in found],
        }
    )
    if progress:
        progress("doctor", 1, 1)
    return [f"{trunk.name} at {trunk.size_px} px on {source}:", *chosen.why.splitlines()]


def _pictures(
    workspace: Workspace, size_px: int
) -> tuple[Sequence[UInt8[np.ndarray, "s s 3"]], str]:
    """A few of the user's own pictures if there are any, else made-up textures."""
    for dataset in datasets.everything(workspace.scope):
        items = datasets.items_of(workspace.scope, dataset.name)[
            :: max(1, dataset.size // PICTURES)
        ]
        data = [workspace.blobs.get(item.sha256) for item in items[:PICTURES]]
        if data:
            pixels = [decode(one, where=dataset.name, max_pixels=10**9) for one in data]
            return [canvas(p, size_px=size_px)[0] for p in pixels], f"pictures of {dataset.name!r}"
    rng = np.random.default_rng(0)
    coarse = rng.integers(0, 256, (PICTURES, 12, 12, 3), np.uint8)
    return [canvas(one, size_px=size_px)[0] for one in coarse], "made-up textures"


def _size(workspace: Workspace) -> float:
    return workspace.features.size_bytes() / 1e6

"""The ladder: recipes for a kind of question, cheapest first. Values only; nothing runs here."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from typing import Any

from tenfold.specs.task import Symmetry
from tenfold.values import Fit, Kind

VIEWS_OF: dict[Symmetry, tuple[int, ...]] = {
    "none": (0,),
    "flips": (0, 2, 4, 6),
    "dihedral": (0, 5, 2, 7, 1, 4, 3, 6),
}
"""Views that show the same thing (see `tenfold.values.VIEWS`); the first few differ most."""


@dataclass(frozen=True, slots=True)
class FeatureInput:
    """What a head reads: one trunk at one size."""

    trunk: str
    size_px: int | None = None
    """Side of the canvas; None: the size the trunk was trained at."""
    fit: Fit = "squash"
    views: tuple[int, ...] = (0,)


@dataclass(frozen=True, slots=True)
class Rung:
    name: str
    recipe: str
    """A name in `tenfold.heads.HEADS`."""
    params: Mapping[str, Any] = field(default_factory=dict[str, Any])
    inputs: tuple[FeatureInput, ...] = ()
    needs_symmetry: bool = False
    """Climbed only where the task says which turns and mirrorings change nothing."""
    most_views: int = 1
    """Views of each input to read, where the task's symmetry offers so many."""


LITE2 = FeatureInput("efficientnet_lite2")
THREE_TRUNKS = (
    LITE2,
    FeatureInput("efficientnet_lite1", 300),
    FeatureInput("efficientnet_lite0", 448),
)
"""Different networks at different sizes err differently; 448 px shows what is thin."""
FINE_GAUSSIAN = {"dim": 150, "rank": 32}  # 2.1 MB, where the plain one takes 1.1
LETTERBOX_260 = FeatureInput("efficientnet_lite2", 260, "letterbox")
LETTERBOX_384 = FeatureInput("efficientnet_lite2", 384, "letterbox")

LADDERS: dict[Kind, tuple[Rung, ...]] = {
    "classify": (
        Rung("linear", "classify_linear", inputs=(LITE2,)),
        Rung("kernel", "classify_fourier", inputs=(LITE2,)),
        Rung("kernel_trunks", "classify_fourier", {"frequencies": 8192}, inputs=THREE_TRUNKS),
        Rung(
            "kernel_trunks_views",
            "classify_fourier",
            {"frequencies": 16384},
            inputs=(*THREE_TRUNKS, FeatureInput("efficientnet_lite0", 300)),
            needs_symmetry=True,
            most_views=2,
        ),
    ),
    "anomaly": (
        Rung("subspace", "anomaly_subspace", inputs=(LETTERBOX_260,)),
        Rung("gaussian", "anomaly_gaussian", {"grid": 17}, inputs=(LETTERBOX_260,)),
        Rung("gaussian_384", "anomaly_gaussian", inputs=(LETTERBOX_384,)),
        Rung("gaussian_fine", "anomaly_gaussian", FINE_GAUSSIAN, inputs=(LETTERBOX_384,)),
        Rung("memory_384", "anomaly_memory", {"grid": 20}, inputs=(LETTERBOX_384,)),
        Rung("blend_384", "anomaly_blend", inputs=(LETTERBOX_384,)),
    ),
}
"""Cheapest first."""


def rungs_for(kind: Kind, symmetry: Symmetry, *, multi_label: bool = False) -> tuple[Rung, ...]:
    """The rungs that a question of this kind may climb, views filled in, cheapest first."""
    shared = {"multi_label": True} if multi_label else {}
    return tuple(
        replace(rung, params={**rung.params, **shared}, inputs=_in_views(rung, symmetry))
        for rung in LADDERS[kind]
        if symmetry != "none" or not rung.needs_symmetry
    )


def reading(rungs: Sequence[Rung], *, trunk: str | None, size_px: int | None) -> tuple[Rung, ...]:
    """The rungs that read one trunk once, reading another one instead, or at another size; each
    once. Another trunk is read at its own size where none is given."""
    moved = [
        replace(rung, inputs=(_moved(rung.inputs[0], trunk, size_px),))
        for rung in rungs
        if len({given.trunk for given in rung.inputs}) == 1
    ]
    seen: list[object] = []
    kept: list[Rung] = []
    for rung in moved:
        if (rung.recipe, rung.params, rung.inputs) not in seen:
            seen.append((rung.recipe, rung.params, rung.inputs))
            kept.append(rung)
    return tuple(kept)


def _moved(given: FeatureInput, trunk: str | None, size_px: int | None) -> FeatureInput:
    return replace(given, trunk=trunk or given.trunk, size_px=size_px)


def _in_views(rung: Rung, symmetry: Symmetry) -> tuple[FeatureInput, ...]:
    views = VIEWS_OF[symmetry][: rung.most_views]
    return tuple(replace(given, views=views) for given in rung.inputs)

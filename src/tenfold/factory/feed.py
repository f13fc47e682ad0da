"""Features of samples as heads read them; what is not kept yet passes the trunk first."""

from collections import defaultdict
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from tenfold.errors import IntegrityError
from tenfold.factory.embed import embed, map_batches
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import Plan
from tenfold.factory.stock import Stock
from tenfold.heads import recipe
from tenfold.trunks import Trunk
from tenfold.trunks.graph import map_name
from tenfold.values import FeatureSpace, MapBatch, Progress
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Embedded:
    images: int
    """Pictures that passed a trunk now."""
    found: int
    """Pictures whose features were there already."""
    seconds: float


def ensure(
    workspace: Workspace,
    wanted: Sequence[tuple[Plan, Rung]],
    *,
    progress: Progress | None = None,
) -> Embedded:
    """Embed what the rungs of all plans need, each picture once for all of them.

    Raises:
        IntegrityError: a kept picture can no longer be read.
    """
    needs: dict[str, dict[FeatureSpace, set[str]]] = defaultdict(dict)
    outputs: dict[str, set[str]] = defaultdict(set)
    paths: dict[str, str] = {}
    trunks: dict[str, Trunk] = {}
    for plan, rung in wanted:
        trunks |= plan.trunks
        paths |= {item.sha256: item.path for item in plan.cohort.items}
        for given in plan.inputs(rung):
            outputs[given.trunk] |= set(outputs_of(rung))
            for view in given.views:
                space = plan.space(given, view)
                needs[given.trunk].setdefault(space, set()).update(plan.cohort.samples)
    images, seconds = 0, 0.0
    everyone = sorted(paths, key=paths.__getitem__)
    for trunk, spaces in needs.items():
        together: dict[frozenset[str], list[FeatureSpace]] = defaultdict(list)
        for space, samples in spaces.items():
            together[frozenset(samples)].append(space)
        for samples, same in together.items():  # one decode serves all spaces of a sample
            report = embed(
                workspace.features,
                trunks[trunk],
                same,
                [(sha, _reader(workspace, sha)) for sha in everyone if sha in samples],
                sorted(outputs[trunk]),
                progress=progress,
            )
            images, seconds = images + report.images, seconds + report.seconds
            if report.failed:
                sha, reason = report.failed[0]
                raise IntegrityError(
                    f"{len(report.failed)} kept pictures have no features: {reason}",
                    where=paths[sha],
                    hint="Ingest the dataset again.",
                )
    return Embedded(images, max(0, len(everyone) - images), seconds)


def outputs_of(rung: Rung) -> tuple[str, ...]:
    """What the trunk must yield for this rung's head."""
    strides: tuple[int, ...] = getattr(recipe(rung.recipe, **rung.params), "strides", ())
    return ("pooled", *(map_name(stride) for stride in strides))


def pooled(
    stock: Stock, plan: Plan, rung: Rung, samples: Sequence[str]
) -> Float32[np.ndarray, "n views dim"]:
    """Pooled features of all the rung's inputs, side by side."""
    blocks = [
        np.stack(
            [stock.pooled(plan.space(given, view), samples) for view in given.views],
            axis=1,
        )
        for given in plan.inputs(rung)
    ]
    return np.concatenate(blocks, axis=2)


def maps(
    workspace: Workspace,
    plan: Plan,
    rung: Rung,
    samples: Sequence[str],
    *,
    all_views: bool = False,
) -> Callable[[], Iterator[MapBatch]]:
    """A source of maps that can be read again and again; extra views come after the first."""
    (given,) = plan.inputs(rung)
    strides: tuple[int, ...] = recipe(rung.recipe, **rung.params).strides
    views = given.views if all_views else given.views[:1]

    def batches() -> Iterator[MapBatch]:
        for view in views:
            yield from map_batches(workspace.features, plan.space(given, view), strides, samples)

    return batches


def _reader(workspace: Workspace, sha: str) -> Callable[[], bytes]:
    return lambda: workspace.blobs.get(sha)

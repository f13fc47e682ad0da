"""Features of samples as heads read them; what is not kept yet passes the trunk first."""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field

from tenfold.catalog.datasets import Item
from tenfold.errors import IntegrityError
from tenfold.factory.embed import embed
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import Order, inputs_of, space_in
from tenfold.factory.reading import map_batches, pooled_of, space_of
from tenfold.heads import recipe
from tenfold.packages import Manifest
from tenfold.trunks import Trunk
from tenfold.trunks.graph import map_name
from tenfold.values import FeatureSpace, Progress, Seen
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Embedded:
    images: int
    """Pictures that passed a trunk now."""
    found: int
    """Pictures whose features were there already."""
    seconds: float


@dataclass(slots=True, eq=False)
class Needs:
    """What rungs of many tasks read: each picture once for all of them."""

    samples: dict[str, dict[FeatureSpace, set[str]]] = field(
        default_factory=lambda: defaultdict[str, dict[FeatureSpace, set[str]]](dict)
    )
    """By trunk."""
    outputs: dict[str, set[str]] = field(default_factory=lambda: defaultdict[str, set[str]](set))
    """By trunk."""
    paths: dict[str, str] = field(default_factory=dict[str, str])
    trunks: dict[str, Trunk] = field(default_factory=dict[str, Trunk])

    def add(self, order: Order, rung: Rung, items: Iterable[Item]) -> None:
        paths = {item.sha256: item.path for item in items}
        self.paths |= paths
        self.trunks |= order.trunks
        for given in inputs_of(order, rung):
            self.outputs[given.trunk] |= set(outputs_of(rung))
            for view in given.views:
                space = space_in(order, given, view)
                self.samples[given.trunk].setdefault(space, set()).update(paths)


def ensure(workspace: Workspace, needs: Needs, *, progress: Progress | None = None) -> Embedded:
    """Embed what is needed and not kept yet, each picture decoded once for all its spaces.

    Raises:
        IntegrityError: a kept picture can no longer be read.
    """
    images, seconds = 0, 0.0
    everyone = sorted(needs.paths, key=needs.paths.__getitem__)
    for trunk, spaces in needs.samples.items():
        together: dict[frozenset[str], list[FeatureSpace]] = defaultdict(list)
        for space, samples in spaces.items():
            together[frozenset(samples)].append(space)
        for samples, same in together.items():
            report = embed(
                workspace.features,
                needs.trunks[trunk],
                same,
                [(sha, _reader(workspace, sha)) for sha in everyone if sha in samples],
                sorted(needs.outputs[trunk]),
                progress=progress,
            )
            images, seconds = images + report.images, seconds + report.seconds
            if report.failed:
                sha, reason = report.failed[0]
                raise IntegrityError(
                    f"{len(report.failed)} kept pictures have no features: {reason}",
                    where=needs.paths[sha],
                    hint="Ingest the dataset again.",
                )
    return Embedded(images, max(0, len(everyone) - images), seconds)


def outputs_of(rung: Rung) -> tuple[str, ...]:
    """What the trunk must yield for this rung's head."""
    return ("pooled", *(map_name(stride) for stride in strides_of(rung)))


def strides_of(rung: Rung) -> tuple[int, ...]:
    """Maps that this rung's head reads; none for classify."""
    return tuple(getattr(recipe(rung.recipe, **rung.params), "strides", ()))


def kept(workspace: Workspace, manifest: Manifest, strides: Sequence[int], sample: str) -> Seen:
    """A picture's stored features, as a head of that manifest reads them."""
    store = workspace.features
    if manifest.kind == "anomaly":
        (given,) = manifest.inputs
        space = space_of(manifest, given, given.views[0])
        (batch,) = map_batches(store, space, strides, [sample])
        return batch
    return pooled_of(store, manifest, [sample])


def _reader(workspace: Workspace, sha: str) -> Callable[[], bytes]:
    return lambda: workspace.blobs.get(sha)

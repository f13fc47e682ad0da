"""What a worker reads: rosters, features and maps, each once while it is in use."""

from collections import OrderedDict
from collections.abc import Callable, Hashable, Iterator, Sequence, Sized
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path
from typing import Any, TypeVar, cast

import numpy as np
from jaxtyping import Float32

from tenfold.blobs import Blobs
from tenfold.catalog.datasets import Item
from tenfold.factory import roster as rosters
from tenfold.factory.job import Depot
from tenfold.factory.roster import Roster
from tenfold.factory.snapshot import items_in
from tenfold.features import FeatureStore
from tenfold.heads.roots import mean_root
from tenfold.packages import Manifest, TrunkInput
from tenfold.stores import open_store
from tenfold.trunks.graph import map_name
from tenfold.values import FeatureSpace, MapBatch

MOST_BYTES = 200_000_000
"""Features that one worker holds in memory."""
MAPS_AT_ONCE = 16
BYTES_A_SAMPLE = 1000
"""Of a roster or a snapshot in memory."""

Kept = TypeVar("Kept")


@dataclass(frozen=True, slots=True, eq=False)
class Reader:
    blobs: Blobs
    store: FeatureStore
    _kept: OrderedDict[Hashable, Any] = field(default_factory=OrderedDict[Hashable, Any])
    """Rosters and features, those used last at the end."""
    _tally: dict[str, int] = field(default_factory=lambda: {"bytes": 0})

    @property
    def bytes_read(self) -> int:
        """All bytes of features and rosters that were fetched so far."""
        return self._tally["bytes"]

    def roster(self, digest: str) -> Roster:
        return self._once(("roster", digest), lambda: self._load_roster(digest))

    def roots(self, roster: str, manifest: Manifest) -> Float32[np.ndarray, "n dim"]:
        """Signed roots of pooled features, inputs side by side, of everybody on the roster."""
        spaces = [
            [space_of(manifest, given, view) for view in given.views] for given in manifest.inputs
        ]
        samples = self.roster(roster).samples
        key = ("roots", samples, tuple(space for some in spaces for space in some))
        return self._once(key, lambda: self._load_roots(spaces, samples))

    def maps(
        self,
        manifest: Manifest,
        strides: Sequence[int],
        samples: Sequence[str],
        *,
        all_views: bool = False,
    ) -> Callable[[], Iterator[MapBatch]]:
        """A source of maps that can be read again and again; extra views come after the first."""
        (given,) = manifest.inputs
        views = given.views if all_views else given.views[:1]

        def batches() -> Iterator[MapBatch]:
            for view in views:
                space = space_of(manifest, given, view)
                for batch in map_batches(self.store, space, strides, samples):
                    self._tally["bytes"] += sum(dense.nbytes for dense in batch.maps.values())
                    yield batch

        return batches

    def vital(self, manifest: Manifest, samples: Sequence[str]) -> Iterator[MapBatch]:
        """What the gate before an anomaly head looks at: no maps."""
        (given,) = manifest.inputs
        yield from map_batches(
            self.store, space_of(manifest, given, given.views[0]), (), samples, size=1024
        )

    def _load_roster(self, digest: str) -> Roster:
        return rosters.load(self._blob(digest), self._items)

    def _items(self, snapshot: str) -> list[Item]:
        return self._once(("items", snapshot), lambda: items_in(self._blob(snapshot)))

    def _blob(self, digest: str) -> bytes:
        data = self.blobs.get(digest)
        self._tally["bytes"] += len(data)
        return data

    def _load_roots(
        self, spaces: Sequence[Sequence[FeatureSpace]], samples: Sequence[str]
    ) -> Float32[np.ndarray, "n dim"]:
        blocks: list[np.ndarray] = []
        for views in spaces:
            seen = [self.store.read(space, "pooled", samples) for space in views]
            self._tally["bytes"] += sum(block.nbytes for block in seen)
            blocks.append(mean_root(np.stack(seen, axis=1)))
        return blocks[0] if len(blocks) == 1 else np.concatenate(blocks, axis=1)

    def _once(self, key: Hashable, load: Callable[[], Kept]) -> Kept:
        if key not in self._kept:
            self._kept[key] = load()
        self._kept.move_to_end(key)
        while len(self._kept) > 3 and sum(map(_size, self._kept.values())) > MOST_BYTES:
            self._kept.popitem(last=False)
        return self._kept[key]


@lru_cache(maxsize=1)
def reader_at(depot: Depot) -> Reader:
    """This process's reader; it lives as long as the process works for one depot."""
    home = Path(depot.home)
    shared = open_store(depot.features, folder=home) if depot.features else None
    store = FeatureStore(home / "features", limit_bytes=depot.limit_bytes, shared=shared)
    return Reader(Blobs.opened(depot.blobs, home), store)


def space_of(manifest: Manifest, given: TrunkInput, view: int) -> FeatureSpace:
    return FeatureSpace(
        trunk=given.digest,
        size_px=given.size_px,
        fit=given.fit,
        view=view,
        precision=manifest.precision,
        runtime=manifest.runtime,
    )


def pooled_of(
    store: FeatureStore, manifest: Manifest, samples: Sequence[str]
) -> Float32[np.ndarray, "n views dim"]:
    """Pooled features as a head reads them, inputs side by side."""
    blocks = [
        np.stack(
            [
                store.read(space_of(manifest, given, view), "pooled", samples)
                for view in given.views
            ],
            axis=1,
        )
        for given in manifest.inputs
    ]
    return np.concatenate(blocks, axis=2)


def map_batches(
    store: FeatureStore,
    space: FeatureSpace,
    strides: Sequence[int],
    samples: Sequence[str],
    *,
    size: int = MAPS_AT_ONCE,
) -> Iterator[MapBatch]:
    """Embedded samples as anomaly heads read them; memory does not grow with the samples."""
    names = {stride: map_name(stride) for stride in strides}
    outputs = (*names.values(), "content_xyxy", "pooled", "vitals")
    for arrays in store.batches(space, outputs, samples, size=size):
        yield MapBatch(
            maps={stride: arrays[name] for stride, name in names.items()},
            content_xyxy=arrays["content_xyxy"],
            pooled=arrays["pooled"],
            vitals=arrays["vitals"],
        )


def one_of(batch: MapBatch, place: int) -> MapBatch:
    """One picture of the batch."""
    one = slice(place, place + 1)
    return MapBatch(
        maps={stride: dense[one] for stride, dense in batch.maps.items()},
        content_xyxy=batch.content_xyxy[one],
        pooled=batch.pooled[one],
        vitals=batch.vitals[one],
    )


def _size(kept: object) -> int:
    """About so many bytes."""
    if isinstance(kept, np.ndarray):
        return kept.nbytes
    return BYTES_A_SAMPLE * len(kept.samples if isinstance(kept, Roster) else cast("Sized", kept))

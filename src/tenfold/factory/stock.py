"""What many tasks share and none reads twice: datasets, questions, trunks, golden pictures.

Lives as long as one command.
"""

from collections import OrderedDict
from collections.abc import Hashable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass, field
from typing import Any
from weakref import WeakKeyDictionary

from tenfold.catalog import datasets
from tenfold.catalog.datasets import Item
from tenfold.catalog.snapshots import Snapshot
from tenfold.errors import Unsupported
from tenfold.factory import roster as rosters
from tenfold.factory.cohort import Cohort, gather, spelt
from tenfold.factory.snapshot import freeze
from tenfold.formats.pixels import decode
from tenfold.packages import Manifest
from tenfold.runtime import LoadedHead, Runtime
from tenfold.specs.task import TaskSpec
from tenfold.trunks import Trunk, load_trunk
from tenfold.values import Precision, Seen
from tenfold.workspace import Workspace

MOST_COHORTS = 64
MOST_LOOKS = 64
"""Golden pictures remembered as the trunk saw them; a dense one takes about a megabyte."""


@dataclass(frozen=True, slots=True, eq=False)
class Stock:
    workspace: Workspace
    runtime: Runtime
    precision: Precision
    _datasets: dict[str, tuple[tuple[Item, ...], Snapshot]] = field(
        default_factory=dict[str, tuple[tuple[Item, ...], Snapshot]]
    )
    _trunks: dict[str, Trunk] = field(default_factory=dict[str, Trunk])
    _cohorts: OrderedDict[Hashable, tuple[Cohort, TaskSpec]] = field(
        default_factory=OrderedDict[Hashable, tuple[Cohort, TaskSpec]]
    )
    _rosters: WeakKeyDictionary[Cohort, str] = field(default_factory=WeakKeyDictionary[Cohort, str])
    _looks: OrderedDict[Hashable, Future[Seen]] = field(
        default_factory=OrderedDict[Hashable, "Future[Seen]"]
    )
    _eye: ThreadPoolExecutor = field(default_factory=lambda: ThreadPoolExecutor(1))
    """Looks at golden pictures while this process does other things; alone uses the runtime."""

    @classmethod
    def of(cls, workspace: Workspace) -> "Stock":
        return cls(workspace, runtime_of(workspace), workspace.precision)

    def dataset(self, name: str) -> tuple[tuple[Item, ...], Snapshot]:
        """Its items, and the snapshot that freezes them.

        Raises:
            NotFound: there is no such dataset.
        """
        if name not in self._datasets:
            datasets.get(self.workspace.scope, name)
            items = datasets.items_of(self.workspace.scope, name)
            self._datasets[name] = (tuple(items), freeze(self.workspace, name, items))
        return self._datasets[name]

    def cohort(
        self, spec: TaskSpec, items: Sequence[Item], snapshot: str
    ) -> tuple[Cohort, TaskSpec]:
        """Who answers, and the task with its question spelt one way; variants share them.

        Raises:
            DataError: see `gather`.
        """
        asked = (snapshot, spec.kind, spec.question.model_dump_json(), spec.soft_label)
        if asked not in self._cohorts:
            self._cohorts[asked] = (gather(spec, items), spelt(spec, items))
        self._cohorts.move_to_end(asked)
        _trim(self._cohorts, MOST_COHORTS)
        cohort, one_way = self._cohorts[asked]
        return cohort, spec.model_copy(update={"question": one_way.question})

    def roster(self, cohort: Cohort, snapshot: str, items: Sequence[Item]) -> str:
        """The blob of its roster."""
        if cohort not in self._rosters:
            data = rosters.dump(cohort, snapshot, items)
            self._rosters[cohort] = self.workspace.blobs.put(data)
        return self._rosters[cohort]

    def trunk(self, name: str) -> Trunk:
        """The trunk of that name; at int8 the copy that `tenfold doctor` made of it.

        Raises:
            Unsupported: int8 is set, and there is no such copy.
        """
        if name not in self._trunks:
            trunk = load_trunk(name, self.workspace.trunks_folder)
            if self.precision == "int8":
                trunk = self._in_int8(trunk)
            self._trunks[name] = trunk
        return self._trunks[name]

    def _in_int8(self, trunk: Trunk) -> Trunk:
        copy = self.workspace.machine().get("int8", {}).get(trunk.digest)
        if copy is None:
            raise Unsupported(
                f"trunk {trunk.name!r} has no int8 copy here.",
                where="TENFOLD_PRECISION",
                hint="`tenfold doctor` makes one of the first rungs' trunk; for others use bf16 "
                "or fp32, or set `budget: {rungs: 1}`.",
            )
        return load_trunk(copy, self.workspace.trunks_folder)

    def look(self, loaded: LoadedHead, sample: str) -> Seen:
        """A kept picture as the serving runtime shows it to this head, passed through once."""
        return self.seen(loaded.manifest, loaded.strides, sample)

    def seen(self, manifest: Manifest, strides: Sequence[int], sample: str) -> Seen:
        """`look`, for all heads of that manifest and those strides."""
        return self.begin_look(manifest, strides, sample).result()

    def begin_look(self, manifest: Manifest, strides: Sequence[int], sample: str) -> "Future[Seen]":
        """`seen`, in a while."""
        inputs = tuple(given.model_dump_json() for given in manifest.inputs)
        key = (inputs, manifest.precision, manifest.runtime, tuple(strides), sample)
        if key not in self._looks:
            self._looks[key] = self._eye.submit(self._shown, manifest, strides, sample)
        self._looks.move_to_end(key)
        _trim(self._looks, MOST_LOOKS)
        return self._looks[key]

    def _shown(self, manifest: Manifest, strides: Sequence[int], sample: str) -> Seen:
        data = self.workspace.blobs.get(sample)
        limit = int(self.workspace.settings.max_megapixels * 1e6)
        return self.runtime.seen(
            manifest, strides, decode(data, where=sample[:12], max_pixels=limit)
        )


def runtime_of(workspace: Workspace, *, niceness: int = 0) -> Runtime:
    settings = workspace.settings
    return Runtime(workspace.trunks_folder, settings.runtime, settings.cores, niceness)


def _trim(kept: OrderedDict[Hashable, Any], most: int) -> None:
    while len(kept) > most:
        kept.popitem(last=False)

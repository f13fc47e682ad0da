"""Heads at hand: read from packs when they are first asked for, the oldest-used put back.

A head is used after it has shown what it showed when it was made: its golden feature rows once a
process, and the pictures of one head for each trunk, so that the trunk is proven too.
"""

import hashlib
import logging
import mmap
from collections import OrderedDict
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock
from typing import Generic, TypeVar

from tenfold import packages
from tenfold.atomic import write_bytes
from tenfold.blobs import Blobs
from tenfold.catalog.deployments import HeadRef
from tenfold.errors import IntegrityError, NotFound
from tenfold.formats.pixels import decode
from tenfold.packages import Manifest, Package
from tenfold.runtime import LoadedHead, Runtime, check_golden, check_goldens
from tenfold.values import Seen

log = logging.getLogger(__name__)

BYTES_A_MANIFEST = 12_000
"""About what a head takes beside its arrays."""
MOST_ROW_BYTES = 64_000_000
T = TypeVar("T")
HINT = "Roll the deployment back, or make the model again."


class Kept(Generic[T]):
    """Values by name, those used last; together they stay within a limit. Safe in threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self._values: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str) -> T | None:
        with self._lock:
            if name not in self._values:
                return None
            self._values.move_to_end(name)
            return self._values[name][0]

    def put(self, name: str, value: T, size_bytes: int) -> None:
        with self._lock:
            if name in self._values:  # two threads read it at once
                return
            self._values[name] = (value, size_bytes)
            self.bytes += size_bytes
            while self.bytes > self.limit_bytes and len(self._values) > 1:
                self.bytes -= self._values.popitem(last=False)[1][1]

    def drop(self, name: str) -> None:
        with self._lock:
            self.bytes -= self._values.pop(name, (None, 0))[1]


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Safe in threads."""

    blobs: Blobs
    runtime: Runtime
    folder: Path
    """Where packs of a store that is elsewhere are copied to."""
    heads: Kept[LoadedHead]
    rows: Kept[Seen] = field(default_factory=lambda: Kept(MOST_ROW_BYTES))
    """Feature rows of golden samples, which many heads share."""
    _packs: dict[str, mmap.mmap] = field(default_factory=dict[str, mmap.mmap])
    _proven: set[object] = field(default_factory=set[object])
    """Models, and trunks as `_trunks_of` names them, that showed their goldens."""

    def head(self, ref: HeadRef) -> LoadedHead:
        """The head of a model, ready to score.

        Raises:
            NotFound: its pack is gone.
            IntegrityError: it is damaged, or no longer says what it said when it was made.
        """
        loaded = self.heads.get(ref.model)
        if loaded is None:
            loaded = self._read(ref)
            self.heads.put(ref.model, loaded, ref.stretch.length + BYTES_A_MANIFEST)
        return loaded

    def _read(self, ref: HeadRef) -> LoadedHead:
        place = ref.stretch
        payload = self._pack(ref.pack)[place.offset : place.offset + place.length]
        if hashlib.sha256(payload).hexdigest() != place.digest:
            raise IntegrityError(
                f"model {ref.model[:12]} does not match its digest.",
                where=f"pack {ref.pack[:12]}",
                hint="Restore the blob from a backup, or make the model again.",
            )
        package = packages.load(payload, where=f"model {ref.model[:12]}")
        loaded = LoadedHead.of(package)
        if ref.model not in self._proven:
            self._prove(package, loaded)
            self._proven.add(ref.model)
        return replace(loaded, manifest=_slim(package.manifest))

    def _prove(self, package: Package, loaded: LoadedHead) -> None:
        trunks = _trunks_of(package.manifest, loaded.strides)
        if trunks not in self._proven:
            self._prove_trunks(package)
            self._proven.add(trunks)
        for golden in package.manifest.goldens:
            if golden.rows:
                check_golden(loaded, golden, self._seen(golden.rows), hint=HINT)

    def _prove_trunks(self, package: Package) -> None:
        try:
            check_goldens(package, self._look)
        except NotFound as error:  # forgotten with its dataset: the next head's may be there
            log.warning("a golden picture is gone, so its trunk was not checked: %s", error)

    def _look(self, loaded: LoadedHead, sample: str) -> Seen:
        return self.runtime.look(loaded, decode(self.blobs.get(sample), where=sample[:12]))

    def _seen(self, digest: str) -> Seen:
        seen = self.rows.get(digest)
        if seen is None:
            data = self.blobs.get(digest)
            seen = packages.load_rows(data)
            self.rows.put(digest, seen, len(data))
        return seen

    def _pack(self, digest: str) -> mmap.mmap:
        if digest not in self._packs:
            path = self.blobs.local(digest)
            if path is None:
                path = self.folder / digest
                if not path.exists():
                    write_bytes(path, self.blobs.get(digest))
            try:
                with path.open("rb") as file:
                    self._packs[digest] = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
            except FileNotFoundError as error:
                raise NotFound(
                    f"pack {digest[:12]} is gone.", where=str(path), hint=HINT
                ) from error
        return self._packs[digest]


def _slim(manifest: Manifest) -> Manifest:
    """Without what no answer needs: thousands of them lie in memory."""
    return manifest.model_copy(
        update={"goldens": (), "lineage": {}, "licences": {}, "question": {}, "verdict": {}}
    )


def _trunks_of(manifest: Manifest, strides: tuple[int, ...]) -> object:
    return (manifest.inputs, manifest.precision, strides)

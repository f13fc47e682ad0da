"""Heads at hand: read from packs when they are first asked for, the oldest-used put back.

A head is used after it has shown what it showed when it was made: its golden feature rows once a
process, and the pictures of one head for each trunk, so that the trunk is proven too.
"""

import hashlib
import logging
import mmap
import time
from dataclasses import dataclass, field, replace
from pathlib import Path
from threading import Lock

from tenfold import packages
from tenfold.atomic import write_bytes
from tenfold.blobs import Blobs
from tenfold.catalog.deployments import HeadRef
from tenfold.errors import DataError, IntegrityError, NotFound
from tenfold.formats.pixels import decode
from tenfold.packages import Manifest, Package
from tenfold.runtime import LoadedHead, Runtime, check_golden, check_rows
from tenfold.runtime.kept import Kept
from tenfold.values import Seen

log = logging.getLogger(__name__)

BYTES_A_MANIFEST = 12_000
"""About what a head takes beside its arrays."""
MOST_ROW_BYTES = 64_000_000
BROKEN_S = 10.0
"""How long a head that cannot be used is not tried again."""
HINT = "Roll the deployment back, or make the model again."


@dataclass(frozen=True, slots=True, eq=False)
class Shelf:
    """Safe in threads."""

    blobs: Blobs
    runtime: Runtime
    folder: Path
    """Where packs of a store that is elsewhere are copied to."""
    heads: Kept[LoadedHead]
    rows: Kept[Seen] = field(default_factory=lambda: Kept[Seen](MOST_ROW_BYTES))
    """Feature rows of golden samples, which many heads share."""
    _packs: dict[str, mmap.mmap] = field(default_factory=dict[str, mmap.mmap])
    _proven: set[object] = field(default_factory=set[object])
    """Models, and trunks as `_trunks_of` names them, that showed their goldens."""
    _broken: dict[str, tuple[float, IntegrityError]] = field(
        default_factory=dict[str, tuple[float, IntegrityError]]
    )
    _lock: Lock = field(default_factory=Lock)
    """Held while a pack is mapped or fetched."""

    def head(self, ref: HeadRef) -> LoadedHead:
        """The head of a model, ready to score.

        Raises:
            IntegrityError: its pack, rows or trunk are gone or damaged, or it no longer says what
                it said when it was made.
        """
        loaded = self.heads.get(ref.model)
        if loaded is not None:
            return loaded
        since, error = self._broken.get(ref.model, (0.0, None))
        if error is not None and time.monotonic() - since < BROKEN_S:
            raise error
        try:
            loaded = self._read(ref)
        except (NotFound, DataError, IntegrityError) as problem:
            error = _cannot(ref, problem)
            self._broken[ref.model] = (time.monotonic(), error)
            raise error from problem
        self._broken.pop(ref.model, None)
        self.heads.put(ref.model, loaded, ref.stretch.length + BYTES_A_MANIFEST)
        return loaded

    def let_go(self, packs: set[str]) -> None:
        """Forget packs that are not among these, and delete our copies of them."""
        with self._lock:
            for digest in self._packs.keys() - packs:
                del self._packs[digest]  # the mapping ends with the last that looks into it
                (self.folder / digest).unlink(missing_ok=True)

    def _read(self, ref: HeadRef) -> LoadedHead:
        place = ref.stretch
        payload = self._pack(ref.pack)[place.offset : place.offset + place.length]
        if hashlib.sha256(payload).hexdigest() != place.digest:
            raise IntegrityError(f"pack {ref.pack[:12]} does not match its digest.")
        package = packages.load(payload, where=f"model {ref.model[:12]}")
        loaded = LoadedHead.of(package)
        if ref.model not in self._proven:
            self._prove(package, loaded)
            self._proven.add(ref.model)
        return replace(loaded, manifest=_slim(package.manifest))

    def _prove(self, package: Package, loaded: LoadedHead) -> None:
        trunks = _trunks_of(package.manifest, loaded.strides)
        if trunks not in self._proven and self._shows_its_pictures(loaded):
            self._proven.add(trunks)
        check_rows(loaded, self._seen)

    def _shows_its_pictures(self, loaded: LoadedHead) -> bool:
        """Whether there were golden pictures to check the trunk with; some may be forgotten."""
        is_checked = False
        for golden in loaded.manifest.goldens:
            try:
                data = self.blobs.get(golden.sample)
            except NotFound:
                continue
            pixels = decode(data, where=golden.sample[:12])
            check_golden(loaded, golden, self.runtime.look(loaded, pixels), hint=HINT)
            is_checked = True
        return is_checked

    def _seen(self, digest: str) -> Seen:
        seen = self.rows.get(digest)
        if seen is None:
            data = self.blobs.get(digest)
            seen = packages.load_rows(data)
            self.rows.put(digest, seen, len(data))
        return seen

    def _pack(self, digest: str) -> mmap.mmap:
        with self._lock:
            if digest not in self._packs:
                path = self.blobs.local(digest)
                if path is None:
                    path = self.folder / digest
                    if not path.exists():
                        write_bytes(path, self.blobs.get(digest))
                try:
                    with path.open("rb") as file:
                        mapped = mmap.mmap(file.fileno(), 0, access=mmap.ACCESS_READ)
                except (FileNotFoundError, ValueError) as error:
                    raise NotFound(f"pack {digest[:12]} is gone.", where=str(path)) from error
                self._packs[digest] = mapped
            return self._packs[digest]


def _cannot(ref: HeadRef, problem: NotFound | DataError | IntegrityError) -> IntegrityError:
    return IntegrityError(
        f"its head cannot be used: {problem.args[0]}",
        where=f"model {ref.model[:12]} of task {ref.task}",
        hint=HINT,
    )


def _slim(manifest: Manifest) -> Manifest:
    """Without what no answer needs: thousands of them lie in memory."""
    return manifest.model_copy(
        update={"goldens": (), "lineage": {}, "licences": {}, "question": {}, "verdict": {}}
    )


def _trunks_of(manifest: Manifest, strides: tuple[int, ...]) -> object:
    return (manifest.inputs, manifest.precision, strides)

"""Feature shards in a store that many machines share, under the names they have in each folder.

A machine copies what it needs: which samples a shard holds is read without reading its arrays, so
shards of other pictures stay where they are. Nothing in the store is ever changed. It may be
emptied any time: features are then made anew.
"""

import json
import logging
from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import obstore
from obstore.store import ObjectStore

from tenfold.atomic import write_bytes
from tenfold.errors import IntegrityError, Unavailable
from tenfold.shards import IDS, read_shard
from tenfold.stores import place_of, telling

log = logging.getLogger(__name__)

UNSHARED = ".unshared"
"""How a file ends that says its shard is not in the store yet."""

FIRST_BYTES = 4 << 10
"""Of a shard; more than its header has."""

SPACE = "space.json"
AT_ONCE = 8


class SharedShards:
    """What `FeatureStore` keeps for other machines. `folder` is this machine's own copy.

    Every method raises `Unavailable` while the store is away.
    """

    def __init__(self, store: ObjectStore, folder: Path) -> None:
        self._store = store
        self._folder = folder
        self._ids: dict[str, bytes] = {}  # of shards that are not here: 32 bytes a sample
        self._spaces: set[str] = set()
        self._is_away = False

    def announce(self, path: Path) -> None:
        """Note that a shard is to be pushed, before it is there: a killed writer's is pushed by
        the next run."""
        write_bytes(_note(path), b"")

    def push(self, path: Path) -> None:
        """Give a shard of this machine to the others; while the store is away, it stays noted."""
        if self._is_away:
            return
        try:
            self._push(path)
        except Unavailable as error:
            self._is_away = True
            log.warning("features are shared later: %s", error)

    def push_announced(self, group: Path) -> None:
        """Push what killed runs, or those that found the store away, left behind."""
        self._is_away = False
        for note in group.glob(f"*{UNSHARED}"):
            path = note.with_name(note.name.removesuffix(UNSHARED))
            if _is_sound(path):
                self._push(path)
            else:  # never finished, evicted, or damaged: to be made anew
                note.unlink(missing_ok=True)

    def fetch(self, group: Path, samples: Iterable[str]) -> list[Path]:
        """Copy the shards of a group that hold some of the samples and are not here."""
        wanted = {bytes.fromhex(sample) for sample in samples}
        listed = self._list(self._name(group))
        names = {name: size for name, size in listed.items() if not self._here(name).exists()}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="shared") as threads:
            list(threads.map(self._learn, names, names.values()))
            chosen = [name for name in names if not wanted.isdisjoint(self._samples(name))]
            list(threads.map(self._copy, chosen))
        return [path for path in map(self._here, chosen) if path.exists()]

    def fetch_everywhere(self, samples: Iterable[str]) -> None:
        """`fetch` for every group of every space."""
        samples = list(samples)
        groups = {self._here(name).parent for name in self._list("")}
        for group in sorted(groups):
            self.fetch(group, samples)

    def delete(self, path: Path) -> None:
        """A shard, for all machines; their own copies stay until they are evicted."""
        name = self._name(path)
        _note(path).unlink(missing_ok=True)
        try:
            with telling(self._store, name):
                obstore.delete(self._store, name)
        except FileNotFoundError:
            return

    def _list(self, prefix: str) -> dict[str, int]:
        """Bytes by name of every shard below `prefix`."""
        found: dict[str, int] = {}
        with telling(self._store, prefix):
            for page in obstore.list(self._store, prefix=prefix or None):
                found |= {entry["path"]: entry["size"] for entry in page}
        return {name: size for name, size in found.items() if name.endswith(".safetensors")}

    def _learn(self, name: str, size: int) -> None:
        """Which samples a shard holds; a damaged one is removed, so it is made anew."""
        if name in self._ids:
            return
        try:
            self._ids[name] = self._read_ids(name, size)
        except FileNotFoundError:
            return
        except (ValueError, LookupError, TypeError) as error:
            self._remove(name, str(error))

    def _samples(self, name: str) -> Iterable[bytes]:
        ids = self._ids.get(name, b"")
        return (ids[at : at + 32] for at in range(0, len(ids), 32))

    def _read_ids(self, name: str, size: int) -> bytes:
        first = self._range(name, 0, min(FIRST_BYTES, size))
        start = 8 + int.from_bytes(first[:8], "little")
        if not 10 <= start <= size:
            raise ValueError("its header is cut")
        if start > len(first):
            first = self._range(name, 0, start)
        header: dict[str, Any] = json.loads(first[8:start])
        begin, end = (start + offset for offset in header[IDS]["data_offsets"])
        if not begin <= end <= size:
            raise ValueError("its sample ids are cut")
        return self._range(name, begin, end - begin)

    def _copy(self, name: str) -> None:
        path = self._here(name)
        space = path.parent.parent / SPACE
        try:
            if not space.exists():
                write_bytes(space, self._get(self._name(space)))
            write_bytes(path, self._get(name))
        except FileNotFoundError:
            return  # dropped or removed meanwhile: what it held is missing
        if not _is_sound(path):
            path.unlink(missing_ok=True)
            self._remove(name, "its bytes are not what was written")

    def _remove(self, name: str, reason: str) -> None:
        where = place_of(self._store, name)
        log.warning(
            "a damaged shared feature shard is removed and made anew: %s (%s)", where, reason
        )
        self.delete(self._here(name))

    def _push(self, path: Path) -> None:
        space = path.parent.parent / SPACE
        if space.parent.name not in self._spaces:
            self._put(space)
            self._spaces.add(space.parent.name)
        self._put(path)
        _note(path).unlink(missing_ok=True)

    def _put(self, path: Path) -> None:
        name = self._name(path)
        try:
            data = path.read_bytes()
        except FileNotFoundError:
            return  # it was evicted
        with telling(self._store, name):
            obstore.put(self._store, name, data)

    def _get(self, name: str) -> bytes:
        with telling(self._store, name):
            return bytes(obstore.get(self._store, name).bytes())

    def _range(self, name: str, start: int, length: int) -> bytes:
        if length == 0:
            return b""
        with telling(self._store, name):
            return bytes(obstore.get_range(self._store, name, start=start, length=length))

    def _name(self, path: Path) -> str:
        return path.relative_to(self._folder).as_posix()

    def _here(self, name: str) -> Path:
        return self._folder / name


def _note(path: Path) -> Path:
    return path.with_name(path.name + UNSHARED)


def _is_sound(path: Path) -> bool:
    try:
        return read_shard(path).is_sound()
    except (IntegrityError, FileNotFoundError):
        return False

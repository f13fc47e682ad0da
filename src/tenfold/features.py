"""What trunks made of samples, kept once in immutable shards; knows no trunk.

Layout: `<space key>/<group>/<name>.safetensors`, beside `space.json` which says what the key means.
The group `pooled` holds what every head reads; each dense map is a group of its own. A shard is
written under another name and renamed when the disk has it, and never changes afterwards: readers
need no lock, and a killed writer loses only the shard it was filling. With a shared store this
folder is a copy of what the machine's runs used of it, see `shared_shards`.
"""

import json
import logging
import os
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from threading import RLock

import numpy as np
from obstore.store import ObjectStore

from tenfold.atomic import UNFINISHED, write_bytes
from tenfold.errors import DataError, IntegrityError, NotFound
from tenfold.shards import Shard, read_shard, shard_path, write_shard
from tenfold.shared_shards import SharedShards
from tenfold.values import FeatureSpace

log = logging.getLogger(__name__)

POOLED = {"pooled", "vitals", "content_xyxy"}
SHARD_ROWS = 256
SHARD_BYTES = 16 << 20
ABANDONED_S = 3600.0
AT_ONCE = 4
"""Shards that are checked at once."""


class FeatureStore:
    """Features of one machine. One instance is one run: what it used or wrote, it never evicts."""

    def __init__(
        self, folder: Path, *, limit_bytes: int, shared: ObjectStore | None = None
    ) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._shared = None if shared is None else SharedShards(shared, folder)
        self._groups: dict[Path, _Group] = {}
        self._used: set[Path] = set()
        self._bytes = -1
        self._lock = RLock()

    def missing(self, space: FeatureSpace, output: str, samples: Iterable[str]) -> list[str]:
        """The samples that have no `output` yet, in the order given. Those there stay this run.

        Damaged shards are removed, so what they held is fetched again or made anew.

        Raises:
            Unavailable: the shared store is away.
        """
        samples = list(samples)
        with self._lock:
            group = self._group(space, output)
            if self._shared:
                self._shared.push_announced(group.folder)
            group.refresh(discard=self._discard)
            self._discard_damaged(group, samples)
            absent = group.absent(samples)
            if absent and self._fetch(group, absent):
                absent = group.absent(samples)
            for shard in {group.rows[s][0] for s in samples if s in group.rows}:
                self._touch(shard)
            return absent

    def read(self, space: FeatureSpace, output: str, samples: Sequence[str]) -> np.ndarray:
        """[samples, ...] in the order asked: float32, or float16 for dense maps.

        Raises:
            NotFound: a sample was never embedded, or its features were evicted.
            IntegrityError: a shard is damaged, and there is no shared store to fetch it from.
            Unavailable: the shared store is away.
        """
        with self._lock:
            try:
                return self._read(space, output, samples)
            except (NotFound, IntegrityError) as error:
                if not self._shared:
                    raise
                if isinstance(error, IntegrityError):
                    self._discard(Path(error.where))
            group = self._group(space, output)
            group.refresh(discard=self._discard)
            self._fetch(group, group.absent(samples))
            return self._read(space, output, samples)

    def _read(self, space: FeatureSpace, output: str, samples: Sequence[str]) -> np.ndarray:
        group = self._group(space, output)
        if group.absent(samples):
            group.refresh()
        places: dict[Shard, tuple[list[int], list[int]]] = {}
        for position, sample in enumerate(samples):
            if sample not in group.rows:
                raise _not_there(space, output, sample)
            shard, row = group.rows[sample]
            positions, rows = places.setdefault(shard, ([], []))
            positions.append(position)
            rows.append(row)
        array = np.empty(0)
        for shard, (positions, rows) in places.items():
            self._touch(shard)
            try:
                found = shard.rows(output, rows)
            except FileNotFoundError as error:
                raise _not_there(space, output, samples[positions[0]]) from error
            if not array.size:
                array = np.empty((len(samples), *found.shape[1:]), found.dtype)
            array[positions] = found
        return array

    def batches(
        self, space: FeatureSpace, outputs: Sequence[str], samples: Sequence[str], *, size: int
    ) -> Iterator[dict[str, np.ndarray]]:
        """Arrays by output for `size` samples at a time; memory does not grow with the samples."""
        for start in range(0, len(samples), size):
            some = samples[start : start + size]
            yield {output: self.read(space, output, some) for output in outputs}

    @contextmanager
    def writer(self, space: FeatureSpace, outputs: Iterable[str]) -> Generator["FeatureWriter"]:
        """Adds features of `space`; what was added is kept even when the block ends in an error.

        Raises:
            Unavailable: the disk is full; or the shared store is away, all is kept here, and the
                next `missing` shares it.
        """
        folder = self.folder / space.key
        if not (folder / "space.json").exists():
            write_bytes(folder / "space.json", json.dumps(asdict(space), indent=1).encode())
        with self._lock:
            if self._bytes < 0:
                self._bytes = sum(size for _, size, _ in self._on_disk(clean=True))
        groups = {_group_name(o) for o in outputs}
        writer = FeatureWriter(folder, groups, self._keep)
        try:
            yield writer
        finally:
            writer.close()
        if self._shared:
            for group in groups:
                self._shared.push_announced(folder / group)

    def drop(self, samples: Iterable[str]) -> int:
        """Forget `samples` in every space, shared ones too; returns how many rows went.

        A killed drop can be run again. Copies on other machines stay until they are evicted.
        """
        gone, count = set(samples), 0
        with self._lock:
            if self._shared:
                self._shared.fetch_everywhere(gone)
            for folder in self.folder.glob("*/*/"):
                group = self._groups.setdefault(folder, _Group(folder))
                group.refresh()
                for shard in group.shards:
                    if not gone.isdisjoint(shard.samples):
                        count += self._without(shard, gone)
                group.refresh()
            self._bytes = -1
        return count

    def _without(self, shard: Shard, gone: set[str]) -> int:
        """Replaces a shard by one without some samples; returns how many these were."""
        kept = [i for i, sample in enumerate(shard.samples) if sample not in gone]
        if kept:
            arrays = {name: shard.rows(name, kept) for name in shard.names}
            self._write(shard.path.parent, [shard.samples[i] for i in kept], arrays)
        if self._shared:
            self._shared.push_announced(shard.path.parent)
            self._shared.delete(shard.path)
        shard.path.unlink(missing_ok=True)
        return len(shard.samples) - len(kept)

    def size_bytes(self) -> int:
        return sum(size for _, size, _ in self._on_disk())

    def _group(self, space: FeatureSpace, output: str) -> "_Group":
        folder = self.folder / space.key / _group_name(output)
        return self._groups.setdefault(folder, _Group(folder))

    def _fetch(self, group: "_Group", samples: Iterable[str]) -> list[Path]:
        """Take in what the shared store has of the samples; returns the new shards."""
        fetched = self._shared.fetch(group.folder, samples) if self._shared else []
        if fetched:
            self._used.update(fetched)
            if sum(size for _, size, _ in self._on_disk()) > self.limit_bytes:
                self._evict()
            group.refresh(discard=self._discard)
            self._bytes = -1
        return fetched

    def _discard_damaged(self, group: "_Group", samples: Sequence[str]) -> None:
        there = {group.rows[s][0] for s in samples if s in group.rows}
        with ThreadPoolExecutor(AT_ONCE, thread_name_prefix="check") as threads:
            sound = threads.map(Shard.is_sound, there)
            damaged = [shard for shard, is_sound in zip(there, sound, strict=True) if not is_sound]
        for shard in damaged:
            self._discard(shard.path)
        if damaged:
            group.refresh(discard=self._discard)

    def _discard(self, path: Path) -> None:
        log.warning("a damaged feature shard is removed and made anew: %s", path)
        path.unlink(missing_ok=True)
        self._bytes = -1

    def _touch(self, shard: Shard) -> None:
        """Write down that a shard was used now; the modification time says so to every process."""
        if shard.path not in self._used:
            self._used.add(shard.path)
            try:
                os.utime(shard.path)
            except FileNotFoundError:
                return

    def _keep(self, folder: Path, samples: Sequence[str], arrays: Mapping[str, np.ndarray]) -> None:
        path = self._write(folder, samples, arrays)
        with self._lock:
            self._used.add(path)
            self._bytes = (
                self.size_bytes() if self._bytes < 0 else self._bytes + path.stat().st_size
            )
            if self._bytes > self.limit_bytes:
                self._evict()
        if self._shared:
            self._shared.push(path)

    def _write(
        self, folder: Path, samples: Sequence[str], arrays: Mapping[str, np.ndarray]
    ) -> Path:
        path = shard_path(folder, samples, arrays)
        if self._shared:
            self._shared.announce(path)
        write_shard(path, samples, arrays)
        return path

    def _evict(self) -> None:
        files = sorted(self._on_disk())
        self._bytes = sum(size for _, size, _ in files)
        for _, size, path in files:
            if self._bytes <= self.limit_bytes:
                return
            if path not in self._used:
                path.unlink(missing_ok=True)
                self._bytes -= size
                log.info("features evicted", extra={"shard": str(path), "bytes": size})
        if self._bytes > self.limit_bytes:
            facts = {"bytes": self._bytes, "limit_bytes": self.limit_bytes}
            log.warning("features of this run alone exceed their limit", extra=facts)

    def _on_disk(self, *, clean: bool = False) -> list[tuple[float, int, Path]]:
        """(last use, bytes, path) of every shard; `clean` deletes what killed writers left."""
        found: list[tuple[float, int, Path]] = []
        for path in self.folder.glob("*/*/*"):
            try:
                facts = path.stat()
            except FileNotFoundError:
                continue
            if path.suffix == ".safetensors":
                found.append((facts.st_mtime, facts.st_size, path))
            elif clean and _is_abandoned(path.name, facts.st_mtime):
                path.unlink(missing_ok=True)
        return found


class FeatureWriter:
    """Collects rows and writes a shard whenever one is full, beside the caller's own work."""

    def __init__(
        self,
        folder: Path,
        groups: set[str],
        keep: Callable[[Path, Sequence[str], Mapping[str, np.ndarray]], None],
    ) -> None:
        self._folder = folder
        self._keep = keep
        self._rows: dict[str, list[tuple[str, dict[str, np.ndarray]]]] = {g: [] for g in groups}
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="shards")
        self._busy: Future[None] | None = None

    def add(self, sample: str, arrays: Mapping[str, np.ndarray]) -> None:
        """One sample's arrays by output, without a leading axis; others than asked for are ignored.

        Raises:
            DataError: a number is NaN, infinite, or too large for the float16 of dense maps.
        """
        kept: dict[str, dict[str, np.ndarray]] = {}
        for group in self._rows:
            names = POOLED if group == "pooled" else {group}
            kept[group] = {name: _storable(arrays[name], name, sample) for name in names}
        for group, row in kept.items():
            rows = self._rows[group]
            rows.append((sample, row))
            row_bytes = sum(array.nbytes for array in row.values())
            if len(rows) >= min(SHARD_ROWS, max(1, SHARD_BYTES // row_bytes)):
                self._flush(group)

    def close(self) -> None:
        """Write what is left and wait for the disk."""
        try:
            for group in self._rows:
                self._flush(group)
            if self._busy:
                self._busy.result()
        finally:
            self._thread.shutdown()

    def _flush(self, group: str) -> None:
        rows, self._rows[group] = self._rows[group], []
        if not rows:
            return
        if self._busy:
            self._busy.result()
        self._busy = self._thread.submit(self._write, group, rows)

    def _write(self, group: str, rows: list[tuple[str, dict[str, np.ndarray]]]) -> None:
        samples = [sample for sample, _ in rows]
        arrays = {name: np.stack([row[name] for _, row in rows]) for name in rows[0][1]}
        self._keep(self._folder / group, samples, arrays)


class _Group:
    """Which shard and row each sample has, as far as this process has looked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, tuple[Shard, int]] = {}
        self._shards: dict[str, Shard] = {}

    @property
    def shards(self) -> list[Shard]:
        return list(self._shards.values())

    def absent(self, samples: Iterable[str]) -> list[str]:
        return [sample for sample in samples if sample not in self.rows]

    def refresh(self, *, discard: Callable[[Path], None] | None = None) -> None:
        """Take in shards that others wrote or deleted since.

        Raises:
            IntegrityError: one is damaged, and there is no `discard` to call with it.
        """
        names = {p.name for p in self.folder.glob("*.safetensors")}
        if self._shards.keys() - names:
            self._shards = {n: s for n, s in self._shards.items() if n in names}
            self.rows = {}
            for shard in self._shards.values():
                self._take_in(shard)
        for name in sorted(names - self._shards.keys()):
            try:
                shard = self._shards[name] = read_shard(self.folder / name)
            except FileNotFoundError:
                continue
            except IntegrityError:
                if discard is None:
                    raise
                discard(self.folder / name)
                continue
            self._take_in(shard)

    def _take_in(self, shard: Shard) -> None:
        for row, sample in enumerate(shard.samples):
            self.rows.setdefault(sample, (shard, row))


def _storable(array: np.ndarray, name: str, sample: str) -> np.ndarray:
    with np.errstate(over="ignore"):
        stored = np.array(array, np.float32 if name in POOLED else np.float16)
    if not np.isfinite(stored).all():
        raise DataError(
            f"the trunk gave a {name} that is not finite, or too large to keep.",
            where=sample[:12],
            hint="Look at the picture; in bf16 or int8, try fp32.",
        )
    return stored


def _is_abandoned(name: str, mtime: float) -> bool:
    return name.startswith(UNFINISHED) and time.time() - mtime > ABANDONED_S


def _group_name(output: str) -> str:
    return "pooled" if output in POOLED else output


def _not_there(space: FeatureSpace, output: str, sample: str) -> NotFound:
    return NotFound(
        f"no {output} of sample {sample[:12]}… in space {space.key}.",
        hint="It was never embedded or was evicted meanwhile: run the same command again.",
    )

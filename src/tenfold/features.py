"""What trunks made of samples, kept once: immutable shards, memory-mapped; knows no trunk.

Layout: `<space key>/<group>/<name>.safetensors`, beside `space.json` which says what the key means.
The group `pooled` holds what every head reads; each dense map is a group of its own. A shard is
written under another name and renamed when the disk has it, and never changes afterwards: readers
need no lock, and a killed writer loses only the shard it was filling.
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

from tenfold.atomic import UNFINISHED, write_bytes
from tenfold.errors import DataError, IntegrityError, NotFound
from tenfold.shards import Shard, read_shard, write_shard
from tenfold.values import FeatureSpace

log = logging.getLogger(__name__)

POOLED = {"pooled", "vitals", "content_xyxy"}
SHARD_ROWS = 256
SHARD_BYTES = 16 << 20
ABANDONED_S = 3600.0


class FeatureStore:
    """Features of one machine. One instance is one run: what it used or wrote, it never evicts."""

    def __init__(self, folder: Path, *, limit_bytes: int) -> None:
        self.folder = folder
        self.limit_bytes = limit_bytes
        self._groups: dict[Path, _Group] = {}
        self._used: set[Path] = set()
        self._bytes = -1
        self._lock = RLock()

    def missing(self, space: FeatureSpace, output: str, samples: Iterable[str]) -> list[str]:
        """The samples that have no `output` yet, in the order given. Those there stay this run.

        Damaged shards are removed, so what they held is missing and is made anew.
        """
        with self._lock:
            group = self._group(space, output)
            group.refresh(discard=self._discard)
            there = {group.rows[s][0] for s in samples if s in group.rows}
            damaged = [shard for shard in there if not shard.is_sound()]
            for shard in damaged:
                self._discard(shard.path)
            if damaged:
                group.refresh(discard=self._discard)
            for shard in there.difference(damaged):
                self._touch(shard)
            return [sample for sample in samples if sample not in group.rows]

    def read(self, space: FeatureSpace, output: str, samples: Sequence[str]) -> np.ndarray:
        """[samples, ...] in the order asked: float32, or float16 for dense maps.

        Raises:
            NotFound: a sample was never embedded, or its features were evicted.
            IntegrityError: a shard is damaged.
        """
        with self._lock:
            group = self._group(space, output)
            if any(sample not in group.rows for sample in samples):
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
        """Adds features of `space`; what was added is kept even when the block ends in an error."""
        folder = self.folder / space.key
        if not (folder / "space.json").exists():
            write_bytes(folder / "space.json", json.dumps(asdict(space), indent=1).encode())
        with self._lock:
            if self._bytes < 0:
                self._bytes = sum(size for _, size, _ in self._on_disk(clean=True))
        writer = FeatureWriter(folder, {_group_name(o) for o in outputs}, self._grown)
        try:
            yield writer
        finally:
            writer.close()

    def drop(self, samples: Iterable[str]) -> int:
        """Forget `samples` in every space; returns how many rows went. A killed drop can be run
        again."""
        gone, count = set(samples), 0
        with self._lock:
            for folder in self.folder.glob("*/*/"):
                group = self._groups.setdefault(folder, _Group(folder))
                group.refresh()
                for shard in {group.rows[s][0] for s in gone & group.rows.keys()}:
                    kept = [i for i, s in enumerate(shard.samples) if s not in gone]
                    count += len(shard.samples) - len(kept)
                    if kept:
                        arrays = {name: shard.rows(name, kept) for name in shard.names}
                        write_shard(folder, [shard.samples[i] for i in kept], arrays)
                    shard.path.unlink(missing_ok=True)
                group.refresh()
            self._bytes = -1
        return count

    def size_bytes(self) -> int:
        return sum(size for _, size, _ in self._on_disk())

    def _group(self, space: FeatureSpace, output: str) -> "_Group":
        folder = self.folder / space.key / _group_name(output)
        return self._groups.setdefault(folder, _Group(folder))

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

    def _grown(self, path: Path) -> None:
        with self._lock:
            self._used.add(path)
            self._bytes += path.stat().st_size
            if self._bytes > self.limit_bytes:
                self._evict()

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

    def __init__(self, folder: Path, groups: set[str], written: Callable[[Path], None]) -> None:
        self._folder = folder
        self._written = written
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
        self._written(write_shard(self._folder / group, samples, arrays))


class _Group:
    """Which shard and row each sample has, as far as this process has looked."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.rows: dict[str, tuple[Shard, int]] = {}
        self._shards: dict[str, Shard] = {}

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

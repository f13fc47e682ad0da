"""The blobs of a backup folder: which are whole, and copying those that are not there."""

import os
import re
from collections.abc import Callable, Collection, Generator, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from functools import cached_property, partial
from pathlib import Path
from typing import TypeVar

from tenfold.backup.manifest import damaged
from tenfold.blobs import Blobs
from tenfold.errors import IntegrityError, NotFound
from tenfold.values import Progress

BLOBS = "blobs"
DIGEST = re.compile(r"[0-9a-f]{64}")
THREADS, CHUNK = 8, 256

Item = TypeVar("Item")
Result = TypeVar("Result")


class Shelf:
    """The blobs in `folder`; `vouched` are sizes of those that were whole when it was last read."""

    def __init__(self, folder: Path, vouched: dict[str, int]) -> None:
        self.folder = folder / BLOBS
        self._blobs = Blobs.in_folder(self.folder)
        self.sure = {digest: n for digest, n in vouched.items() if self._files.get(digest) == n}
        """Sizes of those that are whole."""
        self.copied: set[str] = set()

    @cached_property
    def _files(self) -> dict[str, int]:
        """Size of each file that was there at first, by its name."""
        folders = [one.path for one in os.scandir(self.folder) if one.is_dir()]
        files = (one for folder in folders for one in os.scandir(folder))
        return {one.name: one.stat().st_size for one in files if DIGEST.match(one.name)}

    def read(self, digest: str) -> bytes:
        """
        Raises:
            IntegrityError: it is not what was written.
        """
        try:
            return self._blobs.get(digest)
        except (NotFound, IntegrityError) as error:
            raise damaged(self.folder / digest[:2] / digest) from error

    def keep(
        self,
        digests: Iterable[str],
        read: Callable[[str], bytes | None],
        *,
        stage: str,
        threads: int = THREADS,
        progress: Progress | None = None,
    ) -> None:
        """Copy those that are not there; those of which `read` gives None are left out."""

        def one(digest: str) -> tuple[str, int | None, bool]:
            size = self._size_if_whole(digest)
            if size is not None:
                return digest, size, False
            data = read(digest)
            if data is None:
                return digest, None, False
            if digest in self._files:  # damaged: `put` would take it for the same
                self._blobs.delete(digest)
            self._blobs.put(data)
            return digest, len(data), True

        missing = sorted({digest for digest in digests if digest not in self.sure})
        told = partial(progress, stage) if progress else None
        for digest, size, is_new in each(one, missing, threads=threads, told=told):
            if size is not None:
                self.sure[digest] = size
            if is_new:
                self.copied.add(digest)

    def drop_others(self, kept: Collection[str]) -> int:
        """Remove what is not to be kept, and what a killed writer left; returns how many blobs."""
        others = [name for name in (*self._files, *self.copied) if name not in kept]
        for name in others:
            (self.folder / name[:2] / name).unlink(missing_ok=True)
        return sum(DIGEST.fullmatch(name) is not None for name in others)

    def _size_if_whole(self, digest: str) -> int | None:
        """Of one that an unfinished backup left, and nobody vouches for."""
        if digest not in self._files:
            return None
        try:
            return len(self._blobs.get(digest))
        except (NotFound, IntegrityError):
            return None


def each(
    fn: Callable[[Item], Result],
    items: Sequence[Item],
    *,
    threads: int = THREADS,
    told: Callable[[int, int], None] | None = None,
) -> Generator[Result]:
    """`fn` of every item in order, by a few threads; `told` hears how many of them are done."""
    with ThreadPoolExecutor(threads) as pool:
        for start in range(0, len(items), CHUNK):
            yield from pool.map(fn, items[start : start + CHUNK])
            if told:
                told(min(start + CHUNK, len(items)), len(items))

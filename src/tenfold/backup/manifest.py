"""What a backup says of itself, and whether its files are what it says."""

import fcntl
import gzip
import json
import os
from collections.abc import Generator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

from pydantic import BaseModel, ConfigDict, ValidationError

from tenfold.atomic import writing
from tenfold.catalog import copies
from tenfold.catalog.copies import CatalogCopy
from tenfold.errors import Conflict, IntegrityError, Unsupported

FORMAT = 1
MANIFEST, LIST = "manifest.json", "blobs.txt.gz"
MEND = "Restore another backup; to mend this one, delete its manifest.json and back up again."


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class BlobList(_Part):
    count: int
    size_bytes: int
    digest: str
    """Of the file that lists them."""


class Manifest(_Part):
    """The `manifest.json` of a backup."""

    format: int = FORMAT
    made_at: datetime
    made_by: str
    """Version of Tenfold."""
    place: str
    """Where the catalog was, for people."""
    folder: str
    """Where its copy is."""
    catalog: CatalogCopy
    blobs: BlobList
    trunks: tuple[str, ...]
    """Those of the blobs that are trunks."""
    trunk_names: dict[str, dict[str, str]]
    """Their pointers by name, see `tenfold.trunks`."""
    machine: dict[str, Any]
    """What `tenfold doctor` had measured."""


def read_manifest(folder: Path) -> Manifest | None:
    """None: there is no backup, or it was not finished.

    Raises:
        IntegrityError: it cannot be read.
        Unsupported: it was written by a newer Tenfold.
    """
    file = folder / MANIFEST
    if not file.exists():
        return None
    try:
        plain = json.loads(file.read_bytes())
        number = int(plain["format"])
        if number <= FORMAT:
            return Manifest.model_validate(plain)
    except (ValueError, TypeError, LookupError, ValidationError) as error:
        raise damaged(file) from error
    raise Unsupported(
        f"the backup has format {number}, this Tenfold reads up to {FORMAT}.",
        where=str(file),
        hint="Upgrade Tenfold.",
    )


def write_list(file: Path, sizes: dict[str, int]) -> BlobList:
    """The list of a backup's blobs, by digest."""
    with writing(file) as raw, gzip.GzipFile("", "wb", 4, raw, 0) as out:
        out.writelines(f"{digest} {sizes[digest]}\n".encode() for digest in sorted(sizes))
    return BlobList(count=len(sizes), size_bytes=sum(sizes.values()), digest=copies.digest_of(file))


def read_list(folder: Path, manifest: Manifest) -> dict[str, int]:
    """Size of each blob by its digest.

    Raises:
        IntegrityError: the list is damaged or missing.
    """
    file = folder / manifest.folder / LIST
    check_file(file, manifest.blobs.digest)
    with gzip.open(file, "rt") as lines:
        return {digest: int(size) for digest, size in map(str.split, lines)}


def check_file(file: Path, digest: str) -> None:
    """
    Raises:
        IntegrityError: it is not what was written.
    """
    if not file.is_file() or copies.digest_of(file) != digest:
        raise damaged(file)


def damaged(file: Path) -> IntegrityError:
    how = "is damaged" if file.is_file() else "is missing"
    return IntegrityError(f"a file of the backup {how}.", where=str(file), hint=MEND)


@contextmanager
def held(folder: Path, *, alone: bool) -> Generator[None]:
    """Nobody writes a backup in the folder meanwhile, and if `alone` nobody restores from it.

    Raises:
        Conflict: somebody does.
    """
    handle = os.open(folder, os.O_RDONLY | os.O_CLOEXEC)
    try:
        _lock(handle, folder, fcntl.LOCK_EX if alone else fcntl.LOCK_SH)
        yield
    finally:
        os.close(handle)


def _lock(handle: int, folder: Path, how: int) -> None:
    try:
        fcntl.flock(handle, how | fcntl.LOCK_NB)
    except BlockingIOError as error:
        raise Conflict(
            "another backup or restore is at work in this folder.",
            where=str(folder),
            hint="Wait until it has ended, then run the same command again.",
        ) from error

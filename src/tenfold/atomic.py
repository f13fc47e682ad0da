"""Files that are either all there or not there at all, whatever is killed when."""

import errno
import os
import tempfile
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from tenfold.errors import NotAllowed, TenfoldError, Unavailable

UNFINISHED = ".unfinished-"
"""How files begin that a killed writer may leave."""

FULL = {errno.ENOSPC, errno.EDQUOT}
FORBIDDEN = {errno.EROFS, errno.EACCES, errno.EPERM}


def write_bytes(path: Path, data: bytes, *, is_durable: bool = True) -> None:
    """See `writing`."""
    with writing(path, is_durable=is_durable) as file:
        file.write(data)


@contextmanager
def writing(path: Path, *, is_durable: bool = True) -> Generator[BinaryIO]:
    """A new file that takes the name `path` once the block ends well and the disk has its bytes.

    What is not durable is whole whoever is killed, but a power cut may lose it; the disk is spared.

    Raises:
        Unavailable: the disk is full.
        NotAllowed: the folder may not be written.
    """
    with _told(path):
        _make_folder(path.parent)
        handle, name = tempfile.mkstemp(dir=path.parent, prefix=UNFINISHED)
        try:
            with os.fdopen(handle, "wb") as file:
                yield file
                file.flush()
                if is_durable:
                    os.fsync(file.fileno())
            Path(name).chmod(0o644)
            Path(name).replace(path)
        except BaseException:
            Path(name).unlink(missing_ok=True)
            raise
        if is_durable:
            _sync(path.parent)


def make_durable(path: Path) -> None:
    """Wait until the disk has a file that was written before, and its name."""
    with _told(path):
        for place in (path, path.parent, path.parent.parent):
            _sync(place)


def in_words(code: int | None, *, where: str) -> TenfoldError | None:
    """What an error number of the system means for who wanted to write; None for others."""
    if code in FULL:
        return Unavailable(
            "the disk is full.",
            where=where,
            hint="Free space, then run the same command again: nothing was left half-written.",
        )
    if code in FORBIDDEN:
        return NotAllowed(
            f"this may not be written ({os.strerror(code or 0)}).",
            where=where,
            hint="Make it writable for this user, or point the setting at another place.",
        )
    return None


@contextmanager
def _told(path: Path) -> Generator[None]:
    try:
        yield
    except OSError as error:
        named = Path(error.filename) if isinstance(error.filename, str) else path
        is_ours = named in {path, *path.parents} or named.parent == path.parent
        told = in_words(error.errno, where=str(path.parent)) if is_ours else None
        if told is None:
            raise
        raise told from error


def _make_folder(folder: Path) -> None:
    """Makes the folder, so that it and those above survive a power cut."""
    new = [place for place in (folder, *folder.parents) if not place.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for place in new:
        _sync(place.parent)


def _sync(place: Path) -> None:
    """Makes bytes of a file, or names in a folder, survive a power cut."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)

"""One process alone is a station: two would tell the controller of one part."""

import fcntl
import os
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path

from tenfold.errors import Conflict, Unavailable


@contextmanager
def alone(folder: Path, station: str) -> Generator[None]:
    """Be the station whose folder that is, until the end or until this process dies.

    Raises:
        Conflict: another process is it.
        Unavailable: the folder cannot be written.
    """
    path = folder / "lock"
    try:
        folder.mkdir(parents=True, exist_ok=True)
        handle = os.open(path, os.O_RDWR | os.O_CREAT, 0o644)
    except OSError as error:
        raise Unavailable(
            f"the folder of the station cannot be written: {error.strerror}.",
            where=str(folder),
            hint="Make room on the disk, or mend who may write there.",
        ) from error
    try:
        fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(handle)
        raise Conflict(
            f"station {station!r} is at work already, in another process.",
            where=str(path),
            hint="End that one first, or give this one a name of its own.",
        ) from error
    try:
        yield
    finally:
        os.close(handle)

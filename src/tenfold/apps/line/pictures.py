"""Pictures of parts from files."""

from collections.abc import Iterator
from pathlib import Path

from tenfold.apps.line.values import Pixels
from tenfold.errors import DataError, NotFound
from tenfold.formats.pixels import decode, is_picture


def read(path: Path) -> Pixels:
    """One picture, as RGB.

    Raises:
        NotFound: it is not there.
        DataError: it is none that can be read.
    """
    try:
        data = path.read_bytes()
    except OSError as error:
        raise NotFound(f"the picture cannot be read: {error.strerror}.", where=str(path)) from error
    pixels = decode(data, where=str(path))
    return pixels if pixels.shape[2] == 3 else pixels.repeat(3, axis=2)


def pictures_in(folder: Path) -> Iterator[Pixels]:
    """All pictures of a folder, by name.

    Raises:
        NotFound: there is no such folder.
        DataError: it holds no picture.
    """
    return map(read, paths_in(folder))


def paths_in(folder: Path) -> list[Path]:
    """Where the pictures of a folder are, by name.

    Raises:
        NotFound: there is no such folder.
        DataError: it holds no picture.
    """
    if not folder.is_dir():
        raise NotFound("there is no such folder.", where=str(folder))
    names = sorted(path for path in folder.iterdir() if is_picture(path.name))
    if not names:
        raise DataError("the folder holds no picture.", where=str(folder))
    return names

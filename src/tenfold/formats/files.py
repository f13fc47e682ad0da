"""Walk a folder and copy what it holds: what the formats share about files."""

import errno
import lzma
import os
import shutil
import zipfile
import zlib
from collections.abc import Iterator
from pathlib import Path

from tenfold.errors import DataError, NotFound, Unsupported
from tenfold.formats.pixels import is_picture
from tenfold.formats.row import Rejected, Row

LITTER = frozenset({"__MACOSX", "Thumbs.db", "desktop.ini"})
"""What operating systems leave behind; ignored like names that begin with a dot."""
BROKEN_ZIP = (
    zipfile.BadZipFile,
    zlib.error,
    lzma.LZMAError,
    EOFError,
    NotImplementedError,
    RuntimeError,
    ValueError,
)
"""What reading a zip raises where it is damaged, or was written to do harm."""


def pictures_below(folder: Path, inside: str = "") -> Iterator[str | Rejected]:
    """Paths relative to `folder`, in the order of their names, folder by folder.

    Whatever is there but cannot be a picture comes as `Rejected`. Links to folders are followed
    once; hidden files are ignored, but hidden pictures are told.
    """
    yield from _walk(folder, inside, frozenset())


def folders_in(folder: Path) -> list[str]:
    """Names of the visible sub-folders; none where the folder cannot be opened."""
    try:
        return [e.name for e in _entries(folder) if e.is_dir()]
    except OSError:
        return []


def has_pictures(folder: Path) -> bool:
    """Whether a picture lies directly in `folder`; no where it cannot be opened."""
    try:
        return any(is_picture(e.name) and e.is_file() for e in _entries(folder))
    except OSError:
        return False


def check_folder(source: Path) -> None:
    """Raises:
    NotFound: nothing is there.
    DataError: it is a file, or may not be opened.
    """
    if not source.exists():
        raise NotFound(f"{source} does not exist.", hint="Check the path.")
    if not source.is_dir():
        raise DataError(
            "expected a folder, got a file.", where=str(source), hint="Give the folder it lies in."
        )
    if not os.access(source, os.R_OK | os.X_OK):
        raise DataError(
            "the folder cannot be opened.", where=str(source), hint="Ask for the right to read it."
        )


def copy_picture(row: Row, folder: Path, path: str) -> None:
    """Put the row's picture at `path` in `folder`.

    Raises:
        Unsupported: `path` would leave the folder.
        DataError: another picture lies there already.
    """
    _copy(row.file, folder, path)


def copy_mask(row: Row, folder: Path, path: str) -> None:
    if row.mask_file is not None:
        _copy(row.mask_file, folder, path)


def _copy(file: Path, folder: Path, path: str) -> None:
    target = folder / path
    if not target.resolve().is_relative_to(folder.resolve()):
        raise Unsupported(f"{path!r} lies outside of the folder to write.", where=str(folder))
    if target.exists():
        if target.samefile(file):
            return
        raise DataError("two pictures want this name.", where=str(target))
    target.parent.mkdir(parents=True, exist_ok=True)
    shutil.copyfile(file, target)


def _walk(folder: Path, inside: str, above: frozenset[str]) -> Iterator[str | Rejected]:
    here = os.path.realpath(folder / inside)
    if here in above:
        yield Rejected(inside, "link-loop", "a link that leads back to a folder above it.")
        return
    try:
        entries = _entries(folder / inside)
    except OSError as error:
        yield Rejected(inside, "unreadable", f"the folder cannot be opened ({error.strerror}).")
        return
    for entry in entries:
        path = f"{inside}/{entry.name}" if inside else entry.name
        if entry.is_dir():
            yield from _walk(folder, path, above | {here})
        else:
            yield _rejected(entry, path) or path


def _entries(folder: Path) -> list[os.DirEntry[str]]:
    with os.scandir(folder) as entries:
        seen = [
            e
            for e in entries
            if e.name not in LITTER and (not e.name.startswith(".") or _is_hidden_picture(e.name))
        ]
    return sorted(seen, key=lambda e: e.name)


def _is_hidden_picture(name: str) -> bool:
    """A picture that its name hides; `._x` is what macOS leaves beside `x`."""
    return name.startswith(".") and not name.startswith("._") and is_picture(name)


def _rejected(entry: os.DirEntry[str], path: str) -> Rejected | None:
    """Why this file cannot be a picture, as far as its name and kind tell."""
    readable = path.encode(errors="backslashreplace").decode()
    if not path.isprintable() or readable != path:
        name = path.encode("unicode_escape", errors="backslashreplace").decode()
        return Rejected(name, "bad-name", "the file name is not readable text: rename the file.")
    if not entry.is_file():
        gone = entry.is_symlink()
        detail = "a link that leads nowhere." if gone else "neither a file nor a folder."
        return Rejected(path, "missing" if gone else "not-a-file", detail)
    if entry.name.startswith("."):
        return Rejected(path, "hidden", "a hidden picture: rename it without the dot to use it.")
    if not is_picture(path):
        suffix = Path(path).suffix or "no suffix"
        return Rejected(path, "not-an-image", f"the name does not promise a picture ({suffix}).")
    return None


def why_unreadable(error: OSError) -> tuple[str, str]:
    """Reason code and words for a file that could not be opened or read."""
    if error.errno in (errno.ENOENT, errno.ENOTDIR):
        return "missing", "the file is not there (any more)."
    return "unreadable", f"the file cannot be read ({error.strerror or error})."

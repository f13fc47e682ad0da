"""Pictures sorted into folders: the folder's name is the label.

    good/…  scratch/…              one folder per class, nested as deep as you like
    train/good/…  test/scratch/…   the same below split folders
    a.png  b.png                   only good pictures, nothing beside them

A single folder around it all is looked through. Deeper folders are kept as attribute `folder`.
"""

from collections.abc import Iterable, Iterator
from pathlib import Path, PurePosixPath

from tenfold.errors import Unsupported
from tenfold.formats.files import (
    check_folder,
    copy_picture,
    folders_in,
    has_pictures,
    pictures_below,
)
from tenfold.formats.row import SPLIT_NAMES, Rejected, Row

GOOD = "good"


def read(source: Path) -> Iterator[Row | Rejected]:
    """Rows of a folder; a picture that lies beside the class folders has no label.

    Raises:
        NotFound, DataError: there is no such folder, or it is a file.
    """
    check_folder(source)
    wrapper = _wrapper(source)
    top = [name.lower() for name in folders_in(source / wrapper)]
    has_splits = bool(top) and all(name in SPLIT_NAMES for name in top)
    skip = len(PurePosixPath(wrapper).parts)
    classes_above = skip + has_splits
    entries = list(pictures_below(source))
    deep = any(isinstance(e, str) and e.count("/") > classes_above for e in entries)
    for entry in entries:
        if isinstance(entry, Rejected):
            yield entry
            continue
        folders = PurePosixPath(entry).parts[skip:-1]
        split = SPLIT_NAMES[folders[0].lower()] if has_splits and folders else None
        classes = folders[has_splits:]
        labels = classes[:1] if deep else (GOOD,)
        inner = "/".join(classes[1:])
        attributes = {"folder": inner} if inner else {}
        yield Row(entry, labels, split=split, attributes=attributes, root=source)


def write(rows: Iterable[Row], folder: Path) -> None:
    """Copy the pictures to `[split/]label/…`; paths that already say so are kept.

    Raises:
        Unsupported: a row has two labels, a group, a mask or attributes, for which folders have
            no place.
    """
    for row in rows:
        copy_picture(row, folder, _place(row))


def _wrapper(source: Path) -> str:
    """Path of the folders that hold one folder and nothing else."""
    inside = ""
    while True:
        names = folders_in(source / inside)
        if len(names) != 1 or has_pictures(source / inside):
            return inside
        below = f"{inside}/{names[0]}".lstrip("/")
        if names[0].lower() in SPLIT_NAMES or not folders_in(source / below):
            return inside
        inside = below


def _place(row: Row) -> str:
    folder = row.attributes.get("folder", "")
    extra = sorted(row.attributes.keys() - {"folder"})
    unplaced = [
        *(["a group"] if row.group else []),
        *(["a mask"] if row.mask else []),
        *(["several labels"] if len(row.labels) > 1 else []),
        *(f"attribute {name!r}" for name in extra),
    ]
    if unplaced:
        raise Unsupported(
            f"a folder of pictures has no place for {', '.join(unplaced)}.",
            where=row.path,
            hint="Write format csv, which has.",
        )
    wanted = "/".join(part for part in (row.split, *row.labels, folder) if part)
    parts = PurePosixPath(row.path).parts
    if wanted in "/".join(parts[:-1]) or row.labels == (GOOD,):
        return row.path
    return f"{wanted}/{parts[-1]}"

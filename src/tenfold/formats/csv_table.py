"""A table that names pictures: UTF-8, separated by commas, the first line says the columns.

    path,label,group,split,mask,lamp
    img/1.png,scratch,module-7,train,masks/1.png,north

`path` (or `file`, `image`) is relative to the table's folder. `label` (or `class`) is one label;
`labels` holds several with `;` between. `group`, `split` and `mask` may be left out or left empty.
Every other column becomes an attribute. Other names can be given: `columns={"label": "state"}`.
"""

import csv
from collections.abc import Iterable, Iterator, Mapping
from pathlib import Path, PurePosixPath

from tenfold.errors import DataError, NotFound, SpecError, Unsupported
from tenfold.formats.files import copy_mask, copy_picture
from tenfold.formats.pixels import is_picture
from tenfold.formats.row import SPLIT_NAMES, Rejected, Row

NAMES = {
    "path": ("path", "file", "image", "filename"),
    "label": ("label", "class"),
    "labels": ("labels",),
    "group": ("group",),
    "split": ("split",),
    "mask": ("mask",),
}
"""What a column means, and how it may be called."""
TABLE = "labels.csv"
BETWEEN_LABELS = ";"
NO_COLUMNS: Mapping[str, str] = {}


def read(source: Path, *, columns: Mapping[str, str] = NO_COLUMNS) -> Iterator[Row | Rejected]:
    """Rows of a table, or of the one table in a folder; a file that is not there is rejected.

    `columns` maps path, label, labels, group, split or mask to the name of a column.

    Raises:
        NotFound: there is no such table.
        DataError: the table contradicts itself or cannot be read; names file and line.
        SpecError: `columns` names a column that is not there.
    """
    table = find_table(source)
    records = _records(table)
    _, header = next(records, (1, []))
    places = _places(header, columns, f"{table}:1")
    seen: dict[str, int] = {}
    for line, cells in records:
        where = f"{table}:{line}"
        if len(cells) != len(header):
            raise DataError(
                f"expected {len(header)} cells as in the first line, got {len(cells)}.",
                where=where,
                hint="Put a cell that holds a comma in double quotes.",
            )
        row = _row(dict(zip(header, cells, strict=True)), places, (table.parent, where))
        first = seen.setdefault(row.path, line)
        if first != line:
            raise DataError(
                f"{row.path!r} stands on line {first} already.",
                where=where,
                hint="Keep one line for each picture; several labels go into a column `labels`.",
            )
        yield (
            row
            if row.file.exists()
            else Rejected(
                row.path, "missing", f"{table.name}:{line} names it, but it is not there."
            )
        )
    if not seen:
        raise DataError("the table has no line below its first.", where=str(table))


def write(rows: Iterable[Row], folder: Path) -> None:
    """Copy pictures and masks, and write `labels.csv` beside them.

    Raises:
        Unsupported: a label holds the separator, or an attribute is named like a column.
    """
    kept = list(rows)
    several = any(len(row.labels) > 1 for row in kept)
    attributes = sorted({name for row in kept for name in row.attributes})
    taken = sorted(set(attributes) & {name for names in NAMES.values() for name in names})
    if taken:
        raise Unsupported(
            f"attribute {taken[0]!r} has the name of a column.", hint="Rename the attribute."
        )
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / TABLE).open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file, lineterminator="\n")
        label = "labels" if several else "label"
        table.writerow(["path", label, "group", "split", "mask", *attributes])
        for row in kept:
            copy_picture(row, folder, row.path)
            copy_mask(row, folder, row.mask or "")
            known = [row.group or "", row.split or "", row.mask or ""]
            free = [row.attributes.get(name, "") for name in attributes]
            table.writerow([row.path, _joined(row, several), *known, *free])


def find_table(source: Path) -> Path:
    """The table itself, or the one in a folder: `labels.csv`, or the only one there.

    Raises:
        NotFound: there is none, or more than one could be meant.
    """
    if not source.exists():
        raise NotFound(f"{source} does not exist.", hint="Check the path.")
    if source.is_file():
        return source
    tables = sorted(p for p in source.glob("*.csv") if not p.name.startswith("."))
    if source / TABLE in tables:
        return source / TABLE
    if len(tables) != 1:
        names = ", ".join(p.name for p in tables) or "none"
        raise NotFound(
            f"expected {TABLE} or one other table in {source}, got {names}.",
            hint="Give the path of the table itself.",
        )
    return tables[0]


def looks_like(source: Path) -> bool:
    """Whether a folder holds one table whose first line names a column of pictures."""
    try:
        _, header = next(_records(find_table(source)), (1, []))
    except (NotFound, DataError):
        return False
    return any(name in NAMES["path"] for name in header)


def _records(table: Path) -> Iterator[tuple[int, list[str]]]:
    """Line number and cells; the first line lower-cased; empty lines left out."""
    reader = csv.reader(_lines(table), strict=True)
    begun = 1
    try:
        for cells in reader:
            if any(cells):
                yield begun, [c.strip().lower() for c in cells] if begun == 1 else cells
            begun = reader.line_num + 1
    except csv.Error as error:
        raise DataError(
            f"not a table: {error}.", where=f"{table}:{begun}", hint="Save it as CSV (UTF-8)."
        ) from error


def _lines(table: Path) -> Iterator[str]:
    data = table.read_bytes()
    if data[:2] in (b"\xff\xfe", b"\xfe\xff") or b"\0" in data[:4096]:
        raise DataError(
            "the table is UTF-16 or not text.", where=f"{table}:1", hint="Save it as CSV UTF-8."
        )
    for number, line in enumerate(data.removeprefix(b"\xef\xbb\xbf").split(b"\n"), start=1):
        try:
            yield line.decode() + "\n"
        except UnicodeDecodeError as error:
            byte = line[error.start]
            raise DataError(
                f"expected UTF-8, got byte 0x{byte:02x} after {line[: error.start].decode()!r}.",
                where=f"{table}:{number}",
                hint="Save the table as CSV UTF-8.",
            ) from error


def _places(header: list[str], columns: Mapping[str, str], where: str) -> dict[str, str]:
    """Which column holds what."""
    doubled = sorted({name for name in header if header.count(name) > 1})
    if doubled:
        raise DataError(f"column {doubled[0]!r} stands twice.", where=where, hint="Rename one.")
    unknown = sorted(columns.keys() - NAMES.keys())
    missing = sorted(set(columns.values()) - set(header))
    if unknown or missing:
        problem = f"no meaning {unknown[0]!r}" if unknown else f"no column {missing[0]!r}"
        choice = ", ".join(NAMES if unknown else header)
        raise SpecError(f"{problem}; there are: {choice}.", where=where)
    places = dict(columns)
    for meaning, names in NAMES.items():
        found = [n for n in names if n in header and n not in columns.values()]
        if meaning in columns or (
            meaning in ("label", "labels") and {"label", "labels"} & columns.keys()
        ):
            continue
        if len(found) > 1:
            raise DataError(
                f"columns {found[0]!r} and {found[1]!r} mean the same.",
                where=where,
                hint="Keep one of them.",
            )
        places.update({meaning: found[0]} if found else {})
    if "path" not in places:
        raise _no_path(header, where)
    if {"label", "labels"} <= places.keys():
        raise DataError("columns for one label and for several.", where=where, hint="Keep one.")
    return places


def _no_path(header: list[str], where: str) -> DataError:
    joined = ",".join(header)
    for mark, name in ((";", "semicolons"), ("\t", "tabs"), ("|", "bars")):
        if mark in joined:
            return DataError(
                f"expected commas between columns, got {name}: {joined!r}.",
                where=where,
                hint="Save the table with commas.",
            )
    if any(is_picture(cell) for cell in header):
        return DataError(
            f"the first line names a picture, not the columns: {joined!r}.",
            where=where,
            hint="Put a line `path,label` above it.",
        )
    return DataError(
        f"expected a column {' or '.join(NAMES['path'])}, got {joined!r}.",
        where=where,
        hint="Rename the column that holds the pictures to `path`.",
    )


def _row(cells: dict[str, str], places: Mapping[str, str], origin: tuple[Path, str]) -> Row:
    root, where = origin
    held = {meaning: cells[column] for meaning, column in places.items()}
    path = _found(held["path"].strip(), root)
    if not path:
        raise DataError("the cell of the picture is empty.", where=where, hint="Remove the line.")
    several = "labels" in held
    text = held["labels"] if several else held.get("label", "")
    labels = [part.strip() for part in (text.split(BETWEEN_LABELS) if several else [text])]
    split = held.get("split", "").strip() or None
    free = {name: cell for name, cell in cells.items() if name not in places.values() and cell}
    return Row(
        path,
        tuple(dict.fromkeys(label for label in labels if label)),
        group=held.get("group", "").strip() or None,
        split=SPLIT_NAMES.get(split.lower(), split) if split else None,
        mask=_found(held.get("mask", ""), root) or None,
        attributes=free,
        root=root,
    )


def _found(path: str, root: Path) -> str:
    """The path as written, or with forward slashes where it was written on Windows."""
    if "\\" in path and not (root / path).exists():
        path = path.replace("\\", "/")
    return str(PurePosixPath(path)) if path else ""


def _joined(row: Row, several: bool) -> str:
    if several and any(BETWEEN_LABELS in label for label in row.labels):
        raise Unsupported(
            f"a label holds {BETWEEN_LABELS!r}, which stands between labels.", where=row.path
        )
    return BETWEEN_LABELS.join(row.labels)

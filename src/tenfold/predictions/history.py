"""The files that hold what was answered: new ones, and those of whole days that they were merged
into.

A merged file names in its footer the files that it takes the place of; `files` leaves those out, so
that each answer is found once at every moment of a merge, and after one that was killed.
"""

import json
import logging
from collections.abc import Sequence
from datetime import date, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

log = logging.getLogger(__name__)

PARQUET = "parquet"
"""Folder of new files, below the folder of answers."""
MERGED = "days"
"""Folder of merged ones, below that."""
INSTEAD_OF = b"tenfold.instead_of"
"""In a footer: the names of files that this one takes the place of, as JSON."""
SCHEMA = pa.schema(
    [
        ("id", pa.string()),
        ("at", pa.timestamp("ms", tz="UTC")),
        ("deployment", pa.string()),
        ("role", pa.string()),
        ("model", pa.string()),
        ("sample", pa.string()),
        ("route", pa.string()),
        ("label", pa.string()),
        ("score", pa.float32()),
        ("latency_ms", pa.float32()),
        ("busy_ms", pa.float32()),
        ("generation", pa.int64()),
        ("projection", pa.binary()),
        ("brightness", pa.float32()),
        ("contrast", pa.float32()),
        ("sharpness", pa.float32()),
    ]
)


def read(folder: Path) -> Any:
    """Everything that was collected and is still kept, as a pyarrow table of `SCHEMA`."""
    while True:
        try:
            tables = [pq.read_table(file, schema=SCHEMA) for file in files(folder)]
        except FileNotFoundError:  # merged meanwhile
            continue
        return pa.concat_tables(tables) if tables else SCHEMA.empty_table()


def last_of(
    folder: Path, deployment: str, model: str, *, roles: Sequence[str], since: date, most: int
) -> list[dict[str, Any]]:
    """The last answers that a model gave in one of the roles, oldest first; none of them failed.

    Read from the newest file back to those of day `since`, until there are enough; one that is
    damaged is passed over.
    """
    wanted = [
        ("deployment", "==", deployment),
        ("model", "==", model),
        ("role", "in", list(roles)),
    ]
    while True:
        found: list[dict[str, Any]] = []
        try:
            for file in reversed(files(folder)):
                if len(found) >= most or _is_before(file, since):
                    break
                try:
                    rows = pq.read_table(file, schema=SCHEMA, filters=wanted).to_pylist()
                except pa.ArrowInvalid as error:
                    log.warning("the answers in %s cannot be read: %s", file, error)
                    continue
                found += [row for row in reversed(rows) if row["label"] is not None]
        except FileNotFoundError:  # merged meanwhile
            continue
        return found[:most][::-1]


def files(folder: Path) -> list[Path]:
    """Those that together hold each answer once; any may be merged, and gone, a moment later."""
    while True:
        fresh = fresh_files(folder)
        merged = merged_files(folder)
        try:
            replaced = {name for file in merged for name in _replaced(file)}
        except FileNotFoundError:
            continue
        if merged_files(folder) == merged:  # else one may have come and another gone meanwhile
            return [file for file in (*merged, *fresh) if file.name not in replaced]


def fresh_files(folder: Path) -> list[Path]:
    """Those not merged yet, by name; after a merge that was killed, some that are."""
    return sorted((folder / PARQUET).glob("*.parquet"))


def merged_files(folder: Path) -> list[Path]:
    """Those that others were merged into, by day."""
    return sorted((folder / PARQUET / MERGED).glob("*.parquet"))


def instead_of(file: Path) -> list[str]:
    """Names of the files that a merged one takes the place of."""
    known: dict[bytes, bytes] = pq.read_metadata(file).metadata or {}
    return json.loads(known.get(INSTEAD_OF, b"[]"))


def _replaced(merged: Path) -> list[str]:
    """As `instead_of`; a damaged file takes the place of none that is still there."""
    try:
        return instead_of(merged)
    except pa.ArrowInvalid as error:
        log.warning("the answers in %s cannot be read: %s", merged, error)
        return []


def day_of(merged: Path) -> date:
    """The day whose answers a merged file holds."""
    return datetime.strptime(merged.name[:8], "%Y%m%d").date()  # noqa: DTZ007 - a day, not a moment


def _is_before(file: Path, day: date) -> bool:
    return file.parent.name == MERGED and day_of(file) < day

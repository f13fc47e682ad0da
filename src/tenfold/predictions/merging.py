"""New files of answers are merged into few of whole days, and days go when their time is over.

Killed at any moment it loses and doubles nothing. A merged file has its name when it is whole, and
from then on takes the place of those that its footer names (`history.files`). They are deleted, and
then the catalog's rows of them become one of the merged file: a merged file without a row is what
a killed merge left to be ended.
"""

import fcntl
import hashlib
import json
import logging
from collections.abc import Callable, Generator, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from tenfold.atomic import UNFINISHED, make_durable, writing
from tenfold.catalog import loops
from tenfold.catalog.scope import Scope
from tenfold.errors import IntegrityError
from tenfold.predictions.collector import settled
from tenfold.predictions.history import (
    INSTEAD_OF,
    MERGED,
    PARQUET,
    SCHEMA,
    day_of,
    fresh_files,
    instead_of,
    merged_files,
)

log = logging.getLogger(__name__)

AT_ONCE = 5000
"""New files that are looked at together."""
FEWEST = 64
"""New files of a day that is not over, for which it is worth while."""
MOST_BYTES = 256 << 20
"""Of a merged file; a day with more has several."""
GROUP_ROWS = 50_000
"""Of a row group: what is in memory at once, about 15 MB."""


@dataclass(frozen=True, slots=True)
class Piece:
    """A file that may be merged."""

    path: Path
    day: date
    """Of its last answer."""
    first: datetime
    """Its first answer."""
    size_bytes: int
    answers: int
    is_merged: bool


@dataclass(frozen=True, slots=True)
class Tidied:
    merged: int = 0
    """Files that others took the place of."""
    removed: int = 0
    """Merged files whose time was over."""


class Stopped(Exception):
    """Somebody wants it to end now; what was begun leaves no trace."""


def tidy(
    scope: Scope, folder: Path, *, keep_days: int, goes_on: Callable[[], bool] = lambda: True
) -> Tidied:
    """Merge what is booked and taken in by the loop, and remove days that ended more than
    `keep_days` ago (0: none).

    Where nothing is watched, nothing has to be taken in. One process at a time; where another is at
    it, nothing is done.

    Raises:
        Unavailable: the disk is full or the catalog away; the same can be done again.
    """
    if not (folder / PARQUET).exists():
        return Tidied()
    (folder / PARQUET / MERGED).mkdir(exist_ok=True)
    with _alone(folder) as is_alone:
        if not is_alone:
            return Tidied()
        _end_what_was_killed(scope, folder)
        fresh, merged = fresh_files(folder), 0
        try:
            for begin in range(0, len(fresh), AT_ONCE):
                some = _done_with(scope, folder, fresh[begin : begin + AT_ONCE])
                merged += _merge_some(scope, folder, some, goes_on)
        except Stopped:
            return Tidied(merged)
        return Tidied(merged, _remove(scope, folder, keep_days))


def plan(pieces: Sequence[Piece], *, today: date) -> list[list[Piece]]:
    """What becomes one file each, in the order in which it came.

    A day that is over becomes one file, or several full ones. Before, a merged file is merged again
    when as much is new, so each answer is written a few times, not once an hour.
    """
    found: list[list[Piece]] = []
    for day in sorted({one.day for one in pieces}):
        of_day = [one for one in pieces if one.day == day]
        found += _portions(_joining(of_day, is_over=day < today))
    return found


def _joining(of_day: Sequence[Piece], *, is_over: bool) -> list[Piece]:
    joining = [one for one in of_day if not one.is_merged]
    if not is_over and len(joining) < FEWEST:
        return []
    size = sum(one.size_bytes for one in joining)
    for one in sorted((o for o in of_day if o.is_merged), key=lambda o: o.size_bytes):
        if size + one.size_bytes > MOST_BYTES or not (is_over or one.size_bytes <= size):
            break
        size += one.size_bytes
        joining.append(one)
    return sorted(joining, key=lambda one: (one.first, one.path.name))


def _portions(joining: Sequence[Piece]) -> list[list[Piece]]:
    portions: list[list[Piece]] = []
    size = MOST_BYTES
    for one in joining:
        if size + one.size_bytes > MOST_BYTES:
            portions.append([])
            size = 0
        portions[-1].append(one)
        size += one.size_bytes
    return [p for p in portions if len(p) > 1 or not p[0].is_merged]


def _done_with(scope: Scope, folder: Path, files: Sequence[Path]) -> list[Path]:
    """Those that are booked and taken in."""
    booked = settled(scope, folder, files)
    known = loops.is_folded(scope, [file.name for file in booked])
    left = [file for file in booked if file.name not in known]
    if left and not loops.watched(scope):
        counts = {piece.path.name: piece.answers for piece in _pieces(left)}
        known |= counts.keys() if loops.fold_unwatched(scope, counts) else set()
    return [file for file in booked if file.name in known]


def _merge_some(
    scope: Scope, folder: Path, files: Sequence[Path], goes_on: Callable[[], bool]
) -> int:
    fresh = list(_pieces(files))
    days = {one.day for one in fresh}
    there = [file for file in merged_files(folder) if day_of(file) in days]
    count = 0
    for portion in plan([*fresh, *_pieces(there)], today=scope.now().date()):
        try:
            _merge(scope, folder, portion, goes_on)
        except (pa.ArrowInvalid, IntegrityError, OSError) as error:  # other days go on
            log.error("%d files of answers are not merged: %s", len(portion), error)
        else:
            count += len(portion)
    return count


def _pieces(files: Sequence[Path]) -> Iterator[Piece]:
    """What is known of files; those that cannot be read, or hold more than is known here, stay as
    they are."""
    for path in files:
        try:
            footer = pq.read_metadata(path)
        except pa.ArrowInvalid as error:
            log.error("the answers in %s cannot be read: %s", path, error)
            continue
        if not footer.num_rows or not set(footer.schema.names) <= set(SCHEMA.names):
            continue
        first, last = _span(footer)
        is_merged = path.parent.name == MERGED
        day = day_of(path) if is_merged else last.date()
        yield Piece(path, day, first, path.stat().st_size, footer.num_rows, is_merged)


def _span(footer: Any) -> tuple[datetime, datetime]:
    """The first and the last answer of a file, by its footer."""
    at = footer.schema.names.index("at")
    groups = [footer.row_group(n).column(at).statistics for n in range(footer.num_row_groups)]
    return min(group.min for group in groups), max(group.max for group in groups)


def _merge(
    scope: Scope, folder: Path, portion: Sequence[Piece], goes_on: Callable[[], bool]
) -> None:
    names = [one.path.name for one in portion]
    digest = hashlib.sha256("\n".join(names).encode()).hexdigest()[:16]
    path = folder / PARQUET / MERGED / f"{portion[0].day:%Y%m%d}-{digest}.parquet"
    expected = sum(one.answers for one in portion)
    with (
        writing(path) as file,
        pq.ParquetWriter(file, SCHEMA, compression="zstd", write_page_checksum=True) as writer,
    ):
        written = 0
        for table in _in_groups(portion):
            if not goes_on():
                raise Stopped
            writer.write_table(table, row_group_size=GROUP_ROWS)
            written += table.num_rows
        if written != expected:
            raise IntegrityError(f"{written} of {expected} answers were read.", where=str(path))
        writer.add_key_value_metadata({INSTEAD_OF: json.dumps(names).encode()})
    _end(scope, folder, path)


def _in_groups(portion: Sequence[Piece]) -> Iterator[Any]:
    """All rows as they come, as tables of about `GROUP_ROWS`."""
    waiting: list[Any] = []
    rows = 0
    for one in portion:
        with pq.ParquetFile(one.path, page_checksum_verification=True) as file:
            for batch in file.iter_batches(GROUP_ROWS // 2, use_threads=False):
                waiting.append(_complete(pa.Table.from_batches([batch])))
                rows += batch.num_rows
                if rows >= GROUP_ROWS:
                    yield pa.concat_tables(waiting)
                    waiting, rows = [], 0
    if waiting:
        yield pa.concat_tables(waiting)


def _complete(table: Any) -> Any:
    """In the columns of today, null where an older file has none."""
    missing = [field for field in SCHEMA if field.name not in table.column_names]
    for field in missing:
        table = table.append_column(field, pa.nulls(table.num_rows, field.type))
    return table.select(SCHEMA.names).cast(SCHEMA)


def _end(scope: Scope, folder: Path, merged: Path) -> None:
    """Delete what a merged file takes the place of, and then what the catalog knows of it."""
    names = instead_of(merged)
    for name in names:
        (folder / PARQUET / name).unlink(missing_ok=True)
        (folder / PARQUET / MERGED / name).unlink(missing_ok=True)
    make_durable(merged)  # a file that came back without its row would be taken in again
    with scope.write() as connection:
        answers = pq.read_metadata(merged).num_rows
        loops.fold_together(connection, scope, names, merged.name, answers=answers)
    log.info("%d files of answers became %s", len(names), merged.name)


def _end_what_was_killed(scope: Scope, folder: Path) -> None:
    for left in (folder / PARQUET / MERGED).glob(f"{UNFINISHED}*"):
        left.unlink()
    merged = merged_files(folder)
    known = loops.is_folded(scope, [file.name for file in merged])
    for file in merged:
        if file.name not in known:
            _end(scope, folder, file)


def _remove(scope: Scope, folder: Path, keep_days: int) -> int:
    """Merged files alone: everything in them is booked and taken in."""
    if not keep_days:
        return 0
    oldest = scope.now().date() - timedelta(days=keep_days)
    over = [file for file in merged_files(folder) if day_of(file) < oldest]
    if over:
        with scope.write() as connection:
            loops.unfold(connection, scope, [file.name for file in over])
    for file in over:
        file.unlink(missing_ok=True)
    return len(over)


@contextmanager
def _alone(folder: Path) -> Generator[bool]:
    """Whether no other thread or process is in such a block, which the kernel knows."""
    with (folder / PARQUET / MERGED / ".lock").open("wb") as file:
        try:
            fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            yield False
        else:
            yield True

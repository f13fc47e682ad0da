"""From segments to Parquet and the ledger, each answer once whatever is killed when.

A stretch of a segment becomes one Parquet file named by where it begins, then one transaction books
it and notes where it ends. Killed in between, the same stretch is written again over the same name.
"""

import fcntl
import logging
import os
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq

from tenfold.atomic import writing
from tenfold.catalog import answers, ledger
from tenfold.catalog.answers import Progress
from tenfold.catalog.deployments import HeadRef
from tenfold.catalog.ledger import Entry
from tenfold.catalog.scope import Scope
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, Lost, Record, records
from tenfold.predictions.history import PARQUET, SCHEMA

log = logging.getLogger(__name__)

MOST_BYTES = 16 << 20
"""Of a segment that are read at once."""


@dataclass(frozen=True, slots=True)
class Collected:
    answers: int = 0
    lost: int = 0
    """Answers that were given and never recorded, by their writers' own count."""

    def __add__(self, other: "Collected") -> "Collected":
        return Collected(self.answers + other.answers, self.lost + other.lost)


def collect(scope: Scope, folder: Path) -> Collected:
    """Take in what was answered since; segments whose writer is gone are deleted when they are
    done. One process at a time, see `Claims`."""
    total = Collected()
    for path in sorted(folder.glob(f"*{SEGMENT}")):
        is_over = _is_over(path)  # before the last read: what comes later would be missed
        while (some := _stretch(scope, folder, path, is_over=is_over)) is not None:
            total += some
        if is_over:
            _put_away(path, answers.progress(scope, path.name.removesuffix(SEGMENT)))
    return total


def settled(scope: Scope, folder: Path, files: Sequence[Path]) -> list[Path]:
    """Those that no collector writes again: they are booked, or their segment is gone."""
    begun = {file: file.stem.rpartition("-") for file in files}
    there = {path.name.removesuffix(SEGMENT) for path in folder.glob(f"*{SEGMENT}")}
    ends = answers.collected(scope, there & {segment for segment, _, _ in begun.values()})
    return [
        file
        for file, (segment, _, begin) in begun.items()
        if segment not in there or int(begin) < ends.get(segment, 0)
    ]


def _put_away(path: Path, done: Progress) -> None:
    """A segment whose writer is gone; what no reader understands of it is kept beside."""
    rest = path.stat().st_size - max(HEAD_BYTES, done.collected_bytes)
    if rest <= 0:
        path.unlink()
        return
    log.warning("%d bytes at the end of %s are no whole record; kept as .rest", rest, path)
    path.rename(path.with_suffix(".rest"))


def _stretch(scope: Scope, folder: Path, path: Path, *, is_over: bool) -> Collected | None:
    """Some more of a segment; None: there is no more for now."""
    name = path.name.removesuffix(SEGMENT)
    before = answers.progress(scope, name)
    start = max(HEAD_BYTES, before.collected_bytes)
    found = _some_records(path, start, is_over=is_over)
    if not found:
        return None
    answered = [(r.what, r.projection) for r in found if isinstance(r.what, Answered)]
    lost = sum(r.what.answers for r in found if isinstance(r.what, Lost))
    begin, end = start, start + found[-1].end
    if answered:
        parquet = folder / PARQUET / f"{name}-{begin:012d}.parquet"
        parquet.parent.mkdir(exist_ok=True)
        _write(parquet, answered)
    heads = answers.heads(scope, {one.model for one, _ in answered})
    entries = _entries(name, begin, [one for one, _ in answered], heads)
    after = Progress(name, end, before.answers + len(answered), before.lost + lost)
    with scope.write() as connection:
        answers.advance(connection, scope, before, after)
        ledger.add(connection, scope, entries)
    return Collected(len(answered), lost)


def _some_records(path: Path, start: int, *, is_over: bool) -> list[Record]:
    """Sure records from a place on; one at least, however long it is, if there is one."""
    with path.open("rb") as file:
        sure = int.from_bytes(file.read(HEAD_BYTES), "little")
        end = path.stat().st_size if is_over else sure
        size = MOST_BYTES
        while True:
            file.seek(start)
            data = file.read(min(size, max(0, end - start)))
            found = list(records(data))
            if found or start + len(data) >= end:
                return found
            size *= 2


def _entries(
    segment: str, begin: int, answered: Sequence[Answered], heads: Mapping[str, HeadRef]
) -> list[Entry]:
    """What each model used."""
    by_model: dict[str, list[Answered]] = defaultdict(list)
    for one in answered:
        by_model[one.model].append(one)
    found: list[Entry] = []
    for model, some in sorted(by_model.items()):
        about = heads.get(model)
        found.append(
            Entry(
                run=segment.rsplit("-", 2)[0],  # then the process and the number
                kind="serve",
                subject=f"{segment}@{begin}/{model[:16]}",
                dataset=about.dataset if about else "",
                task=about.task if about else "",
                fleet=about.fleet if about else "",
                sector=about.sector if about else "",
                at=max(one.when for one in some),
                cpu_s=sum(one.busy_ms for one in some) / 1e3,
                wall_s=sum(one.latency_ms for one in some) / 1e3,
                images=sum(one.label is not None for one in some),
            )
        )
    return found


def _write(path: Path, answered: Iterable[tuple[Answered, bytes]]) -> None:
    rows = [
        {name: getattr(one, name) for name in SCHEMA.names if name not in ("at", "projection")}
        | {"at": one.when, "projection": projection}
        for one, projection in answered
    ]
    with writing(path) as file:
        table = pa.Table.from_pylist(rows, schema=SCHEMA)
        pq.write_table(table, file, compression="zstd", write_page_checksum=True)


def _is_over(path: Path) -> bool:
    """Whether nobody writes to a segment any more."""
    try:
        descriptor = os.open(path, os.O_RDONLY)
    except FileNotFoundError:
        return False
    try:
        fcntl.flock(descriptor, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    finally:
        os.close(descriptor)
    return True

"""What became of a part, line by line: the table that people trace parts with."""

import csv
import io
from collections.abc import Iterable, Iterator
from itertools import chain
from pathlib import Path

from tenfold.apps.line.journal import Part, Seen
from tenfold.atomic import writing

HEADER = (
    "look", "time", "shift", "sequence", "part", "serial", "lot", "outcome", "reason",
    "region", "decision", "score", "threshold", "model", "picture", "overruled", "by", "why", "ms",
    "red_rabbit", "in_shadow_said", "in_shadow_reason",
)  # fmt: skip
FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
"""With these a cell begins that a spreadsheet would compute. Source: OWASP, "CSV Injection"."""


def rows(looks: Iterable[Part]) -> Iterator[tuple[object, ...]]:
    """A row for each region that a head was asked about, and one for a look without any; columns as
    in `HEADER`."""
    for look in looks:
        for seen in look.regions or (None,):
            yield _row(look, seen)


def write_csv(path: Path, looks: Iterable[Part]) -> int:
    """Returns the number of rows. What a spreadsheet would compute begins with an apostrophe.

    Raises:
        Unavailable: the disk is full.
        NotAllowed: the folder may not be written.
    """
    number = -1  # the header is none
    with writing(path) as file:
        for line in csv_lines(looks):
            file.write(line.encode())
            number += 1
    return number


def csv_lines(looks: Iterable[Part]) -> Iterator[str]:
    """The header, then each row, as they come."""
    out = io.StringIO()
    table = csv.writer(out)
    for row in chain([HEADER], rows(looks)):
        table.writerow([_harmless(cell) for cell in row])
        yield out.getvalue()
        out.seek(0)
        out.truncate()


def _row(look: Part, seen: Seen | None) -> tuple[object, ...]:
    ms = look.times.get("all")
    heard = (
        (seen.region, seen.decision, round(seen.score, 6), seen.threshold, seen.model)
        if seen
        else ("", "", None, None, "")
    )
    return (
        look.id,
        look.at.isoformat(timespec="milliseconds"),
        look.shift,
        look.sequence,
        look.part,
        look.serial,
        look.lot,
        look.outcome,
        look.reason,
        *heard,
        look.picture,
        look.overruled,
        look.overruled_by,
        look.why,
        None if ms is None else round(ms, 1),
        int(look.is_rabbit),
        look.judged,
        look.judged_reason,
    )


def _harmless(cell: object) -> object:
    if isinstance(cell, str) and cell.startswith(FORMULA):
        return f"'{cell}"
    return "" if cell is None else cell

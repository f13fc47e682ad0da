"""What a fleet's job could not get accepted, line by line in a file beside what the job tells."""

import json
from collections.abc import Iterable
from dataclasses import asdict
from itertools import islice
from pathlib import Path

from tenfold.atomic import in_words, write_bytes
from tenfold.factory import telling
from tenfold.factory.shortfall import Shortfall


class Exceptions:
    """Writes the list of one job: as they come, and at the end the cheapest to mend first."""

    def __init__(self, home: Path, job: str) -> None:
        self._file = place(home, job)
        self.write(())

    def add(self, one: Shortfall) -> None:
        try:
            with self._file.open("ab") as file:
                file.write(_line(one))
        except OSError as error:
            raise in_words(error.errno, where=str(self._file.parent)) or error from error

    def write(self, every: Iterable[Shortfall]) -> None:
        """Instead of what is there."""
        write_bytes(self._file, b"".join(map(_line, every)))


def page(home: Path, job: str, *, offset: int = 0, limit: int) -> list[Shortfall]:
    """So many from `offset` on; a line that is not complete is not there."""
    try:
        with place(home, job).open("rb") as file:
            lines = list(islice(file, offset, offset + limit))
    except FileNotFoundError:
        return []
    return [_read(line) for line in lines if line.endswith(b"\n")]


def place(home: Path, job: str) -> Path:
    return telling.place(home, job).with_suffix(".exceptions")


def _line(one: Shortfall) -> bytes:
    return json.dumps(asdict(one), ensure_ascii=False).encode() + b"\n"


def _read(line: bytes) -> Shortfall:
    plain = json.loads(line)
    return Shortfall(**plain | {name: tuple(plain[name]) for name in ("suspects", "rungs")})

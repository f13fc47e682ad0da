"""What every command shares: progress on stderr, results on stdout, errors as exit codes."""

import json
import sys
import time
from collections.abc import Iterable, Mapping
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from types import MappingProxyType
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console, RenderableType
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars
from rich.text import Text

from tenfold import errors

EXIT_CODES: dict[type[errors.TenfoldError], int] = {
    errors.SpecError: 3,
    errors.DataError: 4,
    errors.NotFound: 5,
    errors.Conflict: 6,
    errors.Unsupported: 7,
    errors.Unavailable: 8,
    errors.NotAllowed: 9,
    errors.IntegrityError: 10,
}
"""0 is success, 1 a defect of Tenfold itself, 2 a wrong command line, 130 an interruption."""

Json = Annotated[bool, typer.Option("--json", help="Print one JSON document instead.")]

NOT_ACCEPTED = 11
"""`make --strict` ended well, but a verdict is not `accepted`; or tasks of a fleet failed."""

stdout = Console()
stderr = Console(stderr=True)

STATUS_STYLE = {
    "accepted": "bold green",
    "undecided": "yellow",
    "refused": "bold red",
    "taught": "cyan",
    "failed": "bold red",
}


class Board:
    """Long work as people watch it: a bar for each stage, and what came of it so far."""

    def __init__(self) -> None:
        self._bars = _Bars(
            TextColumn("{task.description:<24}"),
            BarColumn(),
            MofNCompleteColumn(),
            TextColumn("{task.fields[rate]}"),
            TimeRemainingColumn(),
            console=stderr,
            transient=False,
        )
        self._stages: dict[str, tuple[TaskID, float]] = {}

    def __call__(self, stage: str, done: int, total: int) -> None:
        """See `tenfold.values.Progress`."""
        if stage not in self._stages:
            task = self._bars.add_task(stage, total=total, rate="")
            self._stages[stage] = (task, time.monotonic())
        task, start = self._stages[stage]
        seconds = time.monotonic() - start
        speed = done / seconds if done and seconds > 0.2 else 0.0
        rate = f"{speed:,.{0 if speed >= 10 else 1}f}/s" if speed else ""
        self._bars.update(task, completed=done, total=total, rate=rate)

    def count(self, counts: Mapping[str, int]) -> None:
        """Outcomes so far, by their word."""
        self._bars.counts = dict(counts)

    def __enter__(self) -> "Board":
        self._bars.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._bars.stop()


class _Bars(Bars):
    counts: Mapping[str, int] = MappingProxyType({})

    def get_renderables(self) -> Iterable[RenderableType]:
        yield from super().get_renderables()
        if self.counts:
            words = [f"{status(word)} {n:,}" for word, n in sorted(self.counts.items())]
            yield Text.from_markup("   ".join(words))


def progress_bars() -> Board:
    """For a `with` block: a callable for long work."""
    return Board()


def emit(value: Any) -> None:
    """One JSON document on stdout."""
    sys.stdout.write(json.dumps(value, default=_plain, ensure_ascii=False) + "\n")


def status(word: str) -> str:
    return f"[{STATUS_STYLE.get(word, 'white')}]{escape(word)}[/]"


def report_error(error: errors.TenfoldError, *, as_json: bool) -> int:
    """Say what, where and what to do; returns the exit code."""
    code = EXIT_CODES.get(type(error), 1)
    if as_json:
        emit(
            {
                "error": type(error).__name__,
                "message": error.args[0],
                "where": error.where,
                "hint": error.hint,
                "exit_code": code,
            }
        )
        return code
    place = f"{error.where}: " if error.where else ""
    stderr.print(f"[bold red]{type(error).__name__}[/] {escape(place)}{escape(error.args[0])}")
    if error.hint:
        stderr.print(f"  [dim]→[/] {escape(error.hint)}")
    return code


def size(count: float) -> str:
    """Bytes as people read them."""
    for unit in ("B", "KB", "MB", "GB"):
        if count < 1000 or unit == "GB":
            return f"{count:,.0f} {unit}" if unit == "B" else f"{count:,.1f} {unit}"
        count /= 1000
    raise AssertionError


def _plain(value: Any) -> Any:
    if is_dataclass(value) and not isinstance(value, type):
        return asdict(value)
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, Decimal | Path):
        return str(value)
    if isinstance(value, frozenset | set | tuple):
        return sorted(value) if isinstance(value, frozenset | set) else list(value)
    if isinstance(value, np.generic):
        return value.item()
    raise TypeError(f"cannot print {type(value).__name__} as JSON")

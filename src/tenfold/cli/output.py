"""What every command shares: progress on stderr, results on stdout, errors as exit codes."""

import json
import sys
import time
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import asdict, is_dataclass
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from typing import Annotated, Any

import numpy as np
import typer
from rich.console import Console
from rich.markup import escape
from rich.progress import BarColumn, MofNCompleteColumn, TaskID, TextColumn, TimeRemainingColumn
from rich.progress import Progress as Bars

from tenfold import errors
from tenfold.values import Progress

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
"""`tenfold make --strict` ended well, but a verdict is not `accepted`."""

stdout = Console()
stderr = Console(stderr=True)

STATUS_STYLE = {
    "accepted": "bold green",
    "undecided": "yellow",
    "refused": "bold red",
    "taught": "cyan",
}


@contextmanager
def progress_bars() -> Generator[Progress]:
    """A callable for long work; bars with rate and time left where somebody watches."""
    bars = Bars(
        TextColumn("{task.description:<24}"),
        BarColumn(),
        MofNCompleteColumn(),
        TextColumn("{task.fields[rate]}"),
        TimeRemainingColumn(),
        console=stderr,
        transient=False,
    )
    tasks: dict[str, tuple[TaskID, float]] = {}

    def advance(stage: str, done: int, total: int) -> None:
        if stage not in tasks:
            tasks[stage] = (bars.add_task(stage, total=total, rate=""), time.monotonic())
        task, start = tasks[stage]
        seconds = time.monotonic() - start
        speed = done / seconds if done and seconds > 0.2 else 0.0
        rate = f"{speed:,.{0 if speed >= 10 else 1}f}/s" if speed else ""
        bars.update(task, completed=done, total=total, rate=rate)

    with bars:
        yield advance


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

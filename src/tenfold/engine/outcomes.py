"""What becomes of an item: its result, or a `Failed` that names it and says what to do next."""

import traceback
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any, TypeVar

from tenfold.engine import Failed
from tenfold.errors import IntegrityError, NotFound, TenfoldError, Unavailable, Unsupported

Item = TypeVar("Item")
Result = TypeVar("Result")

Start = tuple[Callable[..., object], tuple[Any, ...]]
"""A top-level function and its arguments: called in every new worker before its first item."""

ONE_THREAD = {
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}
"""Environment of a worker. It must stand before numpy is imported; the cores are shared already."""

WINDOW_PER_WORKER = 4
"""Items read ahead for each one that is worked on: enough that a slow reader starves nobody."""


def attempted(fn: Callable[[Item], Result], item: Item) -> Result | Failed:
    """The result of one item; whatever its function raises becomes a `Failed`."""
    try:
        return fn(item)
    except Exception as problem:  # noqa: BLE001 - one item must not stop the others
        return failed(str(item), problem)


def begun(start: Start | None) -> Failed | None:
    """Runs `start` in a new worker; a failure (of no item yet) stands for all of its items."""
    if start is None:
        return None
    fn, args = start
    try:
        fn(*args)
    except Exception as problem:  # noqa: BLE001 - the driver has to hear of it
        return failed("", problem)
    return None


def failed(name: str, problem: Exception) -> Failed:
    """The failure of the item called `name`."""
    return Failed(name, problem if isinstance(problem, TenfoldError) else _explained(problem))


def named(outcome: Any, name: str) -> Any:
    """`outcome`; a failure that came about before an item was known gets its name."""
    is_nameless = isinstance(outcome, Failed) and not outcome.item
    return replace(outcome, item=name) if is_nameless else outcome


def lost(name: str, tries: int, how: str) -> Failed:
    """The failure of an item whose worker ended each time it was worked on."""
    return Failed(
        name,
        Unavailable(
            f"its worker was lost {tries} times, the last time by {how}.",
            hint="Mostly that is memory: use fewer workers, or larger machines.",
        ),
    )


def too_large(name: str, need: str, room: str) -> Failed:
    """The failure of an item that fits on no machine of the engine."""
    return Failed(
        name,
        Unsupported(
            f"it needs {need} at once; the largest machine has {room}.",
            hint="Ask for less, or use an engine with larger machines.",
        ),
    )


def _explained(problem: Exception) -> TenfoldError:
    """An error nobody foresaw, as one that survives pickling and says where it came from."""
    frames = traceback.extract_tb(problem.__traceback__)
    last = frames[-1] if frames else None
    place = f" ({Path(last.filename).name}:{last.lineno} in {last.name})" if last else ""
    message = f"{type(problem).__name__}: {problem}{place}"
    if isinstance(problem, FileNotFoundError):
        return NotFound(message)
    if isinstance(problem, OSError | MemoryError):
        return Unavailable(message, hint="Look at the disk, memory and network, then run it again.")
    return IntegrityError(message, hint="This is a bug: run the item alone to see all of it.")

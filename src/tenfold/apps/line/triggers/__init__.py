"""What says that a part is in place, beside the controller."""

import itertools
import json
import threading
import time
from importlib import import_module
from typing import Any, Protocol

from tenfold.apps.line.station import ByFolder, ByHttp, ByMqtt, ByTimer
from tenfold.apps.line.values import Trigger
from tenfold.errors import DataError

TRIGGERS = {
    "mqtt": "tenfold.apps.line.triggers.mqtt:MqttTrigger",
    "timer": "tenfold.apps.line.triggers.timer:TimerTrigger",
    "folder": "tenfold.apps.line.triggers.folder:FolderTrigger",
    "http": "tenfold.apps.line.triggers.http:HttpTrigger",
}
"""Kind in the spec → import path."""
MOST_LETTERS = 200
MOST_SEQUENCE = 2**63 - 1


class Source(Protocol):
    def wait(self, timeout_s: float) -> Trigger | None:
        """The next part, once it is in place; None: there is none in time."""
        ...

    def problem(self) -> str:
        """What keeps it from triggering; empty: nothing."""
        ...

    def close(self) -> None: ...


def open_trigger(spec: ByMqtt | ByTimer | ByFolder | ByHttp) -> Source:
    """
    Raises:
        Unsupported: its library is not installed.
        Unavailable: what it listens at is taken.
    """
    module, name = TRIGGERS[spec.kind].split(":")
    return getattr(import_module(module), name)(spec)


class Latest:
    """Hands the newest trigger from a library's thread to who waits for it: parts that were
    passed over cannot be seen any more."""

    def __init__(self) -> None:
        self._news = threading.Condition()
        self._next: Trigger | None = None

    def tell(self, trigger: Trigger) -> None:
        with self._news:
            self._next = trigger
            self._news.notify()

    def wait(self, timeout_s: float) -> Trigger | None:
        with self._news:
            self._news.wait_for(lambda: self._next is not None, timeout_s)
            trigger, self._next = self._next, None
        return trigger


def counting() -> "itertools.count[int]":
    """Sequences for those who do not count: microseconds of now and on, so that none comes again
    after a restart."""
    return itertools.count(time.time_ns() // 1000)


def trigger_of(body: bytes, own: "itertools.count[int]", *, part: str = "") -> Trigger:
    """The trigger of a message.

    Raises:
        DataError: it is not what docs/line.md shows.
    """
    try:
        told: Any = json.loads(body or b"{}")
    except ValueError as error:
        raise DataError("a trigger is JSON.", hint='Such as {"sequence": 17}.') from error
    if not isinstance(told, dict) or set(told) - {"sequence", "part", "serial", "lot"}:
        raise DataError("a trigger has sequence, part, serial and lot, and nothing else.")
    sequence = told.get("sequence")
    if sequence is None:
        sequence = next(own)
    is_whole = isinstance(sequence, int) and not isinstance(sequence, bool)
    if not is_whole or not 1 <= sequence <= MOST_SEQUENCE:
        raise DataError(f"`sequence` is a whole number from 1 on, got {str(sequence)[:40]!r}.")
    texts: list[Any] = [told.get("part", part), told.get("serial", ""), told.get("lot", "")]
    is_text = [isinstance(text, str) and text.isprintable() for text in texts]
    if not all(is_text) or any(len(text) > MOST_LETTERS for text in texts):
        raise DataError(f"part, serial and lot are texts of at most {MOST_LETTERS} letters.")
    return Trigger(sequence, texts[0], texts[1], texts[2])

"""Values by name, those used last, within a limit of bytes."""

from collections import OrderedDict
from threading import Lock
from typing import Generic, TypeVar

T = TypeVar("T")


class Kept(Generic[T]):
    """The oldest-used leave when all together pass the limit. Safe in threads."""

    def __init__(self, limit_bytes: int) -> None:
        self.limit_bytes = limit_bytes
        self.bytes = 0
        self._values: OrderedDict[str, tuple[T, int]] = OrderedDict()
        self._lock = Lock()

    def __len__(self) -> int:
        return len(self._values)

    def get(self, name: str) -> T | None:
        with self._lock:
            if name not in self._values:
                return None
            self._values.move_to_end(name)
            return self._values[name][0]

    def put(self, name: str, value: T, size_bytes: int) -> None:
        with self._lock:
            if name in self._values:  # two threads read it at once
                return
            self._values[name] = (value, size_bytes)
            self.bytes += size_bytes
            while self.bytes > self.limit_bytes and len(self._values) > 1:
                self.bytes -= self._values.popitem(last=False)[1][1]

    def drop(self, name: str) -> None:
        with self._lock:
            self.bytes -= self._values.pop(name, (None, 0))[1]

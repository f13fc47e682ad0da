"""A new file in a folder is a part in place."""

import time
from collections import deque

from tenfold.apps.line.station import ByFolder
from tenfold.apps.line.triggers import counting
from tenfold.apps.line.values import Trigger
from tenfold.errors import Unavailable


class FolderTrigger:
    """Files that are there at the beginning are not parts; those that come are, each once, in the
    order of their names. Write a file elsewhere and move it in: it must be whole at once."""

    def __init__(self, spec: ByFolder) -> None:
        self._spec, self._own = spec, counting()
        self._problem = ""
        self._known: set[str] | None = None
        self._waiting: deque[str] = deque()
        self._look()

    def wait(self, timeout_s: float) -> Trigger | None:
        end = time.monotonic() + timeout_s
        while not self._waiting:
            self._look()
            left_s = end - time.monotonic()
            if not self._waiting and left_s <= 0:
                return None
            if not self._waiting:
                time.sleep(min(self._spec.poll_ms / 1000, left_s))
        name = self._waiting.popleft()
        serial = name.rsplit(".", 1)[0]
        return Trigger(next(self._own), self._spec.part, serial)

    def problem(self) -> str:
        return self._problem

    def close(self) -> None:
        pass

    def _look(self) -> None:
        try:
            names = {p.name for p in self._spec.path.iterdir() if not p.name.startswith(".")}
        except OSError as error:
            self._problem = f"the folder {self._spec.path} cannot be read: {error.strerror}"
            self._known = None  # what is there when it comes back is stale
            return
        self._problem = ""
        if self._known is not None:
            self._waiting += sorted(names - self._known)
        self._known = names


def probe(spec: ByFolder) -> None:
    """
    Raises:
        Unavailable: the folder cannot be read.
    """
    try:
        next(spec.path.iterdir(), None)
    except OSError as error:
        raise Unavailable(
            f"the folder cannot be read: {error.strerror}.",
            where=str(spec.path),
            hint="Make it, or mend `path`.",
        ) from error

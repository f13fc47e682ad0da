"""A part is in place at every tick."""

import time

from tenfold.apps.line.station import ByTimer
from tenfold.apps.line.triggers import counting
from tenfold.apps.line.values import Trigger


class TimerTrigger:
    def __init__(self, spec: ByTimer) -> None:
        self._spec, self._own = spec, counting()
        self._next_s = time.monotonic() + spec.every_s

    def wait(self, timeout_s: float) -> Trigger | None:
        """Ticks that passed meanwhile are passed over."""
        left_s = self._next_s - time.monotonic()
        if left_s > timeout_s:
            time.sleep(timeout_s)
            return None
        time.sleep(max(0.0, left_s))
        while self._next_s <= time.monotonic():
            self._next_s += self._spec.every_s
        return Trigger(next(self._own), self._spec.part)

    def problem(self) -> str:
        return ""

    def close(self) -> None:
        pass

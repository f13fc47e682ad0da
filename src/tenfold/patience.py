"""Waiting for what is away: a database that restarts, a store that does not answer."""

import time
from collections.abc import Callable
from typing import TypeVar

from tenfold.errors import Unavailable

Result = TypeVar("Result")

FIRST_WAIT_S = 0.2
LONGEST_WAIT_S = 5.0


def patiently(
    fn: Callable[[], Result],
    *,
    patience_s: float,
    told: Callable[[Unavailable, float], None] | None = None,
) -> Result:
    """What `fn` returns; while it raises `Unavailable` it is called again.

    `fn` must be idempotent: it may have done its work before the answer was lost.
    `told(error, wait_s)` hears of the first failure before the wait.

    Raises:
        Unavailable: it was away for all of `patience_s`; this is the last error.
    """
    began, wait_s = time.monotonic(), FIRST_WAIT_S
    while True:
        try:
            return fn()
        except Unavailable as error:
            left_s = patience_s - (time.monotonic() - began)
            if left_s <= 0:
                raise
            wait_s = min(wait_s, left_s)
            if told:
                told(error, wait_s)
                told = None
        time.sleep(wait_s)
        wait_s = min(2 * wait_s, LONGEST_WAIT_S)

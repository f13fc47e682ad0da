"""Requests wait for each other only while there is other work: at once when idle, together under
load.
"""

import asyncio
import time
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, Generic, TypeVar

from tenfold.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")
Deliver = Callable[[int, Result | Exception], None]
Work = Callable[[Sequence[Item], Deliver[Result]], None]


class Expired(Unavailable):
    """The deadline passed before the work began; it was not done."""


class Overloaded(Unavailable):
    """More is waiting than the queue may hold."""


@dataclass(slots=True, eq=False)
class _Waiting(Generic[Item, Result]):
    item: Item
    answer: "asyncio.Future[tuple[Result, float]]"
    since: float
    deadline: float


class Batcher(Generic[Item, Result]):
    """Hands items to `work` in batches, `depth` of them at once, each in a thread of its own.

    `work(items, deliver)` calls `deliver(place, result)` for each as soon as it is done, or with
    the exception that is its failure alone. With nothing under way an item is dispatched at once.
    Otherwise it waits until a batch is full, or for `budget_s` if there is room for one more batch,
    or until a batch ends.
    """

    def __init__(
        self,
        work: Work[Item, Result],
        *,
        most: int,
        depth: int = 2,
        budget_s: float = 0.005,
        queue: int = 1000,
    ) -> None:
        self._work = work
        self._most = most
        self._depth = depth
        self._budget_s = budget_s
        self._queue = queue
        self._waiting: deque[_Waiting[Item, Result]] = deque()
        self._busy = 0
        self._timer: asyncio.TimerHandle | None = None
        self._threads = ThreadPoolExecutor(depth, thread_name_prefix="trunk")
        self.sizes: Callable[[int], None] = lambda _: None
        """Told how many items each batch has."""

    def __len__(self) -> int:
        return len(self._waiting)

    async def ask(self, item: Item, *, deadline: float = float("inf")) -> tuple[Result, float]:
        """The result, and the seconds that the item waited; `deadline` by `time.monotonic`.

        Raises:
            Expired: the deadline passed first.
            Overloaded: too many are waiting.
        """
        if len(self._waiting) >= self._queue:
            raise Overloaded(
                f"{len(self._waiting)} pictures are waiting already.",
                hint="Try again later, or serve with more workers.",
            )
        answer: asyncio.Future[tuple[Result, float]] = asyncio.get_running_loop().create_future()
        self._waiting.append(_Waiting(item, answer, time.monotonic(), deadline))
        self._pump()
        return await answer

    def close(self) -> None:
        """Wait for what is under way."""
        self._threads.shutdown(wait=True)

    def _pump(self) -> None:
        while self._waiting and self._busy < self._depth:
            if not self._is_due():
                self._look_again()
                return
            batch = self._batch()
            if batch:
                self._busy += 1
                self.sizes(len(batch))
                self._threads.submit(self._run, asyncio.get_running_loop(), batch)

    def _is_due(self) -> bool:
        waited = time.monotonic() - self._waiting[0].since
        return self._busy == 0 or len(self._waiting) >= self._most or waited >= self._budget_s

    def _look_again(self) -> None:
        if self._timer is None:
            wait_s = self._waiting[0].since + self._budget_s - time.monotonic()
            self._timer = asyncio.get_running_loop().call_later(max(0.0, wait_s), self._ring)

    def _ring(self) -> None:
        self._timer = None
        self._pump()

    def _batch(self) -> list[_Waiting[Item, Result]]:
        """The oldest that may still be answered in time; the others are told."""
        batch: list[_Waiting[Item, Result]] = []
        now = time.monotonic()
        while self._waiting and len(batch) < self._most:
            one = self._waiting.popleft()
            if one.answer.done():  # nobody waits any more
                continue
            if one.deadline <= now:
                one.answer.set_exception(
                    Expired(
                        f"the deadline passed while the picture waited ({now - one.since:.3f} s); "
                        "it was not computed.",
                        hint="Allow more time, or serve with more workers.",
                    )
                )
                continue
            batch.append(one)
        return batch

    def _run(
        self, loop: asyncio.AbstractEventLoop, batch: Sequence[_Waiting[Item, Result]]
    ) -> None:
        began = time.monotonic()

        def deliver(place: int, result: Result | Exception) -> None:
            one = batch[place]
            if isinstance(result, Exception):
                loop.call_soon_threadsafe(_fail, one.answer, result)
            else:
                loop.call_soon_threadsafe(_settle, one.answer, (result, began - one.since))

        problem: Exception | None = None
        try:
            self._work([one.item for one in batch], deliver)
        except Exception as error:  # noqa: BLE001 - the worker's loop: others go on being served
            problem = error
        loop.call_soon_threadsafe(self._ended, batch, problem)

    def _ended(self, batch: Sequence[_Waiting[Item, Result]], problem: Exception | None) -> None:
        self._busy -= 1
        for one in batch:
            if not one.answer.done():
                one.answer.set_exception(problem or Unavailable("the picture was not answered."))
        self._pump()


def _fail(answer: "asyncio.Future[Any]", problem: Exception) -> None:
    if not answer.done():
        answer.set_exception(problem)


def _settle(answer: "asyncio.Future[Result]", result: Result) -> None:
    if not answer.done():
        answer.set_result(result)

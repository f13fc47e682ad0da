"""The engine of one machine: a few processes that are kept between calls."""

import atexit
import os
import threading
from collections import deque
from collections.abc import Callable, Generator, Iterable
from concurrent.futures import Future
from concurrent.futures import wait as wait_for_all
from dataclasses import dataclass, field, replace
from itertools import islice
from pathlib import Path
from queue import SimpleQueue
from typing import Any, TypeVar

from tenfold.engine import ONE_CORE, Failed, Resources
from tenfold.engine.outcomes import (
    WINDOW_PER_WORKER,
    Start,
    attempted,
    begun,
    failed,
    lost,
    named,
    too_large,
)
from tenfold.engine.worker import Worker, WorkerLost
from tenfold.errors import Unavailable

Item = TypeVar("Item")
Result = TypeVar("Result")

TRIES = 2
"""A lost worker is often bad luck; the same item losing two is not."""


@dataclass(slots=True, eq=False)
class _Call:
    """One call of `map`."""

    fn: Callable[[Any], Any]
    need: Resources
    is_stopped: bool = False


@dataclass(slots=True, eq=False)
class _Job:
    """One item of a call, on its way through the engine."""

    call: _Call
    item: Any
    outcome: "Future[Any]" = field(default_factory=Future)
    worker: Worker | None = None
    """Who works on it now."""


class LocalEngine:
    """Worker processes of this machine, or none at all (`inline`).

    Each of `workers` threads takes an item from one queue, borrows a process and waits for its
    answer: a process that dies is to blame for exactly one item. Processes start when they are
    first needed. `workers=0` stands for the cores this process may use.
    """

    def __init__(
        self, workers: int = 0, start: Start | None = None, *, inline: bool = False
    ) -> None:
        cores = len(os.sched_getaffinity(0))
        self.workers = 1 if inline else workers or cores
        self._cores = cores if inline else self.workers
        self._start = start
        self._is_inline = inline
        self._total_mb, self._memory_mb = memory_mb()
        self._jobs: SimpleQueue[_Job | None] = SimpleQueue()
        self._threads: list[threading.Thread] = []
        self._changed = threading.Condition()
        # all below is read and written only while `_changed` is held
        self._free = Resources(self.workers, self._memory_mb)
        self._idle: list[Worker] = []
        self._under_way: set[_Job] = set()
        self._is_closed = False

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        resources: Resources = ONE_CORE,
    ) -> Generator[Result | Failed]:
        """See `Engine.map`."""
        source = iter(items)
        if resources.cores > self._cores or resources.memory_mb > self._total_mb:
            yield from (self._too_large(item, resources) for item in source)
            return
        if self._is_inline:
            yield from self._inline(fn, source)
            return
        need = replace(resources, memory_mb=min(resources.memory_mb, self._memory_mb))
        call = _Call(fn, need)
        window = self._at_once(need) * WINDOW_PER_WORKER
        ahead: deque[_Job] = deque()
        try:
            while True:
                for item in islice(source, window - len(ahead)):
                    ahead.append(self._queued(call, item))
                if not ahead:
                    return
                yield ahead[0].outcome.result()
                ahead.popleft()
        finally:
            self._stop(call, ahead)

    def close(self) -> None:
        """End all workers; what is still under way fails."""
        with self._changed:
            self._is_closed = True
            for job in self._under_way:
                if job.worker is not None:
                    job.worker.kill()
            self._changed.notify_all()
        for _ in self._threads:
            self._jobs.put(None)
        for thread in self._threads:
            thread.join()
        for worker in self._idle:
            worker.dismiss()
        for worker in self._idle:
            worker.end()
        self._threads, self._idle = [], []
        atexit.unregister(self.close)

    def _too_large(self, item: object, need: Resources) -> Failed:
        return too_large(
            str(item),
            f"{need.cores} cores and {need.memory_mb} MB",
            f"{self._cores} cores and {self._total_mb} MB",
        )

    def _inline(self, fn: Callable[[Item], Result], items: Iterable[Item]) -> Generator[Any]:
        refused = begun(self._start)
        if not refused:
            self._start = None
        for item in items:
            yield named(refused or attempted(fn, item), str(item))

    def _at_once(self, need: Resources) -> int:
        by_cores = self.workers // max(1, need.cores)
        by_memory = self._memory_mb // need.memory_mb if need.memory_mb else by_cores
        return max(1, min(by_cores, by_memory))

    def _queued(self, call: _Call, item: Any) -> _Job:
        if self._is_closed:
            raise Unavailable("the engine is closed.", hint="Open another one.")
        if not self._threads:
            atexit.register(self.close)
            for _ in range(self.workers):
                # daemon: Python waits for other threads before it runs `atexit`
                self._threads.append(threading.Thread(target=self._work, daemon=True))
                self._threads[-1].start()
        job = _Job(call, item)
        self._jobs.put(job)
        return job

    def _stop(self, call: _Call, ahead: Iterable[_Job]) -> None:
        """Cancel what is queued, kill what is under way, and wait until it is gone."""
        with self._changed:
            call.is_stopped = True
            under_way = [job for job in ahead if not job.outcome.cancel()]
            for job in under_way:
                if job.worker is not None:
                    job.worker.kill()
            self._changed.notify_all()
        wait_for_all([job.outcome for job in under_way])

    def _work(self) -> None:
        """What each thread does until the engine closes."""
        while (job := self._jobs.get()) is not None:
            if not job.outcome.set_running_or_notify_cancel():
                continue
            try:
                outcome = self._tried(job)
            except Exception as problem:  # noqa: BLE001 - one item must not stop the others
                outcome = failed(str(job.item), problem)
            job.outcome.set_result(outcome)

    def _tried(self, job: _Job) -> Any:
        """The answer of a worker; what does not cross the pipe raises."""
        name, how = str(job.item), ""
        for _ in range(TRIES):
            worker = self._borrowed(job)
            try:
                outcome = worker.answer(job.call.fn, job.item)
            except WorkerLost as ending:
                self._give_back(job, None)
                how = str(ending)
                continue
            except BaseException:
                self._give_back(job, worker)
                raise
            self._give_back(job, worker)
            return named(outcome, name)
        return lost(name, TRIES, how)

    def _borrowed(self, job: _Job) -> Worker:
        """A worker for `job`, as soon as there is room for it."""
        need = job.call.need
        with self._changed:
            self._changed.wait_for(lambda: self._is_over(job.call) or self._has_room(need))
            if self._is_over(job.call):
                raise Unavailable("the engine stopped before it was done.")
            job.worker = self._idle.pop() if self._idle else Worker(self._start)
            self._under_way.add(job)
            self._free = Resources(
                self._free.cores - need.cores, self._free.memory_mb - need.memory_mb
            )
            return job.worker

    def _give_back(self, job: _Job, worker: Worker | None) -> None:
        need = job.call.need
        with self._changed:
            job.worker = None
            self._under_way.discard(job)
            self._free = Resources(
                self._free.cores + need.cores, self._free.memory_mb + need.memory_mb
            )
            if worker is not None:
                self._idle.append(worker)
            self._changed.notify_all()

    def _is_over(self, call: _Call) -> bool:
        return call.is_stopped or self._is_closed

    def _has_room(self, need: Resources) -> bool:
        return need.cores <= self._free.cores and need.memory_mb <= self._free.memory_mb


def memory_mb() -> tuple[int, int]:
    """(all, available) memory of this machine."""
    lines = Path("/proc/meminfo").read_text().splitlines()
    kb = {name: int(rest.split()[0]) for name, _, rest in (line.partition(":") for line in lines)}
    return kb["MemTotal"] // 1024, kb["MemAvailable"] // 1024

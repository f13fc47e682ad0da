"""The engine of many machines: a Ray cluster; the only file that imports ray."""

import os
import subprocess
import sys
import time
from collections import deque
from collections.abc import Callable, Generator, Iterable
from dataclasses import dataclass
from itertools import islice
from typing import Any, TypeVar

from tenfold.engine import ONE_CORE, Failed, Resources
from tenfold.engine.outcomes import (
    ONE_THREAD,
    WINDOW_PER_WORKER,
    Start,
    attempted,
    begun,
    failed,
    lost,
    named,
    too_large,
)
from tenfold.errors import Conflict, Unavailable, Unsupported

os.environ["RAY_USAGE_STATS_ENABLED"] = "0"
# else what Ray has to say about its machines is printed between our own results
os.environ.setdefault("RAY_DEDUP_LOGS_SKIP_REGEX", ".*")
try:
    import ray
    from ray import exceptions as ray_errors
except ImportError as problem:
    raise Unsupported(
        "Ray is not installed.", hint='Install it: `pip install "tenfold[ray]"`.'
    ) from problem

Item = TypeVar("Item")
Result = TypeVar("Result")

LOST_WORKER = (ray_errors.WorkerCrashedError, ray_errors.OutOfMemoryError)
LOST_MACHINE = (
    ray_errors.NodeDiedError,
    ray_errors.LocalRayletDiedError,
    ray_errors.ObjectLostError,
)
TRIES = 2
"""For lost workers, as on one machine."""

MACHINE_TRIES = 3
"""Machines go for reasons of their own (spot prices): an item is less to blame."""

REACHED_S = 15.0
"""How long a cluster may take to answer; left alone, Ray tries for many minutes."""

LOOK_S = 5.0
"""How often the cluster is looked at while no result comes."""

GRACE_S = 120.0
"""How long a cluster that lost its only large machine may take to get another."""

CANCEL_S = 10.0


@dataclass(slots=True, eq=False)
class _Job:
    """One item on its way through the cluster."""

    item: Any
    ref: Any = None
    """Ray's promise; None as soon as `outcome` stands."""
    tries: int = 0
    outcome: Any = None


class RayEngine:
    """Workers of a Ray cluster, or of a Ray that is started here when there is no address.

    A process is a member of one cluster at a time. With an address, this machine must be part of
    the cluster (`ray start --address=...`).

    Raises:
        Unavailable: no cluster answers there.
        Conflict: this process is a member of a cluster already.
    """

    def __init__(self, address: str = "", start: Start | None = None) -> None:
        if ray.is_initialized():
            raise Conflict("this process uses Ray already.", hint="Close the other engine first.")
        _connect(address)
        self._start = start

    @property
    def workers(self) -> int:
        """Cores of the cluster as it is now."""
        return max(1, int(sum(node.get("CPU", 0) for node in _machines())))

    def map(
        self,
        fn: Callable[[Item], Result],
        items: Iterable[Item],
        *,
        resources: Resources = ONE_CORE,
    ) -> Generator[Result | Failed]:
        """See `Engine.map`."""
        source = iter(items)
        at_once = _at_once(resources)
        if at_once == 0:
            yield from (_too_large(item, resources) for item in source)
            return
        window = at_once * WINDOW_PER_WORKER
        call = _Call(fn, resources, self._start)
        ahead: deque[_Job] = deque()
        try:
            while True:
                for item in islice(source, window - len(ahead)):
                    ahead.append(_Job(item))
                    call.send(ahead[-1])
                if not ahead:
                    return
                while ahead[0].ref is not None:
                    call.settle(ahead)
                yield ahead[0].outcome
                ahead.popleft()
        finally:
            _cancel(ahead)

    def close(self) -> None:
        """Leave the cluster; it cancels what is under way."""
        ray.shutdown()


class _Call:
    """One call of `map`."""

    def __init__(self, fn: Callable[[Any], Any], resources: Resources, start: Start | None) -> None:
        self._fn = fn
        self._start = start
        self._resources = resources
        self._task = ray.remote(_worked).options(
            num_cpus=resources.cores,
            memory=resources.memory_mb * 1024**2 or None,
            max_retries=0,
        )
        self._fitted_at_s = time.monotonic()

    def send(self, job: _Job) -> None:
        job.tries += 1
        try:
            job.ref = self._task.remote(self._start, self._fn, job.item)
        except (ray_errors.RayError, ConnectionError):
            raise
        except Exception as problem:  # noqa: BLE001 - what does not pickle fails alone
            job.ref, job.outcome = None, failed(str(job.item), problem)

    def settle(self, ahead: Iterable[_Job]) -> None:
        """Wait for the next answer, and keep it or try its item once more."""
        open_jobs = {job.ref: job for job in ahead if job.ref is not None}
        ready, _ = ray.wait(list(open_jobs), num_returns=1, timeout=LOOK_S)
        for ref in ready:
            self._settle_one(open_jobs[ref])
        if ready or _at_once(self._resources):
            self._fitted_at_s = time.monotonic()
        elif time.monotonic() - self._fitted_at_s > GRACE_S:
            for job in open_jobs.values():
                job.ref, job.outcome = None, _too_large(job.item, self._resources)

    def _settle_one(self, job: _Job) -> None:
        name = str(job.item)
        try:
            job.outcome = named(ray.get(job.ref), name)
        except (*LOST_WORKER, *LOST_MACHINE) as problem:
            tries = MACHINE_TRIES if isinstance(problem, LOST_MACHINE) else TRIES
            if job.tries < tries:
                self.send(job)
                return
            job.outcome = lost(name, job.tries, type(problem).__name__)
        except ray_errors.RayTaskError as problem:
            job.outcome = failed(name, problem.cause or problem)
        except ray_errors.RayError as problem:
            job.outcome = failed(name, problem)
        job.ref = None


_BEGUN: dict[int, Failed | None] = {}
"""Process → how its start went. A worker process of Ray serves one driver only."""


def _worked(start: Start | None, fn: Callable[[Any], Any], item: Any) -> Any:
    """What a worker does."""
    if os.getpid() not in _BEGUN:
        _BEGUN[os.getpid()] = begun(start)
    return _BEGUN[os.getpid()] or attempted(fn, item)


def _cancel(jobs: Iterable[_Job]) -> None:
    refs = [job.ref for job in jobs if job.ref is not None]
    for ref in refs:
        ray.cancel(ref, force=True)
    if refs:
        ray.wait(refs, num_returns=len(refs), timeout=CANCEL_S)


def _machines() -> list[dict[str, float]]:
    """Resources of each machine that is alive; memory in bytes."""
    return [node["Resources"] for node in ray.nodes() if node["Alive"]]


def _at_once(need: Resources) -> int:
    """How many items of that need the cluster can work on at once."""
    total = 0
    for machine in _machines():
        rooms = [machine.get("CPU", 0) // max(1, need.cores)]
        if need.memory_mb:
            rooms.append(machine.get("memory", 0) // (need.memory_mb * 1024**2))
        total += int(min(rooms))
    return total


def _too_large(item: object, need: Resources) -> Failed:
    cores, memory = max(
        (machine.get("CPU", 0), machine.get("memory", 0)) for machine in _machines()
    )
    return too_large(
        str(item),
        f"{need.cores} cores and {need.memory_mb} MB",
        f"{cores:.0f} cores and {memory // 1024**2:.0f} MB",
    )


def _connect(address: str) -> None:
    """Join the cluster at `address`, or start one of this machine's cores."""
    if address:
        _refuse_unreachable(address)
    cores = None if address else len(os.sched_getaffinity(0))
    try:
        ray.init(
            address=address or "local",
            num_cpus=cores,
            log_to_driver=False,
            configure_logging=False,
            include_dashboard=False,
            runtime_env={"env_vars": ONE_THREAD},
        )
    except (OSError, RuntimeError, ray_errors.RayError) as problem:
        ray.shutdown()
        raise Unavailable(
            f"Ray did not start: {problem}",
            where=address,
            hint="Is this machine part of the cluster? `ray start --address=...` makes it so.",
        ) from problem


def _refuse_unreachable(address: str) -> None:
    """Ask from another process: Ray's own look for a cluster cannot be stopped.

    Raises:
        Unavailable: nothing answers, or no Ray of our version.
    """
    if "://" in address:
        raise Unsupported(
            "Ray clients are not supported.",
            where=address,
            hint="Run on a machine of the cluster, and give `host:port` of its head, or `auto`.",
        )
    command = [sys.executable, "-m", "ray.scripts.scripts", "health-check", "--address", address]
    try:
        asked = subprocess.run(
            command, check=False, timeout=REACHED_S, capture_output=True, text=True
        )
    except subprocess.TimeoutExpired:
        words = f"no Ray cluster answered within {REACHED_S:.0f} s."
    else:
        if asked.returncode == 0:
            return
        words = (asked.stderr.strip().splitlines() or ["no Ray cluster answers."])[-1]
    raise Unavailable(
        words, where=address, hint="Is its head up? `ray status` on a machine of it tells."
    )

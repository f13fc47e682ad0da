"""Every engine keeps the same promises: order, named failures, bounded reading, quick ends."""

import os
import pickle
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass
from http.server import HTTPServer, SimpleHTTPRequestHandler
from itertools import accumulate
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from threadpoolctl import threadpool_info

from clusters import PATHS, RAY_MEMORY_MB, add_machine
from tenfold.engine import Engine, Failed, Resources, opened
from tenfold.engine.local import LocalEngine, memory_mb
from tenfold.errors import (
    Conflict,
    DataError,
    IntegrityError,
    NotFound,
    Unavailable,
    Unsupported,
)

HANG_S = 60
"""No promise: longer than anything here takes, shorter than a hang."""


@dataclass(frozen=True)
class Step:
    """An item: what it is called, where it leaves its marks, how long it takes."""

    name: str
    folder: Path = Path()
    seconds: float = 0.0

    def __str__(self) -> str:
        return self.name

    def mark(self, kind: str) -> bool:
        """Leaves a mark; false when it was there."""
        try:
            (self.folder / f"{self.name}.{kind}").touch(exist_ok=False)
        except FileExistsError:
            return False
        return True


def slept(step: Step) -> str:
    step.mark("began")
    time.sleep(step.seconds)
    step.mark("ended")
    return step.name


def doubled(number: int) -> int:
    return 2 * number


def process_id(_: int) -> int:
    time.sleep(0.05)
    return os.getpid()


def picky(number: int) -> int:
    if number == 1:
        raise DataError("the picture is torn.", where="a.png", hint="Take it again.")
    if number == 2:
        raise ValueError("bad shape")
    if number == 3:
        raise FileNotFoundError("no such shard")
    if number == 4:
        raise MemoryError
    return number


def unpicklable(number: int) -> object:
    return threading.Lock() if number == 1 else number


class OnlyHere:
    """Pickles, but cannot be read back."""

    def __reduce__(self) -> tuple[Callable[..., Any], tuple[Any, ...]]:
        return _refuse, ("it cannot be read here",)


def _refuse(word: str) -> None:
    if os.environ.get("TENFOLD_TEST_DRIVER") != str(os.getpid()):
        raise ValueError(word)


def interval(step: Step) -> tuple[float, float]:
    began = time.monotonic()
    time.sleep(step.seconds)
    return began, time.monotonic()


def dies_once(step: Step) -> str:
    if step.name == "fragile" and step.mark("died"):
        os.kill(os.getpid(), signal.SIGKILL)
    return step.name


def dies(step: Step) -> str:
    if step.name == "deadly":
        step.mark("once") or step.mark("twice") or step.mark("thrice")
        os.kill(os.getpid(), signal.SIGKILL)
    return step.name


def scaled(array: np.ndarray) -> np.ndarray:
    return array * 2


def blas_threads(_: int) -> list[int]:
    _ = np.ones((64, 64)) @ np.ones((64, 64))
    return [pool["num_threads"] for pool in threadpool_info()]


def begin(folder: Path, word: str) -> None:
    with (folder / f"{os.getpid()}.{word}").open("a") as file:
        file.write("begun\n")


def refuse_to_begin() -> None:
    raise Unavailable("no meter here.")


@pytest.fixture
def local() -> Iterator[LocalEngine]:
    with closing(LocalEngine(workers=2)) as engine:
        yield engine


RAY = (pytest.mark.ray, pytest.mark.xdist_group("ray"))


@pytest.fixture(scope="module")
def ray_begun(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Where Ray's workers note that they began."""
    return tmp_path_factory.mktemp("begun")


@pytest.fixture(scope="module")
def ray(cluster: Any, ray_begun: Path) -> Iterator[Engine]:
    start = (begin, (ray_begun, "ray"))
    with closing(opened("ray", address=cluster.address, start=start)) as engine:
        yield engine


@pytest.fixture(params=["local", pytest.param("ray", marks=RAY)])
def engine(request: pytest.FixtureRequest) -> Any:
    return request.getfixturevalue(request.param)


@pytest.fixture
def machines(engine) -> list[int]:
    """Memory of each machine of `engine`, in MB."""
    return [memory_mb()[1]] if isinstance(engine, LocalEngine) else [RAY_MEMORY_MB] * 3


def most_at_once(spans: Iterable[Any]) -> int:
    """How many of the (begin, end) overlap at most."""
    spans = list(spans)
    moments = sorted([(begin, 1) for begin, _ in spans] + [(end, -1) for _, end in spans])
    return max(accumulate(step for _, step in moments))


def wait_until(is_true: Callable[[], bool], seconds: float = HANG_S) -> None:
    deadline = time.monotonic() + seconds
    while not is_true():
        assert time.monotonic() < deadline, "it never came true"
        time.sleep(0.02)


def test_results_come_in_the_order_of_the_items(engine, tmp_path):
    seconds = [0.4, 0.0, 0.2, 0.0, 0.1, 0.0, 0.3, 0.0, 0.0]
    steps = [Step(f"s{i}", tmp_path, s) for i, s in enumerate(seconds)]
    assert list(engine.map(slept, steps)) == [step.name for step in steps]


def test_no_items_give_no_results(engine):
    assert list(engine.map(doubled, [])) == []


def test_calls_may_follow_and_nest(engine):
    assert list(engine.map(doubled, range(20))) == [2 * i for i in range(20)]
    inner = engine.map(doubled, range(20))
    assert list(engine.map(doubled, inner)) == [4 * i for i in range(20)]


def test_a_failure_names_its_item_and_the_others_go_on(engine):
    results = list(engine.map(picky, range(6)))
    assert results[0] == 0
    assert results[5] == 5
    failures = results[1:5]
    assert [f.item for f in failures] == ["1", "2", "3", "4"]
    assert [type(f.error) for f in failures] == [DataError, IntegrityError, NotFound, Unavailable]
    assert str(failures[0].error) == "a.png: the picture is torn. Take it again."
    assert "ValueError: bad shape (test_engines.py:" in str(failures[1].error)
    assert "in picky)" in str(failures[1].error)


def test_what_does_not_cross_fails_alone(engine, monkeypatch):
    results = list(engine.map(unpicklable, range(3)))
    assert results[0] == 0
    assert results[2] == 2
    assert results[1].item == "1"
    assert "pickle" in str(results[1].error)
    monkeypatch.setenv("TENFOLD_TEST_DRIVER", str(os.getpid()))
    strange = list(engine.map(type, [OnlyHere(), 1]))
    assert "OnlyHere" in strange[0].item
    assert "it cannot be read here" in str(strange[0].error)
    assert strange[1] is int


def test_arrays_cross(engine):
    arrays = [np.full((200, 300), i, dtype=np.float32) for i in range(4)]
    for array, result in zip(arrays, engine.map(scaled, arrays), strict=True):
        assert result.dtype == np.float32
        np.testing.assert_array_equal(result, array * 2)


def test_a_worker_has_one_blas_thread_and_the_driver_keeps_its_own(engine):
    before = dict(os.environ)
    for threads in engine.map(blas_threads, range(3)):
        assert threads
        assert set(threads) == {1}
    assert dict(os.environ) == before


def test_items_are_read_only_a_few_ahead(engine):
    read = 0

    def endless() -> Generator[int]:
        nonlocal read
        while True:
            read += 1
            yield read

    with closing(engine.map(doubled, endless())) as results:
        for asked, _ in enumerate(results, start=1):
            assert read <= asked + 4 * engine.workers
            if asked == 30:
                break


def test_leaving_early_stops_what_runs_and_what_waits(engine, tmp_path):
    steps = [Step("first", tmp_path), *(Step(f"long{i}", tmp_path, 600) for i in range(6))]
    results = engine.map(slept, steps)
    assert next(results) == "first"
    wait_until(lambda: len(list(tmp_path.glob("long*.began"))) == min(6, engine.workers))
    began = time.monotonic()
    results.close()
    assert time.monotonic() - began < HANG_S
    assert list(engine.map(doubled, range(10))) == [2 * i for i in range(10)]
    assert len(list(tmp_path.glob("long*.began"))) == min(6, engine.workers)
    assert not list(tmp_path.glob("long*.ended"))


def test_large_items_leave_room_for_each_other(engine):
    steps = [Step(f"s{i}", seconds=0.1) for i in range(4)]
    spans = engine.map(interval, steps, resources=Resources(cores=2))
    assert most_at_once(spans) == 1


def test_memory_is_shared_out_too(engine, machines):
    steps = [Step(f"s{i}", seconds=0.2) for i in range(2 * len(machines))]
    need = Resources(memory_mb=max(machines) * 2 // 3)
    assert most_at_once(engine.map(interval, steps, resources=need)) <= len(machines)


@pytest.mark.parametrize("need", [Resources(cores=10_000), Resources(memory_mb=10**9)])
def test_what_fits_nowhere_fails_by_name(engine, need):
    (failure,) = engine.map(slept, [Step("giant")], resources=need)
    assert failure.item == "giant"
    assert isinstance(failure.error, Unsupported)
    assert str(need.cores) in str(failure.error)
    assert failure.error.hint


def test_a_lost_worker_costs_nothing_but_a_second_try(engine, tmp_path):
    steps = [Step(name, tmp_path) for name in ("a", "b", "fragile", "c", "d", "e")]
    assert list(engine.map(dies_once, steps)) == [step.name for step in steps]


def test_an_item_that_kills_its_worker_fails_alone(engine, tmp_path):
    steps = [Step(name, tmp_path) for name in ("a", "b", "deadly", "c", "d", "e")]
    results = list(engine.map(dies, steps))
    assert [r for r in results if not isinstance(r, Failed)] == ["a", "b", "c", "d", "e"]
    assert results[2].item == "deadly"
    assert isinstance(results[2].error, Unavailable)
    assert "lost" in str(results[2].error)
    assert (tmp_path / "deadly.twice").exists()
    assert not (tmp_path / "deadly.thrice").exists()


def test_no_more_workers_run_than_asked_for():
    with closing(LocalEngine(workers=3)) as engine:
        assert len(set(engine.map(process_id, range(12)))) == 3
        assert len(set(engine.map(process_id, range(12), resources=Resources(cores=2)))) == 1
    assert LocalEngine().workers == len(os.sched_getaffinity(0))


def test_every_worker_begins_once(tmp_path):
    with closing(LocalEngine(workers=2, start=(begin, (tmp_path, "first")))) as engine:
        used = set(engine.map(process_id, range(8))) | set(engine.map(process_id, range(8)))
    assert {file.name for file in tmp_path.iterdir()} == {f"{pid}.first" for pid in used}
    assert all(file.read_text() == "begun\n" for file in tmp_path.iterdir())


@pytest.mark.parametrize("inline", [False, True])
def test_a_worker_that_cannot_begin_says_why(inline):
    with closing(LocalEngine(workers=1, start=(refuse_to_begin, ()), inline=inline)) as engine:
        failures = list(engine.map(doubled, range(2)))
    assert [(f.item, str(f.error)) for f in failures] == [(i, "no meter here.") for i in "01"]


def test_inline_runs_here_and_begins_once(tmp_path):
    engine = LocalEngine(inline=True, start=(begin, (tmp_path, "first")))
    assert engine.workers == 1
    assert set(engine.map(process_id, range(2))) == {os.getpid()}
    assert list(engine.map(picky, [0, 1, 5]))[0::2] == [0, 5]
    assert (tmp_path / f"{os.getpid()}.first").read_text() == "begun\n"


def test_two_threads_share_one_engine(local):
    sums: list[int] = []
    threads = [
        threading.Thread(target=lambda: sums.append(sum(local.map(doubled, range(50)))))
        for _ in range(3)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(HANG_S)
    assert sums == [2450, 2450, 2450]


def test_closing_ends_the_workers_and_the_engine(tmp_path):
    engine = LocalEngine(workers=2)
    pids = set(engine.map(process_id, range(8)))
    results = engine.map(slept, [Step("first", tmp_path), Step("long", tmp_path, 600)])
    assert next(results) == "first"
    engine.close()
    assert isinstance(next(results).error, Unavailable)
    assert not any(is_alive(pid) for pid in pids)
    with pytest.raises(Unavailable, match="closed"):
        next(engine.map(doubled, [1]))


def is_alive(pid: int) -> bool:
    try:
        return (Path("/proc") / str(pid) / "stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def driven(folder: Path) -> None:
    """What the driver of the next tests does: one item that takes for ever, one that waits."""
    steps = [Step("busy", folder, 600), Step("idle", folder)]
    start = (begin, (folder, "worker"))
    for result in LocalEngine(workers=2, start=start).map(slept, steps):
        sys.stdout.write(f"{result}\n")


@pytest.mark.parametrize("ending", [signal.SIGKILL, signal.SIGTERM, signal.SIGINT])
def test_no_worker_outlives_its_driver(tmp_path, ending):
    words = "import sys, test_engines, pathlib; test_engines.driven(pathlib.Path(sys.argv[1]))"
    driver = subprocess.Popen(
        [sys.executable, "-c", words, str(tmp_path)],
        env=os.environ | {"PYTHONPATH": PATHS},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        wait_until(lambda: {p.name for p in tmp_path.iterdir()} >= {"busy.began", "idle.ended"})
        workers = [int(path.stem) for path in tmp_path.glob("*.worker")]
        assert len(workers) == 2
        if ending == signal.SIGINT:  # a terminal sends it to all of the group
            os.killpg(driver.pid, ending)
        else:
            driver.send_signal(ending)
        _, said = driver.communicate(timeout=HANG_S)
    finally:
        driver.kill()
    wait_until(lambda: not any(is_alive(pid) for pid in workers))
    assert said.count("Traceback") == (1 if ending == signal.SIGINT else 0), said


def test_an_unknown_engine_names_those_there_are():
    with closing(opened("local", workers=1)) as engine:
        assert engine.workers == 1
    with pytest.raises(Unsupported, match="local, ray"):
        opened("steam")


def tried_on_a_machine(step: Step) -> str:
    """Waits for the word to go; leaves a mark for each try."""
    step.mark("began") or step.mark("again")
    wait_until((step.folder / "go").exists)
    return step.name


@pytest.mark.ray
@pytest.mark.xdist_group("ray")
class TestRayOnly:
    def test_a_lost_machine_costs_nothing_but_another_try(self, cluster, ray, tmp_path, capfd):
        machine = add_machine(cluster, 1)
        wait_until(lambda: ray.workers == 5)
        steps = [Step(f"s{i}", tmp_path) for i in range(8)]

        def pull_the_plug() -> None:
            wait_until(lambda: len(list(tmp_path.glob("*.began"))) == 5)
            cluster.remove_node(machine, allow_graceful=False)
            wait_until(lambda: ray.workers == 4)
            (tmp_path / "go").touch()

        thread = threading.Thread(target=pull_the_plug)
        thread.start()
        assert list(ray.map(tried_on_a_machine, steps)) == [step.name for step in steps]
        thread.join(HANG_S)
        assert len(list(tmp_path.glob("*.again"))) == 1
        assert not capfd.readouterr().out, "it belongs to what the command prints"

    def test_every_worker_begins_once(self, ray, ray_begun):
        used = set(ray.map(process_id, range(8)))
        noted = {int(file.stem): file.read_text() for file in ray_begun.iterdir()}
        assert used <= set(noted)
        assert set(noted.values()) == {"begun\n"}

    def test_a_process_uses_one_ray(self, cluster, ray):
        with pytest.raises(Conflict, match="already"):
            opened("ray", address=cluster.address)
        assert list(ray.map(doubled, [1])) == [2]

    def test_a_ray_client_is_refused(self):
        with pytest.raises(Unsupported, match=r"host:port"):
            said_alone("opened('ray', address='ray://127.0.0.1:10001')")

    @pytest.mark.parametrize("port", [1, "web"])
    def test_an_address_without_ray_is_refused_in_time(self, port):
        with HTTPServer(("127.0.0.1", 0), SimpleHTTPRequestHandler) as web:
            threading.Thread(target=web.serve_forever, daemon=True).start()
            address = f"127.0.0.1:{web.server_port if port == 'web' else port}"
            with pytest.raises(Unavailable, match=f"{address}: no Ray cluster answered"):
                said_alone(f"opened('ray', address={address!r})")
            web.shutdown()

    def test_without_an_address_ray_starts_here(self):
        words = "with closing(opened('ray')) as e: print(e.workers, list(e.map(abs, range(-3, 0))))"
        assert said_alone(words) == f"{len(os.sched_getaffinity(0))} [3, 2, 1]\n"


def said_alone(words: str) -> str:
    """What `words` print in a process of their own; its Tenfold error is raised here."""
    script = f"""
import pickle, sys
from contextlib import closing
from tenfold.engine import opened
from tenfold.errors import TenfoldError
try:
    {words}
except TenfoldError as problem:
    sys.stderr.buffer.write(pickle.dumps(problem))
    sys.exit(9)
"""
    asked = subprocess.run([sys.executable, "-c", script], capture_output=True, check=False)
    if asked.returncode == 9:
        raise pickle.loads(asked.stderr)
    assert asked.returncode == 0, asked.stderr
    return asked.stdout.decode()


def test_without_ray_the_extra_is_named(monkeypatch):
    monkeypatch.setitem(sys.modules, "ray", None)
    monkeypatch.delitem(sys.modules, "tenfold.engine.ray_cluster", raising=False)
    with pytest.raises(Unsupported, match=r"pip install \"tenfold\[ray\]\""):
        opened("ray")

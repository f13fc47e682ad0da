import asyncio
import threading
import time

import pytest

from tenfold.errors import DataError
from tenfold.serving.batching import Batcher, Expired, Overloaded


class Gate:
    """Work that waits until it is let go, and notes what it was given."""

    def __init__(self):
        self.batches = []
        self.open = threading.Event()

    def work(self, items, deliver):
        self.batches.append(list(items))
        assert self.open.wait(10)
        for place, item in enumerate(items):
            deliver(place, item * 2)


def run(coroutine):
    return asyncio.run(asyncio.wait_for(coroutine, 20))


def test_an_idle_batcher_works_at_once():
    gate = Gate()
    gate.open.set()

    async def scene():
        batcher = Batcher(gate.work, most=8, budget_s=60)
        result, waited_s = await batcher.ask(21)
        return result, waited_s

    result, waited_s = run(scene())
    assert result == 42
    assert waited_s < 1
    assert gate.batches == [[21]]


def test_what_comes_while_others_compute_goes_together():
    gate = Gate()

    async def scene():
        batcher = Batcher(gate.work, most=8, depth=1, budget_s=60)
        first = asyncio.create_task(batcher.ask(0))
        await asyncio.sleep(0.05)
        others = [asyncio.create_task(batcher.ask(n)) for n in range(1, 6)]
        await asyncio.sleep(0.05)
        assert gate.batches == [[0]]
        gate.open.set()
        return [result for result, _ in await asyncio.gather(first, *others)]

    assert run(scene()) == [0, 2, 4, 6, 8, 10]
    assert gate.batches == [[0], [1, 2, 3, 4, 5]]


def test_with_room_for_another_batch_nobody_waits_longer_than_the_budget():
    gate = Gate()

    async def scene():
        batcher = Batcher(gate.work, most=8, depth=2, budget_s=0.05)
        tasks = [asyncio.create_task(batcher.ask(n)) for n in range(3)]
        await asyncio.sleep(0.01)
        assert gate.batches == [[0]]
        await asyncio.sleep(0.2)
        assert gate.batches == [[0], [1, 2]]
        gate.open.set()
        await asyncio.gather(*tasks)

    run(scene())


def test_an_expired_request_is_told_so_and_never_computed():
    gate = Gate()

    async def scene():
        batcher = Batcher(gate.work, most=8, depth=1)
        first = asyncio.create_task(batcher.ask(0))
        await asyncio.sleep(0.02)
        late = asyncio.create_task(batcher.ask(1, deadline=time.monotonic() + 0.05))
        fine = asyncio.create_task(batcher.ask(2, deadline=time.monotonic() + 60))
        await asyncio.sleep(0.1)
        gate.open.set()
        with pytest.raises(Expired, match="not computed"):
            await late
        assert (await fine)[0] == 4
        await first

    run(scene())
    assert gate.batches == [[0], [2]]


def test_a_full_queue_says_so_at_once():
    gate = Gate()

    async def scene():
        batcher = Batcher(gate.work, most=1, depth=1, queue=2)
        tasks = [asyncio.create_task(batcher.ask(n)) for n in range(3)]
        await asyncio.sleep(0.02)
        with pytest.raises(Overloaded, match="2 pictures"):
            await batcher.ask(3)
        gate.open.set()
        await asyncio.gather(*tasks)

    run(scene())


def test_what_fails_fails_for_its_batch_alone():
    def work(items, deliver):
        if "bad" in items:
            raise DataError("no good.")
        for place, item in enumerate(items):
            deliver(place, item)

    async def scene():
        batcher = Batcher(work, most=1, depth=1)
        with pytest.raises(DataError, match="no good"):
            await batcher.ask("bad")
        assert (await batcher.ask("good"))[0] == "good"

    run(scene())


def test_answers_come_as_they_are_ready():
    go_on = threading.Event()

    def work(items, deliver):
        deliver(0, "first")
        assert go_on.wait(10)
        for place in range(1, len(items)):
            deliver(place, "later")

    async def scene():
        gate = Gate()
        batcher = Batcher(work, most=4, depth=1)
        gate.open.set()
        blocker = asyncio.create_task(batcher.ask(0))
        assert (await blocker)[0] == "first"
        go_on.set()

    run(scene())

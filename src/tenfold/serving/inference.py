"""What one serving process does with pictures: route, decode, trunk, heads, record, answer."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Coroutine, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, TypeVar

import numpy as np
from jaxtyping import Float32, UInt8

from tenfold.catalog import deployments
from tenfold.catalog.deployments import Deployment
from tenfold.errors import TenfoldError
from tenfold.formats.pixels import as_bmp, decode
from tenfold.predictions import Answered, Projection, frame, pictures
from tenfold.predictions.log import Log
from tenfold.runtime import UNFIT, Answer, LoadedHead
from tenfold.runtime.panel import Ask, Panels, Told, ask, passes
from tenfold.runtime.shelf import Shelf
from tenfold.serving import metrics
from tenfold.serving.batching import Batcher, Expired, Overloaded
from tenfold.serving.protocol import Picture
from tenfold.serving.routing import Chosen, Routes, answering, shadow_of
from tenfold.trunks.graph import VITALS
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

DEPTH = 2
"""Batches at once: while one is put into words, another computes."""
MOST_BEHIND = 16
"""Pictures that wait for a shadow with a trunk of its own, or to be kept; more are passed over."""
_Result = TypeVar("_Result")
TRIES = 3
"""Heads of a kind that are tried before it counts as not ready."""


@dataclass(frozen=True, slots=True, eq=False)
class Asked:
    """What somebody wants to know about some pictures."""

    id: str
    names: tuple[str, ...]
    """Deployments; several are a panel."""
    routes: Routes
    """The one generation that all of it is answered in."""
    route_key: str = ""
    """Empty: the first sample."""
    version: str = ""
    """Empty: as routed."""
    deadline: float = float("inf")
    """By `time.monotonic`."""


@dataclass(frozen=True, slots=True, eq=False)
class Reply:
    """What one deployment says of one picture."""

    deployment: str
    role: str
    head: LoadedHead
    answer: Answer

    @property
    def verdict(self) -> str:
        """Of a question with a good and a bad side."""
        manifest = self.head.manifest
        if self.answer.decision == UNFIT:
            return UNFIT
        if manifest.multi_label or len(manifest.classes) != 2 or not manifest.thresholds:
            return "none"
        return "ok" if self.answer.decision == manifest.classes[0] else "not ok"


@dataclass(frozen=True, slots=True)
class Times:
    """Seconds of one picture."""

    decode: float
    queue: float
    """Waiting for a thread to decode, and for the trunk."""
    trunk: float
    head: float


@dataclass(frozen=True, slots=True, eq=False)
class Replies:
    """Of one picture."""

    all: tuple[Reply, ...]
    """In the order of the names."""
    times: Times


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A decoded picture with the heads that look at it."""

    sample: str
    route: str
    picture: Picture
    chosen: tuple[tuple[str, Chosen], ...]
    """By deployment; those that answer first, then shadows."""
    later: tuple[tuple[str, Chosen], ...]
    """Shadows that need a trunk of their own."""
    one: Ask
    wait_s: float
    """For a thread that decodes."""
    decode_s: float


class Inference:
    """One process's trunks, heads, queue and log. Call from one event loop."""

    def __init__(
        self, workspace: Workspace, shelf: Shelf, log_to: Log, *, queue: int, budget_s: float
    ) -> None:
        self.routes = Routes()
        self.is_ready = False
        self._workspace = workspace
        self._shelf = shelf
        self._log = log_to
        self._lost = 0
        self._inside = 0
        self._most = queue + DEPTH * 4 * shelf.runtime.streams
        """Pictures that are decoded, wait or are computed."""
        self._projection = Projection()
        cores = workspace.settings.cores
        self._threads = ThreadPoolExecutor(max(2, cores), thread_name_prefix="decode")
        self._keeper = ThreadPoolExecutor(1, thread_name_prefix="keep")
        self._to_keep = 0
        self._panels = Panels(shelf.runtime, threads=DEPTH)
        self._batcher: Batcher[Ask, Told] = Batcher(
            self._panels.answer,
            most=4 * shelf.runtime.streams,
            depth=DEPTH,
            budget_s=budget_s,
            queue=self._most,
        )
        self._batcher.sizes = metrics.BATCH.observe
        self._limit = int(workspace.settings.max_megapixels * 1e6)
        self._behind: set[asyncio.Task[None]] = set()

    def refresh(self) -> None:
        """Take in what was deployed since; requests under way go on with what they began with."""
        before = self.routes
        changed, heads = deployments.news(self._workspace.scope, after=before.generation)
        if changed:
            self.routes = before.updated(changed, heads)
            self._shelf.let_go({head.pack for head in self.routes.heads.values()})

    def measure(self) -> None:
        """Set the gauges to what is so now."""
        metrics.GENERATION.set(self.routes.generation)
        metrics.DEPLOYMENTS.set(len(self.routes.deployments))
        metrics.HEADS.set(len(self._shelf.heads))
        metrics.HEAD_BYTES.set(self._shelf.heads.bytes)
        metrics.WAITING.set(len(self._batcher))
        lost = self._log.lost
        metrics.LOST.inc(lost - self._lost)
        self._lost = lost

    def warm(self) -> None:
        """Make ready: of each kind and rung one head is proven, and with it the trunk it reads.
        Where there are heads and none of them can be used, this stays not ready."""
        groups: dict[tuple[str, str], list[deployments.HeadRef]] = {}
        for head in self.routes.heads.values():
            group = groups.setdefault((head.kind, head.rung), [])
            if len(group) < TRIES:
                group.append(head)
        usable = [any(map(self._is_usable, group)) for group in groups.values()]
        self.is_ready = any(usable) or not usable

    def rehearse(self, some: Sequence[tuple[Sequence[str], UInt8[np.ndarray, "h w c"]]]) -> None:
        """Have deployments look at pictures before anybody asks, so that the first answer is as
        quick as the others; nothing is recorded. What fails is left to those who ask."""
        asks: list[Ask] = []
        for names, pixels in some:
            try:
                asks.append(ask([self.head(name)[1] for name in names], pixels))
            except TenfoldError as error:
                log.warning("not rehearsed: %s", error)
        self._panels.answer(asks, lambda _place, _told: None)

    def _is_usable(self, head: deployments.HeadRef) -> bool:
        try:
            self._shelf.head(head)
        except TenfoldError as error:
            log.error("%s", error)
            return False
        return True

    def head(self, name: str, version: str = "") -> tuple[Deployment, LoadedHead]:
        """A deployment and the head that answers for it.

        Raises:
            NotFound: there is no such deployment or version.
            IntegrityError: the head cannot be used.
        """
        routes = self.routes
        deployment = routes.deployment(name)
        chosen = answering(routes, deployment, "", version or deployment.live)
        return deployment, self._shelf.head(chosen.head)

    def let_go(self, name: str) -> None:
        """Let a deployment's heads leave memory.

        Raises:
            NotFound: there is no such deployment.
        """
        for model in self.routes.deployment(name).models:
            self._shelf.heads.drop(model)

    async def answer(self, asked: Asked, some: Sequence[Picture]) -> list[Replies]:
        """What every deployment that is asked says of each picture. No answer is recorded unless
        all pictures are answered; that a head failed is.

        Raises:
            NotFound: one is not deployed.
            DataError: a picture cannot be read.
            Overloaded, Expired: see `Batcher.ask`.
            IntegrityError: a head cannot be used.
            Unavailable: the log is durable and cannot be written.
        """
        if self._inside and self._inside + len(some) > self._most:
            raise Overloaded(
                f"{self._inside} pictures are being looked at already.",
                hint="Try again later, or serve with more workers.",
            )
        self._inside += len(some)
        try:
            return await self._answered(asked, some)
        finally:
            self._inside -= len(some)

    async def _answered(self, asked: Asked, some: Sequence[Picture]) -> list[Replies]:
        loop, arrived = asyncio.get_running_loop(), time.time()
        route = asked.route_key
        if not route and len(some) > 1:  # all pictures of a request meet the same heads
            route = await loop.run_in_executor(self._threads, _digest, some[0])
        cases = await _all(
            [
                loop.run_in_executor(
                    self._threads, self._case, asked, one, route, time.perf_counter()
                )
                for one in some
            ]
        )
        told = await _all([self._batcher.ask(c.one, deadline=asked.deadline) for c in cases])
        frames = [
            one
            for case, (what, queue_s) in zip(cases, told, strict=True)
            for one in self._frames(asked, case, (arrived, _times(case, what, queue_s)), what)
        ]
        try:
            replies = [
                _replies(case, what, queue_s)
                for case, (what, queue_s) in zip(cases, told, strict=True)
            ]
        except Exception:
            await self._record([one for one in frames if one[0].label is None])
            raise
        await self._record(frames)
        for case, reply in zip(cases, replies, strict=True):
            _observe(reply.times)
            self._afterwards(asked, case)
        return replies

    async def close(self) -> None:
        """Finish what is under way and write the log."""
        for task in self._behind:
            task.cancel()
        await asyncio.to_thread(self._batcher.close)
        await asyncio.to_thread(self._keeper.shutdown)
        await asyncio.to_thread(self._log.close)

    def _case(self, asked: Asked, picture: Picture, route: str, since: float) -> _Case:
        """The picture as heads read it; a shadow that needs another trunk is asked later. It waited
        for this thread `since` then."""
        if time.monotonic() >= asked.deadline:
            raise Expired("the deadline passed before the picture was looked at.")
        began, sample = time.perf_counter(), _digest(picture)
        routes, route = asked.routes, route or sample
        found = [routes.deployment(name) for name in asked.names]
        chosen = [(one.name, answering(routes, one, route, asked.version)) for one in found]
        heads = [self._head(asked, (name, choice), sample, route) for name, choice in chosen]
        later: list[tuple[str, Chosen]] = []
        for one in found if not asked.version else ():
            shadow = shadow_of(routes, one)
            head = self._shadow(shadow) if shadow else None
            if shadow is None or head is None:
                continue
            if len(set(passes([*heads, head]).values())) > len(set(passes(heads).values())):
                later.append((one.name, shadow))
            else:
                chosen.append((one.name, shadow))
                heads.append(head)
        asks = ask(heads, self._pixels(asked, picture))
        decode_s = time.perf_counter() - began
        return _Case(
            sample, route, picture, tuple(chosen), tuple(later), asks, began - since, decode_s
        )

    def _head(
        self, asked: Asked, chosen: tuple[str, Chosen], sample: str, route: str
    ) -> LoadedHead:
        """The head that is asked; that it cannot be is recorded."""
        try:
            return self._shelf.head(chosen[1].head)
        except TenfoldError as error:
            about, when = (sample, route), (time.time(), 0.0)
            self._log.append(frame(_answered(asked, chosen, about, when, error)))
            raise

    def _shadow(self, choice: Chosen) -> LoadedHead | None:
        try:
            return self._shelf.head(choice.head)
        except TenfoldError as error:  # nobody gets its answer, so nobody shall miss another
            log.error("a shadow cannot be asked: %s", error)
            return None

    def _pixels(self, asked: Asked, picture: Picture) -> UInt8[np.ndarray, "h w c"]:
        if isinstance(picture, bytes):
            return decode(picture, where=asked.id or "picture", max_pixels=self._limit)
        return picture

    def _frames(
        self, asked: Asked, case: _Case, times: tuple[float, Times], told: Told
    ) -> list[tuple[Answered, bytes]]:
        """A record for each head that was asked."""
        arrived, spent = times
        busy_s = (spent.decode + spent.trunk + spent.head) / len(case.chosen)
        seen: dict[int, bytes] = {}
        frames: list[tuple[Answered, bytes]] = []
        for place, chosen in enumerate(case.chosen):
            answer, pooled = told.answers[place], told.pooled[place]
            if id(pooled) not in seen:
                seen[id(pooled)] = self._projection.projected(pooled).tobytes()
            about = (case.sample, case.route)
            record = _answered(asked, chosen, about, (arrived, busy_s), answer)
            record = _with_looks(record, told.vitals[place])
            frames.append((record, frame(record, seen[id(pooled)])))
        return frames

    async def _record(self, frames: Sequence[tuple[Answered, bytes]]) -> None:
        """All records of a request, or none."""
        written = self._log.append(b"".join(data for _, data in frames), answers=len(frames))
        if written is not None:
            await asyncio.shield(asyncio.wrap_future(written))
        for one, _ in frames:
            metrics.ANSWERS.labels(one.role).inc(one.label is not None)

    def _afterwards(self, asked: Asked, case: _Case) -> None:
        """What nobody waits for; where too much of it waits, it is passed over and counted."""
        if case.later:
            if len(self._behind) < MOST_BEHIND:
                task = asyncio.create_task(self._ask_behind(asked, case))
                self._behind.add(task)
                task.add_done_callback(self._behind.discard)
            else:
                metrics.PASSED_OVER.labels("shadow").inc()
        days = max(asked.routes.deployment(name).keep_days for name in asked.names)
        if days and self._to_keep < MOST_BEHIND:
            self._to_keep += 1
            keeping = self._keeper.submit(self._keep, case, days)
            loop = asyncio.get_running_loop()
            keeping.add_done_callback(lambda _: loop.call_soon_threadsafe(self._is_kept))
        elif days:
            metrics.PASSED_OVER.labels("picture").inc()

    def _is_kept(self) -> None:
        self._to_keep -= 1

    def _keep(self, case: _Case, days: int) -> None:
        today = datetime.now(UTC).date()
        data = case.picture if isinstance(case.picture, bytes) else as_bmp(case.picture)
        try:
            pictures.keep(self._log.folder, case.sample, data, today=today, days=days)
        except (TenfoldError, OSError) as error:
            log.error("a picture is not kept: %s", error)

    async def _ask_behind(self, asked: Asked, case: _Case) -> None:
        def prepared() -> Ask:
            heads = [self._shelf.head(choice.head) for _, choice in case.later]
            return ask(heads, self._pixels(asked, case.picture))

        try:
            arrived, began = time.time(), time.perf_counter()
            one = await asyncio.get_running_loop().run_in_executor(self._threads, prepared)
            decode_s = time.perf_counter() - began
            told, queue_s = await self._batcher.ask(one)
            times = Times(decode_s, queue_s, told.trunk_s, told.head_s)
            alone = _Case(case.sample, case.route, case.picture, case.later, (), one, 0.0, decode_s)
            await self._record(self._frames(asked, alone, (arrived, times), told))
        except TenfoldError as error:
            log.error("a shadow was not asked: %s", error)


async def _all(
    waited_for: Sequence[asyncio.Future[_Result] | Coroutine[Any, Any, _Result]],
) -> list[_Result]:
    """All results; the first that fails is the failure of all, once nothing is under way."""
    if len(waited_for) == 1:
        return [await waited_for[0]]
    results = await asyncio.gather(*waited_for, return_exceptions=True)
    found: list[_Result] = []
    for result in results:
        if isinstance(result, BaseException):
            raise result
        found.append(result)
    return found


def _replies(case: _Case, told: Told, queue_s: float) -> Replies:
    """What is answered; the failure of a shadow is nobody's."""
    replies: list[Reply] = []
    for (name, choice), head, answer in zip(case.chosen, case.one.heads, told.answers, strict=True):
        if choice.role == "shadow":
            if isinstance(answer, Exception):
                log.error("the shadow of %s failed: %s", name, answer)
            continue
        if isinstance(answer, Exception):
            raise answer
        replies.append(Reply(name, choice.role, head, answer))
    return Replies(tuple(replies), _times(case, told, queue_s))


def _times(case: _Case, told: Told, queue_s: float) -> Times:
    return Times(case.decode_s, case.wait_s + queue_s, told.trunk_s, told.head_s)


def _answered(
    asked: Asked,
    chosen: tuple[str, Chosen],
    about: tuple[str, str],
    when: tuple[float, float],
    answer: Answer | Exception,
) -> Answered:
    """The record of an answer, or of a failure, about (sample, route), that arrived and kept busy
    so long."""
    (name, choice), (sample, route), (arrived, busy_s) = chosen, about, when
    failed = isinstance(answer, Exception)
    return Answered(
        id=asked.id,
        at=arrived,
        deployment=name,
        role=choice.role,
        model=choice.head.model,
        sample=sample,
        route=route,
        label=None if failed else answer.decision,
        score=0.0 if failed else round(answer.score, 7),
        latency_ms=round((time.time() - arrived) * 1e3, 3),
        busy_ms=round(busy_s * 1e3, 3),
        generation=asked.routes.generation,
    )


def _with_looks(record: Answered, vitals: Float32[np.ndarray, "5"]) -> Answered:
    seen = dict(zip(VITALS, vitals.astype(float).tolist(), strict=True))
    return replace(
        record,
        brightness=round(seen["mean"], 5),
        contrast=round(seen["std"], 5),
        sharpness=round(seen["sharpness"], 6),
    )


def _observe(times: Times) -> None:
    for stage in ("decode", "queue", "trunk", "head"):
        metrics.STAGE.labels(stage).observe(getattr(times, stage))


def _digest(picture: Picture) -> str:
    """What is asked about is known by the hash of its file; pixels by that of a file of them."""
    data = picture if isinstance(picture, bytes) else as_bmp(picture)
    return hashlib.sha256(data).hexdigest()

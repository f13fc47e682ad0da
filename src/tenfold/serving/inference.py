"""What one serving process does with a picture: route, decode, trunk, heads, record, answer."""

import asyncio
import hashlib
import logging
import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from datetime import UTC, datetime

import numpy as np
from jaxtyping import UInt8

from tenfold.catalog import deployments
from tenfold.catalog.deployments import Deployment
from tenfold.errors import TenfoldError
from tenfold.formats.pixels import as_png, decode
from tenfold.predictions import Answered, Projection, frame, pictures
from tenfold.predictions.log import Log
from tenfold.runtime import UNFIT, Answer, LoadedHead
from tenfold.runtime.panel import Ask, Panels, Told, ask
from tenfold.runtime.shelf import Shelf
from tenfold.serving import metrics
from tenfold.serving.batching import Batcher, Overloaded
from tenfold.serving.protocol import Picture
from tenfold.serving.routing import Chosen, Routes, answering, shadow_of
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

DEPTH = 2
"""Batches at once: while one is put into words, another computes."""


@dataclass(frozen=True, slots=True)
class Asked:
    """What somebody wants to know about one picture."""

    id: str
    names: tuple[str, ...]
    """Deployments; several are a panel."""
    route_key: str = ""
    """Empty: the sample."""
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
    trunk: float
    head: float


@dataclass(frozen=True, slots=True, eq=False)
class Replies:
    all: tuple[Reply, ...]
    """In the order of the names."""
    generation: int
    times: Times


@dataclass(frozen=True, slots=True, eq=False)
class _Case:
    """A picture on its way."""

    asked: Asked
    sample: str
    route: str
    generation: int
    arrived: float
    chosen: tuple[tuple[str, Chosen], ...]
    """By deployment; those that answer first, then shadows."""
    keep_days: int
    """How long its picture is kept."""


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
        self._answers = log_to.folder
        self._lost = 0
        self._inside = 0
        self._most = queue + DEPTH * 4 * shelf.runtime.streams
        """Pictures that are decoded, wait or are computed."""
        self._projection = Projection()
        cores = workspace.settings.cores
        self._threads = ThreadPoolExecutor(max(2, cores), thread_name_prefix="decode")
        panels = Panels(shelf.runtime, threads=DEPTH)
        self._batcher: Batcher[Ask, Told] = Batcher(
            panels.answer,
            most=4 * shelf.runtime.streams,
            depth=DEPTH,
            budget_s=budget_s,
            queue=queue,
        )
        self._batcher.sizes = metrics.BATCH.observe
        self._limit = int(workspace.settings.max_megapixels * 1e6)
        self._behind: set[asyncio.Task[None]] = set()

    def refresh(self) -> None:
        """Take in what was deployed since; requests under way go on with what they began with."""
        scope, before = self._workspace.scope, self.routes
        if deployments.newest(scope) > before.generation:
            changed = deployments.changed(scope, after=before.generation)
            heads = deployments.heads(scope, after=before.generation)
            self.routes = before.updated(changed, heads)
        metrics.GENERATION.set(self.routes.generation)
        metrics.DEPLOYMENTS.set(len(self.routes.deployments))
        metrics.HEADS.set(len(self._shelf.heads))
        metrics.HEAD_BYTES.set(self._shelf.heads.bytes)
        metrics.WAITING.set(len(self._batcher))
        metrics.LOST.inc(self._log.lost - self._lost)
        self._lost = self._log.lost

    def warm(self) -> None:
        """Make ready: a head of each kind is proven, and with it the trunk that it reads."""
        self.refresh()
        firsts = {head.kind: head for head in reversed(list(self.routes.heads.values()))}
        for head in firsts.values():
            try:
                self._shelf.head(head)
            except TenfoldError as error:
                log.error("%s", error)
        self.is_ready = True

    def head(self, name: str, version: str = "") -> tuple[Deployment, LoadedHead]:
        """A deployment and the head that answers for it.

        Raises:
            NotFound: there is no such deployment or version.
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

    async def answer(self, asked: Asked, picture: Picture) -> Replies:
        """What every deployment that is asked says of the picture.

        Raises:
            NotFound: one is not deployed.
            DataError: the picture cannot be read.
            Overloaded, Expired: see `Batcher.ask`.
            Unavailable: the log is durable and cannot be written.
        """
        if self._inside >= self._most:
            raise Overloaded(
                f"{self._inside} pictures are being looked at already.",
                hint="Try again later, or serve with more workers.",
            )
        self._inside += 1
        try:
            return await self._answered(asked, picture)
        finally:
            self._inside -= 1

    async def _answered(self, asked: Asked, picture: Picture) -> Replies:
        loop = asyncio.get_running_loop()
        case = self._case(asked, picture)
        began = time.perf_counter()
        one, chosen = await loop.run_in_executor(self._threads, self._prepared, case, picture)
        decode_s = time.perf_counter() - began
        told, queue_s = await self._batcher.ask(one, deadline=asked.deadline)
        times = Times(decode_s, queue_s, told.trunk_s, told.head_s)
        await self._record(case, chosen, told, times)
        self._observe(times)
        replies = tuple(
            Reply(name, choice.role, head, answer)
            for (name, choice), head, answer in zip(chosen, one.heads, told.answers, strict=True)
            if choice.role != "shadow"
        )
        self._ask_behind(case, chosen, picture)
        if case.keep_days:
            self._threads.submit(self._keep, case, picture)
        return Replies(replies, case.generation, times)

    async def close(self) -> None:
        """Finish what is under way and write the log."""
        if self._behind:
            await asyncio.wait(self._behind, timeout=10)
        await asyncio.to_thread(self._batcher.close)
        await asyncio.to_thread(self._log.close)

    def _case(self, asked: Asked, picture: Picture) -> _Case:
        routes = self.routes  # one generation, from here to the answer
        sample = _digest(picture)
        route = asked.route_key or sample
        found = [routes.deployment(name) for name in asked.names]
        chosen = [(one.name, answering(routes, one, route, asked.version)) for one in found]
        shadows = [(one.name, shadow_of(routes, one)) for one in found if not asked.version]
        chosen += [(name, one) for name, one in shadows if one is not None]
        days = max(one.keep_days for one in found)
        return _Case(asked, sample, route, routes.generation, time.time(), tuple(chosen), days)

    def _prepared(
        self, case: _Case, picture: Picture
    ) -> tuple[Ask, tuple[tuple[str, Chosen], ...]]:
        """The picture as heads read it; a shadow that needs another trunk is asked later."""
        pixels = self._pixels(case, picture)
        chosen = [one for one in case.chosen if one[1].role != "shadow"]
        heads = [self._shelf.head(choice.head) for _, choice in chosen]
        main = ask(heads, pixels)
        for name, choice in case.chosen[len(chosen) :]:
            shadow = self._shadow(choice)
            if shadow and ask([shadow], pixels[:1, :1]).canvases.keys() <= main.canvases.keys():
                chosen.append((name, choice))
                heads.append(shadow)
        whole = main if len(heads) == len(main.heads) else ask(heads, pixels)
        return whole, tuple(chosen)

    def _shadow(self, choice: Chosen) -> LoadedHead | None:
        try:
            return self._shelf.head(choice.head)
        except TenfoldError as error:  # nobody gets its answer, so nobody shall miss another
            log.error("a shadow cannot be asked: %s", error)
            return None

    def _pixels(self, case: _Case, picture: Picture) -> UInt8[np.ndarray, "h w c"]:
        if isinstance(picture, bytes):
            return decode(picture, where=case.asked.id or "picture", max_pixels=self._limit)
        return picture

    def _keep(self, case: _Case, picture: Picture) -> None:
        today = datetime.now(UTC).date()
        data = picture if isinstance(picture, bytes) else as_png(picture)
        try:
            pictures.keep(self._answers, case.sample, data, today=today, days=case.keep_days)
        except TenfoldError as error:
            log.error("a picture is not kept: %s", error)

    def _ask_behind(
        self, case: _Case, done: Sequence[tuple[str, Chosen]], picture: Picture
    ) -> None:
        """Shadows that need a trunk of their own, after the answer is given."""
        later = tuple(one for one in case.chosen if one not in done)
        if later:
            task = asyncio.create_task(self._shadowed(case, later, picture))
            self._behind.add(task)
            task.add_done_callback(self._behind.discard)

    async def _shadowed(
        self, case: _Case, later: tuple[tuple[str, Chosen], ...], picture: Picture
    ) -> None:
        def prepared() -> Ask:
            heads = [self._shelf.head(choice.head) for _, choice in later]
            return ask(heads, self._pixels(case, picture))

        try:
            one = await asyncio.get_running_loop().run_in_executor(self._threads, prepared)
            told, queue_s = await self._batcher.ask(one)
            await self._record(case, later, told, Times(0.0, queue_s, told.trunk_s, told.head_s))
        except TenfoldError as error:
            log.error("a shadow was not asked: %s", error)

    async def _record(
        self, case: _Case, chosen: Sequence[tuple[str, Chosen]], told: Told, times: Times
    ) -> None:
        latency_ms = (time.time() - case.arrived) * 1e3
        busy_ms = (times.decode + times.trunk + times.head) * 1e3 / len(chosen)
        projection = self._projection.projected(told.pooled).tobytes()
        frames: list[bytes] = []
        for (name, choice), answer in zip(chosen, told.answers, strict=True):
            record = Answered(
                id=case.asked.id,
                at=case.arrived,
                deployment=name,
                role=choice.role,
                model=choice.head.model,
                sample=case.sample,
                route=case.route,
                label=answer.decision,
                score=round(answer.score, 7),
                latency_ms=round(latency_ms, 3),
                busy_ms=round(busy_ms, 3),
                generation=case.generation,
            )
            frames.append(frame(record, projection))
            metrics.ANSWERS.labels(choice.role).inc()
        written = self._log.append(b"".join(frames))
        if written is not None:
            await asyncio.wrap_future(written)

    def _observe(self, times: Times) -> None:
        for stage in ("decode", "queue", "trunk", "head"):
            metrics.STAGE.labels(stage).observe(getattr(times, stage))


def _digest(picture: Picture) -> str:
    if isinstance(picture, bytes):
        return hashlib.sha256(picture).hexdigest()
    head = f"{picture.shape}".encode()
    return hashlib.sha256(head + np.ascontiguousarray(picture).tobytes()).hexdigest()

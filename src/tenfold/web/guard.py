"""Who may ask, how often, and how much may be sent."""

import asyncio
import time
from collections.abc import AsyncGenerator, Iterable, Mapping
from contextlib import asynccontextmanager
from types import MappingProxyType

from starlette.exceptions import HTTPException
from starlette.requests import Request
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from tenfold.catalog.keys import Key, digest_of
from tenfold.serving.batching import Overloaded
from tenfold.web.errors import TooLarge, TooOften, TooSlow, WhoAreYou

MINUTE_S = 60.0
BODIES = 16
"""So many of the largest may be in memory at once."""


class Guard:
    """Keys of one process. While there is none, everybody on this machine may ask, and nobody else:
    `is_local` says that the server can be reached from this machine alone."""

    def __init__(self, *, is_local: bool) -> None:
        self._is_local = is_local
        self._keys: Mapping[str, Key] = MappingProxyType({})
        self._left: dict[str, tuple[float, float]] = {}
        """Requests a key has left, and when that was counted."""

    def learn(self, keys: Iterable[Key]) -> None:
        self._keys = MappingProxyType({key.digest: key for key in keys})

    def admit(self, request: Request) -> None:
        """Let the request pass.

        Raises:
            WhoAreYou: it has no key, or one that is not in force.
            TooOften: its key may ask no more for now.
        """
        if not self._keys and self._is_local:
            return
        scheme, _, secret = request.headers.get("authorization", "").partition(" ")
        if scheme.lower() != "bearer":
            secret = request.headers.get("x-api-key", "")
        key = self._keys.get(digest_of(secret.strip()))
        if key is None:
            raise WhoAreYou(
                "no key, or one that is not in force.",
                hint="Send `Authorization: Bearer KEY`; `tenfold key create NAME` makes one.",
            )
        self._count(key)

    def _count(self, key: Key) -> None:
        """A bucket that fills evenly over a minute."""
        if not key.per_minute:
            return
        now = time.monotonic()
        left, since = self._left.get(key.digest, (float(key.per_minute), now))
        left = min(float(key.per_minute), left + (now - since) * key.per_minute / MINUTE_S)
        if left < 1:
            raise TooOften(
                f"key {key.name!r} may ask {key.per_minute} times a minute.", hint="Wait a while."
            )
        self._left[key.digest] = (left - 1, now)


class Bounded:
    """Bodies that the framework reads whole, before anybody knows who sends them: each is bounded.
    Paths that begin like one of `streamed` read theirs piece by piece, with bounds of their own.
    """

    def __init__(self, app: ASGIApp, *, limit_bytes: int, streamed: tuple[str, ...]) -> None:
        self._app, self._limit_bytes, self._streamed = app, limit_bytes, streamed

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        if scope["type"] != "http" or scope["path"].startswith(self._streamed):
            await self._app(scope, receive, send)
            return
        size = 0

        async def counted() -> Message:
            nonlocal size
            message = await receive()
            size += len(message.get("body", b""))
            if size > self._limit_bytes:
                raise HTTPException(413, f"the body is larger than {self._limit_bytes:,} bytes.")
            return message

        await self._app(scope, counted, send)


class Intake:
    """Bodies of one process: each is bounded, and all that are in memory at once together."""

    def __init__(self, *, limit_bytes: int, timeout_s: float) -> None:
        self._limit_bytes = limit_bytes
        self._timeout_s = timeout_s
        self._inside_bytes = 0

    @asynccontextmanager
    async def body(self, request: Request) -> AsyncGenerator[bytes]:
        """The whole body; it counts until the block ends.

        Raises:
            TooLarge: it is, or says it is, larger than the limit, or packed.
            TooSlow: it took too long.
            Overloaded: too many bytes are in memory already.
        """
        self._check_head(request)
        parts: list[bytes] = []
        size = 0
        try:
            async with asyncio.timeout(self._timeout_s):
                async for part in request.stream():
                    size += len(part)
                    self._inside_bytes += len(part)
                    self._check(size)
                    parts.append(part)
        except TimeoutError as error:
            self._inside_bytes -= size
            raise TooSlow(f"the body did not come within {self._timeout_s:.0f} s.") from error
        except BaseException:
            self._inside_bytes -= size
            raise
        try:
            yield b"".join(parts)
        finally:
            self._inside_bytes -= size

    def _check_head(self, request: Request) -> None:
        said = request.headers.get("content-length", "0")
        if said.isdigit() and int(said) > self._limit_bytes:
            raise self._too_large()
        encoding = request.headers.get("content-encoding", "identity")
        if encoding != "identity":
            raise TooLarge(
                f"a body in {encoding[:20]!r} may grow beyond every limit.",
                hint="Send it without Content-Encoding; pictures are compressed already.",
            )

    def _check(self, size: int) -> None:
        if size > self._limit_bytes:
            raise self._too_large()
        if self._inside_bytes > BODIES * self._limit_bytes:
            raise Overloaded("too many requests are in memory.", hint="Try again later.")

    def _too_large(self) -> TooLarge:
        return TooLarge(
            f"the body is larger than {self._limit_bytes:,} bytes.",
            hint="Send fewer or smaller pictures, or serve with a larger --body-mb.",
        )

"""Who may ask, how often, and how much may be sent."""

import asyncio
import time
from collections.abc import Iterable, Mapping
from types import MappingProxyType

from starlette.requests import Request

from tenfold.catalog.keys import Key, digest_of
from tenfold.web.errors import TooLarge, TooOften, TooSlow, WhoAreYou

MINUTE_S = 60.0


class Guard:
    """Keys of one process. While there is none, everybody on this machine may ask."""

    def __init__(self) -> None:
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
        if not self._keys:
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


async def body_of(request: Request, *, limit_bytes: int, timeout_s: float) -> bytes:
    """The whole body.

    Raises:
        TooLarge: it is, or says it is, larger than `limit_bytes`.
        TooSlow: it took longer than `timeout_s`.
    """
    said = request.headers.get("content-length", "0")
    if said.isdigit() and int(said) > limit_bytes:
        raise _too_large(limit_bytes)
    encoding = request.headers.get("content-encoding", "identity")
    if encoding != "identity":
        raise TooLarge(
            f"a body in {encoding[:20]!r} may grow beyond every limit.",
            hint="Send it without Content-Encoding; pictures are compressed already.",
        )
    parts: list[bytes] = []
    size = 0
    try:
        async with asyncio.timeout(timeout_s):
            async for part in request.stream():
                size += len(part)
                if size > limit_bytes:
                    raise _too_large(limit_bytes)
                parts.append(part)
    except TimeoutError as error:
        raise TooSlow(f"the body did not come within {timeout_s:.0f} s.") from error
    return b"".join(parts)


def _too_large(limit_bytes: int) -> TooLarge:
    return TooLarge(
        f"the body is larger than {limit_bytes:,} bytes.",
        hint="Send fewer or smaller pictures, or serve with a larger --body-mb.",
    )

"""HTTP/1.1 as uvicorn speaks it, with a limit on how long the head of a request may take."""

import asyncio
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from socket import socket
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.h11_impl import H11Protocol

GRACE_S = 1.0
"""Between saying that it is not ready and taking no more connections."""
HEAD_S = 10.0
"""From the first byte of a request's head to its last."""


class GuardedProtocol(H11Protocol):
    """h11 bounds how large a head may be; this bounds how slowly it may come."""

    _guard: asyncio.TimerHandle | None = None

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        super().data_received(data)
        self._watch()

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._calm()  # between requests uvicorn's own limit on idle connections holds

    def _watch(self) -> None:
        cycle: Any = self.cycle
        if cycle is not None and not cycle.response_complete:
            self._calm()
        elif self._guard is None:
            self._guard = self.loop.call_later(HEAD_S, self.transport.close)

    def _calm(self) -> None:
        if self._guard is not None:
            self._guard.cancel()
            self._guard = None


class TellingServer(uvicorn.Server):
    """Says through a pipe when it answers, and to those who watch that it will stop, before it
    does."""

    def __init__(
        self, config: uvicorn.Config, told: Connection, *, draining: Callable[[], None]
    ) -> None:
        super().__init__(config)
        self._told, self._draining = told, draining

    def handle_exit(self, sig: int, frame: FrameType | None) -> None:
        self._draining()
        later = threading.Timer(GRACE_S, super().handle_exit, (sig, frame))
        later.daemon = True
        later.start()

    async def startup(self, sockets: list[socket] | None = None) -> None:
        await super().startup(sockets)
        if not self.should_exit:
            self._told.send(None)

"""HTTP/1.1 as uvicorn speaks it, with a limit on how long the head of a request may take."""

import asyncio
import threading
from collections.abc import Callable
from multiprocessing.connection import Connection
from socket import socket
from types import FrameType
from typing import Any

import uvicorn
from uvicorn.protocols.http.httptools_impl import HttpToolsProtocol

GRACE_S = 1.0
"""Between saying that it is not ready and taking no more connections."""
MOST_HEAD_BYTES = 65_536
HEAD_S = 10.0
"""From the first byte of a request's head to its last."""


class GuardedProtocol(HttpToolsProtocol):
    """The parser of httptools, with bounds on how large the head of a request may be and how slowly
    it may come."""

    _guard: asyncio.TimerHandle | None = None
    _head_bytes = 0
    """Of a head that is not complete yet."""
    _header_bytes = 0

    def connection_made(self, transport: asyncio.Transport) -> None:  # pyright: ignore[reportIncompatibleMethodOverride]
        super().connection_made(transport)
        self._watch()

    def data_received(self, data: bytes) -> None:
        if not self._is_answering():
            self._head_bytes += len(data)
        super().data_received(data)
        if self._head_bytes > MOST_HEAD_BYTES and not self._is_answering():
            self.send_400_response("The head of the request is too large.")
        self._watch()

    def on_message_begin(self) -> None:
        super().on_message_begin()
        self._header_bytes = 0

    def on_header(self, name: bytes, value: bytes) -> None:
        self._header_bytes += len(name) + len(value)
        if self._header_bytes > MOST_HEAD_BYTES:
            raise ValueError("the head of the request is too large")  # the parser answers 400
        super().on_header(name, value)

    def on_headers_complete(self) -> None:
        super().on_headers_complete()
        self._head_bytes = 0

    def connection_lost(self, exc: Exception | None) -> None:
        self._calm()
        super().connection_lost(exc)

    def on_response_complete(self) -> None:
        super().on_response_complete()
        self._calm()  # between requests uvicorn's own limit on idle connections holds

    def _is_answering(self) -> bool:
        cycle: Any = self.cycle
        return cycle is not None and not cycle.response_complete

    def _watch(self) -> None:
        if self._is_answering():
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

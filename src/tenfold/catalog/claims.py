"""The right to work on something, among all processes and machines that share a catalog.

No leases and no clocks: whoever holds a claim holds it until it lets go or dies, kill -9 included.
A claim saves double work. What must not happen twice is held by the catalog's transactions.
"""

import errno
import fcntl
import hashlib
import os
import struct
import weakref
from collections.abc import Callable, Generator
from contextlib import contextmanager, suppress
from pathlib import Path
from threading import Lock
from typing import Protocol

from sqlalchemy import Connection, Engine, text
from sqlalchemy.exc import DBAPIError

from tenfold.atomic import in_words
from tenfold.catalog.faults import telling

FLOCK = "hhqqi4x"
"""struct flock of 64-bit Linux: type, whence, start, length, pid."""
STAY = """
SET idle_session_timeout = 0; SET tcp_keepalives_idle = 10;
SET tcp_keepalives_interval = 5; SET tcp_keepalives_count = 3"""
"""So that PostgreSQL lets go of what a machine held that lost its power."""


def lock_key(*words: str) -> int:
    """A number below 2⁶² for some words."""
    digest = hashlib.sha256("\0".join(words).encode()).digest()
    return int.from_bytes(digest[:8], "big") >> 2


class Claims(Protocol):
    def take(self, tenant: str, key: str) -> bool:
        """Whether the claim is ours from now on; False while anybody holds it, we included."""
        ...

    def holds(self, tenant: str, key: str) -> bool:
        """Whether the claim is still ours; asked of whoever keeps it."""
        ...

    def release(self, tenant: str, key: str) -> None:
        """Let go; what was not held is released already."""
        ...

    def close(self) -> None:
        """Let go of everything."""
        ...


class FileClaims:
    """Claims beside a SQLite catalog: locks on bytes of one file, kept by the kernel.

    They belong to our opened file, not to the process (`man fcntl`, open file description locks),
    so two catalogs opened in one process exclude each other, and closing one frees only its own.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._held: set[int] = set()
        self._lock = Lock()
        try:
            self._file = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        except OSError as error:
            told = in_words(error.errno, where=str(path))
            raise (told or error) from error
        _in_children(self._abandon)

    def take(self, tenant: str, key: str) -> bool:
        number = lock_key("claim", tenant, key)
        with self._lock:
            if number in self._held:
                return False
            try:
                self._set(fcntl.F_WRLCK, number)
            except OSError as error:
                if error.errno in (errno.EAGAIN, errno.EACCES):
                    return False
                raise
            self._held.add(number)
            return True

    def holds(self, tenant: str, key: str) -> bool:
        with self._lock:
            return lock_key("claim", tenant, key) in self._held

    def release(self, tenant: str, key: str) -> None:
        number = lock_key("claim", tenant, key)
        with self._lock:
            if number in self._held:
                self._held.remove(number)
                self._set(fcntl.F_UNLCK, number)

    def close(self) -> None:
        with self._lock:
            self._held.clear()
            self._abandon()

    @contextmanager
    def alone(self) -> Generator[None]:
        """Waits until no other process is in such a block."""
        number = lock_key("alone")
        self._set(fcntl.F_WRLCK, number, waits=True)
        try:
            yield
        finally:
            self._set(fcntl.F_UNLCK, number)

    def _abandon(self) -> None:
        if self._file >= 0:
            os.close(self._file)
        self._file = -1

    def _set(self, kind: int, number: int, *, waits: bool = False) -> None:
        flock = struct.pack(FLOCK, kind, os.SEEK_SET, number, 1, 0)
        fcntl.fcntl(self._file, fcntl.F_OFD_SETLKW if waits else fcntl.F_OFD_SETLK, flock)


class PostgresClaims:
    """Claims in PostgreSQL: advisory locks of one connection that does nothing else.

    A lost connection loses its claims; the next `take` connects again.
    """

    def __init__(self, engine: Engine, *, where: str) -> None:
        self._engine = engine.execution_options(isolation_level="AUTOCOMMIT")
        self._where = where
        self._connection: Connection | None = None
        self._held: set[int] = set()
        self._lock = Lock()
        _in_children(self._abandon)

    def take(self, tenant: str, key: str) -> bool:
        number = lock_key("claim", tenant, key)
        with self._lock:
            if number in self._held:
                return False
            with telling(self._where):
                got = self._ask("SELECT pg_try_advisory_lock(:number)", number)
            if got:
                self._held.add(number)
            return got

    def holds(self, tenant: str, key: str) -> bool:
        number = lock_key("claim", tenant, key)
        with self._lock:
            if number in self._held and self._connection is not None:
                try:
                    self._connection.execute(text("SELECT 1"))
                except DBAPIError:
                    self._forget()
            return number in self._held

    def release(self, tenant: str, key: str) -> None:
        number = lock_key("claim", tenant, key)
        with self._lock:
            if number not in self._held:
                return
            self._held.remove(number)
            if self._connection is not None:
                try:
                    self._call(self._connection, "SELECT pg_advisory_unlock(:number)", number)
                except DBAPIError:
                    self._forget()  # a connection that is lost holds nothing

    def close(self) -> None:
        with self._lock:
            self._forget()

    def _ask(self, sql: str, number: int) -> bool:
        if self._connection is not None:
            try:
                return self._call(self._connection, sql, number)
            except DBAPIError:
                self._forget()
        self._connection = self._engine.connect()
        self._connection.exec_driver_sql(STAY)
        return self._call(self._connection, sql, number)

    @staticmethod
    def _call(connection: Connection, sql: str, number: int) -> bool:
        return bool(connection.execute(text(sql), {"number": number}).scalar())

    def _abandon(self) -> None:
        if self._connection is not None:
            driver = self._connection.connection.driver_connection
            if driver is not None and not driver.closed:
                os.close(driver.fileno())

    def _forget(self) -> None:
        self._held.clear()
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(DBAPIError):
                connection.invalidate()
                connection.close()


def _in_children(close: Callable[[], None]) -> None:
    """A forked child shares what we opened; if it outlived us, it would hold on to our claims."""
    known = weakref.WeakMethod(close)

    def call() -> None:
        method = known()
        if method:
            method()

    os.register_at_fork(after_in_child=call)

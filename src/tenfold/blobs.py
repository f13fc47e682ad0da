"""Bytes by the SHA-256 of their content: pictures, snapshots, evidence, packs."""

import hashlib
from pathlib import Path

import obstore
from obstore.exceptions import BaseError
from obstore.store import LocalStore, MemoryStore, ObjectStore

from tenfold.atomic import make_durable, write_bytes
from tenfold.errors import IntegrityError, NotFound
from tenfold.stores import open_store, place_of, telling


class Blobs:
    """A content-addressed store; writing the same bytes twice changes nothing.

    Every method raises `Unavailable` while the store is away or its disk full, and `NotAllowed`
    when it may not be read or written.
    """

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def opened(cls, url: str, home: Path) -> "Blobs":
        """The blobs at s3://bucket/prefix, file:///folder or memory:///; empty: in the home.

        Raises:
            SpecError: the URL is none of these.
        """
        return cls(open_store(url, folder=home / "blobs"))

    @classmethod
    def in_folder(cls, folder: Path) -> "Blobs":
        return cls(open_store("", folder=folder))

    @classmethod
    def in_memory(cls) -> "Blobs":
        return cls(MemoryStore())

    @property
    def place(self) -> str:
        """Where they are kept, for people to read."""
        return place_of(self._store)

    def put(self, data: bytes, *, durable: bool = False) -> str:
        """Keep `data`; returns its digest. The write is atomic: all of it or nothing.

        A durable one survives a power cut from the moment this returns; S3 keeps that always.
        """
        digest = hashlib.sha256(data).hexdigest()
        path = self._path(digest) if durable else None
        there = self._size(digest) == len(data)
        if there and path:
            make_durable(path)
        elif path:
            write_bytes(path, data)
        elif not there:
            self._put(digest, data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of `digest`.

        Raises:
            NotFound: nothing was kept under it.
            IntegrityError: what is stored is no longer what was written.
        """
        try:
            with telling(self._store, _key(digest)):
                data = bytes(obstore.get(self._store, _key(digest)).bytes())
        except FileNotFoundError as error:
            raise self._gone(digest) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise self._damaged(digest, "does not match its digest")
        return data

    def get_range(self, digest: str, offset: int, length: int) -> bytes:
        """`length` bytes of a blob from `offset`; their content is not checked here.

        Raises:
            NotFound: nothing was kept under it.
            IntegrityError: what is stored is shorter.
        """
        if length == 0:
            return b""
        try:
            with telling(self._store, _key(digest)):
                data = self._some(digest, offset, length)
        except FileNotFoundError as error:
            raise self._gone(digest) from error
        if len(data) != length:
            raise self._damaged(digest, f"ends before byte {offset + length:,}")
        return data

    def local(self, digest: str) -> Path | None:
        """The file that holds a blob, to be mapped; None where they are kept elsewhere."""
        return self._path(digest)

    def has(self, digest: str) -> bool:
        return self._size(digest) is not None

    def delete(self, digest: str) -> None:
        """Drop a blob; one that is not there is dropped already."""
        try:
            with telling(self._store, _key(digest)):
                obstore.delete(self._store, _key(digest))
        except FileNotFoundError:
            return

    def _put(self, digest: str, data: bytes) -> None:
        with telling(self._store, _key(digest)):
            obstore.put(self._store, _key(digest), data)

    def _some(self, digest: str, offset: int, length: int) -> bytes:
        try:
            return bytes(obstore.get_range(self._store, _key(digest), start=offset, length=length))
        except BaseError as error:
            if "range" in str(error).splitlines()[0].lower():  # each store words it in its own way
                return b""
            raise

    def _size(self, digest: str) -> int | None:
        """None when it is not there. Another size than it should have: a power cut took a part."""
        try:
            with telling(self._store, _key(digest)):
                return obstore.head(self._store, _key(digest))["size"]
        except FileNotFoundError:
            return None

    def _path(self, digest: str) -> Path | None:
        if not isinstance(self._store, LocalStore):
            return None
        return Path(self._store.prefix or "/") / _key(digest)

    def _gone(self, digest: str) -> NotFound:
        return NotFound(
            f"no blob {digest[:12]}….",
            where=self.place,
            hint="Ingest the dataset it came from again.",
        )

    def _damaged(self, digest: str, how: str) -> IntegrityError:
        return IntegrityError(
            f"blob {digest[:12]}… {how}.",
            where=self.place,
            hint="Restore it from a backup, or forget and ingest the dataset again.",
        )


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"

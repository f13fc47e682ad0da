"""Bytes by the SHA-256 of their content: pictures, snapshots, evidence."""

import hashlib
from pathlib import Path

import obstore
from obstore.store import LocalStore, MemoryStore, ObjectStore

from tenfold.errors import IntegrityError, NotFound


class Blobs:
    """A content-addressed store; writing the same bytes twice changes nothing."""

    def __init__(self, store: ObjectStore) -> None:
        self._store = store

    @classmethod
    def in_folder(cls, folder: Path) -> "Blobs":
        return cls(LocalStore(prefix=str(folder), mkdir=True))

    @classmethod
    def in_memory(cls) -> "Blobs":
        return cls(MemoryStore())

    def put(self, data: bytes) -> str:
        """Keep `data`; returns its digest. The write is atomic: all of it or nothing."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.has(digest):
            obstore.put(self._store, _key(digest), data)
        return digest

    def get(self, digest: str) -> bytes:
        """The bytes of `digest`.

        Raises:
            NotFound: nothing was kept under it.
            IntegrityError: what is stored is no longer what was written.
        """
        try:
            data = bytes(obstore.get(self._store, _key(digest)).bytes())
        except FileNotFoundError as error:
            raise NotFound(
                f"no blob {digest[:12]}….", hint="Ingest the dataset it came from again."
            ) from error
        if hashlib.sha256(data).hexdigest() != digest:
            raise IntegrityError(
                f"blob {digest[:12]}… does not match its digest.",
                hint="Restore it from a backup, or forget and ingest the dataset again.",
            )
        return data

    def has(self, digest: str) -> bool:
        try:
            obstore.head(self._store, _key(digest))
        except FileNotFoundError:
            return False
        return True

    def delete(self, digest: str) -> None:
        """Drop a blob; one that is not there is dropped already."""
        try:
            obstore.delete(self._store, _key(digest))
        except FileNotFoundError:
            return


def _key(digest: str) -> str:
    return f"{digest[:2]}/{digest}"

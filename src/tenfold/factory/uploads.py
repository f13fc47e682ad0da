"""Bytes that arrive in pieces and survive what interrupts them; pictures or a zip of pictures.

Source: tus resumable upload protocol 1.0.0, "Core Protocol", "Creation" and "Termination"
(https://tus.io/protocols/resumable-upload).
"""

import errno
import fcntl
import hashlib
import json
import os
import re
import secrets
import shutil
import stat
import zipfile
from collections.abc import Callable, Generator
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path, PurePosixPath
from typing import IO

from tenfold.atomic import in_words, write_bytes
from tenfold.errors import Conflict, DataError, NotFound, SpecError, Unavailable
from tenfold.formats.files import BROKEN_ZIP

MOST_BYTES = 64_000_000_000
"""Of one upload, and of what one unpacks to."""
MOST_FILES = 1_000_000
SMALL_BYTES = 1_000_000_000
RATIO = 100
"""More than this and more than `SMALL_BYTES`: a bomb, not pictures."""
SAFE_ID = re.compile(r"[0-9a-f]{32}")
SHA256 = re.compile(r"[0-9a-f]{64}")
PICTURES = "pictures"


@dataclass(frozen=True, slots=True)
class Upload:
    id: str
    name: str
    """Path of the picture, or the zip's name."""
    size: int
    sha256: str
    """Of all bytes, as the sender told; empty: not told."""
    offset: int = 0

    @property
    def is_complete(self) -> bool:
        return self.offset == self.size


@dataclass(frozen=True, slots=True)
class Uploads:
    """Uploads of one home."""

    root: Path

    @classmethod
    def of(cls, home: Path) -> "Uploads":
        return cls(home / "uploads")

    def create(self, *, name: str, size: int, sha256: str = "") -> Upload:
        """Room for an upload.

        Raises:
            SpecError: the name leads elsewhere, or the size or checksum is none.
            Unavailable: the disk has no room for it.
        """
        _check_path(name)
        if not 0 < size <= MOST_BYTES:
            raise SpecError(f"expected 1 to {MOST_BYTES:,} bytes, got {size:,}.", where=name)
        if sha256 and not SHA256.fullmatch(sha256):
            raise SpecError(f"expected 64 hexadecimal digits, got {sha256!r}.", where="sha256")
        upload = Upload(secrets.token_hex(16), name, size, sha256)
        folder = self.root / upload.id
        try:
            folder.mkdir(parents=True)
            if shutil.disk_usage(folder).free < size:
                folder.rmdir()
                raise Unavailable(
                    f"the disk has no room for {size:,} bytes.", hint="Free space, then try again."
                )
            (folder / "data").touch()
        except OSError as error:
            raise in_words(error.errno, where=str(self.root)) or error from error
        plain = {key: value for key, value in asdict(upload).items() if key != "offset"}
        write_bytes(folder / "about.json", json.dumps(plain).encode())
        return upload

    def get(self, name: str) -> Upload:
        """How far an upload is: what the disk has counts.

        Raises:
            NotFound: there is none of that id.
        """
        try:
            if not SAFE_ID.fullmatch(name):
                raise FileNotFoundError
            about = json.loads((self.root / name / "about.json").read_text())
            return Upload(**about, offset=(self.root / name / "data").stat().st_size)
        except FileNotFoundError as error:
            raise NotFound(f"no upload {name!r}.", hint="POST /api/uploads begins one.") from error

    @contextmanager
    def appending(self, name: str, offset: int) -> Generator[tuple[Upload, IO[bytes]]]:
        """The file, unbuffered and ours alone, to be added to from `offset`.

        Raises:
            NotFound: there is none of that id.
            Conflict: it ends elsewhere, or somebody else adds to it.
        """
        self.get(name)
        with (self.root / name / "data").open("ab", buffering=0) as file:
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError as error:
                raise Conflict("another request adds to this upload.", where=name) from error
            upload = self.get(name)
            if upload.offset != offset:
                raise Conflict(
                    f"the upload ends at {upload.offset:,}, not at {offset:,}.",
                    where=name,
                    hint="HEAD says where to go on.",
                )
            yield upload, file
            os.fsync(file.fileno())

    def append(self, file: IO[bytes], part: bytes, *, room: int) -> None:
        """Some more bytes; what a full disk took stays.

        Raises:
            DataError: more than was told.
            Unavailable: the disk is full.
        """
        if len(part) > room:
            raise DataError("more bytes than Upload-Length told.", hint="Begin another upload.")
        view = memoryview(part)
        try:
            while view:
                view = view[file.write(view) :]
        except OSError as error:
            raise in_words(error.errno, where=str(self.root)) or error from error

    def check(self, name: str) -> Upload:
        """A complete upload has the bytes that its sender has; else it begins anew.

        Raises:
            DataError: it has others.
        """
        upload = self.get(name)
        if not (upload.is_complete and upload.sha256):
            return upload
        path = self.root / name / "data"
        with path.open("rb") as file:
            found = hashlib.file_digest(file, "sha256").hexdigest()
        if found != upload.sha256:
            os.truncate(path, 0)
            raise DataError(
                f"the bytes have sha256 {found}, not {upload.sha256}.",
                where=upload.name,
                hint="The upload was set back to 0: send it again.",
            )
        return upload

    def drop(self, name: str) -> None:
        """Remove an upload.

        Raises:
            NotFound: there is none of that id.
        """
        self.get(name)
        shutil.rmtree(self.root / name)

    def remove_old(self, *, before: float) -> int:
        """Remove uploads that nothing was added to since a time (seconds since 1970), begun ones
        too, and how many those were. What somebody put there otherwise stays."""
        count = 0
        for folder in self.root.glob("*/") if self.root.exists() else ():
            if SAFE_ID.fullmatch(folder.name) and _changed(folder) < before:
                shutil.rmtree(folder, ignore_errors=True)
                count += 1
        return count

    def unpacked(self, names: list[str]) -> Path:
        """A folder with the pictures of uploads; the same again if asked again.

        Raises:
            Conflict: one is not complete.
            DataError: a zip is broken, leads elsewhere or is a bomb.
            Unavailable: the disk is full.
        """
        uploads = [self.check(name) for name in names]
        for upload in uploads:
            if not upload.is_complete:
                raise Conflict(
                    f"{upload.offset:,} of {upload.size:,} bytes are here.",
                    where=upload.id,
                    hint="Send the rest first.",
                )
        known = hashlib.sha256("".join(names).encode()).hexdigest()[:16]
        folder = self.root / names[0] / f"{PICTURES}-{known}"
        if folder.exists():
            return folder
        part = folder.with_suffix(".part")
        shutil.rmtree(part, ignore_errors=True)
        try:
            part.mkdir()
            for upload in uploads:
                self._unpack(upload, part)
            part.rename(folder)
        except OSError as error:
            raise in_words(error.errno, where=str(self.root)) or error from error
        return folder

    def folder_of(self, name: str) -> Path:
        """A folder that somebody put below `uploads` on the server.

        Raises:
            NotFound: it is elsewhere, or is not there.
        """
        root = self.root.resolve()
        folder = (root / name).resolve()
        if folder == root or not folder.is_relative_to(root) or not folder.is_dir():
            raise NotFound(
                f"no folder {name!r} below {self.root}.", hint="Upload the pictures instead."
            )
        return folder

    def _unpack(self, upload: Upload, folder: Path) -> None:
        data = self.root / upload.id / "data"
        if not zipfile.is_zipfile(data):
            if upload.name.lower().endswith(".zip"):
                raise DataError(
                    "it is called a zip and is none, or ends too early.",
                    where=upload.name,
                    hint="Pack it again, then send it again.",
                )
            _take(folder, upload.name, lambda path: os.link(data, path))
            return
        try:
            with zipfile.ZipFile(data) as archive:
                entries = _checked(archive, upload)
                for entry in entries:
                    with archive.open(entry) as source:
                        _take(folder, entry.filename, lambda path, s=source: _copy(s, path))
        except BROKEN_ZIP as error:
            raise DataError(f"the zip cannot be read: {error}.", where=upload.name) from error
        except OSError as error:
            if error.errno in (errno.ENAMETOOLONG, errno.EINVAL, errno.EISDIR, errno.ENOTDIR):
                raise DataError(f"the zip has an impossible name: {error}.") from error
            raise


def _changed(folder: Path) -> float:
    return max(path.stat().st_mtime for path in (folder, *folder.glob("data")))


def _checked(archive: zipfile.ZipFile, upload: Upload) -> list[zipfile.ZipInfo]:
    """Its files, once it is known that they are few enough, small enough and lead nowhere."""
    entries = [entry for entry in archive.infolist() if not entry.is_dir()]
    total = sum(entry.file_size for entry in entries)
    if len(entries) > MOST_FILES or total > MOST_BYTES:
        raise DataError(f"{len(entries):,} files, {total:,} bytes: too many.", where=upload.name)
    if total > SMALL_BYTES and total > RATIO * upload.size:
        raise DataError(
            f"{upload.size:,} bytes unpack to {total:,}: these are no pictures.", where=upload.name
        )
    for entry in entries:
        if stat.S_ISLNK(entry.external_attr >> 16):
            raise DataError(f"{entry.filename!r} is a link.", where=upload.name)
        try:
            _check_path(entry.filename)
        except SpecError as error:
            raise DataError(str(error.args[0]), where=upload.name) from error
    return entries


def _check_path(name: str) -> None:
    path = PurePosixPath(name)
    if (
        not path.parts
        or path.is_absolute()
        or ".." in path.parts
        or "\\" in name
        or any(ord(letter) < 32 for letter in name)
        or len(name) > 1000
    ):
        raise SpecError(f"{name!r} is no path within a folder.", hint="For example good/1.png.")


def _take(folder: Path, name: str, write: Callable[[Path], None]) -> None:
    path = folder / PurePosixPath(name)
    if path.exists():
        raise DataError(f"two files are called {name!r}.", hint="Give each its own path.")
    path.parent.mkdir(parents=True, exist_ok=True)
    write(path)


def _copy(source: IO[bytes], path: Path) -> None:
    with path.open("wb") as file:
        shutil.copyfileobj(source, file, 1 << 20)

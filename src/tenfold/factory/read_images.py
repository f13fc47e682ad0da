"""Read the pictures of a dataset, several at once: what each is, or why it cannot be used."""

import hashlib
from collections import deque
from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from jaxtyping import UInt8

from tenfold.errors import DataError
from tenfold.factory.duplicates import perceptual_hash, thumbnail
from tenfold.formats.files import why_unreadable
from tenfold.formats.pixels import MAX_PIXELS, decode, inspect, reason
from tenfold.formats.row import Rejected, Row

MAX_BYTES = 1 << 30
"""Files above this are set aside unread."""


@dataclass(frozen=True, slots=True, eq=False)
class ReadImage:
    """A picture that decodes, and what was learned while its bytes were at hand."""

    row: Row
    sha256: str
    width: int
    """Pixels of the upright picture, as `height`."""
    height: int
    mode: str
    """Pillow's name of the stored pixels, such as L, RGB or I;16."""
    bytes_len: int
    phash: int
    thumb: UInt8[np.ndarray, "32 32"]
    mask_sha256: str | None = None


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file that could not be used, and why."""

    path: str
    reason: str
    """empty, truncated, damaged, not-an-image, too-large, missing, unreadable, bad-mask, …"""
    detail: str


def read_images(
    rows: Iterable[Row | Rejected],
    *,
    threads: int = 2,
    max_pixels: int = MAX_PIXELS,
    keep: Callable[[bytes], object] | None = None,
) -> Iterator[ReadImage | Quarantined]:
    """One result for each row, in the order of the rows; no file stops the others.

    `keep` is given the bytes of every picture and mask that can be used, in the reading thread.

    At most 4 × `threads` rows are in work at a time, so memory does not grow with the dataset.
    Decoding leaves the interpreter free: threads are enough to keep all cores busy.
    """
    waiting: deque[Future[ReadImage | Quarantined]] = deque()
    with ThreadPoolExecutor(threads, thread_name_prefix="read") as pool:
        try:
            for row in rows:
                waiting.append(pool.submit(_read, row, max_pixels, keep))
                if len(waiting) >= 4 * threads:
                    yield waiting.popleft().result()
            while waiting:
                yield waiting.popleft().result()
        finally:
            for future in waiting:
                future.cancel()


Keep = Callable[[bytes], object] | None


def _read(row: Row | Rejected, max_pixels: int, keep: Keep) -> ReadImage | Quarantined:
    if isinstance(row, Rejected):
        return Quarantined(row.path, row.reason, row.detail)
    try:
        data = _bytes_of(row.file)
        pixels = decode(data, where=row.path, max_pixels=max_pixels)
        _, _, mode = inspect(data, where=row.path, max_pixels=max_pixels)
    except DataError as error:
        return Quarantined(row.path, reason(error), _words(error))
    except OSError as error:
        return Quarantined(row.path, *why_unreadable(error))
    height, width = pixels.shape[:2]
    try:
        mask = _mask(row, (width, height), max_pixels)
    except DataError as error:
        return Quarantined(row.path, "bad-mask", f"{row.mask}: {error.args[0]}")
    except OSError as error:
        return Quarantined(row.path, "bad-mask", f"{row.mask}: {why_unreadable(error)[1]}")
    if keep:
        keep(data)
    if keep and mask is not None:
        keep(mask)
    thumb = thumbnail(pixels)
    return ReadImage(
        row=row,
        sha256=hashlib.sha256(data).hexdigest(),
        width=width,
        height=height,
        mode=mode,
        bytes_len=len(data),
        phash=perceptual_hash(thumb),
        thumb=thumb,
        mask_sha256=None if mask is None else hashlib.sha256(mask).hexdigest(),
    )


def _bytes_of(file: Path) -> bytes:
    if not file.is_file() and file.exists():  # a pipe would be waited for without end
        raise DataError("not-a-file: neither a file nor a link to one.")
    size = file.stat().st_size
    if size > MAX_BYTES:
        raise DataError(f"too-large: {size:,} bytes are over the limit of {MAX_BYTES:,}.")
    return file.read_bytes()


def _mask(row: Row, size: tuple[int, int], max_pixels: int) -> bytes | None:
    if row.mask_file is None:
        return None
    data = _bytes_of(row.mask_file)
    height, width = decode(data, where=row.path, max_pixels=max_pixels).shape[:2]
    if (width, height) != size:
        raise DataError(
            f"the mask measures {width} × {height} pixels, its picture {size[0]} × {size[1]}."
        )
    return data


def _words(error: DataError) -> str:
    told = str(error.args[0]).partition(": ")[2]
    return f"{told} {error.hint}".rstrip()

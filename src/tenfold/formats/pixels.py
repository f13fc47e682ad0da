"""Bytes of a picture file to pixels: the one place that decides how a file becomes numbers.

What is decided here, for every format alike:
- the picture stands upright (EXIF orientation applied) and has 1 channel (grey) or 3 (RGB);
- 16 bits per channel keep their high byte, 12 bits their highest eight: full scale stays full
  scale, nothing is stretched to its own contrast;
- a transparent pixel shows black, a half-transparent one is darkened: whatever colour a program
  left under the transparency is not part of the picture;
- CMYK becomes RGB without colour profiles; a palette becomes its colours, 1 bit becomes 0 or 255;
- of a camera's JPEG with several pictures (preview, depth) the first counts.
"""

import re
import struct
import zlib
from io import BytesIO

import numpy as np
from jaxtyping import UInt8
from PIL import Image, ImageOps
from PIL.BmpImagePlugin import BmpImageFile
from PIL.ExifTags import Base
from PIL.ImageFile import ImageFile
from PIL.JpegImagePlugin import JpegImageFile
from PIL.PngImagePlugin import PngImageFile
from PIL.TiffImagePlugin import TiffImageFile
from PIL.WebPImagePlugin import WebPImageFile

from tenfold.errors import DataError

SUFFIXES = frozenset({".png", ".jpg", ".jpeg", ".jpe", ".bmp", ".dib", ".tif", ".tiff", ".webp"})
"""Names that promise a picture we read, in lower case; the bytes decide."""

MAX_PIXELS = 100_000_000
"""Width × height above which a file is not decoded: 300 MB as RGB."""

READERS: dict[str, tuple[re.Pattern[bytes], type[ImageFile]]] = {
    "PNG": (re.compile(rb"\x89PNG\r\n\x1a\n"), PngImageFile),
    "JPEG": (re.compile(rb"\xff\xd8\xff"), JpegImageFile),
    "BMP": (re.compile(rb"BM"), BmpImageFile),
    "TIFF": (re.compile(rb"II[\x2a\x2b]\0|MM\0[\x2a\x2b]"), TiffImageFile),
    "WebP": (re.compile(rb"RIFF.{4}WEBP", re.DOTALL), WebPImageFile),
}
OTHERS = {
    "GIF": rb"GIF8",
    "HEIC or AVIF": rb".{4}ftyp(?:hei|hev|mif1|avi)",
    "JPEG 2000": rb"\0\0\0\x0cjP  |\xff\x4f\xff\x51",
    "PDF": rb"%PDF",
    "Photoshop": rb"8BPS",
    "DICOM": rb".{128}DICM",
    "ZIP": rb"PK\x03\x04",
    "HTML or XML": rb"\s*<[!?a-zA-Z]",
    "Git LFS pointer (the real file was not fetched)": rb"version https://git-lfs",
}

# What Pillow's plugins raise on bad bytes; `Image.open` itself expects most of these.
BAD_BYTES = (
    *(OSError, SyntaxError, ValueError, EOFError, LookupError, TypeError, AttributeError),
    *(ArithmeticError, RuntimeError, MemoryError, AssertionError, struct.error, zlib.error),
    Image.DecompressionBombError,
)


def decode(data: bytes, *, where: str, max_pixels: int = MAX_PIXELS) -> UInt8[np.ndarray, "h w c"]:
    """Upright pixels, c = 1 (grey) or 3 (RGB), read-only. Safe in threads.

    Raises:
        DataError: the message begins with a code that `reason` reads: empty, not-an-image,
            unsupported-format, unsupported-depth, unsupported-colour, several-pages, too-large,
            truncated or damaged.
    """
    picture = _open(data, where, max_pixels)
    try:
        picture.load()
        pixels = _to_grey_or_rgb(picture, where)
    except BAD_BYTES as error:
        raise _bad_bytes(data, picture, error, where) from error
    return pixels[:, :, None] if pixels.ndim == 2 else pixels


def inspect(data: bytes, *, where: str = "", max_pixels: int = MAX_PIXELS) -> tuple[int, int, str]:
    """Width and height in pixels of the upright picture and Pillow's name of its pixel mode.

    Reads the header only, so a file cut in the middle passes here and fails in `decode`.

    Raises:
        DataError: as `decode`.
    """
    picture = _open(data, where, max_pixels)
    width, height = picture.size  # a TIFF's is upright already
    if picture.format != "TIFF" and _orientation(picture) >= 5:
        width, height = height, width
    return width, height, picture.mode


def reason(error: DataError) -> str:
    """The short stable code at the head of an error of `decode` or `inspect`."""
    return str(error.args[0]).partition(":")[0]


def is_picture(name: str) -> bool:
    """Whether the file name promises a picture we read."""
    return f".{name.rpartition('.')[2].lower()}" in SUFFIXES


def _open(data: bytes, where: str, max_pixels: int) -> ImageFile:
    """Header read and checked, no pixel decoded.

    The plugin classes are used instead of `Image.open`: it would warn about size through the
    process-wide warning filters, and consult every plugin there is.
    """
    if not data:
        raise DataError("empty: the file has no bytes.", where=where, hint="Copy it again.")
    head = data[:160]
    reader = next((r for magic, r in READERS.values() if magic.match(head)), None)
    if reader is None:
        raise _foreign(head, where)
    try:
        picture = reader(BytesIO(data))
        pages = _pages(picture)
    except Image.DecompressionBombError as error:
        raise _too_large(str(error), max_pixels, where) from error
    except BAD_BYTES as error:
        raise _bad_bytes(data, None, error, where) from error
    width, height = picture.size
    if width * height > max_pixels:
        raise _too_large(f"{width} × {height} pixels", max_pixels, where)
    if pages > 1:
        raise DataError(
            f"several-pages: expected one picture, got {pages} in one file.",
            where=where,
            hint="Save each page as a file of its own.",
        )
    return picture


def _pages(picture: ImageFile) -> int:
    """Pictures in the file that a person would call a picture: no previews, no APNG cover."""
    if not isinstance(picture, TiffImageFile):
        return int(getattr(picture, "n_frames", 1))
    if not picture.is_animated:
        return 1
    kinds: list[int] = []
    for page in range(picture.n_frames):
        picture.seek(page)
        kinds.append(int(picture.tag_v2.get(Base.NewSubfileType, 0)))
    picture.seek(0)
    return 1 + sum(not kind & 1 for kind in kinds[1:])  # bit 0: a reduced copy of another page


def _to_grey_or_rgb(picture: ImageFile, where: str) -> UInt8[np.ndarray, "..."]:
    upright = _upright(picture)
    mode = upright.mode
    if mode in ("L", "RGB") and "transparency" not in upright.info:
        return np.asarray(upright)
    if mode.startswith("I;16"):
        return _high_byte(upright)
    if mode in ("I", "F"):
        raise DataError(
            f"unsupported-depth: 32-bit or signed pixels (mode {mode!r}) have no agreed white.",
            where=where,
            hint="Save the picture with 8 or 16 bits per channel, unsigned.",
        )
    if mode in ("L", "LA"):  # small a below: colour times alpha
        return np.asarray(upright.convert("LA").convert("La"))[:, :, 0]
    if mode == "1":
        return np.asarray(upright.convert("L"))
    if mode in ("RGBA", "PA") or "transparency" in upright.info:
        return np.asarray(upright.convert("RGBA").convert("RGBa"))[:, :, :3]
    if mode in ("P", "CMYK", "YCbCr", "RGBX"):
        return np.asarray(upright.convert("RGB"))
    if mode in ("La", "RGBa"):
        return np.asarray(upright)[:, :, : len(mode) - 1].squeeze()
    raise DataError(
        f"unsupported-colour: expected grey, RGB, palette or CMYK, got mode {mode!r}.",
        where=where,
        hint="Save the picture as RGB.",
    )


def _high_byte(picture: Image.Image) -> UInt8[np.ndarray, "h w"]:
    values = np.asarray(picture)
    tags = getattr(picture, "tag_v2", {})
    bits = 12 if tags.get(Base.BitsPerSample, (16,))[0] == 12 else 16
    grey = (values >> (bits - 8)).astype(np.uint8)
    white_is_zero = tags.get(Base.PhotometricInterpretation) == 0  # Pillow inverts 8 bit only
    return 255 - grey if white_is_zero else grey


def _upright(picture: ImageFile) -> Image.Image:
    """Pillow turns a TIFF by itself when it loads; the others carry their orientation along."""
    if picture.format == "TIFF" or _orientation(picture) == 1:
        return picture
    return ImageOps.exif_transpose(picture)


def _orientation(picture: ImageFile) -> int:
    """1..8; a garbled EXIF block counts as upright, as every viewer does."""
    if not picture.info.keys() & {"exif", "Raw profile type exif", "xmp", "XML:com.adobe.xmp"}:
        return 1
    try:
        turn = picture.getexif().get(Base.Orientation, 1)
    except BAD_BYTES:
        return 1
    return turn if isinstance(turn, int) and 1 <= turn <= 8 else 1


def _foreign(head: bytes, where: str) -> DataError:
    readable = "PNG, JPEG, BMP, TIFF or WebP"
    for name, magic in OTHERS.items():
        if re.match(magic, head, re.DOTALL):
            return DataError(
                f"unsupported-format: expected {readable}, got {name}.",
                where=where,
                hint="Convert the file, or leave it out.",
            )
    return DataError(
        f"not-an-image: expected {readable}, got bytes that begin with {head[:8]!r}.",
        where=where,
        hint="Leave the file out, or export it again from where it came.",
    )


def _too_large(seen: str, max_pixels: int, where: str) -> DataError:
    return DataError(
        f"too-large: {seen.rstrip('.')} is over the limit of {max_pixels:,} pixels.",
        where=where,
        hint="Cut the picture into tiles, or make it smaller.",
    )


def _bad_bytes(data: bytes, picture: ImageFile | None, error: Exception, where: str) -> DataError:
    if isinstance(error, DataError):
        return error
    said = str(error).rstrip(".") or type(error).__name__
    if _ends_early(data, picture) or re.search("truncated|not enough", said, re.IGNORECASE):
        return DataError(
            f"truncated: the file ends before its picture does ({len(data):,} bytes).",
            where=where,
            hint="Copy it again from where it came.",
        )
    return DataError(
        f"damaged: the picture cannot be decoded ({said}).",
        where=where,
        hint="Export it again from where it came.",
    )


def _ends_early(data: bytes, picture: ImageFile | None) -> bool:
    """Whether a file that cannot be decoded is shorter than it says itself, or lacks its end."""
    if len(data) < 12:
        return True
    if data[:4] == b"RIFF":
        return 8 + struct.unpack_from("<I", data, 4)[0] > len(data)
    if data[:2] == b"BM":
        return struct.unpack_from("<I", data, 2)[0] > len(data)
    if data[:2] in (b"II", b"MM"):
        return _tiff_bytes(data, picture) > len(data)
    return (b"IEND" if data[:4] == b"\x89PNG" else b"\xff\xd9") not in data


def _tiff_bytes(data: bytes, picture: ImageFile | None) -> int:
    """How far the first page's table, or the pixels it points at, reach."""
    order = "<" if data[:2] == b"II" else ">"
    table = int(struct.unpack_from(order + "I", data, 4)[0])
    if table + 2 > len(data):
        return table + 2
    entries = int(struct.unpack_from(order + "H", data, table)[0])
    tags = picture.tag_v2 if isinstance(picture, TiffImageFile) else {}
    starts = tags.get(Base.StripOffsets) or tags.get(Base.TileOffsets) or (0,)
    sizes = tags.get(Base.StripByteCounts) or tags.get(Base.TileByteCounts) or (0,)
    ends = [a + b for a, b in zip(starts, sizes, strict=False)]
    return max(table + 2 + 12 * entries + 4, *ends)


def as_bmp(pixels: UInt8[np.ndarray, "h w c"]) -> bytes:
    """A file that `decode` reads as these pixels: the same bytes everywhere, in no time."""
    out = BytesIO()
    Image.fromarray(pixels[:, :, 0] if pixels.shape[2] == 1 else pixels).save(out, "BMP")
    return out.getvalue()

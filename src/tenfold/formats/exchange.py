"""What goes to an annotation tool and what people said there: pictures out, labels back.

Each tool is one module with `write` and `read`. A picture travels under the SHA-256 of its bytes,
so its labels find home whatever the tool calls it.
"""

import hashlib
import re
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib import import_module
from math import cos, isfinite, radians, sin
from pathlib import Path, PurePosixPath
from typing import Protocol, cast

from tenfold.errors import Conflict, DataError, NotFound, SpecError
from tenfold.formats.pixels import is_picture

EXCHANGES = {
    "cvat": "tenfold.formats.cvat",
    "label_studio": "tenfold.formats.label_studio",
}
CANNOT_TELL = "cannot tell"
"""What people choose where the picture does not show it; comes back as no label at all."""
IMAGES = "images"
DIGEST = re.compile(r"[0-9a-f]{64}")
EDGE_PX = 1.0
"""So far a box may stand over the edge by rounding; it is cut off."""
BETWEEN_LABELS = ";"
LONGEST_NAME = 100

Xyxy = tuple[float, float, float, float]
Sizes = Mapping[str, tuple[int, int]]
"""Width and height in pixels of the samples that were asked about."""


@dataclass(frozen=True, slots=True)
class Choice:
    """What people may say of a picture."""

    classes: tuple[str, ...]
    several: bool = False
    """Whether a picture may have more than one class."""
    regions: tuple[str, ...] = ()
    """Classes that are shown by drawing a box."""

    def __post_init__(self) -> None:
        odd = [name for name in self.classes if not _can_travel(name)]
        if odd or len(set(self.classes)) != len(self.classes) or not self.classes:
            raise SpecError(
                f"expected different class names, got {(odd or list(self.classes))!r}.",
                hint=f"A name has no line break, no {BETWEEN_LABELS!r} and no blank at its ends, "
                f"and is not {CANNOT_TELL!r}.",
            )
        lost = [name for name in self.regions if name not in self.classes]
        if lost:
            raise SpecError(f"{lost[0]!r} is to be drawn, but is none of the classes.")


@dataclass(frozen=True, slots=True)
class ToLabel:
    """One picture that somebody should look at."""

    sample: str
    """SHA-256 of the picture's bytes."""
    file: Path
    """Where its bytes lie; the name must promise a picture."""
    width_px: int
    """Of the upright picture, as is `height_px`."""
    height_px: int
    said: str = ""
    """What the model said, shown to the person; leave it empty for audits."""
    score: float | None = None
    reason: str = ""
    """Why it was picked; leave it empty where that should not be known."""


@dataclass(frozen=True, slots=True)
class Box:
    label: str
    xyxy_px: Xyxy
    """Of the original image."""


@dataclass(frozen=True, slots=True)
class Labelled:
    """What one person said of one picture."""

    sample: str
    labels: tuple[str, ...]
    """In the order of the classes; none: this person cannot tell."""
    boxes: tuple[Box, ...]
    who: str
    """As the tool names the person: a mail address, a user name or a number; may be empty."""
    seconds: float
    """0: the tool does not say."""
    at: datetime | None
    """None: the tool does not say."""
    key: str
    """The same for the same saying however often it is exported."""


class Exchange(Protocol):
    """A module of this package that is named in `EXCHANGES`."""

    def write(self, asks: Iterable[ToLabel], folder: Path, *, choice: Choice) -> None:
        """Fill a new folder with what the tool imports.

        Raises:
            DataError: nothing is asked, or twice the same, or a file is not that sample.
            Conflict: `folder` holds something.
        """
        ...

    def read(self, source: Path, *, choice: Choice, sizes: Sizes | None = None) -> list[Labelled]:
        """What people said, in the order of the export; all of it, or an error.

        Samples that are not in `sizes` are errors, if it is given.

        Raises:
            NotFound: there is no such file.
            DataError: the file is not an export, or was edited; names file and place.
        """
        ...


def named(name: str) -> Exchange:
    """The exchange with the tool of that name.

    Raises:
        NotFound: there is none.
    """
    if name not in EXCHANGES:
        known = ", ".join(sorted(EXCHANGES))
        raise NotFound(f"no annotation tool {name!r}.", hint=f"There are: {known}.")
    return cast(Exchange, import_module(EXCHANGES[name]))


def send(asks: Iterable[ToLabel], folder: Path) -> list[tuple[ToLabel, str]]:
    """Copy the pictures to `images` in a new folder; gives each with its name there.

    Raises:
        DataError: nothing is asked, or twice the same, or a file is not that sample.
        Conflict: `folder` holds something.
    """
    sent = [(ask, f"{ask.sample}{ask.file.suffix.lower()}") for ask in asks]
    if not sent:
        raise DataError("there is nothing to ask.", where=str(folder))
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise Conflict("there is something already.", where=str(folder), hint="Name a new folder.")
    (folder / IMAGES).mkdir(parents=True, exist_ok=True)
    for ask, name in sent:
        target = folder / IMAGES / name
        if target.exists():
            raise DataError("is asked twice.", where=f"sample {ask.sample[:12]}…")
        target.write_bytes(_picture(ask))
    return sent


def sample_in(name: str) -> str | None:
    """The sample that a picture's name tells, whatever folders or prefixes stand before it."""
    stem = PurePosixPath(name.replace("\\", "/")).stem[-64:]
    return stem if DIGEST.fullmatch(stem) else None


def check_sample(sample: str, sizes: Sizes | None, *, where: str) -> None:
    if sizes is not None and sample not in sizes:
        raise DataError(
            f"nobody was asked about sample {sample[:12]}….",
            where=where,
            hint="Import it where it was exported, and do not edit the digests.",
        )


def check_size(sample: str, size_px: tuple[int, int], sizes: Sizes | None, *, where: str) -> None:
    """Boxes are in pixels of the picture the tool showed, so it must be the one that was sent."""
    if sizes is not None and sizes[sample] != size_px:
        expected = " × ".join(map(str, sizes[sample]))
        raise DataError(
            f"expected a picture of {expected} pixels, got {' × '.join(map(str, size_px))}.",
            where=where,
            hint="Send the picture again; do not resize or turn it in the tool.",
        )


def said(
    chosen: Sequence[str], boxes: Sequence[Box], choice: Choice, *, where: str
) -> tuple[str, ...]:
    """The labels of one saying, in the order of the classes; none: cannot tell.

    Raises:
        DataError: a name is unknown, nothing was said, or two things that contradict each other.
    """
    names = {*chosen, *(box.label for box in boxes)}
    for name in sorted(names - {*choice.classes, CANNOT_TELL}):
        raise DataError(
            f"unknown class {name!r}.",
            where=where,
            hint=f"There are: {', '.join(choice.classes)}, {CANNOT_TELL}.",
        )
    if not names:
        raise DataError(
            "nothing was chosen and nothing drawn.",
            where=where,
            hint=f"Choose a class or {CANNOT_TELL!r} there, or remove it, and export again.",
        )
    if len(names) > 1 and (CANNOT_TELL in names or not choice.several):
        raise DataError(
            f"says {' and '.join(map(repr, sorted(names)))}, but only one can be true.",
            where=where,
            hint="Keep one of them there, and export again.",
        )
    return tuple(name for name in choice.classes if name in names)


def person(name: str, *, where: str) -> str:
    """The name of somebody who labelled, which the catalog can hold.

    Raises:
        DataError: it is too long, or no readable text.
    """
    if len(name) > LONGEST_NAME or not name.isprintable():
        raise DataError(
            f"nobody is called {name[:40]!r}.",
            where=where,
            hint=f"A name is readable text of at most {LONGEST_NAME} letters.",
        )
    return name


def enclosing(corners: Iterable[tuple[float, float]]) -> Xyxy:
    xs, ys = zip(*corners, strict=True)
    return min(xs), min(ys), max(xs), max(ys)


def turned(
    corners: Iterable[tuple[float, float]], around: tuple[float, float], degrees: float
) -> Iterator[tuple[float, float]]:
    """Points after a clockwise turn, as seen on the screen (y points down)."""
    cosine, sine = cos(radians(degrees)), sin(radians(degrees))
    for x, y in corners:
        dx, dy = x - around[0], y - around[1]
        yield around[0] + dx * cosine - dy * sine, around[1] + dx * sine + dy * cosine


def inside(xyxy: Xyxy, size_px: tuple[int, int], *, is_turned: bool, where: str) -> Xyxy:
    """The box, cut at the edge of the picture.

    What encloses a turned box may stand over the edge while the box itself does not, so it may do
    so as long as some of it is inside.

    Raises:
        DataError: the box is empty, upside down, or outside of the picture.
    """
    width, height = size_px
    x0, y0, x1, y1 = xyxy
    cut = (max(x0, 0.0), max(y0, 0.0), min(x1, float(width)), min(y1, float(height)))
    over = max(-x0, -y0, x1 - width, y1 - height)
    is_right = all(map(isfinite, xyxy)) and cut[0] < cut[2] and cut[1] < cut[3]
    if not is_right or (over > EDGE_PX and not is_turned):
        told = ", ".join(f"{edge:g}" for edge in xyxy)
        raise DataError(
            f"the box ({told}) does not lie in the picture of {width} × {height} pixels.",
            where=where,
            hint="Correct or remove the box in the tool, and export again.",
        )
    return cut


def _picture(ask: ToLabel) -> bytes:
    where = str(ask.file)
    if not is_picture(ask.file.name):
        raise DataError("the name does not promise a picture.", where=where)
    try:
        data = ask.file.read_bytes()
    except OSError as error:
        raise DataError(f"cannot be read ({error.strerror}).", where=where) from error
    found = hashlib.sha256(data).hexdigest()
    if found != ask.sample:
        raise DataError(
            f"expected the bytes of sample {ask.sample[:12]}…, got {found[:12]}….",
            where=where,
            hint="Give the file that the sample was read from.",
        )
    return data


def _can_travel(name: str) -> bool:
    return (
        name == name.strip() != ""
        and name.isprintable()
        and BETWEEN_LABELS not in name
        and name != CANNOT_TELL
    )

"""Pictures and heat maps of the parts of a station, in a folder of its own.

`YYYY-MM-DD/ID.jpg` is the picture of a part, `ID-REGION.png` what was found in a region of it. The
newest parts are in `newest/` too, kept or not, for screens. A file is whole or it is not there.
"""

import os
import shutil
from collections.abc import Callable, Collection, Generator, Iterable, Mapping
from datetime import date, timedelta
from hashlib import sha256
from pathlib import Path

from tenfold.apps.line.drawing import draw
from tenfold.apps.line.journal import Part
from tenfold.apps.line.station import Retention
from tenfold.apps.line.values import Sight
from tenfold.atomic import UNFINISHED, write_bytes

NEWEST = "newest"
RECENT = 12
"""Parts whose pictures are there for screens, whatever became of them."""
WITHOUT_OK, WITHOUT_REJECTS = ".without-ok", ".without-rejects"
"""Marks of a day whose pictures of that kind are gone."""
AT_ONCE = 100
"""Files that are deleted before others have their turn."""


class Evidence:
    """Read by whoever shows it; written by the station alone."""

    def __init__(self, folder: Path, retention: Retention) -> None:
        self.folder, self.retention = folder, retention

    def is_kept(self, part: Part) -> bool:
        """Whatever was not plainly OK; of the others a share, which their ids alone decide."""
        return is_special(part) or lot_of(part.id) < self.retention.ok_share

    def path(self, part: Part) -> Path | None:
        """Where the picture of a part is, while there is one."""
        places = (self._day(part), self.folder / NEWEST)
        found = (place / f"{part.id}.jpg" for place in places)
        return next((path for path in found if path.exists()), None)

    def picture(self, part: Part) -> bytes | None:
        """JPEG, while there is one."""
        path = self.path(part)
        return _read(path) if path else None

    def maps(self, part: Part) -> dict[str, bytes]:
        """PNG of each region in which something was looked for by map, or found."""
        for place in (self._day(part), self.folder / NEWEST):
            found = {
                path.stem.partition("-")[2]: data
                for path in sorted(place.glob(f"{part.id}-*.png"))
                if (data := _read(path)) is not None
            }
            if found:
                return found
        return {}

    @property
    def newest(self) -> int | None:
        """Id of the newest part that has a picture."""
        return max(_ids(self.folder / NEWEST), default=None)

    def store(self, part: Part, picture: bytes, sights: Mapping[str, Sight]) -> None:
        """Keep what a part looked like. The picture comes last: where it is, all is.

        Raises:
            Unavailable: the disk is full.
            NotAllowed: the folder may not be written.
        """
        self._write(self._day(part), (part, picture), sights, is_durable=True)

    def show(self, part: Part, picture: bytes, sights: Mapping[str, Sight]) -> None:
        """Let screens have it; the oldest that they had goes.

        Raises:
            Unavailable: the disk is full.
            NotAllowed: the folder may not be written.
        """
        place = self.folder / NEWEST
        self._write(place, (part, picture), sights, is_durable=False)
        for id in sorted(_ids(place))[:-RECENT]:
            _delete(_of(place, {id}))

    def _write(
        self,
        place: Path,
        what: tuple[Part, bytes],
        sights: Mapping[str, Sight],
        *,
        is_durable: bool,
    ) -> None:
        part, picture = what
        for region, sight in sights.items():
            path, kept = place / f"{part.id}-{region}.png", self._day(part)
            data = _read(kept / path.name) if place != kept else None
            write_bytes(path, data or draw(sight), is_durable=False)
        write_bytes(place / f"{part.id}.jpg", picture, is_durable=is_durable)

    def begin(self) -> None:
        """Remove what a station that was killed left unfinished."""
        for place in self.folder.glob("*/"):
            _delete(place.glob(f"{UNFINISHED}*"))

    def tidying(self, today: date, plain: Callable[[Collection[int]], set[int]]) -> Generator[int]:
        """Delete what was kept long enough, little by little: yields how many files went.

        `plain` picks those ids that are plainly OK.
        """
        for place in sorted(self.folder.glob("2???-[01]?-[0-3]?/")):
            age = today - date.fromisoformat(place.name)
            ok = age > timedelta(self.retention.ok_days)
            rejects = age > timedelta(self.retention.rejects_days)
            if ok and rejects:
                yield from _in_turns(list(place.iterdir()))
                place.rmdir()
            elif ok or rejects:
                mark = place / (WITHOUT_OK if ok else WITHOUT_REJECTS)
                if not mark.exists():
                    ids = set(_ids(place))
                    gone = plain(ids) if ok else ids - plain(ids)
                    yield from _in_turns(_of(place, gone))
                    mark.touch()

    def _day(self, part: Part) -> Path:
        return self.folder / f"{part.at:%Y-%m-%d}"


def is_special(part: Part) -> bool:
    """Whether it was not plainly OK: rejected, for manual inspection, overruled, a red rabbit."""
    return part.outcome != "ok" or part.verdict != "ok" or part.is_rabbit


def lot_of(id: int) -> float:
    """A number in [0, 1) that stays with a part."""
    return int.from_bytes(sha256(str(id).encode()).digest()[:8]) / 2**64


def has_room(folder: Path, times: float) -> bool:
    """Whether the disk has so many times what a station needs for its journal: pictures never take
    the last of it."""
    disk = shutil.disk_usage(folder)
    return disk.free > times * min(256_000_000, 0.05 * disk.total)


def _ids(place: Path) -> list[int]:
    try:
        with os.scandir(place) as found:
            names = [one.name for one in found]
    except FileNotFoundError:
        return []
    stems = (name.removesuffix(".jpg") for name in names if name.endswith(".jpg"))
    return [int(stem) for stem in stems if stem.isdecimal()]


def _of(place: Path, ids: Collection[int]) -> list[Path]:
    """All files of these parts, pictures first."""
    found = [path for path in place.iterdir() if _id(path.name) in ids]
    return sorted(found, key=lambda path: path.suffix != ".jpg")


def _id(name: str) -> int:
    stem = name.partition(".")[0].partition("-")[0]
    return int(stem) if stem.isdecimal() else -1


def _in_turns(paths: list[Path]) -> Generator[int]:
    for begin in range(0, len(paths), AT_ONCE):
        yield _delete(paths[begin : begin + AT_ONCE])


def _delete(paths: Iterable[Path]) -> int:
    some = list(paths)
    for path in some:
        path.unlink(missing_ok=True)
    return len(some)


def _read(path: Path) -> bytes | None:
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None

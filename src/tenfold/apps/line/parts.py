"""The part numbers of a station: a folder with one file each, read when a part comes by."""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from pathlib import Path

from tenfold.apps.line.kept import reference_of
from tenfold.apps.line.part import PartSpec, load_part
from tenfold.apps.line.pictures import read
from tenfold.apps.line.reference import Reference
from tenfold.apps.line.values import Pixels
from tenfold.errors import NotFound, SpecError
from tenfold.specs.yaml_file import NAME

KEPT = 64
"""Part numbers whose reference stays in memory, of a few MB each."""
KEPT_FEATURES = "features"
"""Folder beside the parts; may be deleted at any time."""


@dataclass(frozen=True, slots=True, eq=False)
class Known:
    """A part number, ready to be looked at."""

    spec: PartSpec
    reference: Reference

    @property
    def shown(self) -> dict[str, Pixels]:
        """Each region as the reference shows it."""
        found: dict[str, Pixels] = {}
        for region in self.spec.regions:
            left, top, right, bottom = region.bounds
            found[region.name] = self.reference.pixels[top:bottom, left:right]
        return found


class Parts:
    """`NUMBER.yaml` for each part number; one that changes is read again."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self._known: OrderedDict[str, tuple[int, Known]] = OrderedDict()
        self._alone = threading.Lock()

    def names(self) -> list[str]:
        """All part numbers, in order."""
        return sorted(path.stem for path in self.folder.glob("*.yaml"))

    def get(self, number: str) -> Known:
        """
        Raises:
            NotFound: this part was never taught here.
            SpecError: its file is wrong.
            DataError: its reference cannot be used.
        """
        path = self.folder / f"{number}.yaml"
        try:
            is_name = NAME.fullmatch(number) is not None  # it comes from a controller or a code
            changed = path.stat().st_mtime_ns if is_name else None
        except OSError:
            changed = None
        if changed is None:
            raise NotFound(
                f"part {number!r} was never taught here.",
                where=str(self.folder),
                hint="`tenfold line teach` teaches it from good parts.",
            )
        with self._alone:
            kept = self._known.get(number)
            if kept is not None and kept[0] == changed:
                self._known.move_to_end(number)
                return kept[1]
        known = _read(path)
        with self._alone:
            self._known[number] = (changed, known)
            while len(self._known) > KEPT:
                self._known.popitem(last=False)
        return known


def _read(path: Path) -> Known:
    spec = load_part(path)
    if spec.part != path.stem:
        raise SpecError(
            f"the file of part {path.stem!r} describes part {spec.part!r}.",
            where=str(path),
            hint="Name the file as the part, or mend its `part`.",
        )
    pixels = read(path.parent / spec.reference)
    kept = path.parent / KEPT_FEATURES / f"{path.stem}.safetensors"
    return Known(spec, reference_of(pixels, spec.align, kept))

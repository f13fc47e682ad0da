"""What every format reads and writes: one picture with what is known about it."""

from collections.abc import Iterable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Protocol

GOOD_NAMES = frozenset(
    {
        *("good", "ok", "okay", "normal", "pass", "passed", "functional", "healthy", "intact"),
        *("undamaged", "defect-free", "defect_free", "no-defect", "no_defect", "non_defective"),
    }
)
"""Labels, in lower case, that mean: nothing wrong with this one."""

SPLIT_NAMES = {
    "train": "train",
    "training": "train",
    "test": "test",
    "testing": "test",
    "val": "val",
    "valid": "val",
    "validation": "val",
}
"""How people call the parts of a split, and how we call them."""


@dataclass(frozen=True, slots=True)
class Row:
    """One picture of a dataset, as its source describes it."""

    path: str
    """Relative to `root`, with forward slashes; absolute where a table says so."""
    labels: tuple[str, ...] = ()
    group: str | None = None
    """Module, lot, day, driver: what a split must not straddle."""
    split: str | None = None
    """train, test or val where the source says so; other names stay as they are."""
    mask: str | None = None
    """Path of a picture whose non-zero pixels are the defect."""
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    root: Path = field(default=Path(), compare=False)
    """Folder that the paths start from; two rows are the same wherever they lie."""

    @property
    def file(self) -> Path:
        return self.root / self.path

    @property
    def mask_file(self) -> Path | None:
        return None if self.mask is None else self.root / self.mask


@dataclass(frozen=True, slots=True)
class Rejected:
    """Something that lies in the source but is no picture we can use, and why."""

    path: str
    reason: str
    """A short stable code, as in `tenfold.formats.pixels.reason`."""
    detail: str


class Format(Protocol):
    """A module of this package that is named in `FORMATS`."""

    def read(self, source: Path) -> Iterable[Row | Rejected]:
        """Rows in the order of the source.

        Raises:
            DataError: the source contradicts itself; names the file and line.
        """
        ...

    def write(self, rows: Iterable[Row], folder: Path) -> None:
        """Copy the pictures into `folder`, such that `read` gives the same rows.

        Raises:
            Unsupported: the format has no place for something the rows say.
        """
        ...


def is_good(label: str) -> bool:
    return label.lower() in GOOD_NAMES

"""Real pictures for tests: a few solar cells of the installed ELPV package."""

import shutil
from importlib.resources import files
from pathlib import Path


def solar_cells(kind: str = "mono") -> list[tuple[Path, bool]]:
    """(file, is defective) of the clear-cut cells, in the order of the set."""
    folder = Path(str(files("elpv_dataset"))) / "data"
    rows = [line.split() for line in (folder / "labels.csv").read_text().splitlines()]
    clear = [row for row in rows if row[2] == kind and float(row[1]) in (0.0, 1.0)]
    return [(folder / row[0], float(row[1]) == 1.0) for row in clear]


def write_cells(folder: Path, *, good: int, bad: int) -> Path:
    """A folder `good` beside a folder `cracked`."""
    taken = {False: 0, True: 0}
    wanted = {False: good, True: bad}
    for file, is_bad in solar_cells():
        if taken[is_bad] < wanted[is_bad]:
            taken[is_bad] += 1
            target = folder / ("cracked" if is_bad else "good") / file.name
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(file, target)
    return folder

"""Pictures that were asked about, kept where a deployment says so and no longer than it says."""

import shutil
from datetime import date, timedelta
from pathlib import Path

from tenfold.atomic import write_bytes

FOLDER = "pictures"


def keep(answers: Path, sample: str, data: bytes, *, today: date, days: int) -> Path:
    """Keep a picture until `days` from now; one that is asked about again stays longer."""
    path = answers / FOLDER / f"{today + timedelta(days=days):%Y%m%d}" / sample
    if not path.exists():
        path.parent.mkdir(parents=True, exist_ok=True)
        write_bytes(path, data)
    return path


def find(answers: Path, sample: str) -> bytes | None:
    """A picture that is still kept."""
    for path in sorted((answers / FOLDER).glob(f"*/{sample}")):
        return path.read_bytes()
    return None


def purge(answers: Path, *, today: date) -> int:
    """Delete the pictures whose time is over; returns how many days' folders went."""
    over = [p for p in (answers / FOLDER).glob("*/") if p.name < f"{today:%Y%m%d}"]
    for folder in over:
        shutil.rmtree(folder, ignore_errors=True)
    return len(over)

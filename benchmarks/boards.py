"""Cuttings of the DeepPCB boards that show defects of one type, or none."""

import csv
from collections import defaultdict
from collections.abc import Sequence

import numpy as np

from common import DATA

BOARDS = DATA / "A-deeppcb"
SIDE_PX = 640
GOOD = "good"
Boxes = list[tuple[str, np.ndarray]]
"""Type and x, y, x, y in pixels of the board."""


def boxes() -> dict[str, Boxes]:
    """Of every tested board, by the file in `BOARDS`."""
    found: dict[str, Boxes] = defaultdict(list)
    for row in csv.DictReader((BOARDS / "boxes.csv").open(encoding="utf-8")):
        sides = [int(row[side]) for side in ("xmin", "ymin", "xmax", "ymax")]
        found[row["file"]].append((row["class"], np.array(sides)))
    return found


def pairs() -> list[dict[str, str]]:
    """Tested boards and their templates, as published."""
    return list(csv.DictReader((BOARDS / "pairs.csv").open(encoding="utf-8")))


def corner(
    boxes: Sequence[tuple[str, np.ndarray]],
    kind: str,
    rng: np.random.Generator,
    *,
    cut_px: int,
    jitter_px: int,
) -> tuple[int, int] | None:
    """Where a square cutting shows the wanted type and no other; None: nowhere that was tried."""
    last = SIDE_PX - cut_px
    own = [box for name, box in boxes if name == kind]
    for _ in range(20):
        if kind == GOOD:
            x, y = (int(v) for v in rng.integers(0, last, 2))
        elif own:
            box = own[rng.integers(len(own))]
            middle = (box[:2] + box[2:]) / 2 - cut_px / 2 + rng.integers(-jitter_px, jitter_px, 2)
            x, y = (int(v) for v in np.clip(middle, 0, last))
        else:
            return None
        if not any(name != kind and _touches(box, x, y, cut_px) for name, box in boxes):
            return x, y
    return None


def _touches(box: np.ndarray, x: int, y: int, cut_px: int) -> bool:
    return bool((box[2:] >= (x, y)).all() and (box[:2] <= (x + cut_px, y + cut_px)).all())

"""What the line app sees: screws on a block, position by position, and boxes on circuit boards.

Both on their stored test splits. Whatever was chosen (reference, regions, limits, margins) was
chosen on train pictures; the heads of the screws are made by the factory, which judges test once.
"""

import csv
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np
from PIL import Image

import tenfold
from boards import BOARDS, SIDE_PX, boxes, pairs
from common import DATA, empty_workspace, publish, watch
from tenfold.apps.line.align import Aligned, Lost, align, known, to_reference
from tenfold.apps.line.golden import differences
from tenfold.apps.line.part import Alignment, Golden, PartSpec
from tenfold.apps.line.reference import Reference
from tenfold.apps.line.regions import cut
from tenfold.errors import DataError
from tenfold.factory.evidence import of_model, read
from tenfold.factory.plan import plan
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

SCREWS = DATA / "B-screws-presence"
BLOCK = PartSpec.model_validate(
    {
        "part": "block-4",
        "reference": "images/001.jpg",
        "regions": [
            {
                "name": name,
                "box": box,
                "checks": [
                    {
                        "check": "assembly",
                        "head": "screws",
                        "thing": "screw",
                        "present": ["screw"],
                        "absent": ["hole"],
                    }
                ],
            }
            for name, box in {
                "top_left": [20, 81, 84, 145],
                "top_right": [174, 75, 238, 139],
                "bottom_left": [27, 257, 91, 321],
                "bottom_right": [185, 247, 249, 311],
            }.items()
        ],
    }
)
BOARD = Alignment(motion="affine", most_turn_deg=0, least_correlation=0.5, most_residual_px=5)
BOARD_CHECK = Golden.model_validate(
    {
        "check": "golden",
        "least_difference": 96,
        "tolerance_px": 1,
        "drift_px": 4,
        "least_width_px": 2,
        "least_area_px": 12,
    }
)
MARGIN_PX = 10
"""By which the people who labelled the boards drew their boxes larger than the defect."""
HIT_IOU = 0.33
"""As the set's authors count."""


def main() -> None:
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    publish(screws() | circuit_boards("test"))


def screws() -> dict[str, Any]:
    """Positions of the test pictures told right by a head that knows train pictures alone."""
    with TemporaryDirectory(prefix="tenfold-screws-") as folder, empty_workspace() as workspace:
        seen = _cut_all(Path(folder))
        made, rows = _taught(workspace, Path(folder))
        right = sum(row.decision == row.label for row in rows)
        return {
            "screw_accuracy": round(right / (len(rows) + 4 * seen.test_lost), 4),
            "screw_positions": len(rows) + 4 * seen.test_lost,
            "screw_wrong": [row.path for row in rows if row.decision != row.label],
            "screw_not_aligned": seen.lost,
            "screw_align_ms": round(float(np.median(seen.align_ms)), 1),
            "screw_rung": made.model.rung,
            "screw_looks": made.verdict.look,
        }


@dataclass(frozen=True, slots=True)
class CutSet:
    lost: list[str]
    test_lost: int
    align_ms: list[float]


def _cut_all(folder: Path) -> CutSet:
    """Regions of every picture as a dataset: one head tells screw from hole at all positions."""
    reference = Reference.of(_picture(SCREWS / BLOCK.reference), BLOCK.align)
    lost, test_lost, align_ms = list[str](), 0, list[float]()
    with (folder / "labels.csv").open("w", encoding="utf-8", newline="") as file:
        table = csv.writer(file)
        table.writerow(["path", "label", "group", "split", "position"])
        for row in csv.DictReader((SCREWS / "labels.csv").open(encoding="utf-8")):
            pixels = _picture(SCREWS / row["file"])
            began = time.perf_counter()
            found = align(pixels, reference)
            align_ms.append(1000 * (time.perf_counter() - began))
            if isinstance(found, Lost):
                lost.append(f"{row['file']}: {found.reason}")
                test_lost += row["split"] == "test"
                continue
            for region in cut(pixels, found, BLOCK.regions):
                stem = Path(row["file"]).stem
                path = f"{stem}-{region.name}.png"
                Image.fromarray(region.pixels).save(folder / path)
                label = "screw" if row[region.name] == "1" else "hole"
                table.writerow([path, label, stem, row["split"], region.name])
    return CutSet(lost, test_lost, align_ms)


def _taught(workspace: Workspace, folder: Path) -> tuple[Any, list[Any]]:
    tenfold.ingest(workspace, folder / "labels.csv", name="screws", format="csv", alike=True)
    spec = TaskSpec.model_validate(
        {
            "task": "screws",
            "dataset": "screws",
            "bar": {"error": 0.05},
            "split": {"stored": {"train": "fit", "test": "judge"}},
            "symmetry": "dihedral",
        }
    )
    made = tenfold.make(workspace, plan(workspace, spec), progress=watch("screws"))
    rows = [row for row in read(of_model(workspace.blobs, made.model)) if row.split == "judge"]
    return made, rows


def circuit_boards(split: str) -> dict[str, Any]:
    """Official boxes found by the difference to the aligned template, and boxes too many."""
    official = boxes()
    names = [pair for pair in pairs() if pair["split"] == split]
    with ThreadPoolExecutor(2) as threads:
        seen = list(threads.map(_board_boxes, names))
    found = hits = wanted = lost = 0
    for pair, drawn in zip(names, seen, strict=True):
        true = np.array([box for _, box in official[pair["test_image"]]], float).reshape(-1, 4)
        lost += drawn is None
        given = np.zeros((0, 4)) if drawn is None else drawn
        found, wanted = found + len(given), wanted + len(true)
        hits += _hits(given, true)
    return {
        "board_box_recall": round(hits / wanted, 4),
        "board_false_boxes": round((found - hits) / len(names), 3),
        "boards": len(names),
        "board_boxes": wanted,
        "boards_not_aligned": lost,
    }


def _board_boxes(pair: dict[str, str]) -> np.ndarray | None:
    """x, y, x, y in pixels of the tested board; None: it cannot be aligned."""
    template, tested = (_picture(BOARDS / pair[f"{side}_image"]) for side in ("template", "test"))
    reference = _board_reference(template)
    found = align(tested, reference)
    if not isinstance(found, Aligned):
        return None
    aligned = to_reference(tested, found, reference)
    seen = known(tested, found, reference)
    drawn = [one.box for one in differences(aligned, template, BOARD_CHECK, known=seen)]
    corners = np.array(drawn, float).reshape(-1, 2) @ found.transform[:, :2].T
    moved = (corners + found.transform[:, 2]).reshape(-1, 4)
    larger = moved + np.array([-MARGIN_PX, -MARGIN_PX, MARGIN_PX, MARGIN_PX])
    return larger.clip(0, SIDE_PX)


def _board_reference(template: np.ndarray) -> Reference:
    """A few templates show nothing at all: such a board is compared as it lies."""
    try:
        return Reference.of(template, BOARD)
    except DataError:
        return Reference.of(template, BOARD.model_copy(update={"motion": "fixed"}))


def _hits(found: np.ndarray, true: np.ndarray) -> int:
    """Boxes that meet, each at most once, those that overlap most first."""
    if not len(found) or not len(true):
        return 0
    overlap = _iou(found, true)
    pairs_by_overlap = sorted(
        zip(*np.nonzero(overlap > HIT_IOU), strict=True), key=_falling(overlap)
    )
    used_found, used_true = set[int](), set[int]()
    for i, j in pairs_by_overlap:
        if i not in used_found and j not in used_true:
            used_found.add(i)
            used_true.add(j)
    return len(used_true)


def _falling(overlap: np.ndarray) -> Any:
    return lambda pair: -overlap[pair]


def _iou(found: np.ndarray, true: np.ndarray) -> np.ndarray:
    near = np.maximum(found[:, None, :2], true[None, :, :2])
    far = np.minimum(found[:, None, 2:], true[None, :, 2:])
    both = np.prod((far - near).clip(0), axis=2)
    areas = [np.prod(side[:, 2:] - side[:, :2], axis=1) for side in (found, true)]
    return both / (areas[0][:, None] + areas[1][None] - both)


def _picture(path: Path) -> np.ndarray:
    with Image.open(path) as picture:
        return np.array(picture.convert("RGB"))


if __name__ == "__main__":
    main()

"""A home in which two part numbers are taught, on a trunk of milliseconds, and pictures of them."""

from pathlib import Path

import cv2
import numpy as np
import yaml
from PIL import Image

import tenfold
from parts_drawn import BOXES, plate, scratched
from tenfold.apps.line.align import Aligned, align
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.pictures import read
from tenfold.apps.line.reference import Reference
from tenfold.apps.line.regions import cut
from tenfold.serving.deploying import deploy
from tenfold.specs.bar import Bar
from tenfold.specs.task import Question, TaskSpec
from tenfold.workspace import Workspace
from workshop import add_tiny_trunk

STATION = "s1"
NUMBERS = ("4711", "4712")
"""The second has a square where the first has a disc: neither passes for the other."""
TAUGHT_FROM = 60
PICTURES = 24


def teach_plates(folder: Path) -> None:
    """`folder/home`, and `folder/pictures/good/NUMBER` and `bad/NUMBER`."""
    rng = np.random.default_rng(0)
    with tenfold.opened(folder / "home", actor="ann") as workspace:
        (scratch := folder / "scratch").mkdir()
        add_tiny_trunk(workspace.trunks_folder, scratch)
        for number in NUMBERS:
            _teach(workspace, number, scratch / number, rng)
    for number in NUMBERS:
        for kind in ("good", "bad"):
            _draw(folder / "pictures" / kind / number, number, kind == "bad", PICTURES, rng)


def _spec(number: str) -> PartSpec:
    check = {"check": "surface", "head": f"{STATION}-{number}"}
    regions = [{"name": "left", "box": BOXES["left"], "checks": [check]}]
    told = {"part": number, "reference": f"{number}.png", "align": {"motion": "fixed"}}
    return PartSpec.model_validate({**told, "regions": regions})


def _plate(number: str, rng: np.random.Generator, *, is_bad: bool = False) -> np.ndarray:
    pixels = plate(rng)
    if number == NUMBERS[1]:
        cv2.rectangle(pixels, (45, 75), (95, 125), (225, 225, 225), -1)
    return scratched(pixels, "left") if is_bad else pixels


def _draw(folder: Path, number: str, is_bad: bool, count: int, rng: np.random.Generator) -> None:
    folder.mkdir(parents=True)
    for n in range(count):
        light = rng.uniform(0.92, 1.08)
        pixels = np.clip(_plate(number, rng, is_bad=is_bad) * light, 0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(folder / f"{n:03d}.bmp")


def _teach(workspace: Workspace, number: str, scratch: Path, rng: np.random.Generator) -> None:
    """As `tenfold line teach` does, on another trunk."""
    spec, pixels = _spec(number), _plate(number, rng)
    reference, head = Reference.of(pixels, spec.align), spec.heads[0]
    for label in ("good", "scratch", "other"):
        shown = next(one for one in NUMBERS if (one == number) != (label == "other"))
        _draw(scratch / "seen" / label, shown, label == "scratch", TAUGHT_FROM, rng)
        (scratch / head / label).mkdir(parents=True)
        for path in sorted((scratch / "seen" / label).iterdir()):
            picture = read(path)
            found = align(picture, reference)
            if isinstance(found, Aligned):
                (cutting,) = cut(picture, found, spec.regions)
                Image.fromarray(cutting.pixels).save(scratch / head / label / f"{path.stem}.png")
    tenfold.ingest(workspace, scratch / head, name=head, format="image_folder", alike=True)
    question, bar = Question(negative=("good",)), Bar(overkill=0.3, escape=0.05)
    task = TaskSpec(task=head, dataset=head, question=question, bar=bar, trunk="tiny")
    (scratch / "task.yaml").write_text(task.to_yaml())
    tenfold.make_all(workspace, [str(scratch / "task.yaml")])
    deploy(workspace, head, head, unproven=True)
    parts = workspace.settings.home / "line" / STATION / "parts"
    parts.mkdir(parents=True, exist_ok=True)
    Image.fromarray(pixels).save(parts / f"{number}.png")
    plain = spec.model_dump(mode="json", exclude_defaults=True)
    (parts / f"{number}.yaml").write_text(yaml.safe_dump(plain, sort_keys=False))

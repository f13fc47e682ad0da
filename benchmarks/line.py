"""How quick a station is: from trigger to output, teaching, and changing over.

    python benchmarks/line.py [--parts 2000] [--numbers 2000] [--changes 1500]

The plant of `examples/line` (controller with conveyor over OPC UA, and a camera that puts pictures
into a folder) and a station in processes of their own. The pictures are real: a block with four
screw positions, turned and shifted, in changing light. Eight regions of it are taught from thirty
good pictures by `tenfold line teach`, timed as the command. `_ms` is by the controller's own clock,
from the moment it tells of a part until the verdict of that part is written to it. `outside_share`
is what of it went neither into the grab (with decoding) nor into trunk and heads (from asking them
to having all answers). For the rate the next part comes with the verdict of the one before.

Changing over: part numbers at random, each with a reference picture and a head of its own, of which
the station's memory holds a small share; from the trigger to the verdict, as above.
"""

import argparse
import csv
import json
import os
import signal
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import yaml
from PIL import Image

import tenfold
from common import DATA, empty_workspace, publish
from tenfold.apps.line.align import Aligned, align
from tenfold.apps.line.journal import Journal, Part
from tenfold.apps.line.kept import reference_of
from tenfold.apps.line.part import PartSpec
from tenfold.apps.line.parts import KEPT_FEATURES
from tenfold.apps.line.pictures import read
from tenfold.apps.line.regions import cut
from tenfold.catalog import deployments
from tenfold.catalog.deployments import Change
from tenfold.factory.make import make_those
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from plants import EXAMPLE, free_port
from serving_at import COMMAND

SCREWS = DATA / "B-screws-presence"
BOXES = {
    "top_left": [20, 81, 84, 145],
    "top_right": [174, 75, 238, 139],
    "bottom_left": [27, 257, 91, 321],
    "bottom_right": [185, 247, 249, 311],
    "top": [90, 81, 170, 145],
    "middle": [90, 160, 170, 240],
    "left": [20, 160, 84, 240],
    "bottom": [96, 252, 180, 316],
}
STATION, TAUGHT_FROM, REPEATS = "s1", 30, 3
STATION_FILE = """\
station: {station}
trigger: {{kind: controller}}
controller: {{kind: opcua, url: "opc.tcp://127.0.0.1:{port}", tags: {{prefix: "ns=2;s=Line."}}}}
camera: {{kind: folder, path: {shown}, order: newest, lead_ms: 50}}
deadline_ms: 1000
"""
READY_S = 300.0


@dataclass(frozen=True)
class Run:
    """What a conveyor is to bring."""

    numbers: Sequence[str]
    parts: int
    every_s: float
    patience_s: float = 0.0


def main() -> None:
    options = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    options.add_argument("--parts", type=int, default=2000)
    options.add_argument("--numbers", type=int, default=2000)
    options.add_argument("--changes", type=int, default=1500)
    asked = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    with tempfile.TemporaryDirectory(prefix="tenfold-line-") as name:
        folder = Path(name)
        _pictures(folder)
        homes = [_home(folder / f"home-{n}") for n in range(REPEATS)]
        taught = [_taught(folder, home, "block", BOXES) for home in homes]
        home = homes[-1]
        _taught(folder, home, "corner", dict(list(BOXES.items())[:1]))
        result = {"teach_seconds": statistics.median(taught), "teach_tries": taught}
        result |= _latency(folder, home, asked.parts)
        result |= _rates(folder, home, asked.parts // 4)
        if asked.numbers:
            with tenfold.opened(home, actor="ann") as workspace:
                _many(workspace, folder, asked.numbers)
            result |= _changeover(folder, home, asked)
        publish(result)


def _home(folder: Path) -> Path:
    """A home that knows this machine's precision."""
    with empty_workspace(folder):
        return folder


def _pictures(folder: Path) -> None:
    """`taught` from train, and what the conveyor brings: every picture of the set."""
    rows = list(csv.DictReader((SCREWS / "labels.csv").open(encoding="utf-8")))
    whole = [SCREWS / row["file"] for row in rows if row["code"] == "1111"]
    for name, files in (("taught", whole[:TAUGHT_FROM]), ("pictures/good", whole)):
        (folder / name).mkdir(parents=True)
        for file in files:
            (folder / name / file.name).symlink_to(file)
    (folder / "pictures" / "bad").mkdir()


def _taught(folder: Path, home: Path, part: str, boxes: dict[str, list[int]]) -> float:
    """Seconds of the command that teaches a part."""
    _part_file(folder / f"{part}.yaml", part, boxes)
    (folder / "station.yaml").write_text(
        STATION_FILE.format(station=STATION, port=1, shown=folder / "shown")
    )
    began = time.perf_counter()
    files = [folder / "station.yaml", folder / f"{part}.yaml", folder / "taught"]
    _tenfold(home, "line", "teach", *files)
    return round(time.perf_counter() - began, 1)


def _part_file(path: Path, part: str, boxes: dict[str, list[int]]) -> None:
    regions = [
        {"name": name, "box": box, "checks": [{"check": "surface", "head": f"{part}-{name}"}]}
        for name, box in boxes.items()
    ]
    reference = str(SCREWS / "images" / "001.jpg")
    path.write_text(yaml.safe_dump({"part": part, "reference": reference, "regions": regions}))


def _tenfold(home: Path, *words: Any) -> None:
    env = {**os.environ, "TENFOLD_HOME": str(home)}
    subprocess.run([*COMMAND, *map(str, words)], env=env, check=True, stdout=subprocess.DEVNULL)


def _latency(folder: Path, home: Path, parts: int) -> dict[str, Any]:
    ms, looks = _lived(folder, home, Run(["block"], parts, every_s=0.3))
    stages = {name: [look.times.get(name, 0.0) for look in looks] for name in looks[0].times}
    inside = [look.times["grab"] + look.times.get("heads", 0.0) for look in looks]
    outside = [1 - seen / all_ms for seen, all_ms in zip(inside, ms, strict=True)]
    return {
        "parts": len(ms),
        "p50_ms": _at(ms, 50),
        "p99_ms": _at(ms, 99),
        "p999_ms": _at(ms, 99.9),
        "outside_share": round(statistics.median(outside), 3),
        "stages_ms": {name: _at(values, 50) for name, values in stages.items()},
        "outcomes": _outcomes(looks),
    }


def _rates(folder: Path, home: Path, parts: int) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for regions, part in ((8, "block"), (1, "corner")):
        run = Run([part], parts, every_s=0.0, patience_s=2.0)
        told = _told(folder, home, run)
        seconds = max(told.values()) - min(told.values())
        found[f"parts_per_s_{regions}"] = round((len(told) - 1) / seconds, 1)
    return found


def _changeover(folder: Path, home: Path, asked: argparse.Namespace) -> dict[str, Any]:
    numbers = [f"n{n:04d}" for n in range(asked.numbers)]
    ms, looks = _lived(folder, home, Run(numbers, asked.changes, every_s=0.3))
    changes_ms = [
        now_ms
        for before, now, now_ms in zip(looks, looks[1:], ms[1:], strict=False)
        if before.part != now.part
    ]
    return {
        "part_numbers": asked.numbers,
        "changeovers": len(changes_ms),
        "changeover_p50_ms": _at(changes_ms, 50),
        "changeover_p99_ms": _at(changes_ms, 99),
        "changeover_stages_ms": {
            name: _at([look.times.get(name, 0.0) for look in looks], 50) for name in looks[-1].times
        },
    }


def _at(values: Sequence[float], percent: float) -> float:
    return round(float(np.percentile(values, percent)), 1)


def _outcomes(looks: Sequence[Part]) -> dict[str, int]:
    said = [f"{look.outcome}: {look.reason}" if look.reason else look.outcome for look in looks]
    return {one: said.count(one) for one in sorted(set(said))}


def _lived(folder: Path, home: Path, run: Run) -> tuple[list[float], list[Part]]:
    """Milliseconds from trigger to output, and the station's own record, part by part."""
    told = _told(folder, home, run)
    came = {one["sequence"]: one["came_s"] for one in _lines(folder / "gate.log")}
    journal = Journal(home / "line" / STATION / "journal.sqlite")
    looks = {look.sequence: look for look in journal.last(2 * run.parts)}
    journal.close()
    both = [sequence for sequence in sorted(told) if sequence in came and sequence in looks]
    assert len(both) > 0.99 * run.parts, (len(both), run.parts)
    return [1000 * (told[n] - came[n]) for n in both], [looks[n] for n in both]


def _told(folder: Path, home: Path, run: Run) -> dict[int, float]:
    """When each verdict was written, by sequence, on the clock of this machine."""
    for name in ("gate.log", "told.log"):
        (folder / name).unlink(missing_ok=True)
    for old in (home / "line" / STATION).glob("journal.sqlite*"):
        old.unlink()
    with _plant(folder, home, run) as controller:
        said = controller.communicate(timeout=60 + 3 * run.parts)[0]
    print(f"  {len(run.numbers)} part numbers: {said.strip()}", file=sys.stderr)
    return {one["sequence"]: one["at_s"] for one in _lines(folder / "told.log")}


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


@contextmanager
def _plant(folder: Path, home: Path, run: Run) -> "Generator[subprocess.Popen[str]]":
    """Camera, controller and station; the controller brings its first part once all is ready."""
    port, barrier = free_port(), free_port()
    (folder / "station.yaml").write_text(
        STATION_FILE.format(station=STATION, port=port, shown=folder / "shown")
    )
    camera = _example("camera.py", barrier, "--folder", folder / "shown")
    controller = _example(
        "controller.py", "--opcua", port, "--parts", run.parts, "--every", run.every_s,
        "--patience", run.patience_s, "--gate", 1.0, "--jitter", run.every_s / 10,
        "--numbers", ",".join(run.numbers), "--bad-share", 0, "--pictures", folder / "pictures",
        "--barrier", barrier, "--begin-ready", "--log", folder / "gate.log",
        "--told", folder / "told.log",
    )  # fmt: skip
    station = subprocess.Popen(
        [*COMMAND, "line", "run", str(folder / "station.yaml"), "--json"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.DEVNULL,
    )
    try:
        yield controller
    finally:
        station.send_signal(signal.SIGTERM)
        station.wait(60)
        for one in (controller, camera):
            one.kill()
            one.wait(10)


def _example(name: str, *words: Any) -> "subprocess.Popen[str]":
    command = [sys.executable, str(EXAMPLE / name), *map(str, words)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    assert process.stdout.readline() == "ready\n", name
    return process


def _many(workspace: Workspace, folder: Path, count: int) -> None:
    """Part numbers with a head of their own each, taught from one region of the same pictures:
    two thousand parts would be photographed for months."""
    box = BOXES["middle"]
    spec = PartSpec.model_validate(
        {"part": "any", "reference": "any.png", "regions": [{"name": "middle", "box": box,
         "checks": [{"check": "surface", "head": "any"}]}]}
    )  # fmt: skip
    pixels = read(SCREWS / "images" / "001.jpg")
    parts = workspace.settings.home / "line" / STATION / "parts"
    kept = parts / KEPT_FEATURES
    reference = reference_of(pixels, spec.align, kept / "any.safetensors")
    (folder / "middle" / "good").mkdir(parents=True)
    for file in sorted((folder / "taught").iterdir()):
        picture = read(file)
        found = align(picture, reference)
        if isinstance(found, Aligned):
            (cutting,) = cut(picture, found, spec.regions)
            Image.fromarray(cutting.pixels).save(folder / "middle" / "good" / f"{file.stem}.png")
    tenfold.ingest(workspace, folder / "middle", name="middle", format="image_folder", alike=True)
    numbers = [f"n{n:04d}" for n in range(count)]
    same = {"dataset": "middle", "kind": "anomaly", "rung": "gaussian", "size_px": 96}
    same |= {"question": {"negative": ["good"]}, "bar": {"overkill": 0.05}}
    tasks = [
        TaskSpec.model_validate({**same, "task": number, "seed": n})
        for n, number in enumerate(numbers)
    ]
    made = make_those(workspace, tasks)
    changes = [Change(f"{one.task}-middle", "deploy", one.model.id, "measured") for one in made]
    deployments.change(workspace.scope, changes)
    for number in numbers:
        _part_file(parts / f"{number}.yaml", number, {"middle": box})
        (kept / f"{number}.safetensors").hardlink_to(kept / "any.safetensors")


if __name__ == "__main__":
    main()

"""Anomaly heads on real defects: quality per rung and for the ladder's choice, speed and memory.

Magnetic tiles: fitted on the defect-free pictures of the stored train split, judged on the stored
test split (its good and its defective pictures). ELPV: per cell type, random 70/30 splits; fitted
on functional cells (probability ≤ 0.5), judged on the rest.
The rung is chosen on train alone: its goods in three folds, each scored by the head of the other
two against the defects of train. No rung, parameter or threshold was chosen on the judged part.
"""

import argparse
import hashlib
import json
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import anomaly_peer
from common import DATA, data_hash, publish
from tenfold.factory.embed import embed
from tenfold.factory.ladder import Rung, rungs_for
from tenfold.factory.reading import map_batches
from tenfold.features import FeatureStore
from tenfold.formats import csv_table, elpv
from tenfold.formats.row import Row
from tenfold.heads import recipe
from tenfold.heads.patches import upsampled
from tenfold.metrics.anomaly import pixel_auroc, region_overlap
from tenfold.metrics.classification import auroc
from tenfold.trunks import load_trunk
from tenfold.trunks.graph import map_name
from tenfold.trunks.runtimes import runtime_version
from tenfold.values import FeatureSpace, MapBatch

TILES = DATA / "A-magnetic-tile"
ELPV_SEEDS = 3
FOLDS = 3
STREAMED = 10_000


@dataclass(frozen=True, slots=True)
class Picture:
    path: Path
    is_bad: bool
    mask: Path | None = None

    @property
    def sample(self) -> str:
        return hashlib.sha256(str(self.path).encode()).hexdigest()


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    train: list[Picture]
    judge: list[Picture]
    symmetry: str


class Bench:
    """One feature store; every picture passes a trunk once per size and view."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.store = FeatureStore(folder / "features", limit_bytes=40_000_000_000)

    def space(self, rung: Rung, view: int) -> FeatureSpace:
        (given,) = rung.inputs
        trunk = load_trunk(given.trunk, self.folder)
        return FeatureSpace(
            trunk=trunk.digest,
            size_px=given.size_px or trunk.size_px,
            fit=given.fit,
            view=view,
            precision="fp32",
            runtime=runtime_version("openvino"),
        )

    def embed(self, rung: Rung, pictures: Sequence[Picture], *, views: Sequence[int]) -> None:
        strides = made(rung).strides
        embed(
            self.store,
            load_trunk(rung.inputs[0].trunk, self.folder),
            [self.space(rung, view) for view in views],
            [(p.sample, p.path.read_bytes) for p in pictures],
            [map_name(s) for s in strides],
        )

    def maps(
        self, rung: Rung, pictures: Sequence[Picture], *, views: Sequence[int] = (0,)
    ) -> Iterator[MapBatch]:
        samples = [p.sample for p in pictures]
        for view in views:
            yield from map_batches(self.store, self.space(rung, view), made(rung).strides, samples)

    def fit(self, rung: Rung, goods: Sequence[Picture]) -> Any:
        views = rung.inputs[0].views
        self.embed(rung, goods, views=views)
        with threadpool_limits(1, user_api="blas"):
            return made(rung).fit(
                lambda: self.maps(rung, goods, views=views), rng=np.random.default_rng(0)
            )

    def score(self, rung: Rung, head: Any, pictures: Sequence[Picture]) -> tuple[Any, Any, Any]:
        """Image scores, score maps and content boxes."""
        self.embed(rung, pictures, views=(0,))
        image, maps, boxes = [], [], []
        for batch in self.maps(rung, pictures):
            scores = head.score(batch)
            image.append(scores.image)
            maps.append(scores.maps)
            boxes.append(batch.content_xyxy)
        return np.concatenate(image), np.concatenate(maps), np.concatenate(boxes)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--peer", action="store_true", help="also run anomalib, in its own venv")
    options.add_argument("--sets", default="tiles,elpv")
    options.add_argument("--stream", help=argparse.SUPPRESS)
    chosen = options.parse_args()
    if chosen.stream:
        stream(json.loads(chosen.stream))
        return
    with tempfile.TemporaryDirectory(prefix="tenfold-anomaly-") as folder:
        publish(measured(Path(folder), chosen.sets.split(","), peer=chosen.peer))


def measured(folder: Path, sets: Sequence[str], *, peer: bool) -> dict[str, Any]:
    bench = Bench(folder)
    ours: dict[str, Any] = {}
    tiles = tile_case() if "tiles" in sets else None
    cold = cold_seconds(folder, tiles) if tiles else None
    cases = ([tiles] if tiles else []) + (elpv_cases() if "elpv" in sets else [])
    for case in cases:
        ours[case.name] = climbed(bench, case)
        print(f"{case.name}: {json.dumps(ours[case.name])}", file=sys.stderr)
    result: dict[str, Any] = {"ours": ours, "cold_seconds_by_rung": cold}
    result["magnetic_tile_auroc"] = None
    result |= {"peer": None, "auroc_delta": None, "fit_speedup_cold": None}
    if tiles:
        best = ours["magnetic_tile"]
        result["magnetic_tile_auroc"] = best["rungs"][best["choice"]]["image_auroc"]
        result["peak_mb_10k_images"] = streamed_peak_mb(bench, best["choice"], tiles)
        result["data"] = data_hash([p.path for p in tiles.train + tiles.judge])
        if peer:
            result |= against_peer(folder, tiles, result)
    return result


def tile_case() -> Case:
    splits: dict[str, list[Picture]] = {"train": [], "test": []}
    for row in csv_table.read(TILES / "labels.csv"):
        if isinstance(row, Row) and row.split:
            is_bad = row.labels != ("free",)
            splits[row.split].append(Picture(row.file, is_bad, row.mask_file))
    return Case("magnetic_tile", splits["train"], splits["test"], "flips")


def elpv_cases() -> list[Case]:
    cases: list[Case] = []
    rows = list(elpv.read())
    for cell in ("mono", "poly"):
        pictures = [
            Picture(row.file, row.labels == ("defective",))
            for row in rows
            if row.attributes["cell"] == cell
        ]
        for seed in range(ELPV_SEEDS):
            order = np.random.default_rng(seed).permutation(len(pictures))
            cut = round(0.7 * len(order))
            train, judge = ([pictures[i] for i in part] for part in (order[:cut], order[cut:]))
            cases.append(Case(f"elpv_{cell}_{seed}", train, judge, "dihedral"))
    return cases


def climbed(bench: Bench, case: Case) -> dict[str, Any]:
    """Every rung on one case, and the one that train chose."""
    rungs = {r.name: r for r in rungs_for("anomaly", case.symmetry)}
    found = {name: on_rung(bench, case, rung) for name, rung in rungs.items()}
    choice = max(found, key=lambda name: found[name]["train_auroc"])
    return {"choice": choice, "image_auroc": found[choice]["image_auroc"], "rungs": found}


def on_rung(bench: Bench, case: Case, rung: Rung) -> dict[str, float]:
    goods = [p for p in case.train if not p.is_bad]
    bads = [p for p in case.train if p.is_bad]
    bench.embed(rung, case.train + case.judge, views=(0,))
    bench.embed(rung, goods, views=rung.inputs[0].views)
    order = np.random.default_rng(0).permutation(len(goods)) % FOLDS
    inside: list[float] = []
    for fold in range(FOLDS):
        held = [g for g, f in zip(goods, order, strict=True) if f == fold]
        head = bench.fit(rung, [g for g, f in zip(goods, order, strict=True) if f != fold])
        inside.append(image_auroc(held + bads, bench.score(rung, head, held + bads)[0]))
    began = time.perf_counter()
    head = bench.fit(rung, goods)
    fitted = time.perf_counter()
    image, maps, boxes = bench.score(rung, head, case.judge)
    scored = time.perf_counter()
    result = {
        "train_auroc": round(float(np.mean(inside)), 4),
        "image_auroc": image_auroc(case.judge, image),
        "warm_fit_seconds": round(fitted - began, 2),
        "score_ms": round(1000 * (scored - fitted) / len(image), 2),
        "head_bytes": sum(a.nbytes for a in head.arrays().values()),
    }
    if any(p.mask for p in case.judge):
        result |= pixels(case.judge, maps, boxes)
    return result


def image_auroc(pictures: Sequence[Picture], scores: np.ndarray) -> float:
    return round(auroc(np.array([int(p.is_bad) for p in pictures]), scores), 4)


def pixels(pictures: Sequence[Picture], maps: np.ndarray, boxes: np.ndarray) -> dict[str, float]:
    """Pixel AUROC and per-region overlap at the size of the pictures."""
    found: list[np.ndarray] = []
    truth: list[np.ndarray] = []
    for picture, score_map, box in zip(pictures, maps, boxes, strict=True):
        width, height = Image.open(picture.path).size
        found.append(upsampled(score_map, box, width_px=width, height_px=height))
        is_defect = np.zeros((height, width), bool)
        if picture.mask:
            is_defect = np.asarray(Image.open(picture.mask).convert("L")) > 127
        truth.append(is_defect)
    return {
        "pixel_auroc": round(pixel_auroc(found, truth), 4),
        "region_overlap": round(region_overlap(found, truth), 4),
    }


def cold_seconds(folder: Path, case: Case) -> dict[str, float]:
    """Files on disk → fitted head with nothing cached, trunk compilation included."""
    goods = [p for p in case.train if not p.is_bad]
    seconds: dict[str, float] = {}
    for rung in rungs_for("anomaly", "none"):
        with tempfile.TemporaryDirectory(dir=folder) as empty:
            began = time.perf_counter()
            Bench(Path(empty)).fit(rung, goods)
            seconds[rung.name] = round(time.perf_counter() - began, 2)
    return seconds


def streamed_peak_mb(bench: Bench, rung: str, case: Case) -> float:
    """Peak memory of a fresh process that fits on 10,000 pictures (files repeat)."""
    goods = [str(p.path) for p in case.train if not p.is_bad]
    task = {"folder": str(bench.folder), "rung": rung, "goods": goods}
    run = subprocess.run(
        [sys.executable, __file__, "--stream", json.dumps(task)],
        capture_output=True,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])["peak_mb"]


def stream(task: dict[str, Any]) -> None:
    bench = Bench(Path(task["folder"]))
    rung = next(r for r in rungs_for("anomaly", "flips") if r.name == task["rung"])
    goods = [Picture(Path(p), False) for p in task["goods"]]

    def batches() -> Iterator[MapBatch]:
        seen = 0
        while seen < STREAMED:
            for batch in bench.maps(rung, goods):
                yield batch
                seen += len(batch)
                if seen >= STREAMED:
                    return

    made(rung).fit(batches, rng=np.random.default_rng(0))
    print(json.dumps({"peak_mb": anomaly_peer.peak_mb()}))


def against_peer(folder: Path, case: Case, result: dict[str, Any]) -> dict[str, Any]:
    peer = anomaly_peer.run(
        folder,
        goods=[str(p.path) for p in case.train if not p.is_bad],
        judge=[(str(p.path), p.is_bad) for p in case.judge],
    )
    best = max((m.get("image_auroc") or 0 for m in peer["methods"].values()), default=0)
    padim = peer["methods"].get("padim", {}).get("fit_seconds_cold")
    ours = result["cold_seconds_by_rung"]["gaussian"]
    return {
        "peer": peer,
        "auroc_delta": round(result["magnetic_tile_auroc"] - best, 4) if best else None,
        "fit_speedup_cold": round(padim / ours, 1) if padim else None,
    }


def made(rung: Rung) -> Any:
    return recipe(rung.recipe, **rung.params)


if __name__ == "__main__":
    main()

"""A missed defect teaches: recall of its type before and after one, three and ten reports.

Goods are divided by the seed: half fit, a quarter calibrates, a quarter shows overkill.
No defect fits or calibrates: the threshold is set on goods, as where overkill is bounded at 0.1.
Of each type, pictures that the untaught head lets pass are reported, drawn by the seed; recall is
taken on the pictures of the type that were never reported, the same for one, three and ten reports,
and on all pictures of other types. Near-duplicates are left out. ELPV knows no types, no regions.
The method was chosen on the types called development; the others were looked at afterwards.
"""

import argparse
import json
import sys
import tempfile
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from PIL import Image
from threadpoolctl import threadpool_limits

import boards as cuttings
from anomaly import Bench, Picture, made
from common import DATA, data_hash, publish
from tenfold.factory.calibrate import threshold
from tenfold.factory.duplicates import near_groups, perceptual_hash, thumbnail
from tenfold.factory.ladder import Rung, rungs_for
from tenfold.factory.reading import one_of
from tenfold.formats import csv_table, elpv
from tenfold.formats.pixels import decode
from tenfold.formats.row import Row
from tenfold.heads.taught import MOST_LESSONS, Lessons, Miss, TaughtScorer
from tenfold.specs.bar import Bar

TILES = DATA / "A-magnetic-tile"
DEVELOPMENT = {("tiles", "blowhole"), ("tiles", "break")} | {
    ("boards", kind) for kind in ("mousebite", "open", "spur")
}
REPORTS = (1, 3, 10)
SPARE = 3
"""Pictures let pass that must be left beside the reported ones."""
BAR = Bar(overkill=0.1)
CROP_PX = 160
JITTER_PX = 30
CROPS_A_TYPE, CROPS_GOOD = 45, 220
CELLS_GOOD, CELLS_BAD = 240, 150


@dataclass(frozen=True, slots=True)
class Case:
    name: str
    goods: list[Picture]
    types: dict[str, list[Picture]]


@dataclass(frozen=True, slots=True, eq=False)
class Untaught:
    """A head of one seed and what it says of everybody."""

    head: Any
    threshold: float
    fit: list[Picture]
    calibrate: list[int]
    unseen: list[int]
    scores: np.ndarray


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--rung", default="gaussian_384")
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--sets", default="tiles,boards,cells")
    chosen = options.parse_args()
    rung = next(r for r in rungs_for("anomaly", "none") if r.name == chosen.rung)
    with tempfile.TemporaryDirectory(prefix="tenfold-miss-") as text:
        folder = Path(text)
        makers = {"tiles": tiles, "boards": lambda: boards(folder), "cells": cells}
        cases = [distinct(makers[name]()) for name in chosen.sets.split(",")]
        sets: dict[str, Any] = {}
        for case in cases:
            sets[case.name] = measured(Bench(folder), rung, case, seeds=chosen.seeds)
            print(f"{case.name}: {json.dumps(sets[case.name])}", file=sys.stderr)
        everyone = [p.path for c in cases for some in (c.goods, *c.types.values()) for p in some]
        publish(
            {
                "rung": rung.name,
                "seeds": chosen.seeds,
                "sets": sets,
                "overall": overall(sets, development=False),
                "overall_development": overall(sets, development=True),
                "data": data_hash(everyone),
            }
        )


def tiles() -> Case:
    found: dict[str, list[Picture]] = defaultdict(list)
    for row in csv_table.read(TILES / "labels.csv"):
        if isinstance(row, Row):
            is_bad = row.labels != ("free",)
            found[row.labels[0]].append(Picture(row.file, is_bad, row.mask_file))
    return Case("tiles", found.pop("free"), dict(found))


def cells() -> Case:
    """Some of the monocrystalline cells of ELPV, in an order that the labels do not set."""
    rows = [row for row in elpv.read() if row.attributes["cell"] == "mono"]
    goods: list[Picture] = []
    bads: list[Picture] = []
    for place in np.random.default_rng(0).permutation(len(rows)):
        is_bad = rows[place].labels == ("defective",)
        (bads if is_bad else goods).append(Picture(rows[place].file, is_bad))
    return Case("cells", goods[:CELLS_GOOD], {"defective": bads[:CELLS_BAD]})


def boards(folder: Path) -> Case:
    """Cuttings of tested boards, one a board, that show defects of one type or none."""
    boxes = cuttings.boxes()
    wanted = {kind: CROPS_A_TYPE for some in boxes.values() for kind, _ in some}
    wanted = {"good": CROPS_GOOD, **{kind: wanted[kind] for kind in sorted(wanted)}}
    found: dict[str, list[Picture]] = {kind: [] for kind in wanted}
    rng, templates = np.random.default_rng(0), set[bytes]()
    pairs = cuttings.pairs()
    for place in rng.permutation(len(pairs)):
        template = (cuttings.BOARDS / pairs[place]["template_image"]).read_bytes()
        kind = min(wanted, key=lambda one: len(found[one]) / wanted[one])
        if len(found[kind]) == wanted[kind]:
            break
        mine = boxes[pairs[place]["test_image"]]
        corner = None
        if template not in templates:
            corner = cuttings.corner(mine, kind, rng, cut_px=CROP_PX, jitter_px=JITTER_PX)
        templates.add(template)
        if corner is not None:
            name = folder / f"{kind}_{len(found[kind]):03}.png"
            found[kind].append(
                _cut(cuttings.BOARDS / pairs[place]["test_image"], mine, corner, name)
            )
    return Case("boards", found.pop("good"), found)


def _cut(
    board: Path, boxes: Sequence[tuple[str, np.ndarray]], corner: tuple[int, int], name: Path
) -> Picture:
    window = (*corner, corner[0] + CROP_PX, corner[1] + CROP_PX)
    Image.open(board).convert("L").crop(window).save(name)
    if name.name.startswith("good"):
        return Picture(name, False)
    region = np.zeros((640, 640), np.uint8)
    for _, (x0, y0, x1, y1) in boxes:
        region[y0 : y1 + 1, x0 : x1 + 1] = 255
    mask = name.with_name(f"mask_{name.name}")
    Image.fromarray(region).crop(window).save(mask)
    return Picture(name, True, mask)


def distinct(case: Case) -> Case:
    """The case with one picture of each group of near-duplicates."""
    everyone = [*case.goods, *(p for some in case.types.values() for p in some)]

    def pixels(place: int) -> np.ndarray:
        path = everyone[place].path
        return decode(path.read_bytes(), where=str(path))

    thumbs = np.stack([thumbnail(pixels(place)) for place in range(len(everyone))])
    hashes = np.array([perceptual_hash(thumb) for thumb in thumbs], np.uint64)
    again = {
        everyone[place]
        for group in near_groups(hashes, thumbs, pixels)
        for place in sorted(group)[1:]
    }
    types = {name: [p for p in some if p not in again] for name, some in case.types.items()}
    return Case(case.name, [p for p in case.goods if p not in again], types)


def measured(bench: Bench, rung: Rung, case: Case, *, seeds: int) -> dict[str, Any]:
    """Medians over the seeds, by type."""
    everyone = [*case.goods, *(p for some in case.types.values() for p in some)]
    bench.embed(rung, everyone, views=(0,))
    found: dict[str, list[dict[str, float]]] = {name: [] for name in case.types}
    for seed in range(seeds):
        with threadpool_limits(1, user_api="blas"):
            for name, rates in of_seed(bench, rung, case, everyone, seed=seed).items():
                found[name].append(rates)
    return {
        name: {
            "part": "development" if (case.name, name) in DEVELOPMENT else "reported",
            "pictures": len(case.types[name]),
            "seeds_with_ten_misses": len(some),
            **medians(some),
        }
        for name, some in found.items()
    }


def of_seed(
    bench: Bench, rung: Rung, case: Case, everyone: Sequence[Picture], *, seed: int
) -> dict[str, dict[str, float]]:
    """Rates by type; a type of which hardly anything is let pass is left out."""
    rng = np.random.default_rng(seed)
    before = untaught(bench, rung, case, everyone, rng)
    place = {picture: i for i, picture in enumerate(everyone)}
    mine = {name: np.array([place[p] for p in some]) for name, some in case.types.items()}
    reported: dict[str, np.ndarray] = {}
    for name, rows in mine.items():
        passed = rows[before.scores[rows] < np.float32(before.threshold)]
        if len(passed) >= max(REPORTS) + SPARE:
            reported[name] = rng.permutation(passed)[: max(REPORTS)]
    rates: dict[str, dict[str, float]] = {name: {} for name in reported}
    for ending, marked in (("", True), ("_without_region", False)):
        if not reported or not (marked or everyone[-1].mask):
            continue
        after = responses(bench, rung, before, everyone, reported, marked=marked)
        for name in reported:
            rows = {
                "recall": np.setdiff1d(mine[name], reported[name]),
                "overkill": np.array(before.unseen),
                "other_types_recall": np.concatenate(
                    [np.zeros(0, int), *(some for other, some in mine.items() if other != name)]
                ),
            }
            for what, some in rows.items():
                rates[name] |= rates_of(before, after[name], some, what, ending)
    return rates


def untaught(
    bench: Bench,
    rung: Rung,
    case: Case,
    everyone: Sequence[Picture],
    rng: np.random.Generator,
) -> Untaught:
    order = rng.permutation(len(case.goods))
    half, most = len(order) // 2, 3 * len(order) // 4
    fit = [case.goods[i] for i in order[:half]]
    head = bench.fit(rung, fit)
    scores = bench.score(rung, head, everyone)[0]
    calibrate, unseen = order[half:most].tolist(), order[most:].tolist()
    cut = threshold(scores[calibrate], np.zeros(len(calibrate), bool), BAR)
    return Untaught(head, cut, fit, calibrate, unseen, scores)


def responses(
    bench: Bench,
    rung: Rung,
    before: Untaught,
    everyone: Sequence[Picture],
    reported: dict[str, np.ndarray],
    *,
    marked: bool,
) -> dict[str, dict[int, np.ndarray]]:
    """By type and number of reports, the scores of everybody by the head that they taught.

    Lessons do not depend on each other before they are calibrated, so all are learnt at once.
    """
    rows = [i for some in reported.values() for i in some]
    assert len(rows) <= MOST_LESSONS, "lessons would be merged"
    misses = misses_of(bench, rung, [everyone[i] for i in rows], marked=marked)
    lessons = Lessons.learnt(made(rung), lambda: bench.maps(rung, before.fit), misses)
    peaks = np.concatenate([lessons.peaks(batch) for batch in bench.maps(rung, everyone)])
    after: dict[str, dict[int, np.ndarray]] = {}
    for number, name in enumerate(reported):
        first = number * max(REPORTS)
        some = {count: slice(first, first + count) for count in REPORTS}
        after[name] = {
            count: taught_scores(before, lessons, peaks, columns)[1]
            for count, columns in some.items()
        }
        head = TaughtScorer(
            before.head, taught_scores(before, lessons, peaks, some[max(REPORTS)])[0]
        )
        check(bench, rung, head, everyone[-4:], after[name][max(REPORTS)][-4:])
    return after


def taught_scores(
    before: Untaught, lessons: Lessons, peaks: np.ndarray, columns: slice
) -> tuple[Lessons, np.ndarray]:
    """Some of the lessons on the head's scale, and everybody's scores with them."""
    few = replace(
        lessons,
        directions=lessons.directions[:, columns],
        offsets=lessons.offsets[columns],
    )
    said = peaks[:, columns].max(1)
    scaled = few.calibrated(
        said[before.calibrate],
        scores=before.scores[before.calibrate],
        threshold=before.threshold,
    )
    slope = float(np.linalg.norm(scaled.directions) / np.linalg.norm(few.directions))
    shift = float(scaled.offsets[0] - slope * few.offsets[0])
    return scaled, np.maximum(before.scores, said * slope + shift)


def check(
    bench: Bench,
    rung: Rung,
    head: TaughtScorer,
    pictures: Sequence[Picture],
    wanted: np.ndarray,
) -> None:
    """The head itself says what was worked out from its lessons' responses."""
    np.testing.assert_allclose(bench.score(rung, head, pictures)[0], wanted, rtol=1e-3)


def misses_of(bench: Bench, rung: Rung, pictures: Sequence[Picture], *, marked: bool) -> list[Miss]:
    seen = [one_of(b, i) for b in bench.maps(rung, pictures) for i in range(len(b))]
    regions = [
        np.asarray(Image.open(p.mask).convert("L")) > 127 if marked and p.mask else None
        for p in pictures
    ]
    return [Miss(one, region) for one, region in zip(seen, regions, strict=True)]


def rates_of(
    before: Untaught, after: dict[int, np.ndarray], rows: np.ndarray, what: str, ending: str
) -> dict[str, float]:
    if not len(rows):
        return {}
    cut = np.float32(before.threshold)
    rates = {f"{what}_before": float((before.scores[rows] >= cut).mean())}
    for count, scores in after.items():
        rates[f"{what}_after_{count}{ending}"] = float((scores[rows] >= cut).mean())
    return rates


def medians(some: Sequence[dict[str, float]]) -> dict[str, float]:
    names = dict.fromkeys(name for rates in some for name in rates)
    return {
        n: round(float(np.median([rates[n] for rates in some if n in rates])), 4) for n in names
    }


def overall(sets: dict[str, Any], *, development: bool) -> dict[str, float]:
    """Medians over the types of one part, each type's own median counting once."""
    part = "development" if development else "reported"
    return medians(
        [
            {k: v for k, v in rates.items() if k.startswith(("recall", "overkill", "other"))}
            for types in sets.values()
            for rates in types.values()
            if rates["part"] == part
        ]
    )


if __name__ == "__main__":
    main()

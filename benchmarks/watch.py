"""The watch on real pictures: how often it alarms where nothing changed, how soon where it did.

Three sets: eyes (a lot is a person), ELPV (a lot is up to 60 cells of one type that follow each
other in the file; modules are not published) and steel (no lots: each picture is its own). Of each,
every second lot teaches a head, and the watch was developed on those of eyes and ELPV; all that is
reported is of the other lots, which were not looked at before. For each stream they are dealt out
anew: one half is the reference that judged the head, the other comes in production, lot after lot
in a random order, each lot whole and in the order of the file, again and again up to the length of
the stream. The watch runs with its defaults.

A null stream is PERIOD answers of unchanged pictures. In a changed stream QUIET answers come first,
then the change. Changes to pixels, a strong and a weak one each: a quarter or half of the light;
blur of 2 or 1 % of the longer side; a shift by an eighth or a sixteenth of both sides; noise of 20
or 10 grey levels. A new part type: the head and its reference know monocrystalline cells alone,
polycrystalline ones come; of the nine lots that are left of the former, half are the reference, or
all but one, so that there are the eight lots without which `drift` is not watched. A new defect
type: the head and its
reference know five kinds of steel defects, then every second picture shows the sixth.

    python benchmarks/watch.py [--streams 70] [--keep FOLDER]
"""

import argparse
import csv
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import elpv_dataset
import numpy as np
from PIL import Image, ImageFilter

from common import DATA, empty_workspace, publish
from tenfold.formats.pixels import decode
from tenfold.heads.classify_linear import LinearProbe
from tenfold.loop import watch
from tenfold.metrics.bounds import upper_bound
from tenfold.predictions import Projection
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.graph import VITALS
from tenfold.trunks.runtimes import compile_trunk, in_order, runtime_version
from tenfold.values import FeatureSpace
from tenfold.workspace import Workspace

PERIOD, QUIET, AFTER, PIECE = 10_000, 1_000, 3_000, 500
CHANGED_STREAMS = 10
"""For each change and set."""
CHANGED_PICTURES = 300
"""Pictures of a set that each change is made on; whole lots."""
CELLS_TOGETHER = 60
RULE = watch.Rule()


@dataclass(frozen=True, slots=True)
class Picture:
    path: Path
    lot: str
    label: str


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """Pictures as a head sees them."""

    pooled: np.ndarray
    projections: np.ndarray
    lots: np.ndarray
    labels: np.ndarray
    looks: np.ndarray

    def where(self, chosen: np.ndarray) -> "Shown":
        return Shown(*(getattr(self, name)[chosen] for name in self.__slots__))


@dataclass(frozen=True, slots=True, eq=False)
class Answered:
    """What a head says of every picture of a set."""

    projections: np.ndarray
    scores: np.ndarray
    said: np.ndarray
    lots: np.ndarray
    looks: np.ndarray

    def at(self, places: np.ndarray) -> watch.Answers:
        return watch.Answers(
            projections=self.projections[places],
            scores=self.scores[places],
            labels=tuple(self.said[places].tolist()),
            latency_ms=np.full(len(places), 10, np.float32),
            routes=tuple(map(str, range(len(places)))),
            at=np.arange(len(places), dtype=np.float64),
            looks=self.looks[places],
        )


@dataclass(frozen=True, slots=True, eq=False)
class Stream:
    reference: watch.Reference
    pieces: tuple[watch.Answers, ...]
    changes_at: int
    """Answers before the change; PERIOD: nothing changes."""


def eyes() -> list[Picture]:
    folder = DATA / "E-mrl-eyes"
    rows = sorted(_rows(folder), key=lambda row: row["file"])
    return [Picture(folder / row["file"], row["subject"], row["state"]) for row in rows]


def steel() -> list[Picture]:
    folder = DATA / "A-neu-det-steel"
    return [Picture(folder / row["file"], row["file"], row["class"]) for row in _rows(folder)]


def elpv() -> list[Picture]:
    folder = Path(elpv_dataset.__file__).parent / "data"
    found: list[Picture] = []
    number, together, before = 0, 0, ""
    for line in (folder / "labels.csv").read_text().splitlines():
        file, probability, kind = line.split()
        if kind != before or together == CELLS_TOGETHER:
            number, together, before = number + 1, 0, kind
        together += 1
        label = "defective" if float(probability) > 0.5 else "functional"
        found.append(Picture(folder / file, f"{kind}-{number:02d}", label))
    return found


SETS: dict[str, Callable[[], list[Picture]]] = {"eyes": eyes, "elpv": elpv, "steel": steel}


def darker(pixels: np.ndarray, place: int, share: float) -> np.ndarray:
    return (pixels * share).astype(np.uint8)


def blurred(pixels: np.ndarray, place: int, share: float) -> np.ndarray:
    flat = pixels[:, :, 0] if pixels.shape[2] == 1 else pixels
    radius = share * max(flat.shape[:2])
    return np.asarray(Image.fromarray(flat).filter(ImageFilter.GaussianBlur(radius)))


def shifted(pixels: np.ndarray, place: int, share: float) -> np.ndarray:
    height, width = pixels.shape[:2]
    return np.roll(pixels, (round(share * height), round(share * width)), (0, 1))


def noisy(pixels: np.ndarray, place: int, levels: float) -> np.ndarray:
    drawn = np.random.default_rng(place).normal(0, levels, pixels.shape)
    return np.clip(pixels + drawn, 0, 255).astype(np.uint8)


CHANGES = {
    "light_quarter": partial(darker, share=1 / 4),
    "light_half": partial(darker, share=1 / 2),
    "blur_2_percent": partial(blurred, share=0.02),
    "blur_1_percent": partial(blurred, share=0.01),
    "shift_eighth": partial(shifted, share=1 / 8),
    "shift_sixteenth": partial(shifted, share=1 / 16),
    "noise_20": partial(noisy, levels=20),
    "noise_10": partial(noisy, levels=10),
}


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--streams", type=int, default=70, help="null streams of each set")
    options.add_argument("--keep", type=Path, help="keep features here for the next run")
    asked = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    began = time.perf_counter()
    with TemporaryDirectory(prefix="tenfold-watch-") as folder, empty_workspace() as workspace:
        shown = everything(workspace, asked.keep or Path(folder))
    print(f"features: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    os.environ["OPENBLAS_NUM_THREADS"] = "1"  # of each worker: both cores have one
    with ProcessPoolExecutor(2, mp_context=get_context("spawn")) as pool:
        nulls = {name: null_streams(pool, shown[name, ""], asked.streams) for name in SETS}
        changes = changed_streams(pool, shown)
    publish(
        {
            **summed(nulls),
            **flat(changes),
            "by_set": {name: summed({name: ends}) for name, ends in nulls.items()},
            "changes": changes,
            "rule": RULE.model_dump(),
            "seconds": round(time.perf_counter() - began, 1),
        }
    )


def summed(nulls: dict[str, list[tuple[int, str] | None]]) -> dict[str, Any]:
    """Alarms within the period; the run length counts streams without alarm up to their end, so it
    is the answers of all streams over the alarms, or over three where there was none: then the
    average is longer at 95 % confidence."""
    ends = [end for some in nulls.values() for end in some]
    alarms = [end for end in ends if end is not None]
    answers = sum(end[0] if end else PERIOD for end in ends)
    kinds = sorted({kind for _, kind in alarms})
    return {
        "null_streams": len(ends),
        "alarms": len(alarms),
        "alarms_by_kind": {kind: sum(one == kind for _, one in alarms) for kind in kinds},
        "alarm_probability": round(len(alarms) / len(ends), 4),
        "alarm_probability_upper": round(upper_bound(len(alarms), len(ends), alpha=0.05), 4),
        "average_run_length": round(answers / (len(alarms) or 3)),
        "average_run_length_is_at_least": not alarms,
    }


def flat(changes: dict[str, Any]) -> dict[str, Any]:
    keys = ("found_share", "median_delay_images")
    return {f"{name}_{key}": change[key] for name, change in changes.items() for key in keys}


def null_streams(pool: ProcessPoolExecutor, shown: Shown, count: int) -> list[Any]:
    said, rest = answered(shown, shown)
    return list(pool.map(first_alarm, (null_stream(said, rest, seed) for seed in range(count))))


def changed_streams(pool: ProcessPoolExecutor, shown: dict[Any, Shown]) -> dict[str, Any]:
    found: dict[str, Any] = {}
    for change in CHANGES:
        by_set = {
            name: measured(pool, pixel_change(shown[name, ""], shown[name, change]))
            for name in SETS
        }
        found[change] = joined(by_set)
    for name, spared in (("new_part_type", 1), ("new_part_type_four_lots", None)):
        streams = new_part(shown["elpv", ""], spared=spared)
        found[name] = joined({"elpv": measured(pool, streams)})
    found["new_defect_type"] = joined({"steel": measured(pool, new_defect(shown["steel", ""]))})
    return found


def joined(by_set: dict[str, list[tuple[float, str]]]) -> dict[str, Any]:
    every = [end for ends in by_set.values() for end in ends]
    return {
        **_found(every),
        "found_by": dict(Counter(kind for _, kind in every if kind).most_common()),
        "by_set": {name: _found(ends) for name, ends in by_set.items()},
    }


def _found(ends: Sequence[tuple[float, str]]) -> dict[str, Any]:
    """Alarms after the change; the delay counts what was not found as longer than all else."""
    delays = [delay for delay, _ in ends]
    middle = float(np.median(delays))
    return {
        "streams": len(delays),
        "found_share": round(float(np.isfinite(delays).mean()), 3),
        "median_delay_images": round(middle) if np.isfinite(middle) else None,
    }


def measured(pool: ProcessPoolExecutor, streams: Iterator[Stream]) -> list[tuple[float, str]]:
    """Answers from the change to the first alarm, and of which kind that was."""
    streams = list(streams)
    ends = pool.map(first_alarm, streams)
    # an alarm before the change is a false one; such a stream tells nothing of the delay
    return [
        (end[0] - stream.changes_at, end[1]) if end else (np.inf, "")
        for end, stream in zip(ends, streams, strict=True)
        if not end or end[0] > stream.changes_at
    ]


def first_alarm(stream: Stream) -> tuple[int, str] | None:
    """Of any kind: after how many answers, and which."""
    state = watch.begin(RULE, stream.reference)
    for piece in stream.pieces:
        state = watch.fold(RULE, stream.reference, state, piece)
        if alarms := watch.alarms(RULE, state):
            first = min(alarms, key=lambda alarm: alarm.at_answer)
            return first.at_answer, first.kind
    return None


def null_stream(said: Answered, rest: np.ndarray, seed: int) -> Stream:
    rng = np.random.default_rng(seed)
    reference, production = dealt(said, rest, rng)
    places = in_lots(said, production, PERIOD, rng)
    return Stream(reference_of(said, reference), _pieces([said.at(places)]), PERIOD)


def pixel_change(shown: Shown, changed: Shown) -> Iterator[Stream]:
    """Before and after the same lots come, those that the change was made on."""
    said, rest = answered(shown, shown)
    other, _ = answered(shown, changed)
    has_both = np.isin(said.lots, np.unique(other.lots))
    for seed in range(CHANGED_STREAMS):
        rng = np.random.default_rng(1_000 + seed)
        reference, production = dealt(said, rest, rng)
        production = production[has_both[production]]
        before = in_lots(said, production, QUIET, rng)
        mine = np.flatnonzero(np.isin(other.lots, np.unique(said.lots[production])))
        after = in_lots(other, mine, AFTER, rng)
        yield _changing(said, reference, [said.at(before), other.at(after)])


def new_part(shown: Shown, *, spared: int | None) -> Iterator[Stream]:
    is_new = np.char.startswith(shown.lots, "poly")
    known = shown.where(~is_new)
    said, rest = answered(known, known)
    other, _ = answered(known, shown.where(is_new))
    for seed in range(CHANGED_STREAMS):
        rng = np.random.default_rng(2_000 + seed)
        reference, production = dealt(said, rest, rng, spared=spared)
        before = in_lots(said, production, QUIET, rng)
        after = in_lots(other, np.arange(len(other.lots)), AFTER, rng)
        yield _changing(said, reference, [said.at(before), other.at(after)])


def new_defect(shown: Shown) -> Iterator[Stream]:
    """Each of the six kinds is the new one in turn."""
    kinds = np.unique(shown.labels)
    for seed in range(CHANGED_STREAMS):
        rng = np.random.default_rng(3_000 + seed)
        is_new = shown.labels == kinds[seed % len(kinds)]
        known = shown.where(~is_new)
        said, rest = answered(known, known)
        other, _ = answered(known, shown.where(is_new))
        reference, production = dealt(said, rest, rng)
        before = said.at(in_lots(said, production, QUIET, rng))
        old = said.at(in_lots(said, production, AFTER // 2, rng))
        new = other.at(in_lots(other, np.arange(len(other.lots)), AFTER // 2, rng))
        yield _changing(said, reference, [before, _by_turns(old, new)])


def answered(taught: Shown, asked: Shown) -> tuple[Answered, np.ndarray]:
    """What a head says that every second lot of `taught` taught; and the places of other lots."""
    teachers = teaching(taught.lots)
    teaches = np.isin(taught.lots, teachers)
    classes, truth = np.unique(taught.labels, return_inverse=True)
    targets = np.eye(len(classes), dtype=np.float32)[truth]
    head = LinearProbe().fit(
        taught.pooled[teaches][:, None], targets[teaches], rng=np.random.default_rng(0)
    )
    shares = head.score(asked.pooled[:, None])
    scores = shares[:, -1] if len(classes) == 2 else shares.max(1)
    said = Answered(
        asked.projections,
        scores.astype(np.float32),
        classes[shares.argmax(1)],
        asked.lots,
        asked.looks,
    )
    return said, np.flatnonzero(~np.isin(asked.lots, teachers))


def teaching(of: Sequence[str] | np.ndarray) -> np.ndarray:
    """Every second lot: those on which the watch was developed, too."""
    lots = np.unique(of)
    if len(lots) == len(of):  # no lots: the file is sorted by class
        lots = np.random.default_rng(0).permutation(lots)
    return lots[::2]


def dealt(
    said: Answered, rest: np.ndarray, rng: np.random.Generator, *, spared: int | None = None
) -> tuple[np.ndarray, np.ndarray]:
    """Places of the reference and of production: no lot is in both. So many lots are spared for
    production; None: half of them."""
    lots = rng.permutation(np.unique(said.lots[rest]))
    judging = len(lots) // 2 if spared is None else len(lots) - spared
    is_reference = np.isin(said.lots[rest], lots[:judging])
    return rest[is_reference], rest[~is_reference]


def in_lots(said: Answered, places: np.ndarray, count: int, rng: np.random.Generator) -> np.ndarray:
    """`count` places, lot after lot, none twice before each was there once."""
    lots = np.unique(said.lots[places])
    by_lot = {lot: places[said.lots[places] == lot] for lot in lots}
    found: list[np.ndarray] = []
    while sum(map(len, found)) < count:
        found += [by_lot[lot] for lot in rng.permutation(lots)]
    return np.concatenate(found)[:count]


def reference_of(said: Answered, places: np.ndarray) -> watch.Reference:
    return watch.Reference(
        projections=said.projections[places],
        scores=said.scores[places],
        labels=tuple(said.said[places].tolist()),
        groups=tuple(said.lots[places].tolist()),
        looks=said.looks[places],
    )


def _changing(said: Answered, reference: np.ndarray, parts: list[watch.Answers]) -> Stream:
    return Stream(reference_of(said, reference), _pieces(parts), QUIET)


def _pieces(parts: Sequence[watch.Answers]) -> tuple[watch.Answers, ...]:
    return tuple(
        _cut(part, slice(start, start + PIECE))
        for part in parts
        for start in range(0, len(part), PIECE)
    )


def _cut(part: watch.Answers, at: slice) -> watch.Answers:
    return replace(part, **{name: getattr(part, name)[at] for name in part.__slots__})


def _by_turns(old: watch.Answers, new: watch.Answers) -> watch.Answers:
    turns = np.arange(2 * len(old)).reshape(2, -1).T.ravel()
    both: dict[str, Any] = {}
    for name in old.__slots__:
        one, other = getattr(old, name), getattr(new, name)
        is_array = isinstance(one, np.ndarray)
        both[name] = (
            np.concatenate([one, other])[turns]
            if is_array
            else tuple((*one, *other)[turn] for turn in turns)
        )
    return watch.Answers(**both)


def everything(workspace: Workspace, folder: Path) -> dict[Any, Shown]:
    """Every set unchanged, and some of its lots under each change: through the trunk once."""
    found: dict[Any, Shown] = {}
    look = Look(workspace)
    for name, pictures_of in SETS.items():
        pictures = pictures_of()
        found[name, ""] = look.at(pictures, folder / f"{name}.npz")
        some = whole_lots(pictures)
        for change, changed in CHANGES.items():
            found[name, change] = look.at(some, folder / f"{name}-{change}.npz", changed)
        print(f"{name}: {len(pictures)} pictures, {len(some)} of them changed", file=sys.stderr)
    return found


def whole_lots(pictures: Sequence[Picture]) -> list[Picture]:
    every = [one.lot for one in pictures]
    lots = np.random.default_rng(1).permutation(np.setdiff1d(every, teaching(every)))
    chosen: list[Picture] = []
    for lot in lots:
        if len(chosen) < CHANGED_PICTURES:
            chosen += [one for one in pictures if one.lot == lot]
    return chosen


class Look:
    def __init__(self, workspace: Workspace) -> None:
        trunk = load_trunk("efficientnet_lite2", workspace.trunks_folder)
        space = FeatureSpace(
            trunk=trunk.digest,
            size_px=trunk.size_px,
            fit="squash",
            view=0,
            precision=workspace.precision,
            runtime=runtime_version("openvino"),
        )
        self._size_px = trunk.size_px
        self._compiled = compile_trunk(trunk, space, ("pooled",), streams=2)
        self._projection = Projection()

    def at(
        self,
        pictures: Sequence[Picture],
        kept: Path,
        changed: Callable[[np.ndarray, int], np.ndarray] | None = None,
    ) -> Shown:
        if not kept.is_file():
            kept.parent.mkdir(parents=True, exist_ok=True)
            outputs = in_order(self._compiled, self._canvases(pictures, changed))
            seen = [(one["pooled"][0], one["vitals"][0]) for _, one in outputs]
            pooled, vitals = (np.array(column) for column in zip(*seen, strict=True))
            np.savez(kept, pooled=pooled, vitals=vitals)
        arrays = np.load(kept)
        pooled, vitals = arrays["pooled"].astype(np.float32), arrays["vitals"]
        looks = vitals[:, [VITALS.index(name) for name in ("mean", "std", "sharpness")]]
        projected = np.array([self._projection.projected(row) for row in pooled], np.float32)
        lots, labels = ([getattr(one, name) for one in pictures] for name in ("lot", "label"))
        return Shown(pooled, projected, np.array(lots), np.array(labels), looks)

    def _canvases(
        self,
        pictures: Sequence[Picture],
        changed: Callable[[np.ndarray, int], np.ndarray] | None,
    ) -> Iterator[tuple[int, np.ndarray]]:
        for place, one in enumerate(pictures):
            pixels = decode(one.path.read_bytes(), where=one.path.name, max_pixels=10**9)
            if changed:
                pixels = changed(pixels, place).reshape(pixels.shape)
            yield place, canvas(pixels, size_px=self._size_px, fit="squash")[0]


def _rows(folder: Path) -> list[dict[str, str]]:
    with (folder / "labels.csv").open(encoding="utf-8") as file:
        return list(csv.DictReader(file))


if __name__ == "__main__":
    main()

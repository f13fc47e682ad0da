"""A line of magnetic tiles whose light changes and which later meets an unseen defect.

Every seed draws its own halves: one half of the pictures makes the first model, the other half,
each shown several times with small shifts of place and light, is the stream. One defect type is
kept out of the first half. Answers are those of the made heads on the features of the changed
pictures; everything else is the loop itself: segments, collector, watch, queue, labels, retraining,
shadow, canary. People label at once and always right.

Two arms see the same stream with the same audits and the same number of pictures a day to label:
`queue` labels what the loop picks, `random` labels answers drawn by lot. Counted are all labels,
audits and disagreements too, from a change until the true error of what is live is back within the
bar, on all pictures of the stream as they look now.
"""

import argparse
import os
import shutil
import statistics
import sys
import time
from collections.abc import Iterator
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import numpy as np

import tenfold
from common import DATA, empty_workspace, publish
from tenfold import packages
from tenfold.catalog import datasets, deployments, loops, models, picks
from tenfold.catalog.datasets import Item, Sample
from tenfold.catalog.picks import Pick
from tenfold.factory.duplicates import perceptual_hash, thumbnail
from tenfold.factory.reading import pooled_of
from tenfold.formats.pixels import as_bmp, decode
from tenfold.loop import flows, spec
from tenfold.loop.labelling import Opinion, label, words_of
from tenfold.loop.making import retrain
from tenfold.loop.state import LoopState
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, Projection, frame, pictures
from tenfold.predictions.collector import collect
from tenfold.runtime import LoadedHead
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

FOLDER = DATA / "A-magnetic-tile"
GOOD = "free"
TYPES = ("blowhole", "break", "crack", "fray", "uneven")
NAME = "line/tile"
SHOWN = 5
"""How often each picture of the stream half is shown in each light."""
DAY = 100
"""Answers a day."""
QUIET, DARK, NEW = 5, 12, 12
"""Days before the light changes, after it, and with the unseen defect."""
PER_DAY = 15
ESCAPE = OVERKILL = 0.2
START = datetime(2026, 3, 2, 23, 59, tzinfo=UTC)
RULES = """\
approve: rule
canary_share: 0.3
review: {{per_day: {per_day}, audit_ok: 0.02, audit_reject: 0.05}}
retrain: {{labels: 45, labels_after_alarm: 20, rest_minutes: 0}}
rollout: {{margin: 0.05, most: 2000, fewest_canary_answers: 20, latency_budget_ms: 1000}}
watch: {{baseline: 300, block: 20}}
"""


@dataclass(frozen=True)
class Shown:
    """A picture as the line sees it once."""

    sample: str
    truth: str
    kind: str
    base: str
    is_dark: bool


@dataclass
class Seen:
    """What one arm of one seed came to."""

    labels_after_light: int | None = None
    """None: not back within the bar before the stream went on."""
    labels_after_type: int | None = None
    images_to_alarm: int | None = None
    false_alarms: int = 0
    minutes: list[float] = field(default_factory=list)
    """From an alarm to a promotion, of computing; the line's own time is not counted."""
    worse_live: int = 0
    """Promotions of a head whose true error is worse by more than the margin."""
    promotions: int = 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=10)
    chosen = options.parse_args()
    if not FOLDER.is_dir():
        sys.exit(f"the magnetic tiles are not here: {FOLDER}")
    with TemporaryDirectory(prefix="tenfold-loop-") as folder:
        pool = filled(Path(folder) / "pool")
        arms: dict[str, list[Seen]] = {"queue": [], "random": []}
        for seed in range(chosen.seeds):
            for arm, seen in arms.items():
                began = time.perf_counter()
                seen.append(Line(Path(folder), pool, seed, arm).run())
                seconds = time.perf_counter() - began
                print(f"seed {seed} {arm}: {seen[-1]} {seconds:.0f} s", file=sys.stderr)
    publish(told(arms))


def told(arms: dict[str, list[Seen]]) -> dict[str, Any]:
    """Medians; a line that is not back in time counts with all labels that it had spent."""
    queue, chance = arms["queue"], arms["random"]
    delays = [one.images_to_alarm for one in queue if one.images_to_alarm is not None]
    result: dict[str, Any] = {"seeds": len(queue)}
    for name in ("labels_after_light", "labels_after_type"):
        for arm, seen in arms.items():
            spent = [getattr(one, name) for one in seen]
            known = [one for one in spent if one is not None]
            result[f"{name}_{arm}"] = statistics.median(known) if known else None
            result[f"{name}_{arm}_never"] = len(spent) - len(known)
    savings = [saved(a, b) for a, b in zip(queue, chance, strict=True)]
    known = [one for one in savings if one is not None]
    minutes = [m for one in queue for m in one.minutes]
    return result | {
        "images_to_alarm": statistics.median(delays) if delays else None,
        "alarmed": len(delays),
        "false_alarms": sum(one.false_alarms for one in queue + chance),
        "label_saving": round(statistics.median(known), 2) if known else None,
        "minutes_to_promotion": round(statistics.median(minutes), 2) if minutes else None,
        "promotions": sum(one.promotions for one in queue + chance),
        "worse_live": sum(one.worse_live for one in queue + chance),
    }


def saved(queue: Seen, chance: Seen) -> float | None:
    """Labels of the random arm over those of the queue, both changes together; None where either
    did not come back."""
    spent = [(one.labels_after_light, one.labels_after_type) for one in (queue, chance)]
    if any(part is None for pair in spent for part in pair):
        return None
    mine, theirs = (sum(part for part in pair if part is not None) for pair in spent)
    return theirs / max(1, mine)


def filled(home: Path) -> Path:
    """A home that has every picture as it may be shown, and its features."""
    with empty_workspace(home) as workspace:
        content = [kept(workspace, *one) for one in variants()]
        origin = ("csv", str(FOLDER), "tiles in two lights")
        datasets.put(workspace.scope, name="pool", origin=origin, content=content, set_aside=[])
        tenfold.embed(workspace, "pool", kinds=["classify"])
    return home


def variants() -> Iterator[tuple[str, str, bool, int, np.ndarray]]:
    """(base, kind, is dark, number, pixels) of everything that may be shown."""
    rng = np.random.default_rng(20260302)
    for kind in (GOOD, *TYPES):
        for file in sorted((FOLDER / "images" / kind).glob("*.jpg")):
            pixels = decode(file.read_bytes(), where=file.name)
            for is_dark in (False, True):
                for number in range(SHOWN + (not is_dark)):  # 0 in plain light: as it is
                    changed = pixels if not number and not is_dark else varied(pixels, rng)
                    if is_dark:
                        changed = darkened(changed)
                    yield file.name, kind, is_dark, number, changed


def varied(pixels: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    """Shifted by up to four pixels, and a little brighter or darker."""
    x, y = rng.integers(-4, 5, 2)
    moved = np.roll(pixels, (y, x), (0, 1)) * rng.uniform(0.96, 1.04)
    return np.clip(moved + rng.normal(0, 1, moved.shape), 0, 255).astype(np.uint8)


def darkened(pixels: np.ndarray) -> np.ndarray:
    """A lamp that fails on one side: half the light, falling off from left to right."""
    fall = np.linspace(0.75, 0.3, pixels.shape[1], dtype=np.float32)[None, :, None]
    return (pixels * fall).astype(np.uint8)


def kept(
    workspace: Workspace, base: str, kind: str, is_dark: bool, number: int, pixels: np.ndarray
) -> tuple[Sample, Item]:
    data = as_bmp(pixels)
    sample = workspace.blobs.put(data)
    height, width = pixels.shape[:2]
    phash = f"{perceptual_hash(thumbnail(pixels)):016x}"
    attributes = {"base": base, "dark": str(int(is_dark)), "number": str(number)}
    path = f"{kind}/{base}-{int(is_dark)}-{number}"
    item = Item(sample, path, (kind,), lot=base, attributes=attributes)
    return Sample(sample, width, height, "L", len(data), phash), item


class Line:
    """One arm of one seed."""

    def __init__(self, folder: Path, pool: Path, seed: int, arm: str) -> None:
        self._arm, self._seed = arm, seed
        self._rng = np.random.default_rng([seed, 1])
        self._lots = np.random.default_rng([seed, 2])
        self._home = folder / f"{seed}-{arm}"
        shutil.copytree(pool, self._home, copy_function=_linked)
        self._unseen = TYPES[seed % len(TYPES)]
        self._seen = Seen()
        self._spent = 0
        self._day = 0
        self._errors: dict[str, float] = {}
        self._projection = Projection()

    def run(self) -> Seen:
        with tenfold.opened(self._home, actor="bench") as workspace:
            self._begin(workspace)
            for _ in range(QUIET):
                self._live_a_day(workspace, is_dark=False, with_new=False)
            self._seen.false_alarms = len(self._state(workspace).alarmed)
            self._seen.labels_after_light = self._phase(workspace, DARK, with_new=False)
            self._seen.labels_after_type = self._phase(workspace, NEW, with_new=True)
        shutil.rmtree(self._home)
        return self._seen

    def _begin(self, workspace: Workspace) -> None:
        items = datasets.items_of(workspace.scope, "pool")
        bases = sorted({item.attributes["base"] for item in items})
        mine = set(self._rng.permutation(bases)[: len(bases) // 2].tolist())
        first = [
            item
            for item in items
            if item.attributes["base"] in mine
            and (item.attributes["dark"], item.attributes["number"]) == ("0", "0")
            and item.labels[0] != self._unseen
        ]
        content = [(datasets.sample(workspace.scope, item.sha256), item) for item in first]
        origin = ("csv", "tiles", "the first half")
        datasets.put(workspace.scope, name="tiles", origin=origin, content=content, set_aside=[])
        self._stream = [
            Shown(
                i.sha256,
                i.labels[0],
                i.labels[0],
                i.attributes["base"],
                i.attributes["dark"] == "1",
            )
            for i in items
            if i.attributes["base"] not in mine and i.attributes["number"] != "0"
        ]
        self._truth = {one.sample: one.truth for one in self._stream}
        self._truth |= {item.sha256: item.labels[0] for item in first}
        task = TaskSpec.model_validate(
            {
                "task": "tile",
                "dataset": "tiles",
                "question": {"negative": [GOOD]},
                "bar": {"escape": ESCAPE, "overkill": OVERKILL},
                "rung": "linear",
            }
        )
        made = tenfold.make(workspace, tenfold.plan(workspace, task))
        tenfold.deploy(workspace, NAME, made.model.id, unproven=True)
        rules = RULES.format(per_day=PER_DAY if self._arm == "queue" else 0)
        tenfold.watch(workspace, NAME, spec.parse(rules, where="benchmark"))
        self._words = words_of(workspace, deployments.get(workspace.scope, NAME))

    def _phase(self, workspace: Workspace, days: int, *, with_new: bool) -> int | None:
        """Labels from now on until what is live is right again; None: it is not in time."""
        before = self._spent
        for _ in range(days):
            if self._is_right(workspace, with_new=with_new):
                return self._spent - before
            self._live_a_day(workspace, is_dark=True, with_new=with_new)
        return self._spent - before if self._is_right(workspace, with_new=with_new) else None

    def _live_a_day(self, workspace: Workspace, *, is_dark: bool, with_new: bool) -> None:
        shown = self._drawn(is_dark=is_dark, with_new=with_new)
        self._answer(workspace, shown)
        before = set(self._state(workspace).alarmed)
        flows.take_in(workspace)
        fresh = set(self._state(workspace).alarmed) - before
        if fresh and is_dark and self._seen.images_to_alarm is None:
            self._seen.images_to_alarm = (self._day - QUIET + 1) * DAY
        if self._arm == "random":
            self._pick_by_lot(workspace, shown)
        self._label(workspace)
        self._steps(workspace, is_dark=is_dark, with_new=with_new)
        self._day += 1

    def _drawn(self, *, is_dark: bool, with_new: bool) -> list[Shown]:
        """A day's pictures: four of five are good, as on a line that has its troubles."""
        now = [s for s in self._stream if s.is_dark == is_dark]
        goods = [s for s in now if s.truth == GOOD]
        known = [s for s in now if s.truth not in (GOOD, self._unseen)]
        new = [s for s in now if s.kind == self._unseen] if with_new else []
        counts = [(goods, DAY * 4 // 5), (known, DAY // 5 - (DAY // 10 if new else 0))]
        counts += [(new, DAY // 10)] if new else []
        drawn = [
            some[i] for some, n in counts for i in self._rng.choice(len(some), n, replace=False)
        ]
        return [drawn[i] for i in self._rng.permutation(len(drawn))]

    def _answer(self, workspace: Workspace, shown: list[Shown]) -> None:
        """Record what live, shadow and canary say, as serving does."""
        now = deployments.get(workspace.scope, NAME)
        at = (START + timedelta(days=self._day)).timestamp()
        samples = [one.sample for one in shown]
        data = b""
        for role, model in (("live", now.live), ("shadow", now.shadow), ("canary", now.canary)):
            if not model:
                continue
            for n, (sample, said) in enumerate(
                zip(samples, self._said(workspace, model, samples), strict=True)
            ):
                is_canary = bool(now.canary) and n % 10 < 3
                if (role == "live" and is_canary) or (role == "canary" and not is_canary):
                    continue
                answer, pooled = said
                record = Answered(
                    id=f"{self._day}-{n}",
                    at=at + n / 100,
                    deployment=NAME,
                    role=role,
                    model=model,
                    sample=sample,
                    route=sample,
                    label=answer.decision,
                    score=answer.score,
                    latency_ms=20.0,
                    busy_ms=15.0,
                    generation=now.generation,
                )
                data += frame(record, self._projection.projected(pooled).tobytes())
        folder = workspace.answers_folder
        folder.mkdir(parents=True, exist_ok=True)
        head = (HEAD_BYTES + len(data)).to_bytes(HEAD_BYTES, "little")
        (folder / f"run-{self._day:04d}-0{SEGMENT}").write_bytes(head + data)
        today = datetime.fromtimestamp(at, UTC).date()
        for sample in samples:
            pictures.keep(folder, sample, workspace.blobs.get(sample), today=today, days=30)
        collect(workspace.scope, folder)

    def _said(self, workspace: Workspace, model: str, samples: list[str]) -> list[tuple[Any, Any]]:
        package = packages.of_model(workspace.blobs, models.get(workspace.scope, model))
        loaded = LoadedHead.of(package)
        features = pooled_of(workspace.features, package.manifest, samples)
        return list(zip(loaded.answer_features(features), features[:, 0], strict=True))

    def _pick_by_lot(self, workspace: Workspace, shown: list[Shown]) -> None:
        chosen = self._lots.choice(len(shown), PER_DAY, replace=False)
        some = [
            Pick(NAME, shown[i].sample, "novelty", worth=0.5, detail={"route": shown[i].sample})
            for i in chosen
        ]
        with workspace.scope.write() as connection:
            picks.put(connection, workspace.scope, some)

    def _label(self, workspace: Workspace) -> None:
        for one in picks.open_picks(workspace.scope, NAME):
            said = self._truth[one.sample]
            known = said if said in self._words else self._words[1]
            label(workspace, NAME, Opinion(one.sample, known))
            self._spent += 1

    def _steps(self, workspace: Workspace, *, is_dark: bool, with_new: bool) -> None:
        began = time.perf_counter()
        for _ in range(6):
            before = deployments.get(workspace.scope, NAME).live
            was_wrong = self._error(workspace, before, is_dark=is_dark, with_new=with_new)
            flows.reconcile(workspace, lambda kind, given, key: retrain(workspace, **given))
            now = deployments.get(workspace.scope, NAME).live
            if now != before:
                self._seen.promotions += 1
                self._seen.minutes.append((time.perf_counter() - began) / 60)
                is_wrong = self._error(workspace, now, is_dark=is_dark, with_new=with_new)
                self._seen.worse_live += is_wrong > was_wrong + 0.05

    def _error(self, workspace: Workspace, model: str, *, is_dark: bool, with_new: bool) -> float:
        return self._rates(workspace, model, is_dark=is_dark, with_new=with_new)[2]

    def _is_right(self, workspace: Workspace, *, with_new: bool) -> bool:
        live = deployments.get(workspace.scope, NAME).live
        escape, overkill, _ = self._rates(workspace, live, is_dark=True, with_new=with_new)
        return escape <= ESCAPE and overkill <= OVERKILL

    def _rates(
        self, workspace: Workspace, model: str, *, is_dark: bool, with_new: bool
    ) -> tuple[float, float, float]:
        """True rates on everything that the line may show now; where the unseen type comes, it is
        half of the defects, as in the stream."""
        now = [
            s for s in self._stream if s.is_dark == is_dark and (with_new or s.kind != self._unseen)
        ]
        said = [a.decision for a, _ in self._said(workspace, model, [s.sample for s in now])]
        wrong = np.array([(a == GOOD) != (s.truth == GOOD) for a, s in zip(said, now, strict=True)])
        good = np.array([s.truth == GOOD for s in now])
        new = np.array([s.kind == self._unseen for s in now])
        known = ~good & ~new
        escape = float(wrong[known].mean())
        if with_new:
            escape = (escape + float(wrong[new].mean())) / 2
        overkill = float(wrong[good].mean())
        return escape, overkill, 0.8 * overkill + 0.2 * escape

    def _state(self, workspace: Workspace) -> LoopState:
        return LoopState.from_json(loops.get(workspace.scope, NAME).state)


def _linked(source: str, target: str) -> None:
    """Blobs and features never change: one copy serves all seeds."""
    if Path(source).name.startswith("catalog"):
        shutil.copy2(source, target)
    else:
        os.link(source, target)


if __name__ == "__main__":
    main()

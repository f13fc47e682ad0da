"""A line of circuit boards that sunlight falls on and that later meets an unseen type of defect.

Pictures are cuttings of the tested boards of DeepPCB. These are binarised, so a camera is
simulated: copper and gaps in two greys, noise, a lamp that varies by 4 %, and later light from a
window on one side. Every seed draws its own two thirds of the boards: cuttings of these make the
first model, one good one of each; those of the last third are the stream. The first model knows
types where copper is too much; opens, where it is missing, come later. One in ten shows a defect;
once opens come they are half of those. Of the types that were left out such a head lets opens pass
most.
Answers are those of the made heads; everything else is the loop itself: segments, collector, watch,
queue, labels, retraining, shadow, canary. People label four times a day and are always right.

Two arms see the same stream with the same audits and the same number of pictures a day to label:
`queue` labels what the loop picks, `random` labels answers drawn by lot. Counted are all labels,
audits and disagreements too, from a change until the true error of what is live is back within the
bar, on all pictures of the stream as they look now. A line that is not back in time, after 30 days,
has spent at least what it had spent: with it `label_saving`, a ratio, is a lower bound where the
random arm is not back, and 0 where the queue is not. Rules are the usual ones, but for those that
a line of 500 pictures a day cannot wait for.

    python benchmarks/loop.py [--seeds 10] [--keep FOLDER]
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
from PIL import Image

import boards
import tenfold
from boards import GOOD
from common import empty_workspace, publish
from tenfold import packages
from tenfold.catalog import datasets, deployments, loops, models, picks
from tenfold.catalog.datasets import Item, Sample
from tenfold.catalog.picks import Pick
from tenfold.factory.duplicates import perceptual_hash, thumbnail
from tenfold.factory.reading import pooled_of
from tenfold.formats.pixels import as_bmp
from tenfold.loop import flows, spec
from tenfold.loop.labelling import Opinion, label, words_of
from tenfold.loop.making import retrain
from tenfold.loop.state import LoopState
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, Projection, frame, pictures
from tenfold.predictions.collector import collect
from tenfold.runtime import LoadedHead
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

KNOWN, UNSEEN = ("short", "spur", "copper"), "open"
NAME = "line/board"
CUT_PX, JITTER_PX = 96, 19
GOODS, BADS = (2, 3), (1, 2)
"""Cuttings of each board in plain light and with the window's."""
DAY, PARTS, PIECE = 500, 4, 25
"""Answers a day; how often people label and the loop goes on in it; how many answers come at once
while an alarm is waited for."""
QUIET, GLARE, NEW = 2, 30, 30
"""Days before the light changes, and at most after it and with the unseen defect."""
BAD_SHARE = 0.1
PER_DAY = 25
ESCAPE, OVERKILL = 0.15, 0.2
SPLIT = {"fit": 0.4, "calibrate": 0.2, "judge": 0.4}
"""So many judge that a head as good as the first can be proven a few times."""
MARGIN = 0.05
DAY_S = 86_400
START = datetime(2026, 3, 2, tzinfo=UTC)
RULES = """\
approve: rule
canary_share: 0.3
review: {{per_day: {per_day}}}
retrain: {{rest_minutes: 0}}
rollout: {{margin: {margin}, most: 2000, fewest_canary_answers: 20, latency_budget_ms: 1000}}
watch: {{baseline: 500}}
"""


@dataclass(frozen=True)
class Shown:
    """A picture as the line sees it once."""

    sample: str
    kind: str
    has_glare: bool


@dataclass
class Seen:
    """What one arm of one seed came to."""

    labels_after_light: int = 0
    is_back_after_light: bool = False
    """Within the bar, before the stream went on."""
    labels_after_type: int = 0
    is_back_after_type: bool = False
    images_to_alarm: int | None = None
    false_alarms: int = 0
    minutes: list[float] = field(default_factory=list)
    """From an alarm to the next promotion, of computing; the line's own time is not counted."""
    images: list[int] = field(default_factory=list)
    """From an alarm to the next promotion."""
    worse_live: int = 0
    """Promotions of a head whose true error is worse by more than the margin."""
    promotions: int = 0


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--seeds", type=int, default=10)
    options.add_argument("--keep", type=Path, help="where the pictures and features are kept")
    chosen = options.parse_args()
    if not boards.BOARDS.is_dir():
        sys.exit(f"the boards are not here: {boards.BOARDS}")
    with TemporaryDirectory(prefix="tenfold-loop-", dir=chosen.keep) as folder:
        pool = filled((chosen.keep or Path(folder)) / "pool")
        arms: dict[str, list[Seen]] = {"queue": [], "random": []}
        for seed in range(chosen.seeds):
            for arm, seen in arms.items():
                began = time.perf_counter()
                seen.append(Line(Path(folder), pool, seed, arm).run())
                seconds = time.perf_counter() - began
                print(f"seed {seed} {arm}: {seen[-1]} {seconds:.0f} s", file=sys.stderr)
    publish(told(arms))


def told(arms: dict[str, list[Seen]]) -> dict[str, Any]:
    """Medians over the seeds."""
    queue, chance = arms["queue"], arms["random"]
    delays = [one.images_to_alarm for one in queue if one.images_to_alarm is not None]
    result: dict[str, Any] = {"seeds": len(queue)}
    for change in ("light", "type"):
        for arm, seen in arms.items():
            spent = [getattr(one, f"labels_after_{change}") for one in seen]
            result[f"labels_after_{change}_{arm}"] = statistics.median(spent)
            back = [getattr(one, f"is_back_after_{change}") for one in seen]
            result[f"not_back_after_{change}_{arm}"] = back.count(False)
    savings = [saved(a, b) for a, b in zip(queue, chance, strict=True)]
    minutes = [m for one in queue + chance for m in one.minutes]
    images = [n for one in queue + chance for n in one.images]
    return result | {
        "images_to_alarm": statistics.median(delays) if delays else None,
        "alarmed": len(delays),
        "false_alarms": sum(one.false_alarms for one in queue + chance),
        "label_saving": round(statistics.median(savings), 2),
        "label_savings": [round(one, 2) for one in savings],
        "minutes_to_promotion": round(statistics.median(minutes), 2) if minutes else None,
        "images_to_promotion": statistics.median(images) if images else None,
        "promotions": sum(one.promotions for one in queue + chance),
        "worse_live": sum(one.worse_live for one in queue + chance),
    }


def saved(queue: Seen, chance: Seen) -> float:
    """Labels of the random arm over those of the queue, both changes together."""
    if not (queue.is_back_after_light and queue.is_back_after_type):
        return 0.0
    theirs = chance.labels_after_light + chance.labels_after_type
    return theirs / max(1, queue.labels_after_light + queue.labels_after_type)


def filled(home: Path) -> Path:
    """A home that has every picture as it may be shown, and its features."""
    with empty_workspace(home) as workspace:
        if not datasets.everything(workspace.scope):
            content = [kept(workspace, *one) for one in variants()]
            origin = ("csv", str(boards.BOARDS), "boards in two lights")
            datasets.put(workspace.scope, name="pool", origin=origin, content=content, set_aside=[])
        tenfold.embed(workspace, "pool", kinds=["classify"])
    return home


def variants() -> Iterator[tuple[str, str, bool, np.ndarray]]:
    """(board, kind, has glare, pixels) of everything that may be shown."""
    rng, boxes = np.random.default_rng(20260302), boards.boxes()
    for pair in boards.pairs():
        board = pair["test_image"]
        copper = np.asarray(Image.open(boards.BOARDS / board).convert("L")) > 0
        types = sorted({name for name, _ in boxes[board]})
        for has_glare in (False, True):
            wanted = [GOOD] * GOODS[has_glare] + rng.permutation(types)[: BADS[has_glare]].tolist()
            for kind in wanted:
                at = boards.corner(boxes[board], kind, rng, cut_px=CUT_PX, jitter_px=JITTER_PX)
                if at is not None:
                    x, y = at
                    cut = copper[y : y + CUT_PX, x : x + CUT_PX]
                    yield board, kind, has_glare, seen_by_camera(cut, rng, has_glare=has_glare)


def seen_by_camera(copper: np.ndarray, rng: np.random.Generator, *, has_glare: bool) -> np.ndarray:
    """Grey and noisy; with light from a window that adds up to 160 grey levels to one side."""
    grey = (60 + 150 * copper.astype(np.float32)) * rng.uniform(0.96, 1.04)
    if has_glare:
        grey += np.linspace(0, 160, grey.shape[1], dtype=np.float32)
    return np.clip(grey + rng.normal(0, 2, grey.shape), 0, 255).astype(np.uint8)[..., None]


def kept(
    workspace: Workspace, board: str, kind: str, has_glare: bool, pixels: np.ndarray
) -> tuple[Sample, Item]:
    data = as_bmp(pixels)
    sample = workspace.blobs.put(data)
    height, width = pixels.shape[:2]
    phash = f"{perceptual_hash(thumbnail(pixels)):016x}"
    attributes = {"board": board, "glare": str(int(has_glare))}
    item = Item(sample, f"{kind}/{sample}", (kind,), lot=board, attributes=attributes)
    return Sample(sample, width, height, "L", len(data), phash), item


class Line:
    """One arm of one seed."""

    def __init__(self, folder: Path, pool: Path, seed: int, arm: str) -> None:
        self._arm, self._seed = arm, seed
        self._rng = np.random.default_rng([seed, 1])
        self._lots = np.random.default_rng([seed, 2])
        self._home = folder / f"{seed}-{arm}"
        shutil.copytree(pool, self._home, copy_function=_linked)
        self._seen = Seen()
        self._spent = 0
        self._answered = 0
        self._answers: dict[str, dict[str, tuple[Any, Any]]] = {}
        """What each model says of every picture of the stream."""
        self._today: list[Shown] = []
        """What is still to come."""
        self._projection = Projection()
        self._since_alarm: tuple[float, int] | None = None
        """Seconds of computing and images since an alarm that no promotion has answered yet."""

    def run(self) -> Seen:
        with tenfold.opened(self._home, actor="bench") as workspace:
            self._begin(workspace)
            for _ in range(QUIET * PARTS):
                self._live(workspace, has_glare=False, with_new=False)
            self._seen.false_alarms = len(self._state(workspace).alarmed)
            seen, phase = self._seen, self._phase
            light = phase(workspace, GLARE, with_new=False)
            seen.labels_after_light, seen.is_back_after_light = light
            new = phase(workspace, NEW, with_new=True)
            seen.labels_after_type, seen.is_back_after_type = new
        shutil.rmtree(self._home)
        return self._seen

    def _begin(self, workspace: Workspace) -> None:
        items = datasets.items_of(workspace.scope, "pool")
        names = sorted({item.attributes["board"] for item in items})
        mine = set(self._rng.permutation(names)[: 2 * len(names) // 3].tolist())
        shown = {GOOD, *KNOWN}
        first = {
            (item.attributes["board"], item.labels[0]): item
            for item in items
            if item.attributes["board"] in mine
            and item.attributes["glare"] == "0"
            and item.labels[0] in shown
        }
        content = [(datasets.sample(workspace.scope, one.sha256), one) for one in first.values()]
        origin = ("csv", "boards", "two thirds of them")
        datasets.put(workspace.scope, name="boards", origin=origin, content=content, set_aside=[])
        self._stream = [
            Shown(item.sha256, item.labels[0], item.attributes["glare"] == "1")
            for item in items
            if item.attributes["board"] not in mine and item.labels[0] in shown | {UNSEEN}
        ]
        self._truth = {one.sample: one.kind for one in self._stream}
        self._truth |= {one.sha256: one.labels[0] for one in first.values()}
        task = TaskSpec.model_validate(
            {
                "task": "board",
                "dataset": "boards",
                "question": {"negative": [GOOD]},
                "bar": {"escape": ESCAPE, "overkill": OVERKILL},
                "rung": "linear",
                "split": SPLIT,
            }
        )
        made = tenfold.make(workspace, tenfold.plan(workspace, task))
        tenfold.deploy(workspace, NAME, made.model.id, unproven=True)
        rules = RULES.format(per_day=PER_DAY if self._arm == "queue" else 0, margin=MARGIN)
        tenfold.watch(workspace, NAME, spec.parse(rules, where="benchmark"))
        self._words = words_of(workspace, deployments.get(workspace.scope, NAME))

    def _phase(self, workspace: Workspace, days: int, *, with_new: bool) -> tuple[int, bool]:
        """Labels from now on until what is live is right again, and whether it ever is."""
        before, self._today = self._spent, []
        for _ in range(days * PARTS):
            if self._is_right(workspace, with_new=with_new):
                break
            self._live(workspace, has_glare=True, with_new=with_new)
        return self._spent - before, self._is_right(workspace, with_new=with_new)

    def _live(self, workspace: Workspace, *, has_glare: bool, with_new: bool) -> None:
        """Part of a day: answers come, people label, the loop goes on."""
        count = DAY // PARTS
        if not self._today:
            self._today = self._drawn(has_glare=has_glare, with_new=with_new)
        shown, self._today = self._today[:count], self._today[count:]
        is_waiting = has_glare and self._seen.images_to_alarm is None
        size = PIECE if is_waiting else count
        for start in range(0, count, size):
            self._answer(workspace, shown[start : start + size])
            began = time.perf_counter()
            flows.take_in(workspace)
            self._count(time.perf_counter() - began, size)
            if self._state(workspace).alarmed and self._since_alarm is None:
                self._since_alarm = (0.0, 0)
                if has_glare and self._seen.images_to_alarm is None:
                    self._seen.images_to_alarm = self._answered - QUIET * DAY
        if self._arm == "random":
            self._pick_by_lot(workspace, shown)
        self._label(workspace)
        self._steps(workspace, has_glare=has_glare, with_new=with_new)

    def _count(self, seconds: float, images: int = 0) -> None:
        if self._since_alarm is not None:
            self._since_alarm = (self._since_alarm[0] + seconds, self._since_alarm[1] + images)

    def _drawn(self, *, has_glare: bool, with_new: bool) -> list[Shown]:
        """A day's pictures."""
        now = [s for s in self._stream if s.has_glare == has_glare]
        goods = [s for s in now if s.kind == GOOD]
        known = [s for s in now if s.kind not in (GOOD, UNSEEN)]
        new = [s for s in now if s.kind == UNSEEN] if with_new else []
        bad = round(BAD_SHARE * DAY)
        counts = [(goods, DAY - bad), (known, bad // 2 if new else bad), (new, bad // 2)]
        counts = counts if new else counts[:2]
        drawn = [
            some[i] for some, n in counts for i in self._rng.choice(len(some), n, replace=False)
        ]
        return [drawn[i] for i in self._rng.permutation(len(drawn))]

    def _answer(self, workspace: Workspace, shown: list[Shown]) -> None:
        """Record what live, shadow and canary say, as serving does."""
        now, start = deployments.get(workspace.scope, NAME), self._answered
        first = START.timestamp()
        samples = [one.sample for one in shown]
        data = b""
        for role, model in (("live", now.live), ("shadow", now.shadow), ("canary", now.canary)):
            if not model:
                continue
            for n, (sample, said) in enumerate(
                zip(samples, self._said(workspace, model, samples), strict=True), start
            ):
                is_canary = bool(now.canary) and n % 10 < 3
                if (role == "live" and is_canary) or (role == "canary" and not is_canary):
                    continue
                answer, pooled = said
                record = Answered(
                    id=f"{n}",
                    at=first + n * DAY_S / DAY,
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
        (folder / f"run-{start:06d}{SEGMENT}").write_bytes(head + data)
        today = (START + timedelta(days=start // DAY)).date()
        for sample in samples:
            pictures.keep(folder, sample, workspace.blobs.get(sample), today=today, days=30)
        collect(workspace.scope, folder)
        self._answered += len(shown)

    def _said(self, workspace: Workspace, model: str, samples: list[str]) -> list[tuple[Any, Any]]:
        if model not in self._answers:
            package = packages.of_model(workspace.blobs, models.get(workspace.scope, model))
            loaded = LoadedHead.of(package)
            every = [one.sample for one in self._stream]
            features = pooled_of(workspace.features, package.manifest, every)
            both = zip(loaded.answer_features(features), features[:, 0], strict=True)
            self._answers[model] = dict(zip(every, both, strict=True))
        return [self._answers[model][sample] for sample in samples]

    def _pick_by_lot(self, workspace: Workspace, shown: list[Shown]) -> None:
        count = round(PER_DAY * self._answered / DAY) - round(
            PER_DAY * (self._answered - len(shown)) / DAY
        )
        chosen = self._lots.choice(len(shown), count, replace=False)
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

    def _steps(self, workspace: Workspace, *, has_glare: bool, with_new: bool) -> None:
        for _ in range(6):
            before = deployments.get(workspace.scope, NAME).live
            was_wrong = self._error(workspace, before, has_glare=has_glare, with_new=with_new)
            began = time.perf_counter()
            flows.reconcile(workspace, lambda kind, given, key: retrain(workspace, **given))
            self._count(time.perf_counter() - began)
            now = deployments.get(workspace.scope, NAME).live
            if now == before:
                continue
            is_wrong = self._error(workspace, now, has_glare=has_glare, with_new=with_new)
            self._seen.promotions += 1
            self._seen.worse_live += is_wrong > was_wrong + MARGIN
            if self._since_alarm is not None:
                self._seen.minutes.append(self._since_alarm[0] / 60)
                self._seen.images.append(self._since_alarm[1])
                self._since_alarm = None

    def _error(self, workspace: Workspace, model: str, *, has_glare: bool, with_new: bool) -> float:
        return self._rates(workspace, model, has_glare=has_glare, with_new=with_new)[2]

    def _is_right(self, workspace: Workspace, *, with_new: bool) -> bool:
        live = deployments.get(workspace.scope, NAME).live
        escape, overkill, _ = self._rates(workspace, live, has_glare=True, with_new=with_new)
        return escape <= ESCAPE and overkill <= OVERKILL

    def _rates(
        self, workspace: Workspace, model: str, *, has_glare: bool, with_new: bool
    ) -> tuple[float, float, float]:
        """True rates on everything that the line may show now; where the unseen type comes, it is
        half of the defects, as in the stream."""
        now = [
            s for s in self._stream if s.has_glare == has_glare and (with_new or s.kind != UNSEEN)
        ]
        said = [a.decision for a, _ in self._said(workspace, model, [s.sample for s in now])]
        wrong = np.array([(a == GOOD) != (s.kind == GOOD) for a, s in zip(said, now, strict=True)])
        good = np.array([s.kind == GOOD for s in now])
        new = np.array([s.kind == UNSEEN for s in now])
        known = ~good & ~new
        escape = float(wrong[known].mean())
        if with_new:
            escape = (escape + float(wrong[new].mean())) / 2
        overkill = float(wrong[good].mean())
        return escape, overkill, (1 - BAD_SHARE) * overkill + BAD_SHARE * escape

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

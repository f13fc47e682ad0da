"""Packages asked about pixels: one trunk, many heads, synchronous.

The same code answers in `predict`, in the parity gate and in serving, so what was judged is what
runs. Scores of stored features and of fresh pixels differ by nothing but the trunk's own rounding.
"""

import os
import sys
import threading
from collections.abc import Callable, Iterable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, UInt8

from tenfold.errors import IntegrityError
from tenfold.heads import fitted
from tenfold.heads.fitness import FitnessGate
from tenfold.packages import Golden, Manifest, Package, TrunkInput
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas, turned
from tenfold.trunks.graph import map_name
from tenfold.trunks.runtimes import Compiled, compile_trunk, runtime_version
from tenfold.values import FeatureSpace, MapBatch, Precision, Seen

UNFIT = "unfit"
LEAST_PRIORITY = 19
"""See nice(2)."""


@dataclass(frozen=True, slots=True, eq=False)
class Answer:
    """What a head says of one picture."""

    decision: str
    """A class name, several joined by `;` (multi-label; empty for none), or `unfit`."""
    scores: tuple[float, ...]
    """Probability per class; for anomaly heads the one anomaly score."""
    unfit: str = ""
    """Why nobody should judge this picture; empty when it is fit."""
    score: float = 0.0
    """Good or bad: how bad; otherwise: how sure of the decision."""
    score_map: Float32[np.ndarray, "gh gw"] | None = None
    """Anomaly scores over the square canvas."""


@dataclass(frozen=True, slots=True, eq=False)
class LoadedHead:
    """A package's head, ready to score."""

    manifest: Manifest
    head: Any
    gate: FitnessGate | None

    @classmethod
    def of(cls, package: Package) -> "LoadedHead":
        manifest = package.manifest
        head = fitted(manifest.head.name, dict(package.head))
        gate = FitnessGate.from_arrays(dict(package.gate)) if package.gate else None
        return cls(manifest, head, gate)

    @property
    def strides(self) -> tuple[int, ...]:
        """Maps the head reads; none for classify."""
        return tuple(self.head.strides) if self.manifest.kind == "anomaly" else ()

    def answers(self, seen: Seen) -> list[Answer]:
        """What the head says of pictures that passed the trunk."""
        if isinstance(seen, MapBatch):
            return self.answer_maps(seen)
        return self.answer_features(seen)

    def answer_features(self, features: Float32[np.ndarray, "n views dim"]) -> list[Answer]:
        """Answers of a classify head."""
        return self.classified(self.head.score(features))

    def classified(self, probabilities: Float32[np.ndarray, "n classes"]) -> list[Answer]:
        """Answers of a classify head that gives these probabilities."""
        is_binary = bool(self.manifest.thresholds) and not self.manifest.multi_label
        return [
            Answer(
                decision=decide(self.manifest, row),
                scores=tuple(float(p) for p in row),
                score=float(row[-1] if is_binary else row.max()),
            )
            for row in probabilities
        ]

    def unfit(self, batch: MapBatch) -> list[str]:
        """Per picture, why nobody should judge it; empty when it is fit."""
        return self.gate.reasons(batch) if self.gate else [""] * len(batch)

    def answer_maps(self, batch: MapBatch) -> list[Answer]:
        """Answers of an anomaly head."""
        scores = self.head.score(batch)
        reasons = self.unfit(batch)
        return [
            Answer(
                decision=UNFIT if reason else decide(self.manifest, np.array([score], np.float32)),
                scores=(float(score),),
                unfit=reason,
                score=float(score),
                score_map=score_map,
            )
            for score, score_map, reason in zip(scores.image, scores.maps, reasons, strict=True)
        ]


def hits(
    manifest: Manifest, scores: Float32[np.ndarray, "n scores"]
) -> Bool[np.ndarray, "n classes"]:
    """Which classes each picture is said to be: by threshold if there is one, else the likeliest.

    Compared in float32, as the scores are kept.
    """
    if manifest.multi_label:
        return scores >= np.array(manifest.thresholds, np.float32)
    if manifest.thresholds:
        is_bad = scores[:, -1] >= np.float32(manifest.thresholds[0])
        return np.stack([~is_bad, is_bad], axis=1)
    return np.eye(len(manifest.classes), dtype=bool)[scores.argmax(1)]


def in_words(manifest: Manifest, hit: Iterable[bool]) -> str:
    """A decision's classes, joined by `;` where several hold."""
    return ";".join(name for name, is_hit in zip(manifest.classes, hit, strict=True) if is_hit)


def decide(manifest: Manifest, scores: Float32[np.ndarray, " scores"]) -> str:
    """The decision of one picture's scores."""
    return in_words(manifest, hits(manifest, scores[None])[0])


@dataclass(frozen=True, slots=True, eq=False)
class Runtime:
    """Trunks in memory, each (digest, size, precision, outputs) compiled once, asked in turn."""

    folder: Path
    """Where trunks are kept."""
    name: str
    """A key of `tenfold.trunks.runtimes.RUNTIMES`."""
    streams: int
    niceness: int = 0
    """Steps by which the threads of the trunks stand back for other threads (Linux; see nice(2)):
    under load, what answers must not wait for what computes."""
    _compiled: dict[tuple[str, int, Precision, tuple[str, ...]], Compiled] = field(
        default_factory=dict[tuple[str, int, Precision, tuple[str, ...]], Compiled]
    )
    _lock: threading.Lock = field(default_factory=threading.Lock)

    def answer(self, loaded: LoadedHead, pixels: UInt8[np.ndarray, "h w c"]) -> Answer:
        """What the head says of one picture."""
        return loaded.answers(self.look(loaded, pixels))[0]

    def look(self, loaded: LoadedHead, pixels: UInt8[np.ndarray, "h w c"]) -> Seen:
        """One picture as the trunk shows it to this head."""
        return self.seen(loaded.manifest, loaded.strides, pixels)

    def seen(
        self, manifest: Manifest, strides: Sequence[int], pixels: UInt8[np.ndarray, "h w c"]
    ) -> Seen:
        """One picture as the trunk shows it to heads of that manifest and those strides."""
        if manifest.kind == "classify":
            return self.features(manifest, pixels)
        return self.maps(manifest, strides, pixels)

    def features(
        self, manifest: Manifest, pixels: UInt8[np.ndarray, "h w c"]
    ) -> Float32[np.ndarray, "1 views dim"]:
        blocks: list[np.ndarray] = []
        for given in manifest.inputs:
            trunk = self.trunk(given, manifest.precision, ("pooled",))
            square, box = canvas(pixels, size_px=given.size_px, fit=given.fit)
            seen = [trunk.one(turned(square, box, view=view)[0]) for view in given.views]
            blocks.append(np.stack([one["pooled"] for one in seen], axis=1))
        return np.concatenate(blocks, axis=2)

    def maps(
        self, manifest: Manifest, strides: Sequence[int], pixels: UInt8[np.ndarray, "h w c"]
    ) -> MapBatch:
        given = manifest.inputs[0]
        names = tuple(map_name(stride) for stride in strides)
        trunk = self.trunk(given, manifest.precision, (*names, "pooled"))
        square, content = canvas(pixels, size_px=given.size_px, fit=given.fit)
        seen = trunk.one(square)
        return MapBatch(
            maps={s: stored(seen[map_name(s)]) for s in strides},
            content_xyxy=content[None],
            pooled=seen["pooled"],
            vitals=seen["vitals"],
        )

    def trunk(self, given: TrunkInput, precision: Precision, outputs: tuple[str, ...]) -> Compiled:
        """A trunk ready for that input; each is compiled once."""
        key = (given.digest, given.size_px, precision, outputs)
        with self._lock:
            return self._compiled_once(key, given)

    def _compiled_once(
        self, key: tuple[str, int, Precision, tuple[str, ...]], given: TrunkInput
    ) -> Compiled:
        if key not in self._compiled:
            _, _, precision, outputs = key
            space = FeatureSpace(
                trunk=given.digest,
                size_px=given.size_px,
                fit=given.fit,
                view=0,
                precision=precision,
                runtime=runtime_version(self.name),
            )
            trunk = load_trunk(given.digest, self.folder)
            self._compiled[key] = _stepped_back(
                self.niceness,
                lambda: compile_trunk(trunk, space, outputs, streams=self.streams),
            )
        return self._compiled[key]


def _stepped_back(niceness: int, start: Callable[[], Compiled]) -> Compiled:
    """`start`, in a thread that steps back: the threads that it starts inherit that."""
    if not niceness or sys.platform != "linux":  # elsewhere all of a process would step back
        return start()

    def first_step_back() -> None:
        me = threading.get_native_id()
        now = os.getpriority(os.PRIO_PROCESS, me)
        os.setpriority(os.PRIO_PROCESS, me, min(now + niceness, LEAST_PRIORITY))

    with ThreadPoolExecutor(1, initializer=first_step_back) as thread:
        return thread.submit(start).result()


def stored(dense: np.ndarray) -> np.ndarray:
    """A dense map as the feature store keeps it, so fresh pixels and stored features agree."""
    return dense.astype(np.float16)


def check_goldens(package: Package, look: Callable[[LoadedHead, str], Seen]) -> float:
    """Parity gate: reproduce every golden; returns the largest relative score difference.

    `look` shows a sample's picture to the head, from its pixels.

    Raises:
        IntegrityError: a decision differs, or a score by more than the package's tolerance.
    """
    loaded = LoadedHead.of(package)
    hint = "The trunk or runtime changed: run `tenfold doctor`, then make it again."
    return max(
        (
            check_golden(loaded, golden, look(loaded, golden.sample), hint=hint)
            for golden in package.manifest.goldens
        ),
        default=0.0,
    )


def check_rows(loaded: LoadedHead, seen: Callable[[str], Seen]) -> None:
    """The head says of its golden samples' kept feature rows what it said when it was made.

    `seen` gives the rows of a digest. Needs no trunk and no picture.

    Raises:
        IntegrityError: a decision differs, or a score by more than the package's tolerance.
    """
    hint = "The head or the code that reads it changed: make it again."
    for golden in loaded.manifest.goldens:
        if golden.rows:
            check_golden(loaded, golden, seen(golden.rows), hint=hint)


def check_golden(loaded: LoadedHead, golden: Golden, seen: Seen, *, hint: str) -> float:
    """The relative score difference of one golden sample.

    Raises:
        IntegrityError: the decision differs, or a score by more than the package's tolerance.
    """
    (answer,) = loaded.answers(seen)
    scale = max(1.0, *np.abs(golden.scores))
    gap = float(np.max(np.abs(np.subtract(answer.scores, golden.scores)))) / scale
    if answer.decision != golden.decision or gap > loaded.manifest.tolerance:
        raise IntegrityError(
            f"golden sample {golden.sample[:12]}… was {golden.decision} "
            f"{golden.scores}, now {answer.decision} {answer.scores}.",
            where=f"model {loaded.manifest.model[:12]}",
            hint=hint,
        )
    return gap

"""Several heads asked about one picture: it passes each trunk once, however many heads look.

Pictures of different requests and for different heads go through the trunk together; each is an
inference of its own, so that an answer never depends on what else was asked (docs/decisions).
"""

import time
from collections import OrderedDict, deque
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field
from threading import Lock

import numpy as np
from jaxtyping import Float32, UInt8

from tenfold.heads.classify_linear import LinearScorer, LinearStack
from tenfold.packages import Manifest, TrunkInput
from tenfold.runtime import Answer, LoadedHead, Runtime, stored
from tenfold.trunks.canvas import canvas, turned
from tenfold.trunks.graph import map_name
from tenfold.trunks.runtimes import Outputs, Pending
from tenfold.values import MapBatch, Precision, Seen

MOST_STACKS = 32
Lens = tuple[TrunkInput, Precision, int]
"""An input of heads, the precision of its trunk, and a view."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A picture, laid on the canvases that some heads read."""

    heads: tuple[LoadedHead, ...]
    canvases: dict[Lens, UInt8[np.ndarray, "s s 3"]]
    boxes: dict[Lens, Float32[np.ndarray, " 4"]]
    strides: dict[Lens, tuple[int, ...]]
    """Maps that are read, by lens."""


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What the heads say of a picture."""

    answers: tuple[Answer, ...]
    """In the order of the heads."""
    pooled: Float32[np.ndarray, " dim"]
    """What the trunk of the first head made of it."""
    trunk_s: float
    head_s: float


def ask(heads: Sequence[LoadedHead], pixels: UInt8[np.ndarray, "h w c"]) -> Ask:
    """Lay a picture on every canvas that the heads read, each once."""
    strides: dict[Lens, set[int]] = {}
    for head in heads:
        for lens in _lenses(head.manifest):
            strides.setdefault(lens, set()).update(head.strides)
    canvases: dict[Lens, np.ndarray] = {}
    boxes: dict[Lens, np.ndarray] = {}
    squares: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
    for lens in strides:
        given, _, view = lens
        size = (given.size_px, given.fit)
        if size not in squares:
            squares[size] = canvas(pixels, size_px=given.size_px, fit=given.fit)
        canvases[lens], boxes[lens] = turned(*squares[size], view=view)
    ordered = {lens: tuple(sorted(some)) for lens, some in strides.items()}
    return Ask(tuple(heads), canvases, boxes, ordered)


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Answers many asks; safe in as many threads as `threads` says."""

    runtime: Runtime
    threads: int = 1
    _stacks: OrderedDict[tuple[str, ...], LinearStack] = field(
        default_factory=OrderedDict[tuple[str, ...], LinearStack]
    )
    _lock: Lock = field(default_factory=Lock)

    def answer(self, asks: Sequence[Ask], deliver: Callable[[int, Told], None]) -> None:
        """Ask the heads about each picture; `deliver(place, told)` as soon as one is done."""
        window = max(1, 2 * self.runtime.streams // self.threads)
        waiting: deque[tuple[int, Lens, Pending, float]] = deque()
        seen: dict[int, dict[Lens, Outputs]] = {}
        busy_s: dict[int, float] = {}

        def take() -> None:
            place, lens, pending, began = waiting.popleft()
            seen.setdefault(place, {})[lens] = pending.result()
            busy_s[place] = busy_s.get(place, 0.0) + time.perf_counter() - began
            if len(seen[place]) == len(asks[place].canvases):
                deliver(place, self._told(asks[place], seen.pop(place), busy_s.pop(place)))

        for place, one in enumerate(asks):
            for lens, square in one.canvases.items():
                while len(waiting) >= window:
                    take()
                given, precision, _ = lens
                names = (*(map_name(stride) for stride in one.strides[lens]), "pooled")
                began = time.perf_counter()
                trunk = self.runtime.trunk(given, precision, names)
                waiting.append((place, lens, trunk.start(square), began))
        while waiting:
            take()

    def _told(self, one: Ask, seen: dict[Lens, Outputs], trunk_s: float) -> Told:
        began = time.perf_counter()
        answers: dict[int, Answer] = {}
        alike: dict[tuple[Lens, ...], list[int]] = {}
        for i, head in enumerate(one.heads):
            if head.manifest.kind == "classify":
                alike.setdefault(tuple(_lenses(head.manifest)), []).append(i)
            else:
                answers[i] = head.answer_maps(_maps(one, seen, head))[0]
        for lenses, mine in alike.items():
            features = _features(one.heads[mine[0]].manifest, lenses, seen)
            for i, answer in zip(mine, self._classified(one.heads, mine, features), strict=True):
                answers[i] = answer
        first = next(iter(one.canvases))
        return Told(
            answers=tuple(answers[i] for i in range(len(one.heads))),
            pooled=seen[first]["pooled"][0],
            trunk_s=trunk_s,
            head_s=time.perf_counter() - began,
        )

    def _classified(
        self, heads: Sequence[LoadedHead], mine: Sequence[int], features: Seen
    ) -> Iterable[Answer]:
        linear = [i for i in mine if isinstance(heads[i].head, LinearScorer)]
        scores: dict[int, np.ndarray] = {}
        if len(linear) > 1:
            stack = self._stack([heads[i] for i in linear])
            scores = dict(zip(linear, stack.score(features), strict=True))  # pyright: ignore[reportArgumentType]
        for i in mine:
            given = scores[i] if i in scores else heads[i].head.score(features)
            yield heads[i].classified(given)[0]

    def _stack(self, heads: Sequence[LoadedHead]) -> LinearStack:
        key = tuple(head.manifest.model for head in heads)
        with self._lock:
            if key not in self._stacks:
                self._stacks[key] = LinearScorer.stacked([head.head for head in heads])
            self._stacks.move_to_end(key)
            while len(self._stacks) > MOST_STACKS:
                self._stacks.popitem(last=False)
            return self._stacks[key]


def _lenses(manifest: Manifest) -> list[Lens]:
    given = manifest.inputs if manifest.kind == "classify" else manifest.inputs[:1]
    views = [(one, one.views if manifest.kind == "classify" else (0,)) for one in given]
    return [(one, manifest.precision, view) for one, some in views for view in some]


def _features(
    manifest: Manifest, lenses: Sequence[Lens], seen: dict[Lens, Outputs]
) -> Float32[np.ndarray, "1 views dim"]:
    blocks = [
        np.stack([seen[lens]["pooled"] for lens in lenses if lens[0] == given], axis=1)
        for given in manifest.inputs
    ]
    return np.concatenate(blocks, axis=2)


def _maps(one: Ask, seen: dict[Lens, Outputs], head: LoadedHead) -> MapBatch:
    (lens,) = _lenses(head.manifest)
    outputs = seen[lens]
    return MapBatch(
        maps={stride: stored(outputs[map_name(stride)]) for stride in head.strides},
        content_xyxy=one.boxes[lens][None],
        pooled=outputs["pooled"],
        vitals=outputs["vitals"],
    )

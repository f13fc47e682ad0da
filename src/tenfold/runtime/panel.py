"""Several heads asked about one picture: it passes each trunk once, however many heads look.

Pictures of different requests and for different heads go through the trunk together; each is an
inference of its own, so that an answer never depends on what else was asked (docs/decisions).
"""

import time
from collections import deque
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Float32, UInt8

from tenfold.heads.classify_linear import LinearScorer, LinearStack
from tenfold.packages import Manifest, TrunkInput
from tenfold.runtime import Answer, LoadedHead, Runtime, stored
from tenfold.runtime.kept import Kept
from tenfold.trunks.canvas import canvas, turned
from tenfold.trunks.graph import map_name
from tenfold.trunks.runtimes import Outputs, Pending
from tenfold.values import MapBatch, Precision

STACK_BYTES = 32_000_000
"""Memory for linear heads that are asked together again and again."""
Lens = tuple[TrunkInput, Precision, int, tuple[int, ...]]
"""An input of heads, the precision of its trunk, a view, and the maps that are read."""


@dataclass(frozen=True, slots=True, eq=False)
class Ask:
    """A picture, laid on the canvases that some heads read."""

    heads: tuple[LoadedHead, ...]
    through: dict[Lens, Lens]
    """What a head reads, and the pass of the trunk that shows it."""
    canvases: dict[Lens, UInt8[np.ndarray, "s s 3"]]
    """By pass."""
    boxes: dict[Lens, Float32[np.ndarray, " 4"]]


@dataclass(frozen=True, slots=True, eq=False)
class Told:
    """What the heads say of a picture."""

    answers: tuple[Answer | Exception, ...]
    """In the order of the heads; an exception where a head cannot."""
    pooled: tuple[Float32[np.ndarray, " dim"], ...]
    """What each head's first trunk made of it; heads that read the same share the array."""
    vitals: tuple[Float32[np.ndarray, "5"], ...]
    """Of the picture as it saw it."""
    trunk_s: float
    head_s: float


Deliver = Callable[[int, Told | Exception], None]


def passes(heads: Sequence[LoadedHead]) -> dict[Lens, Lens]:
    """What the heads read, and the pass of a trunk that shows it: one that yields maps shows pooled
    features too."""
    read = {lens for head in heads for lens in _lenses(head)}
    with_maps = {lens[:3]: lens for lens in sorted(read, key=lambda lens: lens[3]) if lens[3]}
    return {lens: lens if lens[3] else with_maps.get(lens[:3], lens) for lens in read}


def ask(heads: Sequence[LoadedHead], pixels: UInt8[np.ndarray, "h w c"]) -> Ask:
    """Lay a picture on every canvas that the heads read, each once."""
    through = passes(heads)
    canvases: dict[Lens, np.ndarray] = {}
    boxes: dict[Lens, np.ndarray] = {}
    squares: dict[tuple[int, str], tuple[np.ndarray, np.ndarray]] = {}
    for lens in set(through.values()):
        given, _, view, _ = lens
        size = (given.size_px, given.fit)
        if size not in squares:
            squares[size] = canvas(pixels, size_px=given.size_px, fit=given.fit)
        canvases[lens], boxes[lens] = turned(*squares[size], view=view)
    return Ask(tuple(heads), through, canvases, boxes)


@dataclass(slots=True, eq=False)
class _Place:
    """A picture on its way."""

    seen: dict[Lens, Outputs] = field(default_factory=dict[Lens, Outputs])
    trunk_s: float = 0.0
    is_over: bool = False


@dataclass(frozen=True, slots=True, eq=False)
class Panels:
    """Answers many asks; safe in as many threads as `threads` says."""

    runtime: Runtime
    threads: int = 1
    _stacks: Kept[LinearStack] = field(default_factory=lambda: Kept[LinearStack](STACK_BYTES))

    def answer(self, asks: Sequence[Ask], deliver: Deliver) -> None:
        """Ask the heads about each picture; `deliver(place, told)` as soon as one is done. What
        fails is delivered as its exception and disturbs no other picture."""
        window = max(1, 2 * self.runtime.streams // self.threads)
        waiting: deque[tuple[int, Lens, Pending, float]] = deque()
        places = [_Place() for _ in asks]

        def take() -> None:
            number, lens, pending, began = waiting.popleft()
            place = places[number]
            try:
                place.seen[lens] = pending.result()
                place.trunk_s += time.perf_counter() - began
                if not place.is_over and len(place.seen) == len(asks[number].canvases):
                    place.is_over = True
                    deliver(number, self._told(asks[number], place))
            except Exception as error:  # noqa: BLE001 - the worker's loop: others go on
                place.is_over = True
                deliver(number, error)

        for number, one in enumerate(asks):
            for lens, square in one.canvases.items():
                while len(waiting) >= window:
                    take()
                began = time.perf_counter()
                try:
                    pending = self._start(lens, square)
                except Exception as error:  # noqa: BLE001 - as above
                    places[number].is_over = True
                    deliver(number, error)
                    break
                waiting.append((number, lens, pending, began))
        while waiting:
            take()

    def _start(self, lens: Lens, square: UInt8[np.ndarray, "s s 3"]) -> Pending:
        given, precision, _, strides = lens
        names = (*(map_name(stride) for stride in strides), "pooled")
        return self.runtime.trunk(given, precision, names).start(square)

    def _told(self, one: Ask, place: _Place) -> Told:
        began = time.perf_counter()
        answers: dict[int, Answer | Exception] = {}
        alike: dict[tuple[Lens, ...], list[int]] = {}
        for i, head in enumerate(one.heads):
            if head.manifest.kind == "classify":
                alike.setdefault(tuple(_lenses(head)), []).append(i)
            else:
                answers[i] = _tried(lambda head=head: head.answer_maps(_maps(one, place, head))[0])
        for lenses, mine in alike.items():
            features = _features(one, place, one.heads[mine[0]].manifest, lenses)
            answers |= self._classified(one.heads, mine, features)
        firsts = [one.through[_lenses(head)[0]] for head in one.heads]
        pooled = {lens: place.seen[lens]["pooled"][0] for lens in firsts}
        return Told(
            answers=tuple(answers[i] for i in range(len(one.heads))),
            pooled=tuple(pooled[lens] for lens in firsts),
            vitals=tuple(place.seen[lens]["vitals"][0] for lens in firsts),
            trunk_s=place.trunk_s,
            head_s=time.perf_counter() - began,
        )

    def _classified(
        self,
        heads: Sequence[LoadedHead],
        mine: Sequence[int],
        features: Float32[np.ndarray, "1 views dim"],
    ) -> dict[int, Answer | Exception]:
        """Answers of heads that read the same; linear ones as one product."""
        linear = [i for i in mine if isinstance(heads[i].head, LinearScorer)]
        scores: dict[int, np.ndarray] = {}
        if len(linear) > 1:
            stack = self._stack([heads[i] for i in linear])
            scores = dict(zip(linear, stack.score(features), strict=True))

        def answer(i: int) -> Answer:
            given = scores[i] if i in scores else heads[i].head.score(features)
            return heads[i].classified(given)[0]

        return {i: _tried(lambda i=i: answer(i)) for i in mine}

    def _stack(self, heads: Sequence[LoadedHead]) -> LinearStack:
        key = ",".join(head.manifest.model for head in heads)
        stack = self._stacks.get(key)
        if stack is None:
            stack = LinearScorer.stacked([head.head for head in heads])
            self._stacks.put(key, stack, stack.weights.nbytes)
        return stack


def _tried(answer: Callable[[], Answer]) -> Answer | Exception:
    try:
        return answer()
    except Exception as error:  # noqa: BLE001 - one head must not silence the others
        return error


def _lenses(head: LoadedHead) -> list[Lens]:
    manifest = head.manifest
    if manifest.kind == "classify":
        views = [(given, view) for given in manifest.inputs for view in given.views]
        return [(given, manifest.precision, view, ()) for given, view in views]
    return [(manifest.inputs[0], manifest.precision, 0, head.strides)]


def _features(
    one: Ask, place: _Place, manifest: Manifest, lenses: Sequence[Lens]
) -> Float32[np.ndarray, "1 views dim"]:
    blocks = [
        np.stack(
            [place.seen[one.through[lens]]["pooled"] for lens in lenses if lens[0] == given], axis=1
        )
        for given in manifest.inputs
    ]
    return np.concatenate(blocks, axis=2)


def _maps(one: Ask, place: _Place, head: LoadedHead) -> MapBatch:
    (lens,) = _lenses(head)
    outputs = place.seen[lens]
    return MapBatch(
        maps={stride: stored(outputs[map_name(stride)]) for stride in head.strides},
        content_xyxy=one.boxes[lens][None],
        pooled=outputs["pooled"],
        vitals=outputs["vitals"],
    )

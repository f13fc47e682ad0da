"""Pictures through a trunk into the feature store: decoding overlaps inference on all cores.

Each picture is read and decoded once for all its spaces. Finished shards stay, whatever is killed:
the next run embeds only what is missing.
"""

import os
import sys
import time
from collections import deque
from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass

import numpy as np

from tenfold.errors import DataError
from tenfold.features import FeatureStore, FeatureWriter
from tenfold.formats.pixels import decode
from tenfold.trunks import Trunk
from tenfold.trunks.canvas import Box, Canvas, canvas, turned
from tenfold.trunks.runtimes import Compiled, Pending, compile_trunk
from tenfold.values import FeatureSpace, Progress

Sample = tuple[str, Callable[[], bytes]]
"""SHA-256 of a picture's bytes, and how to read them."""


@dataclass(frozen=True, slots=True)
class EmbedReport:
    images: int
    """Pictures that passed the trunk in this run; those that were there already do not count."""
    seconds: float
    failed: list[tuple[str, str]]
    """Sample and why it has no features."""


@dataclass(frozen=True, slots=True, eq=False)
class _Looked:
    """One picture on one canvas, waiting for the trunk."""

    sample: str
    space: FeatureSpace
    canvas: Canvas
    box: Box


def embed(
    store: FeatureStore,
    trunk: Trunk,
    spaces: Sequence[FeatureSpace],
    samples: Sequence[Sample],
    outputs: Iterable[str] = ("pooled",),
    *,
    progress: Progress | None = None,
) -> EmbedReport:
    """Make sure that `store` holds `pooled` and `outputs` of every sample in every space.

    Raises:
        Unsupported: this machine cannot compute in one of the spaces.
    """
    began = time.perf_counter()
    cores = len(os.sched_getaffinity(0))
    wanted = tuple(dict.fromkeys(("pooled", *outputs)))
    todo = _todo(store, spaces, samples, wanted)
    failed: list[tuple[str, str]] = []
    if not todo:
        return EmbedReport(0, time.perf_counter() - began, failed)
    compiled = _compiled(trunk, {s for _, spaces_ in todo for s in spaces_}, wanted, cores)
    with ExitStack() as stack:
        writers = {s: stack.enter_context(store.writer(s, wanted)) for s in compiled}
        pictures = stack.enter_context(ThreadPoolExecutor(cores, thread_name_prefix="decode"))
        waiting: deque[tuple[_Looked, Pending]] = deque()
        for done, (sample, looked) in enumerate(_decoded(pictures, todo)):
            if isinstance(looked, str):
                failed.append((sample, looked))
                looked = []
            for item in looked:
                if len(waiting) == 2 * cores:
                    _store(*waiting.popleft(), writers, failed)
                waiting.append((item, compiled[item.space].start(item.canvas)))
            if progress:
                progress("embed", done + 1, len(todo))
        while waiting:
            _store(*waiting.popleft(), writers, failed)
    images = len(todo) - len({sample for sample, _ in failed})
    return EmbedReport(images, time.perf_counter() - began, failed)


def _todo(
    store: FeatureStore,
    spaces: Sequence[FeatureSpace],
    samples: Sequence[Sample],
    outputs: Sequence[str],
) -> list[tuple[Sample, list[FeatureSpace]]]:
    """What has to pass the trunk: each sample once, with the spaces that lack it."""
    readers = dict(samples)
    lacking = {
        space: {sha for output in outputs for sha in store.missing(space, output, readers)}
        for space in dict.fromkeys(spaces)
    }
    todo: list[tuple[Sample, list[FeatureSpace]]] = []
    for sha, read in readers.items():
        needed = [space for space, gaps in lacking.items() if sha in gaps]
        if needed:
            todo.append(((sha, read), needed))
    return todo


def _compiled(
    trunk: Trunk, spaces: Iterable[FeatureSpace], outputs: Sequence[str], streams: int
) -> dict[FeatureSpace, Compiled]:
    """Spaces that differ in fit or view alone share one compiled graph."""
    graphs: dict[tuple[object, ...], Compiled] = {}
    by_space: dict[FeatureSpace, Compiled] = {}
    for space in spaces:
        key = (space.size_px, space.precision, space.runtime)
        if key not in graphs:
            graphs[key] = compile_trunk(trunk, space, outputs, streams=streams)
        by_space[space] = graphs[key]
    return by_space


def _decoded(
    pictures: ThreadPoolExecutor, todo: Iterable[tuple[Sample, list[FeatureSpace]]]
) -> Iterator[tuple[str, list[_Looked] | str]]:
    """(sample, its canvases or why there are none) in order, a few pictures ahead."""
    ahead: deque[tuple[str, Future[list[_Looked] | str]]] = deque()
    room = 4 * len(os.sched_getaffinity(0))
    for sample, spaces in todo:
        if len(ahead) == room:
            sha, future = ahead.popleft()
            yield sha, future.result()
        ahead.append((sample[0], pictures.submit(_look, sample, spaces)))
    for sha, future in ahead:
        yield sha, future.result()


def _look(sample: Sample, spaces: Sequence[FeatureSpace]) -> list[_Looked] | str:
    """One decode, one resize per canvas size, one turn per view."""
    sha, read = sample
    try:
        pixels = decode(read(), where=sha[:12], max_pixels=sys.maxsize)  # ingest let it in
    except (DataError, OSError) as error:
        return str(error)
    upright: dict[tuple[int, str], tuple[Canvas, Box]] = {}
    looked: list[_Looked] = []
    for space in spaces:
        key = (space.size_px, space.fit)
        if key not in upright:
            upright[key] = canvas(pixels, size_px=space.size_px, fit=space.fit)
        looked.append(_Looked(sha, space, *turned(*upright[key], view=space.view)))
    return looked


def _store(
    looked: _Looked,
    pending: Pending,
    writers: dict[FeatureSpace, FeatureWriter],
    failed: list[tuple[str, str]],
) -> None:
    arrays: dict[str, np.ndarray] = {n: array[0] for n, array in pending.result().items()}
    try:
        writers[looked.space].add(looked.sample, arrays | {"content_xyxy": looked.box})
    except DataError as error:
        failed.append((looked.sample, str(error)))

"""Fit one rung and estimate, without a look at judge, what it would come to."""

from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.errors import DataError
from tenfold.factory.calibrate import threshold
from tenfold.factory.job import Job
from tenfold.factory.judge import Count, counts_classes, counts_good_bad
from tenfold.factory.reading import Reader
from tenfold.factory.roster import Roster, rows_of
from tenfold.factory.splits import CALIBRATE
from tenfold.factory.teach import misses_of, taught
from tenfold.heads import fitted, recipe
from tenfold.heads.fitness import FitnessGate
from tenfold.heads.validate import Scorer, assign_folds, cross_validate
from tenfold.metrics.classification import auroc

FOLDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Workbench:
    """What a job is done with."""

    reader: Reader
    digest: str
    """Of the roster."""
    roster: Roster
    threads: int


@dataclass(frozen=True, slots=True, eq=False)
class Fitted:
    head: Any
    gate: FitnessGate | None
    thresholds: tuple[float, ...]
    calibrated: Float32[np.ndarray, "rows scores"]
    """Scores of calibrate, by the head as it will be loaded."""
    estimate: float | None
    expected: tuple[Count, ...]
    """See `tenfold.factory.job.Trial`."""


def fit(bench: Workbench, job: Job) -> Fitted:
    """Fit the head on fit, set thresholds on calibrate, estimate on both.

    Nothing is held out of fit where the rung is judged whatever is expected of it.

    Raises:
        DataError: the splits hold too little to fit.
    """
    of_kind = _fit_classify if job.manifest.kind == "classify" else _fit_anomaly
    head, gate, scores, rows = of_kind(bench, job)
    roles = np.frombuffer(job.roles, np.uint8)
    targets = bench.roster.targets[rows]
    calibrate = roles[rows] == CALIBRATE
    thresholds = _thresholds(bench.roster, job, scores[calibrate], targets[calibrate])
    if job.manifest.kind == "anomaly" and misses_of(bench.roster, job):
        # on the threshold without them, so that what was caught stays caught
        usual = scores[targets[:, 1] <= 0.5, 0]
        head = taught(bench.reader, bench.roster, job, head, (usual, thresholds[0]))
        scores = _scores(bench, job, head, rows)
    kept = _like_judge(bench.roster, rows)
    estimate, expected = _estimate(bench.roster, rows[kept], scores[kept], thresholds)
    return Fitted(head, gate, thresholds, scores[calibrate], estimate, expected)


def _fit_classify(bench: Workbench, job: Job) -> tuple[Any, None, np.ndarray, np.ndarray]:
    """The head on fit; scores of fit by cross-validation, of calibrate by the head itself."""
    roles = np.frombuffer(job.roles, np.uint8)
    rows, n = np.array(rows_of(roles, "fit", "calibrate"), int), int((roles == 1).sum())
    made = recipe(job.rung.recipe, **job.rung.params)
    roots = bench.reader.roots(bench.digest, job.manifest)
    mine, learnt = roots[rows[:n]], bench.roster.learnt[rows[:n]]
    counts = bench.roster.counts(rows[:n])
    inside = None
    if job.must_judge:
        head = made.fit_roots(mine, learnt, rng=_rng(job), counts=counts)
    else:
        with ThreadPoolExecutor(bench.threads, thread_name_prefix="fit") as pool:
            fitting = pool.submit(made.fit_roots, mine, learnt, rng=_rng(job), counts=counts)
            inside = _inside(bench, job, mine, rows[:n], pool=pool)
            head = fitting.result()
    outside = reloaded(job, head).score_roots(roots[rows[n:]])
    if inside is None:  # nothing is held out: calibrate alone tells
        return head, None, outside, rows[n:]
    return head, None, np.concatenate([inside, outside]) if n < len(rows) else inside, rows


def _inside(
    bench: Workbench,
    job: Job,
    roots: Float32[np.ndarray, "n dim"],
    rows: np.ndarray,
    *,
    pool: ThreadPoolExecutor,
) -> Float32[np.ndarray, "n classes"] | None:
    """Out-of-fold scores of the fit split, in as many folds as its groups can fill."""
    groups, learnt = bench.roster.group_numbers[rows], bench.roster.learnt[rows]
    counts = bench.roster.counts(rows)
    made = recipe(job.rung.recipe, **job.rung.params)

    def on(some: Bool[np.ndarray, " n"], rng: np.random.Generator) -> Scorer:
        counted = None if counts is None else counts[some]
        return made.fit_roots(roots[some], learnt[some], rng=rng, counts=counted)

    for folds in range(min(FOLDS, len(np.unique(groups))), 1, -1):
        fold = assign_folds(learnt, groups=groups, folds=folds, rng=_rng(job))
        try:
            return cross_validate(on, roots, fold, rng=_rng(job), each=pool.map)
        except DataError:  # some fold held all there is of a class
            continue
    return None


def _fit_anomaly(bench: Workbench, job: Job) -> tuple[Any, FitnessGate, np.ndarray, np.ndarray]:
    """The head and gate on the goods of fit; scores of calibrate."""
    roles, samples = np.frombuffer(job.roles, np.uint8), bench.roster.samples
    rows = np.array(rows_of(roles, "calibrate"), int)
    goods = [samples[i] for i in rows_of(roles, "fit") if bench.roster.targets[i, 0] > 0.5]
    made = recipe(job.rung.recipe, **job.rung.params)
    maps, manifest = bench.reader.maps, job.manifest
    head = made.fit(maps(manifest, made.strides, goods, all_views=True), rng=_rng(job))
    gate = FitnessGate.fit(lambda: bench.reader.vital(manifest, goods))
    return head, gate, _scores(bench, job, head, rows), rows


def _like_judge(roster: Roster, rows: np.ndarray) -> Bool[np.ndarray, " rows"]:
    """Those that were not picked in production for being hard."""
    return np.ones(len(rows), bool) if roster.picked is None else ~roster.picked[rows]


def _scores(
    bench: Workbench, job: Job, head: Any, rows: np.ndarray
) -> Float32[np.ndarray, "rows 1"]:
    """What an anomaly head says, as it will be loaded."""
    samples, loaded = [bench.roster.samples[row] for row in rows], reloaded(job, head)
    batches = bench.reader.maps(job.manifest, loaded.strides, samples)
    scores = [np.zeros(0, np.float32), *(loaded.score(batch).image for batch in batches())]
    return np.concatenate(scores).astype(np.float32)[:, None]


def reloaded(job: Job, head: Any) -> Any:
    """The head as it will be read from its package."""
    return fitted(job.rung.recipe, head.arrays())


def _rng(job: Job) -> np.random.Generator:
    return np.random.default_rng(job.seed)


def _thresholds(
    roster: Roster, job: Job, scores: np.ndarray, targets: np.ndarray
) -> tuple[float, ...]:
    if job.manifest.multi_label:
        return (0.5,) * len(roster.classes)
    if not roster.is_binary:
        return ()
    return (threshold(scores[:, -1], targets[:, 1] > 0.5, job.bar),)


def _estimate(
    roster: Roster, rows: np.ndarray, scores: np.ndarray, thresholds: Sequence[float]
) -> tuple[float | None, tuple[Count, ...]]:
    if not len(rows):
        return None, ()
    targets, units = roster.targets[rows], roster.units(rows)
    if roster.is_binary:
        is_bad = targets[:, 1] > 0.5
        said_bad = scores[:, -1] >= thresholds[0]
        both = bool(is_bad.any() and not is_bad.all())
        counts = counts_good_bad(said_bad, is_bad, classes=roster.classes, units=units)
        return (auroc(is_bad.astype(int), scores[:, -1]) if both else None), tuple(counts)
    if thresholds:
        right = ((scores >= np.array(thresholds)) == (targets > 0.5)).all(1)
    else:
        right = scores.argmax(1) == targets.argmax(1)
    counts = counts_classes(right, targets, roster.classes, units=units)
    return float(right.mean()), tuple(counts)

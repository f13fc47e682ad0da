"""Fit one rung and estimate, without a look at judge, what it would come to."""

import time
from collections.abc import Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32, Int
from threadpoolctl import threadpool_limits

from tenfold.errors import DataError
from tenfold.factory import feed
from tenfold.factory.calibrate import threshold
from tenfold.factory.judge import Count, counts_classes, counts_good_bad
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import Plan
from tenfold.factory.stock import Stock
from tenfold.heads import recipe
from tenfold.heads.fitness import FitnessGate
from tenfold.heads.validate import Each, assign_folds, cross_validate
from tenfold.metrics.classification import auroc

FOLDS = 4


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A fitted rung that nobody has judged yet."""

    rung: Rung
    head: Any
    gate: FitnessGate | None
    thresholds: tuple[float, ...]
    estimate: float | None
    """AUC where the question is good or bad, else accuracy; on fit and calibrate alone. None
    where only goods are known."""
    expected: tuple[Count, ...]
    """Errors seen on fit and calibrate: what judge may be expected to show; none where too few
    groups are there to hold any out."""
    seconds: float


def fit(stock: Stock, plan: Plan, rung: Rung) -> Trial:
    """Fit the head on fit, set thresholds on calibrate, estimate on both.

    Raises:
        DataError: the splits hold too little to fit.
    """
    began = time.perf_counter()
    fitted = _fit_classify if plan.spec.kind == "classify" else _fit_anomaly
    with threadpool_limits(1, user_api="blas"):  # the same bytes whatever else the cores do
        head, gate, scores, rows = fitted(stock, plan, rung)
    targets = plan.cohort.targets[rows]
    calibrate = np.isin(rows, plan.splits.where("calibrate"))
    thresholds = _thresholds(plan, scores[calibrate], targets[calibrate])
    estimate, expected = _estimate(plan, rows, scores, thresholds)
    seconds = time.perf_counter() - began
    return Trial(rung, head, gate, thresholds, estimate, expected, seconds)


def _fit_classify(stock: Stock, plan: Plan, rung: Rung) -> tuple[Any, None, np.ndarray, np.ndarray]:
    """The head on fit; scores of fit by cross-validation, of calibrate by the head itself."""
    fit_rows, calibrate_rows = plan.splits.where("fit"), plan.splits.where("calibrate")
    rows = np.array([*fit_rows, *calibrate_rows], int)
    made = recipe(rung.recipe, **rung.params)
    features = feed.pooled(stock, plan, rung, [plan.cohort.samples[i] for i in rows])
    n, learnt = len(fit_rows), plan.cohort.learnt[fit_rows]
    with ThreadPoolExecutor(stock.workspace.settings.cores, thread_name_prefix="fit") as pool:
        fitting = pool.submit(made.fit, features[:n], learnt, rng=_rng(plan))
        inside = _inside(plan, made, features[:n], fit_rows, each=pool.map)
        head = fitting.result()
    if inside is None:  # too few groups to hold any out: calibrate alone tells
        return head, None, head.score(features[n:]), rows[n:]
    scores = np.concatenate([inside, head.score(features[n:])]) if n < len(rows) else inside
    return head, None, scores, rows


def _inside(
    plan: Plan,
    made: Any,
    features: Float32[np.ndarray, "n views dim"],
    rows: Sequence[int],
    *,
    each: Each,
) -> Float32[np.ndarray, "n classes"] | None:
    """Out-of-fold scores of the fit split, in as many folds as its groups can fill."""
    groups, learnt = _groups(plan, rows), plan.cohort.learnt[rows]
    for folds in range(min(FOLDS, len(np.unique(groups))), 1, -1):
        fold = assign_folds(learnt, groups=groups, folds=folds, rng=_rng(plan))
        try:
            return cross_validate(made, features, learnt, fold, rng=_rng(plan), each=each)
        except DataError:  # some fold held all there is of a class
            continue
    return None


def _groups(plan: Plan, rows: Sequence[int]) -> Int[np.ndarray, " n"]:
    """A number per lot or group of near-duplicates; every other sample is its own."""
    names = [plan.splits.groups[row] for row in rows]
    return np.unique(names, return_inverse=True)[1]


def _fit_anomaly(
    stock: Stock, plan: Plan, rung: Rung
) -> tuple[Any, FitnessGate, np.ndarray, np.ndarray]:
    """The head and gate on the goods of fit; scores of calibrate."""
    samples = plan.cohort.samples
    fit_rows, rows = plan.splits.where("fit"), np.array(plan.splits.where("calibrate"), int)
    goods = [samples[i] for i in fit_rows if plan.cohort.targets[i, 0] > 0.5]
    made = recipe(rung.recipe, **rung.params)
    head = made.fit(feed.maps(stock.workspace, plan, rung, goods, all_views=True), rng=_rng(plan))
    gate = FitnessGate.fit(feed.maps(stock.workspace, plan, rung, goods))
    batches = feed.maps(stock.workspace, plan, rung, [samples[i] for i in rows])
    scores = [head.score(batch).image for batch in batches()]
    return head, gate, np.concatenate(scores)[:, None], rows


def _rng(plan: Plan) -> np.random.Generator:
    return np.random.default_rng(plan.spec.seed)


def _thresholds(plan: Plan, scores: np.ndarray, targets: np.ndarray) -> tuple[float, ...]:
    if plan.spec.question.multi_label:
        return (0.5,) * len(plan.cohort.classes)
    if not plan.cohort.is_binary:
        return ()
    return (threshold(scores[:, -1], targets[:, 1] > 0.5, plan.spec.bar),)


def _estimate(
    plan: Plan, rows: np.ndarray, scores: np.ndarray, thresholds: Sequence[float]
) -> tuple[float | None, tuple[Count, ...]]:
    if not len(rows):
        return None, ()
    targets = plan.cohort.targets[rows]
    units = [(plan.splits.groups[row], plan.cohort.samples[row]) for row in rows]
    if plan.cohort.is_binary:
        is_bad: Bool[np.ndarray, " n"] = targets[:, 1] > 0.5
        said_bad = scores[:, -1] >= thresholds[0]
        both = bool(is_bad.any() and not is_bad.all())
        counts = counts_good_bad(said_bad, is_bad, classes=plan.cohort.classes, units=units)
        return (auroc(is_bad.astype(int), scores[:, -1]) if both else None), tuple(counts)
    right = are_right(scores, targets, thresholds)
    counts = counts_classes(right, targets, plan.cohort.classes, units=units)
    return float(right.mean()), tuple(counts)


def are_right(
    scores: Float32[np.ndarray, "n classes"],
    targets: Float32[np.ndarray, "n classes"],
    thresholds: Sequence[float],
) -> Bool[np.ndarray, " n"]:
    """Whether each answer is wholly right: the one class, or exactly the true set of labels."""
    if thresholds:
        return ((scores >= np.array(thresholds)) == (targets > 0.5)).all(1)
    return scores.argmax(1) == targets.argmax(1)

"""ELPV solar cells: accuracy over 20 fixed random stratified 75/25 splits, and how long it takes.

functional (probability ≤ 0.5) against defective; image-level, because modules are not published.
The heads learn from the annotators' probabilities (0, 1/3, 2/3, 1) of the training part.
Published on such splits: SVM 0.824, fine-tuned VGG-19 0.884 (Deitsch et al. 2019). The accuracies
are at probability 0.5: no threshold is chosen. Cold is pictures on disk → verdict with nothing
cached; warm is the same with features cached.
"""

import time

import numpy as np
from threadpoolctl import threadpool_limits

import tenfold
from common import empty_workspace, publish, watch
from tenfold.factory.ladder import rungs_for
from tenfold.factory.plan import Plan, plan
from tenfold.factory.reading import pooled_of
from tenfold.heads import recipe
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

SPLITS = 20
TEST_SHARE = 0.25


def main() -> None:
    names = [rung.name for rung in rungs_for("classify", "dihedral")]
    with empty_workspace() as workspace:
        linear = measured(workspace, names[0])
        precision = workspace.precision
    with empty_workspace() as workspace:
        best = measured(workspace, names[-1])
    publish(
        {
            **{f"linear_{key}": value for key, value in linear.items()},
            **best,
            "linear_rung": names[0],
            "rung": names[-1],
            "precision": precision,
            "splits": SPLITS,
        },
    )


def measured(workspace: Workspace, rung: str) -> dict[str, float]:
    """Accuracy over the splits, cold and warm seconds of one rung."""
    began = time.perf_counter()
    tenfold.ingest(workspace, "elpv")
    tenfold.make(workspace, plan(workspace, spec(rung, seed=0)), progress=watch(rung))
    cold = time.perf_counter() - began
    began = time.perf_counter()
    planned = plan(workspace, spec(rung, seed=1))
    tenfold.make(workspace, planned)
    warm = time.perf_counter() - began
    found = accuracies(workspace, planned)
    return {
        "accuracy": round(float(np.mean(found)), 4),
        "accuracy_std": round(float(np.std(found, ddof=1)), 4),
        "cold_seconds": round(cold, 1),
        "warm_seconds": round(warm, 1),
    }


def spec(rung: str, *, seed: int) -> TaskSpec:
    return TaskSpec.model_validate(
        {
            "task": f"elpv-{rung}-{seed}",
            "dataset": "elpv",
            "question": {"positive": ["defective"]},
            "bar": {"escape": 0.3, "overkill": 0.15},
            "symmetry": "dihedral",
            "soft_label": "probability",
            "rung": rung,
            "seed": seed,
        }
    )


def accuracies(workspace: Workspace, planned: Plan) -> list[float]:
    rung = planned.rungs[0]
    features = pooled_of(workspace.features, planned.manifest(rung), planned.cohort.samples)
    learnt, truth = planned.cohort.learnt, planned.cohort.targets.argmax(1)
    found: list[float] = []
    for seed in range(SPLITS):
        train, test = stratified(truth, seed=seed)
        with threadpool_limits(1, user_api="blas"):
            head = recipe(rung.recipe, **rung.params).fit(
                features[train], learnt[train], rng=np.random.default_rng(seed)
            )
            said = head.score(features[test]).argmax(1)
        found.append(float((said == truth[test]).mean()))
    return found


def stratified(truth: np.ndarray, *, seed: int) -> tuple[np.ndarray, np.ndarray]:
    """Positions of train and test; each class is divided by the same share."""
    rng = np.random.default_rng(seed)
    test: list[int] = []
    for value in np.unique(truth):
        members = rng.permutation(np.flatnonzero(truth == value))
        test += members[: round(TEST_SHARE * len(members))].tolist()
    chosen = np.zeros(len(truth), bool)
    chosen[test] = True
    return np.flatnonzero(~chosen), np.flatnonzero(chosen)


if __name__ == "__main__":
    main()

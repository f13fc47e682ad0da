"""From a trial to a registered model: package, parity gate, verdict, evidence, look."""

import time
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from importlib.metadata import version
from typing import Any

import numpy as np
from safetensors.numpy import save as save_arrays
from threadpoolctl import threadpool_limits

from tenfold import packages
from tenfold.catalog import models, questions
from tenfold.catalog.models import Look, Model
from tenfold.errors import Conflict
from tenfold.factory import evidence, feed
from tenfold.factory.evidence import EvidenceRow
from tenfold.factory.fit import Trial
from tenfold.factory.judge import (
    Count,
    Lineage,
    Verdict,
    counts_classes,
    counts_good_bad,
    expected_false_acceptances,
    judge,
    lineage,
)
from tenfold.factory.ladder import Rung
from tenfold.factory.plan import CODE_VERSION, Plan
from tenfold.factory.stock import Stock
from tenfold.packages import Golden, HeadSpec, Manifest, Package, Packs
from tenfold.runtime import UNFIT, Answer, LoadedHead, check_goldens
from tenfold.values import Split, fingerprint
from tenfold.workspace import Workspace

GOLDENS = 8
GOLDEN_MAPS = 2
"""Golden samples whose dense maps travel too."""
ATTEMPTS = 20
"""Others may take looks at the same question meanwhile; then the number of ours is drawn again."""


@dataclass(frozen=True, slots=True, eq=False)
class Registered:
    model: Model
    verdict: Verdict


def model_id(plan: Plan, rung: Rung) -> str:
    return fingerprint(plan.identity(rung))


def register(stock: Stock, plan: Plan, trial: Trial) -> Registered:
    """Judge a trial and record it; nothing is recorded unless the parity gate is passed.

    Raises:
        IntegrityError: the serving runtime does not reproduce the golden scores.
        Conflict: others keep looking at the same question.
    """
    began, workspace = time.perf_counter(), stock.workspace
    package = _package(plan, trial)
    loaded = LoadedHead.of(packages.load(packages.dump(package), where="memory"))
    rows = [*plan.splits.where("calibrate"), *plan.splits.where("judge")]
    with threadpool_limits(1, user_api="blas"):
        answers = _answers(stock, plan, trial.rung, loaded, rows)
    chosen = _golden_rows(plan)
    goldens = [_golden(plan, row, answers[row]) for row in chosen]
    rows_blob = workspace.blobs.put(_feature_rows(stock, plan, trial.rung, chosen))
    manifest = package.manifest.model_copy(
        update={"goldens": tuple(goldens), "golden_rows": rows_blob}
    )
    check_goldens(replace(package, manifest=manifest), stock.look)
    judged = {row: answers[row] for row in plan.splits.where("judge")}
    counts = count(plan, judged)
    names = ["anomaly"] if plan.spec.kind == "anomaly" else plan.cohort.classes
    table = evidence.write(evidence_rows(plan, answers), score_names=names)
    evidence_blob = workspace.blobs.put(table.encode())
    for _ in range(ATTEMPTS):
        before = _lineage(workspace, plan)
        verdict = judge(counts, plan.spec.bar, look=before.next_look, by_group=plan.splits.by_group)
        final = manifest.model_copy(update={"verdict": verdict.to_json()})
        ref = Packs(workspace.packs_folder).append(packages.dump(replace(package, manifest=final)))
        seconds = {"fit": trial.seconds, "judge": time.perf_counter() - began}
        model = Model(
            id=final.model,
            task=plan.spec.task,
            kind=plan.spec.kind,
            dataset=plan.spec.dataset,
            snapshot=plan.snapshot.id,
            rung=trial.rung.name,
            status=verdict.status,
            verdict=verdict.to_json(),
            identity=plan.identity(trial.rung),
            head=ref,
            evidence=evidence_blob,
            seconds=seconds,
        )
        try:
            models.register(workspace.scope, model, look=_look(plan, before))
        except Conflict:
            continue
        known = models.find(workspace.scope, model.id) or model
        return Registered(known, Verdict.from_json(known.verdict))
    raise Conflict(
        f"{ATTEMPTS} looks at this question were taken meanwhile.",
        where=f"task {plan.spec.task}",
        hint="Run the same command again when others have finished.",
    )


def expected_false(workspace: Workspace, rungs: Iterable[Sequence[Mapping[str, Any]]]) -> float:
    """How many models may be accepted falsely, at most: the alpha of every look that the climbs in
    `rungs` took, whatever it came to; each model once."""
    judged = dict.fromkeys(r["model"] for climb in rungs for r in climb if r["model"])
    found = (models.find(workspace.scope, model) for model in judged)
    return expected_false_acceptances(Verdict.from_json(m.verdict) for m in found if m)


def judged_sizes(plan: Plan) -> list[tuple[str, int]]:
    """How many judge groups stand behind each count of the bar."""
    rows = plan.splits.where("judge")

    def groups(hits: np.ndarray) -> int:
        return len({plan.splits.groups[row] for row, hit in zip(rows, hits, strict=True) if hit})

    targets = plan.cohort.targets[rows] > 0.5
    each = [groups(hits) for hits in targets.T]
    if plan.cohort.is_binary:
        return [("escape", each[1]), ("overkill", each[0])]
    names = [f"miss {name}" for name in plan.cohort.classes]
    return [("error", groups(np.ones(len(rows), bool))), *zip(names, each, strict=True)]


def count(plan: Plan, judged: dict[int, Answer]) -> list[Count]:
    """What went wrong among `judged` samples; one sample of a group counts."""
    rows = list(judged)
    targets = plan.cohort.targets[rows]
    classes = plan.cohort.classes
    units = [(plan.splits.groups[row], plan.cohort.samples[row]) for row in rows]
    if plan.cohort.is_binary:
        said_bad = np.array([judged[r].decision in (classes[1], UNFIT) for r in rows], bool)
        return counts_good_bad(said_bad, targets[:, 1] > 0.5, classes=classes, units=units)
    said = [set(judged[row].decision.split(";")) for row in rows]
    right = np.array([[name in one for name in classes] for one in said], bool) == (targets > 0.5)
    if not plan.spec.question.multi_label:
        right = right.all(1)
    return counts_classes(right.reshape(len(rows), *right.shape[1:]), targets, classes, units=units)


def evidence_rows(plan: Plan, answers: dict[int, Answer]) -> list[EvidenceRow]:
    """Every calibrated and judged sample: what it is, what was said and with which scores."""
    truth = plan.cohort.truth
    return [
        EvidenceRow(
            sample=plan.cohort.samples[row],
            path=plan.cohort.items[row].path,
            split=str(plan.splits.roles[row]),
            group=plan.splits.groups[row],
            label=truth[row],
            decision=answer.decision,
            scores=answer.scores,
        )
        for row, answer in answers.items()
    ]


def _package(plan: Plan, trial: Trial) -> Package:
    identity = plan.identity(trial.rung)
    licences = {name: trunk.licence for name, trunk in plan.trunks.items()}
    manifest = Manifest(
        model=fingerprint(identity),
        task=plan.spec.task,
        kind=plan.spec.kind,
        classes=plan.cohort.classes,
        multi_label=plan.spec.question.multi_label,
        question=plan.spec.question.model_dump(mode="json"),
        inputs=plan.inputs(trial.rung),
        precision=plan.precision,
        runtime=plan.runtime,
        head=HeadSpec(name=trial.rung.recipe, params=dict(trial.rung.params), version=CODE_VERSION),
        thresholds=trial.thresholds,
        lineage={
            "dataset": plan.spec.dataset,
            "snapshot": plan.snapshot.id,
            "question": plan.question_key,
            "rung": trial.rung.name,
            "splits": _split_counts(plan),
            "seed": plan.spec.seed,
        },
        licences={given.trunk: licences[given.trunk] for given in plan.inputs(trial.rung)},
        made_by=f"tenfold {version('tenfold')}",
    )
    gate: dict[str, Any] = trial.gate.arrays() if trial.gate else {}
    return Package(manifest, head=trial.head.arrays(), gate=gate)


def _split_counts(plan: Plan) -> dict[str, dict[str, int]]:
    """Samples of each answer in each split."""
    truth = plan.cohort.truth
    roles: tuple[Split, ...] = ("fit", "calibrate", "judge")
    counted = {
        role: Counter(truth[row] or "none" for row in plan.splits.where(role)) for role in roles
    }
    return {role: dict(sorted(found.items())) for role, found in counted.items()}


def _answers(
    stock: Stock, plan: Plan, rung: Rung, loaded: LoadedHead, rows: Sequence[int]
) -> dict[int, Answer]:
    """What the packaged head says of stored features."""
    samples = [plan.cohort.samples[row] for row in rows]
    if plan.spec.kind == "classify":
        answers = loaded.answer_features(feed.pooled(stock, plan, rung, samples))
    else:
        batches = feed.maps(stock.workspace, plan, rung, samples)
        answers = [
            replace(answer, score_map=None)
            for batch in batches()
            for answer in loaded.answer_maps(batch)
        ]
    return dict(zip(rows, answers, strict=True))


def _golden_rows(plan: Plan) -> list[int]:
    """A few samples of every class in turn, by digest: the same for every rung."""
    rows = [*plan.splits.where("calibrate"), *plan.splits.where("judge")]
    by_class: dict[str, list[int]] = {}
    for row in sorted(rows, key=lambda r: plan.cohort.samples[r]):
        by_class.setdefault(plan.cohort.truth[row], []).append(row)
    turns = [group[i] for i in range(GOLDENS) for group in by_class.values() if i < len(group)]
    return turns[:GOLDENS]


def _golden(plan: Plan, row: int, answer: Answer) -> Golden:
    return Golden(sample=plan.cohort.samples[row], scores=answer.scores, decision=answer.decision)


def _feature_rows(stock: Stock, plan: Plan, rung: Rung, rows: Sequence[int]) -> bytes:
    """Features of the golden samples, so that a head can be checked without their pictures."""
    samples = [plan.cohort.samples[row] for row in rows]
    arrays = {"pooled": feed.pooled(stock, plan, rung, samples)}
    if plan.spec.kind == "anomaly":
        for batch in feed.maps(stock.workspace, plan, rung, samples[:GOLDEN_MAPS])():
            arrays |= {f"map_s{stride}": dense for stride, dense in batch.maps.items()}
            arrays |= {"content_xyxy": batch.content_xyxy, "vitals": batch.vitals}
    return save_arrays({name: np.ascontiguousarray(a) for name, a in sorted(arrays.items())})


def _lineage(workspace: Workspace, plan: Plan) -> Lineage:
    spent = questions.spent(workspace.scope, plan.question_key)
    return lineage(spent, frozenset(plan.cohort.samples))


def _look(plan: Plan, before: Lineage) -> Look:
    samples = plan.cohort.samples
    fitted = [*plan.splits.where("fit"), *plan.splits.where("calibrate")]
    return Look(
        key=plan.question_key,
        judge=frozenset(samples[row] for row in plan.splits.where("judge")),
        fit=frozenset(samples[row] for row in fitted),
        joined=before.joined,
        number=before.next_look,
    )

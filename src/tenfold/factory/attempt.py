"""What a worker does: fit the jobs of one roster, judge, package, and keep what it made in a pack.

Nothing here opens a workspace or the catalog: bytes come from blobs and shards, values go back.
"""

import resource
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

import numpy as np
from jaxtyping import Bool, Float32
from threadpoolctl import threadpool_limits

from tenfold import packages
from tenfold.errors import TenfoldError
from tenfold.factory import evidence
from tenfold.factory.fit import Fitted, Workbench, fit
from tenfold.factory.goldens import golden_rows
from tenfold.factory.job import Assignment, Attempted, Fault, Job, Judged, Seconds, Trial
from tenfold.factory.judge import Count, counts_classes, counts_good_bad, is_promising
from tenfold.factory.reading import Reader, one_of, pooled_of, reader_at
from tenfold.factory.roster import Roster, rows_of
from tenfold.heads import recipe
from tenfold.packages import Golden, Manifest, Pack, Package
from tenfold.runtime import UNFIT, LoadedHead, check_golden, decide, hits
from tenfold.values import MapBatch, Seen

GOLDEN_MAPS = 2
"""Golden samples whose dense maps travel too."""
DOUBT = 0.02
"""A label that a head finds less likely than this may be wrong."""
MOST_SUSPECTS = 5

Scores = Float32[np.ndarray, "rows scores"]


def attempt(assignment: Assignment) -> Attempted:
    """Every job in turn; one that fails stops no other."""
    with threadpool_limits(1, user_api="blas"):  # the same bytes whatever else the cores do
        return attempt_with(reader_at(assignment.depot), assignment)


def attempt_with(reader: Reader, assignment: Assignment) -> Attempted:
    before = reader.bytes_read
    roster = reader.roster(assignment.roster)
    bench = _Bench(reader, assignment.roster, roster, assignment.threads)
    trials: list[Trial | Fault] = []
    for job in assignment.jobs:
        try:
            trials.append(_trial(bench, job))
        except TenfoldError as error:
            trials.append(Fault(job.task, error))
    return Attempted(
        trials=tuple(trials),
        pack=bench.pack.keep(reader.blobs) if bench.pack.size_bytes else "",
        pack_bytes=bench.pack.size_bytes,
        bytes_read=reader.bytes_read - before,
        peak_mb=resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Bench(Workbench):
    pack: Pack = field(default_factory=Pack)
    goldens: dict[object, "_Goldens"] = field(default_factory=dict[object, "_Goldens"])
    """By what they depend on: variants of a question have the same."""
    chosen: dict[object, np.ndarray] = field(default_factory=dict[object, np.ndarray])
    """Roots of some rows, by inputs and rows: variants of a question judge on the same."""

    def samples(self, rows: Sequence[int]) -> list[str]:
        return [self.roster.samples[row] for row in rows]

    def roots(self, manifest: Manifest, rows: Sequence[int]) -> np.ndarray:
        at = np.array(rows, int)
        key = (manifest.inputs, at.tobytes())
        if key not in self.chosen:
            while len(self.chosen) > 1:  # those of judge and those of the goldens
                self.chosen.pop(next(iter(self.chosen)))
            self.chosen[key] = self.reader.roots(self.digest, manifest)[at].astype(np.float64)
        return self.chosen[key]


@dataclass(frozen=True, slots=True, eq=False)
class _Goldens:
    rows: tuple[int, ...]
    seen: tuple[Seen, ...]
    """Each as the head reads it; of anomaly heads the first few."""
    kept: tuple[str, ...]
    """Digests of what is kept of each; empty where it is not seen."""


class _Clock:
    """Adds up what blocks took."""

    def __init__(self) -> None:
        self.taken = Seconds()

    @contextmanager
    def running(self) -> Generator[None]:
        wall, cpu = time.perf_counter(), time.process_time()
        yield
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        self.taken = Seconds(self.taken.wall + wall, self.taken.cpu + cpu)


def _trial(bench: _Bench, job: Job) -> Trial:
    clock = _Clock()
    with clock.running():
        fitted = fit(bench, job)
    sizes = tuple(judged_sizes(bench.roster, job.roles))
    is_due = job.must_judge or is_promising(fitted.expected, sizes, job.bar, look=job.next_look)
    judged = _judged(bench, job, fitted) if is_due else None
    return Trial(job.task, fitted.estimate, fitted.expected, sizes, clock.taken, judged)


def _judged(bench: _Bench, job: Job, fitted: Fitted) -> Judged:
    """What judge shows, by the head as it will be loaded from its package."""
    judging, packaging = _Clock(), _Clock()
    roles = np.frombuffer(job.roles, np.uint8)
    with packaging.running():
        manifest = job.manifest.model_copy(update={"thresholds": fitted.thresholds})
        gate = fitted.gate.arrays() if fitted.gate else {}
        package = Package(manifest, head=fitted.head.arrays(), gate=gate)
        loaded = LoadedHead.of(packages.load(packages.dump(package), where="memory"))
    calibrating, rows = rows_of(roles, "calibrate"), rows_of(roles, "judge")
    with judging.running():
        scores, unfit = _scores(bench, loaded, rows)
        counts = count(bench.roster, manifest, rows, scores, unfit)
    with packaging.running():
        goldens = _goldens_of(bench, job)
        final = manifest.model_copy(update={"goldens": _scored(bench, loaded, goldens)})
        _check_rows(loaded, final, goldens)
        head = bench.pack.add(packages.dump(Package(final, package.head, package.gate)))
        everyone = np.concatenate([fitted.calibrated, scores])
        unfit = np.concatenate([_unfit(bench, loaded, calibrating), unfit])
        proof = bench.pack.add(evidence.pack(roles, everyone, unfit))
    return Judged(
        counts=tuple(counts),
        head=head,
        evidence=proof,
        goldens=tuple(bench.roster.samples[row] for row in goldens.rows),
        suspects=_suspects(bench.roster, manifest, calibrating, fitted.calibrated),
        judge=judging.taken,
        package=packaging.taken,
    )


def _scores(
    bench: _Bench, loaded: LoadedHead, rows: Sequence[int]
) -> tuple[Scores, Bool[np.ndarray, " rows"]]:
    """What the packaged head says of stored features, and which pictures nobody should judge."""
    if loaded.manifest.kind == "classify":
        return loaded.head.score_roots(bench.roots(loaded.manifest, rows)), _fine(rows)
    scores, unfit = [np.zeros(0, np.float32)], [_fine(())]
    for batch in bench.reader.maps(loaded.manifest, loaded.strides, bench.samples(rows))():
        scores.append(loaded.head.score(batch).image)
        unfit.append(_reasons(loaded, batch))
    return np.concatenate(scores).astype(np.float32)[:, None], np.concatenate(unfit)


def _unfit(bench: _Bench, loaded: LoadedHead, rows: Sequence[int]) -> Bool[np.ndarray, " rows"]:
    """Which pictures nobody should judge."""
    if loaded.gate is None:
        return _fine(rows)
    batches = bench.reader.vital(loaded.manifest, bench.samples(rows))
    return np.concatenate([_fine(()), *(_reasons(loaded, batch) for batch in batches)])


def _reasons(loaded: LoadedHead, batch: MapBatch) -> Bool[np.ndarray, " rows"]:
    return np.array([bool(reason) for reason in loaded.unfit(batch)])


def _fine(rows: Sequence[int]) -> Bool[np.ndarray, " rows"]:
    return np.zeros(len(rows), bool)


def count(
    roster: Roster,
    manifest: Manifest,
    rows: Sequence[int],
    scores: Scores,
    unfit: Bool[np.ndarray, " rows"],
) -> list[Count]:
    """What went wrong among judged samples; one sample of a group counts."""
    at = np.array(rows, int)
    targets, units, said = roster.targets[at], roster.units(at), hits(manifest, scores)
    if roster.is_binary:
        said_bad, is_bad = said[:, 1] | unfit, targets[:, 1] > 0.5
        return counts_good_bad(said_bad, is_bad, classes=roster.classes, units=units)
    right = said == (targets > 0.5)
    right = right if manifest.multi_label else right.all(1)
    return counts_classes(right, targets, roster.classes, units=units)


def judged_sizes(roster: Roster, roles: bytes) -> list[tuple[str, int]]:
    """How many judge groups stand behind each count of the bar."""
    rows = np.array(rows_of(np.frombuffer(roles, np.uint8), "judge"), int)
    groups, targets = roster.group_numbers[rows], roster.targets[rows] > 0.5
    each = [len(np.unique(groups[hit])) for hit in targets.T]
    if roster.is_binary:
        return [("escape", each[1]), ("overkill", each[0])]
    names = [f"miss {name}" for name in roster.classes]
    return [("error", len(np.unique(groups))), *zip(names, each, strict=True)]


def _goldens_of(bench: _Bench, job: Job) -> _Goldens:
    spaces = tuple(given.model_dump_json() for given in job.manifest.inputs)
    key = (spaces, job.rung.recipe, job.manifest.precision)
    if key not in bench.goldens:
        rows = golden_rows(bench.roster.samples, bench.roster.truth)
        bench.goldens[key] = _read_goldens(bench, job, rows)
    return bench.goldens[key]


def _read_goldens(bench: _Bench, job: Job, rows: tuple[int, ...]) -> _Goldens:
    """Their features, each kept as a blob so that a head can be checked without their pictures."""
    samples = [bench.roster.samples[row] for row in rows]
    if job.manifest.kind == "anomaly":
        few = samples[:GOLDEN_MAPS]
        (batch,) = bench.reader.maps(job.manifest, _strides(job), few)()
        seen: tuple[Seen, ...] = tuple(one_of(batch, i) for i in range(len(few)))
    else:
        pooled = pooled_of(bench.reader.store, job.manifest, samples)
        seen = tuple(pooled[i : i + 1] for i in range(len(rows)))
    kept = [bench.reader.blobs.put(packages.dump_rows(one)) for one in seen]
    return _Goldens(rows, seen, (*kept, *[""] * (len(rows) - len(kept))))


def _strides(job: Job) -> tuple[int, ...]:
    return recipe(job.rung.recipe, **job.rung.params).strides


def _scored(bench: _Bench, loaded: LoadedHead, goldens: _Goldens) -> tuple[Golden, ...]:
    """What the head says of all golden samples together."""
    scores, unfit = _scores(bench, loaded, goldens.rows)
    return tuple(
        Golden(
            sample=bench.roster.samples[row],
            scores=tuple(float(score) for score in said),
            decision=UNFIT if is_unfit else decide(loaded.manifest, said),
            rows=kept,
        )
        for row, kept, said, is_unfit in zip(goldens.rows, goldens.kept, scores, unfit, strict=True)
    )


def _check_rows(loaded: LoadedHead, manifest: Manifest, goldens: _Goldens) -> None:
    """The head, asked about golden feature rows one by one, says what it said of all together."""
    hint = "Report this: a head must not depend on its neighbours."
    for golden, seen in zip(manifest.goldens, goldens.seen, strict=False):
        check_golden(loaded, golden, seen, hint=hint)


def _suspects(
    roster: Roster, manifest: Manifest, rows: Sequence[int], scores: Scores
) -> tuple[str, ...]:
    """Pictures of calibrate whose own label the head finds least likely, worst first.

    Judge pictures are never named: correcting those that a head gets wrong would bend the proof.
    """
    if manifest.kind != "classify" or not rows:
        return ()
    targets = roster.targets[np.array(rows, int)] > 0.5
    likely = np.where(targets, scores, 1.0).min(1)
    worst = [int(i) for i in np.argsort(likely, kind="stable")[:MOST_SUSPECTS] if likely[i] < DOUBT]
    return tuple(roster.paths[rows[i]] for i in worst)

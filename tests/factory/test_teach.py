"""A defect that was let pass teaches the head that is made next, and changes no other."""

import shutil
from dataclasses import replace

import numpy as np
import onnx
import pytest

import tenfold
from factory.test_attempt import assigned, digests
from tenfold import packages
from tenfold.errors import DataError
from tenfold.factory.attempt import attempt
from tenfold.factory.fit import Workbench, fit
from tenfold.factory.onnx_export import whole_graph
from tenfold.factory.reading import reader_at
from tenfold.factory.splits import CALIBRATE, FIT
from tenfold.formats.pixels import as_bmp
from tenfold.heads.taught import TaughtScorer
from tenfold.runtime import LoadedHead
from tenfold.trunks import load_trunk

pytestmark = pytest.mark.xdist_group("workshop")


@pytest.fixture(scope="module")
def workspace(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("teach") / "home")
    with tenfold.opened(home, actor="ann") as opened:
        yield opened


@pytest.fixture
def assignment(workspace):
    return assigned(workspace, "anomaly", [1])


def with_lessons(assignment, count=3):
    """The assignment with some bad pictures of calibrate as lessons, and their rows."""
    (job,) = assignment.jobs
    roster = reader_at(assignment.depot).roster(assignment.roster)
    roles = np.frombuffer(job.roles, np.uint8).copy()
    rows = np.flatnonzero((roles == CALIBRATE) & (roster.targets[:, 1] > 0.5))[:count]
    assert len(rows) == count
    roles[rows] = FIT
    return replace(assignment, jobs=(replace(job, roles=roles.tobytes()),)), rows


def bench_of(assignment):
    reader = reader_at(assignment.depot)
    return Workbench(reader, assignment.roster, reader.roster(assignment.roster), threads=1)


def test_lessons_make_another_head_that_is_judged_and_read_like_any(workspace, assignment):
    other, _ = with_lessons(assignment)
    attempted = attempt(other)
    assert digests(attempted) != digests(attempt(assignment))
    assert digests(attempted) == digests(attempt(other)), "the same bytes again"
    (trial,) = attempted.trials
    payload = packages.read_stretch(workspace.blobs, attempted.pack, trial.judged.head)
    loaded = LoadedHead.of(packages.load(payload, where="pack"))
    assert isinstance(loaded.head, TaughtScorer)
    assert loaded.manifest.head.name == assignment.jobs[0].rung.recipe


def test_the_threshold_is_that_of_the_head_without_lessons(assignment):
    other, rows = with_lessons(assignment)
    (job,) = other.jobs
    roles = np.frombuffer(job.roles, np.uint8).copy()
    roles[rows] = 0
    untaught = fit(bench_of(other), replace(job, roles=roles.tobytes()))
    after = fit(bench_of(other), job)
    assert after.thresholds == untaught.thresholds
    assert (after.calibrated >= untaught.calibrated).all(), "what was caught stays caught"
    roster = bench_of(other).roster
    good = roster.targets[np.flatnonzero(roles == CALIBRATE), 1] <= 0.5
    before, now = (
        (one.calibrated[good, 0] >= np.float32(one.thresholds[0])).sum()
        for one in (untaught, after)
    )
    assert before == now, "no good picture of calibrate is rejected because of a lesson"


def test_a_mask_tells_where_the_defect_is(assignment):
    other, rows = with_lessons(assignment, 1)
    (job,) = other.jobs
    bench = bench_of(other)
    white = np.zeros((300, 300, 1), np.uint8)
    white[:40, :40] = 255
    mask = bench.reader.blobs.put(as_bmp(white))
    masks = [mask if i in rows else None for i in range(len(bench.roster.samples))]
    marked = replace(bench, roster=replace(bench.roster, masks=tuple(masks)))
    heads = [fit(one, job).head for one in (bench, marked)]
    first, second = (head.lessons.directions.tobytes() for head in heads)
    assert first != second
    assert heads[0].head.arrays().keys() == heads[1].head.arrays().keys()


def test_a_taught_head_goes_out_as_onnx(workspace, assignment):
    other, _ = with_lessons(assignment)
    head = fit(bench_of(other), other.jobs[0]).head
    (given,) = other.jobs[0].manifest.inputs
    manifest = other.jobs[0].manifest.model_copy(update={"thresholds": (1.0,)})
    trunk = onnx.load(load_trunk(given.digest, workspace.trunks_folder).path)
    graph = whole_graph(manifest, head, {given.digest: trunk})
    assert "anomaly_score" in {output.name for output in graph.graph.output}


def test_lessons_without_good_pictures_to_calibrate_are_a_data_error(assignment):
    other, _ = with_lessons(assignment)
    (job,) = other.jobs
    roster = bench_of(other).roster
    roles = np.frombuffer(job.roles, np.uint8).copy()
    roles[(roles == CALIBRATE) & (roster.targets[:, 1] <= 0.5)] = 0
    with pytest.raises(DataError, match="no good sample"):
        fit(bench_of(other), replace(job, roles=roles.tobytes()))

"""What a worker does with the jobs of one roster."""

import shutil
from dataclasses import replace

import numpy as np
import pytest

import tenfold
from tenfold import packages
from tenfold.factory import attempt as attempts
from tenfold.factory import feed
from tenfold.factory.attempt import attempt, judged_sizes
from tenfold.factory.cohort import gather
from tenfold.factory.feed import Needs
from tenfold.factory.job import Assignment, Fault, Job, Trial
from tenfold.factory.plan import order, plan_of
from tenfold.factory.produce import depot_of
from tenfold.factory.roster import Roster
from tenfold.factory.splits import CALIBRATE, FIT, JUDGE
from tenfold.factory.stock import Stock
from tenfold.packages import HeadSpec, Manifest
from tenfold.runtime import LoadedHead, check_rows
from tenfold.specs.bar import Bar
from tenfold.specs.task import TaskSpec

pytestmark = pytest.mark.xdist_group("workshop")


@pytest.fixture(scope="module")
def workspace(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("attempt") / "home")
    with tenfold.opened(home, actor="ann") as opened:
        yield opened


def assigned(workspace, kind, seeds, **more):
    """A job of each seed on the first rung, with all its features kept."""
    stock, jobs = Stock.of(workspace), []
    for seed in seeds:
        spec = TaskSpec.model_validate(
            {
                "task": f"{kind}-{seed}",
                "kind": kind,
                "dataset": "cells",
                "trunk": "tiny",
                "question": {"positive": ["cracked"]},
                "seed": seed,
            }
        )
        plan = plan_of(stock, order(stock, spec))
        jobs.append(
            Job(
                task=spec.task,
                rung=plan.rungs[0],
                manifest=plan.manifest(plan.rungs[0]),
                roles=plan.splits.codes.tobytes(),
                seed=seed,
                bar=spec.bar,
                must_judge=True,
                next_look=1,
            )
        )
    needs = Needs()
    needs.add(plan.order, plan.rungs[0], plan.cohort.items)
    feed.ensure(workspace, needs)
    roster = stock.roster(plan.cohort, plan.order.snapshot.id, plan.order.items)
    return Assignment(depot_of(workspace), roster, tuple(replace(job, **more) for job in jobs))


def digests(attempted):
    return [(one.judged.head.digest, one.judged.evidence.digest) for one in attempted.trials]


@pytest.mark.parametrize("kind", ["classify", "anomaly"])
def test_a_job_gives_the_same_bytes_alone_among_others_and_on_more_cores(workspace, kind):
    assignment = assigned(workspace, kind, [1, 2, 3])
    together = attempt(assignment)
    alone = [attempt(replace(assignment, jobs=(job,))) for job in assignment.jobs]
    assert digests(together) == [pair for one in alone for pair in digests(one)]
    assert len(set(digests(together))) == 3
    backwards = attempt(replace(assignment, jobs=assignment.jobs[::-1], threads=2))
    assert digests(backwards) == digests(together)[::-1]


def test_a_pack_holds_what_its_trials_point_at(workspace):
    attempted = attempt(assigned(workspace, "classify", [1, 2]))
    assert attempted.pack_bytes == sum(
        part.length for one in attempted.trials for part in (one.judged.head, one.judged.evidence)
    )
    for one in attempted.trials:
        payload = packages.read_stretch(workspace.blobs, attempted.pack, one.judged.head)
        package = packages.load(payload, where="pack")
        assert package.manifest.task == one.task
        assert [g.sample for g in package.manifest.goldens] == list(one.judged.goldens)
        rows = packages.rows_of(workspace.blobs, package)
        check_rows(
            LoadedHead.of(package), lambda digest, rows=rows: packages.load_rows(rows[digest])
        )


def test_variants_of_a_question_share_their_goldens(workspace):
    attempted = attempt(assigned(workspace, "classify", [1, 2, 3]))
    assert len({one.judged.goldens for one in attempted.trials}) == 1


def test_what_does_not_seem_worth_a_look_is_not_judged(workspace):
    hopeless = Bar(escape=1e-6, overkill=1e-6)
    attempted = attempt(assigned(workspace, "classify", [1], must_judge=False, bar=hopeless))
    (trial,) = attempted.trials
    assert trial.judged is None
    assert trial.expected
    assert (attempted.pack, attempted.pack_bytes) == ("", 0)


def test_what_must_be_judged_holds_nothing_back_from_fit(workspace):
    (told,) = attempt(assigned(workspace, "classify", [1], must_judge=False)).trials
    (must,) = attempt(assigned(workspace, "classify", [1], must_judge=True)).trials
    few, more = ({count.name: count.n for count in one.expected} for one in (must, told))
    assert few.keys() == more.keys()
    assert all(few[name] < more[name] for name in few), "only calibrate tells what to expect"


def test_a_job_that_fails_stops_no_other(workspace):
    first, second, third = assigned(workspace, "classify", [1, 2, 3]).jobs
    roles = np.frombuffer(second.roles, np.uint8).copy()
    roles[roles == FIT] = CALIBRATE
    assignment = assigned(workspace, "classify", [1])
    jobs = (first, replace(second, roles=roles.tobytes()), third)
    attempted = attempt(replace(assignment, jobs=jobs))
    assert [type(one) for one in attempted.trials] == [Trial, Fault, Trial]
    assert "no samples to fit" in str(attempted.trials[1].error)
    kept = [one for one in attempted.trials if isinstance(one, Trial)]
    alone = [attempt(replace(assignment, jobs=(job,))).trials[0] for job in (first, third)]
    assert [one.judged.head.digest for one in kept] == [one.judged.head.digest for one in alone]


def roster(truth, groups=None, *, classes=("good", "bad")):
    names = tuple(f"{i:03}" for i in range(len(truth)))
    return Roster(
        classes=classes,
        is_binary=classes == ("good", "bad"),
        samples=names,
        paths=tuple(f"{name}.png" for name in names),
        groups=names if groups is None else tuple(groups),
        targets=np.eye(len(classes), dtype=np.float32)[truth],
    )


def test_judge_groups_are_counted_for_each_error_they_can_show():
    roles = bytes([JUDGE, JUDGE, JUDGE, JUDGE, FIT, CALIBRATE])
    lots = ["A", "A", "B", "C", "D", "E"]
    good_bad = roster([0, 1, 1, 0, 1, 0], lots)
    assert judged_sizes(good_bad, roles) == [("escape", 2), ("overkill", 2)]
    three = roster([0, 1, 2, 0, 1, 0], lots, classes=("a", "b", "c"))
    expected = [("error", 3), ("miss a", 2), ("miss b", 1), ("miss c", 1)]
    assert judged_sizes(three, roles) == expected


def suspects(truth, scores, rows, kind="classify"):
    manifest = Manifest(
        model="a" * 64,
        task="t",
        kind=kind,
        classes=("good", "bad"),
        question={},
        inputs=(),
        precision="fp32",
        runtime="here",
        head=HeadSpec(name="classify_linear", params={}, version=1),
    )
    bad = np.array(scores, np.float32)
    both = np.stack([1 - bad, bad], axis=1)
    return attempts._suspects(roster(truth), manifest, rows, both)


def test_pictures_whose_own_label_is_least_likely_are_suspected_worst_first():
    """Of the rows it is given, which are those of calibrate."""
    assert suspects([1, 1, 0, 0], [0.01, 0.999, 0.1], [0, 2, 3]) == ("002.png", "000.png")
    assert suspects([1, 1, 0, 0], [0.5, 0.6], [1, 2]) == ()
    assert suspects([0] * 9, np.linspace(0.99, 0.999, 9), range(9)) == tuple(
        f"{i:03}.png" for i in (8, 7, 6, 5, 4)
    )
    assert suspects([1], [], []) == ()
    assert suspects([1, 1], [0.0, 0.0], [0, 1], kind="anomaly") == ()


def test_only_calibrate_is_ever_suspected(workspace, monkeypatch):
    """Labels of all but fit are turned over: the head doubts them all and names none of judge."""
    monkeypatch.setattr(attempts, "DOUBT", 0.5)
    assignment = assigned(workspace, "classify", [1])
    codes = np.frombuffer(assignment.jobs[0].roles, np.uint8)
    stock = Stock.of(workspace)
    items, snapshot = stock.dataset("cells")
    spec = TaskSpec(task="t", dataset="cells", question={"positive": ["cracked"]})
    cohort = gather(spec, items)
    turned = np.where((codes == FIT)[:, None], cohort.targets, cohort.targets[:, ::-1])
    wrong = replace(cohort, targets=np.ascontiguousarray(turned))
    blob = stock.roster(wrong, snapshot.id, items)
    (trial,) = attempt(replace(assignment, roster=blob)).trials
    calibrate = {cohort.items[i].path for i in np.flatnonzero(codes == CALIBRATE)}
    assert len(trial.judged.suspects) == attempts.MOST_SUSPECTS
    assert set(trial.judged.suspects) <= calibrate

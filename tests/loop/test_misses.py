"""A missed defect is taken in once and is in the next model's data."""

import shutil

import pytest

import tenfold
from cells import solar_cells
from tenfold.catalog import labels, picks
from tenfold.errors import DataError, NotFound, SpecError, Unsupported
from tenfold.loop import flows
from tenfold.loop.making import learnt_of
from tenfold.loop.misses import box_of, report_miss

CAP = "station-7/cap"
TASK = """\
task: cap
kind: {kind}
dataset: cells
trunk: tiny
rung: {rung}
question: {question}
bar: {{{bar}: 0.9}}
"""


@pytest.fixture
def workspace(workshop, tmp_path):
    with tenfold.opened(shutil.copytree(workshop, tmp_path / "home"), actor="ann") as opened:
        yield opened


@pytest.fixture
def missed():
    return [file for file, is_bad in solar_cells() if is_bad][200]


def deployed(workspace, *, question="{positive: [cracked]}", bar="escape"):
    file = workspace.settings.home / "cap.yaml"
    text = TASK.format(kind="classify", rung="linear", question=question, bar=bar)
    file.write_text(text)
    tenfold.make_all(workspace, [str(file)])
    tenfold.deploy(workspace, CAP, "cap", unproven=True)


def test_a_miss_is_settled_at_once_and_reported_once(workspace, missed):
    deployed(workspace)
    for _ in range(2):
        told = report_miss(workspace, missed, CAP, boxes=[(10, 20, 60, 80)])
    assert told.label == "cracked"
    assert "until the deployment is watched" in told.next
    (one,) = picks.settled(workspace.scope, CAP)
    assert (one.reason, one.truth, one.sample) == ("miss", "cracked", told.sample)
    (learnt,) = learnt_of([one], labels.of_deployment(workspace.scope, CAP))
    assert (learnt.origin, learnt.boxes) == ("review", ((10, 20, 60, 80),))
    assert workspace.blobs.get(told.sample) == missed.read_bytes()


def test_a_watched_deployment_makes_a_model_of_it(workspace, missed):
    deployed(workspace)
    flows.watch(workspace, CAP)
    assert "makes a model" in report_miss(workspace, missed, CAP).next
    asked = []
    flows.reconcile(workspace, lambda *job: asked.append(job))
    assert [kind for kind, _, _ in asked] == ["retrain"]


@pytest.mark.parametrize("text", ["1,2,3", "a,b,c,d", "5,5,5,9", "9,0,1,4", "-1,0,3,4"])
def test_a_region_that_is_none_is_told(text):
    with pytest.raises(SpecError, match="got"):
        box_of(text)


def test_bad_input_is_told_and_nothing_is_written(workspace, missed, tmp_path):
    deployed(workspace)
    (tmp_path / "text.png").write_text("no picture")
    with pytest.raises(DataError, match="not-an-image"):
        report_miss(workspace, tmp_path / "text.png", CAP)
    with pytest.raises(DataError, match="outside the picture"):
        report_miss(workspace, missed, CAP, boxes=[(0, 0, 9000, 10)])
    with pytest.raises(NotFound, match="cannot be read"):
        report_miss(workspace, tmp_path / "gone.png", CAP)
    with pytest.raises(NotFound, match="nothing is deployed"):
        report_miss(workspace, missed, "elsewhere")
    with pytest.raises(DataError, match="'rust' is no answer here"):
        report_miss(workspace, missed, CAP, label="rust")
    assert picks.settled(workspace.scope, CAP) == []


def test_where_nothing_is_good_the_miss_must_be_named(workspace, missed):
    deployed(workspace, question="{classes: [good, cracked]}", bar="error")
    with pytest.raises(Unsupported, match="what it is"):
        report_miss(workspace, missed, CAP)
    assert report_miss(workspace, missed, CAP, label="cracked").label == "cracked"

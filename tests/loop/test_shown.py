"""What judged a head is compared with what serving records, number for number."""

import shutil

import numpy as np
import pytest

import tenfold
from production import answer
from tenfold.catalog import deployments, models
from tenfold.factory import evidence
from tenfold.loop import shown
from tenfold.loop.looks import LOOKS
from tenfold.loop.review import novelty_of
from tenfold.loop.watch import Answers
from tenfold.predictions.history import read

pytestmark = pytest.mark.xdist_group("line")

CAP = "station-7/cap"
TASK = """\
task: cap
kind: {kind}
dataset: cells
trunk: tiny
question: {{positive: [cracked]}}
bar: {{escape: 0.9, overkill: 0.9}}
"""


@pytest.mark.parametrize("kind", ["classify", "anomaly"])
@pytest.mark.parametrize("is_evicted", [False, True], ids=["kept", "evicted"])
def test_serving_records_what_the_reference_holds(workshop, tmp_path, kind, is_evicted):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK.format(kind=kind))
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        live = deployments.get(workspace.scope, CAP).live
        if is_evicted:
            shutil.rmtree(workspace.features.folder)
    with tenfold.opened(home, actor="ann") as workspace:
        reference = shown.reference(workspace.blobs, shown.keep(workspace, live))
        rows = evidence.read(evidence.of_model(workspace.blobs, models.get(workspace.scope, live)))
        judged = [row.sample for row in rows if row.split == "judge"]
        files = [tmp_path / sample for sample in judged[:3]]
        for file in files:
            file.write_bytes(workspace.blobs.get(file.name))
        answer(workspace, CAP, files, run="run-1")
        recorded = {row["sample"]: row for row in read(workspace.answers_folder).to_pylist()}
    assert len(reference.looks) == len(judged)
    for place, file in enumerate(files):
        row = recorded[file.name]
        projection = np.frombuffer(row["projection"], np.float16)
        assert projection == pytest.approx(reference.projections[place], rel=0.02, abs=0.05)
        assert [row[kind] for kind in LOOKS] == pytest.approx(
            reference.looks[place].tolist(), abs=2e-5
        )


def test_what_a_model_showed_on_trial_is_usual_to_it(workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK.format(kind="classify"))
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        live = deployments.get(workspace.scope, CAP).live
        alone = shown.reference(workspace.blobs, shown.keep(workspace, live))
        rng = np.random.default_rng(0)
        other_light = Answers(
            projections=rng.normal(9, 1, (60, 128)).astype(np.float32),
            scores=np.full(60, 0.5, np.float32),
            labels=("good",) * 60,
            latency_ms=np.ones(60, np.float32),
            routes=("part",) * 60,
            at=np.arange(60.0),
            looks=np.full((60, 3), 0.5, np.float32),
        )
        kept = shown.keep(workspace, live, on_trial=other_light, lot=25)
        both = shown.reference(workspace.blobs, kept)
    n = len(alone.labels)
    assert both.labels == (*alone.labels, *other_light.labels)
    assert both.groups[n:] == ("trial 0",) * 25 + ("trial 1",) * 25 + ("trial 2",) * 10
    assert len(both.looks) == len(both.scores) == n + 60
    later = rng.normal(9, 1, (60, 128)).astype(np.float32)
    assert novel(alone, later) == 1.0
    assert novel(both, later) < 0.2


def novel(reference, projections):
    """Share of answers that are unlike the reference."""
    away, _ = reference.usual
    return float((novelty_of(projections, reference.projections) > away).mean())

"""What judged a head is compared with what serving records, number for number."""

import shutil

import numpy as np
import pytest

import tenfold
from production import answer
from tenfold.catalog import deployments, models
from tenfold.factory import evidence
from tenfold.loop import shown
from tenfold.loop.watch import LOOKS
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

"""The dataset of what production taught: who judges, who fits, what was corrected."""

import io
import shutil

import numpy as np
import pytest
from PIL import Image

import tenfold
from cells import solar_cells
from tenfold.catalog import datasets
from tenfold.errors import DataError, NotFound
from tenfold.formats.pixels import decode
from tenfold.loop.harvest import Learnt, harvest
from tenfold.specs.task import TaskSpec

CAP = "station-7/cap"


@pytest.fixture
def workspace(workshop, tmp_path):
    with tenfold.opened(shutil.copytree(workshop, tmp_path / "home"), actor="ann") as opened:
        yield opened


@pytest.fixture
def fresh(workspace):
    """Digests of pictures that no dataset has, good ones first."""
    files = [file for file, is_bad in solar_cells() if not is_bad][100:104]
    files += [file for file, is_bad in solar_cells() if is_bad][100:104]
    return [workspace.blobs.put(file.read_bytes()) for file in files]


def task(**question):
    plain = {"task": "cap", "dataset": "cells", "trunk": "tiny", "question": question}
    return TaskSpec.model_validate(plain)


def items(workspace, made):
    return {item.sha256: item for item in datasets.items_of(workspace.scope, made.dataset)}


def test_what_was_learnt_joins_what_was_there(workspace, fresh):
    learnt = [
        Learnt(fresh[0], "good", "audit", lot="route SN-1"),
        Learnt(fresh[4], "defect", "review", boxes=((10.2, 20, 30, 40.5),)),
    ]
    made = harvest(workspace, task(positive=["cracked"]), CAP, learnt)
    assert (made.dataset, made.added, made.corrected, made.audits) == (
        "cells.station-7.cap",
        2,
        0,
        1,
    )
    found = items(workspace, made)
    assert len(found) == 66
    drawn, picked = found[fresh[0]], found[fresh[4]]
    assert (drawn.labels, drawn.origin, drawn.lot, drawn.mask) == (
        ("good",),
        "audit",
        "route SN-1",
        None,
    )
    assert (picked.labels, picked.origin) == (("cracked",), "review")
    mask = decode(workspace.blobs.get(picked.mask), where="mask")[..., 0] > 0
    assert np.argwhere(mask).min(0).tolist() == [20, 10]
    assert np.argwhere(mask).max(0).tolist() == [40, 29]


def test_a_task_on_the_harvest_is_the_same_question(workspace, fresh):
    spec = task(positive=["cracked"])
    before = tenfold.plan(workspace, spec)
    made = harvest(workspace, spec, CAP, [Learnt(fresh[5], "defect", "review")])
    after = tenfold.plan(workspace, spec.model_copy(update={"dataset": made.dataset}))
    assert after.question_key == before.question_key
    assert after.cohort.classes == before.cohort.classes


def test_what_people_said_of_an_old_sample_takes_the_place_of_its_label(workspace):
    old = next(i for i in datasets.items_of(workspace.scope, "cells") if i.labels == ("good",))
    made = harvest(
        workspace, task(positive=["cracked"]), CAP, [Learnt(old.sha256, "defect", "review")]
    )
    found = items(workspace, made)[old.sha256]
    assert (made.corrected, made.added) == (1, 0)
    assert (found.labels, found.origin) == (("cracked",), "given")
    kept = {item.sha256: item for item in datasets.items_of(workspace.scope, "cells")}
    assert kept[old.sha256] == old, "the task's own dataset stays as it is"


def test_again_is_the_same_and_more_adds(workspace, fresh):
    spec = task(positive=["cracked"])
    harvest(workspace, spec, CAP, [Learnt(fresh[0], "good", "audit")])
    both = [Learnt(fresh[0], "good", "audit"), Learnt(fresh[1], "good", "audit")]
    assert harvest(workspace, spec, CAP, both).added == 2
    assert harvest(workspace, spec, CAP, both) == harvest(workspace, spec, CAP, both)


def test_a_picture_like_an_old_one_stays_with_it(workspace):
    old = datasets.items_of(workspace.scope, "cells")[0]
    pixels = decode(workspace.blobs.get(old.sha256), where="old")
    file = io.BytesIO()
    Image.fromarray(pixels[..., 0]).save(file, "JPEG", quality=80)
    copy = workspace.blobs.put(file.getvalue())
    made = harvest(workspace, task(positive=["cracked"]), CAP, [Learnt(copy, "good", "review")])
    found = items(workspace, made)
    assert found[copy].near == found[old.sha256].near is not None


def test_a_label_that_answers_nothing_is_told(workspace, fresh):
    with pytest.raises(DataError, match=r"'rust' answers nothing .* cracked, good"):
        harvest(workspace, task(positive=["cracked"]), CAP, [Learnt(fresh[0], "rust", "review")])


def test_a_dataset_that_is_gone_is_told(workspace):
    spec = task(positive=["cracked"]).model_copy(update={"dataset": "gone"})
    with pytest.raises(NotFound, match="no dataset 'gone'"):
        harvest(workspace, spec, CAP, [])

"""A trunk of one's own, from an ONNX file to a judged model."""

import pytest

import tenfold
from tenfold.catalog import models
from tenfold.errors import NotFound
from tenfold.factory.plan import plan
from tenfold.specs.task import parse
from workshop import add_tiny_trunk

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line


@pytest.fixture
def tiny(line, tmp_path):
    return add_tiny_trunk(line.trunks_folder, tmp_path)


def test_a_task_may_name_a_trunk_of_ones_own(line, tiny, cells):
    text = "dataset: cells\nquestion: {positive: [cracked]}\nbar: {escape: 0.9}\nrung: linear\n"
    spec = parse(f"task: tiny-cells\ntrunk: tiny\n{text}", where="task")
    made = tenfold.make(line, plan(line, spec))
    assert models.get(line.scope, "tiny-cells").identity["inputs"][0]["digest"] == tiny.digest
    (row,) = tenfold.predict(line, made.model.id, [str(next((cells / "good").iterdir()))])
    assert row.answer in ("good", "cracked")
    unknown = spec.model_copy(update={"trunk": "nobody"})
    with pytest.raises(NotFound, match="tiny"):
        plan(line, unknown)


def test_a_task_may_read_small_what_was_cut_out_small(line, tiny, cells):
    text = (
        "dataset: cells\nquestion: {positive: [cracked]}\nbar: {escape: 0.9}\nrung: linear\n"
        "task: small-cells\ntrunk: tiny\nsize_px: 64\n"
    )
    made = tenfold.make(line, plan(line, parse(text, where="task")))
    assert models.get(line.scope, "small-cells").identity["inputs"][0]["size_px"] == 64
    (row,) = tenfold.predict(line, made.model.id, [str(next((cells / "good").iterdir()))])
    assert row.answer in ("good", "cracked")

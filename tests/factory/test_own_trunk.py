"""A trunk of one's own, from an ONNX file to a judged model."""

import numpy as np
import onnx
import pytest
from onnx import TensorProto, helper, numpy_helper

import tenfold
from tenfold.catalog import models
from tenfold.errors import NotFound
from tenfold.factory.plan import plan
from tenfold.specs.task import parse
from tenfold.trunks.user_onnx import add_onnx

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line

YAML = """
name: tiny
licence: CC0
size_px: 64
mean_rgb: [0, 0, 0]
std_rgb: [255, 255, 255]
maps: {4: fine, 8: coarse}
"""


@pytest.fixture
def tiny(line, tmp_path):
    """Two strided convolutions with fixed random weights."""
    rng = np.random.default_rng(0)
    weights = [
        numpy_helper.from_array(rng.normal(0, 0.3, shape).astype(np.float32), name)
        for name, shape in (("w1", (12, 3, 4, 4)), ("w2", (16, 12, 2, 2)))
    ]
    nodes = [
        helper.make_node("Conv", ["x", "w1"], ["c1"], strides=[4, 4]),
        helper.make_node("Relu", ["c1"], ["fine"]),
        helper.make_node("Conv", ["fine", "w2"], ["c2"], strides=[2, 2]),
        helper.make_node("Relu", ["c2"], ["coarse"]),
    ]
    kind = TensorProto.FLOAT
    graph = helper.make_graph(
        nodes,
        "tiny",
        [helper.make_tensor_value_info("x", kind, ["n", 3, "h", "w"])],
        [helper.make_tensor_value_info(name, kind, None) for name in ("fine", "coarse")],
        weights,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    onnx.save(model, tmp_path / "tiny.onnx")
    (tmp_path / "tiny.yaml").write_text(YAML)
    return add_onnx(tmp_path / "tiny.onnx", tmp_path / "tiny.yaml", line.trunks_folder)


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

"""What the doctor measures, and int8 as a precision of its own."""

import pytest

import tenfold
from cells import write_cells
from tenfold.errors import Unsupported
from tenfold.factory.doctor import examine
from tenfold.factory.plan import plan
from tenfold.specs.task import TaskSpec
from tenfold.trunks.runtimes import precisions


@pytest.mark.skipif("int8" not in precisions("openvino"), reason="this processor has no int8")
@pytest.mark.heavy
def test_int8_is_measured_explained_and_can_be_set(tmp_path):
    home = tmp_path / "home"
    write_cells(tmp_path / "cells", good=24, bad=24)
    task = {"task": "t", "dataset": "cells", "question": {"positive": ["cracked"]}}
    with tenfold.opened(home, precision="int8") as workspace:
        tenfold.ingest(workspace, tmp_path / "cells", name="cells")
        with pytest.raises(Unsupported, match="no int8 copy"):
            plan(workspace, TaskSpec.model_validate(task | {"rung": "linear"}))
        found = examine(workspace)
        assert any(m["precision"] == "int8" for m in found.measurements)
        assert any(" int8 " in line for line in found.lines)
        made = tenfold.make(
            workspace, plan(workspace, TaskSpec.model_validate(task | {"rung": "linear"}))
        )
        assert made.model.identity["precision"] == "int8"
        with pytest.raises(Unsupported, match="int8"):
            tenfold.export_onnx(workspace, "t", tmp_path / "t.onnx")
        with pytest.raises(Unsupported, match="efficientnet_lite1"):
            plan(workspace, TaskSpec.model_validate(task))

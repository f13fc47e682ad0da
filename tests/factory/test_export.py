import subprocess
import sys

import numpy as np
import onnxruntime
import pytest
from onnx import TensorProto, helper
from PIL import Image

import tenfold
from tenfold.factory.onnx_export import _view
from tenfold.formats.pixels import decode
from tenfold.onnx_graph import GraphParts
from tenfold.trunks.canvas import canvas, turned

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line

ALONE = """
import os, sys
os.environ["ORT_DISABLE_TELEMETRY"] = "1"
import numpy as np, onnxruntime
session = onnxruntime.InferenceSession(sys.argv[1])
pixels = np.load(sys.argv[2])
print(" ".join(repr(float(x)) for x in np.ravel(session.run(None, {"image": pixels})[0])))
assert not [name for name in sys.modules if name.startswith("tenfold")]
"""


@pytest.mark.parametrize("task", ["classify-cells", "anomaly-cells"])
def test_one_onnx_file_agrees_and_needs_no_tenfold(line, cells, tmp_path, task):
    out = tmp_path / "model.onnx"
    written = tenfold.export_onnx(line, task, out)
    assert written.gap < 2e-3
    picture = sorted((cells / "cracked").iterdir())[1]
    grey = decode(picture.read_bytes(), where="picture")
    tall = np.asarray(Image.fromarray(grey[:, :200, 0]).convert("RGB"))
    np.save(tmp_path / "tall.npy", tall)
    Image.fromarray(tall).save(tmp_path / "tall.png")
    (row,) = tenfold.predict(line, task, [str(tmp_path / "tall.png")])
    site = next(p for p in sys.path if p.endswith("site-packages"))
    program = f"import sys; sys.path.append({site!r})\n{ALONE}"
    done = subprocess.run(
        [sys.executable, "-I", "-S", "-c", program, out, tmp_path / "tall.npy"],
        capture_output=True,
        text=True,
        check=False,
        cwd=tmp_path,
    )
    assert done.returncode == 0, done.stderr
    scores = [float(word) for word in done.stdout.split()]
    assert scores == pytest.approx(list(row.scores.values()), rel=5e-3, abs=5e-3)


def test_views_in_the_graph_are_the_views_of_the_canvas(tmp_path):
    pixels = np.random.default_rng(0).integers(0, 256, (40, 40, 3), np.uint8)
    square, box = canvas(pixels, size_px=40)
    for view in range(8):
        parts = GraphParts()
        flow = _view(parts, "x", f"view{view}", view)
        parts.node("Identity", [flow], "y")
        shape = [1, 40, 40, 3]
        graph = helper.make_graph(
            parts.nodes,
            "views",
            [helper.make_tensor_value_info("x", TensorProto.UINT8, shape)],
            [helper.make_tensor_value_info("y", TensorProto.UINT8, shape)],
            parts.weights,
        )
        model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
        session = onnxruntime.InferenceSession(model.SerializeToString())
        (seen,) = session.run(None, {"x": square[None]})
        np.testing.assert_array_equal(seen[0], turned(square, box, view=view)[0])

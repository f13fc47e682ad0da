import numpy as np
import onnx
import onnxruntime
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from onnx import TensorProto, helper

from tenfold.errors import DataError, SpecError
from tenfold.formats.pixels import decode
from tenfold.trunks.canvas import canvas, turned

SIDES = st.integers(1, 80)


@settings(max_examples=60, deadline=None)
@given(height=SIDES, width=SIDES, size=st.integers(32, 64), channels=st.sampled_from([1, 3]))
def test_letterbox_keeps_the_aspect_ratio_and_says_where_the_picture_lies(
    height, width, size, channels
):
    pixels = np.random.default_rng(0).integers(0, 256, (height, width, channels), np.uint8)
    full, box = canvas(pixels, size_px=size)
    assert full.shape == (size, size, 3)
    left, top, right, bottom = np.rint(box * size).astype(int)
    longest = max(height, width)
    assert max(right - left, bottom - top) == size
    assert abs((right - left) - width * size / longest) <= 1
    assert abs((bottom - top) - height * size / longest) <= 1
    inner = full[top:bottom, left:right]
    edges = np.pad(inner, ((top, size - bottom), (left, size - right), (0, 0)), mode="edge")
    assert (full == edges).all()


@settings(max_examples=40, deadline=None)
@given(height=SIDES, width=SIDES, view=st.integers(0, 7))
def test_views_turn_the_picture_and_its_box_together(height, width, view):
    pixels = np.random.default_rng(1).integers(0, 256, (height, width, 1), np.uint8)
    full, box = canvas(pixels, size_px=40)
    seen, seen_box = canvas(pixels, size_px=40, view=view)
    expected = np.rot90(full, view % 4)
    assert (seen == (expected[:, ::-1] if view >= 4 else expected)).all()
    left, top, right, bottom = np.rint(box * 40).astype(int)
    marked = np.zeros((40, 40, 3), np.uint8)
    marked[top:bottom, left:right] = 1
    marked, _ = turned(marked, box, view=view)
    left, top, right, bottom = np.rint(seen_box * 40).astype(int)
    assert marked[top:bottom, left:right].all()
    assert marked.sum() == 3 * (right - left) * (bottom - top)


def test_grey_gives_what_the_same_picture_in_rgb_gives(cell_files):
    grey = decode(cell_files[0].read_bytes(), where="")[:, :250]
    one, box = canvas(grey, size_px=120)
    three, same = canvas(np.repeat(grey, 3, axis=2), size_px=120)
    assert (one == three).all()
    assert (box == same).all()


@pytest.mark.parametrize("size", [64, 224, 260, 500])
def test_squash_equals_the_onnx_operator_an_export_uses(cell_files, size):
    grey = decode(cell_files[1].read_bytes(), where="")[:, :240]
    ours, box = canvas(grey, size_px=size, fit="squash")
    assert box.tolist() == [0, 0, 1, 1]
    difference = np.abs(ours[:, :, 0].astype(int) - onnx_resize(grey[:, :, 0], size))
    assert difference.max() <= 2
    assert difference.mean() <= 0.1


def onnx_resize(plane, size):
    node = helper.make_node(
        "Resize", ["x", "", "", "sizes"], ["y"], mode="linear", antialias=1,
        coordinate_transformation_mode="half_pixel",
    )  # fmt: skip
    graph = helper.make_graph(
        [node],
        "resize",
        [helper.make_tensor_value_info("x", TensorProto.UINT8, [1, 1, *plane.shape])],
        [helper.make_tensor_value_info("y", TensorProto.UINT8, None)],
        [onnx.numpy_helper.from_array(np.array([1, 1, size, size]), "sizes")],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=10)
    session = onnxruntime.InferenceSession(model.SerializeToString())
    return session.run(None, {"x": plane[None, None]})[0][0, 0]


def test_impossible_pixels_and_views_are_refused():
    with pytest.raises(DataError, match=r"expected pixels \[h, w, 1 or 3\]"):
        canvas(np.zeros((4, 4, 2), np.uint8), size_px=32)
    with pytest.raises(DataError, match="expected pixels"):
        canvas(np.zeros((0, 4, 1), np.uint8), size_px=32)
    with pytest.raises(SpecError, match="view must be"):
        canvas(np.zeros((4, 4, 1), np.uint8), size_px=32, view=8)

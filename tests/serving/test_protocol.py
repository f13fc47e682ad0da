import base64
import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.errors import DataError
from tenfold.serving.protocol import USUAL, Output, read_request, write_response


def read(tail=b"", *, outputs=None, asked=None, **tensor):
    """A request whose input differs from a usual one in what is given."""
    plain = {"name": "image", "shape": [1], "datatype": "BYTES"}
    if tail:
        plain["parameters"] = {"binary_data_size": len(tail)}
    head = {"inputs": [plain | tensor]}
    head |= {"outputs": outputs} if outputs else {}
    head |= {"parameters": asked} if asked else {}
    text = json.dumps(head).encode()
    return read_request(text + tail, header_length=str(len(text)) if tail else None)


def elements(files):
    return b"".join(len(file).to_bytes(4, "little") + file for file in files)


@given(st.lists(st.binary(max_size=40), min_size=1, max_size=5))
def test_files_come_through_as_bytes_and_as_base64(files):
    count = [len(files)]
    text = read(shape=count, data=[base64.b64encode(file).decode() for file in files])
    assert read(elements(files), shape=count).pictures == text.pictures == tuple(files)


@pytest.mark.parametrize("shape", [(2, 3, 4, 3), (2, 3, 4, 1), (3, 4, 3)])
def test_pixels_come_through_as_bytes_and_as_numbers(shape):
    pixels = np.arange(np.prod(shape), dtype=np.uint8).reshape(shape)
    whole = pixels if len(shape) == 4 else pixels[None]
    for asked in (
        read(pixels.tobytes(), shape=shape, datatype="UINT8"),
        read(shape=shape, datatype="UINT8", data=pixels.tolist()),
    ):
        np.testing.assert_array_equal(np.stack(asked.pictures), whole)


@pytest.mark.parametrize(
    ("tensor", "says"),
    [
        ({"datatype": "FP32"}, "expected BYTES"),
        ({"shape": [0]}, "n = 1"),
        ({"shape": [65]}, "n = 1"),
        ({"shape": [-1]}, "n = 1"),
        ({"data": ["%%%"]}, "base64"),
        ({"data": [7]}, "base64"),
        ({"data": []}, "expected 1 files"),
        ({"data": ["aGk=", "aGk="]}, "expected 1 files"),
        ({"parameters": {"binary_data_size": 5}}, "0 bytes that follow"),
        ({"parameters": {"binary_data_size": True}}, "0 bytes that follow"),
        ({"datatype": "UINT8", "shape": [2, 2, 2]}, "1 or 3"),
        ({"datatype": "UINT8", "shape": [1, 1, 3], "data": [1, 2]}, "expected 3 numbers"),
        ({"datatype": "UINT8", "shape": [1, 1, 3], "data": [1, 2, 256]}, "0 .. 255"),
        ({"datatype": "UINT8", "shape": [1, 1, 3], "data": ["a", 2, 3]}, "whole numbers"),
        ({"datatype": "UINT8", "shape": [10**9, 10**9, 3], "data": []}, "numbers as the shape"),
        ({"datatype": "UINT8", "shape": [1, 1, 3], "data": [1e400, 2, 3]}, "whole numbers"),
        ({"colour": "red"}, "Extra inputs"),
    ],
)
def test_what_does_not_hold_says_where(tensor, says):
    with pytest.raises(DataError, match=says) as told:
        read(**tensor)
    assert told.value.where


@pytest.mark.parametrize("tail", [b"\x00", b"\x05\x00\x00\x00abc", b"\xff\xff\xff\xffabc"])
def test_a_cut_element_is_told(tail):
    with pytest.raises(DataError, match="element 0"):
        read(tail)


@pytest.mark.parametrize("length", ["-1", "x", "9" * 13, "²", "100000"])
def test_a_wrong_header_length_is_told(length):
    with pytest.raises(DataError) as told:
        read_request(b"{}", header_length=length)
    assert told.value.where == "Inference-Header-Content-Length"


@given(st.binary(max_size=200))
def test_no_bytes_are_more_than_a_told_error(data):
    for length in (None, "3"):
        with pytest.raises(DataError):
            read_request(data, header_length=length)


def test_outputs_parameters_and_time():
    plain = read(data=["aGk="])
    assert (plain.outputs, plain.route_key, plain.timeout_s) == (USUAL, "", None)
    told = read(
        data=["aGk="],
        outputs=[{"name": "map", "parameters": {"binary_data": True}}, {"name": "label"}],
        asked={"route_key": "SN-1", "timeout": 250_000},
    )
    assert (told.outputs, told.binary) == (("map", "label"), {"map"})
    assert (told.route_key, told.timeout_s) == ("SN-1", 0.25)
    assert read(data=["aGk="], asked={"binary_data_output": True}).binary >= set(USUAL)
    with pytest.raises(DataError, match="no output 'sore'"):
        read(data=["aGk="], outputs=[{"name": "sore"}])
    with pytest.raises(DataError, match="microseconds"):
        read(data=["aGk="], asked={"timeout": -1})


def test_bytes_follow_the_json_in_the_order_of_the_outputs():
    outputs = [
        Output("label", "BYTES", np.array(["good", "böse"], object)),
        Output("score", "FP32", np.array([0.25, 1.5], np.float32)),
    ]
    data, length = write_response({"id": "1"}, outputs, binary=frozenset({"label"}))
    head = json.loads(data[:length])
    assert data[length:] == elements([b"good", "böse".encode()])
    assert head["outputs"][0]["parameters"] == {"binary_data_size": len(data) - length}
    assert head["outputs"][1] == {
        "name": "score",
        "datatype": "FP32",
        "shape": [2],
        "data": [0.25, 1.5],
    }
    text, none = write_response({}, outputs, binary=frozenset())
    assert none is None
    assert json.loads(text)["outputs"][0]["data"] == ["good", "böse"]

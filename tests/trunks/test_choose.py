from dataclasses import replace

import numpy as np
import pytest

from tenfold.errors import DataError, SpecError
from tenfold.trunks.choose import Measurement, choose, measure
from tenfold.trunks.int8 import quantised, sums_overflow
from tenfold.trunks.runtimes import compile_trunk, runtime_version
from tenfold.values import FeatureSpace

FP32 = Measurement("openvino-1", "fp32", "a", 100.0, 1.0, 1.0)
BF16 = Measurement("openvino-1", "bf16", "a", 180.0, 0.9986, 0.985)
INT8 = Measurement("openvino-1", "int8", "b", 300.0, 0.993, 0.93)
ORT = Measurement("onnxruntime-1", "fp32", "a", 80.0, 1.0, 1.0)


def test_the_fastest_way_that_agrees_is_chosen_and_every_other_gets_a_reason():
    choice = choose([FP32, BF16, INT8, ORT])
    assert choice.measurement is BF16
    first, *others = choice.why.splitlines()
    assert "bf16 180 img/s: chosen, 1.80 times" in first
    assert [line for line in others if "int8" in line] == [
        "openvino-1 int8 300 img/s: feature maps differ (cosine 0.9300, least 0.97)."
    ]
    assert len(others) == 3


def test_a_small_gain_does_not_replace_exact_float32():
    assert choose([FP32, replace(BF16, images_per_second=105.0)]).measurement is FP32


def test_int8_is_never_chosen_by_itself():
    """A ladder climbs on trunks that have no int8 copy."""
    good = replace(INT8, map_cosine=0.99)
    choice = choose([FP32, BF16, good])
    assert choice.measurement is BF16
    assert "int8 300 img/s: agrees, but runs only where it is set" in choice.why


def test_without_float32_there_is_nothing_to_compare_with():
    with pytest.raises(DataError, match="float32 was not measured"):
        choose([BF16])


@pytest.mark.slow
def test_quantising_twice_gives_the_same_trunk(lite0, cells, trunks_folder):
    once, again = (quantised(lite0, list(cells), trunks_folder) for _ in range(2))
    assert once == again


@pytest.mark.heavy
def test_int8_is_a_trunk_of_its_own_that_nearly_agrees(lite0, cells, trunks_folder):
    small = quantised(lite0, list(cells[:4]), trunks_folder)
    assert small.quantised_from == lite0.digest != small.digest
    assert small.channels == lite0.channels
    found = measure([lite0, small], list(cells), streams=1, runtimes=["openvino"], seconds=0.05)
    assert {"fp32", "int8"} <= {m.precision for m in found}
    pooled = {m.precision: m.pooled_cosine for m in found}
    assert pooled["fp32"] == pytest.approx(1.0)
    assert (0.95 if sums_overflow() else 0.97) < pooled["int8"] < 0.9999
    space = FeatureSpace(small.digest, 96, "letterbox", 0, "int8", runtime_version("openvino"))
    whole = compile_trunk(small, space, small.outputs, streams=2).one(cells[0])
    part = compile_trunk(small, space, ("pooled",), streams=1).one(cells[0])
    assert whole["pooled"].tobytes() == part["pooled"].tobytes()
    np.testing.assert_allclose(
        part["vitals"],
        compile_trunk(lite0, replace(space, trunk=lite0.digest, precision="fp32"), (), streams=1)
        .one(cells[0])["vitals"],
        atol=1e-5,
    )  # fmt: skip
    with pytest.raises(SpecError, match="int8 already"):
        quantised(small, list(cells), trunks_folder)
    with pytest.raises(DataError, match="no pictures"):
        quantised(lite0, [], trunks_folder)

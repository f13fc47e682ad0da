import os
import subprocess
import sys
from dataclasses import replace
from itertools import combinations

import numpy as np
import pytest

from tenfold.errors import NotFound, SpecError, Unsupported
from tenfold.trunks.runtimes import (
    RUNTIMES,
    compile_trunk,
    in_order,
    precisions,
    runtime_version,
)
from tenfold.values import FeatureSpace

MAPS = ("map_s4", "map_s8", "map_s16", "map_s32")
WAYS = [(r, p) for r in RUNTIMES for p in precisions(r) if p != "int8"]


def space(trunk, runtime="openvino", precision="fp32", size_px=96):
    return FeatureSpace(trunk.digest, size_px, "letterbox", 0, precision, runtime_version(runtime))


def same(one, two):
    return all(one[name].tobytes() == two[name].tobytes() for name in one.keys() & two.keys())


@pytest.mark.parametrize(("runtime", "precision"), WAYS)
def test_a_feature_depends_on_its_picture_alone(lite0, cells, runtime, precision):
    """Alone or among neighbours, on one stream or three, whatever else was asked for."""
    here = space(lite0, runtime, precision)
    whole = compile_trunk(lite0, here, MAPS, streams=1)
    alone = [whole.one(cell) for cell in cells]
    crowd = compile_trunk(lite0, here, MAPS, streams=3)
    assert all(same(alone[key], out) for key, out in in_order(crowd, enumerate(cells)))
    subsets = [(), *combinations(MAPS, 1), ("map_s8", "map_s16")]
    for outputs in subsets:
        part = compile_trunk(lite0, here, outputs, streams=2)
        got = part.one(cells[0])
        assert got.keys() == {*outputs, "pooled", "vitals"}
        assert same(alone[0], got), outputs


@pytest.mark.parametrize("runtime", RUNTIMES)
def test_answers_come_in_the_order_asked_and_few_wait(lite0, cells, runtime):
    compiled = compile_trunk(lite0, space(lite0, runtime), (), streams=2)
    taken = []

    def source():
        for key in range(30):
            taken.append(key)
            yield key, cells[key % len(cells)]

    seen = []
    for key, _ in in_order(compiled, source()):
        seen.append(key)
        assert len(taken) - len(seen) <= 4
    assert seen == list(range(30))


def test_both_runtimes_agree_on_real_pictures(lite0, cells):
    one, two = (compile_trunk(lite0, space(lite0, r), MAPS, streams=1) for r in RUNTIMES)
    for cell in cells[:3]:
        ours, theirs = one.one(cell), two.one(cell)
        for name, array in ours.items():
            np.testing.assert_allclose(array, theirs[name], atol=2e-3, rtol=1e-3, err_msg=name)


def test_maps_and_vitals_have_their_shapes_and_meaning(lite0, cells):
    compiled = compile_trunk(lite0, space(lite0), MAPS, streams=1)
    out = compiled.one(cells[0])
    assert {n: out[n].shape for n in MAPS} == {
        "map_s4": (1, 24, 24, 24),
        "map_s8": (1, 12, 12, 40),
        "map_s16": (1, 6, 6, 112),
        "map_s32": (1, 3, 3, 320),
    }
    assert out["pooled"].shape == (1, lite0.pooled_dim)
    grey = cells[0].astype(np.float64)[:, :, 0] / 255
    mean, std, dark, bright, _ = out["vitals"][0]
    np.testing.assert_allclose([mean, std], [grey.mean(), grey.std()], atol=1e-4)
    np.testing.assert_allclose([dark, bright], [(grey < 8 / 255).mean(), (grey > 247 / 255).mean()])
    black = compiled.one(np.zeros_like(cells[0]))["vitals"][0]
    assert black.tolist() == [0, 0, 1, 0, 0]


def test_what_cannot_be_computed_says_why(lite0):
    here = space(lite0)
    with pytest.raises(NotFound, match="no output"):
        compile_trunk(lite0, here, ["map_s64"], streams=1)
    with pytest.raises(SpecError, match="of trunk"):
        compile_trunk(lite0, replace(here, trunk="0" * 64), (), streams=1)
    with pytest.raises(SpecError, match="cannot run in int8"):
        compile_trunk(lite0, replace(here, precision="int8"), (), streams=1)
    with pytest.raises(Unsupported, match=r"need openvino-1999\.1"):
        compile_trunk(lite0, replace(here, runtime="openvino-1999.1"), (), streams=1)
    with pytest.raises(Unsupported, match="cannot compute in bf16"):
        compile_trunk(lite0, space(lite0, "onnxruntime", "bf16"), (), streams=1)
    with pytest.raises(Unsupported, match="no runtime"):
        compile_trunk(lite0, replace(here, runtime="tensorrt-1"), (), streams=1)


SILENT = """
import socket, sys
def refuse(*args, **kwargs):
    print("NETWORK", args)
    raise OSError("no network in this test")
socket.socket.connect = socket.getaddrinfo = socket.create_connection = refuse
from pathlib import Path
import numpy as np
from tenfold.trunks import load_trunk
from tenfold.trunks.runtimes import RUNTIMES, compile_trunk, runtime_version
from tenfold.values import FeatureSpace
trunk = load_trunk("efficientnet_lite0", Path(sys.argv[1]))
for runtime in RUNTIMES:
    space = FeatureSpace(trunk.digest, 64, "letterbox", 0, "fp32", runtime_version(runtime))
    compile_trunk(trunk, space, (), streams=1).one(np.zeros((64, 64, 3), np.uint8))
assert not any(m.startswith("openvino_telemetry.") for m in sys.modules)
print("done")
"""


def test_nothing_is_sent_and_nothing_written_into_the_home_folder(lite0, trunks_folder, tmp_path):
    environment = {**os.environ, "HOME": str(tmp_path)}
    command = [sys.executable, "-c", SILENT, str(trunks_folder)]
    run = subprocess.run(command, env=environment, capture_output=True, text=True, check=False)
    assert run.stdout.split() == ["done"], run.stderr
    assert not list(tmp_path.iterdir())

"""The gate on real magnetic tiles: none is turned away, whatever its defect; rubbish always is."""

from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageFilter

from tenfold.errors import DataError
from tenfold.heads.fitness import FitnessGate
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.runtimes import compile_trunk, in_order, runtime_version
from tenfold.values import FeatureSpace, MapBatch

TILES = Path(__file__).parents[2].parent / "shared/data/A-magnetic-tile/images"
ELPV = Path(__file__).parents[1] / "data/elpv"


@pytest.fixture(scope="module")
def look(tmp_path_factory):
    """Pictures → what the gate reads, from the real trunk."""
    trunk = load_trunk("efficientnet_lite0", tmp_path_factory.mktemp("trunks"))
    space = FeatureSpace(
        trunk=trunk.digest,
        size_px=224,
        fit="letterbox",
        view=0,
        precision="fp32",
        runtime=runtime_version("onnxruntime"),
    )
    compiled = compile_trunk(trunk, space, (), streams=1)

    def batch(images):
        squares = [canvas(np.asarray(im.convert("RGB")), size_px=224)[0] for im in images]
        outputs = [out for _, out in in_order(compiled, enumerate(squares))]
        return MapBatch(
            {},
            np.tile(np.array([0, 0, 1, 1], np.float32), (len(squares), 1)),
            np.concatenate([o["pooled"] for o in outputs]),
            np.concatenate([o["vitals"] for o in outputs]),
        )

    return batch


def tiles(kind, *, start=0, step=1, count=60):
    if not TILES.is_dir():
        pytest.skip("the magnetic tiles are not beside this checkout")
    return [Image.open(path) for path in sorted((TILES / kind).glob("*.jpg"))[start::step][:count]]


@pytest.fixture(scope="module")
def gate(look):
    goods = look(tiles("free", step=4))
    return FitnessGate.fit(lambda: iter([goods]))


@pytest.mark.parametrize("kind", ["free", "blowhole", "break", "crack", "fray", "uneven"])
def test_no_tile_is_turned_away(look, gate, kind):
    assert set(gate.reasons(look(tiles(kind, start=1, step=3, count=12)))) == {""}


def test_rubbish_is_named(look, gate):
    goods = tiles("free", start=2, step=40, count=6)
    spoilt = {
        "blurred": [im.filter(ImageFilter.GaussianBlur(im.width / 40)) for im in goods],
        "too dark": [im.point(lambda v: v // 20) for im in goods],
        "too bright": [Image.new("RGB", (200, 300), "white")],
        "empty: almost no contrast": [Image.new("RGB", (200, 300), (120, 120, 120))],
    }
    for reason, images in spoilt.items():
        assert set(gate.reasons(look(images))) == {reason}


def test_another_scene_is_named(look, gate):
    cells = [Image.open(path) for path in sorted((ELPV / "images").glob("*.png"))]
    assert cells
    assert "" not in gate.reasons(look(cells))


def test_gate_comes_back_from_its_arrays(look, gate):
    batch = look(tiles("free", step=60))
    again = FitnessGate.from_arrays(gate.arrays())
    assert again.reasons(batch) == gate.reasons(batch)


def test_features_that_are_not_numbers_are_unfit(look, gate):
    batch = look(tiles("free", step=120))
    batch.pooled[0, 3] = np.nan
    assert gate.reasons(batch)[0] == "features are not numbers"
    with pytest.raises(DataError, match="NaN"):
        FitnessGate.fit(lambda: iter([batch]))


def test_no_goods_is_a_data_error():
    with pytest.raises(DataError, match="no good pictures"):
        FitnessGate.fit(lambda: iter(()))

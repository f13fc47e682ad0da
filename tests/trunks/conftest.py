from pathlib import Path

import numpy as np
import pytest

from tenfold.formats.pixels import decode
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas


@pytest.fixture(scope="session")
def trunks_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trunks")


@pytest.fixture(scope="session")
def lite0(trunks_folder):
    return load_trunk("efficientnet_lite0", trunks_folder)


@pytest.fixture(scope="session")
def cell_files():
    """Real solar cells, spread over the set."""
    dataset = pytest.importorskip("elpv_dataset", reason="needs elpv-dataset (extra `demo`)")
    return sorted((Path(dataset.__file__).parent / "data/images").glob("*.png"))[::300]


@pytest.fixture(scope="session")
def cells(cell_files):
    """Canvases of 96 px, so that a trunk takes a few milliseconds."""
    pixels = [decode(path.read_bytes(), where=path.name) for path in cell_files]
    return np.stack([canvas(p, size_px=96)[0] for p in pixels])

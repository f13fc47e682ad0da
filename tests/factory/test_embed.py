import hashlib
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tenfold.factory.embed import embed
from tenfold.factory.reading import map_batches
from tenfold.features import FeatureStore
from tenfold.formats.pixels import decode
from tenfold.trunks import load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.runtimes import compile_trunk, runtime_version
from tenfold.values import FeatureSpace

LIMIT = 1 << 40


@pytest.fixture(scope="module")
def trunks_folder(tmp_path_factory):
    return tmp_path_factory.mktemp("trunks")


@pytest.fixture(scope="module")
def trunk(trunks_folder):
    return load_trunk("efficientnet_lite0", trunks_folder)


@pytest.fixture(scope="module")
def samples():
    dataset = pytest.importorskip("elpv_dataset", reason="needs elpv-dataset (extra `demo`)")
    paths = sorted((Path(dataset.__file__).parent / "data/images").glob("*.png"))[::120]
    return [(hashlib.sha256(p.read_bytes()).hexdigest(), p.read_bytes) for p in paths]


def space(trunk, view=0, size_px=64):
    return FeatureSpace(
        trunk.digest, size_px, "letterbox", view, "fp32", runtime_version("openvino")
    )


def test_each_picture_is_read_once_for_all_spaces_and_never_again(tmp_path, trunk, samples):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    reads = []
    counted = [
        (sha, lambda sha=sha, read=read: (reads.append(sha), read())[1]) for sha, read in samples
    ]
    spaces = [space(trunk), space(trunk, view=5), space(trunk, size_px=96)]
    steps = []
    report = embed(store, trunk, spaces, counted, progress=lambda *step: steps.append(step))
    assert (report.images, report.failed) == (len(samples), [])
    assert sorted(reads) == sorted(sha for sha, _ in samples)
    assert steps[-1] == ("embed", len(samples), len(samples))
    again = embed(FeatureStore(tmp_path, limit_bytes=LIMIT), trunk, spaces, counted)
    assert again.images == 0
    assert len(reads) == len(samples)
    more = embed(store, trunk, [*spaces, space(trunk, view=1)], counted[:3], ["map_s8"])
    assert more.images == 3


def test_stored_features_are_those_of_the_picture_alone(tmp_path, trunk, samples):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    spaces = [space(trunk), space(trunk, view=6)]
    embed(store, trunk, spaces, samples, ["map_s8", "map_s16"])
    ids = [sha for sha, _ in samples]
    alone = compile_trunk(trunk, spaces[0], ("map_s8",), streams=1)
    for one in spaces:
        batches = list(map_batches(store, one, [8, 16], ids, size=5))
        assert sum(map(len, batches)) == len(samples)
        for row in (0, 7, len(samples) - 1):
            batch, place = batches[row // 5], row % 5
            pixels = decode(samples[row][1](), where="")
            expected_canvas, box = canvas(pixels, size_px=64, view=one.view)
            expected = alone.one(expected_canvas)
            assert batch.pooled[place].tobytes() == expected["pooled"][0].tobytes()
            assert batch.vitals[place].tobytes() == expected["vitals"][0].tobytes()
            assert (batch.maps[8][place] == expected["map_s8"][0].astype(np.float16)).all()
            assert (batch.content_xyxy[place] == box).all()


def test_a_bad_file_is_reported_and_stops_nothing(tmp_path, trunk, samples):
    def gone():
        raise FileNotFoundError("no such file: cell.png")

    broken = [("0" * 64, lambda: b"no picture"), ("1" * 64, gone)]
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    report = embed(store, trunk, [space(trunk)], [broken[0], *samples[:4], broken[1]])
    assert report.images == 4
    reasons = dict(report.failed)
    assert reasons.keys() == {"0" * 64, "1" * 64}
    assert "not-an-image" in reasons["0" * 64]
    assert "no such file" in reasons["1" * 64]


KILLED = """
import sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
import elpv_dataset, hashlib
import tenfold.features
tenfold.features.SHARD_ROWS = 4
from test_embed import LIMIT, FeatureStore, embed, load_trunk, space
trunk = load_trunk("efficientnet_lite0", Path(sys.argv[2]))
paths = sorted((Path(elpv_dataset.__file__).parent / "data/images").glob("*.png"))[::120]
samples = [(hashlib.sha256(p.read_bytes()).hexdigest(), p.read_bytes) for p in paths]
print("ready", flush=True)
embed(FeatureStore(Path(sys.argv[3]), limit_bytes=LIMIT), trunk, [space(trunk)], samples)
"""


def test_after_a_kill_the_rest_is_embedded_with_the_same_bytes(
    tmp_path, trunk, trunks_folder, samples
):
    folders = [str(Path(__file__).parent), str(trunks_folder), str(tmp_path / "killed")]
    process = subprocess.Popen([sys.executable, "-c", KILLED, *folders], stdout=subprocess.PIPE)
    process.stdout.readline()
    deadline = time.monotonic() + 20
    while not list(Path(folders[2]).glob("*/*/*.safetensors")) and time.monotonic() < deadline:
        time.sleep(0.005)
    process.kill()
    process.wait()
    process.stdout.close()
    ids = [sha for sha, _ in samples]
    killed, whole = (FeatureStore(tmp_path / n, limit_bytes=LIMIT) for n in ("killed", "whole"))
    there = len(ids) - len(killed.missing(space(trunk), "pooled", ids))
    assert there > 0
    report = embed(killed, trunk, [space(trunk)], samples)
    assert report.images == len(ids) - there
    embed(whole, trunk, [space(trunk)], samples)
    read = [store.read(space(trunk), "pooled", ids).tobytes() for store in (killed, whole)]
    assert read[0] == read[1]

import hashlib
import os
import pickle

import numpy as np
import pytest

from tenfold.errors import IntegrityError
from tenfold.trunks.efficientnet_lite import VARIANTS, weights_path
from tenfold.trunks.weights import MAGIC, read_checkpoint


def read(path):
    return read_checkpoint(path, sha256=hashlib.sha256(path.read_bytes()).hexdigest())


def test_tensors_stored_in_another_order_of_axes_come_out_right():
    name = "efficientnet_lite0"
    arrays = read_checkpoint(weights_path(name), sha256=VARIANTS[name].sha256)
    stem = arrays["_conv_stem.weight"]  # strides (1, 32, 288, 96) in the file
    assert stem.shape == (32, 3, 3, 3)
    np.testing.assert_allclose(stem.ravel()[:4], [-1.1103, -1.3088, -0.0102, 0.9208], atol=1e-4)


@pytest.mark.train
@pytest.mark.parametrize("name", VARIANTS)
def test_every_tensor_is_bit_equal_to_what_torch_loads(name):
    torch = pytest.importorskip("torch")
    expected = torch.load(weights_path(name), weights_only=True)
    arrays = read_checkpoint(weights_path(name), sha256=VARIANTS[name].sha256)
    assert arrays.keys() == expected.keys()
    for key, array in arrays.items():
        theirs = expected[key].numpy()
        assert array.dtype == theirs.dtype
        assert array.shape == theirs.shape
        assert array.tobytes() == theirs.tobytes(), key


def test_other_bytes_than_the_pinned_ones_are_refused(tmp_path):
    path = tmp_path / "weights.pth"
    path.write_bytes(weights_path("efficientnet_lite0").read_bytes() + b"x")
    with pytest.raises(IntegrityError, match="expected weights with SHA-256"):
        read_checkpoint(path, sha256=VARIANTS["efficientnet_lite0"].sha256)


@pytest.mark.parametrize("share", [0.0, 0.00001, 0.001, 0.5, 0.9999])
def test_a_truncated_file_is_an_integrity_error(tmp_path, share):
    data = weights_path("efficientnet_lite0").read_bytes()
    path = tmp_path / "weights.pth"
    path.write_bytes(data[: int(share * len(data))])
    with pytest.raises(IntegrityError):
        read(path)


class Attack:
    def __reduce__(self):
        return os.system, ("touch owned",)


def test_a_pickle_that_wants_to_run_something_is_refused_before_it_runs(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    path = tmp_path / "weights.pth"
    path.write_bytes(
        pickle.dumps(MAGIC) + pickle.dumps(1001) + pickle.dumps({}) + pickle.dumps(Attack())
    )
    with pytest.raises(IntegrityError, match="system, which is not an array"):
        read(path)
    assert not (tmp_path / "owned").exists()

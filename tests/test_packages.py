import json
import zipfile

import numpy as np
import pytest

from tenfold import packages
from tenfold.catalog.models import PackRef
from tenfold.errors import DataError, IntegrityError, NotFound, Unsupported
from tenfold.packages import HeadSpec, Manifest, Package, Packs


@pytest.fixture
def package():
    manifest = Manifest(
        model="a" * 64,
        task="caps",
        kind="classify",
        classes=("good", "defect"),
        question={"positive": ["defect"]},
        inputs=(),
        precision="fp32",
        runtime="openvino-1",
        head=HeadSpec(name="classify_linear", params={}, version=1),
        thresholds=(0.5,),
    )
    weights = np.arange(6, dtype=np.float16).reshape(2, 3)
    return Package(manifest, head={"weights": weights}, gate={})


@pytest.fixture
def file(tmp_path, package):
    path = tmp_path / "caps.tenfold"
    packages.write_file(path, package, golden_rows=b"rows", card_md="# caps", card_html="<p>")
    return path


def test_a_payload_comes_back_whole(package):
    again = packages.load(packages.dump(package), where="here")
    assert again.manifest == package.manifest
    np.testing.assert_array_equal(again.head["weights"], package.head["weights"])


def test_the_same_package_is_the_same_file(tmp_path, package, file):
    other = tmp_path / "other.tenfold"
    packages.write_file(other, package, golden_rows=b"rows", card_md="# caps", card_html="<p>")
    assert other.read_bytes() == file.read_bytes()
    again, rows = packages.read_file(file)
    assert (again.manifest, rows) == (package.manifest, b"rows")


def test_a_damaged_byte_is_noticed_or_harmless(file, package):
    whole = file.read_bytes()
    noticed = 0
    for place in np.random.default_rng(0).integers(0, len(whole), 60):
        damaged = bytearray(whole)
        damaged[place] ^= 0xFF
        file.write_bytes(damaged)
        try:
            again, rows = packages.read_file(file)
        except (IntegrityError, DataError, Unsupported):
            noticed += 1
        else:
            assert (packages.dump(again), rows) == (packages.dump(package), b"rows")
    assert noticed > 30


@pytest.mark.parametrize("keep", [0, 3, 200, -30])
def test_a_cut_file_is_an_error_not_a_surprise(file, keep):
    file.write_bytes(file.read_bytes()[:keep])
    with pytest.raises((IntegrityError, DataError), match=str(file)):
        packages.read_file(file)


def test_a_foreign_zip_and_a_missing_file_are_told_apart(tmp_path):
    foreign = tmp_path / "foreign.tenfold"
    with zipfile.ZipFile(foreign, "w") as archive:
        archive.writestr("hello.txt", "hello")
    with pytest.raises(DataError, match="not a Tenfold package"):
        packages.read_file(foreign)
    with pytest.raises(NotFound):
        packages.read_file(tmp_path / "none.tenfold")


def test_a_newer_schema_says_upgrade(package):
    payload = packages.dump(package)
    size = int.from_bytes(payload[:8], "little")
    header = json.loads(payload[8 : 8 + size])
    manifest = json.loads(header["__metadata__"]["manifest"]) | {"schema_version": 99}
    header["__metadata__"]["manifest"] = json.dumps(manifest)
    text = json.dumps(header).encode()
    newer = len(text).to_bytes(8, "little") + text + payload[8 + size :]
    with pytest.raises(Unsupported, match="Upgrade Tenfold"):
        packages.load(newer, where="here")


def test_packs_skip_what_a_crash_left_behind(tmp_path):
    packs = Packs(tmp_path)
    first = packs.append(b"first")
    with (tmp_path / first.pack).open("ab") as file:
        file.write(b"half an ent")
    second = packs.append(b"second")
    assert (packs.read(first), packs.read(second)) == (b"first", b"second")


def test_a_damaged_pack_is_refused(tmp_path):
    packs = Packs(tmp_path)
    ref = packs.append(b"first")
    (tmp_path / ref.pack).write_bytes(b"fires")
    with pytest.raises(IntegrityError, match="make it again"):
        packs.read(ref)
    with pytest.raises(NotFound):
        packs.read(PackRef("gone.pack", 0, 1, "0" * 64))

import json
import zipfile
from dataclasses import replace

import numpy as np
import pytest

from tenfold import packages
from tenfold.blobs import Blobs
from tenfold.catalog.models import Model
from tenfold.errors import DataError, IntegrityError, NotFound, Unsupported
from tenfold.packages import Golden, HeadSpec, Manifest, Pack, Package, read_stretch
from tenfold.values import MapBatch

DIGEST = "d" * 64


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
        goldens=(Golden(sample="e" * 64, scores=(0.1, 0.9), decision="defect", rows=DIGEST),),
    )
    weights = np.arange(6, dtype=np.float16).reshape(2, 3)
    return Package(manifest, head={"weights": weights}, gate={})


@pytest.fixture
def file(tmp_path, package):
    path = tmp_path / "caps.tenfold"
    packages.write_file(path, package, rows={DIGEST: b"rows"}, card_md="# caps", card_html="<p>")
    return path


def test_a_payload_comes_back_whole(package):
    again = packages.load(packages.dump(package), where="here")
    assert again.manifest == package.manifest
    np.testing.assert_array_equal(again.head["weights"], package.head["weights"])


@pytest.mark.parametrize("kind", ["classify", "anomaly"])
def test_golden_rows_come_back_whole(kind):
    pooled = np.arange(12, dtype=np.float32).reshape(1, 12)
    seen = pooled[:, None]
    if kind == "anomaly":
        maps = {stride: np.ones((1, 2, 3, 4), np.float16) * stride for stride in (8, 16)}
        seen = MapBatch(maps, np.zeros((1, 4), np.float32), pooled, np.ones((1, 5), np.float32))
    again = packages.load_rows(packages.dump_rows(seen))
    assert type(again) is type(seen)
    assert packages.dump_rows(again) == packages.dump_rows(seen)


def test_the_same_package_is_the_same_file(tmp_path, package, file):
    other = tmp_path / "other.tenfold"
    packages.write_file(other, package, rows={DIGEST: b"rows"}, card_md="# caps", card_html="<p>")
    assert other.read_bytes() == file.read_bytes()
    again, rows = packages.read_file(file)
    assert (again.manifest, rows) == (package.manifest, {DIGEST: b"rows"})


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
            assert (packages.dump(again), rows) == (packages.dump(package), {DIGEST: b"rows"})
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


@pytest.fixture
def blobs(tmp_path):
    return Blobs.opened("", tmp_path)


def test_payloads_of_a_pack_come_back_one_by_one(blobs):
    pack = Pack()
    places = [pack.add(payload) for payload in (b"first", b"", b"second")]
    assert pack.size_bytes == len(b"firstsecond")
    kept = pack.keep(blobs)
    assert [read_stretch(blobs, kept, place) for place in places] == [b"first", b"", b"second"]


def test_the_same_payloads_are_the_same_pack(blobs):
    packs = []
    for _ in range(2):
        packs.append(Pack())
        packs[-1].add(b"first")
        packs[-1].add(b"second")
    assert packs[0].keep(blobs) == packs[1].keep(blobs)


def test_a_damaged_pack_is_refused(blobs, tmp_path):
    pack = Pack()
    places = [pack.add(b"first"), pack.add(b"second")]
    kept = pack.keep(blobs)
    (file,) = tmp_path.rglob(kept)
    file.write_bytes(b"fires" + b"second")
    with pytest.raises(IntegrityError, match="make it again"):
        read_stretch(blobs, kept, places[0])
    assert read_stretch(blobs, kept, places[1]) == b"second"
    file.write_bytes(b"first" + b"sec")
    with pytest.raises(IntegrityError, match="ends before byte 11"):
        read_stretch(blobs, kept, places[1])
    with pytest.raises(NotFound):
        read_stretch(blobs, "0" * 64, places[0])


def test_a_verdict_joins_the_package_when_it_is_read(blobs, package):
    pack = Pack()
    pack.add(b"another model")
    head = pack.add(packages.dump(package))
    verdict = {"status": "accepted", "look": 2}
    model = registered(pack.keep(blobs), head, verdict)
    again = packages.of_model(blobs, model)
    assert package.manifest.verdict == {}
    assert again.manifest == package.manifest.model_copy(update={"verdict": verdict})
    np.testing.assert_array_equal(again.head["weights"], package.head["weights"])
    with pytest.raises(NotFound):
        packages.of_model(blobs, replace(model, pack="0" * 64))


def registered(pack, head, verdict):
    """A row of the catalog that points at a pack."""
    return Model(
        id="a" * 64,
        task="caps",
        fleet="",
        sector="",
        kind="classify",
        dataset="caps",
        snapshot="5" * 64,
        make_id="m" * 64,
        rung="linear",
        estimate=None,
        status=verdict["status"],
        verdict=verdict,
        identity={},
        pack=pack,
        head=head,
        evidence=head,
        roster="8" * 64,
        seconds={},
    )

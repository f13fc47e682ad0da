import logging
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tenfold.errors import NotFound, Unavailable
from tenfold.features import FeatureStore
from tenfold.stores import open_store
from test_features import LIMIT, OTHER, SPACE, arrays, damage_data, fill, sample

NUMBERS = list(range(30))
IDS = [sample(n) for n in NUMBERS]


@pytest.fixture(params=["folder", "s3"])
def url(request, tmp_path):
    """Where the team shares its features."""
    if request.param == "s3":
        return request.getfixturevalue("s3") + "/features"
    return f"file://{tmp_path}/team"


@pytest.fixture
def machine(url, tmp_path):
    """Opens the store of a machine by its name; each has a folder of its own."""

    def opened(name, limit_bytes=LIMIT):
        shared = open_store(url, folder=tmp_path)
        return FeatureStore(tmp_path / name, limit_bytes=limit_bytes, shared=shared)

    return opened


def expected(numbers, output="pooled"):
    kept = np.float32 if output == "pooled" else np.float16
    return np.stack([arrays(n)[output].astype(kept) for n in numbers])


def shards(store):
    return sorted(store.folder.glob("*/*/*.safetensors"))


def test_what_one_machine_made_another_reads(machine):
    one, two = machine("one"), machine("two")
    assert two.missing(SPACE, "pooled", IDS) == IDS
    fill(one, NUMBERS[:20])
    fill(two, NUMBERS[20:])
    for store in (one, two, machine("three")):
        assert store.missing(SPACE, "pooled", [*IDS, sample(99)]) == [sample(99)]
        assert store.missing(OTHER, "pooled", IDS) == IDS
        order = NUMBERS[::-1]
        for output in ("pooled", "map_s8"):  # maps are fetched by reading alone
            got = store.read(SPACE, output, [sample(n) for n in order])
            assert got.tobytes() == expected(order, output).tobytes()
    three = machine("three")
    assert [p.name for p in shards(three)] == [p.name for p in shards(one)]
    told = [next(s.folder.glob("*/space.json")).read_text() for s in (one, three)]
    assert told[0] == told[1]


def test_only_shards_with_wanted_samples_are_copied(machine):
    one, two = machine("one"), machine("two")
    for number in NUMBERS[:5]:
        fill(one, [number])
    assert two.missing(SPACE, "pooled", [IDS[3]]) == []
    (copied,) = shards(two)
    assert copied.name in {path.name for path in shards(one)}
    assert two.read(SPACE, "pooled", [IDS[3]]).tobytes() == expected([3]).tobytes()


def test_a_copy_may_be_deleted_any_time(machine):
    fill(machine("one"), NUMBERS)
    store = machine("two")
    store.read(SPACE, "map_s8", IDS)
    shutil.rmtree(store.folder)
    assert store.read(SPACE, "map_s8", IDS).tobytes() == expected(NUMBERS, "map_s8").tobytes()
    shutil.rmtree(store.folder)
    assert store.missing(SPACE, "map_s8", IDS) == []


def test_an_eviction_here_deletes_nothing_there(machine):
    one = machine("one")
    for number in range(6):
        fill(one, [number], outputs=["pooled"])
    size = one.size_bytes()
    for number in range(6):
        small = machine("small", limit_bytes=size // 2)
        assert len(small.read(SPACE, "pooled", [sample(number)])) == 1
        assert small.size_bytes() <= size // 2
    assert len(shards(small)) == 3
    assert machine("new").missing(SPACE, "pooled", [sample(n) for n in range(6)]) == []


def test_dropped_samples_are_gone_here_and_there_and_the_rest_stays(machine):
    one, two = machine("one"), machine("two")
    fill(one, NUMBERS)
    fill(one, NUMBERS[:10], space=OTHER, outputs=["pooled"])
    fill(one, [5, 6])  # the same sample in a second shard
    gone = [sample(3), sample(5)]
    kept = [n for n in NUMBERS if n not in (3, 5)]
    assert two.drop(gone) == 3 + 3 + 2  # of a machine that had nothing of it
    assert two.drop(gone) == 0
    new = machine("new")
    assert new.missing(SPACE, "pooled", IDS) == gone
    assert new.missing(OTHER, "pooled", gone) == gone
    assert new.read(SPACE, "map_s8", [sample(n) for n in kept]).tobytes() == (
        expected(kept, "map_s8").tobytes()
    )
    assert bytes.fromhex(gone[0]) not in b"".join(p.read_bytes() for p in shards(new))


@pytest.mark.parametrize("damage", [damage_data, lambda d: d[:-1], lambda d: b"", lambda d: d[:20]])
@pytest.mark.parametrize("method", ["missing", "read"])
def test_a_damaged_copy_is_fetched_again(machine, damage, method):
    fill(machine("one"), NUMBERS, outputs=["pooled"])
    machine("two").missing(SPACE, "pooled", IDS)
    (path,) = shards(machine("two"))
    path.write_bytes(damage(path.read_bytes()))
    two = machine("two")
    if method == "missing":
        assert two.missing(SPACE, "pooled", IDS) == []
    assert two.read(SPACE, "pooled", IDS).tobytes() == expected(NUMBERS).tobytes()


@pytest.mark.parametrize("damage", [damage_data, lambda d: d[:-1], lambda d: b"", lambda d: d[:20]])
def test_a_damaged_shared_shard_is_removed_and_made_anew(tmp_path, damage, caplog):
    def opened(name):
        shared = open_store(f"file://{tmp_path}/team", folder=tmp_path)
        return FeatureStore(tmp_path / name, limit_bytes=LIMIT, shared=shared)

    fill(opened("one"), NUMBERS, outputs=["pooled"])
    (path,) = (tmp_path / "team").glob("*/*/*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    two = opened("two")
    assert two.missing(SPACE, "pooled", IDS) == IDS
    assert "made anew" in caplog.text
    assert str(path) in caplog.text
    assert not path.exists()
    fill(two, NUMBERS, outputs=["pooled"])
    assert opened("three").missing(SPACE, "pooled", IDS) == []


@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_a_store_that_is_away_loses_nothing(machine, s3_server, caplog):
    caplog.set_level(logging.WARNING)
    one = machine("one")
    fill(one, [0], outputs=["pooled"])
    s3_server.stop()
    try:
        with pytest.raises(Unavailable, match="run the same command again"):
            fill(one, NUMBERS[1:], outputs=["pooled"])
        assert caplog.text.count("shared later") == 1
        assert one.read(SPACE, "pooled", [IDS[0], IDS[7]]).shape == (2, 20)
        with pytest.raises(Unavailable):
            one.missing(SPACE, "pooled", IDS)
    finally:
        s3_server.start()
    assert machine("two").missing(SPACE, "pooled", IDS) == IDS[1:]
    assert machine("one").missing(SPACE, "pooled", IDS) == []
    assert machine("two").missing(SPACE, "pooled", IDS) == []
    assert not list(one.folder.rglob("*.unshared"))


def test_without_the_store_a_missing_sample_is_not_found_as_ever(machine):
    with pytest.raises(NotFound, match="run the same command again"):
        machine("one").read(SPACE, "pooled", IDS[:1])


WRITER = """
import sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from test_features import LIMIT, SPACE, FeatureStore, fill
from tenfold.stores import open_store
folder = Path(sys.argv[2])
shared = open_store(f"file://{folder}/team", folder=folder)
store = FeatureStore(folder / "one", limit_bytes=LIMIT, shared=shared)
print("ready", flush=True)
for start in range(0, 100_000, 20):
    fill(store, range(start, start + 20), side=16)
"""


def test_what_a_killed_writer_kept_is_shared_by_the_next_run(tmp_path):
    def opened(name):
        shared = open_store(f"file://{tmp_path}/team", folder=tmp_path)
        return FeatureStore(tmp_path / name, limit_bytes=LIMIT, shared=shared)

    rng = np.random.default_rng(5)
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), str(tmp_path)]
    everything = [sample(n) for n in range(4_000)]
    for n in range(4):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.3))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        for output in ("pooled", "map_s8"):
            here = opened("one").missing(SPACE, output, everything)
            there = opened(f"new-{n}").missing(SPACE, output, everything)
            assert there == here
    assert len(here) < 4_000


STUCK = """
import sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from test_features import LIMIT, SPACE, FeatureStore, fill
from tenfold.stores import open_store
folder = Path(sys.argv[2])
store = FeatureStore(folder, limit_bytes=LIMIT, shared=open_store(sys.argv[3], folder=folder))
fill(store, range(30), outputs=["pooled"])
"""


@pytest.mark.parametrize("url", ["s3"], indirect=True)
def test_a_shard_whose_writer_was_killed_before_it_was_shared_is_shared_later(
    machine, url, tmp_path
):
    with socket.create_server(("127.0.0.1", 0)) as silent:  # takes the call and never answers
        silent.settimeout(30)
        endpoint = f"http://127.0.0.1:{silent.getsockname()[1]}"
        environment = os.environ | {"AWS_ENDPOINT_URL": endpoint}
        command = [sys.executable, "-c", STUCK, str(Path(__file__).parent), str(tmp_path / "one")]
        writer = subprocess.Popen([*command, url], env=environment)
        call, _ = silent.accept()
        writer.kill()
        writer.wait()
        call.close()
    assert len(shards(machine("one"))) == 1
    assert machine("two").missing(SPACE, "pooled", IDS) == IDS
    assert machine("one").missing(SPACE, "pooled", IDS) == []
    assert machine("two").missing(SPACE, "pooled", IDS) == []

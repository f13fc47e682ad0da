import hashlib
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from tenfold.errors import DataError, IntegrityError, NotFound
from tenfold.features import FeatureStore
from tenfold.values import FeatureSpace

SPACE = FeatureSpace("t" * 64, 64, "letterbox", 0, "fp32", "none-1")
OTHER = FeatureSpace("t" * 64, 64, "letterbox", 1, "fp32", "none-1")
LIMIT = 1 << 40


def sample(number):
    return hashlib.sha256(str(number).encode()).hexdigest()


def arrays(number, side=4):
    """What a trunk would have made of sample `number`; follows from the number alone."""
    rng = np.random.default_rng(number)
    return {
        "pooled": rng.normal(size=20).astype(np.float32),
        "vitals": rng.random(5, np.float32),
        "content_xyxy": np.array([0, 0, 1, 1], np.float32),
        "map_s8": rng.normal(size=(side, side, 6)).astype(np.float32),
    }


def fill(store, numbers, *, space=SPACE, outputs=("pooled", "map_s8"), side=4):
    with store.writer(space, outputs) as writer:
        for number in numbers:
            writer.add(sample(number), arrays(number, side))


def test_what_is_written_is_read_in_the_order_asked(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    numbers = list(range(600))
    assert store.missing(SPACE, "pooled", [sample(7)]) == [sample(7)]
    fill(store, numbers)
    order = np.random.default_rng(0).permutation(numbers)
    ids = [sample(n) for n in order]
    for reader in (store, FeatureStore(tmp_path, limit_bytes=LIMIT)):
        assert reader.missing(SPACE, "pooled", [*ids, sample(601)]) == [sample(601)]
        assert reader.missing(OTHER, "pooled", ids) == ids
        assert reader.missing(SPACE, "map_s4", ids) == ids
        pooled = reader.read(SPACE, "pooled", ids)
        assert pooled.tobytes() == np.stack([arrays(n)["pooled"] for n in order]).tobytes()
        maps = np.stack([arrays(n)["map_s8"] for n in order]).astype(np.float16)
        assert reader.read(SPACE, "map_s8", ids).tobytes() == maps.tobytes()
        batches = list(reader.batches(SPACE, ["map_s8", "vitals"], ids, size=64))
        assert np.concatenate([b["map_s8"] for b in batches]).tobytes() == maps.tobytes()
        assert max(len(b["vitals"]) for b in batches) == 64
        assert len(reader.read(SPACE, "pooled", [])) == 0


def test_a_reader_sees_what_another_process_adds_later(tmp_path):
    reader = FeatureStore(tmp_path, limit_bytes=LIMIT)
    fill(FeatureStore(tmp_path, limit_bytes=LIMIT), [1])
    assert len(reader.read(SPACE, "pooled", [sample(1)])) == 1
    fill(FeatureStore(tmp_path, limit_bytes=LIMIT), [2])
    assert reader.missing(SPACE, "pooled", [sample(1), sample(2)]) == []
    assert len(reader.read(SPACE, "pooled", [sample(2), sample(1), sample(2)])) == 3


def test_what_is_not_there_is_not_found_and_what_is_not_finite_is_refused(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    with pytest.raises(NotFound, match="run the same command again"):
        store.read(SPACE, "pooled", [sample(1)])
    with store.writer(SPACE, ["pooled", "map_s8"]) as writer:
        bad = arrays(1)
        bad["map_s8"][0, 0, 0] = 70_000  # float16 ends at 65504
        with pytest.raises(DataError, match="map_s8 that is not finite"):
            writer.add(sample(1), bad)
        writer.add(sample(2), arrays(2))
    assert store.missing(SPACE, "pooled", [sample(1), sample(2)]) == [sample(1)]


def test_rows_added_before_an_error_are_kept(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    with pytest.raises(KeyError), store.writer(SPACE, ["pooled"]) as writer:
        add_one_and_a_broken_one(writer)
    assert store.missing(SPACE, "pooled", [sample(1)]) == []


def add_one_and_a_broken_one(writer):
    writer.add(sample(1), arrays(1))
    writer.add(sample(2), {})


WRITER = """
import sys
sys.path[:0] = [sys.argv[1]]
from pathlib import Path
from test_features import LIMIT, SPACE, FeatureStore, fill
store = FeatureStore(Path(sys.argv[2]), limit_bytes=LIMIT)
print("ready", flush=True)
for start in range(0, 100_000, 20):
    fill(store, range(start, start + 20), side=16)
"""


def test_a_writer_killed_at_any_moment_leaves_whole_shards_only(tmp_path):
    rng = np.random.default_rng(3)
    command = [sys.executable, "-c", WRITER, str(Path(__file__).parent), str(tmp_path)]
    everything = [sample(n) for n in range(4_000)]
    counts = []
    for _ in range(3):
        writer = subprocess.Popen(command, stdout=subprocess.PIPE)
        writer.stdout.readline()
        time.sleep(rng.uniform(0.02, 0.4))
        writer.send_signal(signal.SIGKILL)
        writer.wait()
        writer.stdout.close()
        store = FeatureStore(tmp_path, limit_bytes=LIMIT)
        for output in ("pooled", "map_s8"):
            gaps = set(store.missing(SPACE, output, everything))
            there = [n for n in range(4_000) if sample(n) not in gaps]
            got = store.read(SPACE, output, [sample(n) for n in there])
            for n, row in zip(there, got, strict=True):
                assert row.tobytes() == arrays(n, 16)[output].astype(row.dtype).tobytes()
        counts.append(len(there))
    assert counts[-1] > 0


def test_leftovers_of_killed_writers_are_swept_when_they_are_old(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    fill(store, [1])
    old, young = (tmp_path / SPACE.key / "pooled" / f".unfinished-{x}" for x in "ab")
    old.write_bytes(b"half")
    young.write_bytes(b"half")
    os.utime(old, (1, 1))
    fill(FeatureStore(tmp_path, limit_bytes=LIMIT), [2])
    assert not old.exists()
    assert young.exists()


def damage_data(data):
    return data[:-3] + bytes([data[-3] ^ 1]) + data[-2:]


@pytest.mark.parametrize(
    "damage",
    [damage_data, lambda d: d[:-1], lambda d: d[:20], lambda d: b"", lambda d: b"\xff" * 64],
)
def test_a_damaged_shard_is_an_integrity_error_that_says_what_to_do(tmp_path, damage):
    fill(FeatureStore(tmp_path, limit_bytes=LIMIT), range(3), outputs=["pooled"])
    (path,) = tmp_path.glob("*/pooled/*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    ids = [sample(n) for n in range(3)]
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    with pytest.raises(IntegrityError, match=r"Delete the file and run the command again") as error:
        [store.read(SPACE, output, ids) for output in ("pooled", "vitals", "content_xyxy")]
    Path(error.value.where).unlink()
    assert store.missing(SPACE, "pooled", ids) == ids
    fill(store, range(3), outputs=["pooled"])
    assert len(store.read(SPACE, "pooled", ids)) == 3


@pytest.mark.parametrize("damage", [damage_data, lambda d: d[:-1], lambda d: b""])
def test_what_a_damaged_shard_held_is_missing_and_can_be_made_anew(tmp_path, damage, caplog):
    fill(FeatureStore(tmp_path, limit_bytes=LIMIT), range(3), outputs=["pooled"])
    (path,) = tmp_path.glob("*/pooled/*.safetensors")
    path.write_bytes(damage(path.read_bytes()))
    ids = [sample(n) for n in range(3)]
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    assert store.missing(SPACE, "pooled", ids) == ids
    assert str(path) in caplog.text
    fill(store, range(3), outputs=["pooled"])
    assert store.missing(SPACE, "pooled", ids) == []
    assert len(store.read(SPACE, "pooled", ids)) == 3


def test_the_oldest_used_shards_go_first_and_never_those_of_this_run(tmp_path):
    unlimited = FeatureStore(tmp_path, limit_bytes=LIMIT)
    for number in range(4):
        fill(unlimited, [number], outputs=["pooled"])
    one = unlimited.size_bytes() // 4
    for age, path in enumerate(sorted(tmp_path.glob("*/pooled/*.safetensors"))):
        os.utime(path, (1000 + age, 1000 + age))
    ids = [sample(n) for n in range(4)]
    oldest = sorted(tmp_path.glob("*/pooled/*.safetensors"))[0]
    first = next(n for n in range(4) if oldest == _shard_of(unlimited, n))
    run = FeatureStore(tmp_path, limit_bytes=int(3.5 * one))
    assert run.missing(SPACE, "pooled", [ids[first]]) == []  # used: safe from now on
    fill(run, [10, 11], outputs=["pooled"])
    left = run.missing(SPACE, "pooled", ids)
    assert ids[first] not in left
    assert len(left) == 2
    assert run.size_bytes() <= run.limit_bytes
    with pytest.raises(NotFound, match="evicted meanwhile"):
        unlimited.read(SPACE, "pooled", left)
    fill(run, [12, 13, 14], outputs=["pooled"])  # more than the limit, all of this run
    assert run.missing(SPACE, "pooled", [sample(n) for n in (10, 11, 12, 13, 14)]) == []


def _shard_of(store, number):
    store.missing(SPACE, "pooled", [])
    return store._group(SPACE, "pooled").rows[sample(number)][0].path


def test_dropped_samples_are_gone_from_every_space_and_the_rest_stays(tmp_path):
    store = FeatureStore(tmp_path, limit_bytes=LIMIT)
    fill(store, range(300))
    fill(store, range(10), space=OTHER, outputs=["pooled"])
    gone, kept = [sample(3), sample(299)], [sample(n) for n in range(300) if n not in (3, 299)]
    assert store.drop(gone) == 2 * 2 + 1
    assert store.drop(gone) == 0
    for reader in (store, FeatureStore(tmp_path, limit_bytes=LIMIT)):
        assert reader.missing(SPACE, "map_s8", gone) == gone
        assert reader.missing(OTHER, "pooled", [sample(3)]) == [sample(3)]
        expected = np.stack([arrays(n)["pooled"] for n in range(300) if n not in (3, 299)])
        assert reader.read(SPACE, "pooled", kept).tobytes() == expected.tobytes()
    remaining = b"".join(p.read_bytes() for p in tmp_path.glob("*/*/*.safetensors"))
    assert bytes.fromhex(gone[0]) not in remaining


@pytest.mark.parametrize("images", [1200, pytest.param(10_000, marks=pytest.mark.slow)])
def test_memory_stays_flat_while_dense_maps_stream_by(tmp_path, images):
    """In a process of its own, because memory at its peak never goes down again."""
    script = f"""
import sys
sys.path[:0] = [{str(Path(__file__).parent)!r}]
from pathlib import Path
from test_features import LIMIT, SPACE, FeatureStore, peak_mb, sample
import numpy as np
store = FeatureStore(Path({str(tmp_path)!r}), limit_bytes=LIMIT)
one = dict(map_s8=np.ones((65, 65, 24), np.float32))
with store.writer(SPACE, ["map_s8"]) as writer:
    for n in range({images}):
        writer.add(sample(n), one)
written = peak_mb()
ids = [sample(n) for n in np.random.default_rng(0).permutation({images})[:300]]
ids += [sample(n) for n in range({images})]
batches = store.batches(SPACE, ["map_s8"], ids, size=16)
total = sum(float(b["map_s8"][:, 0, 0, 0].sum()) for b in batches)
assert total == len(ids)
print(written, peak_mb())
"""
    run = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, check=True)
    written, read = map(float, run.stdout.split())
    assert written < 220  # the maps are 240 MB
    assert read < 220


def peak_mb():
    """Peak of this program alone; `ru_maxrss` begins with what the parent held."""
    (line,) = [t for t in Path("/proc/self/status").read_text().splitlines() if "VmHWM" in t]
    return int(line.split()[1]) / 1024

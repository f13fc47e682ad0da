import json
import os
import struct
import subprocess
import sys
import zlib
from dataclasses import asdict

import numpy as np
import pytest

from tenfold.errors import Unavailable
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, Lost, Projection, frame, records
from tenfold.predictions.log import Log


def answered(number, **more):
    plain = {"id": f"r{number}", "at": 1.5, "deployment": "cap", "role": "live", "model": "a" * 64}
    plain |= {"sample": "b" * 64, "route": "", "label": "gut·", "score": 0.25, "latency_ms": 9.5}
    return Answered(**(plain | {"busy_ms": 8.0, "generation": 2} | more))


PROJECTION = bytes(range(256))


def test_records_come_back_whole_and_a_torn_end_ends_them():
    data = b"".join(frame(answered(n), PROJECTION) for n in range(3)) + frame(Lost(7))
    found = list(records(data))
    assert [r.what for r in found] == [answered(0), answered(1), answered(2), Lost(7)]
    assert found[0].projection == PROJECTION
    assert found[-1].end == len(data)
    for cut in range(len(data)):
        whole = list(records(data[:cut]))
        assert [r.what for r in whole] == [r.what for r in found if r.end <= cut]


def test_records_from_before_looks_were_recorded_are_read():
    looked = answered(0, brightness=0.5, contrast=0.25, sharpness=0.125)
    (found,) = records(frame(looked))
    assert found.what == looked
    older = asdict(answered(0))
    del older["brightness"], older["contrast"], older["sharpness"]
    text = json.dumps(older).encode()
    data = struct.pack("<4sIII", b"TFA1", len(text), 0, zlib.crc32(text)) + text
    (found,) = records(data)
    assert found.what == answered(0)


def test_a_damaged_byte_ends_the_reading():
    data = bytearray(frame(answered(0), PROJECTION) + frame(answered(1), PROJECTION))
    data[60] ^= 1
    assert list(records(data)) == []


def test_a_durable_log_has_written_what_it_acknowledged(tmp_path):
    log = Log(tmp_path, "run-1", durable=True)
    futures = [log.append(frame(answered(n))) for n in range(50)]
    for future in futures:
        future.result(10)
    data = (tmp_path / f"run-1-0000{SEGMENT}").read_bytes()[HEAD_BYTES:]
    assert [r.what.id for r in records(data)] == [f"r{n}" for n in range(50)]
    log.close()


def test_who_goes_away_takes_nobody_along(tmp_path):
    log = Log(tmp_path, "run-1", durable=True)
    for number in range(200):
        future = log.append(frame(answered(number)))
        future.cancel()
    log.append(frame(answered(200))).result(10)
    log.close()


def test_a_log_goes_on_after_a_write_that_failed(tmp_path, monkeypatch):
    log = Log(tmp_path, "run-1", durable=True)
    with monkeypatch.context() as patch:
        patch.setattr("tenfold.predictions.log.os.fdatasync", broken)
        with pytest.raises(Unavailable, match="could not be recorded"):
            log.append(frame(answered(0))).result(10)
    log.append(frame(answered(1))).result(10)
    log.close()
    data = (tmp_path / f"run-1-0000{SEGMENT}").read_bytes()
    assert [r.what.id for r in records(data[HEAD_BYTES:])] == ["r1"]
    assert int.from_bytes(data[:HEAD_BYTES], "little") == len(data)


def broken(_):
    raise OSError(28, "No space left on device")


def test_a_sampled_log_counts_what_it_cannot_hold(tmp_path, monkeypatch):
    monkeypatch.setattr("tenfold.predictions.log.MOST_WAITING_BYTES", 0)
    log = Log(tmp_path, "run-1", durable=False)
    assert log.append(frame(answered(0))) is None
    monkeypatch.setattr("tenfold.predictions.log.MOST_WAITING_BYTES", 10_000)
    log.append(frame(answered(1)))
    log.close()
    data = (tmp_path / f"run-1-0000{SEGMENT}").read_bytes()[HEAD_BYTES:]
    assert [r.what for r in records(data)] == [answered(1), Lost(1)]
    assert log.lost == 1


FULL = """
import sys
from pathlib import Path
from tenfold.errors import Unavailable
from tenfold.predictions import Lost, frame
from tenfold.predictions.log import Log

log = Log(Path(sys.argv[1]), "run-1", durable=True)
written = refused = 0
for _ in range(200):
    try:
        log.append(frame(Lost(1), bytes(4096))).result(10)
        written += 1
    except Unavailable as error:
        assert "No space left" in str(error), error
        refused += 1
print(written, refused)
"""


@pytest.mark.skipif(os.geteuid() != 0, reason="needs root to mount a small disk")
def test_on_a_full_disk_nothing_is_acknowledged_that_is_not_there(tmp_path):
    small = tmp_path / "small"
    small.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=256k", "tmpfs", str(small)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        done = subprocess.run(
            [sys.executable, "-c", FULL, str(small)], capture_output=True, text=True, check=False
        )
        assert done.returncode == 0, done.stderr
        written, refused = map(int, done.stdout.split())
        data = (small / f"run-1-0000{SEGMENT}").read_bytes()[HEAD_BYTES:]
        assert refused
        assert len(list(records(data))) == written
        assert list(records(data))[-1].end == len(data)
    finally:
        subprocess.run(["umount", str(small)], check=True)


def test_a_projection_is_the_same_everywhere_and_keeps_distances():
    rng = np.random.default_rng(0)
    some = rng.gamma(1.0, size=(40, 2912)).astype(np.float32)
    seen = np.stack([Projection().projected(one) for one in some]).astype(np.float64)
    again = np.stack([Projection().projected(one) for one in some])
    np.testing.assert_array_equal(seen, again)
    roots = np.sqrt(some).astype(np.float64)
    near = np.linalg.norm(seen[:1] - seen[1:], axis=1)
    true = np.linalg.norm(roots[:1] - roots[1:], axis=1)
    np.testing.assert_allclose(near, true, rtol=0.35)

import subprocess
import sys

from tenfold.ledger import heartbeat


def test_a_torn_write_leaves_the_reading_before_it(tmp_path):
    beats = heartbeat.Heartbeat(tmp_path)
    beats.beat()
    beats.stop()
    (file,) = tmp_path.iterdir()
    (before,) = heartbeat.readings(tmp_path)
    data = bytearray(file.read_bytes())
    newest = heartbeat.HEAD.size + beats._number % 2 * heartbeat.SLOT.size
    data[newest + 9] ^= 0xFF
    file.write_bytes(data)
    (after,) = heartbeat.readings(tmp_path)
    assert not after.is_alive
    assert 0 < after.wall_s < before.wall_s
    file.write_bytes(b"")
    assert heartbeat.readings(tmp_path) == []


def test_joining_a_run_that_is_over_leaves_no_trace(tmp_path):
    heartbeat.join(tmp_path, "over")
    assert list(tmp_path.iterdir()) == []


def test_a_worker_begins_without_the_catalog():
    code = "import sys, tenfold.ledger.heartbeat; print('sqlalchemy' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"

"""Jobs: done once for a key, told when they fail, begun again after a crash."""

import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenfold import jobs
from tenfold.errors import NotFound, Unavailable

HERE = Path(__file__).parent
PATIENCE_S = 30.0


def note(home, text):
    """What the tests' jobs do."""
    with (Path(home) / "did").open("a") as file:
        file.write(text + "\n")


def fail(home, text):
    raise ValueError(text)


def linger(home, text):
    note(home, f"begin {text}")
    time.sleep(2.0)
    note(home, f"end {text}")


def linger_elsewhere(home, text):
    jobs.in_child("test_jobs:linger", home, {"text": text})


def die(home):
    os.kill(os.getpid(), signal.SIGKILL)


@pytest.fixture(autouse=True)
def kinds(monkeypatch):
    for name in ("note", "fail", "linger", "linger_elsewhere"):
        monkeypatch.setitem(jobs.KINDS, name, f"test_jobs:{name}")


@pytest.fixture(
    params=[
        "file",
        pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]),
    ]
)
def catalog(request):
    if request.param == "file":
        return ""
    return request.getfixturevalue("postgres").database()


def ended(work, key):
    ends = time.monotonic() + PATIENCE_S
    while (job := work.get(key)).state in ("waits", "runs") and time.monotonic() < ends:
        time.sleep(0.05)
    return job


def test_a_key_is_done_once_and_remembered(tmp_path, catalog):
    with jobs.opened(tmp_path, catalog=catalog) as work:
        for _ in range(3):
            assert work.submit("note", {"text": "a"}, "note:a").kind == "note"
        assert ended(work, "note:a").state == "done"
        work.submit("fail", {"text": "no room"}, "fail:a")
        failed = ended(work, "fail:a")
        assert (failed.state, failed.problem) == ("failed", "no room")
    with jobs.opened(tmp_path, catalog=catalog) as work:
        assert work.submit("note", {"text": "a"}, "note:a").state == "done"
        with pytest.raises(NotFound, match="no job"):
            work.get("note:b")
        with pytest.raises(NotFound, match="no kind of job 'dance'"):
            work.submit("dance", {}, "dance:a")
    assert (tmp_path / "did").read_text() == "a\n"


PROGRAM = """
import sys, time
from pathlib import Path
from tenfold import jobs
jobs.KINDS["linger"] = "test_jobs:linger"
with jobs.opened(Path(sys.argv[1])) as work:
    work.submit("linger", {"text": "a"}, "linger:a")
    time.sleep(60)
"""


def test_what_a_killed_process_began_is_begun_again(tmp_path):
    process = subprocess.Popen([sys.executable, "-c", PROGRAM, str(tmp_path)], cwd=HERE)
    did = tmp_path / "did"
    ends = time.monotonic() + PATIENCE_S
    while not did.exists() and time.monotonic() < ends:
        time.sleep(0.05)
    process.kill()
    process.wait(30)
    with jobs.opened(tmp_path) as work:
        assert ended(work, "linger:a").state == "done"
    assert did.read_text().splitlines() == ["begin a", "begin a", "end a"]


def test_what_is_under_way_when_jobs_close_is_no_failure_and_begun_again(tmp_path, catalog):
    did = tmp_path / "did"
    with jobs.opened(tmp_path, catalog=catalog) as work:
        work.submit("linger_elsewhere", {"text": "a"}, "a")
        ends = time.monotonic() + PATIENCE_S
        while not did.exists() and time.monotonic() < ends:
            time.sleep(0.05)
    time.sleep(2.5)
    assert did.read_text().splitlines() == ["begin a"]
    with jobs.opened(tmp_path, catalog=catalog) as work:
        assert ended(work, "a").state == "done"
    assert did.read_text().splitlines() == ["begin a", "begin a", "end a"]


def test_a_process_of_its_own_that_dies_is_told(tmp_path):
    jobs.in_child("test_jobs:note", str(tmp_path), {"text": "a"})
    assert (tmp_path / "did").read_text() == "a\n"
    with pytest.raises(Unavailable, match="ended with -9"):
        jobs.in_child("test_jobs:die", str(tmp_path), {})

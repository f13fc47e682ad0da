"""Real processes that burn time and are killed; their parent says what they truly used."""

import fcntl
import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from tenfold.catalog import Catalog, ledger
from tenfold.catalog.ledger import Entry
from tenfold.ledger import meter

BURNER = Path(__file__).with_name("burner.py")


@pytest.fixture
def catalog(tmp_path):
    opened = Catalog.open(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def started(home, seconds, kind):
    command = [sys.executable, str(BURNER), str(home), str(seconds), kind]
    return subprocess.Popen(command, stdout=subprocess.PIPE, text=True, stderr=subprocess.PIPE)


def waited(process):
    """CPU that the process and its children used, as the system tells its parent."""
    _, _, used = os.wait4(process.pid, 0)
    process.returncode = 0
    process.communicate()
    return used.ru_utime + used.ru_stime


def until(process, word):
    for line in process.stdout:
        if line.strip() == word:
            return
    raise AssertionError(process.stderr.read())


def booked_s(scope, kind=None):
    return sum(s.used.cpu_s for s in ledger.sums(scope) if kind in (None, s.kind))


@pytest.mark.heavy
def test_the_total_agrees_with_the_system_over_two_kills(scope, tmp_path):
    truth = 0.0
    for word in ("booked", "burnt"):
        killed = started(tmp_path, 1.2, "hang")
        until(killed, word)
        time.sleep(0.3)
        killed.kill()
        truth += waited(killed)
    truth += waited(started(tmp_path, 1.2, "workers"))
    assert booked_s(scope) == pytest.approx(truth, rel=0.02)
    assert booked_s(scope, "waste") > 1.2
    outcomes = [run.outcome for run in ledger.runs_of(scope, newest=9)]
    assert outcomes == ["done", "killed", "killed"]
    assert list((tmp_path / "runs").iterdir()) == []


def test_a_killed_worker_counts_with_what_its_parent_knows(scope, tmp_path):
    run = started(tmp_path, 1.0, "workers")
    pid = int(run.stdout.readline().split()[0])
    (folder,) = (tmp_path / "runs").iterdir()
    while not any(one.pid == pid and one.cpu_s > 0.7 for one in meter.readings(folder)):
        time.sleep(0.01)
    os.kill(pid, signal.SIGKILL)
    truth = waited(run)
    # its exit is not metered, and takes the longer the busier the machine is
    assert booked_s(scope) == pytest.approx(truth, abs=0.2, rel=0.06)


def test_a_run_that_raises_is_closed_with_its_overhead(scope, tmp_path):
    run = started(tmp_path, 0.2, "raise")
    truth = waited(run)
    assert booked_s(scope, "make") == pytest.approx(0.2, abs=0.1)
    assert booked_s(scope) == pytest.approx(truth, abs=0.2)
    assert [r.outcome for r in ledger.runs_of(scope, newest=9)] == ["failed"]


def test_two_runs_in_one_process_do_not_share_their_time(scope, tmp_path):
    folder = tmp_path / "runs"
    before = time.process_time()
    with meter.running(scope, folder, command="first"):
        pass
    with meter.running(scope, folder, command="second") as run:
        meter.join(folder, run.id)  # as an engine without workers does
        with meter.spent() as used:
            sum(range(3_000_000))
        assert run.total().cpu_s >= used.cpu_s
        assert len(list(run.folder.glob("[0-9]*"))) == 1
    second = ledger.booked(scope, run.id)
    assert used.cpu_s <= second.cpu_s <= time.process_time() - before
    assert second.peak_mb > 10


def test_a_live_run_and_another_tenants_dead_one_are_left_alone(catalog, scope, tmp_path):
    folder = tmp_path / "runs"
    with meter.running(scope, folder, command="live") as run:
        killed = started(tmp_path, 0.1, "hang")
        until(killed, "burnt")
        killed.kill()
        waited(killed)
        meter.recover(catalog.scope("other", "eve"), folder, patience_s=0)
        assert len(list(folder.iterdir())) == 2
        meter.recover(scope, folder, patience_s=0)
        assert [f.name for f in folder.iterdir()] == [run.id]
    assert {r.command: r.outcome for r in ledger.runs_of(scope, newest=9)} == {
        "live": "done",
        "burn": "killed",
    }


def test_recovery_killed_between_booking_and_tidying_books_once(scope, tmp_path):
    folder = tmp_path / "runs"
    dead = folder / "20260101T000000-0"
    facts = {"tenant": "local", "id": dead.name, "command": "make", "fleet": "caps"}
    facts |= {"host": "elsewhere", "boot": meter._boot(), "actor": "ann"}
    dead.mkdir(parents=True)
    text = json.dumps(facts | {"began_at": "2026-01-01T00:00:00+00:00"})
    (dead / meter.DRIVER).write_text(text)
    run = ledger.Run(dead.name, "make")
    assert ledger.settle(scope, run, ledger.Used(cpu_s=3), kind="waste", outcome="killed")
    meter.recover(scope, folder, patience_s=0)
    assert not dead.exists()
    assert booked_s(scope, "waste") == 3


def test_a_run_whose_worker_still_lives_waits_for_a_later_call(scope, tmp_path):
    folder = tmp_path / "runs"
    killed = started(tmp_path, 0.1, "hang")
    until(killed, "burnt")
    (run,) = folder.iterdir()
    (file,) = run.glob("[0-9]*")
    killed.kill()
    waited(killed)
    with file.open() as held:
        fcntl.flock(held, fcntl.LOCK_EX)  # what a live worker does
        meter.recover(scope, folder, patience_s=0.1)
        assert run.exists()
    meter.recover(scope, folder, patience_s=0)
    assert not run.exists()


def test_what_was_booked_beyond_the_total_is_no_negative_overhead(scope, tmp_path):
    with meter.running(scope, tmp_path / "runs", command="make") as run:
        ledger.book(scope, [Entry(run.id, "make", "caps", cpu_s=1e6, wall_s=1e6)])
    overhead = next(s for s in ledger.sums(scope) if s.kind == "overhead")
    assert (overhead.used.cpu_s, overhead.used.wall_s) == (0, 0)

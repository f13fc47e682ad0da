"""What the ledger says a real fleet used is what the system says, though it was killed twice."""

import ctypes
import os
import resource
import time
from contextlib import suppress
from pathlib import Path

import pytest

import tenfold
from cells import write_cells
from tenfold.catalog import ledger
from test_kills import after, killed, never, started

FLEET = """\
fleet: metered
template:
  task: "cracks-{size}-{seed}"
  dataset: cells
  question: {positive: [cracked]}
  bar: {escape: 0.3, overkill: 0.3}
  split: {most_fit: "{size}"}
  seed: "{seed}"
matrix:
  size: [100, 150, 200]
  seed: [1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15, 16]
"""
PR_SET_CHILD_SUBREAPER = 36


def children_cpu_s():
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def children():
    threads = Path("/proc/self/task").glob("*/children")
    return {int(pid) for thread in threads for pid in thread.read_text().split()}


def wait_for_all_but(others):
    """Workers of a killed driver end a moment after it; they are ours to wait for. A server or
    cluster of the test session is not."""
    while new := children() - others:
        for pid in new:
            with suppress(ChildProcessError):
                os.waitpid(pid, 0)


@pytest.fixture
def subreaper():
    """Orphans below this process become its children, so that the system counts them to it."""
    libc = ctypes.CDLL(None)
    libc.prctl(PR_SET_CHILD_SUBREAPER, 1, 0, 0, 0)
    yield
    libc.prctl(PR_SET_CHILD_SUBREAPER, 0, 0, 0, 0)


@pytest.mark.slow
def test_the_ledger_agrees_with_the_system_within_two_percent(tmp_path, subreaper):
    home = tmp_path / "home"
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.ingest(workspace, write_cells(tmp_path / "cells", good=300, bad=150), name="cells")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    before, others = children_cpu_s(), children()
    began = time.monotonic()
    for is_due in (after(12), after(25), never):
        killed(started(home, ["make", str(tmp_path / "fleet.yaml")]), is_due=is_due)
        wait_for_all_but(others)
    outside_s = children_cpu_s() - before
    with tenfold.opened(home) as workspace:
        inside_s = sum(ledger.booked(workspace.scope, r.id).cpu_s
                       for r in ledger.runs_of(workspace.scope, newest=10))  # fmt: skip
        outcomes = [r.outcome for r in ledger.runs_of(workspace.scope, newest=10)]
    assert outcomes.count("killed") == 2, f"after {time.monotonic() - began:.0f} s: {outcomes}"
    assert inside_s == pytest.approx(outside_s, rel=0.02)

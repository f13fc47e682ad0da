"""kill -9 at any moment, then the same commands again: the registry is that of a quiet run."""

import os
import shutil
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from itertools import count

import numpy as np
import pytest

import tenfold
from cells import write_cells
from registry import assert_nothing_was_made_twice, registry
from workshop import FLEET

TASKS = {
    "cracks": "kind: classify\nquestion: {positive: [cracked]}\nbar: {escape: 0.3}\n",
    "oddities": "kind: anomaly\nquestion: {positive: [cracked]}\nbar: {escape: 0.3}\n",
}
PROGRAM = "from tenfold.cli import main; main()"


def started(home, arguments):
    given = {"TENFOLD_HOME": str(home), "TENFOLD_ACTOR": "ann", "TENFOLD_THREADS": "2"}
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=os.environ | given,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def killed(process, *, is_due):
    """Whether it was killed, as soon as `is_due` says; else it came to its end."""
    while process.poll() is None:
        if is_due():
            process.send_signal(signal.SIGKILL)
            process.communicate()
            return True
        time.sleep(0.01)
    _, errors = process.communicate()
    assert process.returncode == 0, errors
    return False


def after(seconds):
    deadline = time.monotonic() + seconds
    return lambda: time.monotonic() > deadline


def never():
    return False


def registry_in(home):
    with tenfold.opened(home) as workspace:
        assert_nothing_was_made_twice(workspace)
        return registry(workspace)


def models_in(home):
    """How many are in the catalog, by another process's eyes."""
    with closing(sqlite3.connect(f"file:{home}/catalog.sqlite?mode=ro", uri=True)) as catalog:
        return catalog.execute("SELECT count(*) FROM models").fetchone()[0]


@pytest.fixture
def fleet(tmp_path):
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return ["make", str(tmp_path / "fleet.yaml")]


@pytest.mark.xdist_group("workshop")
@pytest.mark.heavy
def test_a_fleet_killed_twice_ends_in_the_registry_of_a_quiet_run(
    workshop, quiet_workshop, fleet, tmp_path
):
    """Its driver is killed, which ends its two workers."""
    home = shutil.copytree(workshop, tmp_path / "home")
    shards = home / "features"
    assert killed(started(home, fleet), is_due=lambda: any(shards.glob("*/*/*.safetensors")))
    assert models_in(home) == 0
    assert killed(started(home, fleet), is_due=lambda: models_in(home) > 0)
    assert 0 < models_in(home) < len(quiet_workshop["models"])
    assert not killed(started(home, fleet), is_due=never)
    assert registry_in(home) == quiet_workshop


@pytest.mark.slow
def test_a_fleet_killed_at_any_moment_ends_in_the_registry_of_a_quiet_run(
    workshop, quiet_workshop, fleet, tmp_path
):
    def begin(home):
        shutil.copytree(workshop, home)

    assert survivor(tmp_path, [fleet], kills=20, begin=begin) == quiet_workshop


def survivor(tmp_path, commands, *, kills, begin=lambda home: None):
    """The registry of a quiet run, in which all runs that were killed have ended too.

    Each command is killed at random moments of the time it takes; `begin` fills a new home.
    """
    begin(tmp_path / "quiet")
    lengths_s = []
    for command in commands:
        began = time.monotonic()
        assert not killed(started(tmp_path / "quiet", command), is_due=never)
        lengths_s.append(time.monotonic() - began)
    expected = registry_in(tmp_path / "quiet")
    rng = np.random.default_rng(0)
    left = kills
    for number in count():
        if left <= 0:
            break
        home = tmp_path / f"killed-{number}"  # a run that was quicker than its kill has one too
        begin(home)
        for command, length_s in zip(commands, lengths_s, strict=True):
            was_killed = True
            while was_killed:
                due = after(rng.uniform(0.2, 0.95) * length_s) if left > 0 else never
                was_killed = killed(started(home, command), is_due=due)
                left -= was_killed
        assert registry_in(home) == expected
    return expected


@pytest.mark.slow
def test_ingest_and_tasks_that_are_killed_end_in_the_registry_of_a_quiet_run(tmp_path):
    folder = write_cells(tmp_path / "cells", good=30, bad=20)
    tasks = []
    for name, text in TASKS.items():
        tasks.append(str(tmp_path / f"{name}.yaml"))
        (tmp_path / f"{name}.yaml").write_text(
            f"task: {name}\ndataset: cells\n{text}budget: {{rungs: 2}}\n"
        )
    commands = [["ingest", str(folder), "--name", "cells"], ["make", *tasks]]
    survivor(tmp_path, commands, kills=60)

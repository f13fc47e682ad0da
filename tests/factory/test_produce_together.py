"""Processes that make the same fleet at the same time, on each database."""

import os
import shutil
import subprocess
import sys
import time

import pytest

import tenfold
from registry import assert_nothing_was_made_twice, registry
from tenfold.factory.fleet import make_fleet
from workshop import FLEET

PROGRAM = "import sys, tenfold.cli; sys.argv[0] = 'tenfold'; tenfold.cli.main()"
FEW = FLEET.replace("[1, 2, 3, 4]", "[1, 2, 3]")
"""So few that each process makes them itself: no workers have to be waited for."""


@pytest.fixture
def home(workshop, tmp_path):
    return shutil.copytree(workshop, tmp_path / "home")


@pytest.fixture(scope="module")
def quiet_few(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("few") / "home")
    (home / "fleet.yaml").write_text(FEW)
    with tenfold.opened(home, actor="ann") as workspace:
        make_fleet(workspace, str(home / "fleet.yaml"))
        return registry(workspace)


@pytest.mark.xdist_group("workshop")
@pytest.mark.heavy
def test_two_processes_make_no_model_twice(home, quiet_few):
    make_together(home, 2)
    with tenfold.opened(home) as workspace:
        check_made_by_two(workspace, quiet_few)


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
@pytest.mark.parametrize("processes", [2, pytest.param(4, marks=pytest.mark.slow)])
def test_processes_on_postgresql_make_no_model_twice(
    home, workshop, quiet_few, postgres, processes
):
    url = postgres.database()
    with tenfold.opened(home, actor="ann", catalog=url) as workspace:
        tenfold.ingest(workspace, workshop.parent / "cells", name="cells")
    make_together(home, processes, TENFOLD_CATALOG=url)
    with tenfold.opened(home, catalog=url) as workspace:
        check_made_by_two(workspace, quiet_few)


@pytest.mark.slow
@pytest.mark.xdist_group("workshop")
@pytest.mark.parametrize("kills", range(8))
def test_what_one_leaves_behind_when_it_is_killed_the_other_makes(home, quiet_few, kills):
    """Its claims go with it, whatever it was at."""
    first, second = (started(home) for _ in range(2))
    deadline = time.monotonic() + 1.0 + 0.3 * kills
    while first.poll() is None and time.monotonic() < deadline:
        time.sleep(0.01)
    first.kill()
    first.communicate()
    ended(second)
    with tenfold.opened(home) as workspace:
        check_made_by_two(workspace, quiet_few)


def make_together(home, processes, **more):
    """The same fleet, at the same time."""
    running = [started(home, **more) for _ in range(processes)]
    for process in running:
        ended(process)


def started(home, **more):
    (home / "fleet.yaml").write_text(FEW)
    environment = os.environ | {"TENFOLD_HOME": str(home), "TENFOLD_ACTOR": "ann"} | more
    return subprocess.Popen(
        [sys.executable, "-c", PROGRAM, "make", str(home / "fleet.yaml")],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def ended(process):
    _, errors = process.communicate(timeout=120)
    assert process.returncode == 0, errors


def check_made_by_two(workspace, quiet):
    assert_nothing_was_made_twice(workspace)
    found = registry(workspace)
    for part in ("models", "questions", "makes"):
        assert found[part] == quiet[part]
    assert found["ledger"]["embed"] == quiet["ledger"]["embed"]

"""What many tests share: settings, a made line of solar cells, real servers."""

import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
from threadpoolctl import threadpool_limits

import tenfold
from cells import write_cells
from clusters import three_machines
from registry import assert_nothing_was_made_twice, registry
from servers import S3, Postgres, postgres_programs
from tenfold.engine.local import LocalEngine
from tenfold.factory.job import Fault
from tenfold.workspace import Workspace
from workshop import FLEET, fill_workshop, made_by, tasks_of


@pytest.fixture(autouse=True)
def no_settings_from_outside(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    for name in [name for name in os.environ if name.startswith("TENFOLD_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TENFOLD_HOME", str(tmp_path / "home"))


@pytest.fixture(scope="session", autouse=True)
def one_blas_thread() -> Iterator[None]:
    """Two test workers on two cores: more threads would only wait for each other."""
    with threadpool_limits(1, user_api="blas"):
        yield


@pytest.fixture(scope="session")
def cells(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Sixty good and forty cracked cells."""
    return write_cells(tmp_path_factory.mktemp("pictures") / "cells", good=60, bad=40)


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory, cells: Path) -> Iterator[Workspace]:
    """A workspace with `cells` ingested and both a classify and an anomaly task made."""
    home = tmp_path_factory.mktemp("line")
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.ingest(workspace, cells, name="cells")
        for kind in ("classify", "anomaly"):
            (home / f"{kind}.yaml").write_text(
                f"task: {kind}-cells\nkind: {kind}\ndataset: cells\n"
                "question: {negative: [good]}\nbar: {escape: 0.4, overkill: 0.4}\n"
                "budget: {rungs: 1}\n"
            )
        tenfold.make_all(workspace, [str(home / "classify.yaml"), str(home / "anomaly.yaml")])
        yield workspace


@pytest.fixture(scope="session")
def workshop(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A home for tests to copy: see `workshop.fill_workshop`."""
    folder = tmp_path_factory.mktemp("workshop")
    fill_workshop(folder / "home", folder)
    return folder / "home"


@pytest.fixture(scope="session")
def quiet_workshop(workshop: Path, tmp_path_factory: pytest.TempPathFactory) -> dict[str, Any]:
    """The registry of one process that makes the workshop's fleet alone and undisturbed."""
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("quiet") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        outcomes = made_by(workspace, LocalEngine(inline=True), tasks_of(FLEET))
        assert [outcome for outcome in outcomes if isinstance(outcome, Fault)] == []
        assert_nothing_was_made_twice(workspace)
        return registry(workspace)


@pytest.fixture(scope="session")
def cluster() -> Iterator[Any]:
    """A Ray cluster; mark tests that use it with `ray` and `xdist_group("ray")`: one for all."""
    with three_machines() as machines:
        yield machines


@pytest.fixture(scope="session")
def postgres() -> Iterator[Postgres]:
    """A private cluster; `postgres.database()` is the URL of a new database.

    Mark tests that use it with `postgres` and `xdist_group("postgres")`: one cluster for all.
    """
    programs = postgres_programs()
    if programs is None:
        pytest.skip("PostgreSQL is not installed here: no `initdb` was found")
    cluster = Postgres(programs)
    yield cluster
    cluster.remove()


@pytest.fixture(scope="session")
def s3_server() -> Iterator[S3]:
    server = S3()
    yield server
    server.stop()


@pytest.fixture
def s3(s3_server: S3, monkeypatch: pytest.MonkeyPatch) -> str:
    """The URL of a new bucket on a real S3 server; its address and keys are in the environment."""
    for name in [name for name in os.environ if name.startswith("AWS_")]:
        monkeypatch.delenv(name)
    for name, value in s3_server.environment.items():
        monkeypatch.setenv(name, value)
    return s3_server.bucket()

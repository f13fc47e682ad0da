"""The lease of a hub whose catalog is PostgreSQL: lost with its connection, and noticed."""

import os
import signal
import subprocess
import time

import pytest
from sqlalchemy import text

from serving_at import COMMAND
from tenfold.catalog import Catalog
from tenfold.web.hub import LEASE

pytestmark = [pytest.mark.heavy, pytest.mark.postgres, pytest.mark.xdist_group("postgres")]
PATIENCE_S = 30.0


@pytest.fixture
def hub(postgres, tmp_path):
    """A hub at work, its catalog, and what ends every connection to that."""
    url = postgres.database()
    with Catalog.open(url).scope("local", "ann").read() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
    process = subprocess.Popen(
        [*COMMAND, "hub", "--port", "0", "--json"],
        env={**os.environ, "TENFOLD_HOME": str(tmp_path / "home"), "TENFOLD_CATALOG": url},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert '"pid"' in process.stdout.readline()

    def cut():
        postgres.run(
            f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"
        )

    yield process, url, cut
    if process.poll() is None:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
    process.stdout.close()


def test_a_hub_that_lost_its_lease_takes_it_again(hub):
    process, url, cut = hub
    cut()
    time.sleep(6.0)
    other = Catalog.open(url)
    assert not other.claims.take("local", LEASE)
    other.close()
    assert process.poll() is None


def test_a_hub_stops_where_another_took_its_lease(hub):
    process, url, cut = hub
    other, ends = Catalog.open(url), time.monotonic() + PATIENCE_S
    cut()
    while not other.claims.take("local", LEASE):
        assert time.monotonic() < ends
        cut()
    assert process.wait(PATIENCE_S) == 6
    assert "another hub has it now" in process.stdout.read()
    other.close()

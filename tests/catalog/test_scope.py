import subprocess
import sys
import tempfile
import threading
from datetime import UTC
from pathlib import Path

import pytest
from sqlalchemy import text

from tenfold.catalog import Catalog, datasets
from tenfold.catalog.tables import metadata
from tenfold.errors import (
    Conflict,
    DataError,
    IntegrityError,
    NotAllowed,
    NotFound,
    SpecError,
    Unavailable,
)


def put(scope, name, content=()):
    origin = ("csv", "/caps", "words")
    return datasets.put(scope, name=name, origin=origin, content=content, set_aside=[])


def test_every_table_of_somebody_carries_a_tenant():
    through_parent = {"looks"}
    assert {t.name for t in metadata.sorted_tables if "tenant" not in t.c} == through_parent


def test_a_failed_write_leaves_nothing(catalog):
    scope = catalog.scope("local", "ann")
    item = datasets.Item("a" * 64, "a.png", ("good",))
    sample = datasets.Sample("a" * 64, 4, 4, "L", 9, "0" * 16)
    with pytest.raises(Conflict, match="somebody else"):
        put(scope, "caps", [(sample, item), (sample, item)])
    assert datasets.everything(scope) == []


def test_times_come_back_aware(catalog):
    made_at = put(catalog.scope("local", "ann"), "caps").created_at
    assert made_at.isoformat() == made_at.astimezone(UTC).isoformat()


def test_a_read_sees_one_state_whatever_others_write_meanwhile(catalog):
    scope = catalog.scope("local", "ann")
    count = text("SELECT count(*) FROM datasets")
    with scope.read() as connection:
        before = connection.execute(count).scalar()
        put(scope, "caps")
        assert connection.execute(count).scalar() == before == 0
    with scope.read() as connection:
        assert connection.execute(count).scalar() == 1


def test_two_writers_of_a_tenant_wait_for_each_other_and_never_lose_a_write(catalog):
    scope = catalog.scope("local", "ann")
    put(scope, "0")
    read, write = text("SELECT name FROM datasets"), text("UPDATE datasets SET name = :name")

    def count_up():
        for _ in range(25):
            with scope.write() as connection:
                number = int(connection.execute(read).scalar())
                connection.execute(write, {"name": str(number + 1)})

    threads = [threading.Thread(target=count_up) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert datasets.everything(scope)[0].name == "100"


SHORTER_WAIT = {
    "sqlite": "PRAGMA busy_timeout = 20",
    "postgresql": "SET lock_timeout = '20ms'",
}


def test_a_writer_that_waits_too_long_for_another_is_told(catalog, place):
    scope = catalog.scope("local", "ann")
    with catalog.engine.connect() as connection:  # the pool hands out the same again
        connection.exec_driver_sql(SHORTER_WAIT[connection.dialect.name])
        connection.commit()
    other = Catalog.open(place)
    with (
        other.scope("local", "bob").write(),
        pytest.raises(Unavailable, match="writes for too long"),
    ):
        put(scope, "caps")
    other.close()
    assert put(scope, "caps").size == 0


def test_a_mistake_in_our_sql_is_not_hidden(catalog):
    with pytest.raises(Exception, match="nonsense"), catalog.scope("a", "a").read() as connection:
        connection.execute(text("SELECT nonsense"))


def test_a_catalog_that_is_no_catalog_is_told(tmp_path):
    (tmp_path / "catalog.sqlite").write_bytes(b"not a database" * 1000)
    with pytest.raises(IntegrityError, match="not a catalog"):
        Catalog.open(tmp_path / "catalog.sqlite")


@pytest.mark.parametrize("url", ["mysql://ann:geheim@db/x", "postgresql://ann:ge@x:heim@[/x"])
def test_an_impossible_url_is_told_without_its_password(url):
    with pytest.raises(SpecError, match="postgresql://user@host/database") as error:
        Catalog.open(url)
    assert "heim" not in str(error.value)


def test_a_server_that_is_not_there_is_unavailable_and_no_password_is_told():
    with pytest.raises(Unavailable, match="run the same command again") as error:
        Catalog.open("postgresql://ann:geheim@127.0.0.1:1/tenfold")
    assert "geheim" not in str(error.value)
    assert error.value.__cause__ is not None


def test_a_full_disk_is_unavailable_and_nothing_is_half_written(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite")
    scope = catalog.scope("local", "ann")
    with scope.read() as connection:  # SQLite says the same as on a full disk
        pages = connection.exec_driver_sql("PRAGMA page_count").scalar()
        connection.exec_driver_sql(f"PRAGMA max_page_count={pages}")  # the pool keeps this one
    content = [
        (
            datasets.Sample(f"{n:064}", 4, 4, "L", 9, "0" * 16),
            datasets.Item(f"{n:064}", f"{n}" * 99, ("good",)),
        )
        for n in range(2000)
    ]
    with pytest.raises(Unavailable, match="disk is full"):
        put(scope, "caps", content)
    assert datasets.everything(scope) == []
    catalog.close()


READ_ONLY = """
import os, sys
from tenfold.catalog import Catalog
from tenfold.errors import NotAllowed
if os.geteuid() == 0:
    os.setuid(65534)
try:
    Catalog.open(sys.argv[1])
except NotAllowed as error:
    print(error)
"""


@pytest.fixture
def open_folder():
    """A folder that every user of this machine can reach."""
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        folder.chmod(0o755)
        yield folder
        folder.chmod(0o755)


def test_a_folder_that_may_not_be_written_is_told(open_folder):
    Catalog.open(open_folder / "catalog.sqlite").close()
    for file in open_folder.iterdir():
        file.chmod(0o444)
    open_folder.chmod(0o555)
    command = [sys.executable, "-c", READ_ONLY, str(open_folder / "catalog.sqlite")]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    assert "may not be written" in done.stdout
    assert str(open_folder) in done.stdout


on_postgres = [pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def shared(postgres):
    catalog = Catalog.open(postgres.database())
    yield catalog
    catalog.close()


def cut(connection, postgres):
    pid = connection.execute(text("SELECT pg_backend_pid()")).scalar()
    postgres.run(f"SELECT pg_terminate_backend({pid})")
    connection.execute(text("SELECT 1"))


class TestPostgres:
    pytestmark = on_postgres

    def test_a_connection_that_was_cut_is_unavailable_and_the_next_one_works(
        self, shared, postgres
    ):
        scope = shared.scope("local", "ann")
        with pytest.raises(Unavailable, match="again"), scope.write() as connection:
            cut(connection, postgres)
        put(scope, "caps")  # pool_pre_ping: no stale connection is handed out
        assert len(datasets.everything(scope)) == 1

    def test_a_database_that_stops_is_unavailable_until_it_is_back(self, shared, postgres):
        scope = shared.scope("local", "ann")
        put(scope, "caps")
        postgres.stop()
        try:
            with pytest.raises(Unavailable, match="again"):
                datasets.everything(scope)
        finally:
            postgres.start()
        assert [d.name for d in datasets.everything(scope)] == ["caps"]

    def test_what_the_database_refuses_is_told(self, postgres):
        url = postgres.database()
        name = url.split("/")[3].split("?")[0]
        with pytest.raises(NotFound, match="createdb"):
            Catalog.open(url.replace(f"/{name}?", "/nowhere?"))
        with pytest.raises(NotAllowed, match="refused this user"):
            Catalog.open(url.replace("tenfold@", "nobody-here@"))
        postgres.run("CREATE ROLE guest LOGIN")
        with pytest.raises(NotAllowed, match="grant it CREATE"):
            Catalog.open(url.replace("tenfold@", "guest@"))

    def test_a_standby_may_only_be_read(self, shared, postgres):
        with shared.scope("local", "ann").read() as connection:
            name = connection.execute(text("SELECT current_database()")).scalar()
        postgres.run(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
        shared.engine.dispose()
        with pytest.raises(NotAllowed, match="primary"):
            put(shared.scope("local", "ann"), "caps")

    def test_a_value_that_does_not_fit_is_bad_data(self, shared):
        with pytest.raises(DataError, match="too long"):
            put(shared.scope("local", "ann"), "x" * 300)

    def test_tenants_do_not_wait_for_each_other(self, shared):
        with shared.scope("ann", "ann").write():
            put(shared.scope("eve", "eve"), "caps")

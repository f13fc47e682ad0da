from datetime import UTC
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tenfold import catalog
from tenfold.catalog import Catalog, datasets
from tenfold.catalog.scope import HEAD
from tenfold.catalog.tables import metadata
from tenfold.errors import Conflict

MIGRATIONS = Path(catalog.__file__).parent / "migrations"


@pytest.fixture
def opened(tmp_path):
    opened = Catalog.open(tmp_path / "catalog.sqlite")
    yield opened
    opened.close()


def test_head_is_the_newest_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    assert ScriptDirectory.from_config(config).get_current_head() == HEAD


def test_migrations_build_exactly_the_tables(opened):
    with opened.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


def test_every_table_of_somebody_carries_a_tenant():
    through_parent = {"roles", "looks"}
    assert {t.name for t in metadata.sorted_tables if "tenant" not in t.c} == through_parent


def test_newer_catalog_is_refused_with_a_way_out(opened, tmp_path):
    with opened.scope("local", "ann").write() as connection:
        connection.execute(text("UPDATE alembic_version SET version_num = '9999'"))
    with pytest.raises(Conflict, match="Upgrade Tenfold"):
        Catalog.open(tmp_path / "catalog.sqlite")


def test_a_failed_write_leaves_nothing(opened):
    scope = opened.scope("local", "ann")
    item = datasets.Item("a" * 64, "a.png", ("good",))
    sample = datasets.Sample("a" * 64, 4, 4, "L", 9, "0" * 16)
    with pytest.raises(Exception, match="UNIQUE"):
        datasets.put(
            scope,
            name="caps",
            origin=("csv", "/caps", "words"),
            content=[(sample, item), (sample, item)],
            set_aside=[],
        )
    assert datasets.everything(scope) == []


def test_times_come_back_aware(opened):
    scope = opened.scope("local", "ann")
    made = datasets.put(
        scope, name="caps", origin=("csv", "/caps", "words"), content=[], set_aside=[]
    )
    assert made.created_at.tzinfo is UTC

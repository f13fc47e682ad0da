import subprocess
import sys
from pathlib import Path

import pytest
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import text

from tenfold import catalog as package
from tenfold.catalog import Catalog, datasets
from tenfold.catalog.scope import HEAD, OLDEST
from tenfold.catalog.tables import metadata
from tenfold.errors import Conflict

MIGRATIONS = Path(package.__file__).parent / "migrations"


def test_head_and_oldest_are_the_last_and_first_migration():
    config = Config()
    config.set_main_option("script_location", str(MIGRATIONS))
    scripts = ScriptDirectory.from_config(config)
    assert scripts.get_current_head() == HEAD
    assert [s.revision for s in scripts.walk_revisions()][-1] == OLDEST
    assert max(p.name[:4] for p in (MIGRATIONS / "versions").glob("0*.py")) == HEAD


def test_migrations_build_exactly_the_tables(catalog):
    with catalog.engine.connect() as connection:
        context = MigrationContext.configure(connection)
        assert compare_metadata(context, metadata) == []


@pytest.mark.parametrize(("version", "hint"), [("9999", "Upgrade Tenfold"), ("0001", "make again")])
def test_a_catalog_too_new_or_too_old_is_refused_with_a_way_out(catalog, place, version, hint):
    with catalog.scope("local", "ann").write() as connection:
        connection.execute(text(f"UPDATE alembic_version SET version_num = '{version}'"))
    with pytest.raises(Conflict, match=hint):
        Catalog.open(place)


OPEN = """
import sys
from tenfold.catalog import Catalog, datasets
print("ready", flush=True)
sys.stdin.readline()
catalog = Catalog.open(sys.argv[1])
scope = catalog.scope("local", "ann")
origin = ("csv", "/caps", "words")
datasets.put(scope, name=sys.argv[2], origin=origin, content=[], set_aside=[])
"""


def test_four_processes_may_make_one_catalog_at_the_same_moment(place):
    commands = [[sys.executable, "-c", OPEN, place, str(n)] for n in range(4)]
    pipe = subprocess.PIPE
    running = [subprocess.Popen(c, stdin=pipe, stdout=pipe, text=True) for c in commands]
    for process in running:
        process.stdout.readline()
    for process in running:
        process.stdin.write("go\n")
        process.stdin.flush()
    for process in running:
        process.communicate()
    assert [process.returncode for process in running] == [0] * 4
    catalog = Catalog.open(place)
    found = datasets.everything(catalog.scope("local", "ann"))
    catalog.close()
    assert [d.name for d in found] == ["0", "1", "2", "3"]

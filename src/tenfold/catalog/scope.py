"""Open the catalog, bring its tables up to date, and hand out scopes of (tenant, actor)."""

from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, inspect, text

from tenfold.errors import Conflict

HEAD = "0001"
"""The newest migration; `tests/catalog/test_migrations.py` holds it to the files."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    engine: Engine

    @classmethod
    def open(cls, path: Path) -> "Catalog":
        """The catalog in one SQLite file (WAL), created or migrated as needed.

        Raises:
            Conflict: the file was written by a newer Tenfold.
        """
        path.parent.mkdir(parents=True, exist_ok=True)
        engine = create_engine(f"sqlite:///{path}")
        event.listen(engine, "connect", _prepare_sqlite)
        event.listen(engine, "begin", _begin)
        _migrate(engine, where=str(path))
        return cls(engine)

    def scope(self, tenant: str, actor: str) -> "Scope":
        return Scope(self.engine, tenant, actor)

    def close(self) -> None:
        self.engine.dispose()


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Whose rows are seen, and who is written beside each change."""

    engine: Engine
    tenant: str
    actor: str

    @contextmanager
    def read(self) -> Generator[Connection]:
        with self.engine.connect() as connection:
            yield connection

    @contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction that takes the write lock at once: all of it lands, or nothing."""
        with self.engine.connect() as connection:
            writer = connection.execution_options(tenfold_writes=True)
            with writer.begin():
                yield writer

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin
    for pragma in ("journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON", "busy_timeout=60000"):
        connection.execute(f"PRAGMA {pragma}")


def _begin(connection: Connection) -> None:
    writes = connection.get_execution_options().get("tenfold_writes", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _migrate(engine: Engine, *, where: str) -> None:
    with engine.connect() as connection:
        version = None
        if inspect(connection).has_table("alembic_version"):
            version = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if version == HEAD:
        return
    if version is not None and version > HEAD:
        raise Conflict(
            f"the catalog has schema {version}, this Tenfold knows up to {HEAD}.",
            where=where,
            hint="Upgrade Tenfold, or point TENFOLD_HOME elsewhere.",
        )
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    with engine.connect().execution_options(tenfold_writes=True) as connection, connection.begin():
        config.attributes["connection"] = connection
        command.upgrade(config, "head")

"""Open the catalog, bring its tables up to date, and hand out scopes of (tenant, actor)."""

import logging
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from sqlalchemy import Connection, Engine, inspect, text

from tenfold.catalog.claims import Claims, FileClaims, PostgresClaims
from tenfold.catalog.databases import (
    for_reading,
    for_writing,
    postgres,
    postgres_url,
    sort_by_code_point,
    sqlite,
)
from tenfold.catalog.faults import telling
from tenfold.errors import Conflict, Unavailable
from tenfold.patience import patiently
from tenfold.settings import masked

log = logging.getLogger(__name__)

HEAD = "0006"
"""The newest migration; `tests/catalog/test_migrations.py` holds it to the files."""

OLDEST = "0002"
"""The oldest schema that can be brought up to date."""


@dataclass(frozen=True, slots=True, eq=False)
class Catalog:
    engine: Engine
    claims: Claims
    where: str
    """For people; holds no password."""

    @classmethod
    def open(cls, place: Path | str) -> "Catalog":
        """The catalog in one SQLite file (WAL), or in PostgreSQL at postgresql://user@host/name.

        Created or migrated as needed; many processes may do so at once.

        Raises:
            SpecError: this is no such URL.
            Conflict: it was written by a newer Tenfold, or by one too old.
            Unavailable: the database does not answer.
            NotAllowed: the file or the database may not be written.
        """
        if isinstance(place, str) and "://" in place:
            return cls._in_postgres(place)
        path = Path(place)
        path.parent.mkdir(parents=True, exist_ok=True)
        claims = FileClaims(path.with_name(path.name + ".claims"))
        opened = cls(sqlite(path), claims, str(path))
        try:
            with claims.alone():
                opened._migrate()
        except BaseException:
            opened.close()
            raise
        return opened

    @classmethod
    def _in_postgres(cls, text: str) -> "Catalog":
        url, where = postgres_url(text), masked(text)
        claims = PostgresClaims(postgres(url, for_claims=True), where=where)
        opened = cls(postgres(url), claims, where)
        try:
            opened._migrate()
        except BaseException:
            opened.close()
            raise
        return opened

    def scope(self, tenant: str, actor: str, *, patience_s: float = 0.0) -> "Scope":
        return Scope(self.engine, tenant, actor, self.where, patience_s)

    def close(self) -> None:
        """Lets go of every connection and claim."""
        self.claims.close()
        self.engine.dispose()

    def _migrate(self) -> None:
        with telling(self.where), self.engine.connect() as connection:
            version = _version(connection)
            if version == HEAD:
                return
            connection.rollback()
            writer = for_writing(connection, "")
            with writer.begin():
                self._refuse(_version(writer))
                upgrade(writer)
                sort_by_code_point(writer)

    def _refuse(self, version: str | None) -> None:
        if version is not None and version > HEAD:
            raise Conflict(
                f"the catalog has schema {version}, this Tenfold knows up to {HEAD}.",
                where=self.where,
                hint="Upgrade Tenfold, or point TENFOLD_HOME or TENFOLD_CATALOG elsewhere.",
            )
        if version is not None and version < OLDEST:
            raise Conflict(
                f"the catalog was written by an earlier alpha (schema {version}), "
                "which cannot be brought up to date.",
                where=self.where,
                hint="Point TENFOLD_HOME at a new folder, then ingest and make again.",
            )


@dataclass(frozen=True, slots=True, eq=False)
class Scope:
    """Whose rows are seen, and who is written beside each change."""

    engine: Engine
    tenant: str
    actor: str
    where: str = ""
    patience_s: float = 0.0
    """How long to wait for a database that is away when a connection is asked for. One that goes
    away within a transaction is told at once: only who began it knows whether it may be repeated.
    """

    @contextmanager
    def read(self) -> Generator[Connection]:
        """One state of the catalog, whatever others write meanwhile.

        Raises:
            Unavailable: the database is away, stopping or busy; the same can be done again.
        """
        with self._connected() as connection:
            yield for_reading(connection)

    @contextmanager
    def write(self) -> Generator[Connection]:
        """One transaction that takes the write lock at once: all of it lands, or nothing.

        Raises:
            Unavailable: as `read`; it may have landed if the answer was lost.
            NotAllowed: the catalog may only be read.
            Conflict: somebody else wrote the same meanwhile.
        """
        with self._connected() as connection:
            writer = for_writing(connection, self.tenant)
            with writer.begin():
                yield writer

    @contextmanager
    def _connected(self) -> Generator[Connection]:
        def connect() -> Connection:
            with telling(self.where):
                return self.engine.connect()

        connection = patiently(connect, patience_s=self.patience_s, told=_waiting)
        with telling(self.where), connection:
            yield connection

    @staticmethod
    def now() -> datetime:
        return datetime.now(UTC)


def _waiting(error: Unavailable, wait_s: float) -> None:
    log.warning("waiting for the catalog. %s", error)


def _version(connection: Connection) -> str | None:
    if not inspect(connection).has_table("alembic_version"):
        return None
    return connection.execute(text("SELECT version_num FROM alembic_version")).scalar()


def upgrade(connection: Connection, to: str = "head") -> None:
    """Bring the tables to a schema, inside the caller's transaction."""
    from alembic import command
    from alembic.config import Config

    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent / "migrations"))
    config.attributes["connection"] = connection
    command.upgrade(config, to)

"""The two databases a catalog may be in, set up to behave alike: one writer, one picture a read."""

from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, create_engine, event, text
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.pool import NullPool

from tenfold.catalog.claims import lock_key
from tenfold.catalog.tables import metadata
from tenfold.errors import SpecError, Unsupported
from tenfold.settings import masked

WAIT_S = 60
"""How long a writer waits for the one before it."""

OTHERWISE_SORTED = text("""
    SELECT table_name, column_name, character_maximum_length FROM information_schema.columns
    WHERE table_schema = current_schema() AND table_name = ANY(:tables)
    AND data_type IN ('text', 'character varying') AND collation_name IS DISTINCT FROM 'C'
    ORDER BY table_name, ordinal_position""")


def sqlite(path: Path) -> Engine:
    engine = create_engine(f"sqlite:///{path}", hide_parameters=True)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def postgres(url: URL, *, for_claims: bool = False) -> Engine:
    """Connects when it is first used.

    Raises:
        Unsupported: the extra is not installed.
    """
    pool: dict[str, Any] = {"poolclass": NullPool} if for_claims else {"pool_pre_ping": True}
    try:
        engine = create_engine(
            url,
            hide_parameters=True,
            connect_args={"connect_timeout": 10, "fallback_application_name": "tenfold"},
            **pool,
        )
    except ImportError as error:
        raise Unsupported(
            "PostgreSQL needs the extra `postgres`.", hint="pip install 'tenfold[postgres]'"
        ) from error
    event.listen(engine, "connect", _prepare_postgres)
    if not for_claims:
        event.listen(engine, "begin", _begin_postgres)
    return engine


def postgres_url(told: str) -> URL:
    """
    Raises:
        SpecError: this is no URL of a PostgreSQL database.
    """
    try:
        url = make_url(told)
    except (ArgumentError, ValueError):
        raise _no_url(told) from None  # their message may hold the password
    if url.drivername not in ("postgres", "postgresql", "postgresql+psycopg"):
        raise _no_url(told)
    return url.set(drivername="postgresql+psycopg")


def for_writing(connection: Connection, tenant: str) -> Connection:
    """The connection, whose next transaction takes the write lock at once."""
    return connection.execution_options(tenfold_writes=tenant)


def for_reading(connection: Connection) -> Connection:
    """The connection, whose next transaction sees one state of the catalog."""
    if connection.dialect.name != "postgresql":
        return connection
    return connection.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)


def sort_by_code_point(connection: Connection) -> None:
    """Text columns sort as in SQLite, whatever the language of a PostgreSQL database."""
    if connection.dialect.name != "postgresql":
        return
    found = connection.execute(OTHERWISE_SORTED, {"tables": sorted(metadata.tables)})
    quote = connection.dialect.identifier_preparer.quote
    for table, column, length in found.all():
        kind = f"varchar({length})" if length else "text"
        connection.exec_driver_sql(
            f"ALTER TABLE {quote(table)} ALTER COLUMN {quote(column)} "
            f'SET DATA TYPE {kind} COLLATE "C"'
        )


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # we say BEGIN ourselves, see _begin_sqlite
    wait = f"busy_timeout={WAIT_S * 1000}"
    for pragma in (wait, "journal_mode=WAL", "synchronous=FULL", "foreign_keys=ON"):
        connection.execute(f"PRAGMA {pragma}")


def _begin_sqlite(connection: Connection) -> None:
    writes = "tenfold_writes" in connection.get_execution_options()
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writes else "BEGIN")


def _prepare_postgres(connection: Any, _: object) -> None:
    connection.autocommit = True
    connection.execute(f"SET lock_timeout = '{WAIT_S}s'; SET timezone = 'UTC'")
    connection.autocommit = False


def _begin_postgres(connection: Connection) -> None:
    """One writer of a tenant at a time, as in SQLite; hence two never wait for each other."""
    tenant = connection.get_execution_options().get("tenfold_writes")
    if tenant is not None:
        key = lock_key("write", tenant)
        connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({key})")


def _no_url(told: str) -> SpecError:
    return SpecError(
        f"expected postgresql://user@host/database, got {masked(told)!r}.",
        hint="Mend TENFOLD_CATALOG; empty means SQLite in the home.",
    )

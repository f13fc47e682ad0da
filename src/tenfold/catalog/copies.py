"""The whole catalog, of all tenants, in files that need no database; and a catalog from them.

One file a table: gzipped JSON lines, first the columns with what they hold, then the rows. Values
are written as what they mean, not as a database keeps them, so what was PostgreSQL may become
SQLite and the other way round.
"""

import gzip
import hashlib
import json
from base64 import b64decode, b64encode
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from decimal import Decimal
from itertools import islice
from pathlib import Path
from typing import Any

from sqlalchemy import (
    JSON,
    Boolean,
    Column,
    Connection,
    Float,
    Integer,
    LargeBinary,
    String,
    Table,
    column,
    func,
    insert,
    literal,
    select,
    table,
    text,
)
from sqlalchemy.types import NullType, TypeEngine

from tenfold.atomic import writing
from tenfold.catalog.databases import sort_by_code_point
from tenfold.catalog.scope import HEAD, OLDEST, Scope, upgrade
from tenfold.catalog.tables import Money, UtcDateTime, metadata, runs
from tenfold.errors import Conflict
from tenfold.values import Progress

CHUNK = 1000
COMPRESSION = 4
"""zlib's level: twice as fast as the usual 6, and a twentieth larger."""

NEEDED = {
    "items": ("sha256", "mask"),
    "snapshots": ("id",),
    "models": ("pack", "roster", "snapshot"),
    "makes": ("snapshot",),
}
"""Columns that name blobs which must be there."""
WANTED = {"samples": ("sha256",), "picks": ("sample",), "labels": ("sample",)}
"""The same, of blobs that may be gone: a picture that datasets have no more may have been forgotten
by another tenant."""
NO_BLOBS = {
    "items": ("near",),
    "questions": ("key",),
    "looks": ("model_id",),
    "models": ("id", "make_id", "head_digest", "evidence_digest"),
    "makes": ("id", "model_id"),
    "deployments": ("live", "before", "shadow", "canary"),
    "transitions": ("model", "before"),
    "api_keys": ("digest",),
    "sessions": ("digest",),
    "activity": ("before", "digest"),
    "happenings": ("model",),
    "picks": ("model", "answer"),
}
"""Digests of something else."""


@dataclass(frozen=True, slots=True)
class TableCopy:
    name: str
    rows: int
    digest: str
    """Of its file."""

    @property
    def file(self) -> str:
        return f"{self.name}.jsonl.gz"


@dataclass(frozen=True, slots=True)
class CatalogCopy:
    """One state of a catalog, whatever others wrote meanwhile."""

    schema: str
    first_run: str
    """The oldest run ever, by which a catalog is known; empty: nothing has run yet."""
    tenants: tuple[str, ...]
    tables: tuple[TableCopy, ...]
    """A row comes after those it refers to."""

    @property
    def rows(self) -> int:
        return sum(one.rows for one in self.tables)


@dataclass(slots=True, eq=False)
class Named:
    """What the rows name that lies elsewhere."""

    needed: dict[str, str] = field(default_factory=dict[str, str])
    """Column that names it, by blob."""
    wanted: set[str] = field(default_factory=set[str])
    snapshots: set[str] = field(default_factory=set[str])
    heads: dict[str, list[tuple[int, int]]] = field(
        default_factory=dict[str, list[tuple[int, int]]]
    )
    """(offset, length) of each, by pack."""
    tenants: set[str] = field(default_factory=set[str])


@dataclass(frozen=True, slots=True)
class _Coding:
    type: TypeEngine[Any]
    written: Callable[[Any], Any]
    read: Callable[[Any], Any]


def _same(value: Any) -> Any:
    return value


CODINGS = {
    "plain": _Coding(NullType(), _same, _same),
    "json": _Coding(JSON(), _same, _same),
    "time": _Coding(UtcDateTime(), datetime.isoformat, datetime.fromisoformat),
    "money": _Coding(Money(), str, Decimal),
    "bytes": _Coding(LargeBinary(), lambda value: b64encode(value).decode(), b64decode),
}
"""How values of a column are written, by what it holds."""


def holds(column: Column[Any]) -> str:
    """Which of `CODINGS` a column needs."""
    kinds: dict[str, tuple[type, ...]] = {
        "time": (UtcDateTime,),
        "money": (Money,),
        "bytes": (LargeBinary,),
        "json": (JSON,),
        "plain": (String, Integer, Float, Boolean),
    }
    return next(word for word, types in kinds.items() if isinstance(column.type, types))


def write(
    scope: Scope, folder: Path, *, progress: Progress | None = None
) -> tuple[CatalogCopy, Named]:
    """Copy every table into `folder`, all as they are at one moment; nobody waits for it.

    Raises:
        Conflict: a newer Tenfold has changed the tables meanwhile.
    """
    named = Named()
    copied: list[TableCopy] = []
    with scope.read() as connection:
        _check_head(connection, scope)
        count = {one.name: _count(connection, one) for one in metadata.sorted_tables}
        total, done = sum(count.values()), 0
        for one in metadata.sorted_tables:
            file, rows = folder / f"{one.name}.jsonl.gz", 0
            with writing(file) as raw, gzip.GzipFile("", "wb", COMPRESSION, raw, 0) as out:
                out.write(_line({"columns": [[c.name, holds(c)] for c in one.columns]}))
                for some in _partitions(connection, one):
                    _note(named, one, some)
                    out.writelines(_encoded(one, some))
                    rows += len(some)
                    if progress:
                        progress("catalog", done + rows, total)
            done += rows
            copied.append(TableCopy(one.name, rows, digest_of(file)))
        oldest = select(runs.c.id).order_by(runs.c.began_at, runs.c.id).limit(1)
        first_run = connection.execute(oldest).scalar() or ""
    return CatalogCopy(HEAD, first_run, tuple(sorted(named.tenants)), tuple(copied)), named


def digest_of(file: Path) -> str:
    with file.open("rb") as opened:
        return hashlib.file_digest(opened, "sha256").hexdigest()


def knows_run(scope: Scope, run: str) -> bool:
    """Whether that run is in the catalog, whoever's it is."""
    with scope.read() as connection:
        return connection.execute(select(runs.c.id).where(runs.c.id == run)).first() is not None


def check_may_fill(scope: Scope, schema: str) -> None:
    """
    Raises:
        Conflict: something is in the catalog, or its copy is too new or too old for this Tenfold.
    """
    if schema > HEAD:
        raise Conflict(
            f"the backup has schema {schema}, this Tenfold knows up to {HEAD}.",
            hint="Upgrade Tenfold, then restore.",
        )
    if schema < OLDEST:
        raise Conflict(
            f"the backup was written by an earlier alpha (schema {schema}), "
            "which cannot be brought up to date.",
            hint="Restore it with the Tenfold that its manifest names.",
        )
    with scope.read() as connection:
        _check_empty(connection, scope)


def fill(
    scope: Scope, copied: CatalogCopy, folder: Path, *, progress: Progress | None = None
) -> None:
    """Put every row into an empty catalog, ids and all, in one transaction.

    Rows of an older schema are brought up to date.

    Raises:
        Conflict: something is in the catalog.
    """
    is_old, done = copied.schema != HEAD, 0
    with scope.write() as connection:
        _keep_others_out(connection)
        _check_empty(connection, scope)
        if is_old:
            metadata.drop_all(connection)
            connection.execute(text("DROP TABLE alembic_version"))
            upgrade(connection, copied.schema)
        for one in copied.tables:
            for rows in _decoded(folder / one.file):
                connection.execute(*rows)
                done += len(rows[1])
                if progress:
                    progress("catalog", done, copied.rows)
        if is_old:
            upgrade(connection, HEAD)
            sort_by_code_point(connection)
        _count_on(connection)


def _check_head(connection: Connection, scope: Scope) -> None:
    found = connection.execute(text("SELECT version_num FROM alembic_version")).scalar()
    if found != HEAD:
        raise Conflict(
            f"another Tenfold has brought the catalog to schema {found}, this one knows {HEAD}.",
            where=scope.where,
            hint="Upgrade Tenfold, then run the same command again.",
        )


def _check_empty(connection: Connection, scope: Scope) -> None:
    for one in metadata.sorted_tables:
        if connection.execute(select(literal(1)).select_from(one).limit(1)).first():
            raise Conflict(
                f"only an empty catalog can be restored into; here are {one.name} already.",
                where=scope.where,
                hint="Point TENFOLD_HOME, and TENFOLD_CATALOG if it is set, at a new place.",
            )


def _count(connection: Connection, one: Table) -> int:
    return connection.execute(select(func.count()).select_from(one)).scalar_one()


def _partitions(connection: Connection, one: Table) -> Iterator[Sequence[Any]]:
    query = select(one).order_by(*one.primary_key)
    found = connection.execute(query.execution_options(yield_per=CHUNK))
    return iter(found.partitions())


def _note(named: Named, one: Table, rows: Sequence[Any]) -> None:
    def told(name: str) -> set[Any]:
        at = list(one.columns.keys()).index(name)
        return {row[at] for row in rows if row[at]}

    for name in NEEDED.get(one.name, ()):
        named.needed |= dict.fromkeys(told(name), f"{one.name}.{name}")
    for name in WANTED.get(one.name, ()):
        named.wanted |= told(name)
    if "tenant" in one.columns:
        named.tenants |= told("tenant")
    if one.name == "snapshots":
        named.snapshots |= told("id")
    if one.name == "models":
        for row in rows:
            named.heads.setdefault(row.pack, []).append((row.head_offset, row.head_length))


def _encoded(one: Table, rows: Iterable[Any]) -> Generator[bytes]:
    codings = [CODINGS[holds(c)].written for c in one.columns]
    for row in rows:
        pairs = zip(codings, row, strict=True)
        yield _line([None if value is None else code(value) for code, value in pairs])


def _decoded(file: Path) -> Generator[tuple[Any, list[dict[str, Any]]]]:
    """(INSERT, some rows for it), until all are told."""
    with gzip.open(file) as lines:
        columns: list[tuple[str, str]] = json.loads(next(lines))["columns"]
        typed = [column(name, CODINGS[word].type) for name, word in columns]
        query = insert(table(file.name.partition(".")[0], *typed))
        while some := list(islice(lines, CHUNK)):
            yield query, [_row(columns, json.loads(line)) for line in some]


def _row(columns: Sequence[tuple[str, str]], values: Sequence[Any]) -> dict[str, Any]:
    return {
        name: None if value is None else CODINGS[word].read(value)
        for (name, word), value in zip(columns, values, strict=True)
    }


def _line(value: Any) -> bytes:
    return json.dumps(value, separators=(",", ":")).encode() + b"\n"


def _keep_others_out(connection: Connection) -> None:
    """Whoever wants to write waits; SQLite has one writer anyhow."""
    if connection.dialect.name == "postgresql":
        names = ", ".join(_quoted(connection, one.name) for one in metadata.sorted_tables)
        connection.exec_driver_sql(f"LOCK TABLE {names} IN EXCLUSIVE MODE")


def _count_on(connection: Connection) -> None:
    """New rows get ids behind those that are there; SQLite does so anyhow."""
    if connection.dialect.name != "postgresql":
        return
    for one in metadata.sorted_tables:
        key = one.autoincrement_column
        if key is not None:
            name, column = _quoted(connection, one.name), _quoted(connection, key.name)
            connection.exec_driver_sql(
                f"SELECT setval(pg_get_serial_sequence('{name}', '{key.name}'), "
                f"(SELECT coalesce(max({column}), 0) + 1 FROM {name}), false)"
            )


def _quoted(connection: Connection, name: str) -> str:
    return connection.dialect.identifier_preparer.quote(name)

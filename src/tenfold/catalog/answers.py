"""How far the records of what was answered are collected."""

from collections.abc import Collection, Iterable
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Connection, insert, select, update

from tenfold.catalog import deployments
from tenfold.catalog.deployments import HeadRef
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import segments
from tenfold.errors import Conflict


@dataclass(frozen=True, slots=True)
class Progress:
    segment: str
    collected_bytes: int = 0
    answers: int = 0
    lost: int = 0


def progress(scope: Scope, segment: str) -> Progress:
    """How far a segment is collected; not at all where nobody began."""
    with scope.read() as connection:
        row = connection.execute(select(segments).where(_of(scope, segment))).first()
    if row is None:
        return Progress(segment)
    return Progress(segment, row.collected_bytes, row.answers, row.lost)


def collected(scope: Scope, some: Collection[str]) -> dict[str, int]:
    """Up to which byte each of some segments is collected; nobody began those that are missing."""
    query = select(segments.c.name, segments.c.collected_bytes).where(
        segments.c.tenant == scope.tenant, segments.c.name.in_(some)
    )
    with scope.read() as connection:
        return {row.name: row.collected_bytes for row in connection.execute(query)}


def advance(connection: Connection, scope: Scope, before: Progress, after: Progress) -> None:
    """Move on, in the transaction that books what lies between.

    Raises:
        Conflict: another collector was faster.
    """
    values = {
        "collected_bytes": after.collected_bytes,
        "answers": after.answers,
        "lost": after.lost,
    }
    where = _of(scope, before.segment) & (segments.c.collected_bytes == before.collected_bytes)
    if connection.execute(update(segments).where(where).values(values)).rowcount == 1:
        return
    there = connection.execute(select(segments.c.name).where(_of(scope, before.segment))).first()
    if there is not None or before.collected_bytes:
        raise Conflict(f"segment {before.segment} is being collected by somebody else.")
    row = values | {"tenant": scope.tenant, "name": before.segment}
    connection.execute(insert(segments), row)


def totals(scope: Scope) -> Progress:
    """All segments together."""
    with scope.read() as connection:
        rows = connection.execute(select(segments).where(segments.c.tenant == scope.tenant)).all()
    return Progress(
        "",
        sum(row.collected_bytes for row in rows),
        sum(row.answers for row in rows),
        sum(row.lost for row in rows),
    )


def heads(scope: Scope, models: Iterable[str]) -> dict[str, HeadRef]:
    """Those of the models that exist, by id."""
    return {head.model: head for head in deployments.heads_of(scope, models)}


def _of(scope: Scope, segment: str) -> ColumnElement[bool]:
    return (segments.c.tenant == scope.tenant) & (segments.c.name == segment)

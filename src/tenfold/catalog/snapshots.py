"""Snapshots: frozen versions of datasets, known by the digest of their rows."""

from dataclasses import dataclass

from sqlalchemy import insert, select

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import snapshots


@dataclass(frozen=True, slots=True)
class Snapshot:
    id: str
    """Digest of the frozen rows, which are kept as a blob of that name."""
    dataset: str
    size: int


def put(scope: Scope, snapshot: Snapshot) -> None:
    """Record a snapshot; one that is there already stays as it is."""
    same = (snapshots.c.tenant == scope.tenant) & (snapshots.c.id == snapshot.id)
    with scope.read() as connection:
        if connection.execute(select(snapshots.c.id).where(same)).first():
            return
    with scope.write() as connection:
        if connection.execute(select(snapshots.c.id).where(same)).first():
            return
        values = {
            "tenant": scope.tenant,
            "id": snapshot.id,
            "dataset": snapshot.dataset,
            "size": snapshot.size,
            "created_at": scope.now(),
        }
        connection.execute(insert(snapshots), values)

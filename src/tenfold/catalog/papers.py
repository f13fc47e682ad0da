"""What an owner wrote for everybody: prices, headcount. One text of each kind."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Literal

from sqlalchemy import Connection, delete, insert, select

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import papers

Kind = Literal["prices", "headcount"]


@dataclass(frozen=True, slots=True)
class Paper:
    kind: str
    text: str
    """YAML."""
    changed_at: datetime
    changed_by: str


def find(scope: Scope, kind: Kind) -> Paper | None:
    with scope.read() as connection:
        return _find(connection, scope, kind)


def change(scope: Scope, kind: Kind, write: Callable[[str], str]) -> None:
    """`write` makes the new text of the one there is, empty: none; two who change it at once follow
    each other, and what `write` raises leaves it as it was."""
    with scope.write() as connection:
        before = _find(connection, scope, kind)
        old = before.text if before else ""
        new = write(old)
        if new == old:
            return
        mine = (papers.c.tenant == scope.tenant) & (papers.c.kind == kind)
        connection.execute(delete(papers).where(mine))
        if new:
            row = {"tenant": scope.tenant, "kind": kind, "text": new}
            stamp = {"changed_at": scope.now(), "changed_by": scope.actor}
            connection.execute(insert(papers), row | stamp)
        activity.add(connection, scope, f"set-{kind}", subject="", detail={"text": new})


def _find(connection: Connection, scope: Scope, kind: Kind) -> Paper | None:
    mine = (papers.c.tenant == scope.tenant) & (papers.c.kind == kind)
    row = connection.execute(select(papers).where(mine)).first()
    return Paper(row.kind, row.text, row.changed_at, row.changed_by) if row else None

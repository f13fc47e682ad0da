"""Deployments that are watched and made anew: the rules, how far each is, and its timeline."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import (
    ColumnElement,
    Connection,
    Insert,
    Row,
    Table,
    delete,
    insert,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import folded, happenings, loops, transitions
from tenfold.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class Loop:
    deployment: str
    spec: str
    """YAML, see `tenfold.loop.spec`."""
    state: dict[str, Any]
    """JSON, see `tenfold.loop.state`."""
    version: int
    """Of the state: who changes it says which one it saw."""
    changed_at: datetime
    changed_by: str


@dataclass(frozen=True, slots=True)
class Happening:
    """Something in a deployment's life."""

    deployment: str
    kind: str
    key: str
    """The same happening is noted once."""
    model: str = ""
    detail: dict[str, Any] | None = None
    at: datetime | None = None
    """None: now."""
    actor: str = ""


def put(
    scope: Scope, deployment: str, spec: str, *, state: dict[str, Any], first: Happening
) -> Loop:
    """Begin a loop with a state and what is noted of it, or change its rules: then how far it is
    stays."""
    with scope.write() as connection:
        values = {"spec": spec, "changed_at": scope.now(), "changed_by": scope.actor}
        changed = connection.execute(update(loops).where(_of(scope, deployment)).values(values))
        if not changed.rowcount:
            row = {"tenant": scope.tenant, "deployment": deployment, "state": state, "version": 0}
            connection.execute(insert(loops), row | values)
            note(connection, scope, [first])
        activity.add(connection, scope, "watch", subject=deployment, detail={"rules": spec})
    return get(scope, deployment)


def drop(scope: Scope, deployment: str, *, last: Happening) -> None:
    """End a loop and note it; its timeline, picks and labels stay.

    Raises:
        NotFound: there is none.
    """
    with scope.write() as connection:
        if not connection.execute(delete(loops).where(_of(scope, deployment))).rowcount:
            raise _missing(deployment)
        note(connection, scope, [last])
        activity.add(connection, scope, "unwatch", subject=deployment)


def get(scope: Scope, deployment: str) -> Loop:
    """The loop of a deployment.

    Raises:
        NotFound: there is none.
    """
    found = find(scope, deployment)
    if found is None:
        raise _missing(deployment)
    return found


def find(scope: Scope, deployment: str) -> Loop | None:
    """The loop of a deployment; None: it is not watched."""
    with scope.read() as connection:
        row = connection.execute(select(loops).where(_of(scope, deployment))).first()
    return None if row is None else _loop(row)


def watched(scope: Scope) -> set[str]:
    """The deployments that have a loop."""
    with scope.read() as connection:
        query = select(loops.c.deployment).where(loops.c.tenant == scope.tenant)
        return set(connection.execute(query).scalars())


def everything(scope: Scope) -> list[Loop]:
    """Every loop, by deployment."""
    query = select(loops).where(loops.c.tenant == scope.tenant).order_by(loops.c.deployment)
    with scope.read() as connection:
        return [_loop(row) for row in connection.execute(query)]


def advance(connection: Connection, scope: Scope, loop: Loop, state: dict[str, Any]) -> None:
    """The state after a step, in the transaction of what the step did.

    Raises:
        Conflict: somebody else took a step since `loop` was read, or ended the loop.
    """
    seen = _of(scope, loop.deployment) & (loops.c.version == loop.version)
    changed = update(loops).where(seen).values(state=state, version=loop.version + 1)
    if connection.execute(changed).rowcount != 1:
        raise Conflict(
            f"the loop of {loop.deployment!r} went on meanwhile.", hint="Look again, then decide."
        )


def note(connection: Connection, scope: Scope, some: Sequence[Happening]) -> None:
    """Write happenings on the timeline; what is noted already is left as it is."""
    if not some:
        return
    rows = [
        {
            "tenant": scope.tenant,
            "deployment": one.deployment,
            "key": one.key,
            "kind": one.kind,
            "model": one.model,
            "detail": one.detail or {},
            "at": one.at or scope.now(),
            "actor": one.actor or scope.actor,
        }
        for one in some
    ]
    connection.execute(_insert_new(connection, happenings), rows)


def timeline(scope: Scope, deployment: str) -> list[Happening]:
    """What happened to a deployment and what was changed, oldest first."""
    noted = select(happenings).where(
        happenings.c.tenant == scope.tenant, happenings.c.deployment == deployment
    )
    moved = select(transitions).where(
        transitions.c.tenant == scope.tenant, transitions.c.name == deployment
    )
    with scope.read() as connection:
        found = [_happening(row) for row in connection.execute(noted.order_by(happenings.c.id))]
        found += [_transition(row) for row in connection.execute(moved.order_by(transitions.c.id))]
    return sorted(found, key=lambda one: one.at or scope.now())


def latest(scope: Scope, deployment: str, *, limit: int) -> list[Happening]:
    """The end of a timeline, newest first."""
    noted = select(happenings).where(
        happenings.c.tenant == scope.tenant, happenings.c.deployment == deployment
    )
    moved = select(transitions).where(
        transitions.c.tenant == scope.tenant, transitions.c.name == deployment
    )
    noted = noted.order_by(happenings.c.id.desc()).limit(limit)
    moved = moved.order_by(transitions.c.id.desc()).limit(limit)
    with scope.read() as connection:
        found = [_happening(row) for row in connection.execute(noted)]
        found += [_transition(row) for row in connection.execute(moved)]
    return sorted(found, key=lambda one: one.at or scope.now(), reverse=True)[:limit]


def has_happened(scope: Scope, deployment: str, key: str) -> bool:
    """Whether a happening is on the timeline."""
    query = select(happenings.c.id).where(
        happenings.c.tenant == scope.tenant,
        happenings.c.deployment == deployment,
        happenings.c.key == key,
    )
    with scope.read() as connection:
        return connection.execute(query).first() is not None


def is_folded(scope: Scope, names: Sequence[str]) -> set[str]:
    """Those of the files of answers that were taken in."""
    found: set[str] = set()
    with scope.read() as connection:
        for some in _portions(names):
            query = select(folded.c.name).where(_files(scope, some))
            found.update(connection.execute(query).scalars())
    return found


def fold(connection: Connection, scope: Scope, name: str, *, answers: int) -> None:
    """Note that a file of answers is taken in, in the transaction that did.

    Raises:
        Conflict: it was taken in already.
    """
    known = (folded.c.tenant == scope.tenant) & (folded.c.name == name)
    if connection.execute(select(folded.c.name).where(known)).first():
        raise Conflict(f"the answers in {name} are taken in already.")
    row = {"tenant": scope.tenant, "name": name, "answers": answers, "at": scope.now()}
    connection.execute(insert(folded), row)


def fold_unwatched(scope: Scope, answers: Mapping[str, int]) -> bool:
    """Note that files of answers are taken in, where nothing is watched and nothing follows from
    them; False: something is watched."""
    rows = [
        {"tenant": scope.tenant, "name": name, "answers": count, "at": scope.now()}
        for name, count in answers.items()
    ]
    with scope.write() as connection:
        query = select(loops.c.deployment).where(loops.c.tenant == scope.tenant).limit(1)
        if connection.execute(query).first():
            return False
        if rows:
            connection.execute(_insert_new(connection, folded), rows)
    return True


def fold_together(
    connection: Connection, scope: Scope, names: Sequence[str], into: str, *, answers: int
) -> None:
    """Files of answers became one, which is taken in as they were; again it does nothing."""
    unfold(connection, scope, names)
    row = {"tenant": scope.tenant, "name": into, "answers": answers, "at": scope.now()}
    connection.execute(_insert_new(connection, folded), [row])


def unfold(connection: Connection, scope: Scope, names: Sequence[str]) -> None:
    """Forget files of answers that are kept no longer."""
    for some in _portions(names):
        connection.execute(delete(folded).where(_files(scope, some)))


def _portions(names: Sequence[str]) -> list[Sequence[str]]:
    """As many as a statement may name."""
    return [names[begin : begin + 1000] for begin in range(0, len(names), 1000)]


def _files(scope: Scope, names: Sequence[str]) -> ColumnElement[bool]:
    return (folded.c.tenant == scope.tenant) & folded.c.name.in_(names)


def _insert_new(connection: Connection, table: Table) -> Insert:
    """An INSERT that leaves what is there as it is."""
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    return dialect.insert(table).on_conflict_do_nothing()


def _of(scope: Scope, deployment: str) -> ColumnElement[bool]:
    return (loops.c.tenant == scope.tenant) & (loops.c.deployment == deployment)


def _missing(deployment: str) -> NotFound:
    return NotFound(
        f"{deployment!r} is not watched.", hint="`tenfold watch NAME` begins one with the defaults."
    )


def _loop(row: Row[Any]) -> Loop:
    return Loop(row.deployment, row.spec, row.state, row.version, row.changed_at, row.changed_by)


def _happening(row: Row[Any]) -> Happening:
    return Happening(row.deployment, row.kind, row.key, row.model, row.detail, row.at, row.actor)


def _transition(row: Row[Any]) -> Happening:
    detail = {"before": row.before, "why": row.why, "generation": row.generation}
    key = f"{row.generation}:{row.action}"
    return Happening(row.name, row.action, key, row.model, detail, row.at, row.actor)

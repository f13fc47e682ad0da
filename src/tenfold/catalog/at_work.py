"""Deployments as people look through them: page by page, by name and by what needs somebody."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Text, cast, exists, func, select

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import deployments, happenings, loops, models, picks

Group = Literal["", "trial", "watched", "alarm", "review", "retired"]
GROUPS: tuple[Group, ...] = get_args(Group)
"""Empty: everything."""


@dataclass(frozen=True, slots=True)
class Sought:
    text: str = ""
    """Part of the name."""
    group: Group = ""
    after: str = ""
    """Name to go on behind."""
    limit: int = 50


@dataclass(frozen=True, slots=True)
class AtWork:
    """A deployment in a list."""

    name: str
    state: str
    live: str
    shadow: str
    canary: str
    canary_share: float
    task: str
    """Of what is live, as are kind and status; empty: that model is gone."""
    kind: str
    status: str
    is_watched: bool = False
    alarms: tuple[str, ...] = ()
    """Kinds of change."""
    waiting: int = 0
    """Pictures that nobody agreed on yet."""


@dataclass(frozen=True, slots=True)
class _Beside:
    """What other tables say of some deployments."""

    loops: dict[str, tuple[str, ...]] = field(default_factory=dict[str, tuple[str, ...]])
    waiting: dict[str, int] = field(default_factory=dict[str, int])


def search(scope: Scope, sought: Sought) -> list[AtWork]:
    """Deployments by name, `limit` at most."""
    joined = (models.c.tenant == deployments.c.tenant) & (models.c.id == deployments.c.live)
    query = (
        select(deployments, models.c.task, models.c.kind, models.c.status)
        .join(models, joined, isouter=True)
        .where(*_wanted(scope, sought), deployments.c.name > sought.after)
        .order_by(deployments.c.name)
        .limit(sought.limit)
    )
    with scope.read() as connection:
        rows = connection.execute(query).all()
        beside = _beside(connection, scope, [row.name for row in rows])
    return [_at_work(row, beside) for row in rows]


def counts(scope: Scope, text: str = "") -> dict[Group, int]:
    """How many there are of each group, among those whose name has `text`."""
    with scope.read() as connection:
        return {group: _count(connection, scope, Sought(text, group)) for group in GROUPS}


def _count(connection: Connection, scope: Scope, sought: Sought) -> int:
    query = select(func.count()).select_from(deployments).where(*_wanted(scope, sought))
    return connection.execute(query).scalar_one()


def _wanted(scope: Scope, sought: Sought) -> list[ColumnElement[bool]]:
    found = [deployments.c.tenant == scope.tenant]
    if sought.text:
        found.append(deployments.c.name.icontains(sought.text, autoescape=True))
    if sought.group == "retired":
        return [*found, deployments.c.state == "retired"]
    if sought.group:
        found.append(deployments.c.state == "live")
    if sought.group == "trial":
        found.append((deployments.c.shadow != "") | (deployments.c.canary != ""))
    if sought.group in ("watched", "alarm"):
        found.append(_has_loop())
    if sought.group == "alarm":
        found += [_has_alarmed(), _has_loop(cast(loops.c.state["alarmed"], Text) != "[]")]
    if sought.group == "review":
        found.append(deployments.c.name.in_(_asking(scope)))
    return found


def _has_loop(*which: ColumnElement[bool]) -> ColumnElement[bool]:
    mine = (loops.c.tenant == deployments.c.tenant) & (loops.c.deployment == deployments.c.name)
    return exists().where(mine, *which)


def _has_alarmed() -> ColumnElement[bool]:
    """Ever; the states, which are large, need be read of those alone."""
    return exists().where(
        happenings.c.tenant == deployments.c.tenant,
        happenings.c.deployment == deployments.c.name,
        happenings.c.kind == "alarm",
    )


def _asking(scope: Scope) -> Any:
    is_open = (picks.c.tenant == scope.tenant) & picks.c.settled_at.is_(None)
    return select(picks.c.deployment).where(is_open).distinct()


def _beside(connection: Connection, scope: Scope, names: Sequence[str]) -> _Beside:
    looped = select(loops.c.deployment, loops.c.state["alarmed"]).where(
        loops.c.tenant == scope.tenant, loops.c.deployment.in_(names)
    )
    waiting = (
        select(picks.c.deployment, func.count(picks.c.sample.distinct()))
        .where(
            picks.c.tenant == scope.tenant,
            picks.c.deployment.in_(names),
            picks.c.settled_at.is_(None),
        )
        .group_by(picks.c.deployment)
    )
    return _Beside(
        {name: tuple(kinds or ()) for name, kinds in connection.execute(looped)},
        {row[0]: row[1] for row in connection.execute(waiting)},
    )


def _at_work(row: Any, beside: _Beside) -> AtWork:
    return AtWork(
        name=row.name,
        state=row.state,
        live=row.live,
        shadow=row.shadow,
        canary=row.canary,
        canary_share=row.canary_share,
        task=row.task or "",
        kind=row.kind or "",
        status=row.status or "",
        is_watched=row.name in beside.loops,
        alarms=beside.loops.get(row.name, ()),
        waiting=beside.waiting.get(row.name, 0),
    )

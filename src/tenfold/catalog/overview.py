"""How the whole loop stands, in one look: counted by the database, whatever there is."""

from dataclasses import dataclass, field
from datetime import datetime

from sqlalchemy import Text, cast, func, select

from tenfold.catalog import ledger, picks
from tenfold.catalog.ledger import BYS, Sum
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import datasets, deployments, entries, loops, models, samples, segments


@dataclass(frozen=True, slots=True)
class Overview:
    pictures: int
    datasets: int
    models: dict[str, int]
    """By status of the verdict."""
    live: int
    on_trial: int
    """Deployments with a shadow or a canary."""
    answers: int
    """Collected so far."""
    watched: int
    alarms: tuple[str, ...]
    """Deployments in which the watch sees a change."""
    waiting: int
    """Pictures for people."""
    used: tuple[Sum, ...] = field(default=())
    """What was booked since a moment."""


MOST_ALARMS = 50


def overview(scope: Scope, *, since: datetime) -> Overview:
    """Everything as of now; `used` since a moment."""
    d = deployments.c
    is_live = (d.tenant == scope.tenant) & (d.state != "retired")
    on_trial = is_live & ((d.shadow != "") | (d.canary != ""))
    sees = (loops.c.tenant == scope.tenant) & (cast(loops.c.state["alarmed"], Text) != "[]")
    statuses = (
        select(models.c.status, func.count().label("number"))
        .where(models.c.tenant == scope.tenant)
        .group_by(models.c.status)
    )
    alarms = select(loops.c.deployment).where(sees).order_by(loops.c.deployment)
    with scope.read() as connection:

        def number(table: object, where: object) -> int:
            query = select(func.count()).select_from(table).where(where)  # pyright: ignore
            return connection.execute(query).scalar_one()

        return Overview(
            pictures=number(samples, samples.c.tenant == scope.tenant),
            datasets=number(datasets, datasets.c.tenant == scope.tenant),
            models={row.status: row.number for row in connection.execute(statuses)},
            live=number(deployments, is_live),
            on_trial=number(deployments, on_trial),
            answers=connection.execute(
                select(func.coalesce(func.sum(segments.c.answers), 0)).where(
                    segments.c.tenant == scope.tenant
                )
            ).scalar_one(),
            watched=number(loops, loops.c.tenant == scope.tenant),
            alarms=tuple(connection.execute(alarms.limit(MOST_ALARMS)).scalars()),
            waiting=sum(picks.waiting(scope).values()),
            used=tuple(_used(scope, since)),
        )


def _used(scope: Scope, since: datetime) -> list[Sum]:
    keys = [entries.c.month, entries.c.kind, *(entries.c[name] for name in BYS), entries.c.currency]
    columns = ledger.sum_columns(entries, keys)
    mine = (entries.c.tenant == scope.tenant) & (entries.c.at >= since)
    with scope.read() as connection:
        rows = connection.execute(select(*columns).where(mine).group_by(*keys))
        return [ledger.sum_of(row, BYS) for row in rows]

"""What the report on economics asks the catalog: accepted questions, verdicts, costs by task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, func, literal, literal_column, select
from sqlalchemy.sql.selectable import Subquery

from tenfold.catalog import ledger
from tenfold.catalog.ledger import Sum, within
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import (
    ledger_months,
    ledger_task_months,
    ledger_tasks,
    models,
    questions,
)


@dataclass(frozen=True, slots=True)
class Weights:
    """What one of everything costs, roughly: to rank, not to bill."""

    by_column: Mapping[str, float]
    """Of cpu_s, bytes_stored, bytes_read, human_s."""
    image: float
    """One picture of kind `embed`."""
    label: float
    """One label of kind `label`."""
    exchange: Mapping[str, float] = field(default_factory=dict[str, float])


@dataclass(frozen=True, slots=True)
class Judged:
    """Models judged in a span of time."""

    by_status: Mapping[str, int]
    refused: tuple[Mapping[str, Any], ...]
    """Verdicts of the newest refused ones."""


def accepted(scope: Scope) -> Counter[tuple[int, str, str]]:
    """How many questions were first accepted, by (month, fleet, sector)."""
    at, fleet, sector = questions.c.accepted_at, questions.c.fleet, questions.c.sector
    mine = (questions.c.tenant == scope.tenant) & at.is_not(None)
    with scope.read() as connection:
        is_sqlite = connection.dialect.name == "sqlite"
        month = func.strftime("%Y%m", at) if is_sqlite else func.to_char(_utc(at), "YYYYMM")
        query = select(month, fleet, sector, func.count()).where(mine)
        rows = connection.execute(query.group_by(literal_column("1"), fleet, sector)).all()
    return Counter({(int(month), fleet, sector): count for month, fleet, sector, count in rows})


def _utc(column: ColumnElement[Any]) -> ColumnElement[Any]:
    return func.timezone("UTC", column)


def judged(scope: Scope, since: datetime, until: datetime, *, newest_refused: int) -> Judged:
    """Models made in since ≤ time < until, by status, and why some were refused."""
    mine = _between(models.c.created_at, since, until) & (models.c.tenant == scope.tenant)
    counts = (
        select(models.c.status, func.count().label("number")).where(mine).group_by(models.c.status)
    )
    newest = (
        select(models.c.verdict)
        .where(mine, models.c.status == "refused")
        .order_by(models.c.created_at.desc())
        .limit(newest_refused)
    )
    with scope.read() as connection:
        by_status = {row.status: row.number for row in connection.execute(counts)}
        refused = connection.execute(newest).scalars().all() if by_status.get("refused") else []
    return Judged(dict(sorted(by_status.items())), tuple(refused))


def accepted_tasks(
    scope: Scope, tasks: Sequence[str], since: datetime, until: datetime
) -> Counter[str]:
    """Of `tasks`: how many questions of each were first accepted in since ≤ time < until."""
    query = (
        select(models.c.task, func.count(models.c.question_id.distinct()).label("number"))
        .join(questions, questions.c.id == models.c.question_id)
        .where(models.c.tenant == scope.tenant, models.c.task.in_(tasks))
        .where(models.c.status == "accepted", _between(questions.c.accepted_at, since, until))
        .group_by(models.c.task)
    )
    with scope.read() as connection:
        return Counter({row.task: row.number for row in connection.execute(query)})


def of_tasks(scope: Scope, tasks: Sequence[str], months: tuple[int, int]) -> dict[str, list[Sum]]:
    """What was booked to each of `tasks` in first ≤ month < last."""
    table = ledger_task_months
    keys = (table.c.month, table.c.kind, table.c.dataset, table.c.currency)
    query = (
        select(table.c.task, *ledger.sum_columns(table, keys))
        .where(table.c.tenant == scope.tenant, table.c.task.in_(tasks), within(table, months))
        .group_by(table.c.task, *keys)
    )
    found: dict[str, list[Sum]] = {task: [] for task in tasks}
    with scope.read() as connection:
        for task, *row in connection.execute(query):
            found[task].append(ledger.sum_of(row, ("dataset",)))
    return found


def costliest(
    scope: Scope, months: tuple[int, int] | None, weights: Weights, *, count: int
) -> tuple[list[str], int]:
    """About the tasks that cost most with their share of embedding, and how many tasks there are.

    `months` None: over everything ever booked, which is much faster.
    """
    table = ledger_task_months if months else ledger_tasks
    mine = table.c.tenant == scope.tenant
    if months:
        mine = and_(mine, within(table, months))
    booked = (
        select(
            table.c.task,
            table.c.dataset,
            func.sum(_cost(table, weights)).label("cost"),
            _made(table, "images").label("images"),
            _made(table, "entries").label("models"),
        )
        .where(mine)
        .group_by(table.c.task, table.c.dataset)
        .subquery()
    )
    pots = _pots(scope, months or ledger.EVER, weights)
    share = func.coalesce(
        pots.c.per_image * booked.c.images, pots.c.per_model * booked.c.models, literal(0.0)
    )
    ranked = (
        select(booked.c.task)
        .select_from(booked.outerjoin(pots, pots.c.dataset == booked.c.dataset))
        .group_by(booked.c.task)
        .order_by(func.sum(booked.c.cost + share).desc(), booked.c.task)
        .limit(count)
    )
    every = select(table.c.task).where(mine).distinct().subquery()
    with scope.read() as connection:
        names = connection.execute(ranked).scalars().all()
        return list(names), connection.execute(select(func.count()).select_from(every)).scalar_one()


def _pots(scope: Scope, months: tuple[int, int], weights: Weights) -> Subquery:
    """What embedding cost per picture that a head read (or per head), by dataset."""
    table = ledger_months
    spent = func.sum(case((table.c.kind == "embed", _cost(table, weights)), else_=literal(0.0)))
    return (
        select(
            table.c.dataset,
            (spent / func.nullif(_made(table, "images"), 0)).label("per_image"),
            (spent / func.nullif(_made(table, "entries"), 0)).label("per_model"),
        )
        .where(table.c.tenant == scope.tenant, table.c.kind.in_(("embed", "make")))
        .where(within(table, months))
        .group_by(table.c.dataset)
        .subquery()
    )


def _made(table: Table, column: str) -> ColumnElement[Any]:
    return func.sum(case((table.c.kind == "make", table.c[column]), else_=literal(0)))


def _cost(table: Table, weights: Weights) -> ColumnElement[Any]:
    """About what a row of a rollup cost."""
    rates = [(table.c.currency == name, literal(rate)) for name, rate in weights.exchange.items()]
    cost: ColumnElement[Any] = func.coalesce(table.c.amount, literal(0)) / literal(1e6)
    cost = cost * case(*rates, else_=literal(1.0)) if rates else cost
    for name, price in weights.by_column.items():
        if price:
            cost += table.c[name] * literal(price)
    for kind, name, price in (
        ("embed", "images", weights.image),
        ("label", "labels", weights.label),
    ):
        if price:
            cost += case((table.c.kind == kind, table.c[name]), else_=literal(0)) * literal(price)
    return cost


def _between(column: ColumnElement[Any], since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(column >= since, column < until)

"""What the report on economics asks the catalog: accepted questions, verdicts, costs by task."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Table, and_, case, func, literal, literal_column, select
from sqlalchemy.sql.selectable import Subquery

from tenfold.catalog import ledger
from tenfold.catalog.ledger import Sum, month_of, within
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import ledger_months, ledger_task_months, models, questions


@dataclass(frozen=True, slots=True)
class Weights:
    """What one of everything costs from a month on, roughly: to rank, not to bill."""

    month: int
    """As 202612."""
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


def of_newly_accepted(scope: Scope, since: datetime, until: datetime) -> list[Sum]:
    """What was booked, until then, to the tasks whose questions were first accepted in the span."""
    newly = (
        select(models.c.task)
        .join(questions, questions.c.id == models.c.question_id)
        .where(models.c.tenant == scope.tenant, questions.c.tenant == scope.tenant)
        .where(models.c.status == "accepted", _between(questions.c.accepted_at, since, until))
        .distinct()
    )
    table = ledger_task_months
    keys = (table.c.month, table.c.kind, table.c.currency)
    query = (
        select(*ledger.sum_columns(table, keys))
        .where(table.c.tenant == scope.tenant, table.c.task.in_(newly))
        .where(table.c.month < month_of(until))
        .group_by(*keys)
    )
    with scope.read() as connection:
        return [ledger.sum_of(row, ()) for row in connection.execute(query)]


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
    scope: Scope, months: tuple[int, int], weights: Sequence[Weights], *, count: int
) -> tuple[list[str], int]:
    """The tasks that cost most with their share of embedding, and how many tasks there are."""
    table = ledger_task_months
    pots = _pots(scope, months, weights)
    mine = and_(table.c.tenant == scope.tenant, within(table, months))
    read = func.coalesce(
        pots.c.per_image * table.c.images, pots.c.per_model * table.c.entries, literal(0.0)
    )
    cost = _cost(table, weights) + case((table.c.kind == "make", read), else_=literal(0.0))
    same = and_(pots.c.month == table.c.month, pots.c.dataset == table.c.dataset)
    ranked = (
        select(table.c.task)
        .select_from(table.outerjoin(pots, same))
        .where(mine)
        .group_by(table.c.task)
        .order_by(func.sum(cost).desc(), table.c.task)
        .limit(count)
    )
    every = select(table.c.task).where(mine).distinct().subquery()
    with scope.read() as connection:
        names = connection.execute(ranked).scalars().all()
        return list(names), connection.execute(select(func.count()).select_from(every)).scalar_one()


def _pots(scope: Scope, months: tuple[int, int], weights: Sequence[Weights]) -> Subquery:
    """What embedding cost per picture that a head read (or per head), by month and dataset."""
    table = ledger_months
    spent = func.sum(case((table.c.kind == "embed", _cost(table, weights)), else_=literal(0.0)))
    images = func.sum(case((table.c.kind == "make", table.c.images), else_=literal(0)))
    made = func.sum(case((table.c.kind == "make", table.c.entries), else_=literal(0)))
    return (
        select(
            table.c.month,
            table.c.dataset,
            (spent / func.nullif(images, 0)).label("per_image"),
            (spent / func.nullif(made, 0)).label("per_model"),
        )
        .where(table.c.tenant == scope.tenant, table.c.kind.in_(("embed", "make")))
        .where(within(table, months))
        .group_by(table.c.month, table.c.dataset)
        .subquery()
    )


def _cost(table: Table, weights: Sequence[Weights]) -> ColumnElement[Any]:
    """About what a row of a rollup cost."""
    names = list(weights[0].by_column)
    cost: ColumnElement[Any] = literal(0.0)
    for name in names:
        cost += table.c[name] * _dated(table, {w.month: w.by_column[name] for w in weights})
    for kind, name in (("embed", "image"), ("label", "label")):
        price = {w.month: float(getattr(w, name)) for w in weights}
        if any(price.values()):
            counted = case((table.c.kind == kind, table.c[f"{name}s"]), else_=literal(0))
            cost += counted * _dated(table, price)
    worth = weights[-1].exchange
    bills = func.coalesce(table.c.amount, literal(0)) / literal(1e6)
    rates = [(table.c.currency == currency, literal(rate)) for currency, rate in worth.items()]
    return cost + (bills * case(*rates, else_=literal(1.0)) if rates else bills)


def _dated(table: Table, prices: Mapping[int, float]) -> ColumnElement[float]:
    """The price that holds in the row's month."""
    if len(set(prices.values())) == 1:
        return literal(next(iter(prices.values())))
    newest_first = sorted(prices.items(), reverse=True)
    return case(
        *((table.c.month >= month, literal(price)) for month, price in newest_first),
        else_=literal(newest_first[-1][1]),
    )


def _between(column: ColumnElement[Any], since: datetime, until: datetime) -> ColumnElement[bool]:
    return and_(column >= since, column < until)

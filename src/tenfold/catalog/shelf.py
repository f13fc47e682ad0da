"""Datasets page by page, newest first, and models that wait for a person."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import Select, func, select

from tenfold.catalog import models
from tenfold.catalog.models import Model
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import datasets, items, quarantine
from tenfold.catalog.tables import models as judged


@dataclass(frozen=True, slots=True)
class Listed:
    """A dataset in a list."""

    name: str
    created_at: datetime
    created_by: str
    size: int
    set_aside: int


def page(scope: Scope, *, text: str = "", offset: int = 0, limit: int = 20) -> list[Listed]:
    """Some, counted only as far as they are shown."""
    some = _named(scope, text).order_by(datasets.c.created_at.desc(), datasets.c.id.desc())
    shown = some.offset(offset).limit(limit).subquery()
    size = select(func.count()).where(items.c.dataset_id == shown.c.id).scalar_subquery()
    aside = select(func.count()).where(quarantine.c.dataset_id == shown.c.id).scalar_subquery()
    query = select(shown, size.label("size"), aside.label("set_aside")).order_by(
        shown.c.created_at.desc(), shown.c.id.desc()
    )
    with scope.read() as connection:
        return [
            Listed(row.name, row.created_at, row.created_by, row.size, row.set_aside)
            for row in connection.execute(query)
        ]


def count(scope: Scope, *, text: str = "") -> int:
    """How many datasets there are."""
    with scope.read() as connection:
        found = _named(scope, text).subquery()
        return connection.execute(select(func.count()).select_from(found)).scalar_one()


def names(scope: Scope, limit: int) -> list[str]:
    """Names of the newest datasets."""
    query = (
        select(datasets.c.name)
        .where(datasets.c.tenant == scope.tenant)
        .order_by(datasets.c.created_at.desc(), datasets.c.id.desc())
        .limit(limit)
    )
    with scope.read() as connection:
        return list(connection.execute(query).scalars())


def exceptions(scope: Scope, limit: int) -> list[Model]:
    """The newest models that were refused or left undecided, unless their task was made again."""
    later = judged.alias()
    again = select(later.c.id).where(
        later.c.tenant == judged.c.tenant,
        later.c.task == judged.c.task,
        later.c.created_at > judged.c.created_at,
    )
    query = (
        select(judged.c.id)
        .where(
            judged.c.tenant == scope.tenant,
            judged.c.status.in_(("undecided", "refused")),
            ~again.exists(),
        )
        .order_by(judged.c.created_at.desc(), judged.c.task)
        .limit(limit)
    )
    with scope.read() as connection:
        ids = connection.execute(query).scalars().all()
    found = models.find_all(scope, ids)
    return [found[one] for one in ids if one in found]


def _named(scope: Scope, text: str) -> Select[Any, Any, Any, Any]:
    query = select(
        datasets.c.id, datasets.c.name, datasets.c.created_at, datasets.c.created_by
    ).where(datasets.c.tenant == scope.tenant)
    return query.where(datasets.c.name.icontains(text, autoescape=True)) if text else query

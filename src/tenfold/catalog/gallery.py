"""A dataset as people look through it: page by page, by label, split and name."""

import json
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, Text, cast, func, select

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import datasets, items

SOME = 500
"""Items that are read at once."""


@dataclass(frozen=True, slots=True)
class Sought:
    """What to show; empty: everything."""

    label: str = ""
    split: str = ""
    text: str = ""
    """In the path."""
    only_near: bool = False
    """Pictures that have near-duplicates alone, beside each other."""


@dataclass(frozen=True, slots=True)
class Tile:
    """A picture of a gallery."""

    sha256: str
    path: str
    labels: tuple[str, ...]
    split: str
    near: str
    """What its near-duplicates share; empty: it has none."""
    origin: str


@dataclass(frozen=True, slots=True)
class Facets:
    """How many pictures there are, by what one may look for."""

    size: int
    labels: dict[str, int]
    splits: dict[str, int]
    near: int
    """Pictures that have near-duplicates."""


@dataclass(frozen=True, slots=True)
class Portion:
    """Pictures that have the same labels and lie in the same split."""

    labels: tuple[str, ...]
    split: str
    size: int
    near: int
    """Those that have near-duplicates."""


def portions(scope: Scope, name: str) -> list[Portion]:
    """Counted by the database: 100,000 pictures in tenths of a second."""
    labels, split = cast(items.c.labels, Text), func.coalesce(items.c.split, "")
    query = (
        select(labels, split, func.count(), func.count(items.c.near))
        .where(_of(scope, name))
        .group_by(labels, split)
    )
    with scope.read() as connection:
        return [
            Portion(tuple(json.loads(told)), part, number, alike)
            for told, part, number, alike in connection.execute(query)
        ]


def facets(scope: Scope, name: str) -> Facets:
    """What one may look for in a dataset."""
    return facets_of(portions(scope, name))


def facets_of(found: Sequence[Portion]) -> Facets:
    by_label, by_split = Counter[str](), Counter[str]()
    for one in found:
        by_split[one.split] += one.size
        for label in one.labels:
            by_label[label] += one.size
    return Facets(
        size=by_split.total(),
        labels=dict(by_label.most_common()),
        splits={part: number for part, number in by_split.most_common() if part},
        near=sum(one.near for one in found),
    )


def labels(scope: Scope, name: str, *, attribute: str = "") -> set[str]:
    """Every label of a dataset, or every value of one of its attributes."""
    told = items.c.attributes[attribute].as_string() if attribute else cast(items.c.labels, Text)
    with scope.read() as connection:
        there = told.is_not(None)
        found = connection.execute(select(told).where(_of(scope, name), there).distinct()).scalars()
        if attribute:
            return set(found)
        return {label for written in found for label in json.loads(written)}


def attributes(scope: Scope, name: str) -> list[str]:
    """Attributes that the first items of a dataset have."""
    query = select(items.c.attributes).where(_of(scope, name)).order_by(items.c.id).limit(SOME)
    with scope.read() as connection:
        return sorted({key for told in connection.execute(query).scalars() for key in told})


def mark(scope: Scope, name: str) -> tuple[int, int]:
    """Changes when pictures come or go: how many there are, and the newest."""
    query = select(func.count(), func.max(items.c.id)).where(_of(scope, name))
    with scope.read() as connection:
        number, newest = connection.execute(query).one()
    return number, newest or 0


def order(scope: Scope, name: str, sought: Sought) -> list[int]:
    """Ids of what is sought, in the order in which it is shown."""
    by = (items.c.near, items.c.path) if sought.only_near else (items.c.path,)
    query = select(items.c.id).where(_of(scope, name), *_wanted(sought)).order_by(*by)
    with scope.read() as connection:
        return list(connection.execute(query).scalars())


def tiles(scope: Scope, ids: Sequence[int]) -> list[Tile]:
    """Some, at most `SOME`, in the order of `ids`."""
    query = select(items).where(items.c.id.in_(ids[:SOME]))  # by the tenant, SQLite would read all
    with scope.read() as connection:
        found = {
            row.id: Tile(
                row.sha256,
                row.path,
                tuple(row.labels),
                row.split or "",
                row.near or "",
                row.origin,
            )
            for row in connection.execute(query)
            if row.tenant == scope.tenant
        }
    return [found[one] for one in ids[:SOME] if one in found]


def _wanted(sought: Sought) -> list[ColumnElement[bool]]:
    found: list[ColumnElement[bool]] = []
    if sought.label:
        written = cast(items.c.labels, Text)
        found.append(written.contains(json.dumps(sought.label), autoescape=True))
    if sought.split:
        found.append(items.c.split == sought.split)
    if sought.text:
        found.append(items.c.path.icontains(sought.text, autoescape=True))
    if sought.only_near:
        found.append(items.c.near.is_not(None))
    return found


def _of(scope: Scope, name: str) -> ColumnElement[bool]:
    dataset = (
        select(datasets.c.id)
        .where(datasets.c.tenant == scope.tenant, datasets.c.name == name)
        .scalar_subquery()
    )
    return items.c.dataset_id == dataset

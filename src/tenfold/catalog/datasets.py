"""Datasets: named sets of samples with labels, and what was set aside while reading them."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, delete, func, insert, select

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import datasets, items, quarantine, samples
from tenfold.errors import Conflict, NotFound
from tenfold.settings import masked

CHUNK = 500
Origin = Literal["given", "audit", "review"]
"""`audit`: drawn at random from what was answered in production, judges only; `review`: picked
there because it was worth a look, never judges."""


@dataclass(frozen=True, slots=True)
class Sample:
    """One image, known by the hash of its bytes."""

    sha256: str
    width_px: int
    height_px: int
    mode: str
    size_bytes: int
    phash: str
    """Perceptual hash, 16 hexadecimal digits."""


@dataclass(frozen=True, slots=True)
class Item:
    """A sample's place in a dataset."""

    sha256: str
    path: str
    labels: tuple[str, ...]
    lot: str | None = None
    """The group (module, lot, day, driver) that a split must not straddle."""
    split: str | None = None
    mask: str | None = None
    attributes: dict[str, str] = field(default_factory=dict[str, str])
    near: str | None = None
    """Smallest digest of its group of near-duplicates; None when it has none."""
    origin: Origin = "given"


@dataclass(frozen=True, slots=True)
class SetAside:
    """A file that could not be used, and why."""

    path: str
    reason: str
    detail: str


@dataclass(frozen=True, slots=True)
class Dataset:
    name: str
    format: str
    source: str
    understood: str
    """What was understood of the source, in plain words."""
    created_at: datetime
    created_by: str
    size: int
    set_aside: int


def put(
    scope: Scope,
    *,
    name: str,
    origin: tuple[str, str, str],
    content: Sequence[tuple[Sample, Item]],
    set_aside: Sequence[SetAside],
) -> Dataset:
    """Write a dataset whole, or refresh it; `origin` is (format, source, understood).

    Raises:
        Conflict: the name is taken by a dataset from another source.
    """
    format_name, source, understood = origin
    with scope.write() as connection:
        row = _row(connection, scope, name)
        if row is not None and row.source != source:
            raise Conflict(
                f"dataset {name!r} exists and comes from {row.source}.",
                hint="Choose another name (`tenfold ingest --name`), or `tenfold forget` "
                "the old one first.",
            )
        if row is None:
            values = {
                "tenant": scope.tenant,
                "name": name,
                "format": format_name,
                "source": source,
                "understood": understood,
                "created_at": scope.now(),
                "created_by": scope.actor,
            }
            connection.execute(insert(datasets), values)
            row = _row(connection, scope, name)
        assert row is not None
        connection.execute(
            datasets.update().where(datasets.c.id == row.id).values(understood=understood)
        )
        for table in (items, quarantine):
            connection.execute(delete(table).where(table.c.dataset_id == row.id))
        _insert_content(connection, scope, row.id, content)
        own = {"tenant": scope.tenant, "dataset_id": row.id}
        _insert(
            connection,
            quarantine,
            [own | {"path": s.path, "reason": s.reason, "detail": s.detail} for s in set_aside],
        )
        told = {"source": masked(source), "size": len(content), "set_aside": len(set_aside)}
        activity.add(connection, scope, "ingest", subject=name, detail=told)
    return get(scope, name)


def get(scope: Scope, name: str) -> Dataset:
    """The dataset of that name.

    Raises:
        NotFound: there is none.
    """
    found = [d for d in everything(scope) if d.name == name]
    if not found:
        raise NotFound(f"no dataset {name!r}.", hint="`tenfold ls` lists what is there.")
    return found[0]


def everything(scope: Scope) -> list[Dataset]:
    size = select(func.count()).where(items.c.dataset_id == datasets.c.id).scalar_subquery()
    aside = select(func.count()).where(quarantine.c.dataset_id == datasets.c.id).scalar_subquery()
    query = (
        select(datasets, size.label("size"), aside.label("set_aside"))
        .where(datasets.c.tenant == scope.tenant)
        .order_by(datasets.c.name)
    )
    with scope.read() as connection:
        return [
            Dataset(
                name=row.name,
                format=row.format,
                source=row.source,
                understood=row.understood,
                created_at=row.created_at,
                created_by=row.created_by,
                size=row.size,
                set_aside=row.set_aside,
            )
            for row in connection.execute(query)
        ]


def items_of(scope: Scope, name: str) -> list[Item]:
    """Items in the order of their paths."""
    query = (
        select(items)
        .join(datasets, datasets.c.id == items.c.dataset_id)
        .where(datasets.c.tenant == scope.tenant, datasets.c.name == name)
        .order_by(items.c.path)
    )
    with scope.read() as connection:
        return [
            Item(
                sha256=row.sha256,
                path=row.path,
                labels=tuple(row.labels),
                lot=row.lot,
                split=row.split,
                mask=row.mask,
                attributes=row.attributes,
                near=row.near,
                origin=row.origin,
            )
            for row in connection.execute(query)
        ]


def set_aside_of(scope: Scope, name: str, *, limit: int | None = None) -> list[SetAside]:
    query = (
        select(quarantine.c.path, quarantine.c.reason, quarantine.c.detail)
        .join(datasets, datasets.c.id == quarantine.c.dataset_id)
        .where(datasets.c.tenant == scope.tenant, datasets.c.name == name)
        .order_by(quarantine.c.path)
        .limit(limit)
    )
    with scope.read() as connection:
        return [SetAside(*row) for row in connection.execute(query)]


def sample(scope: Scope, sha256: str) -> Sample:
    """The sample of that digest.

    Raises:
        NotFound: this tenant has none.
    """
    query = select(samples).where(samples.c.tenant == scope.tenant, samples.c.sha256 == sha256)
    with scope.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        raise NotFound(f"no sample {sha256[:12]}….", hint="Ingest the picture first.")
    return Sample(row.sha256, row.width_px, row.height_px, row.mode, row.size_bytes, row.phash)


def drop(scope: Scope, name: str) -> list[str]:
    """Remove a dataset; returns the digests (pictures, masks) that nobody uses any more.

    Raises:
        NotFound: there is none of that name.
    """
    with scope.write() as connection:
        row = _row(connection, scope, name)
        if row is None:
            raise NotFound(f"no dataset {name!r}.", hint="`tenfold ls` lists what is there.")
        kept = select(items.c.sha256).where(
            items.c.tenant == scope.tenant, items.c.dataset_id != row.id
        )
        mine = select(items.c.sha256, items.c.mask).where(items.c.dataset_id == row.id)
        orphans = connection.execute(mine.where(items.c.sha256.not_in(kept))).all()
        for table in (items, quarantine):
            connection.execute(delete(table).where(table.c.dataset_id == row.id))
        connection.execute(delete(datasets).where(datasets.c.id == row.id))
        digests = {sha for sha, _ in orphans}
        masks = {mask for _, mask in orphans if mask}
        for chunk in _chunks(digests):
            chosen = (samples.c.tenant == scope.tenant) & samples.c.sha256.in_(chunk)
            connection.execute(delete(samples).where(chosen))
        for chunk in _chunks(digests | masks):  # another tenant may hold the same picture
            for column in (items.c.sha256, items.c.mask):
                query = select(column).where(column.in_(chunk))
                digests -= set(connection.execute(query).scalars())
                masks -= set(connection.execute(query).scalars())
        activity.add(connection, scope, "forget", subject=name)
    return sorted(digests | masks)


def _chunks(digests: set[str]) -> list[list[str]]:
    ordered = sorted(digests)
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]


def _row(connection: Connection, scope: Scope, name: str) -> Any:
    query = select(datasets).where(datasets.c.tenant == scope.tenant, datasets.c.name == name)
    return connection.execute(query).first()


def _insert_content(
    connection: Connection,
    scope: Scope,
    dataset_id: int,
    content: Sequence[tuple[Sample, Item]],
) -> None:
    query = select(samples.c.sha256).where(samples.c.tenant == scope.tenant)
    known = set(connection.execute(query).scalars())
    fresh = {s.sha256: s for s, _ in content if s.sha256 not in known}
    _insert(
        connection,
        samples,
        [
            {
                "tenant": scope.tenant,
                "sha256": s.sha256,
                "width_px": s.width_px,
                "height_px": s.height_px,
                "mode": s.mode,
                "size_bytes": s.size_bytes,
                "phash": s.phash,
            }
            for s in fresh.values()
        ],
    )
    _insert(
        connection,
        items,
        [
            {
                "tenant": scope.tenant,
                "dataset_id": dataset_id,
                "sha256": item.sha256,
                "path": item.path,
                "labels": list(item.labels),
                "lot": item.lot,
                "split": item.split,
                "mask": item.mask,
                "attributes": item.attributes,
                "near": item.near,
                "origin": item.origin,
            }
            for _, item in content
        ],
    )


def _insert(connection: Connection, table: Any, rows: list[dict[str, Any]]) -> None:
    if rows:
        connection.execute(insert(table), rows)

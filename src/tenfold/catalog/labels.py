"""Labels: what people said of pictures, as events that are never changed and never removed."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Row, func, select
from sqlalchemy.dialects import postgresql, sqlite

from tenfold.catalog import ledger
from tenfold.catalog.ledger import Entry
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import labels
from tenfold.errors import DataError

Box = tuple[float, float, float, float]
LONGEST_S = 4 * 3600.0
"""Nobody looks longer at one picture; a screen that was left open is no work."""


@dataclass(frozen=True, slots=True)
class Label:
    """What one person said of one picture at one time."""

    deployment: str
    sample: str
    label: str
    """A class, several joined by `;`; empty: this person cannot tell."""
    key: str
    """The same label is taken in once."""
    boxes: tuple[Box, ...] = ()
    """Absolute x, y, x, y in pixels of the picture."""
    source: str = "review"
    """`review`, `miss`, or the tool it was imported from."""
    seconds: float = 0.0
    """That the person took."""
    shown: Mapping[str, Any] = field(default_factory=dict[str, Any])
    """What the person saw: the live answer, a heat map, a region."""
    at: datetime | None = None
    """None: now."""
    actor: str = ""
    """Empty: the scope's."""
    id: int = 0
    """0: not in the catalog yet."""


def add(connection: Connection, scope: Scope, label: Label) -> bool:
    """Write a label, and its seconds in the ledger; False: it is there already.

    Raises:
        DataError: the seconds are impossible.
    """
    if not 0 <= label.seconds <= LONGEST_S:
        raise DataError(
            f"a label takes 0 to {LONGEST_S:,.0f} seconds, got {label.seconds!r}.",
            where=f"sample {label.sample[:12]}",
            hint="Count only while somebody looks at it.",
        )
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    now = scope.now()
    row = {
        "tenant": scope.tenant,
        "deployment": label.deployment,
        "sample": label.sample,
        "label": label.label,
        "boxes": [list(box) for box in label.boxes],
        "source": label.source,
        "key": label.key,
        "seconds": label.seconds,
        "shown": dict(label.shown),
        "at": label.at or now,
        "actor": label.actor or scope.actor,
    }
    query = dialect.insert(labels).on_conflict_do_nothing().returning(labels.c.id)
    number = connection.execute(query, row).scalar()
    if number is None:
        return False
    entry = Entry(
        run="labels",
        kind="label",
        subject=f"label {number} of {label.deployment}"[:200],
        labels=1,
        human_s=label.seconds,
        at=now,
    )
    ledger.add(connection, scope, [entry])
    return True


def of_sample(connection: Connection, scope: Scope, deployment: str, sample: str) -> list[Label]:
    """What was said of a picture, oldest first, inside the transaction that adds to it."""
    query = select(labels).where(_of(scope, deployment), labels.c.sample == sample)
    return _labels(connection.execute(query.order_by(labels.c.id)))


def of_deployment(scope: Scope, deployment: str, *, after: int = 0) -> list[Label]:
    """What was said of a deployment's pictures after an id, oldest first."""
    query = select(labels).where(_of(scope, deployment), labels.c.id > after)
    with scope.read() as connection:
        return _labels(connection.execute(query.order_by(labels.c.id)))


def has_said(scope: Scope, deployment: str, sample: str, *, actor: str) -> bool:
    """Whether somebody said something of a picture."""
    query = select(labels.c.id).where(
        _of(scope, deployment), labels.c.sample == sample, labels.c.actor == actor
    )
    with scope.read() as connection:
        return connection.execute(query.limit(1)).first() is not None


def count(scope: Scope, deployment: str) -> int:
    """How often something was said of a deployment's pictures."""
    query = select(func.count()).select_from(labels).where(_of(scope, deployment))
    with scope.read() as connection:
        return connection.execute(query).scalar_one()


def _of(scope: Scope, deployment: str) -> ColumnElement[bool]:
    return (labels.c.tenant == scope.tenant) & (labels.c.deployment == deployment)


def _labels(rows: Iterable[Row[Any]]) -> list[Label]:
    return [
        Label(
            deployment=row.deployment,
            sample=row.sample,
            label=row.label,
            key=row.key,
            boxes=tuple((x0, y0, x1, y1) for x0, y0, x1, y1 in row.boxes),
            source=row.source,
            seconds=row.seconds,
            shown=row.shown,
            at=row.at,
            actor=row.actor,
            id=row.id,
        )
        for row in rows
    ]

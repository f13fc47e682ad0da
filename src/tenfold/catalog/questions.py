"""Questions: what was decided, which samples judged and fitted, and how often anybody looked.

What is spent stays spent: forgetting a dataset or a model leaves these rows (digests only).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import looks, models, questions

SHORT = 16
"""Bytes of a digest that a lineage keeps."""


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and who asked it first."""

    key: str
    fleet: str = ""
    sector: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """One question's lineage so far; samples by their `short` digests."""

    question_id: int
    key: str
    judge: frozenset[bytes]
    fit: frozenset[bytes]
    """Samples that fitted or calibrated."""
    looks: int


def short(sample: str) -> bytes:
    """What a lineage keeps of a sample's digest: 128 bits tell billions apart."""
    return bytes.fromhex(sample[: 2 * SHORT])


def spent(scope: Scope, key: str) -> list[Spent]:
    """All lineages of this tenant that decided `key`."""
    with scope.read() as connection:
        return spent_in(connection, scope, key)


def spent_in(connection: Connection, scope: Scope, key: str) -> list[Spent]:
    """`spent`, inside the transaction that will add to it."""
    taken = select(func.count()).where(looks.c.question_id == questions.c.id).scalar_subquery()
    query = select(questions, taken.label("looks")).where(
        questions.c.tenant == scope.tenant, questions.c.key == key
    )
    return [
        Spent(row.id, key, _apart(row.judge), _apart(row.fit), row.looks)
        for row in connection.execute(query.order_by(questions.c.id))
    ]


def merge(
    connection: Connection,
    scope: Scope,
    asked: Asked,
    *,
    joined: Sequence[Spent],
    judge: frozenset[bytes],
    fit: frozenset[bytes],
) -> int:
    """One question row that holds all of `joined` and knows the roles of `judge` and `fit`."""
    judges = judge.union(*(other.judge for other in joined))
    fits = fit.union(*(other.fit for other in joined)) - judges
    roles = {"judge": _together(judges), "fit": _together(fits)}
    if not joined:
        values = {"tenant": scope.tenant, **asdict(asked), **roles}
        return connection.execute(insert(questions).returning(questions.c.id), values).scalar_one()
    keep = joined[0].question_id
    for other in joined[1:]:
        old = other.question_id
        _take_over_acceptance(connection, keep, old)
        for table in (looks, models):
            connection.execute(
                update(table).where(table.c.question_id == old).values(question_id=keep)
            )
        connection.execute(delete(questions).where(questions.c.id == old))
    if (judges, fits) != (joined[0].judge, joined[0].fit):
        connection.execute(update(questions).where(questions.c.id == keep).values(**roles))
    return keep


def _together(samples: frozenset[bytes]) -> bytes:
    return b"".join(sorted(samples))


def _apart(packed: bytes) -> frozenset[bytes]:
    return frozenset(packed[start : start + SHORT] for start in range(0, len(packed), SHORT))


def _take_over_acceptance(connection: Connection, keep: int, old: int) -> None:
    """Two questions that turn out to be one were first accepted when either was."""
    dates = select(func.min(questions.c.accepted_at)).where(questions.c.id.in_([keep, old]))
    first = connection.execute(dates).scalar()
    if first is not None:
        connection.execute(
            update(questions).where(questions.c.id == keep).values(accepted_at=first)
        )

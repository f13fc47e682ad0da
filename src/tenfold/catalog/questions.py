"""Questions: what was decided, which samples judged and fitted, and how often anybody looked.

What is spent stays spent: forgetting a dataset or a model leaves these rows (digests only).
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import looks, models, questions, roles


@dataclass(frozen=True, slots=True)
class Asked:
    """A question, and who asked it first."""

    key: str
    fleet: str = ""
    sector: str = ""


@dataclass(frozen=True, slots=True)
class Spent:
    """One question's lineage so far."""

    question_id: int
    key: str
    judge: frozenset[str]
    fit: frozenset[str]
    """Samples that fitted or calibrated."""
    looks: int


def spent(scope: Scope, key: str) -> list[Spent]:
    """All lineages of this tenant that decided `key`."""
    with scope.read() as connection:
        return _spent(connection, scope, key)


def spent_in(connection: Connection, scope: Scope, key: str) -> list[Spent]:
    """`spent`, inside the transaction that will add to it."""
    return _spent(connection, scope, key)


def _spent(connection: Connection, scope: Scope, key: str) -> list[Spent]:
    query = select(questions.c.id).where(questions.c.tenant == scope.tenant, questions.c.key == key)
    found: list[Spent] = []
    for question_id in connection.execute(query.order_by(questions.c.id)).scalars().all():
        mine = select(roles.c.sha256, roles.c.judges).where(roles.c.question_id == question_id)
        count = select(func.count()).where(looks.c.question_id == question_id)
        used = connection.execute(mine).all()
        found.append(
            Spent(
                question_id=question_id,
                key=key,
                judge=frozenset(sha for sha, judges in used if judges),
                fit=frozenset(sha for sha, judges in used if not judges),
                looks=connection.execute(count).scalar_one(),
            )
        )
    return found


def merge(
    connection: Connection,
    scope: Scope,
    asked: Asked,
    *,
    joined: Sequence[Spent],
    judge: frozenset[str],
    fit: frozenset[str],
) -> int:
    """One question row that holds all of `joined` and knows the roles of `judge` and `fit`."""
    if joined:
        keep = joined[0].question_id
    else:
        values = {"tenant": scope.tenant, **asdict(asked)}
        keep = connection.execute(insert(questions).returning(questions.c.id), values).scalar_one()
    for other in joined[1:]:
        old = other.question_id
        _take_over_acceptance(connection, keep, old)
        for table in (looks, models):
            connection.execute(
                update(table).where(table.c.question_id == old).values(question_id=keep)
            )
        connection.execute(delete(roles).where(roles.c.question_id == old))
        connection.execute(delete(questions).where(questions.c.id == old))
    known = joined[0].judge | joined[0].fit if joined else frozenset[str]()
    judges = judge.union(*(other.judge for other in joined))
    fits = fit.union(*(other.fit for other in joined)) - judges
    rows = [
        {"question_id": keep, "sha256": sha, "judges": sha in judges}
        for sha in sorted((judges | fits) - known)
    ]
    if rows:
        connection.execute(insert(roles), rows)
    return keep


def _take_over_acceptance(connection: Connection, keep: int, old: int) -> None:
    """Two questions that turn out to be one were first accepted when either was."""
    dates = select(func.min(questions.c.accepted_at)).where(questions.c.id.in_([keep, old]))
    first = connection.execute(dates).scalar()
    if first is not None:
        connection.execute(
            update(questions).where(questions.c.id == keep).values(accepted_at=first)
        )

"""Questions: what was decided, on which judge samples, and how often anybody looked.

What is spent stays spent: forgetting a dataset or a model leaves these rows (digests only).
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import Connection, delete, func, insert, select, update

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import judge_samples, looks, models, questions


@dataclass(frozen=True, slots=True)
class Spent:
    """One question's lineage so far."""

    question_id: int
    key: str
    judge: frozenset[str]
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
        judged = select(judge_samples.c.sha256).where(judge_samples.c.question_id == question_id)
        count = select(func.count()).where(looks.c.question_id == question_id)
        found.append(
            Spent(
                question_id=question_id,
                key=key,
                judge=frozenset(connection.execute(judged).scalars()),
                looks=connection.execute(count).scalar_one(),
            )
        )
    return found


def merge(
    connection: Connection, scope: Scope, key: str, *, joined: Sequence[Spent], judge: set[str]
) -> int:
    """One question row that holds all of `joined` and has `judge` among its judge samples."""
    if joined:
        keep = joined[0].question_id
    else:
        values = {"tenant": scope.tenant, "key": key}
        keep = connection.execute(insert(questions).returning(questions.c.id), values).scalar_one()
    for other in joined[1:]:
        old = other.question_id
        for table in (looks, models):
            connection.execute(
                update(table).where(table.c.question_id == old).values(question_id=keep)
            )
        connection.execute(delete(judge_samples).where(judge_samples.c.question_id == old))
        connection.execute(delete(questions).where(questions.c.id == old))
    known = set(joined[0].judge) if joined else set[str]()
    wanted = judge.union(*(other.judge for other in joined)) - known
    if wanted:
        rows = [{"question_id": keep, "sha256": sha} for sha in sorted(wanted)]
        connection.execute(insert(judge_samples), rows)
    return keep

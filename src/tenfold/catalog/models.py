"""Models: judged heads with their verdicts; and makes: what was asked and which model answers."""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any

from sqlalchemy import delete, insert, or_, select

from tenfold.catalog import questions
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import looks, makes, models
from tenfold.errors import Conflict, NotFound


@dataclass(frozen=True, slots=True)
class PackRef:
    """Where a packed head lies."""

    pack: str
    offset: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    task: str
    kind: str
    dataset: str
    snapshot: str
    rung: str
    status: str
    verdict: dict[str, Any]
    identity: dict[str, Any]
    """What the id is the fingerprint of."""
    head: PackRef
    evidence: str
    """Digest of the evidence CSV."""
    seconds: dict[str, float]
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Look:
    """A judging about to be recorded, with what its number was computed from."""

    key: str
    judge: frozenset[str]
    fit: frozenset[str]
    joined: tuple[int, ...]
    """Question rows the judge samples connect to."""
    number: int


@dataclass(frozen=True, slots=True)
class Make:
    id: str
    task: str
    dataset: str
    snapshot: str
    spec: str
    model_id: str
    rungs: list[dict[str, Any]]
    seconds: dict[str, float]
    created_at: datetime | None = None
    created_by: str = ""


def register(scope: Scope, model: Model, *, look: Look) -> None:
    """Record a model, its verdict and its look in one transaction; twice is once.

    Raises:
        Conflict: somebody else looked meanwhile, so the number of this look is stale.
    """
    with scope.write() as connection:
        same = (models.c.tenant == scope.tenant) & (models.c.id == model.id)
        if connection.execute(select(models.c.id).where(same)).first():
            return
        lineages = questions.spent_in(connection, scope, look.key)
        joined = [s for s in lineages if s.question_id in look.joined]
        if 1 + sum(s.looks for s in joined) != look.number or any(
            s.judge & look.judge for s in lineages if s not in joined
        ):
            raise Conflict(
                f"look {look.number} at this question was taken meanwhile.",
                hint="Run the same command again.",
            )
        question_id = questions.merge(
            connection, scope, look.key, joined=joined, judge=look.judge, fit=look.fit
        )
        stamp = {"tenant": scope.tenant, "created_at": scope.now(), "created_by": scope.actor}
        connection.execute(
            insert(looks),
            {
                "question_id": question_id,
                "number": look.number,
                "model_id": model.id,
                "at": stamp["created_at"],
                "actor": scope.actor,
            },
        )
        plain = {f.name: getattr(model, f.name) for f in fields(model) if f.name != "head"}
        head = {
            "pack": model.head.pack,
            "pack_offset": model.head.offset,
            "pack_length": model.head.length,
            "digest": model.head.digest,
        }
        connection.execute(insert(models), plain | head | stamp | {"question_id": question_id})


def find(scope: Scope, model_id: str) -> Model | None:
    query = select(models).where(models.c.tenant == scope.tenant, models.c.id == model_id)
    with scope.read() as connection:
        row = connection.execute(query).first()
    return _model(row) if row else None


def get(scope: Scope, name: str) -> Model:
    """A model by its id, a unique beginning of it (≥ 6 digits), or its task's name (the newest).

    Raises:
        NotFound: nothing goes by that name.
        Conflict: several ids begin so.
    """
    made = make_of(scope, name)
    if made:
        model = find(scope, made.model_id)
        if model:
            return model
    starts = models.c.id.startswith(name, autoescape=True) if len(name) >= 6 else None
    chosen = models.c.task == name if starts is None else or_(models.c.task == name, starts)
    query = select(models).where(models.c.tenant == scope.tenant, chosen)
    with scope.read() as connection:
        rows = connection.execute(query.order_by(models.c.created_at.desc())).all()
    if not rows:
        raise NotFound(f"no model {name!r}.", hint="`tenfold ls` lists models and datasets.")
    if rows[0].task != name and len(rows) > 1:
        raise Conflict(f"{len(rows)} model ids begin with {name!r}.", hint="Give more digits.")
    return _model(rows[0])


def everything(scope: Scope, *, dataset: str | None = None) -> list[Model]:
    query = select(models).where(models.c.tenant == scope.tenant)
    if dataset is not None:
        query = query.where(models.c.dataset == dataset)
    with scope.read() as connection:
        rows = connection.execute(query.order_by(models.c.task, models.c.created_at)).all()
    return [_model(row) for row in rows]


def drop(scope: Scope, model_ids: Sequence[str]) -> None:
    """Remove models and the makes that chose them; what was spent on judging stays spent."""
    with scope.write() as connection:
        for model_id in model_ids:
            for table, column in ((makes, makes.c.model_id), (models, models.c.id)):
                mine = (table.c.tenant == scope.tenant) & (column == model_id)
                connection.execute(delete(table).where(mine))


def put_make(scope: Scope, make: Make) -> None:
    """Record what a task came to; the same task on the same snapshot replaces its record."""
    with scope.write() as connection:
        same = (makes.c.tenant == scope.tenant) & (makes.c.id == make.id)
        connection.execute(delete(makes).where(same))
        stamp = {"tenant": scope.tenant, "created_at": scope.now(), "created_by": scope.actor}
        values = {f.name: getattr(make, f.name) for f in fields(make)}
        connection.execute(insert(makes), values | stamp)


def find_make(scope: Scope, make_id: str) -> Make | None:
    query = select(makes).where(makes.c.tenant == scope.tenant, makes.c.id == make_id)
    with scope.read() as connection:
        row = connection.execute(query).first()
    return _make(row) if row else None


def make_of(scope: Scope, task: str) -> Make | None:
    """The newest make of that task."""
    query = select(makes).where(makes.c.tenant == scope.tenant, makes.c.task == task)
    with scope.read() as connection:
        row = connection.execute(query.order_by(makes.c.created_at.desc())).first()
    return _make(row) if row else None


def makes_of(scope: Scope, *, dataset: str | None = None) -> list[Make]:
    query = select(makes).where(makes.c.tenant == scope.tenant)
    if dataset is not None:
        query = query.where(makes.c.dataset == dataset)
    with scope.read() as connection:
        return [_make(row) for row in connection.execute(query.order_by(makes.c.task))]


def _make(row: Any) -> Make:
    return Make(**{f.name: getattr(row, f.name) for f in fields(Make)})


def _model(row: Any) -> Model:
    plain = {f.name: getattr(row, f.name) for f in fields(Model) if f.name != "head"}
    return Model(**plain, head=PackRef(row.pack, row.pack_offset, row.pack_length, row.digest))

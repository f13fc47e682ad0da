"""Models: judged heads with their verdicts; and makes: what was asked and which model answers."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import ColumnElement, Connection, Select, delete, func, insert, select, update

from tenfold.catalog import questions
from tenfold.catalog.questions import Spent
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import looks, makes, models
from tenfold.catalog.tables import questions as asked
from tenfold.errors import Conflict, NotFound

CHUNK = 500


@dataclass(frozen=True, slots=True)
class Stretch:
    """Bytes within a pack."""

    offset: int
    length: int
    digest: str


@dataclass(frozen=True, slots=True)
class Model:
    id: str
    task: str
    fleet: str
    sector: str
    kind: str
    dataset: str
    snapshot: str
    make_id: str
    """The make that made it first."""
    rung: str
    estimate: float | None
    """What it promised on fit and calibrate alone."""
    status: str
    verdict: dict[str, Any]
    identity: dict[str, Any]
    """What the id is the fingerprint of."""
    pack: str
    """Blob that holds its bytes among others'."""
    head: Stretch
    evidence: Stretch
    roster: str
    """Blob that says who the evidence is about."""
    seconds: dict[str, float]
    question_id: int = 0
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Make:
    id: str
    task: str
    fleet: str
    dataset: str
    snapshot: str
    spec: str
    model_id: str
    rungs: list[dict[str, Any]]
    seconds: dict[str, float]
    created_at: datetime | None = None
    created_by: str = ""


@dataclass(frozen=True, slots=True)
class Judging:
    """Models of one question, in the order of their looks, about to be recorded together."""

    key: str
    """What is decided."""
    samples: frozenset[bytes]
    """Everyone who can answer, by `questions.short`; lineages that used one of them are joined."""
    first_look: int
    """What the looks' numbers were counted from."""
    judge: frozenset[bytes]
    fit: frozenset[bytes]
    """Samples that fitted or calibrated any of the models."""
    models: tuple[Model, ...]


@dataclass(frozen=True, slots=True)
class Family:
    """A model's lineage: what it decides, who decided it before, and what it came from."""

    model: Model
    looks: int
    """Looks at the question, by all models."""
    related: int
    """Other models of the question."""
    makes: tuple[Make, ...]
    """Tasks that this model answers."""
    relatives: tuple[tuple[str, str, str], ...]
    """(id, task, status) of the newest of them."""


MOST_RELATIVES = 50


def register(connection: Connection, scope: Scope, judging: Judging) -> None:
    """Record models, verdicts and looks inside the transaction that also holds their makes.

    Raises:
        Conflict: somebody else looked meanwhile, or a sample would both fit and judge.
    """
    spent = questions.spent_in(connection, scope, judging.key)
    joined = [one for one in spent if judging.samples & (one.judge | one.fit)]
    _check_nothing_changed(judging, joined)
    first = judging.models[0]
    question_id = questions.merge(
        connection,
        scope,
        questions.Asked(judging.key, first.fleet, first.sector),
        joined=joined,
        judge=judging.judge,
        fit=judging.fit,
    )
    now = _moment(connection, scope)
    numbered = enumerate(judging.models, judging.first_look)
    connection.execute(
        insert(looks),
        [
            {
                "question_id": question_id,
                "number": number,
                "model_id": model.id,
                "at": now,
                "actor": scope.actor,
            }
            for number, model in numbered
        ],
    )
    stamp = {
        "tenant": scope.tenant,
        "created_at": now,
        "created_by": scope.actor,
        "question_id": question_id,
    }
    connection.execute(insert(models), [_row(model) | stamp for model in judging.models])
    if any(model.status == "accepted" for model in judging.models):
        first_time = (asked.c.id == question_id) & asked.c.accepted_at.is_(None)
        connection.execute(update(asked).where(first_time).values(accepted_at=now))


def put_makes(connection: Connection, scope: Scope, made: Sequence[Make]) -> None:
    """Record what tasks came to; the same task on the same snapshot replaces its record."""
    if not made:
        return
    same = (makes.c.tenant == scope.tenant) & makes.c.id.in_([one.id for one in made])
    connection.execute(delete(makes).where(same))
    now = _moment(connection, scope)
    stamp = {"tenant": scope.tenant, "created_at": now, "created_by": scope.actor}
    rows = [{f.name: getattr(one, f.name) for f in fields(one)} | stamp for one in made]
    connection.execute(insert(makes), rows)


def find(scope: Scope, model_id: str) -> Model | None:
    return find_all(scope, [model_id]).get(model_id)


def find_all(scope: Scope, model_ids: Iterable[str]) -> dict[str, Model]:
    """Those of the models that exist, by id."""
    found: dict[str, Model] = {}
    with scope.read() as connection:
        for chunk in _chunks(model_ids):
            query = _mine(scope).where(models.c.id.in_(chunk))
            found |= {row.id: _model(row) for row in connection.execute(query)}
    return found


def get(scope: Scope, name: str) -> Model:
    """A model by its id, a unique beginning of it (≥ 6 digits), or its task's name (the newest).

    Raises:
        NotFound: nothing goes by that name.
        Conflict: several ids begin so.
    """
    made = make_of(scope, name)
    model = find(scope, made.model_id) if made else None
    if model:
        return model
    newest = _mine(scope).where(models.c.task == name).order_by(models.c.created_at.desc()).limit(1)
    with scope.read() as connection:
        row = connection.execute(newest).first()
        if row is not None:
            return _model(row)
        begun = (models.c.id >= name) & (models.c.id < name + "g")  # ids are hexadecimal
        rows = connection.execute(_mine(scope).where(begun).limit(2)).all() if len(name) > 5 else []
    if not rows:
        raise NotFound(f"no model {name!r}.", hint="`tenfold ls` lists models and datasets.")
    if len(rows) > 1:
        raise Conflict(f"several model ids begin with {name!r}.", hint="Give more digits.")
    return _model(rows[0])


@dataclass(frozen=True, slots=True)
class Search:
    """What to look for; what is empty matches everything."""

    text: str = ""
    """Part of the task's name."""
    dataset: str = ""
    fleet: str = ""
    kind: str = ""
    status: str = ""
    limit: int = 50
    """0: all."""
    after: str = ""
    """Id of the model to go on behind."""


def search(scope: Scope, sought: Search) -> list[Model]:
    """Models in the order of their tasks' names, those of one task from the newest on."""
    chosen = _sought(scope, sought, models.c.id)
    last = find(scope, sought.after) if sought.after else None
    chosen = chosen.where(_behind(last)) if last else chosen
    chosen = chosen.order_by(models.c.task, models.c.created_at.desc(), models.c.id)
    chosen = chosen.limit(sought.limit) if sought.limit else chosen
    with scope.read() as connection:
        ids = connection.execute(chosen).scalars().all()
    found = find_all(scope, ids)  # in two steps: in one, SQLite would walk through all models
    return [found[one] for one in ids if one in found]


def count(scope: Scope, sought: Search | None = None) -> dict[str, int]:
    """Models by status; with `sought`, of those that it matches whatever their status."""
    asked = replace(sought, status="") if sought else Search()
    query = _sought(scope, asked, models.c.status, func.count().label("number"))
    with scope.read() as connection:
        rows = connection.execute(query.group_by(models.c.status))
        return {row.status: row.number for row in rows}


def values_of(scope: Scope, name: Literal["dataset", "fleet"], *, most: int) -> list[str]:
    """Datasets or fleets that models have, in order, `most` at most."""
    column = models.c[name]
    query = select(column).where(models.c.tenant == scope.tenant, column != "").distinct()
    with scope.read() as connection:
        return list(connection.execute(query.order_by(column).limit(most)).scalars())


def latest_accepted(scope: Scope, question_id: int) -> Model | None:
    """The newest accepted model that answers a question."""
    query = _mine(scope).where(models.c.question_id == question_id, models.c.status == "accepted")
    with scope.read() as connection:
        row = connection.execute(query.order_by(models.c.created_at.desc()).limit(1)).first()
    return _model(row) if row else None


def lineage_of(scope: Scope, model_id: str) -> Family:
    """Where a model comes from and whom it is related to.

    Raises:
        NotFound: there is no such model.
    """
    model = find(scope, model_id)
    if model is None:
        raise NotFound(f"no model {model_id[:12]}….", hint="`tenfold ls` lists models.")
    related = models.c.question_id == model.question_id
    others = select(models.c.id, models.c.task, models.c.status).where(
        related, models.c.tenant == scope.tenant, models.c.id != model_id
    )
    answered = select(makes).where(makes.c.tenant == scope.tenant, makes.c.model_id == model_id)
    taken = select(func.count()).where(looks.c.question_id == model.question_id)
    siblings = select(func.count()).where(related, models.c.tenant == scope.tenant)
    with scope.read() as connection:
        newest = others.order_by(models.c.created_at.desc()).limit(MOST_RELATIVES)
        return Family(
            model=model,
            looks=connection.execute(taken).scalar_one(),
            related=connection.execute(siblings).scalar_one() - 1,
            makes=tuple(_make(row) for row in connection.execute(answered)),
            relatives=tuple((r.id, r.task, r.status) for r in connection.execute(newest)),
        )


def everything(scope: Scope, *, dataset: str | None = None) -> list[Model]:
    query = _mine(scope)
    if dataset is not None:
        query = query.where(models.c.dataset == dataset)
    with scope.read() as connection:
        rows = connection.execute(query.order_by(models.c.task, models.c.created_at)).all()
    return [_model(row) for row in rows]


def drop(scope: Scope, model_ids: Sequence[str]) -> list[str]:
    """Remove models and the makes that chose them; what was spent on judging stays spent.

    Returns the blobs (packs, rosters) that no model needs any more.
    """
    needed = (models.c.pack, models.c.roster)
    with scope.write() as connection:
        touched: set[str] = set()
        for chunk in _chunks(model_ids):
            mine = (models.c.tenant == scope.tenant) & models.c.id.in_(chunk)
            for row in connection.execute(select(*needed).where(mine)):
                touched |= set(row)
            chosen = (makes.c.tenant == scope.tenant) & makes.c.model_id.in_(chunk)
            connection.execute(delete(makes).where(chosen))
            connection.execute(delete(models).where(mine))
        for chunk in _chunks(sorted(touched)):  # another tenant may hold the same bytes
            for column in needed:
                touched -= set(
                    connection.execute(select(column).where(column.in_(chunk))).scalars()
                )
    return sorted(touched)


def find_make(scope: Scope, make_id: str) -> Make | None:
    return find_makes(scope, [make_id]).get(make_id)


def find_makes(scope: Scope, make_ids: Iterable[str]) -> dict[str, Make]:
    """Those of the makes that exist, by id."""
    found: dict[str, Make] = {}
    with scope.read() as connection:
        for chunk in _chunks(make_ids):
            query = select(makes).where(makes.c.tenant == scope.tenant, makes.c.id.in_(chunk))
            found |= {row.id: _make(row) for row in connection.execute(query)}
    return found


def make_of(scope: Scope, task: str) -> Make | None:
    """The newest make of that task."""
    query = select(makes).where(makes.c.tenant == scope.tenant, makes.c.task == task)
    with scope.read() as connection:
        row = connection.execute(query.order_by(makes.c.created_at.desc()).limit(1)).first()
    return _make(row) if row else None


def makes_of(scope: Scope, *, dataset: str | None = None) -> list[Make]:
    query = select(makes).where(makes.c.tenant == scope.tenant)
    if dataset is not None:
        query = query.where(makes.c.dataset == dataset)
    with scope.read() as connection:
        return [_make(row) for row in connection.execute(query.order_by(makes.c.task))]


def _moment(connection: Connection, scope: Scope) -> datetime:
    """Now, or when the newest model was recorded if the clock says that this is yet to come: what
    is recorded later is never taken for older."""
    newest = connection.execute(select(func.max(models.c.created_at))).scalar()
    return scope.now() if newest is None else max(scope.now(), newest)


def _check_nothing_changed(judging: Judging, joined: Sequence[Spent]) -> None:
    taken = sum(one.looks for one in joined)
    fitted = frozenset[bytes]().union(*(one.fit for one in joined))
    judged = frozenset[bytes]().union(*(one.judge for one in joined))
    if 1 + taken != judging.first_look:
        raise Conflict(
            f"look {judging.first_look} at this question was taken meanwhile.",
            where=f"task {judging.models[0].task}",
            hint="Run the same command again.",
        )
    if (judging.judge & fitted) - judged or judging.fit & judged:
        raise Conflict(
            "a sample that fitted would judge, or one that judged would fit.",
            where=f"task {judging.models[0].task}",
            hint="Run the same command again.",
        )


def _sought(scope: Scope, sought: Search, *columns: ColumnElement[Any]) -> Select[Any]:
    """The models that are looked for, on every page."""
    chosen = select(*columns).where(models.c.tenant == scope.tenant)
    for name in ("dataset", "fleet", "kind", "status"):
        wanted = getattr(sought, name)
        chosen = chosen.where(models.c[name] == wanted) if wanted else chosen
    if sought.text:
        chosen = chosen.where(models.c.task.icontains(sought.text, autoescape=True))
    return chosen


def _behind(last: Model) -> ColumnElement[bool]:
    """Models that come after `last` in a search."""
    task, made, one = models.c.task, models.c.created_at, models.c.id
    older = (made < last.created_at) | ((made == last.created_at) & (one > last.id))
    return (task > last.task) | ((task == last.task) & older)


def _mine(scope: Scope) -> Select[Any]:
    return select(models).where(models.c.tenant == scope.tenant)


def _chunks(ids: Iterable[str]) -> list[list[str]]:
    ordered = list(dict.fromkeys(ids))
    return [ordered[start : start + CHUNK] for start in range(0, len(ordered), CHUNK)]


def _row(model: Model) -> dict[str, Any]:
    plain = {f.name: getattr(model, f.name) for f in fields(model)}
    for part in ("head", "evidence"):
        stretch = plain.pop(part)
        plain |= {f"{part}_{f.name}": getattr(stretch, f.name) for f in fields(stretch)}
    return plain


def _model(row: Any) -> Model:
    plain: dict[str, Any] = {f.name: getattr(row, f.name, None) for f in fields(Model)}
    for part in ("head", "evidence"):
        names = {f.name: getattr(row, f"{part}_{f.name}") for f in fields(Stretch)}
        plain[part] = Stretch(**names)
    return Model(**plain)


def _make(row: Any) -> Make:
    return Make(**{f.name: getattr(row, f.name) for f in fields(Make)})

"""Deployments: packages at work under a name, and every change that brought them there.

All changes of one call are one generation of the tenant: whoever serves sees all of them or none.
"""

import re
import secrets
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, fields, replace
from datetime import datetime
from typing import Any, Literal

from sqlalchemy import Connection, func, insert, or_, select, union
from sqlalchemy.dialects import postgresql, sqlite

from tenfold.catalog import activity
from tenfold.catalog.models import Stretch
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import deployments, models, transitions
from tenfold.errors import Conflict, NotFound, SpecError

Action = Literal["deploy", "shadow", "canary", "promote", "rollback", "retire", "keep"]
State = Literal["live", "retired"]
CHUNK = 500
ROLES = ("live", "shadow", "canary")
"""Of models that may be asked."""
MOST_LOGGED = 20
"""Changes of one call that are a row each in the activity log; of more there is one row."""
NAME = re.compile(r"\w[\w.-]*(/\w[\w.-]*)*")
MOST_LETTERS = 200
TAKEN = {"versions", "infer", "ready", "load", "unload"}
"""Words of the serving protocol's paths."""


@dataclass(frozen=True, slots=True)
class Deployment:
    name: str
    state: State
    live: str
    """Model that answers."""
    before: str = ""
    """Model that answered before, to roll back to; empty: none, as below."""
    shadow: str = ""
    """Model that is asked too, and whose answers nobody gets."""
    canary: str = ""
    """Model that answers a share of the requests."""
    canary_share: float = 0.0
    salt: str = ""
    """Which requests go to the canary follows from it and the route key."""
    keep_days: int = 0
    """How long pictures that were asked about are kept; 0: they are not."""
    generation: int = 0
    """When it changed last."""

    @property
    def models(self) -> tuple[str, ...]:
        """All that may be asked."""
        return tuple(filter(None, (self.live, self.shadow, self.canary)))


@dataclass(frozen=True, slots=True)
class Change:
    name: str
    action: Action
    model: str = ""
    why: str = ""
    share: float = 0.0
    """Of a canary, in (0, 1)."""
    keep_days: int = 0
    """Of `keep`."""


@dataclass(frozen=True, slots=True)
class Transition:
    name: str
    generation: int
    action: str
    model: str
    before: str
    why: str
    at: datetime
    actor: str


@dataclass(frozen=True, slots=True)
class HeadRef:
    """Where a model's head lies."""

    model: str
    kind: str
    rung: str
    task: str
    dataset: str
    fleet: str
    sector: str
    pack: str
    stretch: Stretch


def stepped(now: Deployment | None, change: Change) -> Deployment:
    """The deployment after a change.

    Raises:
        NotFound: the change needs a deployment, and there is none.
        Conflict: there is nothing to promote or to roll back to.
        SpecError: a share is none.
    """
    if change.action == "deploy":
        _check_name(change.name)
        if now is None:
            return Deployment(change.name, "live", change.model, salt=secrets.token_hex(8))
        before = now.live if now.live != change.model else now.before
        return replace(now, state="live", live=change.model, before=before, **_NO_TRIAL)
    if now is None or now.state == "retired":
        raise NotFound(
            f"nothing is deployed as {change.name!r}.", hint="`tenfold deployments` lists them."
        )
    if change.action == "shadow":
        return replace(now, shadow=change.model)
    if change.action == "canary":
        if not 0 < change.share < 1:
            raise SpecError(f"a canary's share lies in (0, 1), got {change.share!r}.")
        shadow = now.shadow if now.shadow != change.model else ""  # it need not be asked twice
        return replace(now, canary=change.model, canary_share=change.share, shadow=shadow)
    if change.action == "promote":
        return _promoted(now)
    if change.action == "rollback":
        return _rolled_back(now)
    if change.action == "keep":
        return replace(now, keep_days=change.keep_days)
    return replace(now, state="retired", **_NO_TRIAL)


def is_name(name: str) -> bool:
    """Whether a deployment can be called so."""
    is_long = len(name) > MOST_LETTERS
    return not is_long and bool(NAME.fullmatch(name)) and not TAKEN & set(name.split("/"))


def _check_name(name: str) -> None:
    if not is_name(name):
        raise SpecError(
            f"a deployment is named by letters, digits, `.`, `_` and `-`, in parts between `/`, "
            f"none of them {', '.join(sorted(TAKEN))}; got {name!r}.",
            hint="Such as station-7/cap.",
        )


_NO_TRIAL: dict[str, Any] = {"shadow": "", "canary": "", "canary_share": 0.0}


def _promoted(now: Deployment) -> Deployment:
    chosen = now.canary or now.shadow
    if not chosen:
        raise Conflict(
            f"{now.name!r} has neither a canary nor a shadow to promote.",
            hint="`tenfold deploy NAME MODEL --shadow` sets one.",
        )
    return replace(now, live=chosen, before=now.live, **_NO_TRIAL)


def _rolled_back(now: Deployment) -> Deployment:
    """A trial ends; without one the model before is live again."""
    if now.canary or now.shadow:
        return replace(now, **_NO_TRIAL)
    if not now.before:
        raise Conflict(
            f"{now.name!r} has no package before to roll back to.",
            hint="`tenfold deploy NAME MODEL` puts another one in its place.",
        )
    return replace(now, live=now.before, before=now.live)


def change(scope: Scope, changes: Sequence[Change]) -> int:
    """Make all changes, in order, as one generation; returns its number.

    Raises:
        NotFound: a model or deployment is not there.
        Conflict: see `stepped`.
    """
    if not changes:
        raise SpecError("nothing is to be changed.")
    with scope.write() as connection:
        _check_models(connection, scope, {one.model for one in changes if one.model})
        names = {one.name for one in changes}
        now = {one.name: one for one in _some(connection, scope, sorted(names))}
        generation = _newest(connection, scope) + 1
        history: list[dict[str, Any]] = []
        for one in changes:
            before = now.get(one.name)
            after = replace(stepped(before, one), generation=generation)
            now[one.name] = after
            history.append(_moved(scope, one, before, after))
        _put(connection, scope, [now[name] for name in sorted(names)])
        connection.execute(insert(transitions), history)
        _log(connection, scope, history)
    return generation


def get(scope: Scope, name: str) -> Deployment:
    """The deployment of that name, retired ones too.

    Raises:
        NotFound: there is none.
    """
    with scope.read() as connection:
        found = _some(connection, scope, [name])
    if not found:
        raise NotFound(
            f"nothing is deployed as {name!r}.", hint="`tenfold deployments` lists them."
        )
    return found[0]


def changed(scope: Scope, *, after: int = 0) -> list[Deployment]:
    """Those that changed after a generation, by name; 0: all there are."""
    with scope.read() as connection:
        return _changed(connection, scope, after)


def news(scope: Scope, *, after: int) -> tuple[list[Deployment], list[HeadRef]]:
    """What changed after a generation, and where the heads lie that it needs; of one moment."""
    with scope.read() as connection:
        if _newest(connection, scope) <= after:
            return [], []
        return _changed(connection, scope, after), _heads(connection, scope, after)


def newest(scope: Scope) -> int:
    """The generation that all deployments are at; 0: nothing was ever deployed."""
    with scope.read() as connection:
        return _newest(connection, scope)


def heads(scope: Scope, *, after: int = 0) -> list[HeadRef]:
    """Where the heads lie of all deployments that changed after a generation."""
    with scope.read() as connection:
        return _heads(connection, scope, after)


def _changed(connection: Connection, scope: Scope, after: int) -> list[Deployment]:
    query = select(deployments).where(
        deployments.c.tenant == scope.tenant, deployments.c.generation > after
    )
    return [_deployment(row) for row in connection.execute(query.order_by(deployments.c.name))]


def _heads(connection: Connection, scope: Scope, after: int) -> list[HeadRef]:
    mine = (deployments.c.tenant == scope.tenant) & (deployments.c.generation > after)
    roles = (deployments.c[role].label("id") for role in ROLES)
    asked = union(*(select(role).where(mine) for role in roles)).subquery()
    query = _HEADS.join(asked, asked.c.id == models.c.id).where(models.c.tenant == scope.tenant)
    return [_head(row) for row in connection.execute(query)]


def heads_of(scope: Scope, model_ids: Iterable[str]) -> list[HeadRef]:
    """Where the heads of some models lie; those that are gone are left out."""
    ordered, found = sorted(set(model_ids)), list[HeadRef]()
    with scope.read() as connection:
        for start in range(0, len(ordered), CHUNK):
            some = models.c.id.in_(ordered[start : start + CHUNK])
            query = _HEADS.where(models.c.tenant == scope.tenant, some)
            found += [_head(row) for row in connection.execute(query)]
    return found


_HEADS = select(
    *(
        models.c[name]
        for name in ("id", "kind", "rung", "task", "dataset", "fleet", "sector", "pack")
    ),
    *(models.c[name] for name in ("head_offset", "head_length", "head_digest")),
)


def history(scope: Scope, name: str) -> list[Transition]:
    """Every change of a deployment, oldest first."""
    query = select(transitions).where(
        transitions.c.tenant == scope.tenant, transitions.c.name == name
    )
    with scope.read() as connection:
        rows = connection.execute(query.order_by(transitions.c.id)).all()
    return [
        Transition(**{f.name: getattr(row, f.name) for f in fields(Transition)}) for row in rows
    ]


def using(scope: Scope, model_ids: Iterable[str]) -> list[str]:
    """Names of deployments that one of the models works in."""
    ordered, found = sorted(set(model_ids)), set[str]()
    mine = (deployments.c.tenant == scope.tenant) & (deployments.c.state == "live")
    with scope.read() as connection:
        for start in range(0, len(ordered), CHUNK):
            some = ordered[start : start + CHUNK]
            works = or_(*(deployments.c[role].in_(some) for role in (*ROLES, "before")))
            found |= set(
                connection.execute(select(deployments.c.name).where(mine, works)).scalars()
            )
    return sorted(found)


def _check_models(connection: Connection, scope: Scope, ids: set[str]) -> None:
    ordered = sorted(ids)
    for start in range(0, len(ordered), CHUNK):
        some = ordered[start : start + CHUNK]
        query = select(models.c.id).where(models.c.tenant == scope.tenant, models.c.id.in_(some))
        ids = ids - set(connection.execute(query).scalars())
    if ids:
        raise NotFound(f"no model {min(ids)[:12]}….", hint="`tenfold ls` lists models.")


def _some(connection: Connection, scope: Scope, names: Sequence[str]) -> list[Deployment]:
    found: list[Deployment] = []
    for start in range(0, len(names), CHUNK):
        some = names[start : start + CHUNK]
        query = select(deployments).where(
            deployments.c.tenant == scope.tenant, deployments.c.name.in_(some)
        )
        found += [_deployment(row) for row in connection.execute(query)]
    return found


def _newest(connection: Connection, scope: Scope) -> int:
    query = select(func.max(deployments.c.generation)).where(deployments.c.tenant == scope.tenant)
    return connection.execute(query).scalar() or 0


def _put(connection: Connection, scope: Scope, rows: Sequence[Deployment]) -> None:
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    query = dialect.insert(deployments)
    names = [f.name for f in fields(Deployment) if f.name != "name"]
    query = query.on_conflict_do_update(
        index_elements=["tenant", "name"], set_={name: query.excluded[name] for name in names}
    )
    connection.execute(
        query,
        [
            {f.name: getattr(row, f.name) for f in fields(row)} | {"tenant": scope.tenant}
            for row in rows
        ],
    )


def _moved(
    scope: Scope, one: Change, before: Deployment | None, after: Deployment
) -> dict[str, Any]:
    return {
        "tenant": scope.tenant,
        "name": one.name,
        "generation": after.generation,
        "action": one.action,
        "model": one.model or after.live,
        "before": before.live if before else "",
        "why": one.why,
        "at": scope.now(),
        "actor": scope.actor,
    }


def _log(connection: Connection, scope: Scope, history: Sequence[dict[str, Any]]) -> None:
    """Of a fleet one row: `transitions` has them all, by the generation."""
    if len(history) > MOST_LOGGED:
        actions = sorted({one["action"] for one in history})
        shared = {name: history[0][name] for name in ("why", "generation")}
        detail = {"actions": actions, "changes": len(history), **shared}
        subject = f"{len(history):,} deployments"
        activity.add(connection, scope, "change-many", subject=subject, detail=detail)
        return
    for one in history:
        detail = {name: one[name] for name in ("model", "before", "why", "generation")}
        activity.add(connection, scope, one["action"], subject=one["name"], detail=detail)


def _head(row: Any) -> HeadRef:
    return HeadRef(
        model=row.id,
        kind=row.kind,
        rung=row.rung,
        task=row.task,
        dataset=row.dataset,
        fleet=row.fleet,
        sector=row.sector,
        pack=row.pack,
        stretch=Stretch(row.head_offset, row.head_length, row.head_digest),
    )


def _deployment(row: Any) -> Deployment:
    return Deployment(**{f.name: getattr(row, f.name) for f in fields(Deployment)})

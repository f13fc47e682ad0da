"""The review queue: answers that somebody should look at, and why each was picked."""

import hashlib
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, field, fields
from datetime import datetime
from typing import Any, Literal, get_args

from sqlalchemy import ColumnElement, Connection, Row, exists, func, select, update
from sqlalchemy.dialects import postgresql, sqlite

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import labels, picks

Reason = Literal[
    "audit", "doubt", "novelty", "disagreement", "drift", "miss", "overruled", "suspect"
]
REASONS: tuple[Reason, ...] = get_args(Reason)
CHUNK = 500
_other = picks.alias("other")
"""The same table, where a pick is held against the others of its picture."""


@dataclass(frozen=True, slots=True)
class Pick:
    """One answer to look at; (deployment, sample, reason) is its identity."""

    deployment: str
    sample: str
    reason: Reason
    stratum: str = ""
    """Of an audit: what had been said, see `loop.review.stratum_of`; else empty."""
    probability: float = 0.0
    """With which an audit was drawn; else 0."""
    answer: str = ""
    """Id of the answer; empty: none."""
    model: str = ""
    said: str = ""
    """The decision."""
    score: float = 0.0
    worth: float = 0.0
    """The higher, the sooner it is shown."""
    detail: dict[str, Any] = field(default_factory=dict[str, Any])
    answered_at: datetime | None = None
    """None: now, as `picked_at`."""
    picked_at: datetime | None = None
    truth: str | None = None
    """What people agreed on, empty where nobody can tell; None: open."""
    settled_at: datetime | None = None
    id: int = 0
    """0: not in the catalog yet."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Pictures of a deployment's queue; one that was picked twice counts once."""

    open: int = 0
    settled: int = 0
    """People agreed on what they show."""
    misses: int = 0
    """Of the settled: reported misses."""
    picked: dict[str, int] = field(default_factory=dict[str, int])
    """Picks by reason, open and settled."""


def put(connection: Connection, scope: Scope, some: Iterable[Pick]) -> int:
    """Put answers in the queue; what is there already stays as it is. Returns how many are new.

    A picture on which people agreed before is not put before them again: it is settled as it was.
    """
    dialect = sqlite if connection.dialect.name == "sqlite" else postgresql
    now = scope.now()
    some = list(some)
    known = _known(connection, scope, some)
    rows: list[dict[str, Any]] = []
    for one in some:
        plain = asdict(one) | {"tenant": scope.tenant}
        plain |= {name: plain[name] or now for name in ("answered_at", "picked_at")}
        truth = known.get((one.deployment, one.sample))
        if truth is not None:
            plain |= {"truth": truth, "settled_at": now}
        del plain["id"]
        rows.append(plain)
    if not rows:
        return 0
    query = dialect.insert(picks).on_conflict_do_nothing().returning(picks.c.id)
    return len(connection.execute(query, rows).all())


def open_picks(scope: Scope, deployment: str, *, limit: int = 0, unseen_by: str = "") -> list[Pick]:
    """What waits for people, a picture each, those most worth it first; 0: all.

    Of a picture that was picked for several reasons the worthiest stands for all. Audits come in
    their own order among the others, as many to so many as wait: by its place nobody can tell which
    is one, and none is put off for ever. With `unseen_by`, only what that person said nothing of.
    """
    is_chosen, is_drawn = _chosen_and_drawn(scope, deployment, unseen_by)
    number = select(func.count(picks.c.sample.distinct()))
    chosen = select(picks).where(is_chosen).order_by(picks.c.worth.desc(), picks.c.id)
    drawn = select(picks).where(is_drawn).order_by(picks.c.id)
    if limit:
        chosen, drawn = chosen.limit(limit * len(REASONS)), drawn.limit(limit)
    worthiest: dict[str, Pick] = {}
    with scope.read() as connection:
        of_chosen = connection.execute(number.where(is_chosen)).scalar_one()
        of_drawn = connection.execute(number.where(is_drawn)).scalar_one()
        for row in connection.execute(chosen):
            worthiest.setdefault(row.sample, _pick(row))
        audits = [_pick(row) for row in connection.execute(drawn)]
    return _mixed(list(worthiest.values()), audits, (of_chosen, of_drawn))[: limit or None]


def _chosen_and_drawn(
    scope: Scope, deployment: str, unseen_by: str
) -> tuple[ColumnElement[bool], ColumnElement[bool]]:
    """Which picks are open and chosen; which are open audits, of pictures not chosen besides."""
    is_open = _of(scope, deployment) & picks.c.settled_at.is_(None)
    if unseen_by:
        said = (labels.c.tenant == scope.tenant) & (labels.c.deployment == deployment)
        seen = select(labels.c.sample).where(said, labels.c.actor == unseen_by)
        is_open &= picks.c.sample.not_in(seen)
    chosen = select(_other.c.sample).where(
        _other.c.tenant == scope.tenant,
        _other.c.deployment == deployment,
        _other.c.settled_at.is_(None),
        _other.c.reason != "audit",
    )
    is_audit = picks.c.reason == "audit"
    return is_open & ~is_audit, is_open & is_audit & picks.c.sample.not_in(chosen)


def _mixed(chosen: list[Pick], audits: list[Pick], counts: tuple[int, int]) -> list[Pick]:
    """Both in their order; which comes next is drawn by the lot that the two next have, so that
    the same queue looks the same whenever and however far one looks."""
    of_chosen, of_audits = counts
    found: list[Pick] = []
    i = j = 0
    while i < len(chosen) and j < len(audits):
        lot = hashlib.sha256((chosen[i].sample + audits[j].sample).encode()).digest()
        left = of_chosen - i, of_audits - j
        if int.from_bytes(lot[:4]) * sum(left) < left[1] * 2**32:
            found.append(audits[j])
            j += 1
        else:
            found.append(chosen[i])
            i += 1
    return [*found, *chosen[i:], *audits[j:]]


def of_sample(scope: Scope, deployment: str, sample: str) -> list[Pick]:
    """Why a picture was picked, the worthiest reason first."""
    query = select(picks).where(_of(scope, deployment), picks.c.sample == sample)
    with scope.read() as connection:
        return [_pick(row) for row in connection.execute(query.order_by(picks.c.worth.desc()))]


def beginning(scope: Scope, deployment: str, begin: str) -> list[str]:
    """Pictures of a deployment's queue, open or not, whose digest begins so."""
    query = select(picks.c.sample).where(
        _of(scope, deployment), picks.c.sample.startswith(begin, autoescape=True)
    )
    with scope.read() as connection:
        return list(connection.execute(query.distinct().order_by(picks.c.sample)).scalars())


def settled(scope: Scope, deployment: str) -> list[Pick]:
    """Picks on which people agreed, in the order of their picking."""
    query = select(picks).where(_of(scope, deployment), picks.c.settled_at.is_not(None))
    with scope.read() as connection:
        return [_pick(row) for row in connection.execute(query.order_by(picks.c.id))]


def audits(scope: Scope, deployment: str, model: str) -> list[Pick]:
    """Every audit of a model's answers, open ones too, in the order in which they were drawn."""
    query = select(picks).where(
        _of(scope, deployment), picks.c.reason == "audit", picks.c.model == model
    )
    with scope.read() as connection:
        return [_pick(row) for row in connection.execute(query.order_by(picks.c.id))]


def truths(scope: Scope, deployment: str, samples: Sequence[str]) -> dict[str, str]:
    """What people agreed on, of those of the pictures on which they did."""
    with scope.read() as connection:
        return _truths(connection, scope, deployment, samples)


def _truths(
    connection: Connection, scope: Scope, deployment: str, samples: Sequence[str]
) -> dict[str, str]:
    found: dict[str, str] = {}
    for start in range(0, len(samples), CHUNK):
        some = picks.c.sample.in_(samples[start : start + CHUNK])
        query = select(picks.c.sample, picks.c.truth).where(
            _of(scope, deployment), some, picks.c.settled_at.is_not(None)
        )
        found |= {row.sample: row.truth for row in connection.execute(query)}
    return found


def _known(
    connection: Connection, scope: Scope, some: Sequence[Pick]
) -> dict[tuple[str, str], str]:
    """What people agreed on already, by deployment and sample."""
    found: dict[tuple[str, str], str] = {}
    for name in sorted({one.deployment for one in some}):
        samples = [one.sample for one in some if one.deployment == name]
        there = _truths(connection, scope, name, samples)
        found |= {(name, sample): truth for sample, truth in there.items()}
    return found


def settle(
    connection: Connection, scope: Scope, deployment: str, sample: str, truth: str | None
) -> None:
    """What people agree on about a picture, for every reason it was picked for; None: they agree no
    longer, and it is open again."""
    when = None if truth is None else scope.now()
    query = update(picks).where(_of(scope, deployment), picks.c.sample == sample)
    connection.execute(query.values(truth=truth, settled_at=when))


def newest(scope: Scope, deployment: str, *, limit: int) -> list[Pick]:
    """The last picks of a deployment, open and settled, oldest first."""
    query = select(picks).where(_of(scope, deployment)).order_by(picks.c.id.desc()).limit(limit)
    with scope.read() as connection:
        return [_pick(row) for row in connection.execute(query)][::-1]


def counts(scope: Scope, deployment: str) -> Counts:
    """How much waits and how much is known."""
    by_reason = (
        select(picks.c.reason, func.count().label("n"))
        .where(_of(scope, deployment))
        .group_by(picks.c.reason)
    )
    samples = func.count(picks.c.sample.distinct())
    mine = _of(scope, deployment)
    is_settled = picks.c.settled_at.is_not(None) & (picks.c.truth != "")
    is_open = picks.c.settled_at.is_(None)
    with scope.read() as connection:
        picked = {row.reason: row.n for row in connection.execute(by_reason)}
        return Counts(
            open=connection.execute(select(samples).where(mine, is_open)).scalar_one(),
            settled=connection.execute(select(samples).where(mine, is_settled)).scalar_one(),
            misses=connection.execute(
                select(samples).where(mine, is_settled, picks.c.reason == "miss")
            ).scalar_one(),
            picked=picked,
        )


def left(scope: Scope, deployment: str, *, unseen_by: str) -> int:
    """Open pictures of a deployment of which that person said nothing."""
    return waiting(scope, unseen_by=unseen_by, deployment=deployment).get(deployment, 0)


def waiting(scope: Scope, *, unseen_by: str = "", deployment: str = "") -> dict[str, int]:
    """Open pictures by deployment, where there are any. With `unseen_by`, only those of which that
    person said nothing."""
    is_open = (picks.c.tenant == scope.tenant) & picks.c.settled_at.is_(None)
    if deployment:
        is_open &= picks.c.deployment == deployment
    if unseen_by:
        is_open &= ~exists().where(
            labels.c.tenant == picks.c.tenant,
            labels.c.deployment == picks.c.deployment,
            labels.c.sample == picks.c.sample,
            labels.c.actor == unseen_by,
        )
    query = (
        select(picks.c.deployment, func.count(picks.c.sample.distinct()).label("n"))
        .where(is_open)
        .group_by(picks.c.deployment)
        .order_by(picks.c.deployment)
    )
    with scope.read() as connection:
        return {row.deployment: row.n for row in connection.execute(query)}


def _of(scope: Scope, deployment: str) -> ColumnElement[bool]:
    return (picks.c.tenant == scope.tenant) & (picks.c.deployment == deployment)


def _pick(row: Row[Any]) -> Pick:
    return Pick(**{f.name: getattr(row, f.name) for f in fields(Pick)})

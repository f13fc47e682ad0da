"""Who did what: one chain of rows a tenant, each sealed with the digest of the one before.

A row is written in the transaction of what it tells, so neither is there without the other. Whoever
can write the database can write every row anew; so note the newest digest elsewhere now and then:
no other chain holds it.

Source: Haber and Stornetta 1991, "How to time-stamp a digital document", section 5.1 (linking).
"""

import json
from collections.abc import Generator, Iterable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from sqlalchemy import Connection, Row, Select, insert, select
from sqlalchemy.exc import OperationalError

from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import activity
from tenfold.errors import IntegrityError, SpecError
from tenfold.values import fingerprint

FIRST = "0" * 64
"""What the first row names as the digest before it."""
CHUNK = 500
LEAST_DIGITS = 16
"""Of a digest that somebody noted: 64 bits."""
UNREADABLE = (ValueError, TypeError, OverflowError, OperationalError)
"""What a value raises that somebody wrote into the file by hand."""


@dataclass(frozen=True, slots=True)
class Deed:
    """One row."""

    number: int
    """From 1 without gaps; it orders, as clocks may go back."""
    at: datetime
    actor: str
    action: str
    subject: str
    detail: dict[str, Any]
    before: str
    """Digest of the row before."""
    digest: str


@dataclass(frozen=True, slots=True)
class Sought:
    """Which rows are asked for; empty: any."""

    actor: str = ""
    action: str = ""
    subject: str = ""
    before: int = 0
    """Only rows with lower numbers; 0: any."""


@dataclass(frozen=True, slots=True)
class Broken:
    number: int
    """The first row that does not hold."""
    why: str


@dataclass(frozen=True, slots=True)
class Verified:
    rows: int
    """That hold, from the first."""
    head: str
    """Digest of the last of them."""
    broken: Broken | None

    @property
    def holds(self) -> bool:
        return self.broken is None


def add(
    connection: Connection,
    scope: Scope,
    action: str,
    *,
    subject: str,
    detail: dict[str, Any] | None = None,
) -> None:
    """Write a row inside the caller's transaction, which must come from `scope.write()`: its lock
    keeps two writers from taking the same place in the chain.

    `detail` holds JSON values, and no secrets.
    """
    last = connection.execute(_last(scope)).first()
    row = {
        "number": last.number + 1 if last else 1,
        "at": scope.now(),
        "actor": scope.actor,
        "action": action,
        "subject": subject,
        "detail": json.loads(json.dumps(detail or {}, allow_nan=False)),
        "before": last.digest if last else FIRST,
    }
    sealed = row | {"tenant": scope.tenant, "digest": _digest(scope.tenant, row)}
    connection.execute(insert(activity), sealed)


def head(scope: Scope) -> Deed | None:
    """The newest row."""
    found = page(scope, limit=1)
    return found[0] if found else None


def page(scope: Scope, sought: Sought | None = None, *, limit: int) -> list[Deed]:
    """Rows that are asked for, the newest first.

    Raises:
        IntegrityError: one cannot be read.
    """
    wanted = sought or Sought()
    query = _mine(scope).order_by(activity.c.number.desc()).limit(limit)
    for name in ("actor", "action", "subject"):
        if getattr(wanted, name):
            query = query.where(activity.c[name] == getattr(wanted, name))
    if wanted.before:
        query = query.where(activity.c.number < wanted.before)
    with scope.read() as connection:
        try:
            return [_deed(row) for row in connection.execute(query)]
        except UNREADABLE as error:
            raise IntegrityError(
                f"a row of the activity log cannot be read: {error}.",
                where=scope.where,
                hint="`tenfold audit verify` says which.",
            ) from error


def verify(scope: Scope, *, noted: Iterable[str] = ()) -> Verified:
    """Walk the whole chain, in memory that does not grow with it.

    `noted` are digests that were the newest at some time, at least their first 16 digits: a log
    that was cut off, or written anew from some row on, does not hold them.

    Raises:
        SpecError: a noted digest is none.
    """
    missing = {_checked(digest) for digest in noted}
    rows, before = 0, FIRST
    with scope.read() as connection:
        for number, row in _walk(connection, scope):
            why = _why_not(scope.tenant, row, number, expected=rows + 1, before=before)
            if why or row is None:
                return Verified(rows, before, Broken(rows + 1, why))
            rows, before = rows + 1, row.digest
            missing = {digest for digest in missing if not before.startswith(digest)}
    if missing:
        lost = f"no row has the digest {min(missing)[:LEAST_DIGITS]}… that was noted: the log was "
        return Verified(rows, before, Broken(rows + 1, lost + "cut off, or written anew."))
    return Verified(rows, before, None)


def _why_not(tenant: str, row: Row[Any] | None, number: Any, *, expected: int, before: str) -> str:
    """What is wrong with the row after those that hold; empty: nothing."""
    if number != expected:
        return f"row {expected} is missing; in its place stands row {number}."
    if row is None:
        return f"row {expected} cannot be read: it was changed."
    if not _is_sealed(tenant, row):
        return f"row {expected} is not what was written: it was changed."
    if row.before != before:
        return f"row {expected} does not follow row {expected - 1}: one of them was exchanged."
    return ""


def _walk(connection: Connection, scope: Scope) -> Generator[tuple[Any, Row[Any] | None]]:
    """(number, row) by number; None: that row cannot be read, and is the last that is told."""
    after: Any = None
    while True:
        query = _mine(scope).order_by(activity.c.number).limit(CHUNK)
        if after is not None:
            query = query.where(activity.c.number > after)
        try:
            rows: Sequence[Row[Any]] = connection.execute(query).all()
        except UNREADABLE:
            yield from _one_by_one(connection, scope, query)
            return
        for row in rows:
            yield row.number, row
        if len(rows) < CHUNK:
            return
        after = rows[-1].number


def _one_by_one(
    connection: Connection, scope: Scope, query: Select[Any]
) -> Generator[tuple[Any, Row[Any] | None]]:
    """Rows of a query of which one cannot be read, up to that one."""
    numbers = connection.execute(query.with_only_columns(activity.c.number)).scalars().all()
    for number in numbers:
        try:
            row = connection.execute(_mine(scope).where(activity.c.number == number)).first()
        except UNREADABLE:
            row = None
        yield number, row
        if row is None:
            return


def _is_sealed(tenant: str, row: Row[Any]) -> bool:
    values = {name: getattr(row, name) for name in _SEALED}
    try:
        return row.digest == _digest(tenant, values)
    except (ValueError, TypeError, AttributeError):
        return False


_SEALED = ("number", "at", "actor", "action", "subject", "detail", "before")


def _digest(tenant: str, row: dict[str, Any]) -> str:
    """SHA-256 over everything that the row says, as canonical JSON."""
    at = row["at"].astimezone(UTC).isoformat(timespec="microseconds")
    return fingerprint([tenant, *(at if name == "at" else row[name] for name in _SEALED)])


def _checked(digest: str) -> str:
    plain = digest.strip().lower()
    if not LEAST_DIGITS <= len(plain) <= len(FIRST) or not set(plain) <= set("0123456789abcdef"):
        raise SpecError(
            f"expected a digest, at least its first {LEAST_DIGITS} hexadecimal digits, "
            f"got {digest!r}.",
            hint="`tenfold audit head` prints the newest.",
        )
    return plain


def _last(scope: Scope) -> Select[Any, Any]:
    mine = select(activity.c.number, activity.c.digest).where(activity.c.tenant == scope.tenant)
    return mine.order_by(activity.c.number.desc()).limit(1)


def _mine(scope: Scope) -> Select[Any]:
    return select(activity).where(activity.c.tenant == scope.tenant)


def _deed(row: Row[Any]) -> Deed:
    return Deed(
        number=row.number,
        at=row.at,
        actor=row.actor,
        action=row.action,
        subject=row.subject,
        detail=row.detail,
        before=row.before,
        digest=row.digest,
    )

"""People who may sign in: names, roles, and passwords as argon2id writes them.

Source: RFC 9106, section 4 (parameters, second recommended option), through argon2-cffi.
"""

import re
import unicodedata
from dataclasses import dataclass
from datetime import datetime
from functools import cache
from typing import Any

from argon2 import PasswordHasher
from argon2.exceptions import InvalidHashError, VerificationError
from sqlalchemy import ColumnElement, Connection, Row, delete, func, insert, select, update

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import accounts, sessions
from tenfold.errors import Conflict, NotFound, SpecError
from tenfold.roles import Role, role_of

NAME = re.compile(r"[a-z0-9][a-z0-9._@-]{0,99}")
"""Lower case alone, so that no two names look alike in the log."""
LEAST_LETTERS, MOST_LETTERS = 10, 1_000


@dataclass(frozen=True, slots=True)
class Account:
    name: str
    role: Role
    created_at: datetime
    created_by: str
    disabled_at: datetime | None = None
    """None: its owner may sign in."""


def create(scope: Scope, name: str, password: str, *, role: Role | None = None) -> Account:
    """A new account. The first one of a tenant is an owner's; later ones are viewers unless told.

    Raises:
        SpecError: the name or the password is none.
        Conflict: there is one of that name, or the first one would be no owner's.
    """
    _check_name(name)
    row = {
        "tenant": scope.tenant,
        "name": name,
        "password": _hashed(name, password),
        "created_at": scope.now(),
        "created_by": scope.actor,
    }
    with scope.write() as connection:
        is_first = not _any(connection, scope)
        chosen: Role = role or ("owner" if is_first else "viewer")
        if is_first and chosen != "owner":
            raise Conflict(
                "the first account is an owner's.", hint="Make that one first, with --role owner."
            )
        if _find(connection, scope, name):
            raise Conflict(f"there is an account {name!r}.", hint="Choose another name.")
        connection.execute(insert(accounts), row | {"role": chosen})
        _log(connection, scope, "create-account", name, role=chosen)
    return get(scope, name)


def set_role(scope: Scope, name: str, role: Role) -> Account:
    """Another role, from the next request on.

    Raises:
        NotFound: there is no such account.
        Conflict: nobody would be an owner.
    """
    with scope.write() as connection:
        row = _found(connection, scope, name)
        if role != "owner":
            _check_not_last(connection, scope, row)
        if row.role != role:
            connection.execute(update(accounts).where(_of(scope, name)).values(role=role))
            _log(connection, scope, "set-role", name, role=role, before=row.role)
    return get(scope, name)


def set_password(scope: Scope, name: str, password: str) -> None:
    """Another password; whoever is signed in by the old one is no longer.

    Raises:
        NotFound: there is no such account.
        SpecError: the password is none.
    """
    hashed = _hashed(name, password)
    with scope.write() as connection:
        _found(connection, scope, name)
        connection.execute(update(accounts).where(_of(scope, name)).values(password=hashed))
        _log(connection, scope, "set-password", name, ended=_end_sessions(connection, scope, name))


def disable(scope: Scope, name: str) -> Account:
    """Its owner may sign in no more, and is signed out everywhere; the name stays taken.

    Raises:
        NotFound: there is no such account.
        Conflict: nobody would be an owner.
    """
    with scope.write() as connection:
        row = _found(connection, scope, name)
        _check_not_last(connection, scope, row)
        if row.disabled_at is None:
            values = {"disabled_at": scope.now()}
            connection.execute(update(accounts).where(_of(scope, name)).values(values))
            ended = _end_sessions(connection, scope, name)
            _log(connection, scope, "disable-account", name, ended=ended)
    return get(scope, name)


def enable(scope: Scope, name: str) -> Account:
    """Its owner may sign in again.

    Raises:
        NotFound: there is no such account.
    """
    with scope.write() as connection:
        if _found(connection, scope, name).disabled_at is not None:
            connection.execute(update(accounts).where(_of(scope, name)).values(disabled_at=None))
            _log(connection, scope, "enable-account", name)
    return get(scope, name)


def get(scope: Scope, name: str) -> Account:
    """The account of that name.

    Raises:
        NotFound: there is none.
    """
    with scope.read() as connection:
        return _account(_found(connection, scope, name))


def everyone(scope: Scope) -> list[Account]:
    """Every account by name, disabled ones too."""
    query = select(accounts).where(accounts.c.tenant == scope.tenant).order_by(accounts.c.name)
    with scope.read() as connection:
        return [_account(row) for row in connection.execute(query)]


def are_any(scope: Scope) -> bool:
    """Whether there is an account, disabled or not."""
    with scope.read() as connection:
        return _any(connection, scope)


def check(scope: Scope, name: str, password: str) -> Account | None:
    """The account, if the password is its own and it may sign in; takes as long for a name that
    nobody has. A hash with other parameters than those of today is written anew.
    """
    nobody = _nobody()
    with scope.read() as connection:
        row = _find(connection, scope, name)
    is_right = _is_right(row.password if row else nobody, password)
    if row is None or not is_right or row.disabled_at is not None:
        return None
    if _hasher().check_needs_rehash(row.password):
        mine = _of(scope, name) & (accounts.c.password == row.password)
        hashed = _hasher().hash(_normal(password))
        with scope.write() as connection:
            connection.execute(update(accounts).where(mine).values(password=hashed))
    return _account(row)


@cache
def _hasher() -> PasswordHasher:
    return PasswordHasher()


@cache
def _nobody() -> str:
    """What a password is held against where there is no account."""
    return _hasher().hash("nobody has this password")


def _is_right(hashed: str, password: str) -> bool:
    try:
        return _hasher().verify(hashed, _normal(password)[:MOST_LETTERS])
    except (VerificationError, InvalidHashError):
        return False


def _hashed(name: str, password: str) -> str:
    """
    Raises:
        SpecError: too short, too long, or the name.
    """
    plain = _normal(password)
    if not LEAST_LETTERS <= len(plain) <= MOST_LETTERS:
        raise SpecError(
            f"a password has {LEAST_LETTERS} to {MOST_LETTERS:,} letters, got {len(plain)}.",
            where="password",
            hint="A few words in a row are easy to keep.",
        )
    if plain.casefold() == name or len(set(plain)) < LEAST_LETTERS // 2:
        raise SpecError(
            "anybody guesses this password.",
            where="password",
            hint="A few words in a row are easy to keep.",
        )
    return _hasher().hash(plain)


def _normal(password: str) -> str:
    """The same whatever keyboard wrote it (RFC 8265, section 4.2: NFC)."""
    return unicodedata.normalize("NFC", password)


def _check_name(name: str) -> None:
    if not NAME.fullmatch(name):
        raise SpecError(
            f"a name has up to 100 of a-z, 0-9, `.`, `_`, `@` and `-`, got {name[:120]!r}.",
            where="name",
            hint="Such as ann or ann@example.com.",
        )


def _check_not_last(connection: Connection, scope: Scope, row: Row[Any]) -> None:
    """
    Raises:
        Conflict: this is the only owner who may sign in.
    """
    if row.role != "owner" or row.disabled_at is not None:
        return
    others = select(func.count()).where(
        accounts.c.tenant == scope.tenant,
        accounts.c.role == "owner",
        accounts.c.disabled_at.is_(None),
        accounts.c.name != row.name,
    )
    if not connection.execute(others).scalar_one():
        raise Conflict(
            f"{row.name!r} is the last owner.", hint="Make somebody else an owner first."
        )


def _end_sessions(connection: Connection, scope: Scope, name: str) -> int:
    mine = (sessions.c.tenant == scope.tenant) & (sessions.c.account == name)
    return connection.execute(delete(sessions).where(mine)).rowcount


def _log(connection: Connection, scope: Scope, action: str, name: str, **detail: Any) -> None:
    activity.add(connection, scope, action, subject=name, detail=detail)


def _any(connection: Connection, scope: Scope) -> bool:
    query = select(accounts.c.name).where(accounts.c.tenant == scope.tenant).limit(1)
    return connection.execute(query).first() is not None


def _find(connection: Connection, scope: Scope, name: str) -> Row[Any] | None:
    return connection.execute(select(accounts).where(_of(scope, name))).first()


def _found(connection: Connection, scope: Scope, name: str) -> Row[Any]:
    row = _find(connection, scope, name)
    if row is None:
        raise NotFound(f"no account {name!r}.", hint="`tenfold account ls` lists them.")
    return row


def _of(scope: Scope, name: str) -> ColumnElement[bool]:
    return (accounts.c.tenant == scope.tenant) & (accounts.c.name == name)


def _account(row: Row[Any]) -> Account:
    role = role_of(row.role)
    return Account(row.name, role, row.created_at, row.created_by, row.disabled_at)

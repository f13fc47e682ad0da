"""API keys: 256 random bits each, of which only the SHA-256 is kept."""

import hashlib
import secrets
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import insert, select, update
from sqlalchemy.exc import IntegrityError

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import api_keys
from tenfold.errors import Conflict, NotFound
from tenfold.roles import Role, role_of

PREFIX = "tf_"


@dataclass(frozen=True, slots=True)
class Key:
    name: str
    digest: str
    per_minute: int
    """Most requests a minute; 0: as many as it likes."""
    created_at: datetime
    created_by: str
    role: Role = "caller"


def digest_of(secret: str) -> str:
    """How a key is known."""
    return hashlib.sha256(secret.encode()).hexdigest()


def create(scope: Scope, name: str, *, per_minute: int = 0, role: Role = "caller") -> str:
    """A new key; the secret is told here and never again.

    A caller's may only ask deployments.

    Raises:
        Conflict: there is one of that name.
    """
    secret = PREFIX + secrets.token_urlsafe(32)
    row = {
        "tenant": scope.tenant,
        "name": name,
        "digest": digest_of(secret),
        "per_minute": per_minute,
        "role": role,
        "created_at": scope.now(),
        "created_by": scope.actor,
    }
    try:
        with scope.write() as connection:
            connection.execute(insert(api_keys), row)
            detail = {"role": role, "per_minute": per_minute}
            activity.add(connection, scope, "create-key", subject=name, detail=detail)
    except (IntegrityError, Conflict) as error:
        raise Conflict(
            f"there is a key {name!r}, or was one.", hint="Choose another name."
        ) from error
    return secret


def revoke(scope: Scope, name: str) -> None:
    """The key opens nothing any more; its name stays taken.

    Raises:
        NotFound: no such key is in force.
    """
    mine = (api_keys.c.tenant == scope.tenant) & (api_keys.c.name == name)
    query = update(api_keys).where(mine, api_keys.c.revoked_at.is_(None))
    with scope.write() as connection:
        if not connection.execute(query.values(revoked_at=scope.now())).rowcount:
            raise NotFound(f"no key {name!r} is in force.", hint="`tenfold key ls` lists them.")
        activity.add(connection, scope, "revoke-key", subject=name)


def in_force(scope: Scope) -> list[Key]:
    """Every key that opens something, by name."""
    query = select(api_keys).where(
        api_keys.c.tenant == scope.tenant, api_keys.c.revoked_at.is_(None)
    )
    with scope.read() as connection:
        rows: list[Any] = list(connection.execute(query.order_by(api_keys.c.name)))
    return [_key(row) for row in rows]


def find(scope: Scope, secret: str) -> Key | None:
    """The key with that secret, if it is in force."""
    query = select(api_keys).where(
        api_keys.c.tenant == scope.tenant,
        api_keys.c.digest == digest_of(secret),
        api_keys.c.revoked_at.is_(None),
    )
    with scope.read() as connection:
        row = connection.execute(query).first()
    return None if row is None else _key(row)


def _key(row: Any) -> Key:
    return Key(
        row.name, row.digest, row.per_minute, row.created_at, row.created_by, role_of(row.role)
    )

"""Who is signed in: 256 random bits each, of which only the SHA-256 is kept."""

import secrets
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, insert, select, update

from tenfold.catalog import activity
from tenfold.catalog.accounts import Account
from tenfold.catalog.keys import digest_of
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import accounts, sessions
from tenfold.errors import NotFound
from tenfold.roles import Role, role_of

PREFIX = "tfs_"
IDLE = timedelta(hours=12)
"""A session that is not used so long ends."""
LONGEST = timedelta(days=7)
"""However much it is used."""
RENEWED = timedelta(minutes=30)
"""So often at most a session in use is written anew."""
MOST = 20
"""Of one account; the oldest end."""


@dataclass(frozen=True, slots=True)
class SignedIn:
    account: str
    role: Role
    expires_at: datetime


def begin(scope: Scope, account: Account, *, address: str = "") -> str:
    """Sign in; the token is told here and never again.

    Raises:
        NotFound: the account was disabled meanwhile.
    """
    now, token = scope.now(), PREFIX + secrets.token_urlsafe(32)
    mine = (sessions.c.tenant == scope.tenant) & (sessions.c.account == account.name)
    row = {
        "digest": digest_of(token),
        "tenant": scope.tenant,
        "account": account.name,
        "created_at": now,
        "expires_at": now + IDLE,
    }
    with scope.write() as connection:
        known = select(accounts.c.name).where(
            accounts.c.tenant == scope.tenant,
            accounts.c.name == account.name,
            accounts.c.disabled_at.is_(None),
        )
        if connection.execute(known).first() is None:
            raise NotFound(f"no account {account.name!r} may sign in.")
        over = (sessions.c.tenant == scope.tenant) & (sessions.c.expires_at <= now)
        connection.execute(delete(sessions).where(over))
        newest = select(sessions.c.digest).where(mine).order_by(sessions.c.created_at.desc())
        kept = connection.execute(newest.limit(MOST - 1)).scalars().all()
        connection.execute(delete(sessions).where(mine, sessions.c.digest.not_in(kept)))
        connection.execute(insert(sessions), row)
        activity.add(
            connection,
            replace(scope, actor=account.name),
            "sign-in",
            subject=account.name,
            detail={"address": address},
        )
    return token


def who(scope: Scope, token: str) -> SignedIn | None:
    """Who is signed in by a token; use keeps the session from ending."""
    digest, now = digest_of(token), scope.now()
    query = (
        select(sessions, accounts.c.role)
        .join(
            accounts,
            (accounts.c.tenant == sessions.c.tenant) & (accounts.c.name == sessions.c.account),
        )
        .where(
            sessions.c.digest == digest,
            sessions.c.tenant == scope.tenant,
            sessions.c.expires_at > now,
            accounts.c.disabled_at.is_(None),
        )
    )
    with scope.read() as connection:
        row = connection.execute(query).first()
    if row is None:
        return None
    until = min(now + IDLE, row.created_at + LONGEST)
    if until - row.expires_at > RENEWED:
        _renew(scope, digest, until)
    return SignedIn(row.account, role_of(row.role), max(until, row.expires_at))


def end(scope: Scope, token: str) -> None:
    """Sign out; a session that is over is over."""
    mine = (sessions.c.tenant == scope.tenant) & (sessions.c.digest == digest_of(token))
    with scope.write() as connection:
        account = connection.execute(select(sessions.c.account).where(mine)).scalar()
        if account is not None:
            connection.execute(delete(sessions).where(mine))
            as_them = replace(scope, actor=account)
            activity.add(connection, as_them, "sign-out", subject=account)


def note_failure(scope: Scope, name: str, *, address: str, count: int = 1) -> None:
    """Write down that somebody failed to sign in. Names that nobody has are not kept: people type
    passwords there.
    """
    known = (accounts.c.tenant == scope.tenant) & (accounts.c.name == name)
    with scope.write() as connection:
        account: Any = connection.execute(select(accounts.c.name).where(known)).scalar()
        detail = {"address": address, "times": count}
        activity.add(connection, scope, "sign-in-failed", subject=account or "", detail=detail)


def _renew(scope: Scope, digest: str, until: datetime) -> None:
    mine = (sessions.c.tenant == scope.tenant) & (sessions.c.digest == digest)
    with scope.write() as connection:
        connection.execute(update(sessions).where(mine).values(expires_at=until))

"""From a request to who sent it: a session, an API key, or whoever sits at this machine."""

import hashlib
import hmac
from dataclasses import dataclass, field
from typing import Literal
from urllib.parse import urlsplit

from starlette.requests import Request
from starlette.responses import Response

from tenfold.catalog import Scope, accounts, keys, sessions
from tenfold.errors import NotAllowed
from tenfold.roles import Role, action_of, may
from tenfold.web.errors import WhoAreYou

COOKIE = "tenfold_session"
CSRF = "x-csrf-token"
LOOPBACK = ("127.0.0.1", "::1", "localhost")
PROXIED = ("forwarded", "via", "x-forwarded-for", "x-forwarded-host", "x-real-ip")
"""Headers of a request that a proxy passes on for somebody else."""
SAFE_METHODS = ("GET", "HEAD", "OPTIONS")
MOST_ACTOR = 100


@dataclass(frozen=True, slots=True)
class Identity:
    """Somebody who was recognized."""

    actor: str
    """Who is written beside what they change."""
    role: Role
    tenant: str
    via: Literal["session", "key", "local"]
    token: str = field(default="", repr=False)
    """Of a session."""

    def require(self, action: str) -> None:
        """Let them do it.

        Raises:
            NotAllowed: their role is not enough.
        """
        if not may(self.role, action_of(action)):
            raise NotAllowed(
                f"{self.actor!r} has the role {self.role}, which may not do that ({action}).",
                hint="An owner may give another role: `tenfold account role NAME ROLE`.",
            )

    @property
    def csrf(self) -> str:
        """What a page of ours sends beside the cookie, which no other site's page knows; empty
        without a session."""
        return csrf_of(self.token) if self.token else ""


class Identities:
    """Who may ask one hub. Nothing is remembered: what was revoked opens nothing at once."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope

    def identify(self, request: Request) -> Identity:
        """Who sent a request; reads the catalog.

        Raises:
            WhoAreYou: nobody knows.
            NotAllowed: a page of another site may have sent it.
        """
        secret = _secret(request)
        if secret:
            return self._by_secret(secret)
        token = request.cookies.get(COOKIE, "")
        found = self._by_session(token) if token else None
        if found is not None:
            check_own_page(request)
            _check_csrf(request, token)
            return found
        if not accounts.are_any(self._scope):
            return self._local(request)
        raise WhoAreYou(
            "nobody is signed in.",
            hint="Sign in at POST /api/sign-in, or send `Authorization: Bearer KEY`.",
        )

    def _by_secret(self, secret: str) -> Identity:
        if secret.startswith(sessions.PREFIX):
            found = self._by_session(secret)
            if found is not None:
                return found
        elif (key := keys.find(self._scope, secret)) is not None:
            return Identity(f"key:{key.name}"[:MOST_ACTOR], key.role, self._scope.tenant, "key")
        raise WhoAreYou(
            "no key, or one that is not in force.",
            hint="`tenfold key create NAME --role ROLE` makes one.",
        )

    def _by_session(self, token: str) -> Identity | None:
        seen = sessions.who(self._scope, token)
        if seen is None:
            return None
        return Identity(seen.account, seen.role, self._scope.tenant, "session", token)

    def _local(self, request: Request) -> Identity:
        """While there are no accounts: whoever sits at this machine, and no page of another site
        that its browser shows (neither by a name that leads here nor by a form)."""
        client = request.client.host if request.client else ""
        is_passed_on = any(name in request.headers for name in PROXIED)
        if client not in LOOPBACK or request.url.hostname not in LOOPBACK or is_passed_on:
            raise WhoAreYou(
                "only this machine may ask.",
                hint="Ask 127.0.0.1 from where it runs, or make an owner: `tenfold account add`.",
            )
        check_own_page(request)
        return Identity(self._scope.actor, "owner", self._scope.tenant, "local")


def check_reach(scope: Scope, host: str) -> None:
    """
    Raises:
        NotAllowed: other machines could ask, and there is no account.
    """
    if host not in LOOPBACK and not accounts.are_any(scope):
        raise NotAllowed(
            f"{host} can be reached from other machines, and there is no account.",
            hint="`tenfold account add NAME` makes an owner; or stay at 127.0.0.1.",
        )


def keep_signed_in(request: Request, response: Response, token: str) -> None:
    """Give a browser the cookie of its session, which no script reads and no other site sends."""
    response.set_cookie(
        COOKIE,
        token,
        max_age=int(sessions.LONGEST.total_seconds()),
        httponly=True,
        samesite="strict",
        secure=request.url.scheme == "https",
    )


def csrf_of(token: str) -> str:
    """Follows from a session's token, which tells nothing of it."""
    return hashlib.sha256(f"csrf {token}".encode()).hexdigest()


def check_own_page(request: Request) -> None:
    """
    Raises:
        NotAllowed: a browser sent it for a page of another site.
    """
    origin = request.headers.get("origin")
    if request.method in SAFE_METHODS or origin is None:
        return
    if urlsplit(origin).netloc != request.url.netloc:
        raise NotAllowed(f"a page of {origin!r} may change nothing here.")


def _check_csrf(request: Request, token: str) -> None:
    """
    Source: OWASP, "Cross-Site Request Forgery Prevention Cheat Sheet", custom request headers.
    """
    if request.method in SAFE_METHODS:
        return
    sent = request.headers.get(CSRF, "")
    if not hmac.compare_digest(sent.encode(), csrf_of(token).encode()):
        raise NotAllowed(
            "a change by cookie needs the header X-CSRF-Token.", hint="GET /api/me says which."
        )


def _secret(request: Request) -> str:
    scheme, _, secret = request.headers.get("authorization", "").partition(" ")
    if scheme.lower() != "bearer":
        secret = request.headers.get("x-api-key", "")
    return secret.strip()

"""Signing in and out, accounts, API keys, and who did what."""

from typing import Annotated, Any, Literal

from fastapi import APIRouter, Query, Request
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from starlette.responses import Response

from tenfold.catalog import accounts, activity, keys, sessions
from tenfold.catalog.activity import Sought
from tenfold.errors import NotAllowed, SpecError, Unsupported
from tenfold.roles import Role, actions_of
from tenfold.web.guard import Intake
from tenfold.web.identity import COOKIE, Identity, check_own_page, csrf_of, keep_signed_in
from tenfold.web.plain import answered
from tenfold.web.sign_in import SignIns
from tenfold.web.who import Accounting, Auditing, Known

router = APIRouter(prefix="/api", tags=["accounts"])
BODY_BYTES, BODY_S = 16_384, 10.0
PRIVATE = {"Cache-Control": "no-store"}
Word = Literal["disable", "enable"]
WORDS = {"disable": accounts.disable, "enable": accounts.enable}
Name = Annotated[str, Field(min_length=1, max_length=100)]
Password = Annotated[str, Field(max_length=4_000)]


class Strict(BaseModel):
    model_config = ConfigDict(extra="forbid")


class SignIn(Strict):
    name: Name
    password: Password
    token: bool = False
    """Answer with a token for `Authorization: Bearer` instead of a cookie."""


class NewAccount(Strict):
    name: str
    password: Password
    role: Role | None = None


class NewRole(Strict):
    role: Role


class NewPassword(Strict):
    password: Password


class OwnPassword(Strict):
    old: Password
    new: Password


class NewKey(Strict):
    name: Name
    role: Role = "caller"
    per_minute: Annotated[int, Field(ge=0, le=1_000_000_000)] = 0


@router.post("/sign-in")
async def sign_in(request: Request) -> Response:
    """Begin a session: a cookie for pages of the hub, or a token for programs."""
    check_own_page(request)
    body = await _body(request)
    address = _address(request)
    account, token = await _sign_ins(request).begin(body.name, body.password, address=address)
    told: dict[str, Any] = {"name": account.name, "role": account.role}
    if body.token:
        return _private(told | {"token": token})
    response = _private(told | {"csrf": csrf_of(token), "may": actions_of(account.role)})
    keep_signed_in(request, response, token)
    return response


@router.post("/sign-out")
def sign_out(request: Request, known: Known) -> Response:
    """End the session that asks."""
    if known.token:
        sessions.end(request.app.state.workspace.scope, known.token)
    return _signed_out(known)


@router.get("/me")
def me(known: Known) -> Response:
    """Who asks, and what they may do."""
    return _private(
        {
            "actor": known.actor,
            "role": known.role,
            "via": known.via,
            "may": actions_of(known.role),
            "csrf": known.csrf,
        }
    )


@router.post("/me/password")
async def own_password(request: Request, body: OwnPassword, known: Known) -> Response:
    """Another password for whoever is signed in, who has to sign in again."""
    if known.via != "session":
        raise NotAllowed("only who is signed in has a password.", hint="POST /api/sign-in")
    await _sign_ins(request).change_password(
        known.actor, body.old, body.new, address=_address(request)
    )
    return _signed_out(known)


@router.get("/accounts")
def everyone(workspace: Accounting) -> Response:
    """Every account."""
    return _private(accounts.everyone(workspace.scope))


@router.post("/accounts", status_code=201)
def add(body: NewAccount, workspace: Accounting) -> Response:
    """A new one; the first is an owner's."""
    made = accounts.create(workspace.scope, body.name, body.password, role=body.role)
    return answered(made, 201)


@router.put("/accounts/{name}/role")
def role(name: str, body: NewRole, workspace: Accounting) -> Response:
    """Another role, from the next request on."""
    return answered(accounts.set_role(workspace.scope, name, body.role))


@router.put("/accounts/{name}/password")
def password(name: str, body: NewPassword, workspace: Accounting) -> Response:
    """Another password; whoever is signed in by the old one is no longer."""
    accounts.set_password(workspace.scope, name, body.password)
    return answered(accounts.get(workspace.scope, name))


@router.post("/accounts/{name}/{word}")
def let(name: str, word: Word, workspace: Accounting) -> Response:
    """Let somebody sign in no more, or again."""
    return answered(WORDS[word](workspace.scope, name))


@router.get("/keys")
def every_key(workspace: Accounting) -> Response:
    """Every key in force, without what it is known by."""
    found = keys.in_force(workspace.scope)
    return _private([_told(key) for key in found])


@router.post("/keys", status_code=201)
def add_key(body: NewKey, workspace: Accounting) -> Response:
    """A new key, told once."""
    secret = keys.create(workspace.scope, body.name, per_minute=body.per_minute, role=body.role)
    response = answered({"name": body.name, "role": body.role, "key": secret}, 201)
    response.headers.update(PRIVATE)
    return response


@router.delete("/keys/{name}")
def revoke(name: str, workspace: Accounting) -> Response:
    """Make a key open nothing any more."""
    keys.revoke(workspace.scope, name)
    return answered({"name": name})


@router.get("/activity")
def log(
    workspace: Auditing,
    actor: str = "",
    action: str = "",
    subject: str = "",
    before: Annotated[int, Query(ge=0)] = 0,
    limit: Annotated[int, Query(ge=1, le=1_000)] = 50,
) -> Response:
    """Who did what, the newest first; `before` a number goes on."""
    sought = Sought(actor, action, subject, before)
    return _private(activity.page(workspace.scope, sought, limit=limit))


@router.get("/activity/verify")
def verify(
    workspace: Auditing, noted: Annotated[list[str] | None, Query(max_length=100)] = None
) -> Response:
    """Whether the log is as it was written."""
    return _private(activity.verify(workspace.scope, noted=noted or ()))


async def _body(request: Request) -> SignIn:
    """Read with a small limit, as anybody may send it.

    Raises:
        SpecError: it is something else.
    """
    kind = request.headers.get("content-type", "").partition(";")[0].strip().lower()
    if kind != "application/json":  # a form of another site cannot send that
        raise Unsupported("signing in takes JSON.", hint="Content-Type: application/json")
    intake = Intake(limit_bytes=BODY_BYTES, timeout_s=BODY_S)
    async with intake.body(request) as data:
        try:
            return SignIn.model_validate_json(data)
        except ValidationError as error:
            wrong = [f"{'.'.join(map(str, e['loc']))}: {e['msg']}" for e in error.errors()]
            raise SpecError("; ".join(wrong), where="body") from None  # it holds the password


def _signed_out(known: Identity) -> Response:
    response = _private({"actor": known.actor})
    response.delete_cookie(COOKIE, httponly=True, samesite="strict")
    return response


def _told(key: keys.Key) -> dict[str, Any]:
    names = ("name", "role", "per_minute", "created_at", "created_by")
    return {name: getattr(key, name) for name in names}


def _private(value: Any) -> Response:
    response = answered(value)
    response.headers.update(PRIVATE)
    return response


def _address(request: Request) -> str:
    return request.client.host if request.client else ""


def _sign_ins(request: Request) -> SignIns:
    return request.app.state.sign_ins

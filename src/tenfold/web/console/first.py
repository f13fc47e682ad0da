"""The first owner: made by whoever holds the link that the hub prints while there is no account."""

import asyncio
import hmac
import secrets
from dataclasses import dataclass, field

from fastapi import Request
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import JSONResponse, Response

from tenfold.catalog import Scope, accounts, sessions
from tenfold.errors import NotAllowed
from tenfold.web.identity import check_own_page, keep_signed_in

TOKEN_BYTES = 24


class NewOwner(BaseModel):
    model_config = ConfigDict(extra="forbid")

    token: str = Field(max_length=200)
    name: str = Field(min_length=1, max_length=100)
    password: str = Field(max_length=4_000)


@dataclass(frozen=True, slots=True, eq=False)
class FirstOwner:
    """Of one hub's process; its token opens nothing once there is an account."""

    scope: Scope
    token: str = field(default_factory=lambda: secrets.token_urlsafe(TOKEN_BYTES), repr=False)

    def link(self, url: str) -> str:
        """Where the first owner is made; empty when there is one."""
        return "" if accounts.are_any(self.scope) else f"{url}/sign-in?first={self.token}"

    def is_open(self, token: str) -> bool:
        """Whether that token still makes an owner; reads the catalog."""
        return self._is_right(token) and not accounts.are_any(self.scope)

    async def create(self, request: Request, body: NewOwner) -> Response:
        """The owner, signed in.

        Raises:
            NotAllowed: the link is another, or was used.
            SpecError: the name or the password is none.
            Conflict: somebody was quicker.
        """
        check_own_page(request)
        if not await asyncio.to_thread(self.is_open, body.token):
            raise NotAllowed(
                "this link was used, or is of a hub that has ended.",
                hint="Sign in; or start the hub again, which prints a new link while nobody has "
                "an account.",
            )
        made = await asyncio.to_thread(
            accounts.create, self.scope, body.name, body.password, role="owner"
        )
        token = await asyncio.to_thread(sessions.begin, self.scope, made)
        response = JSONResponse({"name": made.name}, 201)
        keep_signed_in(request, response, token)
        return response

    def _is_right(self, token: str) -> bool:
        return hmac.compare_digest(token.encode(), self.token.encode())

"""From our errors to HTTP: one table, one body."""

from starlette.requests import Request
from starlette.responses import JSONResponse, Response

from tenfold import errors
from tenfold.errors import TenfoldError
from tenfold.serving.batching import Expired, Overloaded

STATUS: dict[type[TenfoldError], int] = {
    Overloaded: 429,
    Expired: 504,
    errors.SpecError: 400,
    errors.DataError: 400,
    errors.NotFound: 404,
    errors.Conflict: 409,
    errors.Unsupported: 501,
    errors.Unavailable: 503,
    errors.NotAllowed: 403,
    errors.IntegrityError: 500,
}
"""The first that an error is one of."""
RETRY_AFTER_S = "1"
CLIENT_CLOSED = 499
"""As nginx calls it."""


class TooLarge(errors.DataError):
    """A body beyond the limit."""


class TooSlow(errors.DataError):
    """A body that did not come in time."""


class WhoAreYou(errors.NotAllowed):
    """No key, or one that opens nothing."""


class TooOften(errors.Unavailable):
    """A key's share of a minute is used up."""


OWN: dict[type[TenfoldError], int] = {TooLarge: 413, TooSlow: 408, WhoAreYou: 401, TooOften: 429}


def status_of(error: TenfoldError) -> int:
    if error.args and str(error.args[0]).startswith("too-large"):
        return 413
    for kind, status in {**OWN, **STATUS}.items():
        if isinstance(error, kind):
            return status
    return 500


async def gone(request: Request, error: Exception) -> Response:
    """A client that went away before its body had come; nobody reads this."""
    return Response(status_code=CLIENT_CLOSED)


async def broken(request: Request, error: Exception) -> JSONResponse:
    """A defect of ours, told without its insides."""
    return JSONResponse({"error": "a defect of the server; its log says more."}, 500)


async def told(request: Request, error: Exception) -> JSONResponse:
    """The body that the Open Inference Protocol asks for, with the hint where there is one."""
    assert isinstance(error, TenfoldError)
    place = f"{error.where}: " if error.where else ""
    hint = f" {error.hint}" if error.hint else ""
    status = status_of(error)
    request.state.problem = f"{place}{error.args[0]}"
    headers = {"Retry-After": RETRY_AFTER_S} if status in (429, 503) else {}
    if status == 401:
        headers["WWW-Authenticate"] = "Bearer"
    return JSONResponse({"error": f"{place}{error.args[0]}{hint}"}, status, headers)

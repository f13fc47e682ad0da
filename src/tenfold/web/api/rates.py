"""Prices and headcount: what holds, and what an owner sets."""

from datetime import date
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field
from starlette.responses import Response

from tenfold.ledger import in_force
from tenfold.web.plain import answered
from tenfold.web.who import Pricing, Shown
from tenfold.workspace import Workspace

router = APIRouter(prefix="/api", tags=["ledger"])


class Set(BaseModel):
    model_config = ConfigDict(extra="forbid")

    currency: str
    rates: dict[str, Any]
    """As one of `rates` of a price file; those of other months stay."""


class Counted(BaseModel):
    model_config = ConfigDict(extra="forbid")

    date: date
    people: Annotated[Decimal, Field(ge=0)]
    """At the end of that day."""


@router.get("/prices")
def prices(workspace: Shown) -> Response:
    """The prices that hold."""
    return _prices(workspace)


@router.put("/prices")
def set_prices(body: Set, workspace: Pricing) -> Response:
    """Prices that hold from a month on."""
    file = workspace.settings.prices
    in_force.set_rates(workspace.scope, file, currency=body.currency, rates=body.rates)
    return _prices(workspace)


@router.get("/headcount")
def headcount(workspace: Shown) -> Response:
    """How many people there are."""
    return _headcount(workspace)


@router.put("/headcount")
def set_headcount(body: Counted, workspace: Pricing) -> Response:
    """How many people there are at the end of a day; those of other days stay."""
    count = {"date": body.date, "people": body.people}
    in_force.set_count(workspace.scope, workspace.settings.headcount, count=count)
    return _headcount(workspace)


def _prices(workspace: Workspace) -> Response:
    scope, file = workspace.scope, workspace.settings.prices
    found, (source, _) = in_force.prices(scope, file), in_force.source(scope, "prices", file)
    return answered({"from": source, **found.model_dump(mode="json", by_alias=True)})


def _headcount(workspace: Workspace) -> Response:
    scope, file = workspace.scope, workspace.settings.headcount
    found, (source, _) = in_force.people(scope, file), in_force.source(scope, "headcount", file)
    counts = found.model_dump(mode="json")["headcount"] if found else []
    return answered({"from": source, "headcount": counts})

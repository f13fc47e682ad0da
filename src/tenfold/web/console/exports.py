"""Tables to take away: routes that answer with a file instead of a page."""

from datetime import date

from fastapi import FastAPI
from starlette.responses import Response

from tenfold.catalog.papers import Paper
from tenfold.errors import SpecError
from tenfold.ledger import in_force
from tenfold.ledger.breakdown import Grouping
from tenfold.ledger.export import as_csv
from tenfold.ledger.headcount import Headcount
from tenfold.ledger.in_force import Source
from tenfold.ledger.price import Prices
from tenfold.ledger.report import Economics, Question, economics_of
from tenfold.web.who import Shown
from tenfold.workspace import Workspace

BY: tuple[Grouping, ...] = ("task", "sector", "tenant", "fleet")


def attach(app: FastAPI) -> None:
    """Put the routes on the hub's application."""

    @app.get("/console/ledger.csv", include_in_schema=False)
    def ledger(workspace: Shown, since: str = "", until: str = "", by: str = "task") -> Response:
        asked = question(since, until, by)
        data = as_csv(economics(workspace, asked, None))
        name = f"ledger-{'-'.join(part for part in (asked.by, since, until) if part)}.csv"
        headers = {"Content-Disposition": f'attachment; filename="{name}"'}
        return Response(data, media_type="text/csv; charset=utf-8", headers=headers)


def question(since: str, until: str, by: str) -> Question:
    """What the parameters of an address ask.

    Raises:
        SpecError: one is none.
    """
    for grouping in BY:
        if grouping == by:
            return Question(_month(since, "since"), _month(until, "until"), grouping)
    raise SpecError(f"expected one of {', '.join(BY)}, got {by[:40]!r}.", where="by")


def economics(workspace: Workspace, asked: Question, people: Headcount | None) -> Economics:
    """The report by the prices in force.

    Raises:
        SpecError: see `economics_of` and `price.load`.
        NotFound: see `prices_of`.
    """
    return economics_of(workspace.scope, asked, prices_of(workspace), people)


def prices_of(workspace: Workspace) -> Prices:
    """The prices in force.

    Raises:
        SpecError: see `price.load`.
        NotFound: there is no price file where the settings say.
    """
    return in_force.prices(workspace.scope, workspace.settings.prices)


def prices_source(workspace: Workspace) -> tuple[Source, Paper | None]:
    """Where the prices in force come from, and who saved them."""
    return in_force.source(workspace.scope, "prices", workspace.settings.prices)


def people_source(workspace: Workspace) -> tuple[Source, Paper | None]:
    """The same of the headcount."""
    return in_force.source(workspace.scope, "headcount", workspace.settings.headcount)


def people_of(workspace: Workspace) -> Headcount | None:
    """The headcount in force.

    Raises:
        SpecError: see `headcount.load`.
        NotFound: there is no headcount file where the settings say.
    """
    return in_force.people(workspace.scope, workspace.settings.headcount)


def _month(text: str, where: str) -> date | None:
    """`2026-11`, or a day of it."""
    if not text:
        return None
    try:
        return date.fromisoformat(text if len(text) > len("2026-11") else f"{text}-01")
    except ValueError:
        raise SpecError(
            f"expected a month such as 2026-11, got {text[:40]!r}.", where=where
        ) from None

"""What a station recorded, to take away: the report of a shift, and all its looks as CSV."""

from collections.abc import Generator
from contextlib import closing
from typing import Annotated
from urllib.parse import quote

from fastapi import APIRouter, Query
from starlette.responses import Response, StreamingResponse

from tenfold.apps.line.counted import newest_shift
from tenfold.apps.line.journal import Journal, Span
from tenfold.apps.line.report import gather, render
from tenfold.apps.line.stations import evidence_of, rabbits_of
from tenfold.apps.line.tracing import csv_lines
from tenfold.web.api.line import opened
from tenfold.web.who import Shown

router = APIRouter(prefix="/api/line", tags=["line"])
PLAIN_PAGE = {
    "Content-Security-Policy": "default-src 'none'; style-src 'unsafe-inline'; img-src data:",
    "Cache-Control": "no-store",
}
AT_ONCE = 500
"""Lines that are sent together."""
Shift = Annotated[str, Query(max_length=100)]


@router.get("/{station}/report")
def report(station: str, workspace: Shown, shift: Shift = "") -> Response:
    """The report of a shift, else of the newest, as one HTML page."""
    with closing(opened(workspace, station)) as journal:
        span = Span(shift or newest_shift(journal))
        evidence, rabbits = evidence_of(workspace, station), rabbits_of(workspace, station)
        found = gather(journal, evidence, span, station=station, rabbits=rabbits)
    return Response(render(found), media_type="text/html; charset=utf-8", headers=PLAIN_PAGE)


@router.get("/{station}/parts.csv")
def table(station: str, workspace: Shown, shift: Shift = "") -> Response:
    """All looks of a shift, else of the newest, a line for each region."""
    journal = opened(workspace, station)
    span = Span(shift or newest_shift(journal))
    name = "".join(c if c.isalnum() and c.isascii() else "-" for c in f"{station} {span.shift}")
    headers = {"Content-Disposition": f'attachment; filename="{quote(name)}.csv"'}
    told = _lines(journal, span)
    return StreamingResponse(told, media_type="text/csv; charset=utf-8", headers=headers)


def _lines(journal: Journal, span: Span) -> Generator[str]:
    waiting: list[str] = []
    with closing(journal):
        for line in csv_lines(journal.each(span)):
            waiting.append(line)
            if len(waiting) == AT_ONCE:
                yield "".join(waiting)
                waiting.clear()
        yield "".join(waiting)

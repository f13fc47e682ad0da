"""Jobs in words: what they do, and how they stand."""

import re
from urllib.parse import quote

from nicegui import ui

from tenfold.jobs import Job
from tenfold.web.api.jobs import stop
from tenfold.web.console.parts import Cell, Column, badge, button, link, table, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

KINDS = {
    "ingest": "Read pictures into {about}",
    "make": "Make {about}",
    "fleet": "Make the fleet {about}",
    "retrain": "Train {about} anew",
    "teach": "Teach part {about}",
}
STATES = {
    "waits": "Waiting",
    "runs": "Under way",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


UPLOAD = re.compile(r"\S*/uploads/[0-9a-f]{32}(/pictures-[0-9a-f]+)?")
TEXT_FILE = re.compile(r"\S*/jobs/[0-9a-f]{32}\.yaml")


def plain(say: Text, text: str) -> str:
    """Without the names of the hub's own folders."""
    return TEXT_FILE.sub(say("the task"), UPLOAD.sub(say("the upload"), text))


def bar_of_pictures(say: Text, done: int, total: int) -> None:
    told = say("{done} of {total} pictures", done=say.number(done), total=say.number(total))
    bar(told, done, total)


def bar(told: str, done: int, total: int) -> None:
    """How much of it is done, in words above a line that fills."""
    words(told, tag="small")
    with ui.element("div").classes("progress").props('role="progressbar"') as made:
        made.props.update({"aria-valuemin": 0, "aria-valuemax": total, "aria-valuenow": done})
        made.props["aria-label"] = told
        ui.element("div").style(f"width: {100 * done / max(total, 1):.1f}%")


def cancel_button(visitor: Visitor, key: str) -> None:
    async def cancel() -> None:
        if await visitor.do("make", stop, visitor.jobs, key):
            ui.notify(visitor.say("It is asked to end."), position="top")

    button(visitor.say("Cancel"), cancel, kind="danger")


def state_badge(say: Text, state: str) -> None:
    badge(state, say(STATES.get(state, state)))


def title_of(say: Text, job: Job) -> str:
    """Such as `Make cracks`."""
    return say(KINDS.get(job.kind, "{about}"), about=job.about or "…")


def place_of(job: Job) -> str:
    return f"/jobs/{quote(job.key, safe=':/')}"


def jobs_table(say: Text, jobs: list[Job]) -> None:
    columns = [Column(say("Job")), Column(say("State")), Column(say("Asked for"))]
    table(columns, [_row(say, job) for job in jobs], label=say("Newest jobs"))


def _row(say: Text, job: Job) -> list[Cell]:
    return [
        lambda: link(title_of(say, job), place_of(job)),
        lambda: state_badge(say, job.state),
        say.moment(job.asked_at),
    ]

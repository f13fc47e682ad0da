"""Jobs in words: what they do, and how they stand."""

from urllib.parse import quote

from tenfold.jobs import Job
from tenfold.web.console.parts import Cell, Column, badge, link, table
from tenfold.web.console.text import Text

KINDS = {
    "ingest": "Read pictures into {about}",
    "make": "Make {about}",
    "retrain": "Train {about} anew",
}
STATES = {
    "waits": "Waiting",
    "runs": "Under way",
    "done": "Done",
    "failed": "Failed",
    "cancelled": "Cancelled",
}


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

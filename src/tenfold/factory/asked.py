"""What the hub is asked for and does as jobs: read an upload into the catalog, make a task or
a fleet.

Each is the command's own verb in a process of its own, and tells how far it is. A verb may be
repeated, so a job that was killed is done again; one whose outcome was told is not.
"""

import os
import threading
import time
from collections.abc import Callable
from dataclasses import asdict
from pathlib import Path
from typing import Any

from tenfold import errors, formats, jobs
from tenfold.atomic import write_bytes
from tenfold.errors import DataError, TenfoldError, Unavailable
from tenfold.factory import telling
from tenfold.factory.fleet_asked import fleet_made
from tenfold.factory.ingest import ingest
from tenfold.factory.make import make_all
from tenfold.factory.telling import Teller
from tenfold.factory.uploads import Uploads
from tenfold.formats.guess import guess
from tenfold.formats.row import Rejected
from tenfold.values import Progress
from tenfold.workspace import opened

CANCELLED = 75
"""Exit code of a process that found that its job is not wanted any more."""
LOOK_S = 0.3
TELL_S = 0.5
"""Between two lines about one stage."""


def make_in_child(home: str, job: str, task: str, actor: str = "") -> None:
    """Make a task (YAML text) for whoever asked; `job` names where its progress is told."""
    in_child(home, job, make_told, {"task": task, "actor": actor})


def fleet_in_child(home: str, job: str, fleet: str, actor: str = "") -> None:
    """Make every task of a fleet (YAML text)."""
    in_child(home, job, fleet_told, {"fleet": fleet, "actor": actor})


def ingest_in_child(home: str, job: str, actor: str = "", **asked: Any) -> None:
    """Read uploads, or a folder, into the catalog; see `ingest_told`."""
    in_child(home, job, ingest_told, {"asked": asked, "actor": actor})


def make_told(home: str, job: str, task: str, actor: str) -> None:
    """`make` in this process; an empty actor: whoever runs it."""

    def verb(progress: Progress) -> dict[str, Any]:
        file = text_file(Path(home), job)
        write_bytes(file, task.encode())
        with opened(home, actor=actor or None) as workspace:
            return make_all(workspace, [str(file)], progress=progress).as_json()

    tell(home, job, verb)


def fleet_told(home: str, job: str, fleet: str, actor: str) -> None:
    """`make` of a fleet in this process."""

    def verb(progress: Progress) -> dict[str, Any]:
        file = text_file(Path(home), job)
        write_bytes(file, fleet.encode())
        with opened(home, actor=actor or None) as workspace:
            return fleet_made(workspace, job, file, progress=progress)

    tell(home, job, verb)


def text_file(home: Path, job: str) -> Path:
    """Where the text lies that a job was asked to make."""
    return telling.place(home, job).with_suffix(".yaml")


def ingest_told(home: str, job: str, asked: dict[str, Any], actor: str) -> None:
    """`ingest` in this process, `asked` with `name`, `format`, and `uploads` or else a `folder`
    below the home's `uploads`."""
    name, format_name = asked["name"], asked["format"]

    def verb(progress: Progress) -> dict[str, Any]:
        kept = Uploads.of(Path(home))
        uploads: list[str] = asked["uploads"]
        source = kept.unpacked(uploads) if uploads else kept.folder_of(asked["folder"])
        _check_inside(source, format_name)
        with opened(home, actor=actor or None) as workspace:
            read = ingest(workspace, source, name=name, format=format_name, progress=progress)
        return {"dataset": asdict(read.dataset), "sentences": read.sentences}

    tell(home, job, verb)


def in_child(home: str, job: str, run: Callable[..., None], arguments: dict[str, Any]) -> None:
    """Have `run` done in a process of its own, unless its outcome was told already.

    Raises:
        TenfoldError: it failed, or was cancelled.
    """
    teller = Teller(Path(home), job)
    if teller.outcome() is None:
        target = f"{run.__module__}:{run.__name__}"
        try:
            jobs.in_child(target, home, {"job": job, **arguments})
        except Unavailable as error:
            is_cancelled = telling.is_cancelled(Path(home), job)
            teller.tell("cancelled" if is_cancelled else "failed", problem=str(error.args[0]))
    outcome = teller.outcome()
    if outcome is not None and outcome.kind != "done":
        kind: type[TenfoldError] = getattr(errors, outcome.detail.get("error", ""), Unavailable)
        raise kind(str(outcome.detail.get("problem", outcome.kind)))


def tell(home: str, job: str, verb: Callable[[Progress], dict[str, Any]]) -> None:
    """Do it, and tell how it goes and what came of it."""
    teller = Teller(Path(home), job)
    threading.Thread(target=_end_when_cancelled, args=(Path(home), job), daemon=True).start()
    teller.tell("begins")
    told: dict[str, float] = {}

    def progress(stage: str, done: int, total: int) -> None:
        now = time.monotonic()
        if done == total or now - told.get(stage, -TELL_S) >= TELL_S:
            told[stage] = now
            teller.tell("progress", stage=stage, done=done, total=total)

    try:
        result = verb(progress)
    except TenfoldError as error:
        place = f"{error.where}: " if error.where else ""
        problem = f"{place}{error.args[0]}"
        teller.tell("failed", error=type(error).__name__, problem=problem, hint=error.hint)
    else:
        teller.tell("done", result=result)


def _end_when_cancelled(home: Path, job: str) -> None:
    while not telling.is_cancelled(home, job):
        time.sleep(LOOK_S)
    os._exit(CANCELLED)


def _check_inside(source: Path, format_name: str | None) -> None:
    """What strangers sent names no file of this machine.

    Raises:
        DataError: a row names a file outside.
    """
    inside = source.resolve()
    for row in formats.named(guess(source, format_name=format_name).format).read(source):
        paths = () if isinstance(row, Rejected) else (row.path, row.mask)
        for path in filter(None, paths):
            if not (inside / path).resolve().is_relative_to(inside):
                raise DataError(
                    f"{path!r} is outside of what was sent.",
                    where=source.name,
                    hint="Name files by their path within the upload.",
                )

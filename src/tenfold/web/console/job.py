"""A job as it goes on: how far it is, and what came of it."""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from nicegui import ui

from tenfold.factory import telling
from tenfold.factory.judge import Verdict
from tenfold.factory.telling import LAST, Event
from tenfold.jobs import OVER, Job, Jobs
from tenfold.web.console import fleet_job, verdicts
from tenfold.web.console.frame import title
from tenfold.web.console.job_words import (
    bar_of_pictures,
    cancel_button,
    plain,
    state_badge,
    title_of,
)
from tenfold.web.console.parts import badge, card, link, words
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

LOOK_S = 0.5
STEPS = {
    "ingest": ("ingest",),
    "make": ("embed", "judge"),
    "retrain": ("judge",),
    "teach": ("align", "embed", "judge"),
}
"""What a kind of job goes through, once it has begun."""
STAGES = {
    "ingest": "Reading the pictures",
    "align": "Finding the part in the pictures",
    "embed": "Looking at the pictures",
    "judge": "Learning and judging",
}


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of a job."""

    job: Job
    stages: dict[str, tuple[int, int]]
    """Done and total of each stage that told."""
    has_begun: bool
    last: Event | None
    """What came of it."""

    @property
    def state(self) -> str:
        """What was told is known before the job's own record says so."""
        return self.last.kind if self.last else self.job.state

    @property
    def is_over(self) -> bool:
        return self.state in OVER


async def screen(visitor: Visitor) -> None:
    say, key = visitor.say, visitor.given("job")
    if (await visitor.read(_job, visitor.jobs, key)).kind == "fleet":
        await fleet_job.screen(visitor, key)
        return
    seen = await visitor.read(_look, visitor.jobs, key)
    title(title_of(say, seen.job))
    under = words("", classes="under")
    box = ui.element("div").classes("columns")
    _draw(visitor, seen, box, under.set_text)

    async def look() -> None:
        nonlocal seen
        now = await visitor.read(_look, visitor.jobs, key)
        if now != seen:
            seen = now
            _draw(visitor, seen, box, under.set_text)
        if seen.is_over:
            timer.deactivate()

    timer = ui.timer(LOOK_S, look, active=not seen.is_over)


def _draw(visitor: Visitor, seen: Seen, box: ui.element, tell: Callable[[str], object]) -> None:
    say, job = visitor.say, seen.job
    at = say.moment(job.asked_at)
    tell(
        say("Asked for {at}.", at=at)
        if seen.is_over
        else say("Asked for {at}. You may leave this page: the hub goes on with it.", at=at)
    )
    box.clear()
    with box:
        with card(say("How far it is")):
            with ui.element("div"):
                state_badge(say, seen.state)
            _steps(say, seen)
            if not seen.is_over and visitor.may("make"):
                with ui.element("div"):
                    cancel_button(visitor, job.key)
        if seen.is_over:
            with card(say("What came of it")):
                _outcome(visitor, seen)


def _steps(say: Text, seen: Seen) -> None:
    """Each stage: behind it, in it, or still before it."""
    stages = STEPS.get(seen.job.kind, ("judge",))
    is_done = seen.state == "done"
    at = _stage_at(seen, stages)
    with ui.element("ol").classes("stages"):
        _step(say("Waiting for its turn"), "past" if seen.has_begun or is_done else "now")
        for number, stage in enumerate(stages):
            is_past = is_done or number < at
            state = "past" if is_past else "now" if number == at and seen.has_begun else ""
            if seen.is_over and not is_done and state == "now":
                state = "ill"
            with _step(say(STAGES[stage]), state):
                if stage in seen.stages and state in ("now", "ill"):
                    bar_of_pictures(say, *seen.stages[stage])
                elif stage in seen.stages:
                    done = seen.stages[stage][0]
                    words(say("{count} pictures", count=say.number(done)), tag="small")


def _stage_at(seen: Seen, stages: tuple[str, ...]) -> int:
    """Pictures that were looked at before are not looked at again: then that stage tells nothing,
    and the next one may be under way already."""
    for number, stage in enumerate(stages):
        done, total = seen.stages.get(stage, (0, 0))
        if stage in seen.stages and done < total:
            return number
    told = [number for number, stage in enumerate(stages) if stage in seen.stages]
    return min(max(told, default=-1) + 1, len(stages) - 1)


def _step(text: str, state: str) -> ui.element:
    with ui.element("li").classes(state) as made:
        ui.element("span").classes("mark").props('aria-hidden="true"')
        words(text, tag="span")
        inside = ui.element("div")
    if state == "now":
        made.props["aria-current"] = "step"
    return inside


def _outcome(visitor: Visitor, seen: Seen) -> None:
    say, last = visitor.say, seen.last
    if seen.state == "cancelled":
        words(say("It was cancelled; nothing came of it."))
    elif seen.state == "failed":
        _problem(say, seen)
    elif last is not None and "dataset" in last.detail.get("result", {}):
        _dataset(visitor, last.detail["result"]["dataset"])
    elif last is not None and last.detail.get("result", {}).get("made"):
        for made in last.detail["result"]["made"]:
            _model(say, made)
    elif last is not None and "taught" in last.detail.get("result", {}):
        _taught(visitor, last.detail["result"])
    elif seen.job.kind == "retrain":
        words(say("The deployment says what came of it."))
        link(seen.job.about, f"/deployments/{quote(seen.job.about)}")
    else:
        words(say("It is done."))


def _problem(say: Text, seen: Seen) -> None:
    told = seen.last.detail if seen.last else {"problem": seen.job.problem}
    if seen.job.kind == "ingest" and told.get("error") == "Conflict":
        words(
            say(
                "A dataset called {name} exists already. Upload the pictures again under another "
                "name.",
                name=seen.job.about,
            )
        )
    else:
        words(retold(say, plain(say, str(told.get("problem", "")))), classes="wrong")
        words(retold(say, plain(say, str(told.get("hint", "")))))
    with ui.element("div"):
        if seen.job.kind == "ingest":
            link(say("Back to the datasets"), "/datasets", classes="button")
        elif seen.job.kind == "make":
            to = f"/make?job={quote(seen.job.key)}"
            link(say("Back to the task"), to, classes="button")
        elif seen.job.kind == "teach":
            link(say("Line"), "/line", classes="button")


def _dataset(visitor: Visitor, told: dict[str, object]) -> None:
    say, name = visitor.say, str(told["name"])
    words(
        say("{count} pictures are in {name}.", count=say.number(_int(told["size"])), name=name)
    ).style("font-weight: 600")
    aside = _int(told["set_aside"])
    if aside:
        words(say("{count} files were set aside; the dataset says why.", count=say.number(aside)))
    with ui.element("div").classes("row"):
        if visitor.may("make"):
            to = f"/make?dataset={quote(name)}"
            link(say("Make a model from it"), to, classes="button primary")
        link(say("Look through the pictures"), f"/datasets/{quote(name)}", classes="button")


def _model(say: Text, made: dict[str, object]) -> None:
    verdict = Verdict.from_json(made["verdict"])  # pyright: ignore[reportArgumentType]
    task = str(made["task"])
    with ui.element("div").classes("row"):
        words(task, tag="strong")
        badge(verdict.status, say(verdict.status))
    words(say(verdicts.MEANING[verdict.status]))
    with ui.element("ul").classes("dots"):
        for bound in verdicts.asked(verdict):
            words(verdicts.claim(say, bound), tag="li")
    words(say("What to do now"), tag="h3")
    with ui.element("ul").classes("dots"):
        for step in verdicts.next_steps(say, verdict):
            words(step, tag="li")
    if made["was_found"]:
        words(say("It was there already: nothing had to be made anew."), classes="muted")
    with ui.element("div"):
        link(say("See the model"), f"/models/{quote(task)}", classes="button primary")


def _taught(visitor: Visitor, told: dict[str, Any]) -> None:
    """What is proven of a part that was taught at a line, and where it goes on."""
    say = visitor.say
    first, *rest = told["told"]
    words(retold(say, first)).style("font-weight: 600")
    with ui.element("ul").classes("dots"):
        for line in rest:
            words(retold(say, line), tag="li")
    if told["mode"] == "shadow":
        words(
            say(
                "It is in shadow: a person decides about each part until it is live. What they say "
                "proves more with each part."
            )
        )
    station = quote(str(told["station"]))
    with ui.element("div").classes("row"):
        to = f"/line/{station}/engineer#taught"
        link(say("See the part"), to, classes="button primary")
        link(say("Station"), f"/line/{station}", classes="button")


def _int(value: object) -> int:
    return value if isinstance(value, int) else 0


def _job(_: Workspace, jobs: Jobs, key: str) -> Job:
    return jobs.get(key)


def _look(workspace: Workspace, jobs: Jobs, key: str) -> Seen:
    """From its own record, and the lines that it told."""
    job = jobs.get(key)
    told = telling.events(workspace.settings.home, key)
    stages = {
        str(one.detail["stage"]): (int(one.detail["done"]), int(one.detail["total"]))
        for one in told
        if one.kind == "progress"
    }
    last = told[-1] if told and told[-1].kind in LAST else None
    return Seen(job, stages, bool(told) or job.state != "waits", last)

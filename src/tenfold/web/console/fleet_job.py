"""A fleet as it is made: how far it is, what came of its tasks, and what needs a person."""

from collections.abc import Sequence
from dataclasses import dataclass, field, replace
from decimal import Decimal
from typing import Any
from urllib.parse import quote, urlencode

from nicegui import ui

from tenfold.catalog import ledger, models
from tenfold.catalog.models import Model
from tenfold.errors import TenfoldError
from tenfold.factory import exceptions, telling
from tenfold.factory.report.words import THIN
from tenfold.factory.shortfall import Shortfall
from tenfold.factory.telling import LAST, Event
from tenfold.jobs import OVER, Job, Jobs
from tenfold.ledger.cost import NOTHING, cost_of, money
from tenfold.web.console import fleet_exceptions
from tenfold.web.console.exports import prices_of
from tenfold.web.console.frame import title
from tenfold.web.console.job_words import (
    bar,
    bar_of_pictures,
    cancel_button,
    plain,
    state_badge,
    title_of,
)
from tenfold.web.console.models import STATES
from tenfold.web.console.parts import TONES, card, facts, figure, link, words
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

LOOK_S = 1.0
PAGE = 50
RATE_S = 120.0
"""The rate is that of so many last seconds."""


@dataclass(frozen=True, slots=True)
class Seen:
    """What is known of the job; read on from where it was read to."""

    job: Job
    after: int = 0
    embed: tuple[int, int] | None = None
    """Pictures that passed the trunk, and of how many."""
    counts: dict[str, int] = field(default_factory=dict[str, int])
    of: int = 0
    moments: tuple[tuple[float, int], ...] = ()
    """(seconds since it began, tasks done), the newest last."""
    last: Event | None = None
    cost: tuple[Decimal, str] | None = None
    lacking: tuple[Shortfall, ...] = ()
    """The exceptions of this page, and one more if there are more."""

    @property
    def state(self) -> str:
        return self.last.kind if self.last else self.job.state

    @property
    def is_over(self) -> bool:
        return self.state in OVER

    @property
    def done(self) -> int:
        return sum(number for state, number in self.counts.items() if state != "left out")

    @property
    def result(self) -> dict[str, Any]:
        return self.last.detail.get("result", {}) if self.last else {}

    @property
    def a_minute(self) -> float | None:
        """Tasks a minute, of late."""
        if len(self.moments) < 2:
            return None
        (began, before), (now, done) = self.moments[0], self.moments[-1]
        return 60 * (done - before) / (now - began) if now > began else None


async def screen(visitor: Visitor, key: str) -> None:
    given = visitor.given("from", "0")
    offset = int(given) if given.isascii() and given.isdigit() and len(given) < 8 else 0
    seen = await visitor.read(look, visitor.jobs, key, None, offset)
    title(title_of(visitor.say, seen.job))
    under = words(_asked(visitor.say, seen), classes="under")
    figures = ui.element("div").classes("figures tight")
    around = ui.element("div").classes("columns")
    below = ui.element("div")

    async def show(seen: Seen, before: Seen | None) -> None:
        under.set_text(_asked(visitor.say, seen))
        figures.clear()
        with figures:
            _figures(visitor.say, seen)
        around.clear()
        with around:
            _progress(visitor, seen)
            _outcome(visitor, seen)
        if before is None or before.lacking != seen.lacking or before.is_over != seen.is_over:
            found = await visitor.read(_models, seen.lacking[:PAGE])
            below.clear()
            with below, card(visitor.say("What needs a person")):
                _exceptions(visitor, seen, found, offset)

    async def again() -> None:
        nonlocal seen
        before, seen = seen, await visitor.read(look, visitor.jobs, key, seen, offset)
        if before != seen:
            await show(seen, before)
        if seen.is_over:
            timer.deactivate()

    await show(seen, None)
    timer = ui.timer(LOOK_S, again, active=not seen.is_over)


def look(workspace: Workspace, jobs: Jobs, key: str, before: Seen | None, offset: int) -> Seen:
    """What is known now; `before` was known, so that only what is new is read."""
    job, home = jobs.get(key), workspace.settings.home
    seen = replace(before, job=job) if before else Seen(job)
    for event in telling.events(home, key, after=seen.after):
        seen = replace(_after(seen, event), after=event.after)
    if before is not None and before.counts == seen.counts and before.state == seen.state:
        return seen
    lacking = exceptions.page(home, key, offset=offset, limit=PAGE + 1)
    return replace(seen, lacking=tuple(lacking), cost=_cost(workspace, job.about))


def _after(seen: Seen, event: Event) -> Seen:
    detail = event.detail
    match event.kind:
        case "begins":  # once more, after the hub was stopped
            return Seen(seen.job)
        case "progress" if detail["stage"] == "embed":
            return replace(seen, embed=(int(detail["done"]), int(detail["total"])))
        case "counts":
            counts: dict[str, int] = detail["counts"]
            now = float(detail["seconds"])
            late = tuple(one for one in seen.moments if one[0] >= now - RATE_S)
            told = replace(seen, counts=counts, of=int(detail["of"]))
            return replace(told, moments=(*late, (now, told.done)))
        case kind if kind in LAST:
            return replace(seen, last=event)
        case _:
            return seen


def _cost(workspace: Workspace, fleet: str) -> tuple[Decimal, str] | None:
    """All that the ledger holds of the fleet; None where it cannot be priced: Settings say why."""
    try:
        prices = prices_of(workspace)
    except TenfoldError:
        return None
    sums = ledger.sums(workspace.scope, by=(), fleet=fleet)
    return sum((cost_of(one, prices) for one in sums), NOTHING).total, prices.currency


def _models(workspace: Workspace, some: Sequence[Shortfall]) -> dict[str, Model]:
    return models.find_all(workspace.scope, [one.model for one in some if one.model])


def _asked(say: Text, seen: Seen) -> str:
    at = say.moment(seen.job.asked_at)
    if seen.is_over:
        return say("Asked for {at}.", at=at)
    return say("Asked for {at}. You may leave this page: the hub goes on with it.", at=at)


def _figures(say: Text, seen: Seen) -> None:
    told = say("of {of} done", of=say.number(seen.of)) if seen.of else say("done")
    figure(say.number(seen.done), told, to=_place(seen.job.about))
    for state in (*STATES, "failed", "left out"):
        number = seen.counts.get(state, 0)
        if state in STATES[:3] or number:
            to = _place(seen.job.about, status=state) if state in STATES else ""
            tone = TONES.get(state, "plain") if number else "plain"
            figure(say.number(number), say(state), to=to, tone=tone)


def _place(fleet: str, **more: str) -> str:
    return f"/models?{urlencode({'fleet': fleet, **more})}"


def _progress(visitor: Visitor, seen: Seen) -> None:
    say = visitor.say
    with card(say("How far it is")):
        with ui.element("div"):
            state_badge(say, seen.state)
        if seen.embed and not seen.is_over and not seen.done:
            words(say("Looking at the pictures"), tag="strong")
            bar_of_pictures(say, *seen.embed)
        if seen.of:
            told = say("{done} of {of} tasks", done=say.number(seen.done), of=say.number(seen.of))
            with ui.element("div"):
                bar(told, seen.done, seen.of)
        elif not seen.is_over:
            words(say("Its tasks are being read."), classes="muted")
        pairs = _pace(say, seen)
        if seen.cost:
            amount, currency = seen.cost
            cost = money(amount, currency).replace(",", THIN)
            pairs.append((say("Cost of the fleet so far"), cost))
        facts(pairs)
        if seen.cost:
            words(
                say("Embedding is booked to the dataset; the ledger shares it out by fleet."),
                classes="muted small",
            )
        if not seen.is_over and visitor.may("make"):
            with ui.element("div"):
                cancel_button(visitor, seen.job.key)
            words(
                say(
                    "What is made already stays when it is cancelled, and is found when the fleet "
                    "is asked for again. Other jobs wait meanwhile."
                ),
                classes="muted small",
            )


def _pace(say: Text, seen: Seen) -> list[tuple[str, Any]]:
    rate = seen.a_minute
    if seen.is_over:
        seconds = seen.result.get("seconds")
        return [(say("It took"), duration(say, float(seconds)))] if seconds else []
    if not rate:
        return []
    left = (seen.of - seen.done) / rate * 60
    return [
        (say("Done in a minute"), say.number(round(rate)) if rate >= 10 else f"{rate:.1f}"),
        (say("Time left, about"), duration(say, left)),
    ]


def duration(say: Text, seconds: float) -> str:
    """To the minute, or under two minutes to the second."""
    if seconds < 120:
        return say("{seconds} s", seconds=round(seconds))
    hours, minutes = divmod(round(seconds / 60), 60)
    if hours:
        return say("{hours} h {minutes} min", hours=hours, minutes=minutes)
    return say("{minutes} min", minutes=minutes)


def _outcome(visitor: Visitor, seen: Seen) -> None:
    say, fleet = visitor.say, seen.job.about
    with card(say("What came of it") if seen.is_over else say("What is there already")):
        if seen.state == "failed":
            told = seen.last.detail if seen.last else {"problem": seen.job.problem}
            words(retold(say, plain(say, str(told.get("problem", "")))), classes="wrong")
            words(retold(say, plain(say, str(told.get("hint") or ""))))
        elif seen.state == "cancelled":
            words(say("It was cancelled. What was made until then stays."))
        elif seen.result:
            _proven(say, seen.result)
        elif seen.is_over:
            words(say("What it told is kept no longer; its models are."))
        else:
            words(say("Each model can be looked at as soon as it is counted."))
        with ui.element("div").classes("row"):
            kind = "button primary" if seen.is_over else "button"
            link(say("Models of the fleet"), _place(fleet), classes=kind)
            link(say("What it cost"), "/ledger?by=fleet", classes="button")
            if visitor.may("make"):
                to = f"/make?job={quote(seen.job.key)}"
                link(say("Edit the fleet"), to, classes="button")


def _proven(say: Text, result: dict[str, Any]) -> None:
    expected = float(result["expected_false"])
    words(
        say(
            "At most {count} of the judged are expected to be accepted by chance, were every one "
            "just at its bar.",
            count=f"{expected:.2g}",
        )
    )
    if result["fdr"] is not None:
        words(
            say(
                "At a false discovery rate of {rate}, {count} of the accepted stand.",
                rate=say.percent(float(result["fdr"])),
                count=say.number(int(result["stand"])),
            )
        )
    words(
        say(
            "{questions} different questions; {found} were made before.",
            questions=say.number(int(result["questions"])),
            found=say.number(int(result["found"])),
        ),
        classes="muted",
    )
    if result["counts"].get("left out"):
        words(say("The budget was spent: make the fleet again, and it goes on with the rest."))


def _exceptions(visitor: Visitor, seen: Seen, found: dict[str, Model], offset: int) -> None:
    say, key = visitor.say, seen.job.key
    if not seen.lacking:
        words(
            say("No model was refused or left undecided.")
            if seen.is_over
            else say("Nothing so far."),
            classes="muted",
        )
        return
    words(
        say("What was not accepted, the cheapest to mend first.")
        if seen.result
        else say("What was not accepted so far; at the end, the cheapest to mend come first."),
        classes="muted",
    )
    fleet_exceptions.show(visitor, seen.lacking[:PAGE], found, job=key)
    with ui.element("nav").classes("row") as pages:
        pages.props["aria-label"] = say("Pages")
        here = f"/jobs/{quote(key, safe=':/')}"
        total = seen.result.get("exceptions", offset + len(seen.lacking))
        first, last = offset + 1, offset + len(seen.lacking[:PAGE])
        if offset or len(seen.lacking) > PAGE:
            span = f"{say.number(first)}–{say.number(last)}"
            told = say("{shown} of {total} shown", shown=span, total=say.number(int(total)))
            words(told, tag="span", classes="muted")
        if offset:
            link(say("Back to the first"), here, classes="button")
        if len(seen.lacking) > PAGE:
            link(say("Next {count}", count=PAGE), f"{here}?from={last}", classes="button")

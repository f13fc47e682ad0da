"""What the watch and the audits of a loop have measured, in words and strokes."""

from nicegui import ui

from tenfold.loop import watch
from tenfold.loop.describing import Closely
from tenfold.loop.error_rates import ErrorRates
from tenfold.web.console.parts import badge, heading, words
from tenfold.web.console.proven import in_words, interval, standing
from tenfold.web.console.retold import ALARMS, retold
from tenfold.web.console.text import Text


def alarms(say: Text, loop: Closely) -> None:
    """Changes that are proven."""
    state = loop.state.watch
    found = watch.alarms(loop.rules.watch, watch.State.from_json(state)) if state else ()
    for alarm in found:
        with ui.element("div").classes("alarm").props('role="status"'):
            words(say(ALARMS.get(alarm.kind, alarm.kind)), tag="span", classes="badge bad")
            words(retold(say, alarm.reason))


def rates(say: Text, loop: Closely) -> None:
    """How often production is wrong, against the bar."""
    found, bar = loop.rates, loop.bar
    heading(say("Wrong in production, proven by audits"), 3)
    asked = [
        (rate, limit)
        for rate in (found.rates if found else ())
        if bar is not None and (limit := getattr(bar, rate.name)) is not None
    ]
    if found is None or not asked or not found.answers:
        words(
            say(
                "Nothing is proven yet: some answers are drawn by lot, and people say what they "
                "show."
            ),
            classes="muted",
        )
        return
    for rate, limit in asked:
        ends = rate.lower, rate.upper
        with ui.element("div").classes("rate"):
            with ui.element("div"):
                with ui.element("div").classes("pair"):
                    words(say(rate.name), tag="strong")
                    standing(say, ends, limit)
                words(_seen(say, rate.seen, ends), classes="muted small")
            interval(say, say(rate.name), ends, limit, seen=rate.seen)
    _of_which(say, found)


def _seen(say: Text, seen: float | None, ends: tuple[float, float]) -> str:
    proven = in_words(say, ends)
    if seen is None:
        return say("no audit says it yet; {proven}", proven=proven)
    return say("{seen} seen, {proven}", seen=say.percent(seen), proven=proven)


def _of_which(say: Text, found: ErrorRates) -> None:
    if found.later and found.answers:
        words(
            say(
                "That is of the first {some} of {all} answers: too many later audits wait for "
                "people.",
                some=say.number(found.answers),
                all=say.number(found.answers + found.later),
            ),
            classes="muted small",
        )
    unknown = (
        ("nobody said yet: {count}", found.waiting),
        ("nobody can tell: {count}", found.unknowable),
        ("the picture was gone or drawn before: {count}", found.lost),
    )
    told = [say(pattern, count=say.number(number)) for pattern, number in unknown if number]
    if told:
        words(
            say("Drawn answers that count as the worst: {which}.", which=say(", ").join(told)),
            classes="muted small",
        )


def changes(say: Text, loop: Closely) -> None:
    """Every share that is watched, against the limit that it may reach by chance."""
    if not loop.state.watch:
        return
    state = watch.State.from_json(loop.state.watch)
    with ui.element("details").classes("more"):
        words(
            say("What is watched: {count} answers so far", count=say.number(state.seen)),
            tag="summary",
        )
        for kind, share in state.shares.items():
            ends = max(share.lower, share.bound.lower), share.bound.upper
            with ui.element("div").classes("rate"):
                with ui.element("div"):
                    with ui.element("div").classes("pair"):
                        words(say(ALARMS.get(kind, kind)), tag="strong")
                        if share.alarmed_at:
                            badge("failed", say("changed"))
                        else:
                            badge("done", say("as usual"))
                    words(retold(say, watch.WORDS[kind]), classes="muted small")
                if share.limit < 1:
                    limit = say("limit")
                    interval(say, say(ALARMS.get(kind, kind)), ends, share.limit, limit_name=limit)

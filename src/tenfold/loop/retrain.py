"""What a deployment's loop does next: make anew, try, ask a person, promote, undo, or wait.

Pure: everything that is known goes in, one action comes out. Doing an action twice does no more
than doing it once, so a loop that was killed looks at what is known and goes on.
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Annotated, Literal

from pydantic import Field

from tenfold.loop.rollout import CanaryDecision, Decision
from tenfold.specs.yaml_file import Part

Trigger = Literal["alarm", "miss", "labels", "calendar"]
Stage = Literal["shadow", "canary"]
STAGES: tuple[Stage, ...] = ("shadow", "canary")


class Rule(Part):
    """When a deployment's model is made anew."""

    labels: Annotated[int, Field(ge=1)] | None = 100
    """So many new labels since the last try; null: never for labels alone. Here and below: twice
    as many after each try in vain."""
    alarm: bool = True
    """When the watch alarms, as soon as `labels_after_alarm` came after it."""
    labels_after_alarm: Annotated[int, Field(ge=1)] = 20
    """Labels since the alarm without which it has taught nothing yet."""
    misses: Annotated[int, Field(ge=1)] | None = 1
    """So many newly reported misses; null: never for misses alone."""
    every_days: Annotated[int, Field(ge=1)] | None = None
    """Calendar; null: never for the calendar alone. Without new labels nothing is made."""
    rest_minutes: Annotated[float, Field(ge=0)] = 10.0
    """Between two tries, whatever happens: each costs a look at the judge's samples."""


MOST_DOUBLINGS = 4
"""Of the labels that are waited for. Each try spends of what the bar may be wrong by, so a loop
that tried again and again on little would end with a bar that nothing can pass."""


@dataclass(frozen=True, slots=True)
class Candidate:
    """What the last try made."""

    model: str
    status: str
    """Of its verdict: only what is accepted is tried."""
    is_over: bool
    """Whether it was given up, undone or promoted."""


@dataclass(frozen=True, slots=True)
class Situation:
    """All that is known of one deployment."""

    now: datetime
    live: str
    shadow: str = ""
    canary: str = ""
    """Models; empty: none."""
    is_retired: bool = False
    alarms: int = 0
    """Kinds of change that are alarmed since the last try."""
    new_labels: int = 0
    """Pictures that people agreed on since the last try."""
    labels_since_alarm: int = 0
    """Of those, the ones that people agreed on after the first alarm."""
    is_older_than_alarm: bool = False
    """Whether the last try knew nothing of what is alarmed."""
    new_misses: int = 0
    in_vain: int = 0
    """Tries that did not become live, since something did or since the first alarm."""
    last_try: datetime | None = None
    began: datetime | None = None
    """When the loop began; what the calendar counts from without a try."""
    is_making: bool = False
    candidate: Candidate | None = None
    shadow_says: Decision | None = None
    canary_says: CanaryDecision | None = None
    was_tried: bool = False
    """Whether the candidate has been on trial, now or before."""
    has_nod: bool = False
    """Whether a person approved the candidate."""
    has_veto: bool = False


@dataclass(frozen=True, slots=True)
class Wait:
    why: str


@dataclass(frozen=True, slots=True)
class Make:
    trigger: Trigger
    why: str


@dataclass(frozen=True, slots=True)
class Try:
    """Set a stage of the candidate's trial."""

    stage: Stage
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class AskPerson:
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class Promote:
    model: str
    why: str


@dataclass(frozen=True, slots=True)
class GiveUp:
    """End the trial; live stays."""

    model: str
    why: str


Action = Wait | Make | Try | AskPerson | Promote | GiveUp


def next_action(rule: Rule, seen: Situation, *, needs_nod: bool) -> Action:
    """The one thing to do now.

    A trial that is under way comes before the next try: one candidate at a time, so that what is
    seen of it is not mixed with what is seen of another. A shadow that is still not proven when
    labels for a better one are there is given up. A model that somebody set as shadow or
    canary by hand is that person's business.
    """
    if seen.is_retired:
        return Wait("It is retired.")
    tried = seen.candidate
    if tried is not None and not tried.is_over and tried.status == "accepted":
        return _on_trial(rule, seen, tried, needs_nod=needs_nod)
    by_hand = seen.canary or seen.shadow
    if by_hand:
        return Wait(f"Model {by_hand[:12]} was set on trial by hand.")
    if seen.is_making:
        return Wait("A new model is being made.")
    due = _due(rule, seen)
    if isinstance(due, Wait) or seen.last_try is None:
        return due
    rested = seen.last_try + timedelta(minutes=rule.rest_minutes)
    # a clock that was set back must not make the loop rest for years
    if seen.last_try <= seen.now < rested:
        return Wait(f"{due.why} The last try was less than {rule.rest_minutes:g} minutes ago.")
    return due


def _on_trial(rule: Rule, seen: Situation, tried: Candidate, *, needs_nod: bool) -> Action:
    if seen.has_veto:
        return GiveUp(tried.model, "A person said no.")
    if seen.canary == tried.model:
        said = seen.canary_says
        if said is None or said.action == "wait":
            return Wait(said.reason if said else "The canary has not answered yet.")
        if said.action == "roll_back":
            return GiveUp(tried.model, said.reason)
        return Promote(tried.model, said.reason)
    if seen.shadow == tried.model:
        return _after_shadow(rule, seen, tried, needs_nod=needs_nod)
    if seen.live == tried.model:
        return Promote(tried.model, "It is live already.")
    if seen.canary or seen.shadow:
        other = seen.canary or seen.shadow
        return GiveUp(tried.model, f"Model {other[:12]} was set on trial in its place.")
    if seen.was_tried:
        return GiveUp(tried.model, "It was taken off trial.")
    return Try("shadow", tried.model, "It is accepted.")


def _after_shadow(rule: Rule, seen: Situation, tried: Candidate, *, needs_nod: bool) -> Action:
    said = seen.shadow_says
    if said is None or said.action == "wait":
        if _is_overtaken(rule, seen):
            why = f"It is not proven, and {seen.new_labels:,} new labels make a better one."
            return GiveUp(tried.model, why)
        return Wait(said.reason if said else "The shadow has not answered yet.")
    if said.action == "keep":
        return GiveUp(tried.model, said.reason)
    if needs_nod and not seen.has_nod:
        return AskPerson(tried.model, said.reason)
    return Try("canary", tried.model, said.reason)


def _is_overtaken(rule: Rule, seen: Situation) -> bool:
    """Whether so many labels came since the shadow was made, or since an alarm that it knows
    nothing of, that the next try would be due had this one been in vain."""
    patience = _patience(seen.in_vain + 1)
    if rule.alarm and seen.is_older_than_alarm:
        return seen.labels_since_alarm >= rule.labels_after_alarm * patience
    return rule.labels is not None and seen.new_labels >= rule.labels * patience


def _patience(in_vain: int) -> int:
    """How many times as many labels are waited for."""
    return 2 ** min(in_vain, MOST_DOUBLINGS)


def _due(rule: Rule, seen: Situation) -> Make | Wait:
    """What asks for a new model, if anything does."""
    new, patience = f"{seen.new_labels:,} new labels", _patience(seen.in_vain)
    if rule.misses is not None and seen.new_misses >= rule.misses:
        return Make("miss", f"{seen.new_misses:,} missed defects were reported.")
    if rule.alarm and seen.alarms:
        since_alarm = f"{seen.labels_since_alarm:,} new labels since"
        wanted = rule.labels_after_alarm * patience
        if seen.labels_since_alarm >= wanted:
            return Make("alarm", f"The watch alarms, and there are {since_alarm}.")
        return Wait(f"The watch alarms; {since_alarm}, {wanted:,} are needed.")
    if rule.labels is not None and seen.new_labels >= rule.labels * patience:
        return Make("labels", f"There are {new}.")
    since = seen.last_try or seen.began
    if rule.every_days is not None and since is not None and seen.new_labels:
        age = seen.now - since
        if age < timedelta(0):  # one try sets it right
            return Make("calendar", f"The clock was set back, and there are {new}.")
        if age >= timedelta(days=rule.every_days):
            return Make("calendar", f"The last try was {age.days} days ago, and there are {new}.")
    return Wait(f"Nothing is due; {new}.")

"""What a model lacks, and the cheapest thing that would change it. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Literal

from tenfold.errors import TenfoldError
from tenfold.factory.judge import Verdict

SECONDS_A_LABEL = 5.0
"""Of a person, to label one picture."""
SECONDS_A_PERSON_LOOKS = 10.0
SHOWN_RUNGS = 3

Means = Literal["look", "labels", "rung", "work", "fix"]


@dataclass(frozen=True, slots=True)
class Shortfall:
    task: str
    status: str
    why: str
    next_step: str
    means: Means
    """`look` at suspect labels, `labels` to add, a higher `rung`, `work` on the data, `fix` what
    failed."""
    seconds: float
    """Of a person's time, roughly: what the list is ranked by."""
    suspects: tuple[str, ...] = ()
    """Pictures whose label may be wrong."""
    rungs: tuple[str, ...] = ()
    """Those that the ladder still has."""
    model: str = ""
    """Empty: none was made."""


def shortfall(
    task: str, verdict: Verdict, *, higher_rungs: Sequence[str], suspects: tuple[str, ...]
) -> Shortfall:
    """Of a model that was not accepted; `suspects` are pictures that it finds labelled wrongly."""
    missed = [b for b in verdict.bounds if b.limit is not None and not b.is_met]
    why = "; ".join(
        f"{b.name} {b.errors}/{b.n}, ≤ {b.upper:.1%} proven, {b.limit:.1%} asked" for b in missed
    )
    labels = sum(b.more or 0 for b in missed)
    solvable = bool(missed) and all(b.more for b in missed)

    def found(means: Means, seconds: float, step: str) -> Shortfall:
        rungs = tuple(higher_rungs[:SHOWN_RUNGS])
        return Shortfall(task, verdict.status, why, step, means, seconds, suspects, rungs)

    if higher_rungs and verdict.status == "refused":
        return found("rung", 0.0, f"Allow a higher rung: {', '.join(higher_rungs[:SHOWN_RUNGS])}.")
    if suspects and verdict.status == "refused":
        seconds = len(suspects) * SECONDS_A_PERSON_LOOKS
        return found("look", seconds, f"Look at the labels of {', '.join(suspects)}.")
    if solvable:
        wanted = ", ".join(f"about {b.more:,} of {b.of or 'any class'}" for b in missed)
        return found("labels", labels * SECONDS_A_LABEL, f"Add labels: {wanted}.")
    if higher_rungs:
        return found("rung", 0.0, f"Allow a higher rung: {', '.join(higher_rungs[:SHOWN_RUNGS])}.")
    hint = verdict.next_steps[0] if verdict.next_steps else "Look at the report's worst mistakes."
    return found("work", 3600.0, hint)


def failed(task: str, error: TenfoldError) -> Shortfall:
    place = f"{error.where}: " if error.where else ""
    step = error.hint or "See `tenfold make` of this task alone."
    return Shortfall(task, "failed", f"{place}{error.args[0]}", step, "fix", 60.0)


def ranked(shortfalls: Iterable[Shortfall]) -> tuple[Shortfall, ...]:
    """Cheapest first; what failed before what was refused at one price."""
    return tuple(sorted(shortfalls, key=lambda s: (s.seconds, s.status, s.task)))

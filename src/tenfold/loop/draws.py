"""How many answers a lot decided on, and on how many it fell, by kind of answer and probability."""

from collections.abc import Iterable, Sequence
from typing import Any, NamedTuple


class Draw(NamedTuple):
    """A list in JSON: every audit remembers all draws up to its own."""

    stratum: str
    probability: float
    answers: int = 0
    """Drawn or not."""
    drawn: int = 0


Draws = tuple[Draw, ...]
"""In the order in which each pair of stratum and probability was first in use."""


def add(draws: Draws, stratum: str, probability: float, *, is_drawn: bool) -> Draws:
    """With one answer more."""
    for i, one in enumerate(draws):
        if (one.stratum, one.probability) == (stratum, probability):
            more = one._replace(answers=one.answers + 1, drawn=one.drawn + is_drawn)
            return (*draws[:i], more, *draws[i + 1 :])
    return (*draws, Draw(stratum, probability, 1, int(is_drawn)))


def answers(draws: Iterable[Draw]) -> int:
    return sum(one.answers for one in draws)


def read(plain: Sequence[Sequence[Any]]) -> Draws:
    """Back from JSON."""
    return tuple(Draw(*one) for one in plain)

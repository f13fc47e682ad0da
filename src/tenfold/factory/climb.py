"""Which rung deserves a look at judge: decided on fit and calibrate alone. Pure."""

from collections.abc import Sequence

from tenfold.factory.fit import Trial
from tenfold.factory.judge import Count, judge
from tenfold.specs.bar import Bar


def is_promising(
    expected: Sequence[Count], judged: Sequence[tuple[str, int]], bar: Bar, *, look: int
) -> bool:
    """Whether this look would be accepted if judge showed the rates that were expected.

    `judged` gives the number of judge samples behind each count, by its name.
    """
    if not expected:
        return True  # nothing is known against it
    sizes = dict(judged)
    foreseen: list[Count] = []
    for seen in expected:
        n = sizes.get(seen.name, 0)
        foreseen.append(Count(seen.name, seen.of, round(n * seen.errors / max(seen.n, 1)), n))
    return judge(foreseen, bar, look=look, by_group=True).status == "accepted"


def best(trials: Sequence[Trial]) -> Trial:
    """The trial of the highest estimate; the cheaper of equals, the first where none is known."""
    return max(trials, key=lambda t: (t.estimate is not None, t.estimate or 0.0, -trials.index(t)))

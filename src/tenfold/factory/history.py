"""What the lineages of one question hold, while tasks that ask it are planned and judged. Pure."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

from tenfold.catalog.questions import Spent
from tenfold.factory.judge import Lineage


@dataclass(slots=True, eq=False)
class _Thread:
    """Samples that some task of the question connected, and how often they were looked at."""

    judge: set[bytes] = field(default_factory=set[bytes])
    fit: set[bytes] = field(default_factory=set[bytes])
    looks: int = 0


class History:
    """Begins with what the catalog knows; plans and looks that come later are added here, so that
    many tasks of one question can be planned before the first of them is recorded.

    Samples are named by `questions.short`."""

    def __init__(self, spent: Sequence[Spent] = ()) -> None:
        self._threads = [_Thread(set(s.judge), set(s.fit), s.looks) for s in spent]

    def before(self, samples: frozenset[bytes]) -> Lineage:
        """All that was ever done with a lineage that used one of `samples`, so that a copy of a
        dataset, or a new name, cannot buy fresh looks."""
        mine = self._of(samples)
        return Lineage(
            looks=sum(thread.looks for thread in mine),
            judge=frozenset[bytes]().union(*(thread.judge for thread in mine)),
            fit=frozenset[bytes]().union(*(thread.fit for thread in mine)),
        )

    def give_roles(
        self, samples: frozenset[bytes], *, judge: Iterable[bytes], fit: Iterable[bytes]
    ) -> None:
        thread = self._joined(samples)
        thread.judge |= set(judge)
        thread.fit |= set(fit) - thread.judge

    def next_look(self, samples: frozenset[bytes]) -> int:
        return 1 + sum(thread.looks for thread in self._of(samples))

    def take_looks(self, samples: frozenset[bytes], count: int) -> None:
        self._joined(samples).looks += count

    def _of(self, samples: frozenset[bytes]) -> list[_Thread]:
        return [
            t
            for t in self._threads
            if not (samples.isdisjoint(t.judge) and samples.isdisjoint(t.fit))
        ]

    def _joined(self, samples: frozenset[bytes]) -> _Thread:
        """One thread of all that touch `samples`."""
        mine = self._of(samples)
        if len(mine) == 1:
            return mine[0]
        joined = _Thread(
            judge=set().union(*(thread.judge for thread in mine)),
            fit=set().union(*(thread.fit for thread in mine)),
            looks=sum(thread.looks for thread in mine),
        )
        apart = [t for t in self._threads if all(t is not one for one in mine)]
        self._threads = [*apart, joined]
        return joined

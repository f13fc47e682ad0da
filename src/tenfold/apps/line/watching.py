"""A station as those see it who stand before a screen: one look for all of them."""

import threading
import time
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

from tenfold.apps.line import counted
from tenfold.apps.line.figures import Yields
from tenfold.apps.line.journal import NEVER, Journal, Part, Span
from tenfold.apps.line.state import State, is_silent, read_state
from tenfold.apps.line.stations import folder_of, names
from tenfold.workspace import Workspace

EVERY_S = 0.15
LEAST_REST = 10
"""Counting a shift takes at most one part in so many of the time, however many parts it has."""
REJECTS = 8
"""So many of the last parts that were not OK are shown."""
NOTHING = Yields(0, 0, 0, 0, 0)


@dataclass(frozen=True, slots=True)
class Newest:
    """The parts that came last."""

    last: Part | None
    rejects: tuple[Part, ...]
    """Not OK, red rabbits aside, the newest first."""
    asked: str
    """Who asked that the next part goes to a person; empty: nobody."""
    asked_for_last: str
    """Who asked for the last part."""


@dataclass(frozen=True, slots=True)
class Seen:
    """A moment of a station; the same value while nothing changes."""

    state: State | None
    is_silent: bool
    newest: Newest
    shift: str
    yields: Yields


@dataclass(frozen=True, slots=True)
class Glance:
    """How a station stands, for who looks at all of them."""

    station: str
    state: State | None
    """Without what changes all the time: moment, beats and last part."""
    is_silent: bool


def glances(workspace: Workspace) -> list[Glance]:
    """Every station of this machine, of this moment."""
    now, found = datetime.now(UTC), list[Glance]()
    for name in names(workspace.settings.home):
        state = read_state(folder_of(workspace, name))
        still = replace(state, at=NEVER, beats=0, last=0) if state else None
        found.append(Glance(name, still, is_silent(state, now=now)))
    return found


Mark = tuple[object, ...]
"""Of a journal; another one: something changed."""


class Watch:
    """For as long as somebody looks, from any thread."""

    def __init__(self, folder: Path, journal: Journal) -> None:
        self._folder, self._journal = folder, journal
        self._alone = threading.Lock()
        self._seen: Seen | None = None
        self._until_s = self._count_s = 0.0
        """When there is a next look, and a next count, as `time.monotonic` counts."""
        self._mark: Mark = ()
        self._counted: Mark = ()

    def now(self) -> Seen:
        """Of this moment, or of one just before.

        Raises:
            Unavailable: the journal cannot be read.
            IntegrityError: it is damaged.
        """
        with self._alone:
            seen = self._seen
            if seen is None or time.monotonic() >= self._until_s:
                found = self._look(seen)
                if seen is None or found != seen:
                    seen = self._seen = found
                self._until_s = time.monotonic() + EVERY_S
            return seen

    def _look(self, before: Seen | None) -> Seen:
        state, found = read_state(self._folder), mark(self._journal)
        newest = before.newest if before and found == self._mark else newest_of(self._journal)
        self._mark = found
        shift = (state.shift if state else "") or (newest.last.shift if newest.last else "")
        yields = self._yields((*found, shift), shift, before)
        return Seen(state, is_silent(state, now=datetime.now(UTC)), newest, shift, yields)

    def _yields(self, found: Mark, shift: str, before: Seen | None) -> Yields:
        began_s = time.monotonic()
        if before and (found == self._counted or began_s < self._count_s):
            return before.yields
        yields = counted.yields(self._journal, Span(shift)) if shift else NOTHING
        ended_s = time.monotonic()
        self._counted, self._count_s = found, ended_s + LEAST_REST * (ended_s - began_s)
        return yields


def mark(journal: Journal) -> Mark:
    """Costs next to nothing, however many parts there are."""
    ((last, overruled),) = journal.ask(
        "select max(id), (select count(*) from parts where overruled <> '') from parts"
    )
    said = journal.ask("select outcome, reason from parts where id = ?", [last])
    return last, overruled, *said, journal.asking()


def newest_of(journal: Journal) -> Newest:
    last = next(iter(journal.last(1)), None)
    bad = "where outcome in ('reject', 'manual') and is_rabbit = 0 order by id desc limit ?"
    return Newest(
        last=last,
        rejects=tuple(journal.some(bad, [REJECTS])),
        asked=journal.asking(),
        asked_for_last=journal.asking(last.id) if last else "",
    )

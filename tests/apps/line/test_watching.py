"""A station is looked at once for all who watch, and whatever changes is seen."""

import time
from datetime import UTC, datetime

import pytest

from tenfold.apps.line import watching
from tenfold.apps.line.journal import Journal, Part
from tenfold.apps.line.state import State, write_state
from tenfold.apps.line.watching import Watch, glances
from tenfold.workspace import opened


@pytest.fixture
def watched(tmp_path):
    folder = tmp_path / "line" / "s1"
    station, watcher = Journal(folder / "journal.sqlite"), Journal(folder / "journal.sqlite")
    yield folder, station, Watch(folder, watcher)
    station.close()
    watcher.close()


def part(outcome, reason="", serial=""):
    return Part(1, "4711", outcome, reason, serial, shift="2026-03-02 early")


def later(watch):
    time.sleep(watching.EVERY_S + 0.05)
    return watch.now()


def test_while_nothing_changes_the_same_value_is_seen(watched):
    _, station, watch = watched
    station.put(part("ok"))
    seen = watch.now()
    station.probe()
    assert later(watch) is seen


def test_whatever_changes_is_seen(watched):
    _, station, watch = watched
    id = station.put(part("ok", serial="a"))
    assert watch.now().newest.last.outcome == "ok"
    station.withdraw(id, "late")
    assert later(watch).newest.last.reason == "late"
    station.overrule(id, "ok", by="ann", why="it was in time")
    assert later(watch).newest.last.verdict == "ok"
    station.ask_for("bob")
    assert later(watch).newest.asked == "bob"
    station.put(part("reject", "scratch lid"))
    seen = later(watch)
    assert [one.reason for one in seen.newest.rejects] == ["scratch lid", "late"]
    assert later(watch).yields.parts == 2


def test_a_station_that_says_nothing_is_silent(watched):
    folder, _, watch = watched
    assert (watch.now().state, watch.now().is_silent) == (None, True)
    write_state(folder, State("s1", datetime.now(UTC), is_ready=True, shift="2026-03-02 late"))
    seen = later(watch)
    assert (seen.is_silent, seen.shift) == (False, "2026-03-02 late")


def test_a_glance_is_the_same_while_only_the_heart_beats(tmp_path):
    with opened(tmp_path, actor="ann") as workspace:
        seen = []
        for beats in (1, 2):
            state = State("s1", datetime.now(UTC), is_ready=True, beats=beats)
            write_state(tmp_path / "line" / "s1", state)
            seen.append(glances(workspace))
    assert seen[0] == seen[1]
    assert [(one.station, one.is_silent) for one in seen[0]] == [("s1", False)]

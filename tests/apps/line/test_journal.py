"""What a station decided stays, whatever happens."""

import os
import signal
import sqlite3
import subprocess
import sys
from contextlib import closing
from datetime import UTC, datetime

import pytest

from tenfold.apps.line.journal import Journal, Part, Seen
from tenfold.errors import Conflict, DataError, IntegrityError, NotFound, Unavailable

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
WRITER = """
import sys
from pathlib import Path
from tenfold.apps.line.journal import Journal, Part
journal = Journal(Path(sys.argv[1]))
n = 0
while True:
    n += 1
    journal.put(Part(sequence=n, part="4711", outcome="ok"))
    print(n, flush=True)
"""


@pytest.fixture
def journal(tmp_path):
    opened = Journal(tmp_path / "station" / "parts.sqlite")
    yield opened
    opened.close()


def test_a_part_comes_back_as_it_was_put(journal):
    seen = Seen("lid", "scratch", 0.75, 0.5, "ab" * 32)
    part = Part(
        sequence=7,
        part="4711",
        outcome="reject",
        reason="lid: scratch",
        serial="S1",
        lot="L1",
        shift="2026-03-02 early",
        picture="cd" * 32,
        regions=(seen,),
        times={"grab": 4.25},
        at=NOON,
    )
    number = journal.put(part)
    found = journal.get(number)
    assert found.id == number
    assert (found.sequence, found.regions, found.times, found.at) == (7, (seen,), part.times, NOON)
    assert journal.find(serial="S1", lot="L1") == [found]
    assert journal.find(serial="S2") == []


def test_a_person_overrules_once_and_the_stations_word_stays(journal):
    number = journal.put(Part(sequence=1, part="a", outcome="reject", reason="scratch"))
    journal.overrule(number, "ok", by="ann", why="dust")
    found = journal.get(number)
    assert (found.outcome, found.verdict, found.overruled_by) == ("reject", "ok", "ann")
    with pytest.raises(Conflict, match="ann overruled it already: ok"):
        journal.overrule(number, "reject", by="bob", why="no")
    with pytest.raises(NotFound, match="no part 99"):
        journal.overrule(99, "ok", by="bob", why="")


def test_what_was_acknowledged_survives_a_kill(tmp_path):
    path = tmp_path / "parts.sqlite"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, path], stdout=subprocess.PIPE, text=True
    )
    assert writer.stdout is not None
    for line in writer.stdout:
        if int(line) >= 50:
            break
    os.kill(writer.pid, signal.SIGKILL)
    told = max([50, *(int(line) for line in writer.stdout.read().split())])
    writer.wait(10)
    journal = Journal(path)
    sequences = [part.sequence for part in journal.find()]
    assert sequences[:told] == list(range(1, told + 1))
    journal.close()


def fill(journal):
    for number in range(2, 500):
        journal.put(Part(sequence=number, part="a" * 900, outcome="ok"))


def test_a_full_disk_is_told_and_leaves_what_was_there(journal):
    journal.put(Part(sequence=1, part="a", outcome="ok"))
    pages = journal._file.execute("pragma page_count").fetchone()[0]
    journal._file.execute(f"pragma max_page_count = {pages}")
    with pytest.raises(Unavailable, match="cannot be used"):
        fill(journal)
    journal._file.execute("pragma max_page_count = 100000")
    journal.probe()
    assert journal.last(1)[0].outcome == "ok"


@pytest.mark.parametrize("ending", ["", "-wal"])
@pytest.mark.parametrize("way", ["deleted", "moved", "exchanged"])
def test_a_journal_that_is_taken_away_takes_nothing_any_more(journal, way, ending):
    journal.put(Part(sequence=1, part="a", outcome="ok"))
    path = journal.path.with_name(journal.path.name + ending)
    path.unlink() if way == "deleted" else path.rename(path.with_name("away"))
    if way == "exchanged":
        path.write_bytes(b"another")
    for use in (journal.probe, lambda: journal.put(Part(sequence=2, part="a", outcome="ok"))):
        with pytest.raises(IntegrityError, match="moved or deleted"):
            use()


@pytest.mark.parametrize("odd", [{"sequence": 2**63}, {"part": "\ud800"}])
def test_what_cannot_be_held_is_refused(journal, odd):
    with pytest.raises(DataError, match="cannot hold that"):
        journal.put(Part(**{"sequence": 1, "part": "a", "outcome": "ok", **odd}))


@pytest.mark.parametrize("part", ["", "a'; drop table parts; --", "ü 件 \x00\n", "x" * 10_000])
def test_odd_letters_come_back_as_they_were(journal, part):
    number = journal.put(Part(sequence=2**63 - 1, part=part, outcome="ok"))
    assert (journal.get(number).part, journal.get(number).sequence) == (part, 2**63 - 1)


def test_a_damaged_file_is_named(tmp_path):
    path = tmp_path / "parts.sqlite"
    path.write_bytes(b"this is no journal" * 300)
    with pytest.raises(IntegrityError, match="damaged"):
        Journal(path)


def test_an_older_journal_is_read_and_written(tmp_path):
    columns = (
        "at sequence part serial lot shift outcome reason is_rabbit picture regions times "
        "overruled overruled_by why"
    )
    with closing(sqlite3.connect(tmp_path / "old.sqlite")) as file:
        names = ", ".join(f"{name} text" for name in columns.split())
        file.execute(f"create table parts (id integer primary key, {names})")
    with closing(Journal(tmp_path / "old.sqlite")) as journal:
        id = journal.put(Part(1, "4711", "manual", judged="ok", at=datetime.now(UTC)))
        journal.overrule(id, "ok", by="ann", why="seen")
        assert [one.id for one in journal.in_shadow("4711")] == [id]
        assert journal.get(id).overruled_at is not None
    Journal(tmp_path / "old.sqlite").close()

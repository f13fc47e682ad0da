"""Files of answers become few, and whatever is killed when, each answer is there once."""

import fcntl
import os
import shutil
import signal
import sys
import threading
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import numpy as np
import pyarrow.parquet as pq
from sqlalchemy import select

from tenfold.catalog import Catalog, answers, loops
from tenfold.catalog.answers import Progress
from tenfold.catalog.loops import Happening
from tenfold.catalog.tables import folded
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, frame, history, merging
from tenfold.predictions.collector import collect
from tenfold.predictions.history import MERGED, PARQUET, files, fresh_files, merged_files, read
from tenfold.predictions.merging import Piece, Tidied, plan, tidy

TODAY = datetime.now(UTC).replace(hour=0, minute=0, second=0, microsecond=0)
DAY_S = 86400.0
PROJECTION = np.arange(128, dtype=np.float16).tobytes()


def answered(scope, folder, *numbers, days_ago=1, run="run", deployment="cap"):
    """Some answers that are collected into one new file; returns its name."""
    begins = (TODAY - timedelta(days=days_ago)).timestamp()
    some = [
        Answered(
            id=f"r{number}",
            at=begins + number,
            deployment=deployment,
            role="live",
            model="a" * 64,
            sample="b" * 64,
            route="SN-1",
            label="good",
            score=0.25,
            latency_ms=10.0,
            busy_ms=8.0,
            generation=2,
        )
        for number in numbers
    ]
    data = b"".join(frame(one, PROJECTION) for one in some)
    name = f"{run}-7-{numbers[0]:04d}"
    head = (HEAD_BYTES + len(data)).to_bytes(HEAD_BYTES, "little")
    (folder / f"{name}{SEGMENT}").write_bytes(head + data)
    collect(scope, folder)
    return f"{name}-{HEAD_BYTES:012d}.parquet"


def watch(scope):
    loops.put(scope, "cap", "", state={}, first=Happening("cap", "watched", "watched:1"))


def fold(scope, *names):
    with scope.write() as connection:
        for name in names:
            loops.fold(connection, scope, name, answers=1)


def ids(folder):
    return sorted(read(folder)["id"].to_pylist(), key=lambda one: int(one[1:]))


def folded_rows(scope):
    with scope.read() as connection:
        return {row.name: row.answers for row in connection.execute(select(folded))}


def test_a_day_that_is_over_becomes_one_file(scope, folder):
    for n in range(5):
        answered(scope, folder, 2 * n, 2 * n + 1, days_ago=1 + n // 3)
    before = read(folder).sort_by("id")
    assert tidy(scope, folder, keep_days=0) == Tidied(5, 0)
    assert fresh_files(folder) == []
    assert [len(history.instead_of(file)) for file in merged_files(folder)] == [2, 3]
    assert read(folder).sort_by("id").equals(before)
    assert folded_rows(scope) == {
        file.name: pq.read_metadata(file).num_rows for file in merged_files(folder)
    }
    assert tidy(scope, folder, keep_days=0) == Tidied()


def test_rows_lie_in_the_order_in_which_they_came_in_groups(scope, folder, monkeypatch):
    monkeypatch.setattr(merging, "GROUP_ROWS", 4)
    for run, number in (("b", 0), ("c", 4), ("a", 8)):
        answered(scope, folder, *range(number, number + 4), run=run)
    tidy(scope, folder, keep_days=0)
    (file,) = merged_files(folder)
    assert pq.read_table(file)["id"].to_pylist() == [f"r{n}" for n in range(12)]
    groups = pq.read_metadata(file).num_row_groups
    assert groups == 3


def test_what_comes_late_joins_its_day(scope, folder):
    answered(scope, folder, 0)
    tidy(scope, folder, keep_days=0)
    answered(scope, folder, 1)
    assert tidy(scope, folder, keep_days=0) == Tidied(2, 0)
    assert len(files(folder)) == 1
    assert ids(folder) == ["r0", "r1"]
    assert list(folded_rows(scope).values()) == [2]


def test_what_the_loop_has_not_taken_in_stays(scope, folder):
    watch(scope)
    first, second = answered(scope, folder, 0), answered(scope, folder, 1)
    fold(scope, first)
    tidy(scope, folder, keep_days=1)
    assert [file.name for file in fresh_files(folder)] == [second]
    assert ids(folder) == ["r0", "r1"]


def test_what_is_not_booked_stays(scope, folder):
    """Its collector was killed and will write it again."""
    name = answered(scope, folder, 0, 1)
    segment = name.rpartition("-")[0]
    (folder / f"{segment}{SEGMENT}").write_bytes(b"")
    with scope.write() as connection:
        answers.advance(
            connection, scope, answers.progress(scope, segment), Progress(segment, HEAD_BYTES)
        )
    assert tidy(scope, folder, keep_days=0) == Tidied()
    (folder / f"{segment}{SEGMENT}").unlink()
    assert tidy(scope, folder, keep_days=0) == Tidied(1, 0)


def test_a_segment_that_is_met_again_adds_nothing(scope, folder):
    name = answered(scope, folder, 0, 1).rpartition("-")[0]
    again = folder / f"{name}{SEGMENT}"
    data = b""
    tidy(scope, folder, keep_days=0)
    before = ids(folder)
    for table in [read(folder)]:
        for row in table.to_pylist():
            row["at"] = row["at"].timestamp()
            data += frame(Answered(**{k: v for k, v in row.items() if k != "projection"}))
    again.write_bytes((HEAD_BYTES + len(data)).to_bytes(HEAD_BYTES, "little") + data)
    collect(scope, folder)
    assert ids(folder) == before


def test_a_day_goes_when_its_time_is_over_and_not_before(scope, folder):
    for days_ago in (9, 10, 11):
        answered(scope, folder, days_ago, days_ago=days_ago)
    assert tidy(scope, folder, keep_days=0) == Tidied(3, 0)
    assert tidy(scope, folder, keep_days=10) == Tidied(0, 1)
    assert ids(folder) == ["r9", "r10"]
    assert len(folded_rows(scope)) == 2


def test_old_answers_that_nobody_took_in_are_kept(scope, folder):
    watch(scope)
    answered(scope, folder, 0, days_ago=1000)
    assert tidy(scope, folder, keep_days=1) == Tidied()
    assert ids(folder) == ["r0"]


def test_one_merges_at_a_time(scope, folder):
    answered(scope, folder, 0)
    (folder / PARQUET / MERGED).mkdir()
    with (folder / PARQUET / MERGED / ".lock").open("wb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert tidy(scope, folder, keep_days=0) == Tidied()
    assert tidy(scope, folder, keep_days=0) == Tidied(1, 0)


def test_a_damaged_file_stops_nothing(scope, folder, caplog):
    first, second = answered(scope, folder, 0), answered(scope, folder, 1, days_ago=2)
    data = bytearray((folder / PARQUET / first).read_bytes())
    data[20] ^= 0xFF
    (folder / PARQUET / first).write_bytes(data)
    (folder / PARQUET / "odd-1-0000-000000000008.parquet").write_bytes(b"none")
    fold(scope, first, second)
    assert tidy(scope, folder, keep_days=0) == Tidied(1, 0)
    assert (folder / PARQUET / first).read_bytes() == data
    assert "cannot be read" in caplog.text
    assert "not merged" in caplog.text


def test_who_asks_it_to_end_gets_no_half_file(scope, folder):
    answered(scope, folder, 0)
    assert tidy(scope, folder, keep_days=0, goes_on=lambda: False) == Tidied()
    assert [path.name for path in (folder / PARQUET / MERGED).iterdir()] == [".lock"]
    assert ids(folder) == ["r0"]


def piece(name, size, *, day=date(2026, 11, 24), is_merged=False):
    first = datetime(day.year, day.month, day.day, tzinfo=UTC)
    return Piece(Path(name), day, first, size, 1, is_merged)


def test_of_a_day_that_goes_on_as_much_joins_as_is_new(monkeypatch):
    monkeypatch.setattr(merging, "FEWEST", 2)
    some = [piece("a", 5), piece("b", 5)]
    small, large = piece("m", 10, is_merged=True), piece("n", 30, is_merged=True)
    today = date(2026, 11, 24)
    assert plan([*some[:1], small], today=today) == []
    assert plan([*some, small, large], today=today) == [[*some, small]]
    assert plan([*some, small, large], today=today + timedelta(days=1)) == [[*some, small, large]]
    assert plan([large], today=today + timedelta(days=1)) == []


def test_a_large_day_has_several_files_and_comes_to_rest(monkeypatch):
    monkeypatch.setattr(merging, "MOST_BYTES", 100)
    tomorrow = date(2026, 11, 25)
    some = [piece(f"{n:02d}", 30) for n in range(10)]
    planned = plan(some, today=tomorrow)
    assert [len(one) for one in planned] == [3, 3, 3, 1]
    large = [piece(f"m{n}", 30 * len(one), is_merged=True) for n, one in enumerate(planned)]
    assert plan(large, today=tomorrow) == []


def test_an_answer_is_written_a_few_times(monkeypatch):
    """A day of hourly merges; then the one that ends it."""
    monkeypatch.setattr(merging, "FEWEST", 1)
    today, merged, written = date(2026, 11, 24), [], 0
    for hour in range(24):
        (portion,) = plan([*merged, piece(f"new{hour}", 10)], today=today)
        size = sum(one.size_bytes for one in portion)
        merged = [one for one in merged if one not in portion]
        merged.append(piece(f"m{hour}", size, is_merged=True))
        written += size
        assert len(merged) <= 5
    assert written / 240 < 4


def killed_at(number, home):
    """Whether a merge in another process was killed before its `number`-th change of disk or
    catalog, counted from 1."""
    child = os.fork()
    if child == 0:
        status = 1
        try:
            tidy_until(number, home)
            status = 0
        finally:
            os._exit(status)
    _, status = os.waitpid(child, 0)
    assert status in (0, signal.SIGKILL)
    return status != 0


def tidy_until(number, home):
    left = [number]

    def count():
        left[0] -= 1
        if left[0] == 0:
            os.kill(os.getpid(), signal.SIGKILL)

    def hook(event, arguments):
        is_new = event == "open" and ".unfinished-" in str(arguments[0])
        if is_new or event in ("os.rename", "os.remove", "os.chmod"):
            count()

    def counted(work):
        def counting(*given, **more):
            count()
            work(*given, **more)
            count()

        return counting

    merging._end = counted(merging._end)
    loops.fold_together = counted(loops.fold_together)
    loops.unfold = counted(loops.unfold)
    scope = Catalog.open(home / "catalog.sqlite").scope("local", "ann")
    sys.addaudithook(hook)
    tidy(scope, home / "answers", keep_days=3)


def filled(home):
    """Answers of three days; one is too old, one the loop has not taken in, one day is merged."""
    catalog = Catalog.open(home / "catalog.sqlite")
    scope, folder = catalog.scope("local", "ann"), home / "answers"
    folder.mkdir(parents=True)
    watch(scope)
    fold(scope, *(answered(scope, folder, n, n + 100, days_ago=2) for n in range(2)))
    tidy(scope, folder, keep_days=0)
    fold(scope, *(answered(scope, folder, n, n + 100, days_ago=1 + n % 2) for n in range(2, 6)))
    fold(scope, answered(scope, folder, 6, days_ago=9))
    answered(scope, folder, 7, days_ago=2)
    catalog.close()


KEPT = [f"r{n}" for n in (*range(6), 7, *range(100, 106))]
ALL = sorted([*KEPT, "r6"], key=lambda one: int(one[1:]))


def check(home, *, is_over):
    """Each answer is there once, and the loop takes in just what it has not."""
    catalog = Catalog.open(home / "catalog.sqlite")
    scope, folder = catalog.scope("local", "ann"), home / "answers"
    assert ids(folder) in ([KEPT] if is_over else [KEPT, ALL])
    fresh = [file.name for file in fresh_files(folder)]
    assert set(fresh) - loops.is_folded(scope, fresh) == {"run-7-0007-000000000008.parquet"}
    if is_over:
        assert {path.name for path in (folder / PARQUET / MERGED).glob(".*")} == {".lock"}
        assert folded_rows(scope) == {
            file.name: pq.read_metadata(file).num_rows for file in merged_files(folder)
        }
        assert len(merged_files(folder)) == 2
    catalog.close()


def test_killed_at_any_point_nothing_is_lost_and_nothing_double(tmp_path):
    filled(tmp_path / "home")
    number, was_killed = 0, True
    while was_killed:
        number += 1
        home = shutil.copytree(tmp_path / "home", tmp_path / f"killed-{number}")
        was_killed = killed_at(number, home)
        check(home, is_over=not was_killed)
        if was_killed:
            check(home, is_over=not killed_at(max(1, number // 2), home))
        tidy_until(0, home)
        check(home, is_over=True)
    assert number > 20


def test_readers_see_each_answer_once_at_every_moment(scope, folder):
    problems, looks, is_over = [], [0], threading.Event()
    for n in range(40):
        answered(scope, folder, n)
    expected = ids(folder)

    def look():
        while not is_over.is_set():
            found = ids(folder)
            looks[0] += 1
            if found != expected[: len(found)] or len(found) < 40:
                problems.append(found)

    reader = threading.Thread(target=look)
    reader.start()
    for n in range(40, 80):
        expected.append(f"r{n}")
        answered(scope, folder, n)
        tidy(scope, folder, keep_days=0)
    is_over.set()
    reader.join()
    assert problems == []
    assert looks[0] > 10
    assert len(files(folder)) == 1


def test_a_listing_that_missed_a_file_which_came_meanwhile_is_made_again(
    scope, folder, monkeypatch
):
    answered(scope, folder, 0)
    tidy(scope, folder, keep_days=0)
    missed, listed = [[]], history.merged_files
    monkeypatch.setattr(
        history, "merged_files", lambda place: missed.pop() if missed else listed(place)
    )
    assert ids(folder) == ["r0"]

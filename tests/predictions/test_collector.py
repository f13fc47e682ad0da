import fcntl

import pyarrow.parquet as pq
import pytest
from sqlalchemy import select

from tenfold.catalog import answers
from tenfold.catalog.tables import entries
from tenfold.predictions import HEAD_BYTES, SEGMENT, Answered, Lost, collector, frame
from tenfold.predictions.collector import Collected, collect
from tenfold.predictions.history import read


def answered(number, model="a"):
    return Answered(
        id=f"r{number}",
        at=1_700_000_000.25 + number,
        deployment="cap",
        role="live",
        model=model * 64,
        sample="b" * 64,
        route="SN-1",
        label="good",
        score=0.25,
        latency_ms=10.0,
        busy_ms=8.0,
        generation=2,
    )


def segment(folder, name, *what, cut=0):
    data = b"".join(frame(one, bytes(256)) for one in what)
    data = data[: len(data) - cut]
    path = folder / f"{name}{SEGMENT}"
    path.write_bytes((HEAD_BYTES + len(data)).to_bytes(HEAD_BYTES, "little") + data)
    return path


def test_entries_name_the_run_of_the_server(scope, folder):
    segment(folder, "20261125T010203-abcd-77-0003", answered(0))
    collect(scope, folder)
    with scope.read() as connection:
        assert connection.execute(select(entries.c.run)).scalars().all() == ["20261125T010203-abcd"]


def booked(scope):
    query = select(entries.c.subject, entries.c.images, entries.c.cpu_s)
    with scope.read() as connection:
        return sorted(tuple(row) for row in connection.execute(query))


def test_answers_become_rows_and_entries_once(scope, folder):
    path = segment(folder, "run-7-0000", answered(0), answered(1, "c"), answered(2), Lost(5))
    with path.open("rb") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert collect(scope, folder) == Collected(3, 5)
        assert collect(scope, folder) == Collected()
    rows = read(folder).to_pylist()
    assert [row["id"] for row in rows] == ["r0", "r1", "r2"]
    assert rows[0]["at"].timestamp() == 1_700_000_000.25
    assert len(rows[0]["projection"]) == 256
    assert booked(scope) == [
        ("run-7-0000@8/aaaaaaaaaaaaaaaa", 2, pytest.approx(0.016)),
        ("run-7-0000@8/cccccccccccccccc", 1, pytest.approx(0.008)),
    ]
    assert answers.totals(scope).lost == 5
    assert path.exists()  # its writer may go on
    assert collect(scope, folder) == Collected()
    assert not path.exists()


def test_of_a_writer_that_lives_only_what_is_sure_is_read(scope, folder):
    path = segment(folder, "run-7-0000", answered(0), answered(1))
    with path.open("r+b") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        sure = HEAD_BYTES + len(frame(answered(0), bytes(256)))
        held.write(sure.to_bytes(HEAD_BYTES, "little"))
        held.flush()
        assert collect(scope, folder) == Collected(1)
    assert collect(scope, folder) == Collected(1)  # killed: what is whole counts


def test_a_long_record_does_not_stop_the_collector(scope, folder, monkeypatch):
    monkeypatch.setattr(collector, "MOST_BYTES", 100)
    segment(folder, "run-7-0000", answered(0), answered(1))
    assert collect(scope, folder) == Collected(2)


def test_what_comes_later_is_added(scope, folder):
    path = segment(folder, "run-7-0000", answered(0), answered(1), cut=10)
    with path.open("ab") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert collect(scope, folder) == Collected(1)
        segment(folder, "run-7-0000", answered(0), answered(1), answered(2))
        assert collect(scope, folder) == Collected(2)
    assert [row["id"] for row in read(folder).to_pylist()] == ["r0", "r1", "r2"]
    assert sum(images for _, images, _ in booked(scope)) == 3


def test_a_collector_killed_before_it_booked_doubles_nothing(scope, folder, monkeypatch):
    segment(folder, "run-7-0000", answered(0), answered(1))

    def killed(*_):
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(collector.ledger, "add", killed)
        with pytest.raises(KeyboardInterrupt):
            collect(scope, folder)
    assert booked(scope) == []
    assert collect(scope, folder) == Collected(2)
    assert [row["id"] for row in read(folder).to_pylist()] == ["r0", "r1"]
    assert sum(images for _, images, _ in booked(scope)) == 2


def test_what_a_killed_writer_left_unfinished_is_kept_beside(scope, folder, caplog):
    segment(folder, "run-7-0000", answered(0), answered(1), cut=3)
    assert collect(scope, folder) == Collected(1)
    assert [path.name for path in folder.glob("*.rest")] == ["run-7-0000.rest"]
    assert "no whole record" in caplog.text
    assert collect(scope, folder) == Collected()


def test_nothing_was_answered_yet(scope, folder):
    assert collect(scope, folder) == Collected()
    assert read(folder).num_rows == 0


def test_files_from_before_looks_were_recorded_are_read(scope, folder):
    segment(folder, "r-0", answered(0))
    collect(scope, folder)
    (file,) = (folder / "parquet").glob("*.parquet")
    older = pq.read_table(file).drop_columns(["brightness", "contrast", "sharpness"])
    pq.write_table(older, file)
    (row,) = read(folder).to_pylist()
    assert (row["id"], row["brightness"], row["sharpness"]) == ("r0", None, None)

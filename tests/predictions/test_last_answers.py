"""The last answers of one model, wherever they lie by now."""

from datetime import UTC, date, datetime, timedelta

import pyarrow as pa
import pyarrow.parquet as pq

from tenfold.predictions.history import MERGED, PARQUET, SCHEMA, last_of

NEW, OLD = "a" * 64, "b" * 64
DAY = datetime(2026, 5, 4, 12, tzinfo=UTC)
ROLES = ("shadow", "canary")


def write(folder, name, *answers):
    """A file of (number, role, model, label) answers, a second after another."""
    blank = dict.fromkeys(SCHEMA.names)
    rows = [
        blank
        | {"id": f"r{n}", "at": DAY + timedelta(seconds=n), "deployment": "cap"}
        | {"role": role, "model": model, "label": label}
        for n, role, model, label in answers
    ]
    path = folder / PARQUET / name
    path.parent.mkdir(parents=True, exist_ok=True)
    pq.write_table(pa.Table.from_pylist(rows, schema=SCHEMA), path)


def last(folder, most, *, since=date(2026, 5, 1), deployment="cap"):
    rows = last_of(folder, deployment, NEW, roles=ROLES, since=since, most=most)
    return [row["id"] for row in rows]


def test_the_last_answers_of_a_model_on_trial_come_oldest_first(folder):
    write(folder, f"{MERGED}/20260503-x.parquet", (1, "shadow", NEW, "good"))
    write(
        folder,
        "run-1.parquet",
        (2, "live", OLD, "good"),
        (3, "shadow", NEW, "bad"),
        (4, "shadow", NEW, None),
        (5, "live", NEW, "bad"),
    )
    write(folder, "run-2.parquet", (6, "canary", NEW, "good"), (7, "shadow", OLD, "good"))
    assert last(folder, 9) == ["r1", "r3", "r6"], "one that failed showed nothing"
    assert last(folder, 2) == ["r3", "r6"]
    assert last(folder, 9, deployment="station-7/lid") == []


def test_days_before_a_trial_are_not_read(folder):
    write(folder, f"{MERGED}/20260501-x.parquet", (1, "shadow", NEW, "good"))
    write(folder, f"{MERGED}/20260503-x.parquet", (2, "shadow", NEW, "good"))
    (folder / PARQUET / MERGED / "20260502-x.parquet").write_bytes(
        (folder / PARQUET / MERGED / "20260503-x.parquet").read_bytes()
    )
    assert last(folder, 9, since=date(2026, 5, 3)) == ["r2"]
    assert last(folder, 9, since=date(2026, 5, 4)) == []


def test_a_damaged_file_is_passed_over(folder):
    """It stays where it is for ever, and must not stop every loop that asks."""
    write(folder, "run-1.parquet", (1, "shadow", NEW, "good"))
    write(folder, "run-3.parquet", (3, "shadow", NEW, "good"))
    (folder / PARQUET / "run-2.parquet").write_bytes(b"PAR1 half a file")
    (folder / PARQUET / "run-4.parquet").write_bytes(b"")
    write(folder, f"{MERGED}/20260503-x.parquet", (0, "shadow", NEW, "good"))
    (folder / PARQUET / MERGED / "20260504-x.parquet").write_bytes(b"PAR1 half a day")
    assert last(folder, 9) == ["r0", "r1", "r3"]


def test_nothing_was_answered(folder):
    assert last(folder, 9) == []

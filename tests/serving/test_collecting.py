"""Files of answers are merged beside the work."""

import time
from datetime import UTC, datetime

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

import tenfold
from tenfold.predictions.history import PARQUET, SCHEMA, fresh_files, read
from tenfold.serving.collecting import Tidying


@pytest.fixture
def workspace(tmp_path):
    with tenfold.opened(tmp_path / "home", actor="ann", answers_days=0) as opened:
        folder = opened.answers_folder / PARQUET
        folder.mkdir(parents=True)
        row = {"id": "r1", "at": datetime(2026, 11, 1, tzinfo=UTC), "deployment": "cap"}
        for number in range(2):
            table = pa.Table.from_pylist([row], schema=SCHEMA)
            pq.write_table(table, folder / f"run-1-{number:04d}-000000000008.parquet")
        yield opened


def test_it_begins_at_once_then_rests(workspace):
    with Tidying(workspace) as tidying:
        tidying.now_and_then()
        ends = time.monotonic() + 20
        while fresh_files(workspace.answers_folder) and time.monotonic() < ends:
            time.sleep(0.02)
        assert fresh_files(workspace.answers_folder) == []
        (workspace.answers_folder / PARQUET / "run-1-0002-000000000008.parquet").touch()
        tidying.now_and_then()
    assert len(fresh_files(workspace.answers_folder)) == 1
    (workspace.answers_folder / PARQUET / "run-1-0002-000000000008.parquet").unlink()
    assert read(workspace.answers_folder).num_rows == 2

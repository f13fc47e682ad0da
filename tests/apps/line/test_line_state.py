"""How a station stands is there for screens, whatever becomes of disk and station."""

import errno
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from tenfold.apps.line.state import FILE, State, is_silent, read_state, write_state
from tenfold.apps.line.station import parse
from tenfold.apps.line.stations import keep_spec, names, spec_of
from tenfold.workspace import opened

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
STATE = State("s1", NOON, is_ready=False, reason="red rabbits wait", rabbits_left=("R1",), last=7)
SPEC = """\
station: s1
trigger: {kind: timer, every_s: 1}
camera: {kind: folder, path: seen}
deadline_ms: 200
shifts: {early: "06:00", late: "14:00"}
"""


def test_a_state_comes_back_as_it_was_written(tmp_path):
    write_state(tmp_path / "s1", STATE)
    assert read_state(tmp_path / "s1") == STATE


def test_a_full_disk_still_takes_the_state(tmp_path, monkeypatch):
    write_state(tmp_path, STATE)

    def full(path, data):
        raise OSError(errno.ENOSPC, "No space left on device", str(path))

    monkeypatch.setattr(Path, "write_bytes", full)
    told = replace(STATE, reason="disk full", disk="database or disk is full")
    write_state(tmp_path, told)
    assert read_state(tmp_path) == told


def test_what_cannot_be_read_says_nothing(tmp_path):
    assert read_state(tmp_path) is None
    (tmp_path / FILE).write_text('{"station": "s1"')
    assert read_state(tmp_path) is None


def test_an_old_state_is_of_a_silent_station():
    assert not is_silent(STATE, now=NOON + timedelta(seconds=2))
    assert is_silent(STATE, now=NOON + timedelta(seconds=4))
    assert is_silent(None, now=NOON)


def test_a_station_is_known_by_its_name_after_it_ran(tmp_path):
    with opened(tmp_path, actor="ann") as workspace:
        assert names(tmp_path) == []
        spec = parse(SPEC, where="station.yaml")
        keep_spec(workspace, spec)
        assert names(tmp_path) == ["s1"]
        kept = spec_of(workspace, "s1")
        assert kept is not None
        assert kept.shifts == spec.shifts
        assert spec_of(workspace, "s2") is None

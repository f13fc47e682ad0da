"""The cycle releases a part only when all is well, and says why it does not."""

import threading
import time
from datetime import UTC, datetime, timedelta
from datetime import time as clock

import numpy as np
import pytest

from tenfold.apps.line.cycle import Beside, Judged, Rules, Station
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.shifts import Starts
from tenfold.apps.line.values import Frame, Trigger
from tenfold.errors import DataError, Unavailable

SHIFTS = Starts((("early", clock(6)), ("late", clock(18))))
NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)


class Gate:
    """What a controller was told."""

    def __init__(self):
        self.told = []
        self.beats = []
        self.stays = True

    def wait(self, timeout_s):
        return None

    def put(self, decision):
        self.told.append((decision.sequence, decision.outcome, decision.reason))

    def stands(self, sequence):
        return self.stays

    def problem(self):
        return ""

    def beat(self, count, *, is_ready, reason):
        self.beats.append((count, is_ready, reason))


class Eye:
    is_silent = False
    backs = 0

    def put_back(self):
        self.backs += 1

    def problem(self):
        return "it is silent" if self.is_silent else ""

    def grab(self, timeout_s, waited_s=0.0):
        if self.is_silent:
            raise Unavailable("the camera says nothing.")
        return Frame(np.zeros((4, 4, 3), np.uint8), NOON)


class Mind:
    def __init__(self):
        self.says = Judged("ok")
        self.takes_s = 0.0

    def look(self, trigger, frame, timeout_s):
        time.sleep(self.takes_s)
        if isinstance(self.says, Exception):
            raise self.says
        return self.says

    def test(self):
        return ""


@pytest.fixture(autouse=True)
def clock_of(monkeypatch):
    """Sets where in the world the machine is."""

    def put(zone):
        monkeypatch.setenv("TZ", zone)
        time.tzset()

    put("UTC")
    yield put
    monkeypatch.undo()
    time.tzset()


@pytest.fixture
def line(tmp_path):
    journal = Journal(tmp_path / "parts.sqlite")
    made = Line(journal, Rules(deadline_s=0.15, shifts=SHIFTS))
    yield made
    journal.close()


class Line:
    def __init__(self, journal, rules):
        self.gate, self.eye, self.mind, self.journal = Gate(), Eye(), Mind(), journal
        self.station = Station(self.gate, self.eye, self.mind, journal, rules)
        self.station._now = lambda: NOON

    def pass_one(self, sequence, serial=""):
        self.station.one(Trigger(sequence, "4711", serial))
        return self.gate.told[-1] if self.gate.told else None


def test_a_good_part_is_recorded_then_released(line):
    assert line.pass_one(1) == (1, "ok", "")
    (kept,) = line.journal.find()
    assert (kept.sequence, kept.outcome, kept.shift) == (1, "ok", "2026-03-02 early")
    assert {"grab", "all"} <= set(kept.times)


@pytest.mark.parametrize(
    ("says", "told"),
    [
        (Judged("reject", "scratch"), ("reject", "scratch")),
        (Judged("manual", "cannot align"), ("manual", "cannot align")),
        (DataError("no head."), ("manual", "heads not ready")),
        (ValueError("a defect"), ("manual", "defect of the station")),
    ],
)
def test_whatever_is_not_ok_is_not_released(line, says, told):
    line.mind.says = says
    assert line.pass_one(1) == (1, *told)
    assert line.journal.find()[0].reason == told[1]


def test_a_silent_camera_releases_nothing_and_stops_the_heart(line):
    line.eye.is_silent = True
    assert line.pass_one(1) == (1, "reject", "camera silent")
    assert line.station.test() == "camera silent"
    line.eye.is_silent = False
    assert line.pass_one(2) == (2, "ok", "")
    assert line.station.test() == ""


def test_a_picture_of_the_next_part_is_nobodys(line):
    line.gate.stays = False
    assert line.pass_one(1) == (1, "reject", "the next part came")


def test_a_late_verdict_is_no_release(line):
    line.mind.takes_s = 0.2
    assert line.pass_one(1) == (1, "reject", "late")
    assert line.journal.find()[0].outcome == "reject"


def test_a_part_that_waited_is_late_by_its_own_clock(line):
    line.station.one(Trigger(1, "4711", at_s=time.monotonic() - 0.2))
    assert line.gate.told == [(1, "reject", "late")]


def test_a_disk_that_is_late_is_no_release_either(line, monkeypatch):
    put = line.journal.put

    def slow(part):
        time.sleep(0.2)
        return put(part)

    monkeypatch.setattr(line.journal, "put", slow)
    assert line.pass_one(1) == (1, "reject", "late")
    assert (line.journal.find()[0].outcome, line.journal.find()[0].reason) == ("reject", "late")


@pytest.fixture
def full(line, monkeypatch):
    def refused(*_):
        raise Unavailable("the journal cannot be used: disk full.")

    return lambda name: monkeypatch.setattr(line.journal, name, refused)


def test_what_cannot_be_recorded_is_no_verdict_and_why_is_told(line, full):
    full("put")
    assert line.pass_one(1) is None
    assert line.gate.beats == [(0, False, "not recorded")]


def test_what_cannot_be_withdrawn_is_no_verdict_either(line, full, monkeypatch):
    put = line.journal.put
    monkeypatch.setattr(line.journal, "put", lambda part: (time.sleep(0.2), put(part))[1])
    full("withdraw")
    assert line.pass_one(1) is None
    assert line.gate.beats == [(0, False, "not recorded")]


def test_what_no_journal_can_hold_is_not_released(line):
    assert line.pass_one(2**70) is None
    assert line.pass_one(1, "\ud800") is None
    assert line.pass_one(2) == (2, "ok", "")


def test_a_controller_that_counts_anew_is_followed_at_once(line):
    for sequence in (1, 2, 3):
        line.pass_one(sequence)
    line.station.one(Trigger(2, "4711"))
    assert len(line.gate.told) == 3
    line.station.one(Trigger(1, "4711", is_first=True))
    assert line.pass_one(2) == (2, "ok", "")
    assert len(line.gate.told) == 5


def test_a_part_that_comes_again_at_a_new_connection_is_left_alone(line):
    line.pass_one(3)
    line.station.one(Trigger(3, "4711", is_first=True))
    assert len(line.gate.told) == 1


def test_the_highest_number_is_followed_by_one(line):
    line.pass_one(2**32 - 1)
    line.station.one(Trigger(1, "4711", is_first=True))
    assert line.pass_one(2**32 - 1) == (1, "ok", "")  # it is remembered still


def test_a_picture_of_the_next_part_goes_back_to_the_camera(line):
    line.gate.stays = False
    line.pass_one(1)
    line.gate.stays = True
    line.pass_one(2)
    assert line.eye.backs == 1


def test_a_camera_with_a_defect_is_silent_and_the_line_goes_on(line, monkeypatch):
    def broken(timeout_s, waited_s=0.0):
        raise ValueError("a defect")

    monkeypatch.setattr(line.eye, "grab", broken)
    assert line.pass_one(1) == (1, "reject", "camera silent")


def test_a_defect_on_the_way_ends_no_station(line, monkeypatch):
    sequences = [1, 2]

    def wait(timeout_s):
        if sequences:
            return Trigger(sequences.pop(0), "4711")
        line.station.ask_to_stop()
        return None

    put = line.gate.put

    def broken(decision):
        if decision.sequence == 1:
            raise ValueError("a defect")
        put(decision)

    monkeypatch.setattr(line.gate, "wait", wait)
    monkeypatch.setattr(line.gate, "put", broken)
    line.station.run()
    assert line.gate.told == [(2, "ok", "")]


def test_a_journal_that_is_away_is_told_from_a_full_disk(line, full):
    line.journal.probe()
    line.journal.path.rename(line.journal.path.with_name("away"))
    assert line.station.test() == "journal damaged"
    full("probe")
    assert line.station.test() == "disk full"


def test_a_deadline_shorter_than_a_grab_releases_nothing(line, monkeypatch):
    grab = line.eye.grab

    def slow(timeout_s, waited_s=0.0):
        time.sleep(0.2)
        return grab(timeout_s)

    monkeypatch.setattr(line.eye, "grab", slow)
    assert line.pass_one(1) == (1, "reject", "late")


def test_a_repeated_sequence_is_left_alone_after_a_restart_too(line):
    line.pass_one(5)
    line.mind.says = Judged("ok", "another part")
    line.pass_one(5)
    again = Line(line.journal, Rules(deadline_s=0.15, shifts=SHIFTS))
    assert again.pass_one(5) is None
    assert line.gate.told == [(5, "ok", "")]
    assert len(line.journal.find()) == 1


@pytest.fixture
def strict(tmp_path):
    journal = Journal(tmp_path / "parts.sqlite")
    made = Line(journal, Rules(deadline_s=0.5, shifts=SHIFTS, rabbits=("R1", "R2")))
    yield made
    journal.close()


def test_nothing_leaves_before_every_red_rabbit_was_rejected(strict):
    assert strict.pass_one(1) == (1, "manual", "red rabbits wait")
    assert strict.station.test() == "red rabbits wait"
    strict.mind.says = Judged("reject", "scratch")
    strict.pass_one(2, "R1")
    strict.pass_one(3, "R2")
    strict.mind.says = Judged("ok")
    assert strict.pass_one(4) == (4, "ok", "")
    assert strict.station.test() == ""
    strict.station._now = lambda: NOON + timedelta(hours=8)
    assert strict.pass_one(5) == (5, "manual", "red rabbits wait")


def test_a_red_rabbit_that_looks_good_never_leaves_and_stops_the_line(strict):
    assert strict.pass_one(1, "R1") == (1, "reject", "a red rabbit passed")
    assert strict.station.test() == "a red rabbit passed"
    assert strict.pass_one(2) == (2, "manual", "a red rabbit passed")


@pytest.mark.parametrize("why", ["silent", "late", "gone"])
def test_a_rabbit_that_nobody_looked_at_proves_nothing(strict, why):
    strict.mind.says = Judged("reject", "scratch")
    strict.pass_one(1, "R1")
    strict.eye.is_silent = why == "silent"
    strict.mind.takes_s = 0.6 if why == "late" else 0.0
    strict.mind.says = Judged("ok") if why == "late" else strict.mind.says
    strict.gate.stays = why != "gone"
    assert strict.pass_one(2, "R2")[1] == "reject"
    assert strict.station.seeing() == "unproven"


def test_in_shadow_nothing_leaves_and_red_rabbits_are_judged_as_ever(strict):
    strict.mind.says = Judged("ok", is_shadow=True, taught="t1")
    assert strict.pass_one(1) == (1, "manual", "in shadow")
    strict.mind.says = Judged("reject", "scratch", is_shadow=True)
    assert strict.pass_one(2) == (2, "manual", "in shadow")
    assert strict.pass_one(3, "R1") == (3, "reject", "scratch")
    kept = {part.sequence: part for part in strict.journal.find()}
    assert [kept[n].judged for n in (1, 2, 3)] == ["ok", "reject", ""]
    assert (kept[1].taught, kept[2].judged_reason) == ("t1", "scratch")


def test_what_is_late_in_shadow_proves_nothing(line):
    line.mind.takes_s, line.mind.says = 0.3, Judged("ok", is_shadow=True)
    assert line.pass_one(1)[1:] == ("reject", "late")
    assert line.journal.get(1).judged == ""


def test_the_newest_sequences_are_the_last_to_be_forgotten(line):
    for sequence in range(1, 111):
        line.pass_one(sequence)
    again = Line(line.journal, Rules(deadline_s=0.15, shifts=SHIFTS))
    again.pass_one(111)
    again.pass_one(110)
    assert [told[0] for told in again.gate.told] == [111]


def test_a_part_that_somebody_asked_for_goes_to_a_person(line):
    line.pass_one(1)
    line.journal.ask_for("ann")
    line.journal.ask_for("bob")
    assert line.journal.asking() == "ann"
    assert line.pass_one(2) == (2, "manual", "asked for")
    assert line.pass_one(3) == (3, "ok", "")
    (second,) = [part for part in line.journal.find() if part.sequence == 2]
    assert (line.journal.asking(), line.journal.asking(second.id)) == ("", "ann")


def test_what_was_asked_can_be_taken_back(line):
    line.journal.ask_for("ann")
    line.journal.ask_no_more()
    assert line.pass_one(1) == (1, "ok", "")


def test_a_red_rabbit_is_no_part_that_anybody_asks_for(strict):
    strict.journal.ask_for("ann")
    strict.mind.says = Judged("reject", "scratch")
    assert strict.pass_one(1, "R1") == (1, "reject", "scratch")
    assert strict.journal.asking() == "ann"


def test_a_request_that_cannot_be_looked_up_releases_nothing(line, monkeypatch):
    def away():
        raise Unavailable("the journal cannot be used: disk I/O error.")

    monkeypatch.setattr(line.journal, "asking", away)
    assert line.pass_one(1) == (1, "manual", "asked for")


def test_every_problem_of_a_station_is_told_at_once(strict):
    strict.pass_one(1)
    strict.eye.is_silent = True
    state = strict.station.state()
    assert (state.is_ready, state.reason) == (False, "camera silent")
    assert (state.camera, state.seeing, state.rabbits_left) == (
        "it is silent",
        "unproven",
        ("R1", "R2"),
    )
    assert state.last == 1


def test_the_heart_says_how_the_station_stands_and_that_it_was_stopped(tmp_path):
    told, journal = [], Journal(tmp_path / "parts.sqlite")
    rules = Rules(deadline_s=0.5, shifts=SHIFTS, station="s1")
    station = Station(Gate(), Eye(), Mind(), journal, rules, Beside(None, told.append))
    running = threading.Thread(target=station.run)
    running.start()
    while len(told) < 2:
        time.sleep(0.01)
    station.ask_to_stop()
    running.join()
    journal.close()
    assert [state.beats for state in told[:2]] == [1, 2]
    assert told[0].is_ready
    assert (told[-1].is_ready, told[-1].reason) == (False, "stopped")


def test_shifts_go_by_the_clock_of_the_machine(line, clock_of):
    clock_of("Asia/Shanghai")
    line.pass_one(1)
    (part,) = line.journal.last(1)
    assert part.shift == "2026-03-02 late"
    assert part.at == NOON
    assert part.at.utcoffset() == timedelta(0)

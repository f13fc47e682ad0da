"""The contract with the controller, on real servers of OPC UA and Modbus TCP."""

import time
from contextlib import closing

import pytest

from plants import Bench, soon
from tenfold.apps.line.controllers import open_wire
from tenfold.apps.line.controllers.controller import Controller
from tenfold.apps.line.station import ControllerLight, Registers, Tags
from tenfold.apps.line.values import Decision
from tenfold.errors import DataError, Unavailable


@pytest.fixture(scope="module")
def benches():
    both = {kind: Bench(kind) for kind in ("opcua", "modbus")}
    yield both
    for bench in both.values():
        bench.close()


@pytest.fixture(params=["opcua", "modbus"])
def bench(request, benches):
    one = benches[request.param]
    one.renew()
    yield one
    one.cable.close()


@pytest.fixture
def controller(bench):
    with closing(Controller(open_wire(bench.spec(timeout_s=0.5)), late_s=0.5)) as one:
        soon(lambda: not one.problem())
        yield one


def test_a_part_is_told_with_its_words(bench, controller):
    bench.bring(7, "47-11", "S 7", "Löt 1")
    trigger = controller.wait(5)
    told = (trigger.sequence, trigger.part, trigger.serial, trigger.lot)
    assert told == (7, "47-11", "S 7", "Löt 1")
    assert controller.stands(7)
    assert controller.wait(0.05) is None


def test_ok_releases_and_nothing_else_does(bench, controller):
    for sequence, outcome in enumerate(("ok", "reject", "manual"), start=1):
        bench.bring(sequence)
        controller.put(Decision(controller.wait(5).sequence, "4711", outcome, "scratch"))
        assert bench.words.values["verdict_sequence"] == sequence
        assert bench.words.values["release"] == (1 if outcome == "ok" else 0)
    assert bench.words.values["reason"] == "scratch"
    counts = bench.pass_all()
    assert (counts["released"], counts["rejected"]) == (1, 2)
    assert counts["released_unjudged"] == counts["misfits"] == 0


def test_the_part_is_written_before_its_release(bench, controller):
    """The gate looks at the moment when `release` is written: another part's would not fit."""
    for sequence, number in enumerate(("A", "B", "A"), start=1):
        bench.bring(sequence, number)
        trigger = controller.wait(5)
        controller.put(Decision(sequence, trigger.part, "ok"))
    assert bench.pass_all()["released"] == 3


def test_a_release_for_another_part_number_opens_nothing(bench, controller):
    bench.bring(1, "A")
    controller.wait(5)
    controller.put(Decision(1, "B", "ok"))
    counts = bench.pass_all()
    assert (counts["released"], counts["misfits"]) == (0, 1)


def test_what_stands_there_before_the_connection_is_not_looked_at(bench):
    bench.bring(5)
    bench.words.written("release", 5)
    with closing(Controller(open_wire(bench.spec()))) as controller:
        soon(lambda: not controller.problem())
        assert controller.wait(0.3) is None
        assert bench.words.values["release"] == 0  # what was released before is taken back
        with pytest.raises(Unavailable, match="before the connection"):
            controller.put(Decision(5, "4711", "ok"))
        bench.bring(6)
        assert controller.wait(5).sequence == 6


def test_whether_a_part_stands_there_is_asked(bench, controller):
    """What was told may be old: a picture taken now might be of another part."""
    bench.bring(1)
    assert controller.wait(5).sequence == 1
    bench.words.set(sequence=2)
    assert not controller.stands(1)


def test_no_part_stands_where_the_sequence_is_zero(bench, controller):
    bench.bring(1)
    controller.wait(5)
    bench.words.set(sequence=0)
    assert controller.wait(0.3) is None
    assert not controller.stands(1)
    controller.put(Decision(1, "4711", "ok"))  # it is on its way to the gate
    bench.bring(2)
    assert controller.wait(5).sequence == 2
    assert bench.pass_all()["released"] == 1


def test_words_that_change_after_the_sequence_are_of_nobody(bench, controller):
    bench.words.set(part="A", serial="S1", lot="", sequence=1)
    assert controller.wait(5).serial == "S1"
    assert controller.stands(1)
    bench.words.set(serial="S2")
    assert not controller.stands(1)


def test_a_counting_that_goes_back_takes_back_what_was_released(bench, controller):
    for sequence in (1, 2):
        bench.bring(sequence)
        trigger = controller.wait(5)
        assert trigger.is_first == (sequence == 1)
        controller.put(Decision(sequence, "4711", "ok"))
    assert bench.words.values["release"] == 2
    bench.bring(1)
    assert controller.wait(5).sequence == 1
    assert bench.words.values["release"] == 0


def test_the_highest_number_does_not_go_back(bench, controller):
    bench.bring(2**32 - 1)
    controller.put(Decision(controller.wait(5).sequence, "4711", "ok"))
    bench.words.set(sequence=0)
    bench.bring(1)
    assert controller.wait(5).sequence == 1
    assert bench.words.values["release"] == 2**32 - 1


def test_what_was_decided_before_a_cut_is_never_written(bench, controller):
    bench.bring(1)
    controller.wait(5)
    bench.cable.cut()
    with pytest.raises(Unavailable):
        controller.put(Decision(1, "4711", "ok"))
    soon(controller.problem)
    assert not controller.stands(1)
    bench.bring(2)
    bench.cable.mend()
    soon(lambda: not controller.problem())
    for sequence in (1, 2):
        with pytest.raises(Unavailable, match="before the connection"):
            controller.put(Decision(sequence, "4711", "ok"))
    assert controller.wait(0.3) is None
    bench.bring(3)
    controller.put(Decision(controller.wait(5).sequence, "4711", "ok"))
    assert bench.words.values["verdict_sequence"] == 3
    assert bench.pass_all()["released"] == 1


def test_a_release_that_comes_late_opens_nothing(bench, controller):
    bench.bring(1)
    controller.wait(5)
    bench.cable.stall()
    began = time.monotonic()
    with pytest.raises(Unavailable):
        controller.put(Decision(1, "4711", "ok"))
    assert time.monotonic() - began < 3
    bench.pass_all()
    bench.cable.mend()
    soon(lambda: not controller.problem(), within_s=20)
    bench.bring(2)
    controller.put(Decision(controller.wait(5).sequence, "4711", "ok"))
    assert bench.pass_all()["released"] == 1


def test_a_silent_controller_is_told(bench, controller):
    bench.cable.stall()
    problem = soon(controller.problem, within_s=5)
    assert "does not answer" in problem
    with pytest.raises(Unavailable):
        controller.beat(1, is_ready=True, reason="")


def test_a_verdict_is_written_once(bench, controller):
    bench.bring(1)
    controller.wait(5)
    controller.put(Decision(1, "4711", "reject", "pit"))
    with pytest.raises(Unavailable):
        controller.put(Decision(1, "4711", "ok"))
    assert bench.pass_all()["released"] == 0


def test_a_part_that_waited_too_long_is_not_looked_at(bench, controller):
    bench.bring(1)
    time.sleep(0.8)
    assert controller.wait(0.05) is None
    bench.bring(2)
    assert controller.wait(5).sequence == 2


def test_the_newest_part_is_the_one_that_is_there(bench, controller):
    for sequence in (1, 2):
        bench.bring(sequence)
        soon(lambda sequence=sequence: controller.stands(sequence))
    time.sleep(0.1)  # nobody waited for either
    assert controller.wait(5).sequence == 2
    assert controller.wait(0.05) is None


def test_the_heart_beats_into_the_controller(bench, controller):
    controller.beat(3, is_ready=True, reason="")
    assert bench.words.values["heartbeat"] == 3
    assert bench.words.values["ready"]
    controller.beat(3, is_ready=False, reason="camera silent")
    assert not bench.words.values["ready"]
    assert bench.words.values["reason"] == "camera silent"
    bench.words.set(accepted=12)
    assert controller.accepted() == 12


def test_lights_are_set_at_each_connection(bench):
    tag = "ns=2;s=Line.verdict" if bench.kind == "opcua" else "70"
    light = ControllerLight(kind="controller", name="ring", tag=tag, value=80)
    with closing(open_wire(bench.spec(), [light])) as wire:
        wire.connect()
    assert bench.words.values["verdict"] == 80


def test_tags_that_are_not_there_or_of_another_type_are_named(benches):
    bench = benches["opcua"]
    bench.renew()
    tags = Tags(prefix="ns=2;s=Line.", reason="ns=2;s=Line.why", ready="ns=2;s=Line.ready")
    missing = pytest.raises(Unavailable, match=r"no tag for reason \(ns=2;s=Line.why\)")
    with closing(open_wire(bench.spec(tags=tags))) as wire, missing:
        wire.connect()
    tags = Tags(prefix="ns=2;s=Line.", ready="ns=2;s=Line.reason", release="ns=2;s=Line.sequence")
    with closing(open_wire(bench.spec(tags=tags))) as wire:
        wire.connect()
        assert dict(wire.examine()) == {
            "ready": "its type is String, Boolean is expected",
            "release": "the station may not write it",
        }


def test_a_part_number_that_does_not_fit_its_registers_releases_nothing(benches):
    bench = benches["modbus"]
    bench.renew()
    registers = Registers(letters=4)
    with closing(Controller(open_wire(bench.spec(registers=registers)))) as controller:
        soon(lambda: not controller.problem())
        bench.bring(1, "4711")
        assert controller.wait(5).part == "4711"
        with pytest.raises(DataError, match="more than the 4 letters"):
            controller.put(Decision(1, "47110", "ok"))
    assert bench.pass_all()["released"] == 0


def test_registers_that_are_not_there_are_named(benches):
    bench = benches["modbus"]
    bench.renew()
    with closing(open_wire(bench.spec(registers=Registers(ready=500)))) as wire:
        wire.connect()
        assert [word for word, _ in wire.examine()] == ["ready"]

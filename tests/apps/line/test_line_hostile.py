"""What plays tricks on a station releases nothing that was not looked at."""

import threading
import urllib.request
from contextlib import closing, contextmanager
from datetime import UTC, datetime
from datetime import time as clock

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

from PIL import Image

from parts_drawn import plate
from plants import Bench, free_port, soon
from tenfold.apps.line.cycle import Judged, Rules, Station
from tenfold.apps.line.floor import open_floor
from tenfold.apps.line.journal import Journal
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.shifts import Starts
from tenfold.apps.line.station import Identity, parse
from tenfold.apps.line.values import Frame, Trigger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PART = """\
part: "4711"
reference: a.png
regions: [{name: lid, box: [200, 60, 280, 140], checks: [{check: golden}]}]
"""
GOOD = plate(np.random.default_rng(0))
OTHER = np.ascontiguousarray(GOOD[::-1, ::-1])
PICTURES = {
    "black": GOOD * 0,
    "white": GOOD * 0 + 255,
    "noise": np.random.default_rng(1).integers(0, 255, GOOD.shape).astype(np.uint8),
    "torn": np.concatenate([GOOD[:100], OTHER[100:]]),
    "half": np.concatenate([GOOD[:100], GOOD[100:] * 0]),
    "small": GOOD[:50, :50],
    "one pixel": GOOD[:1, :1],
}


@pytest.fixture
def eyes(tmp_path):
    (tmp_path / "4711.yaml").write_text(PART)
    Image.fromarray(GOOD).save(tmp_path / "a.png")
    return Eyes(Parts(tmp_path), None, Identity())


@pytest.mark.parametrize("name", PICTURES)
def test_a_picture_that_shows_no_whole_part_is_never_ok(eyes, name):
    pixels = np.ascontiguousarray(PICTURES[name])
    assert eyes.look(Trigger(1, "4711"), Frame(GOOD, NOON), 5.0).outcome == "ok"
    assert eyes.look(Trigger(1, "4711"), Frame(pixels, NOON), 5.0).outcome != "ok"


@pytest.mark.parametrize(
    "number", ["", "..", "../4711", "4711\n", " 4711", "ü", "x" * 300, "\ud800", "a\0b", "*"]
)
def test_an_odd_part_number_is_a_part_that_nobody_taught(eyes, number):
    told = eyes.look(Trigger(1, number), Frame(GOOD, NOON), 5.0)
    assert (told.outcome, told.reason) == ("manual", "unknown part")


class Camera:
    def grab(self, timeout_s, waited_s=0.0):
        return Frame(GOOD, NOON)

    def put_back(self):
        pass

    def problem(self):
        return ""


class Judge:
    def look(self, trigger, frame, timeout_s):
        return Judged("ok")

    def test(self):
        return ""


@contextmanager
def at_work(folder, bench, trigger):
    """A station that finds everything good, behind a cable to a real controller."""
    spec = parse(
        f"station: a\ntrigger: {trigger}\ncamera: {{kind: folder, path: x}}\ndeadline_ms: 2000\n"
        f"controller: {{kind: opcua, url: 'opc.tcp://127.0.0.1:{bench.cable.port}/',"
        " tags: {prefix: ns=2;s=Line.}, timeout_s: 0.5}\n",
        where="a.yaml",
    )
    rules = Rules(deadline_s=2.0, shifts=Starts((("day", clock(0)),)))
    with closing(Journal(folder / "journal.sqlite")) as journal, closing(open_floor(spec)) as floor:
        station = Station(floor, Camera(), Judge(), journal, rules)
        working = threading.Thread(target=station.run)
        working.start()
        try:
            soon(lambda: not floor.problem())
            yield journal
        finally:
            station.ask_to_stop()
            working.join()


@pytest.fixture
def bench():
    with closing(Bench("opcua")) as one:
        yield one


def told(bench):
    return bench.words.values["verdict_sequence"]


def test_a_controller_that_begins_anew_is_followed_and_nothing_old_is_released(tmp_path, bench):
    with at_work(tmp_path, bench, "{kind: controller}") as journal:
        for sequence in (1, 2, 3):
            bench.bring(sequence)
            soon(lambda sequence=sequence: bench.words.values["release"] == sequence)
        bench.cable.cut()
        assert bench.pass_all()["released"] == 3
        bench.words.set(sequence=0)  # it was switched off; `release` stands there still
        bench.cable.mend()
        soon(lambda: bench.words.values["release"] == 0)
        for sequence in (1, 2):
            bench.bring(sequence, "4712")
            soon(lambda sequence=sequence: bench.words.values["release"] == sequence)
        assert bench.pass_all()["released"] == 5
        looks = [(part.sequence, part.part) for part in journal.find()]
        assert looks == [(1, "4711"), (2, "4711"), (3, "4711"), (1, "4712"), (2, "4712")]


def test_a_part_that_two_ways_tell_of_is_looked_at_once(tmp_path, bench):
    port = free_port()

    def push(sequence):
        body = b'{"sequence": %d, "part": "4711"}' % sequence
        request = urllib.request.Request(f"http://127.0.0.1:{port}/trigger", body)
        urllib.request.urlopen(request, timeout=5).close()

    with at_work(tmp_path, bench, f"{{kind: http, port: {port}}}") as journal:
        bench.bring(1)
        for _ in range(3):
            push(1)
        soon(lambda: told(bench) == 1)
        bench.bring(2)
        push(1)
        push(2)
        soon(lambda: told(bench) == 2)
        assert [part.sequence for part in journal.find()] == [1, 2]
        counts = bench.pass_all()
        assert (counts["released"], counts["misfits"]) == (2, 0)

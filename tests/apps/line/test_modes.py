"""Part numbers in shadow: a person decides, the proof grows, and somebody lets them go live."""

import shutil
from contextlib import closing
from dataclasses import replace

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

import line_shop
import tenfold
from line_shop import NOON, NUMBER, STATION
from parts_drawn import plate, seen
from tenfold.apps.line import modes
from tenfold.apps.line.asking import heads
from tenfold.apps.line.cycle import Rules, Station
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.overruling import Word, inspected
from tenfold.apps.line.shadowing import Shadowing, fingerprint_of, remember
from tenfold.apps.line.shifts import Starts
from tenfold.apps.line.station import parse
from tenfold.apps.line.stations import folder_of, journal_of, parts_of
from tenfold.apps.line.values import Frame, Trigger
from tenfold.errors import Conflict, SpecError

pytestmark = pytest.mark.xdist_group("line")
STATION_FILE = """\
station: s1
trigger: {kind: timer, every_s: 1}
camera: {kind: folder, path: shown}
deadline_ms: 300
bar: {overkill: 0.2}
go_live: proven
"""


@pytest.fixture(scope="module")
def filled(tmp_path_factory):
    folder = tmp_path_factory.mktemp("modes")
    with tenfold.opened(folder / "home", actor="ann") as workspace:
        line_shop.fill(workspace, folder)
    return folder / "home"


@pytest.fixture
def shop(filled, tmp_path):
    shutil.copytree(filled, tmp_path / "home")
    with tenfold.opened(tmp_path / "home", actor="ann") as workspace:
        yield workspace


class Floor:
    """Controller and camera: one picture, and what was put."""

    def __init__(self, pixels):
        self.pixels, self.put_there = pixels, []

    def grab(self, timeout_s, waited_s=0.0):
        return Frame(self.pixels, NOON)

    def stands(self, sequence):
        return True

    def put(self, decision):
        self.put_there.append(decision)

    def problem(self):
        return ""


def test_a_part_in_shadow_is_judged_and_recorded_and_goes_to_a_person(shop):
    rng = np.random.default_rng(3)
    pixels = seen(plate(rng), rng)
    floor, parts = Floor(pixels), parts_of(shop, STATION)
    rules = Rules(20.0, Starts((("day", NOON.time().replace(hour=0)),)))
    with heads(shop) as desk, closing(journal_of(shop, STATION)) as journal:
        eyes = Shadowing(Eyes(parts, desk, parse(STATION_FILE, where="").identity), parts)
        station = Station(floor, floor, eyes, journal, rules)
        station.one(Trigger(1, NUMBER, "A1"))
        in_shadow = journal.get(1)
        modes.live(shop, STATION, NUMBER, why="tried it")
        station.one(Trigger(2, NUMBER, "A2"))
        is_live = journal.get(2)
    assert (in_shadow.outcome, in_shadow.reason) == ("manual", "in shadow")
    assert in_shadow.judged in ("ok", "reject", "manual")
    assert in_shadow.fingerprint == fingerprint_of(pixels)
    assert (is_live.judged, is_live.outcome) == ("", in_shadow.judged)
    assert [one.outcome for one in floor.put_there] == ["manual", is_live.outcome]


def test_an_engineer_lets_a_part_go_live_by_name_with_what_was_proven_then(shop):
    for _ in range(3):
        id = line_shop.put(shop)
        inspected(shop, STATION, id, Word("ok", "ann"))
    said = modes.live(shop, STATION, NUMBER, why="the customer waits")
    assert (said.by, said.why) == ("ann", "the customer waits")
    assert "0 of 3 good parts would have been rejected; 66 more" in said.proven[0]
    now = modes.state(shop, STATION, NUMBER)
    assert (now.mode, now.said.by) == ("live", "ann")
    assert parts_of(shop, STATION).get(NUMBER).spec.mode == "live"
    with pytest.raises(Conflict, match="live already"):
        modes.live(shop, STATION, NUMBER, why="again")
    with pytest.raises(SpecError, match="say why"):
        modes.shadow(shop, STATION, NUMBER, why="")
    modes.shadow(shop, STATION, NUMBER, why="new lamp")
    assert modes.state(shop, STATION, NUMBER).mode == "shadow"


def test_a_cleared_bar_lets_a_part_go_live_by_itself_only_where_the_station_says_so(shop):
    def inspect(count):
        ids = [line_shop.put(shop) for _ in range(count)]
        return [inspected(shop, STATION, id, Word("ok", "ann")).went_live for id in ids]

    assert not any(inspect(16))  # 0.8 ^ 16 < 0.0304
    assert modes.state(shop, STATION, NUMBER).mode == "shadow"
    (folder_of(shop, STATION) / "station.yaml").write_text(STATION_FILE)
    assert inspect(1) == [True]
    now = modes.state(shop, STATION, NUMBER)
    assert (now.mode, now.said.by) == ("live", modes.BY_PROOF)


def test_a_part_shown_twice_one_that_taught_and_a_rabbit_count_once_or_never(shop):
    def said(**more):
        inspected(shop, STATION, line_shop.put(shop, **more), Word("ok", "ann"))

    said(serial="A")
    said(serial="A")
    said(serial="B")
    assert modes.proof(shop, STATION, NUMBER).overkill.n == 2
    pixels = plate(np.random.default_rng(0))
    remember(parts_of(shop, STATION), NUMBER, [pixels])
    with closing(journal_of(shop, STATION)) as journal:
        first = replace(journal.get(1), serial="", overruled="", overruled_at=None)
        for shown in (fingerprint_of(pixels), "new", "new"):
            id = journal.put(replace(first, fingerprint=shown))
            journal.overrule(id, "ok", by="ann", why="inspected")
        rabbit = journal.put(replace(first, is_rabbit=True))
        journal.overrule(rabbit, "reject", by="ann", why="a rabbit")
    assert modes.proof(shop, STATION, NUMBER).overkill.n == 3

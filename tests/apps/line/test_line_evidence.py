"""Pictures of parts are kept whole, as long as they should be, and never in anybody's way."""

import io
import os
import signal
import subprocess
import sys
import threading
import time
from contextlib import closing
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from hashlib import sha256

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the extra `line`")

from tenfold.apps.line import keeping
from tenfold.apps.line.drawing import jpeg
from tenfold.apps.line.evidence import RECENT, Evidence
from tenfold.apps.line.journal import Journal, Part
from tenfold.apps.line.keeping import Keeping
from tenfold.apps.line.station import Retention
from tenfold.apps.line.values import Sight
from tenfold.atomic import UNFINISHED

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
GREY = np.full((60, 80, 3), 128, np.uint8)
HOT = Sight(GREY[:40, :40], np.eye(8, dtype=np.float32), 0.5, 32)
WRITER = """
import sys
from pathlib import Path
import numpy as np
from tenfold.apps.line.drawing import jpeg
from tenfold.apps.line.evidence import Evidence
from tenfold.apps.line.journal import Part
from tenfold.apps.line.station import Retention
from tenfold.apps.line.values import Sight
evidence = Evidence(Path(sys.argv[1]), Retention())
rng, id = np.random.default_rng(0), 0
while True:
    id += 1
    pixels = rng.integers(0, 255, (600, 800, 3), dtype=np.uint8)
    evidence.store(Part(id, "a", "reject", id=id), jpeg(pixels), {"lid": Sight(pixels[:90, :90])})
    print(id, flush=True)
"""


def part(id, outcome="reject", **more):
    return Part(id, "4711", outcome, id=id, at=more.pop("at", NOON), **more)


@pytest.fixture
def evidence(tmp_path):
    return Evidence(tmp_path / "pictures", Retention(ok_share=0.25))


@pytest.fixture
def journal(tmp_path):
    with closing(Journal(tmp_path / "journal.sqlite")) as opened:
        yield opened


def opened(data):
    return Image.open(io.BytesIO(data))


def test_a_picture_comes_back_with_its_maps_and_its_digest(evidence):
    plain = Sight(GREY[:30, :50], boxes=((5, 5, 20, 20),))
    evidence.store(part(7), jpeg(GREY), {"lid": HOT, "print-1": plain})
    assert opened(evidence.picture(part(7))).size == (80, 60)
    maps = evidence.maps(part(7))
    assert list(maps) == ["lid", "print-1"]
    heat, boxed = (np.asarray(opened(maps[name])) for name in maps)
    # the diagonal of the map is hot, what lies beside it is the picture's grey
    assert np.ptp(heat[20, 20].astype(int)) > 60
    assert np.ptp(heat[2, 36].astype(int)) == 0
    assert boxed.shape == (30, 50, 3)
    assert evidence.path(part(7)).parent.name == "2026-03-02"
    assert evidence.picture(part(8)) is None
    assert evidence.maps(part(8)) == {}


def test_all_rejects_are_kept_and_a_share_of_the_ok_ones_that_stays_the_same(evidence):
    assert all(evidence.is_kept(part(id, outcome)) for id in range(50) for outcome in
               ("reject", "manual"))  # fmt: skip
    assert evidence.is_kept(part(1, "ok", is_rabbit=True))
    assert evidence.is_kept(part(2, "ok", overruled="reject"))
    kept = [id for id in range(2000) if evidence.is_kept(part(id, "ok"))]
    assert 420 < len(kept) < 580
    assert kept == [id for id in range(2000) if evidence.is_kept(part(id, "ok"))]
    assert not Evidence(evidence.folder, Retention(ok_share=0)).is_kept(part(kept[0], "ok"))


def test_the_newest_are_there_for_screens_and_no_more_of_them(evidence):
    assert evidence.newest is None
    for id in range(1, RECENT + 4):
        evidence.show(part(id, "ok"), b"picture", {"lid": HOT})
    assert evidence.newest == RECENT + 3
    assert evidence.picture(part(RECENT + 3, "ok")) == b"picture"
    assert list(evidence.maps(part(RECENT + 3, "ok"))) == ["lid"]
    assert evidence.picture(part(3, "ok")) is None
    assert len(list((evidence.folder / "newest").iterdir())) == 2 * RECENT


def put(journal, evidence, day, *told):
    """Parts of a day with pictures: outcome, and what a person said."""
    at, found = datetime(2026, 3, day, 12, tzinfo=UTC), []
    for outcome, overruled in told:
        id = journal.put(Part(1, "4711", outcome, at=at))
        if overruled:
            journal.overrule(id, overruled, by="ann", why="")
        found.append(replace(journal.get(id), at=at))
        evidence.store(found[-1], b"picture", {"lid": HOT})
    return found


def tidy(evidence, journal, today):
    return sum(evidence.tidying(today, journal.plain))


def test_ok_ones_go_first_and_rejects_when_their_time_is_over(tmp_path, journal):
    evidence = Evidence(tmp_path / "pictures", Retention(rejects_days=20, ok_days=5))
    told = (("ok", ""), ("reject", ""), ("ok", "reject"), ("reject", "ok"), ("manual", ""))
    old, new = put(journal, evidence, 2, *told), put(journal, evidence, 6, *told)
    assert tidy(evidence, journal, date(2026, 3, 8)) == 2
    assert [evidence.path(one) is None for one in old] == [True, *[False] * 4]
    assert all(evidence.path(one) for one in new)
    assert tidy(evidence, journal, date(2026, 3, 9)) == 0
    tidy(evidence, journal, date(2026, 3, 23))
    assert sorted(p.name for p in evidence.folder.glob("2*")) == ["2026-03-06"]
    assert len(list((evidence.folder / "2026-03-06").glob("*.jpg"))) == 4


def test_a_killed_writer_leaves_no_half_picture(tmp_path):
    folder = tmp_path / "pictures"
    writer = subprocess.Popen(
        [sys.executable, "-c", WRITER, folder], stdout=subprocess.PIPE, text=True
    )
    for line in writer.stdout:
        if int(line) >= 20:
            break
    time.sleep(0.013)
    os.kill(writer.pid, signal.SIGKILL)
    told = max([20, *(int(line) for line in writer.stdout.read().split())])
    writer.wait(10)
    evidence = Evidence(folder, Retention())
    (next(folder.glob("*/")) / f"{UNFINISHED}x").write_bytes(b"half")
    evidence.begin()
    found = [path for path in folder.rglob("*") if path.is_file()]
    assert not [path for path in found if path.name.startswith(".")]
    for path in found:
        opened(path.read_bytes()).load()
    assert {int(p.stem) for p in folder.glob("[0-9]*/*.jpg")} >= set(range(1, told + 1))


def soon(claim):
    ends = time.monotonic() + 10
    while not claim():
        assert time.monotonic() < ends
        time.sleep(0.01)


def test_what_is_kept_is_named_in_the_journal_and_what_is_not_is_shown(evidence, journal):
    bad, plain = (
        replace(journal.get(journal.put(Part(n, "a", outcome))), at=NOON)
        for n, outcome in ((1, "reject"), (2, "ok"))
    )
    evidence = Evidence(evidence.folder, Retention(ok_share=0))
    with closing(Keeping(evidence, journal)) as keeper:
        keeper.keep(bad, GREY, {"lid": HOT})
        keeper.keep(plain, GREY, {"lid": HOT, "rim": Sight(GREY, HOT.score_map, 0.1, 32)})
        soon(lambda: evidence.newest == plain.id)
    assert journal.get(bad.id).picture == sha256(evidence.picture(bad)).hexdigest()
    assert journal.get(plain.id).picture == ""
    assert list(evidence.maps(plain)) == ["rim"]  # what came nearest to a reject


def test_a_writer_that_is_behind_leaves_out_ok_ones_first_and_says_so_once(
    tmp_path, journal, monkeypatch, caplog
):
    held, stored = threading.Event(), []

    class Slow(Evidence):
        def store(self, part, picture, sights):
            held.wait(10)
            stored.append(part.outcome)

    monkeypatch.setattr(keeping, "MOST_WAITING", 4)
    evidence = Slow(tmp_path / "pictures", Retention(ok_share=1))
    with closing(Keeping(evidence, journal)) as keeper:
        keeper.keep(part(1), GREY, {})
        soon(lambda: not keeper._waiting)
        for n, outcome in enumerate(("ok", "ok", "reject", "reject", "ok", "reject", "reject")):
            keeper.keep(part(n + 2, outcome), GREY, {})
        held.set()
    assert stored == ["reject"] * 5
    told = [one.message for one in caplog.records]
    assert told == [
        "pictures are left out: the disk is behind",
        "pictures are kept again; 3 were left out",
    ]


def test_a_full_disk_stops_no_station_and_leaves_room_for_its_journal(tmp_path, journal, caplog):
    disk = tmp_path / "disk"
    disk.mkdir()
    mount = ["mount", "-t", "tmpfs", "-o", "size=2m", "tmpfs", str(disk)]
    if subprocess.run(mount, capture_output=True, check=False).returncode:
        pytest.skip("a small disk cannot be mounted here")
    try:
        evidence = Evidence(disk / "pictures", Retention())
        rng = np.random.default_rng(0)
        loud = rng.integers(0, 255, (400, 400, 3), dtype=np.uint8)
        with closing(Keeping(evidence, journal)) as keeper:
            for id in range(1, 30):
                keeper.keep(part(id), loud, {})
            soon(lambda: not keeper._waiting and keeper._left_out > 5)
            time.sleep(0.3)
            left_out = keeper._left_out
            assert len(list(disk.rglob("2*/*.jpg"))) > 1
            assert not list(disk.rglob(f"{UNFINISHED}*"))
            for path in disk.rglob("*.jpg"):
                path.unlink()
            keeper.keep(part(99), GREY, {})
            soon(lambda: evidence.newest == 99)
        told = [one.message for one in caplog.records]
        assert [text.partition(":")[0] for text in told] == [
            "pictures are left out",
            f"pictures are kept again; {left_out} were left out",
        ]
    finally:
        subprocess.run(["umount", str(disk)], check=True)


def test_a_station_tidies_up_when_it_starts(tmp_path, journal):
    evidence = Evidence(tmp_path / "pictures", Retention(rejects_days=10, ok_days=5))
    old = part(1, at=datetime.now(UTC) - timedelta(12))
    evidence.store(old, b"picture", {})
    with closing(Keeping(evidence, journal)):
        soon(lambda: not list(evidence.folder.glob("2*")))

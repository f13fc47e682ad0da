"""A station's screens in a real browser: what is seen, who may do what, in two languages."""

import io
import re
import shutil
import threading
from dataclasses import replace
from datetime import UTC, datetime

import httpx
import numpy as np
import pytest
from PIL import Image

import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from tenfold.apps.line.journal import Journal, Part, Seen
from tenfold.apps.line.state import State, write_state
from tenfold.apps.line.station import parse
from tenfold.apps.line.stations import keep_spec
from tenfold.atomic import write_bytes
from tenfold.catalog import accounts

pytestmark = needs_chromium

STATION = """\
station: press-3
trigger: {kind: timer, every_s: 1}
camera: {kind: folder, path: seen}
deadline_ms: 150
red_rabbits: [R-0001, R-0002]
"""
SHIFT = "2026-11-30 early"
NAMES = "tenfold olga press SN lot lid scratch screw early dent CSV UTC SHA SN ms ann olga OK"


class Line:
    """A station that is played: its journal, its state, its pictures."""

    def __init__(self, home):
        self.home, self.folder = home, home / "line" / "press-3"
        self.journal = Journal(self.folder / "journal.sqlite")
        self.state = State("press-3", datetime.now(UTC), is_ready=True, shift=SHIFT)
        self.is_silent = threading.Event()
        self._ended = threading.Event()
        self._heart = threading.Thread(target=self._beat)
        self._heart.start()

    def _beat(self):
        while not self._ended.wait(0.2):
            if not self.is_silent.is_set():
                beats = self.state.beats + 1
                self.state = replace(self.state, at=datetime.now(UTC), beats=beats)
                write_state(self.folder, self.state)

    def stand(self, **how):
        self.state = replace(self.state, **how)

    def put(self, outcome, reason="", serial="", **more):
        seen = Seen("lid", "good" if outcome == "ok" else "scratch", 0.75, 0.5, "ab" * 32)
        part = Part(
            sequence=1,
            part="4711",
            outcome=outcome,
            reason=reason,
            serial=serial,
            lot="lot-7",
            shift=SHIFT,
            regions=(seen,),
            times={"grab": 8.0, "heads": 20.0, "all": 31.0},
            at=datetime.now(UTC),
            **more,
        )
        part = replace(part, id=self.journal.put(part))
        day = self.folder / "pictures" / f"{part.at:%Y-%m-%d}"
        write_bytes(day / f"{part.id}.jpg", picture("JPEG"))
        if outcome == "reject":
            write_bytes(day / f"{part.id}-lid.png", picture("PNG"))
        return part

    def close(self):
        self._ended.set()
        self._heart.join()
        self.journal.close()


def picture(kind):
    out = io.BytesIO()
    Image.fromarray(np.full((60, 80, 3), 120, np.uint8)).save(out, kind)
    return out.getvalue()


@pytest.fixture(scope="module")
def home(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("line") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        keep_spec(workspace, parse(STATION, where="station.yaml"))
        for name, role in (
            ("olga", "owner"),
            ("emil", "engineer"),
            ("lea", "labeller"),
            ("vic", "viewer"),
        ):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return home


@pytest.fixture(scope="module")
def hub(home):
    with console(home) as running:
        yield running


@pytest.fixture
def line(home):
    for file in (home / "line" / "press-3").glob("journal.sqlite"):
        journal = Journal(file)
        journal._file.execute("delete from parts")
        journal._file.execute("delete from asked")
        journal.close()
    made = Line(home)
    yield made
    made.close()


@pytest.fixture
def operator(hub, browser, line):
    with page_of(browser) as page:
        sign_in(page, hub.url, "lea")
        page.goto(f"{hub.url}/line/press-3")
        page.locator(".line-lamps .good").first.wait_for()
        yield page


def says(page, text):
    page.locator(".line-word", has_text=re.compile(f"^{text}$")).wait_for(timeout=5_000)


def post(page, url, path, body=None):
    csrf = page.request.get(f"{url}/api/me").json()["csrf"]
    return page.request.post(f"{url}{path}", data=body or {}, headers={"X-CSRF-Token": csrf})


def test_a_part_is_on_the_screen_as_it_comes_with_its_reason_in_words(operator, line):
    says(operator, "No part yet")
    line.put("ok", serial="SN1")
    says(operator, "OK")
    line.put("reject", "missing screw lid", "SN2")
    says(operator, "REJECT")
    operator.get_by_text("Screw is missing at lid").first.wait_for()
    operator.locator('.line-verdict [data-of="serial"]', has_text="SN2").wait_for()
    operator.locator('.line-counts [data-of="reject"]', has_text="1").wait_for()
    operator.locator(".line-face img").wait_for()
    assert operator.locator(".line-rejects .line-tile").count() == 1


def test_only_what_changed_is_drawn(operator, line):
    line.put("reject", "scratch lid", "SN1")
    tile = operator.locator(".line-tile").first
    tile.evaluate("it => { it.same = true }")
    line.put("ok", serial="SN2")
    says(operator, "OK")
    assert tile.evaluate("it => it.same") is True


def test_a_silent_station_is_told_large_and_its_last_part_is_grey(operator, line):
    line.put("ok")
    says(operator, "OK")
    line.is_silent.set()
    operator.get_by_text("The station does not answer").wait_for(timeout=10_000)
    assert operator.locator("#line").get_attribute("data-stand") == "silent"
    line.is_silent.clear()
    operator.locator('#line[data-stand="ready"]').wait_for()


def test_red_rabbits_that_are_left_are_named(operator, line):
    line.stand(
        is_ready=False, reason="red rabbits wait", seeing="unproven", rabbits_left=("R-0002",)
    )
    operator.locator(".line-rabbits b", has_text="R-0002").wait_for()
    operator.get_by_text("Not ready: nothing is released").wait_for()


def test_one_key_asks_for_the_next_part_and_it_can_be_taken_back(operator, line):
    operator.keyboard.press("m")
    operator.get_by_text("lea asked: the next part goes to manual inspection.").wait_for()
    assert line.journal.asking() == "lea"
    operator.get_by_role("button", name="Take it back").click()
    operator.locator(".line-asked:empty").wait_for(state="attached")
    assert line.journal.asking() == ""


def test_a_labeller_decides_what_waits_for_a_person_but_releases_no_reject(operator, hub, line):
    part = line.put("manual", "cannot align", "SN1")
    says(operator, "MANUAL")
    operator.keyboard.press("o")
    dialog = operator.locator("#overrule")
    dialog.locator("label.ok").click()
    dialog.get_by_label("Why").fill("looked at it by hand")
    dialog.get_by_role("button", name="Overrule").click()
    says(operator, "OK")
    kept = line.journal.get(part.id)
    assert (kept.overruled, kept.overruled_by, kept.outcome) == ("ok", "lea", "manual")
    bad = line.put("reject", "scratch lid", "SN2")
    says(operator, "REJECT")
    operator.keyboard.press("o")
    assert dialog.locator('input[value="ok"]').is_disabled()
    said = {"verdict": "ok", "why": "dust"}
    answer = post(operator, hub.url, f"/api/line/press-3/parts/{bad.id}/overrule", said)
    assert answer.status == 403
    assert line.journal.get(bad.id).overruled == ""


def test_an_engineer_overrules_a_reject_on_its_page(hub, browser, line):
    part = line.put("reject", "scratch lid", "SN9")
    with page_of(browser) as page:
        sign_in(page, hub.url, "emil")
        page.goto(f"{hub.url}/line/press-3/parts/{part.id}")
        page.locator("img.map").wait_for()
        page.locator("label.ok").click()
        page.get_by_label("Why").fill("dust on the lens")
        page.get_by_role("button", name="Overrule").click()
        page.get_by_text("emil said OK: dust on the lens").wait_for()
        assert line.journal.get(part.id).overruled == "ok"


def test_a_viewer_sees_all_and_says_nothing(hub, browser, line):
    part = line.put("ok")
    with page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        page.goto(f"{hub.url}/line/press-3")
        says(page, "OK")
        assert page.locator(".line-keys").count() == 0
        said = {"verdict": "reject", "why": "scratch"}
        path = f"/api/line/press-3/parts/{part.id}/overrule"
        assert post(page, hub.url, path, said).status == 403
        assert post(page, hub.url, "/api/line/press-3/manual").status == 403


def test_parts_are_found_by_serial_and_verdict_a_page_at_a_time(hub, browser, line):
    for number in range(60):
        line.put("ok" if number % 6 else "reject", "" if number % 6 else "dent lid", f"SN{number}")
    with page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        page.goto(f"{hub.url}/line/press-3/parts")
        rows = page.locator("tbody tr")
        assert rows.count() == 50
        page.get_by_role("link", name="Older").click()
        page.get_by_role("link", name="Newest").wait_for()
        assert rows.count() == 10
        page.goto(f"{hub.url}/line/press-3/parts?outcome=reject&serial=SN1")
        page.locator("main h1").wait_for()
        assert [row.split("\t")[2] for row in rows.all_inner_texts()] == ["SN18", "SN12"]


def test_the_engineer_sees_stages_and_defects(hub, browser, line):
    for number in range(60):
        line.put("ok" if number % 6 else "reject", "" if number % 6 else "dent lid", f"SN{number}")
    with page_of(browser) as page:
        sign_in(page, hub.url, "emil")
        page.goto(f"{hub.url}/line/press-3/engineer")
        page.get_by_role("heading", name="How long a part takes").wait_for()
        page.locator("td", has_text="ask the models").wait_for()
        page.locator(".line-pareto li", has_text="Dent at lid").wait_for()
        page.locator('[data-stand="ready"]').wait_for()
        page.locator(".line-face img").wait_for()


def test_the_line_is_on_home_and_in_the_way_around_only_with_a_station(
    hub, browser, line, tmp_path
):
    with page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        page.get_by_role("link", name="Line", exact=True).wait_for()
        page.get_by_role("link", name="press-3").click()
        page.wait_for_url(f"{hub.url}/line/press-3")
        page.goto(f"{hub.url}/line")
        page.get_by_role("heading", name="press-3").wait_for()


def test_without_a_station_nothing_speaks_of_a_line(workshop, browser, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    with console(home) as hub, page_of(browser) as page:
        page.goto(hub.url)
        page.locator("main h1").wait_for()
        assert page.get_by_role("link", name="Line", exact=True).count() == 0
        assert page.goto(f"{hub.url}/line/press-3").status == 404


def test_the_chinese_screens_have_no_english_left(hub, browser, line):
    line.put("reject", "scratch lid", "SN1")
    part = line.put("manual", "unfit: too dark", "SN2")
    line.stand(is_ready=False, reason="camera silent", camera="the stream is silent")
    known = re.compile(
        rf"`[^`]*`|(?i:{'|'.join(NAMES.split())})|English|[0-9a-f]{{6,}}|\S*[/.]\S*|\w*_\w*"
    )
    found = set()
    with page_of(browser, "zh-CN") as page:
        page.goto(f"{hub.url}/sign-in")
        page.locator("input[name=name]").fill("olga")
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{hub.url}/")
        for place in (
            "",
            "/press-3",
            "/press-3/engineer",
            "/press-3/parts",
            f"/press-3/parts/{part.id}",
        ):
            page.goto(f"{hub.url}/line{place}")
            page.locator("main h1").wait_for()
            if place == "/press-3":
                page.get_by_text("相机没有给出图片").wait_for()
            page.evaluate("document.querySelectorAll('option, code').forEach(it => it.remove())")
            left = known.sub(" ", page.locator("body").inner_text())
            found |= {f"{place}: {word}" for word in re.findall(r"[A-Za-z]{2,}", left)}
    assert sorted(found) == []


def test_a_stream_needs_a_session(hub, line):
    assert httpx.get(f"{hub.url}/console/line/press-3/live").status_code == 401
    assert httpx.get(f"{hub.url}/api/line").status_code == 401

"""A part is taught on the screen of a station, and goes live by name: in a real browser."""

import csv
import io
import re
from contextlib import closing
from datetime import UTC, datetime

import numpy as np
import pytest
from PIL import Image

pytest.importorskip("cv2", reason="needs the extra `line`")

import line_shop
import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from parts_drawn import BOXES, plate, scratched, seen
from tenfold.apps.line.state import State, write_state
from tenfold.apps.line.station import parse
from tenfold.apps.line.stations import folder_of, journal_of, keep_spec, parts_of
from tenfold.catalog import accounts

pytestmark = needs_chromium

STATION = """\
station: s1
trigger: {kind: timer, every_s: 1}
camera: {kind: folder, path: seen}
deadline_ms: 150
"""
TEACH, BOX = "/line/s1/teach", ".teach-box"


def write(folder, pictures):
    folder.mkdir(parents=True)
    for number, pixels in enumerate(pictures):
        Image.fromarray(pixels).save(folder / f"{number:02}.png")
    return folder


@pytest.fixture(scope="module")
def pictures(tmp_path_factory):
    """Folders of good parts, of too few, of another part, and of scratched ones."""
    rng, root = np.random.default_rng(0), tmp_path_factory.mktemp("pictures")
    goods = [seen(plate(rng), rng) for _ in range(22)]
    others = [rng.integers(0, 255, (240, 320, 3)).astype(np.uint8) for _ in range(22)]
    write(root / "good", goods)
    write(root / "few", goods[:5])
    write(root / "mixed", [*goods[:6], *others])
    write(root / "scratched", [seen(scratched(plate(rng), "left"), rng) for _ in range(8)])
    return root


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    """A station with a part in shadow."""
    root = tmp_path_factory.mktemp("teach")
    with tenfold.opened(root / "home", actor="ann") as workspace:
        line_shop.fill(workspace, root)
        keep_spec(workspace, parse(STATION, where="station.yaml"))
        journal_of(workspace, "s1").close()
        for name, role in (("olga", "owner"), ("emil", "engineer"), ("lea", "labeller")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return root / "home"


@pytest.fixture(scope="module")
def hub(home):
    with console(home) as running:
        yield running


@pytest.fixture
def workspace(home):
    with tenfold.opened(home, actor="ann") as opened:
        yield opened


@pytest.fixture
def emil(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "emil")
        yield page


def open_teach(page, hub):
    page.goto(f"{hub.url}{TEACH}")
    page.locator("#teach[data-begun]").wait_for()


def drop(page, folder, within='[data-at="goods"]'):
    page.locator(f"{within} input[type=file]").first.set_input_files(str(folder))


def propose(page, folder, part="4712"):
    drop(page, folder)
    page.get_by_label("Part number").fill(part)
    page.get_by_role("button", name="Propose regions").click()


def box_of(page, at):
    return [int(page.locator("tbody tr").nth(at).locator(f"input[type=number] >> nth={n}")
            .input_value()) for n in range(4)]  # fmt: skip


def set_row(page, at, name, box):
    row = page.locator("tbody tr").nth(at)
    row.get_by_label("Region", exact=True).fill(name)
    for side, value in zip(("Left", "Top", "Right", "Bottom"), box, strict=True):
        row.get_by_label(side, exact=True).fill(str(value))


def post(page, url, path, body):
    csrf = page.request.get(f"{url}/api/me").json()["csrf"]
    return page.request.post(f"{url}{path}", data=body, headers={"X-CSRF-Token": csrf})


@pytest.fixture
def proposed(emil, hub, pictures):
    open_teach(emil, hub)
    propose(emil, pictures / "good")
    emil.locator(BOX).first.wait_for(timeout=60_000)
    return emil


def test_a_part_is_taught_from_dropped_pictures_and_is_in_shadow(
    proposed, hub, pictures, workspace
):
    page = proposed
    while page.locator(BOX).count() > 2:
        page.locator(BOX).last.focus()
        page.keyboard.press("Delete")
    for at, (name, box) in enumerate(BOXES.items()):
        set_row(page, at, name, box)
    page.locator("tbody tr").nth(1).get_by_label("Check").select_option("golden")
    page.get_by_role("button", name="Add known bad parts").click()
    bads = '[data-at="bad-list"]'
    page.locator(f"{bads} input[type=text]").fill("scratch")
    drop(page, pictures / "scratched", within=bads)
    page.get_by_role("button", name="Teach", exact=True).click()
    page.wait_for_url(re.compile("/jobs/teach"), timeout=60_000)
    page.get_by_text("You may leave this page").wait_for()
    page.get_by_role("link", name="See the part").wait_for(timeout=240_000)
    page.get_by_text(re.compile("left: overkill proven ≤ ")).wait_for()
    page.get_by_role("link", name="See the part").click()
    page.locator("#taught td", has_text="4712").first.wait_for()
    known = parts_of(workspace, "s1").get("4712").spec
    assert (known.mode, [one.name for one in known.regions]) == ("shadow", ["left", "right"])
    assert [one.box for one in known.regions] == list(BOXES.values())
    assert known.heads == ("s1-4712-left",)


def test_regions_are_moved_resized_and_removed_by_keys(proposed):
    page = proposed
    set_row(page, 0, "lid", (40, 40, 100, 100))
    count = page.locator(BOX).count()
    page.locator(BOX).first.focus()
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowDown")
    left, top, right, bottom = box_of(page, 0)
    assert left > 40
    assert (right - left, bottom - top) == (60, 60)
    page.keyboard.press("Shift+ArrowRight")
    assert box_of(page, 0)[2] > right
    assert box_of(page, 0)[:2] == [left, top]
    for _ in range(80):
        page.keyboard.press("ArrowLeft")
    assert box_of(page, 0)[0] == 0
    page.keyboard.press("Delete")
    assert page.locator(BOX).count() == count - 1


def test_regions_are_drawn_moved_and_resized_by_pointer(proposed):
    page = proposed
    while page.locator(BOX).count():
        page.locator("tbody tr").last.get_by_role("button").click()
    stage = page.locator(".teach-stage").bounding_box()

    def drag(start, end):
        for way, (x, y) in (("down", start), ("up", end)):
            page.mouse.move(stage["x"] + x * stage["width"], stage["y"] + y * stage["height"])
            getattr(page.mouse, way)()

    drag((0.25, 0.25), (0.5, 0.5))
    assert np.allclose(box_of(page, 0), (80, 60, 160, 120), atol=2)
    drag((0.375, 0.375), (0.475, 0.375))
    assert np.allclose(box_of(page, 0), (112, 60, 192, 120), atol=2)
    drag((0.6, 0.5), (0.8, 0.75))
    assert np.allclose(box_of(page, 0), (112, 60, 256, 180), atol=3)


@pytest.mark.parametrize(
    ("name", "box", "told"),
    [
        ("lid !", (40, 40, 100, 100), "is no name for a region"),
        ("region_2", (40, 40, 100, 100), "Two regions are called region_2"),
        ("lid", (40, 40, 400, 100), "does not lie in the picture of 320 × 240 pixels"),
        ("lid", (100, 40, 40, 100), "does not lie in the picture"),
    ],
)
def test_a_region_that_cannot_be_is_told_beside_the_regions(proposed, name, box, told):
    set_row(proposed, 0, name, box)
    proposed.get_by_role("button", name="Teach", exact=True).click()
    proposed.locator('[data-at="regions-wrong"]', has_text=told).wait_for()


@pytest.mark.parametrize(
    ("folder", "part", "told"),
    [
        ("few", "4712", "5 pictures are too few: 20 are needed"),
        ("good", "47 12", "Name the part number"),
        ("mixed", "4712", re.compile(r"is not found in 2\d of 27 other pictures")),
    ],
)
def test_pictures_that_teach_nothing_are_told_in_plain_words(
    emil, hub, pictures, folder, part, told
):
    open_teach(emil, hub)
    propose(emil, pictures / folder, part)
    emil.locator('[data-at="goods"] .wrong', has_text=told).wait_for(timeout=60_000)
    assert emil.locator(BOX).count() == 0


def sent(page, hub, folder):
    """Ids of uploads, as a program sends them."""
    csrf = page.request.get(f"{hub.url}/api/me").json()["csrf"]
    ids = []
    for path in sorted(folder.iterdir()):
        data = path.read_bytes()
        begun = page.request.post(
            f"{hub.url}/api/uploads",
            headers={
                "X-CSRF-Token": csrf,
                "Upload-Length": str(len(data)),
                "Upload-Metadata": "filename MS5wbmc=",
            },
        ).json()
        page.request.patch(
            f"{hub.url}/api/uploads/{begun['id']}",
            data=data,
            headers={
                "X-CSRF-Token": csrf,
                "Upload-Offset": "0",
                "Content-Type": "application/offset+octet-stream",
            },
        )
        ids.append(begun["id"])
    return ids


def test_what_a_program_asks_wrongly_is_refused_and_keeps_nothing(emil, hub, pictures, workspace):
    few = sent(emil, hub, pictures / "few")[:1]
    region = {"name": "lid", "box": [0, 0, 9, 9], "checks": [{"check": "golden"}]}
    part = {"part": "4799", "reference": "1.png", "regions": [region]}
    for body, told in (
        ({"part": part, "good": few}, "1 pictures of good parts were sent, 20 are needed"),
        ({"part": {**part, "regions": [region, region]}, "good": few}, "given twice"),
        ({"part": {**part, "part": "../x"}, "good": few}, "a name is letters"),
        ({"part": part, "good": []}, "at least 1 entries"),
        ({"part": part}, "it must be given"),
    ):
        answer = post(emil, hub.url, "/api/line/s1/teach", body)
        assert answer.status in (400, 422), answer.text()
        assert told in answer.json()["error"]
    assert not list(folder_of(workspace, "s1").rglob("*4799*"))


def test_a_labeller_teaches_nothing(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "lea")
        page.goto(f"{hub.url}{TEACH}")
        page.locator("#content").wait_for()
        assert page.locator("#teach").count() == 0
        for path, body in (
            ("propose", {"part": "1", "uploads": ["x"]}),
            ("teach", {}),
            ("live", {"part": "4711", "why": "x"}),
            ("shadow", {"part": "4711", "why": "x"}),
        ):
            assert post(page, hub.url, f"/api/line/s1/{path}", body).status == 403


def test_an_engineer_lets_a_part_go_live_by_name_and_takes_it_back(emil, hub, workspace):
    emil.goto(f"{hub.url}/line/s1/engineer")
    row = emil.locator("#taught tr", has_text="4711")
    row.get_by_text(re.compile("overkill: 0 of 0 good parts .* prove ≤ 5")).wait_for()
    row.get_by_role("button", name="Live").click()
    dialog = emil.get_by_role("group", name="Live · 4711")
    dialog.get_by_role("button", name="Live").click()
    dialog.get_by_text("Say why").wait_for()
    dialog.get_by_label("Why").fill("inspected 200 by hand")
    dialog.get_by_role("button", name="Live").click()
    row.get_by_text("emil: inspected 200 by hand").wait_for()
    assert parts_of(workspace, "s1").get("4711").spec.mode == "live"
    row.get_by_role("button", name="Back to shadow").click()
    dialog = emil.get_by_role("group", name="Back to shadow · 4711")
    dialog.get_by_label("Why").fill("new lamp")
    dialog.get_by_role("button", name="Back to shadow").click()
    row.get_by_role("button", name="Live").wait_for()
    with closing(journal_of(workspace, "s1")) as journal:
        said = [(one.mode, one.by, one.why) for one in journal.modes("4711")]
    assert said == [("live", "emil", "inspected 200 by hand"), ("shadow", "emil", "new lamp")]


def test_one_key_is_the_inspectors_word_about_a_part_in_shadow(hub, browser, workspace):
    write_state(folder_of(workspace, "s1"), State("s1", datetime.now(UTC), is_ready=True))
    with page_of(browser) as page:
        sign_in(page, hub.url, "lea")
        page.goto(f"{hub.url}/line/s1")
        page.locator("#line[data-begun]").wait_for()
        for key, verdict in (("1", "ok"), ("2", "reject")):
            id = line_shop.put(workspace, serial=f"SN-{key}")
            page.locator('.line-verdict [data-of="serial"]', has_text=f"SN-{key}").wait_for()
            page.get_by_text("In shadow: you decide about this part.").wait_for()
            page.wait_for_timeout(500)
            page.keyboard.press(key)
            page.locator('[data-at="inspect"]').wait_for(state="hidden")
            with closing(journal_of(workspace, "s1")) as journal:
                part = journal.get(id)
            assert (part.overruled, part.overruled_by, part.why) == (verdict, "lea", "inspected")


def test_a_key_pressed_as_the_next_part_comes_says_nothing_of_it(hub, browser, workspace):
    with page_of(browser) as page:
        sign_in(page, hub.url, "lea")
        page.goto(f"{hub.url}/line/s1")
        page.locator("#line[data-begun]").wait_for()
        page.evaluate(
            """() => new MutationObserver(() => {
              document.dispatchEvent(new KeyboardEvent('keydown', {key: '2', bubbles: true}));
            }).observe(document.querySelector('.line-verdict [data-of="serial"]'),
              {childList: true, characterData: true, subtree: true})"""
        )
        id = line_shop.put(workspace, serial="SN-new")
        page.locator('.line-verdict [data-of="serial"]', has_text="SN-new").wait_for()
        page.wait_for_timeout(600)
        with closing(journal_of(workspace, "s1")) as journal:
            assert journal.get(id).overruled == ""


def test_report_and_table_of_a_shift_are_links_of_the_engineers_page(emil, hub, workspace):
    line_shop.put(workspace, serial="SN-csv")
    emil.goto(f"{hub.url}/line/s1/engineer")
    told = {
        name: emil.get_by_role("link", name=name).get_attribute("href")
        for name in ("Report of the shift", "All looks (CSV)")
    }
    report = emil.request.get(hub.url + told["Report of the shift"])
    assert report.status == 200
    assert "default-src 'none'" in report.headers["content-security-policy"]
    assert "SN-csv" in emil.request.get(hub.url + told["All looks (CSV)"]).text()
    rows = list(csv.DictReader(io.StringIO(emil.request.get(
        f"{hub.url}/api/line/s1/parts.csv").text())))  # fmt: skip
    assert {row["region"] for row in rows} == set(BOXES)
    assert emil.request.get(f"{hub.url}/api/line/none/report").status == 404


def test_the_chinese_screens_have_no_english_left(hub, browser, pictures):
    names = "tenfold|emil|English|PNG|CSV|region|Shift|Delete|Pareto|kB|MB|zip|new lamp|ms|scratch"
    known = re.compile(rf"(?i:{names}|SN|SHA|UTC)|`[^`]*`|\S*[/.]\S*|\w*[-_]\w*|s1")
    with page_of(browser, "zh-CN") as page:
        page.goto(f"{hub.url}/sign-in")
        page.locator("input[name=name]").fill("emil")
        page.locator("input[name=password]").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{hub.url}/")
        open_teach(page, hub)
        drop(page, pictures / "good")
        page.locator("input[name=part]").fill("4713")
        page.locator('[data-do="propose"]').click()
        page.locator(BOX).first.wait_for(timeout=60_000)
        found = set(
            re.findall(r"[A-Za-z]{2,}", known.sub(" ", page.locator("#content").inner_text()))
        )
        page.goto(f"{hub.url}/line/s1/engineer")
        page.locator("#taught table").wait_for()
        told = known.sub(" ", page.locator("#taught").inner_text())
        found |= set(re.findall(r"[A-Za-z]{2,}", told))
    assert sorted(found) == []

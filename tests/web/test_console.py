"""The console in a real browser: who gets in, what they may do, and that nothing goes elsewhere."""

import re
import shutil
import socket
from urllib.parse import urlsplit

import httpx
import pytest

import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from production import CAP, TASK
from tenfold.catalog import accounts

pytestmark = needs_chromium

SCREENS = [
    "/",
    "/datasets",
    "/datasets/cells",
    "/make",
    "/models",
    "/models/cap",
    "/deployments",
    f"/deployments/{CAP}",
    "/review",
    f"/review/{CAP}",
    "/ledger",
    "/settings",
    "/activity",
]


VERBATIM = "textarea, code, pre, option, .verbatim"
"""What people and machines wrote stays as it is."""


NAMES = """
tenfold olga ann lea vic root local cells cap station good cracked tiny linear image_folder zip
kB MB GB ms URL int8? fp32 bf16 auto onnxruntime openvino ONNX PostgreSQL SQLite Ray CPU KEY
Authorization Bearer make doctor
"""
"""Names of people, data, programs and units, the same in every language."""


@pytest.fixture(scope="module")
def made(workshop, tmp_path_factory):
    """A home with a dataset, a model at work, and people."""
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("console") / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        for name, role in (("olga", "owner"), ("lea", "labeller"), ("vic", "viewer")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return home


@pytest.fixture(scope="module")
def hub(made):
    with console(made) as running:
        yield running


def test_the_link_makes_one_owner(workshop, tmp_path, browser):
    home = shutil.copytree(workshop, tmp_path / "home")
    with console(home) as hub, page_of(browser) as page:
        page.goto(hub.first)
        page.get_by_label("Name").fill("ann")
        page.get_by_label("Password").fill("short")
        page.keyboard.press("Enter")
        page.get_by_role("alert").filter(has_text="password").wait_for()
        page.get_by_label("Password").fill(PASSWORD)
        page.keyboard.press("Enter")
        page.wait_for_url(f"{hub.url}/")
        page.get_by_text("ann", exact=True).wait_for()
        again = {"token": hub.first.partition("first=")[2], "name": "eve", "password": PASSWORD}
        answer = httpx.post(f"{hub.url}/first", json=again)
        assert (answer.status_code, "used" in answer.json()["error"]) == (403, True)
        assert httpx.get(hub.url).status_code in (302, 307)


def test_every_screen_is_drawn_from_this_machine_alone(hub, browser):
    asked, refused = [], []
    with page_of(browser) as page:
        page.on("request", lambda request: asked.append(request.url))
        page.on("console", lambda said: refused.append(said.text) if said.type == "error" else 0)
        sign_in(page, hub.url, "olga")
        for place in SCREENS:
            answer = page.goto(hub.url + place)
            assert answer is not None
            assert answer.status == 200, place
            page.locator("main h1").wait_for()
            assert page.locator(".problem").count() == 0, page.locator(".problem").inner_text()
    away = {urlsplit(one).netloc for one in asked} - {urlsplit(hub.url).netloc, ""}
    assert (away, refused) == (set(), [])


def test_the_chinese_console_has_no_english_left(hub, browser):
    named = "|".join([socket.gethostname(), *NAMES.split()])
    known = re.compile(
        rf"(?i:{named})|English|EUR|YAML|CSV|API|UTC|TENFOLD_\w+|[0-9a-f]{{6,}}|\S*[/.]\S*|\w*_\w*"
    )
    found = set()
    with page_of(browser, "zh-CN") as page:
        sign_in_chinese(page, hub.url)
        for place in SCREENS:
            page.goto(hub.url + place)
            page.locator("main h1").wait_for()
            page.evaluate(f"document.querySelectorAll('{VERBATIM}').forEach(it => it.remove())")
            left = known.sub(" ", page.locator("body").inner_text())
            found |= {f"{place}: {word}" for word in re.findall(r"[A-Za-z]{2,}", left)}
    assert " ".join(sorted(found)) == ""


def sign_in_chinese(page, url):
    page.goto(f"{url}/sign-in")
    page.locator("input[name=name]").fill("olga")
    page.locator("input[name=password]").fill(PASSWORD)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")


def test_a_labeller_cannot_deploy_and_a_viewer_cannot_label(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "lea")
        page.goto(f"{hub.url}/deployments/{CAP}")
        page.locator("main h1").wait_for()
        assert page.get_by_role("button", name="Roll back").count() == 0
        csrf = page.request.get(f"{hub.url}/api/me").json()["csrf"]
        verb = f"{hub.url}/api/deployments/{CAP}/retire"
        headers = {"X-CSRF-Token": csrf}
        assert page.request.post(verb, data={}, headers=headers).status == 403
    with page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        assert page.get_by_role("link", name="Review", exact=True).count() == 0
        page.goto(f"{hub.url}/review/{CAP}")
        page.get_by_role("heading", name="Not for your role").wait_for()
        csrf = page.request.get(f"{hub.url}/api/me").json()["csrf"]
        said = {"sample": "a" * 64, "label": "good"}
        answer = page.request.post(
            f"{hub.url}/api/review/{CAP}", data=said, headers={"X-CSRF-Token": csrf}
        )
        assert answer.status == 403


def test_without_a_session_every_screen_leads_to_the_sign_in(hub):
    for place in SCREENS:
        answer = httpx.get(hub.url + place)
        assert answer.status_code in (302, 307)
        assert answer.headers["location"].startswith("/sign-in")
    assert httpx.get(f"{hub.url}/console/gallery/cells").status_code == 401


def test_a_socket_from_another_site_is_refused(hub):
    handshake = {
        "Connection": "Upgrade",
        "Upgrade": "websocket",
        "Sec-WebSocket-Version": "13",
        "Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ==",
    }
    place = f"{hub.url}/_nicegui_ws/socket.io/?EIO=4&transport=websocket"
    answer = httpx.get(place, headers={**handshake, "Origin": "https://elsewhere.example"})
    assert answer.status_code == 403
    plain = f"{hub.url}/_nicegui_ws/socket.io/?EIO=4&transport=polling"
    assert httpx.get(plain, headers={"Origin": "https://elsewhere.example"}).status_code == 403
    assert httpx.get(plain, headers={"Origin": hub.url}).status_code != 403


def test_a_route_tells_a_page_in_its_language_what_is_wrong(hub):
    answer = httpx.get(f"{hub.url}/api/models", headers={"Accept-Language": "zh-CN"})
    assert answer.status_code == 401
    assert answer.headers["www-authenticate"] == "Bearer"
    assert answer.json()["error"].startswith("没有人登录。")


def test_a_page_tells_the_browser_to_load_nothing_from_elsewhere(hub):
    policy = httpx.get(f"{hub.url}/sign-in").headers["content-security-policy"]
    assert "default-src 'self'" in policy
    assert "frame-ancestors 'self'" in policy

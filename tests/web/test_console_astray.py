"""Addresses that lead nowhere, sessions that have ended, and what a sign-in leads to."""

import shutil
from urllib.parse import quote

import httpx
import pytest

import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from tenfold.catalog import accounts

pytestmark = needs_chromium

NOWHERE = ["/nope", "/datasets/nope", "/jobs/nope", "/models/nope", "/deployments/a/b", "/review/x"]
ELSEWHERE = ["//elsewhere.example", "/\\elsewhere.example", "/\t/elsewhere.example", "http://"]


@pytest.fixture(scope="module")
def hub(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("astray") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        for name, role in (("olga", "owner"), ("eng", "engineer")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    with console(home) as running:
        yield running


def test_an_address_that_leads_nowhere_says_so_and_shows_a_way_on(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eng")
        for place in NOWHERE:
            answer = page.goto(hub.url + place)
            assert answer is not None
            assert answer.status == 404, place
            page.get_by_role("heading", name="Not found").wait_for()
            way = page.locator(".empty a.button").get_attribute("href")
            there = page.goto(f"{hub.url}{way}")
            assert there is not None
            assert there.status == 200, place


def test_a_program_is_told_so_in_its_own_words(hub):
    answer = httpx.get(f"{hub.url}/api/nope")
    assert (answer.status_code, answer.json()) == (404, {"error": "nothing is at this address."})


def test_letters_that_no_name_has_are_refused(hub):
    for place in ("/models?text=%00", "/models/%00", "/api/models?dataset=%00"):
        assert httpx.get(hub.url + place).status_code == 400, place


def test_a_sign_in_leads_back_and_to_no_other_machine(hub, browser):
    with page_of(browser) as page:
        page.goto(f"{hub.url}/models?text=cap")
        _fill(page)
        page.wait_for_url(f"{hub.url}/models?text=cap")
    for place in ELSEWHERE:
        with page_of(browser) as page:
            page.goto(f"{hub.url}/sign-in?next={quote(place)}")
            _fill(page)
            page.wait_for_url(f"{hub.url}/")


def test_an_ended_session_says_so_and_leads_back(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eng")
        page.goto(f"{hub.url}/make")
        page.locator("#told-task li").first.wait_for()
        csrf = page.request.get(f"{hub.url}/api/me").json()["csrf"]
        page.request.post(f"{hub.url}/api/sign-out", headers={"X-CSRF-Token": csrf})
        assert not page.locator("#signed-out").is_visible()
        page.locator("#task").fill("task: mine")
        told = page.get_by_role("dialog", name="You are signed out")
        told.get_by_role("link", name="Sign in").click()
        _fill(page)
        page.wait_for_url(f"{hub.url}/make")


def test_a_text_outlives_its_page_and_two_clicks_make_one_job(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eng")
        page.goto(f"{hub.url}/make")
        page.locator("#told-task li").first.wait_for()
        text = page.locator("#task").input_value().replace("task: ", "task: my-")
        page.locator("#task").fill(text)
        page.reload()
        page.wait_for_function("document.getElementById('task').value.startsWith('task: my-')")
        page.locator("#told-task li").first.wait_for()
        page.get_by_role("button", name="Make", exact=True).dblclick()
        page.wait_for_function("location.pathname.startsWith('/jobs/')")  # each click leads there
        assert len(page.request.get(f"{hub.url}/api/jobs").json()) == 1
        assert page.get_by_role("main").count() == 1


def _fill(page):
    page.get_by_label("Name").fill("eng")
    page.get_by_label("Password").fill(PASSWORD)
    page.keyboard.press("Enter")

"""A fleet in a real browser: written, checked, made, watched, stopped and taken up again."""

import re
import shutil

import pytest

import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from tenfold.catalog import accounts, models
from tenfold.catalog.models import Search
from tenfold.factory import exceptions
from tenfold.factory.fleet import make_fleet
from workshop import FLEET

pytestmark = needs_chromium

WRONG = FLEET.replace('"{side}-{seed}"', '"{side}"')
MISSING = "  - {task: lost, dataset: gone}\n"
LOST = FLEET.replace("template:", f"{MISSING}template:")
MANY = """\
fleet: many
template:
  task: "many-{seed}"
  dataset: gone
  seed: "{seed}"
matrix:
  seed: SEEDS
""".replace("SEEDS", str(list(range(120))))
LONG = """\
fleet: long
template:
  task: "long-{seed}"
  dataset: cells
  trunk: tiny
  rung: linear
  question: {positive: [cracked]}
  seed: "{seed}"
matrix:
  seed: SEEDS
""".replace("SEEDS", str(list(range(3000))))


@pytest.fixture(scope="module")
def home(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("fleet") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        for name, role in (("olga", "owner"), ("eve", "engineer"), ("vic", "viewer")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return home


@pytest.fixture(scope="module")
def hub(home):
    with console(home) as running:
        yield running


def write(page, hub, text):
    page.goto(f"{hub.url}/make?what=fleet")
    page.locator("textarea").fill(text)


def make(page):
    page.get_by_role("button", name="Make", exact=True).click()
    page.wait_for_url(re.compile("/jobs/fleet"))
    return page.url.partition("/jobs/")[2]


def test_a_fleet_is_checked_as_it_is_written(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eve")
        page.goto(f"{hub.url}/make")
        page.get_by_label("What to make").select_option("A fleet of models")
        page.wait_for_url(re.compile("what=fleet"))
        told = page.locator("#told-task")
        told.get_by_text("Makes 3 models: cells-0, cells-1, cells-2.").wait_for()
        page.locator("textarea").fill(WRONG)
        told.get_by_text("Line 8: two tasks are called 'positive'").wait_for()
        assert page.get_by_role("button", name="Make", exact=True).is_disabled()
        page.locator("textarea").fill(LOST)
        told.get_by_text("Makes 11 models: odd, odder, lost, positive-1, …").wait_for()
        told.get_by_text("side (2) × seed (4)").wait_for()
        told.get_by_text("1 tasks will fail: there is no dataset gone.").wait_for()


def test_a_fleet_is_made_and_watched_as_the_command_makes_it(
    hub, home, browser, workshop, tmp_path
):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eve")
        write(page, hub, LOST)
        page.get_by_text("Makes 11 models").wait_for()
        job = make(page)
        page.get_by_role("heading", name="Make the fleet workshop").wait_for()
        page.goto(f"{hub.url}/models")  # it goes on without anybody
        page.goto(f"{hub.url}/make")
        page.get_by_role("link", name="Make the fleet workshop").click()
        page.get_by_text("11 of 11 tasks").wait_for(timeout=120_000)
        page.get_by_text("are expected to be accepted by chance").wait_for(timeout=60_000)
        page.get_by_text("Cost of the fleet so far").wait_for()
        failed = page.get_by_role("row").filter(has_text="lost")
        failed.get_by_text("no dataset 'gone'").wait_for()
        assert page.locator("table[aria-label='What needs a person'] tbody tr").count() >= 1
        failed.get_by_role("link", name="Edit the fleet").click()
        page.wait_for_url(re.compile("/make"))
        assert page.locator("textarea").input_value() == LOST
        page.goto(f"{hub.url}/models?fleet=workshop")
        page.get_by_role("link", name="positive-1", exact=True).wait_for()
    with tenfold.opened(home) as workspace:
        told = exceptions.page(home, job, limit=100)
        made = statuses(workspace)
    quiet = shutil.copytree(workshop, tmp_path / "home")
    (tmp_path / "fleet.yaml").write_text(LOST)
    with tenfold.opened(quiet) as workspace:
        by_command = make_fleet(workspace, str(tmp_path / "fleet.yaml"))
        assert made == statuses(workspace)
    assert [one.task for one in told] == [one.task for one in by_command.shortfalls]


def statuses(workspace):
    found = models.search(workspace.scope, Search(fleet="workshop", limit=0))
    return {one.id: (one.task, one.status) for one in found}


def test_many_exceptions_come_page_by_page(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eve")
        write(page, hub, MANY)
        page.get_by_text("Makes 120 models").wait_for()
        make(page)
        page.get_by_text("1–50 of 120 shown").wait_for(timeout=60_000)
        assert page.locator("table tbody tr").count() == 50
        page.get_by_role("link", name="Next 50").click()
        page.get_by_role("link", name="Next 50").click()
        page.get_by_text("101–120 of 120 shown").wait_for()
        assert page.locator("table tbody tr").count() == 20


def test_a_fleet_is_stopped_and_what_is_made_stays(hub, home, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "eve")
        write(page, hub, LONG)
        page.get_by_text("Makes 3 000 models").wait_for()
        make(page)
        page.get_by_text("Done in a minute").wait_for(timeout=120_000)
        page.get_by_role("button", name="Cancel").click()
        page.get_by_text("It was cancelled. What was made until then stays.").wait_for(
            timeout=60_000
        )
    with tenfold.opened(home) as workspace:
        made = models.count(workspace.scope, Search(fleet="long"))
    assert 0 < sum(made.values()) < 3000


def test_a_viewer_watches_and_does_nothing(hub, browser):
    with page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        page.goto(f"{hub.url}/make")
        page.get_by_role("link", name="Make the fleet many").click()
        page.get_by_text("1–50 of 120 shown").wait_for()
        assert page.get_by_role("link", name="Edit the fleet").count() == 0
        assert page.get_by_role("button", name="Cancel").count() == 0

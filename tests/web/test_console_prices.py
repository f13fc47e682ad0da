"""Prices and headcount under Settings, in a real browser."""

import re
import shutil

import pytest

import tenfold
from consoles import PASSWORD, console, needs_chromium, page_of, sign_in
from tenfold.catalog import accounts, activity
from tenfold.ledger import in_force

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def home(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("prices") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        for name, role in (("olga", "owner"), ("vic", "viewer")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return home


def test_an_owner_sets_prices_and_people(home, browser):
    with console(home) as hub, page_of(browser) as page:
        sign_in(page, hub.url, "olga")
        page.goto(f"{hub.url}/settings")
        page.locator("summary").filter(has_text="Change the prices").click()
        page.get_by_label("Currency of all prices").fill("francs")
        save = page.get_by_role("button", name="Save the prices")
        save.click()
        page.get_by_text("Three capital letters, such as EUR.").wait_for()
        page.get_by_label("Currency of all prices").fill("CHF")
        page.get_by_label("They hold from month").fill("2026-07")
        page.get_by_label("a CPU core for an hour").fill("0,05")
        page.get_by_label("a label bought").fill("-1")
        save.click()
        page.get_by_text("A number such as 0.04 is expected.").wait_for()
        page.get_by_text("It cannot be below 0.").wait_for()
        with tenfold.opened(home) as workspace:
            assert in_force.source(workspace.scope, "prices", "") == ("built-in", None)
        page.get_by_label("a CPU core for an hour").fill("0.05")
        page.get_by_label("a label bought").fill("0.25")
        page.get_by_label("What one unit of other currencies is worth").fill("USD: 0.9")
        save.click()
        page.get_by_text("Saved here by olga").wait_for()
        page.locator("summary").filter(has_text="Add or change a count").click()
        page.get_by_label("At the end of").fill("2026-06-30")
        page.get_by_role("textbox", name="People", exact=True).fill("12.5")
        page.get_by_role("button", name="Save the count").click()
        page.get_by_role("cell", name="12.5").wait_for()
        with tenfold.opened(home) as workspace:
            found = in_force.prices(workspace.scope, "")
            people = in_force.people(workspace.scope, "")
            deeds = {one.action: one.actor for one in activity.page(workspace.scope, limit=9)}
        assert (found.currency, f"{found.at(202607).label}") == ("CHF", "0.25")
        assert f"{found.at(202606).cpu_hour}" == "0.04"
        assert people is not None
        assert (deeds["set-prices"], deeds["set-headcount"]) == ("olga", "olga")
        page.goto(f"{hub.url}/activity")
        page.get_by_role("cell", name="changed the prices").first.wait_for()
        page.goto(f"{hub.url}/settings")
        page.get_by_role("button", name="Remove the prices from 2026-07-01 on").click()
        page.get_by_text("from 2026-07-01").wait_for(state="detached")


def test_who_is_no_owner_sees_and_changes_nothing(home, browser):
    with console(home) as hub, page_of(browser) as page:
        sign_in(page, hub.url, "vic")
        page.goto(f"{hub.url}/settings")
        page.get_by_role("heading", name="Prices in force").wait_for()
        assert page.get_by_text("Change the prices").count() == 0
        assert page.get_by_text("Add or change a count").count() == 0


def test_a_file_rules_and_is_named(home, browser, tmp_path, monkeypatch):
    file = tmp_path / "prices.yaml"
    file.write_text("currency: JPY\nrates:\n  - {from: 2020-01-01, cpu_hour: 7}\n")
    monkeypatch.setenv("TENFOLD_PRICES", str(file))
    with console(home) as hub, page_of(browser) as page:
        sign_in(page, hub.url, "olga")
        page.goto(f"{hub.url}/settings")
        page.get_by_text(re.compile(f"From {file}, which TENFOLD_PRICES names")).wait_for()
        page.get_by_role("row", name="a CPU core for an hour 7", exact=True).wait_for()
        assert page.get_by_text("Change the prices").count() == 0

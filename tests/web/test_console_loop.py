"""The whole loop, by hand, in a real browser: from a dropped folder to a roll-back."""

import hashlib
import re
import shutil
import time

import pytest

from cells import write_cells
from consoles import PASSWORD, chromium, console, needs_chromium, page_of
from production import CAP, TASK, parts
from serving_at import serving

pytestmark = needs_chromium

RULES = """\
approve: person
canary_share: 0.5
review: {audit_ok: 0.3, audit_reject: 0.3, audit_unfit: 0.3, per_day: 1000}
retrain: {labels: 10, rest_minutes: 0}
rollout: {margin: 0.9, alpha: 0.4, fewest_canary_answers: 3, latency_budget_ms: 60000}
"""
PATIENCE_S = 120.0


class Person:
    """Somebody at the console, who knows what each picture shows."""

    def __init__(self, page, hub, truth):
        self.page, self.url, self.first, self.truth = page, hub.url, hub.first, truth

    def sign_in(self):
        self.page.goto(self.first)
        self.page.get_by_label("Name").fill("ann")
        self.page.get_by_label("Password").fill(PASSWORD)
        self.page.keyboard.press("Enter")
        self.page.wait_for_url(f"{self.url}/")

    def add(self, folder):
        self.page.goto(f"{self.url}/datasets")
        self.page.locator("#drop input[webkitdirectory]").set_input_files(folder)
        self.page.get_by_label("Name of the dataset").fill("cells")
        self.page.get_by_role("button", name="Upload").click()
        self.page.wait_for_url(re.compile("/jobs/"))

    def make(self):
        self.page.get_by_role("link", name="Make a model from it").click(timeout=60_000)
        self.page.locator("textarea").fill(TASK)
        self.page.get_by_text("Tells bad pictures (cracked)").wait_for()
        self.page.get_by_role("button", name="Make", exact=True).click()
        self.page.wait_for_url(re.compile("/jobs/"))
        self.page.get_by_role("link", name="See the model").click(timeout=90_000)
        self.page.get_by_role("heading", name="cap", exact=True).wait_for()

    def deploy(self):
        assert self.page.locator(".badge").first.inner_text() == "accepted"
        self.page.get_by_label("Name of the deployment").fill(CAP)
        self.page.get_by_role("button", name="Deploy", exact=True).click()
        self.page.wait_for_url(f"{self.url}/deployments/{CAP}")

    def watch(self):
        self.page.goto(f"{self.url}/deployments/{CAP}")
        self.page.locator("summary").filter(has_text="Watch it").click()
        self.page.get_by_label("Rules in YAML; empty: the defaults").fill(RULES)
        self.page.get_by_role("button", name="Watch it", exact=True).click()
        self.page.get_by_text("Answers of what is live").wait_for()

    def review(self, count):
        self.page.goto(f"{self.url}/review/{CAP}")
        for _ in range(count):
            picture = self.page.locator("#review .stage img").first
            picture.wait_for()
            source = picture.get_attribute("src")
            (digest,) = re.findall("[0-9a-f]{64}", source)
            self.page.keyboard.press({"good": "1", "cracked": "2"}[self.truth[digest]])
            self.page.wait_for_function(
                "(it) => !document.querySelector('#review .stage img')?.src.includes(it)",
                arg=digest,
            )
        self.page.wait_for_timeout(5_000)  # the last is sent when it can be taken back no more

    def wait_until(self, step):
        """What the loop waits for or does."""
        ends = time.monotonic() + PATIENCE_S
        while True:
            told = self.ask("GET", f"/api/loops/{CAP}").json()["watched"]
            if step(told):
                return told
            assert time.monotonic() < ends, told
            time.sleep(0.5)

    def deployment(self):
        return self.ask("GET", f"/api/deployments/{CAP}").json()["deployment"]

    def press(self, name):
        self.page.goto(f"{self.url}/deployments/{CAP}")
        self.page.get_by_role("button", name=name, exact=True).click()
        self.page.locator(".q-dialog form [type=submit]").click()
        self.page.locator(".q-dialog form").wait_for(
            state="detached"
        )  # then the page is drawn anew
        self.page.wait_for_load_state()

    def ask(self, method, path, body=None):
        csrf = self.page.request.get(f"{self.url}/api/me").json()["csrf"]
        return self.page.request.fetch(
            self.url + path, method=method, data=body, headers={"X-CSRF-Token": csrf}
        )


@pytest.fixture
def home(workshop, tmp_path):
    """A home with the trunk of milliseconds and nothing else."""
    home = tmp_path / "home"
    home.mkdir()
    shutil.copytree(workshop / "trunks", home / "trunks")
    return home


def test_from_a_dropped_folder_to_a_roll_back(home, tmp_path):
    folder = write_cells(tmp_path / "cells", good=40, bad=24)
    pictures = parts(good=80, bad=80)
    truth = {hashlib.sha256(file.read_bytes()).hexdigest(): said for file, said in pictures}
    with console(home) as hub, chromium() as browser, page_of(browser) as page:
        person = Person(page, hub, truth)
        person.sign_in()
        person.add(folder)
        person.make()
        person.deploy()
        person.watch()
        first = person.deployment()["live"]
        with serving(home) as server:
            server.wait_for(person.deployment()["generation"])
            send(server, pictures[:60])
            person.wait_until(lambda told: told["to_review"] >= 10)
            person.review(10)
            person.wait_until(lambda _: person.deployment()["shadow"])
            for start in range(60, 160, 20):
                send(server, pictures[start : start + 20])
        review_what_is_left(person)
        person.wait_until(lambda told: told["next"].startswith("Waits for a person"))
        person.press("Approve")
        person.wait_until(lambda _: person.deployment()["canary"])
        new = person.deployment()["canary"]
        person.press("Promote")
        person.wait_until(lambda _: person.deployment()["live"] == new)
        person.press("Roll back")
        person.wait_until(lambda _: person.deployment()["live"] == first)


def send(server, some):
    for file, _ in some:
        status, _ = server.post(f"/predict/{CAP}", file.read_bytes())
        assert status == 200


def review_what_is_left(person):
    waiting = person.ask("GET", f"/api/review/{CAP}?limit=1000").json()["pictures"]
    person.review(len(waiting) - 1 if waiting else 0)

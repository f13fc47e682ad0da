"""Rights that change while a page is open, pictures of others, and labels that a crash meets."""

import hashlib
import io
import shutil
from dataclasses import replace

import httpx
import numpy as np
import pytest
from PIL import Image

import tenfold
from consoles import PASSWORD, chromium, console, needs_chromium, page_of, sign_in
from production import CAP, TASK
from tenfold.catalog import accounts, datasets, deployments, picks
from tenfold.catalog.picks import Pick

pytestmark = needs_chromium


@pytest.fixture(scope="module")
def home(workshop, tmp_path_factory):
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("rights") / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        for name, role in (("olga", "owner"), ("eng", "engineer")):
            accounts.create(workspace.scope, name, PASSWORD, role=role)
    return home


@pytest.fixture(scope="module")
def hub(home):
    with console(home) as running:
        yield running


def test_a_role_that_was_taken_away_ends_what_an_open_page_may_do(home, hub):
    with chromium() as browser, page_of(browser) as page:
        sign_in(page, hub.url, "eng")
        page.goto(f"{hub.url}/deployments/{CAP}")
        page.get_by_role("button", name="Retire", exact=True).click()
        with tenfold.opened(home, actor="olga") as workspace:
            accounts.set_role(workspace.scope, "eng", "viewer")
        page.locator(".q-dialog form [type=submit]").click()
        page.get_by_text("may not").first.wait_for()
    with tenfold.opened(home, actor="ann") as workspace:
        assert deployments.get(workspace.scope, CAP).state == "live"


def test_a_picture_of_another_tenant_is_not_there(home, hub):
    out = io.BytesIO()
    Image.fromarray(np.full((32, 32, 3), 77, np.uint8)).save(out, "PNG")
    digest = hashlib.sha256(out.getvalue()).hexdigest()
    theirs = home.parent / "theirs" / "good"
    theirs.mkdir(parents=True)
    (theirs / "one.png").write_bytes(out.getvalue())
    with tenfold.opened(home, actor="eve") as workspace:
        other = replace(workspace, scope=replace(workspace.scope, tenant="elsewhere"))
        tenfold.ingest(other, theirs.parent, name="secret")
        assert datasets.sample(other.scope, digest).sha256 == digest
    with httpx.Client(base_url=hub.url) as client:
        client.post("/api/sign-in", json={"name": "olga", "password": PASSWORD})
        for place in ("small", "whole"):
            assert client.get(f"/console/{place}/{digest}").status_code == 404
        assert client.get("/datasets/secret").status_code == 404


def test_a_label_that_a_crash_met_arrives_once(home, tmp_path):
    ours = shutil.copytree(home, tmp_path / "home")
    with tenfold.opened(ours, actor="ann") as workspace:
        accounts.set_role(workspace.scope, "eng", "engineer")
        some = [item.sha256 for item in datasets.items_of(workspace.scope, "cells")][:5]
        with workspace.scope.write() as connection:
            waiting = [Pick(CAP, one, "doubt", said="good", worth=1.0) for one in some]
            picks.put(connection, workspace.scope, waiting)
    with chromium() as browser, page_of(browser) as page:
        with console(ours) as hub:
            sign_in(page, hub.url, "eng")
            page.goto(f"{hub.url}/review/{CAP}")
            page.locator("#review .stage img").first.wait_for()
            page.keyboard.press("2")
            page.wait_for_timeout(200)
            hub.kill()
        page.wait_for_timeout(5_000)  # it tries to send meanwhile, in vain
        with console(ours, hub.port) as hub, tenfold.opened(ours) as workspace:
            for _ in range(300):
                if picks.settled(workspace.scope, CAP):
                    break
                page.wait_for_timeout(100)
            (one,) = picks.settled(workspace.scope, CAP)
            assert one.truth == "cracked"

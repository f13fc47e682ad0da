"""The console as people meet it: a real hub, and a real Chromium."""

import json
import os
import shutil
import signal
import subprocess
from collections.abc import Generator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, sync_playwright

from serving_at import COMMAND

CHROMIUM = shutil.which("chromium")
needs_chromium = [
    pytest.mark.browser,
    pytest.mark.heavy,
    pytest.mark.xdist_group("browser"),
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (as root: `make debian`)"),
]
QUIET = [
    "--no-sandbox",
    "--disable-gpu",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
PASSWORD = "correct horse 9"


@dataclass(frozen=True)
class Console:
    url: str
    first: str
    """The link that makes the first owner; empty when there is one."""
    process: int = 0

    @property
    def port(self) -> int:
        return int(self.url.rpartition(":")[2])

    def kill(self) -> None:
        """As a crash does; nothing is finished."""
        os.killpg(self.process, signal.SIGKILL)


@contextmanager
def console(home: Path, port: int = 0) -> Generator[Console]:
    """A hub of that home, asked to stop at the end."""
    process = subprocess.Popen(
        [*COMMAND, "hub", "--port", f"{port}", "--json"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told: dict[str, Any] = json.loads(_document(process.stdout))
        yield Console(told["url"], told["first"], process.pid)
    finally:
        with suppress(ProcessLookupError):  # it was killed
            os.killpg(process.pid, signal.SIGTERM)
        process.wait(60)


def _document(lines: Any) -> str:
    """The first JSON document, which may be written over several lines."""
    read = ""
    for line in lines:
        read += line
        try:
            json.loads(read)
        except ValueError:
            continue
        return read
    raise AssertionError(f"the hub ended: {read!r}")


@contextmanager
def chromium() -> Generator[Browser]:
    with sync_playwright() as played:
        browser = played.chromium.launch(executable_path=CHROMIUM, args=QUIET)
        try:
            yield browser
        finally:
            browser.close()


@contextmanager
def page_of(browser: Browser, language: str = "en-US", **more: Any) -> Generator[Page]:
    """A page in a context of its own; what its console calls an error fails the test."""
    context = browser.new_context(locale=language, viewport={"width": 1280, "height": 800}, **more)
    page, wrong = context.new_page(), []
    page.on("pageerror", lambda error: wrong.append(str(error)))
    try:
        yield page
        assert wrong == [], wrong
    finally:
        context.close()


def sign_in(page: Page, url: str, name: str, password: str = PASSWORD) -> None:
    page.goto(f"{url}/sign-in")
    page.get_by_label("Name").fill(name)
    page.get_by_label("Password").fill(password)
    page.keyboard.press("Enter")
    page.wait_for_url(f"{url}/")

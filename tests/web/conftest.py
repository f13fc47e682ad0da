"""A browser for the tests of a module."""

import pytest

from consoles import chromium


@pytest.fixture(scope="module")
def browser():
    with chromium() as opened:
        yield opened

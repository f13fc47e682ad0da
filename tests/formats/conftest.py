"""One picture that somebody should look at."""

import hashlib
from pathlib import Path

import pytest

from tenfold.formats.exchange import ToLabel

PICTURE = Path(__file__).parents[1] / "data" / "mvtec" / "test" / "good" / "000.png"


@pytest.fixture(scope="session")
def one_ask():
    return ToLabel(hashlib.sha256(PICTURE.read_bytes()).hexdigest(), PICTURE, 72, 72)

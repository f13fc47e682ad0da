"""Both databases a catalog may be in: each test that takes `catalog` runs on each."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tenfold.catalog import Catalog

BOTH = [
    "sqlite",
    pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]),
]


@pytest.fixture(params=BOTH)
def place(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """Where a catalog may be made; nothing is there yet."""
    if request.param == "sqlite":
        return str(tmp_path / "catalog.sqlite")
    return request.getfixturevalue("postgres").database()


@pytest.fixture
def catalog(place: str) -> Iterator[Catalog]:
    opened = Catalog.open(place)
    yield opened
    opened.close()

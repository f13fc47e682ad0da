"""A catalog and a folder of answers, both empty."""

import pytest

from tenfold.catalog import Catalog


@pytest.fixture
def scope(tmp_path):
    catalog = Catalog.open(tmp_path / "catalog.sqlite")
    yield catalog.scope("local", "ann")
    catalog.close()


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "answers").mkdir()
    return tmp_path / "answers"

"""Datasets page by page, and models that wait for a person; both databases."""

import pytest

from tenfold.catalog import datasets, shelf
from tenfold.catalog.datasets import Item, Sample, SetAside


@pytest.fixture
def scope(catalog):
    scope = catalog.scope("plant", "ann")
    for number, name in enumerate(("caps", "seals", "caps_2")):
        digest = f"{number:064x}"
        content = [(Sample(digest, 8, 8, "L", 10, "0" * 16), Item(digest, "1.png", ("good",)))]
        aside = [SetAside("2.png", "empty", "nothing in it")] if name == "seals" else []
        origin = ("csv", "x", "y")
        datasets.put(scope, name=name, origin=origin, content=content, set_aside=aside)
    return scope


def test_the_newest_come_first_a_page_at_a_time(scope):
    assert [one.name for one in shelf.page(scope)] == ["caps_2", "seals", "caps"]
    assert [one.name for one in shelf.page(scope, offset=1, limit=1)] == ["seals"]
    (seals,) = shelf.page(scope, text="EAL")
    assert (seals.size, seals.set_aside, seals.created_by) == (1, 1, "ann")


def test_signs_of_a_search_mean_themselves(scope):
    assert [one.name for one in shelf.page(scope, text="s_2")] == ["caps_2"]
    assert (shelf.count(scope), shelf.count(scope, text="caps")) == (3, 2)
    assert shelf.names(scope, 2) == ["caps_2", "seals"]


def test_another_tenant_has_a_shelf_of_its_own(scope, catalog):
    other = catalog.scope("elsewhere", "eve")
    assert (shelf.page(other), shelf.count(other), shelf.exceptions(other, 5)) == ([], 0, [])

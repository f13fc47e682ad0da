"""A dataset as people look through it: by label, split, name, near-duplicates; both databases."""

import pytest

from tenfold.catalog import datasets, gallery
from tenfold.catalog.datasets import Item, Sample
from tenfold.catalog.gallery import Sought


def digest(n):
    return f"{n:064x}"


@pytest.fixture
def scope(catalog):
    scope = catalog.scope("plant", "ann")
    rows = [
        ("b/1.png", ("crack",), "train", None, {"side": "left"}),
        ("a/2.png", ("good",), None, digest(1), {"side": "right"}),
        ("a/3_%.png", ("crack", "dunkle „Stelle“"), "test", digest(1), {}),
    ]
    content = [
        (
            Sample(digest(n), 8, 8, "L", 10, "0" * 16),
            Item(digest(n), path, labels, split=split, near=near, attributes=more),
        )
        for n, (path, labels, split, near, more) in enumerate(rows)
    ]
    datasets.put(scope, name="caps", origin=("csv", "x", "y"), content=content, set_aside=[])
    return scope


def found(scope, **sought):
    ids = gallery.order(scope, "caps", Sought(**sought))
    return [tile.path for tile in gallery.tiles(scope, ids)]


def test_facets_count_labels_splits_and_near_duplicates(scope):
    seen = gallery.facets(scope, "caps")
    assert seen.size == 3
    assert seen.labels == {"crack": 2, "good": 1, "dunkle „Stelle“": 1}
    assert seen.splits == {"train": 1, "test": 1}
    assert seen.near == 2


def test_pictures_are_sought_by_label_split_and_name(scope):
    assert found(scope) == ["a/2.png", "a/3_%.png", "b/1.png"]
    assert found(scope, label="dunkle „Stelle“") == ["a/3_%.png"]
    assert found(scope, label="crac") == []
    assert found(scope, split="train") == ["b/1.png"]
    assert found(scope, text="A/") == ["a/2.png", "a/3_%.png"]
    assert found(scope, text="%") == ["a/3_%.png"]
    assert found(scope, only_near=True) == ["a/2.png", "a/3_%.png"]


def test_labels_and_values_of_attributes_are_listed(scope):
    assert gallery.labels(scope, "caps") == {"crack", "good", "dunkle „Stelle“"}
    assert gallery.labels(scope, "caps", attribute="side") == {"left", "right"}


def test_another_tenant_sees_nothing(scope, catalog):
    other = catalog.scope("elsewhere", "eve")
    ids = gallery.order(scope, "caps", Sought())
    assert gallery.facets(other, "caps").size == 0
    assert gallery.tiles(other, ids) == []
    assert gallery.mark(other, "caps") == (0, 0)

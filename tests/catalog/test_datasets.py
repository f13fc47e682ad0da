import pytest

from tenfold.catalog import datasets
from tenfold.catalog.datasets import Item, Sample, SetAside
from tenfold.errors import Conflict, NotFound


def content(*letters, mask=None):
    return [
        (
            Sample(letter * 64, 40, 30, "L", 900, "0" * 16),
            Item(letter * 64, f"{letter}.png", ("good",), lot="7", mask=mask),
        )
        for letter in letters
    ]


def put(scope, *letters, name="caps", source="/caps", mask=None):
    return datasets.put(
        scope,
        name=name,
        origin=("csv", source, "words"),
        content=content(*letters, mask=mask),
        set_aside=[SetAside("broken.png", "truncated", "ends early")],
    )


def test_what_was_put_is_read_back(catalog):
    scope = catalog.scope("local", "ann")
    made = put(scope, "b", "a")
    assert (made.size, made.set_aside, made.created_by) == (2, 1, "ann")
    assert [item.path for item in datasets.items_of(scope, "caps")] == ["a.png", "b.png"]
    assert datasets.set_aside_of(scope, "caps")[0].reason == "truncated"


def test_refreshing_from_the_same_source_replaces_the_content(catalog):
    scope = catalog.scope("local", "ann")
    put(scope, "a", "b")
    assert put(scope, "b", "c").size == 2
    assert [item.sha256[0] for item in datasets.items_of(scope, "caps")] == ["b", "c"]


def test_a_name_taken_by_another_source_is_a_conflict(catalog):
    scope = catalog.scope("local", "ann")
    put(scope, "a")
    with pytest.raises(Conflict, match=r"comes from /caps.*--name"):
        put(scope, "b", source="/other")


def test_a_tenant_sees_only_its_own(catalog):
    ann, eve = catalog.scope("ann", "ann"), catalog.scope("eve", "eve")
    put(ann, "a")
    assert datasets.everything(eve) == []
    assert datasets.items_of(eve, "caps") == []
    with pytest.raises(NotFound):
        datasets.sample(eve, "a" * 64)


def test_dropping_names_only_what_nobody_uses_any_more(catalog):
    ann, eve = catalog.scope("ann", "ann"), catalog.scope("eve", "eve")
    put(ann, "a", "b", "c", mask="f" * 64)
    put(ann, "b", name="other")
    put(eve, "c")
    assert [digest[0] for digest in datasets.drop(ann, "caps")] == ["a", "f"]
    assert datasets.sample(ann, "b" * 64).width_px == 40
    with pytest.raises(NotFound):
        datasets.sample(ann, "a" * 64)


def test_an_unknown_dataset_says_where_to_look(catalog):
    with pytest.raises(NotFound, match="tenfold ls"):
        datasets.drop(catalog.scope("local", "ann"), "nothing")


def test_paths_and_names_are_ordered_by_their_letters_codes_on_every_database(catalog):
    scope = catalog.scope("local", "ann")
    digests = [letter * 64 for letter in "abcd"]
    paths = ["a/1.png", "B/1.png", "a 2.png", "é.png"]
    content = [
        (Sample(digest, 40, 30, "L", 900, "0" * 16), Item(digest, path, ("good",)))
        for digest, path in zip(digests, paths, strict=True)
    ]
    for name in ("caps", "Bolts", "bolts-2"):
        origin = ("csv", "/caps", "words")
        datasets.put(scope, name=name, origin=origin, content=content, set_aside=[])
    assert [item.path for item in datasets.items_of(scope, "caps")] == sorted(paths)
    assert [d.name for d in datasets.everything(scope)] == ["Bolts", "bolts-2", "caps"]

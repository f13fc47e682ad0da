"""Samples that stay together, and an order among groups that nothing but their names decides."""

import hashlib

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.catalog.datasets import Item
from tenfold.factory.groups import Groups


def item(number, lot=None, near=None):
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    return Item(sha, f"{number:05}.png", ("good",), lot=lot, near=near)


def targets_of(labels):
    return np.eye(3, dtype=np.float32)[labels]


def among(items, labels=None):
    return Groups.among(items, targets_of([0] * len(items) if labels is None else labels))


related = st.lists(
    st.tuples(
        st.one_of(st.none(), st.sampled_from("ABCDEFGH")),
        st.one_of(st.none(), st.sampled_from("uvwxyz")),
    ),
    min_size=1,
    max_size=50,
)


def linked(items):
    """Pairs of places that share a lot or are near each other."""
    for key in ("lot", "near"):
        first = {}
        for place, one in enumerate(items):
            value = getattr(one, key)
            if value is not None:
                yield first.setdefault(value, place), place


@settings(max_examples=80, deadline=None)
@given(related)
def test_the_same_lot_or_near_is_never_in_two_groups_and_nothing_else_is_in_one(rows):
    items = [item(i, lot, near) for i, (lot, near) in enumerate(rows)]
    groups = among(items)
    assert all(groups.of[one] == groups.of[other] for one, other in linked(items))
    parts = [{i} for i in range(len(items))]
    for one, other in linked(items):
        joined = parts[one] | parts[other]
        for place in joined:
            parts[place] = joined
    assert len({id(part) for part in parts}) == len(groups.names) == len(set(groups.names))
    assert groups.sizes.tolist() == np.bincount(groups.of).tolist()


@settings(max_examples=80, deadline=None)
@given(related, st.integers(0, 49), st.text(max_size=8))
def test_samples_that_come_later_change_no_order_among_those_that_are_there(rows, cut, salt):
    items = [item(i, lot, near) for i, (lot, near) in enumerate(rows)]
    before, after = among(items[:cut]), among(items)
    places = dict(zip(after.names, after.order(salt).tolist(), strict=True))
    kept = [name for name in before.names if name in places]
    mine = dict(zip(before.names, before.order(salt).tolist(), strict=True))
    assert [mine[name] for name in kept] == [places[name] for name in kept]


@settings(max_examples=40, deadline=None)
@given(related, st.randoms(use_true_random=False))
def test_groups_and_their_order_do_not_depend_on_the_order_of_the_samples(rows, random):
    items = [item(i, lot, near) for i, (lot, near) in enumerate(rows)]
    shuffled = list(items)
    random.shuffle(shuffled)
    one, other = among(items), among(shuffled)
    assert dict(zip(one.names, one.order("s").tolist(), strict=True)) == dict(
        zip(other.names, other.order("s").tolist(), strict=True)
    )
    names = {i.sha256: one.names[group] for i, group in zip(items, one.of, strict=True)}
    assert names == {i.sha256: other.names[g] for i, g in zip(shuffled, other.of, strict=True)}


def test_every_salt_orders_otherwise_and_evenly():
    groups = among([item(i) for i in range(400)])
    first, second = (np.argsort(groups.order(salt)) for salt in ("a", "b"))
    assert (first != second).sum() > 380
    early = np.mean([np.argsort(np.argsort(groups.order(f"salt {i}")))[7] for i in range(300)])
    assert abs(early - 200) < 25  # any group comes early as often as late


def test_a_group_is_named_by_its_first_lot_else_by_its_smallest_digest():
    rows = [item(0, lot="B", near="n"), item(1, lot="A", near="n"), item(2), item(3, near="m")]
    groups = among([*rows, item(4, near="m")])
    assert groups.of.tolist() == [0, 0, 1, 2, 2]
    alone = min(item(3).sha256, item(4).sha256)
    assert groups.names == ("lot A", item(2).sha256, alone)


def test_a_group_counts_where_its_rarest_answer_does():
    rows = [item(0, lot="A"), item(1, lot="A"), item(2, lot="B"), item(3), item(4)]
    groups = among(rows, [0, 2, 1, 0, 0])  # one of class 1, one of class 2, three of class 0
    assert groups.rarest.tolist() == [2, 1, 0, 0]
    without = Groups.among(rows[3:], np.zeros((2, 3), np.float32))
    assert without.rarest.tolist() == [-1, -1]


def test_all_bad_says_where_no_good_sample_is():
    rows = [item(0, lot="A"), item(1, lot="A"), item(2, lot="B"), item(3, lot="B"), item(4)]
    groups = Groups.among(rows, np.eye(2, dtype=np.float32)[[0, 1, 1, 1, 0]])
    assert groups.all_bad.tolist() == [False, True, False]
    chosen = np.array([False, True, False, False, True])
    assert groups.any(chosen).tolist() == [True, False, True]
    assert groups.count(chosen).tolist() == [1, 0, 1]

"""A roster comes back whole from the bytes that all variants of a question share."""

import hashlib

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.catalog.datasets import Item
from tenfold.factory import roster as rosters
from tenfold.factory.cohort import gather
from tenfold.factory.roster import rows_of
from tenfold.factory.splits import CALIBRATE, FIT, JUDGE, NONE
from tenfold.specs.task import TaskSpec

AWKWARD = ['back\\slash "quoted"', "new\nline", "Größe 10 µm", "a;b", "", " ", "\u2028", "🔩"]


def item(number, *labels, path=None, lot=None, near=None, **attributes):
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    return Item(sha, path or f"{number:05}.png", labels, lot=lot, near=near, attributes=attributes)


def task(question, **more):
    return TaskSpec.model_validate({"task": "t", "dataset": "d", "question": question} | more)


def round_trip(spec, items):
    """The cohort, and its roster out of its bytes."""
    cohort = gather(spec, items)
    data = rosters.dump(cohort, "5" * 64, items)
    assert rosters.dump(gather(spec, items), "5" * 64, items) == data, "the same bytes"
    snapshots = {"5" * 64: items}
    return cohort, rosters.load(data, snapshots.__getitem__)


def assert_same(roster, cohort):
    assert (roster.classes, roster.is_binary) == (cohort.classes, cohort.is_binary)
    assert roster.samples == cohort.samples
    assert roster.paths == tuple(item.path for item in cohort.items)
    assert roster.groups == tuple(cohort.groups.names[group] for group in cohort.groups.of)
    assert roster.truth == cohort.truth
    assert (roster.targets.dtype, roster.targets.shape) == (np.float32, cohort.targets.shape)
    np.testing.assert_array_equal(roster.targets, cohort.targets)
    np.testing.assert_array_equal(roster.learnt, cohort.learnt)


def test_good_or_bad_comes_back_with_doubts_bit_for_bit():
    items = [item(i, "ok", doubt=str(0.1 + i / 30)) for i in range(9)]
    items += [item(100 + i, "bad", doubt=str(2 / 3)) for i in range(4)] + [item(200, "bad")]
    spec = task({"positive": ["bad"]}, soft_label="doubt")
    cohort, roster = round_trip(spec, items)
    assert_same(roster, cohort)
    assert roster.soft_targets.tobytes() == cohort.soft_targets.tobytes()


def test_without_doubts_the_plain_answers_are_learnt():
    cohort, roster = round_trip(task({"positive": ["bad"]}), [item(0, "ok"), item(1, "bad")])
    assert_same(roster, cohort)
    assert roster.soft_targets is None
    assert roster.learnt is roster.targets


def test_awkward_names_come_back_as_they_were():
    labels = [name for name in AWKWARD if name.strip()]
    items = [
        item(i, label, path=f"{name}/{i}.png", lot=name, near=None)
        for i, (label, name) in enumerate(zip(labels * 2, (AWKWARD * 2), strict=False))
    ]
    cohort, roster = round_trip(task({"classes": labels}), items)
    assert_same(roster, cohort)
    assert set(roster.groups) == {f"lot {name}" for name in {one.lot for one in items}}


def test_a_lot_may_be_called_like_a_sample():
    sha = item(1).sha256
    items = [item(0, "ok", lot=sha), item(1, "ok"), item(2, "bad", lot="x"), item(3, "bad")]
    cohort, roster = round_trip(task({"positive": ["bad"]}), items)
    assert_same(roster, cohort)
    assert len(set(roster.groups)) == 4


def test_several_labels_and_none_come_back():
    items = [item(0, "a", "c"), item(1), item(2, "b"), item(3, "a"), item(4, "c", "b", "a")]
    cohort, roster = round_trip(task({"multi_label": True}), items)
    assert_same(roster, cohort)
    assert roster.truth == ("a;c", "", "b", "a", "a;b;c")


def test_samples_that_cannot_answer_are_left_out():
    items = [item(i, "ok" if i % 3 else "bad", part="xy"[i % 2]) for i in range(40)]
    spec = task({"positive": ["bad"], "where": {"part": "y"}})
    cohort, roster = round_trip(spec, items)
    assert_same(roster, cohort)
    assert roster.samples == tuple(one.sha256 for one in items[1::2])


rows = st.lists(
    st.tuples(
        st.sampled_from(["ok", "bad", "worse"]),
        st.one_of(st.none(), st.text(max_size=4)),
        st.one_of(st.none(), st.sampled_from(["n" * 64, "m" * 64])),
    ),
    max_size=30,
)


@settings(max_examples=60, deadline=None)
@given(rows)
def test_any_lots_and_near_duplicates_come_back(some):
    items = [item(i, label, lot=lot, near=near) for i, (label, lot, near) in enumerate(some)]
    items += [item(998, "ok"), item(999, "bad"), item(1000, "worse")]
    cohort, roster = round_trip(task({"classes": ["ok", "bad"]}), items)
    assert_same(roster, cohort)
    together = cohort.groups.of[:, None] == cohort.groups.of
    np.testing.assert_array_equal(roster.group_numbers[:, None] == roster.group_numbers, together)


def test_of_each_group_the_sample_with_the_smallest_digest_counts():
    items = [item(i, "ok" if i % 2 else "bad", lot=f"{i // 3}") for i in range(12)]
    _, roster = round_trip(task({"positive": ["bad"]}), items)
    units = roster.units([1, 4, 5, 9])
    assert len(units) == 4
    assert (units.groups[1] == units.groups[2], units.groups[0] == units.groups[1]) == (True, False)
    digests = [roster.samples[row] for row in (1, 4, 5, 9)]
    assert np.argsort(units.ranks).tolist() == np.argsort(digests).tolist()


@pytest.mark.parametrize(
    ("wanted", "rows"),
    [(("fit",), [1, 4]), (("calibrate", "judge"), [2, 0, 3]), (("judge", "calibrate"), [0, 3, 2])],
)
def test_rows_come_role_by_role(wanted, rows):
    codes = np.array([JUDGE, FIT, CALIBRATE, JUDGE, FIT, NONE], np.uint8)
    assert rows_of(codes, *wanted) == rows

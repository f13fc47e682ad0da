"""Labels: events that stay as they are, and whose seconds are booked once."""

import pytest

from tenfold.catalog import labels, ledger
from tenfold.catalog.labels import Label
from tenfold.errors import DataError

CAP = "station-7/cap"
A, B = ("a" * 64, "b" * 64)


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def add(scope, label):
    with scope.write() as connection:
        return labels.add(connection, scope, label)


def of_sample(scope, sample):
    with scope.read() as connection:
        return labels.of_sample(connection, scope, CAP, sample)


def booked(scope):
    """Labels and seconds in the ledger."""
    used = [one.used for one in ledger.sums(scope, kinds=["label"])]
    return sum(u.labels for u in used), sum(u.human_s for u in used)


def test_what_a_person_said_comes_back_as_it_was(scope):
    said = Label(CAP, A, "bad", "k1", seconds=4.0, shown={"said": "good"}, boxes=((1, 2, 3, 4),))
    assert add(scope, said)
    (found,) = of_sample(scope, A)
    assert (found.label, found.actor, found.seconds) == ("bad", "ann", 4.0)
    assert (found.boxes, found.shown, found.source) == (said.boxes, said.shown, "review")
    assert found.at is not None
    assert found.id


def test_the_same_label_is_taken_in_once_and_so_are_its_seconds(scope):
    said = Label(CAP, A, "good", "k1", seconds=4.0)
    assert add(scope, said)
    assert not add(scope, said)
    assert booked(scope) == (1, 4.0)


def test_a_later_label_stands_beside_the_earlier(scope):
    add(scope, Label(CAP, A, "good", "k1", seconds=4.0))
    add(scope, Label(CAP, A, "bad", "k2", seconds=2.5))
    add(scope, Label(CAP, A, "", "k3", actor="bob"))
    assert [(one.actor, one.label) for one in of_sample(scope, A)] == [
        ("ann", "good"),
        ("ann", "bad"),
        ("bob", ""),
    ]
    assert booked(scope) == (3, 6.5)


def test_one_may_go_on_reading_where_one_stopped(scope):
    for number, sample in enumerate((A, B, A)):
        add(scope, Label(CAP, sample, "good", f"k{number}"))
    add(scope, Label("other", A, "good", "k0"))
    every = labels.of_deployment(scope, CAP)
    assert labels.count(scope, CAP) == len(every)
    assert [one.key for one in every] == ["k0", "k1", "k2"]
    assert labels.of_deployment(scope, CAP, after=every[0].id) == every[1:]
    assert labels.of_deployment(scope, CAP, after=every[-1].id) == []


def test_what_fails_in_the_same_transaction_neither_labels_nor_books(scope):
    def label_and_fail():
        with scope.write() as connection:
            labels.add(connection, scope, Label(CAP, A, "good", "k1", seconds=4.0))
            raise RuntimeError

    with pytest.raises(RuntimeError):
        label_and_fail()
    assert of_sample(scope, A) == []
    assert booked(scope) == (0, 0)


@pytest.mark.parametrize("seconds", [-1, 1e6, float("nan"), float("inf")])
def test_impossible_seconds_are_told(scope, seconds):
    with pytest.raises(DataError, match="0 to 14,400 seconds"):
        add(scope, Label(CAP, A, "good", "k", seconds=seconds))
    assert booked(scope) == (0, 0)


def test_tenants_do_not_see_each_others_labels(catalog, scope):
    add(scope, Label(CAP, A, "good", "k", seconds=1.0))
    other = catalog.scope("other", "eve")
    assert labels.of_deployment(other, CAP) == []
    assert add(other, Label(CAP, A, "bad", "k")), "keys are each tenant's own"
    assert of_sample(scope, A)[0].label == "good"
    assert booked(scope) == (1, 1.0)

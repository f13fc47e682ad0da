"""The review queue and its labels in the catalog."""

import pytest
from sqlalchemy import func, select

from tenfold.catalog import labels, picks
from tenfold.catalog.labels import Label
from tenfold.catalog.picks import Pick
from tenfold.catalog.tables import entries
from tenfold.errors import DataError

CAP = "station-7/cap"
A, B, C = ("a" * 64, "b" * 64, "c" * 64)


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def put(scope, *some):
    with scope.write() as connection:
        return picks.put(connection, scope, some)


def settle(scope, sample, truth):
    with scope.write() as connection:
        picks.settle(connection, scope, CAP, sample, truth)


def add(scope, label):
    with scope.write() as connection:
        return labels.add(connection, scope, label)


def test_the_same_pick_is_in_the_queue_once(scope):
    pick = Pick(CAP, A, "doubt", worth=0.5, detail={"route": "SN-1"})
    assert put(scope, pick, Pick(CAP, B, "audit", worth=0.9)) == 2
    assert put(scope, pick, Pick(CAP, A, "novelty", worth=0.7)) == 1
    waiting = picks.open_picks(scope, CAP)
    assert [(one.sample, one.reason) for one in waiting] == [(B, "audit"), (A, "novelty")]
    assert [one.reason for one in picks.of_sample(scope, CAP, A)] == ["novelty", "doubt"]
    assert picks.open_picks(scope, CAP, limit=1) == waiting[:1]
    assert picks.of_sample(scope, CAP, A)[1].detail == {"route": "SN-1"}
    assert picks.waiting(scope) == {CAP: 2}


def test_what_people_agree_on_settles_every_reason(scope):
    put(scope, Pick(CAP, A, "doubt"), Pick(CAP, A, "audit", model=B), Pick(CAP, C, "miss"))
    settle(scope, A, "good")
    assert [one.truth for one in picks.settled(scope, CAP)] == ["good", "good"]
    assert picks.truths(scope, CAP, [A, B, C]) == {A: "good"}
    assert [one.truth for one in picks.audits(scope, CAP, B)] == ["good"]
    counted = picks.counts(scope, CAP)
    assert (counted.open, counted.settled, counted.misses) == (1, 1, 0)
    assert counted.picked == {"audit": 1, "doubt": 1, "miss": 1}
    settle(scope, C, "bad")
    assert picks.counts(scope, CAP).misses == 1
    settle(scope, A, None)
    assert picks.counts(scope, CAP).open == 1, "people agree no longer"


def test_what_nobody_can_tell_is_no_label(scope):
    put(scope, Pick(CAP, A, "doubt"))
    settle(scope, A, "")
    counted = picks.counts(scope, CAP)
    assert (counted.open, counted.settled) == (0, 0)


def test_labels_are_events_and_their_seconds_are_booked_once(scope):
    first = Label(CAP, A, "good", "k1", seconds=4.0, shown={"said": "bad"}, boxes=((1, 2, 3, 4),))
    assert add(scope, first)
    assert not add(scope, first)
    assert add(scope, Label(CAP, A, "bad", "k2", seconds=2.5, actor="bob"))
    with scope.read() as connection:
        found = labels.of_sample(connection, scope, CAP, A)
        booked = select(func.sum(entries.c.human_s), func.sum(entries.c.labels))
        assert connection.execute(booked.where(entries.c.kind == "label")).one() == (6.5, 2)
    assert [(one.actor, one.label, one.seconds) for one in found] == [
        ("ann", "good", 4.0),
        ("bob", "bad", 2.5),
    ]
    assert (found[0].boxes, found[0].shown) == (((1, 2, 3, 4),), {"said": "bad"})
    assert labels.of_deployment(scope, CAP, after=found[0].id) == found[1:]


@pytest.mark.parametrize("seconds", [-1, 1e6, float("nan")])
def test_impossible_seconds_are_told(scope, seconds):
    with pytest.raises(DataError, match="0 to 14,400 seconds"):
        add(scope, Label(CAP, A, "good", "k", seconds=seconds))


def test_tenants_have_queues_of_their_own(catalog, scope):
    put(scope, Pick(CAP, A, "doubt"))
    add(scope, Label(CAP, A, "good", "k"))
    other = catalog.scope("other", "bob")
    assert picks.open_picks(other, CAP) == []
    assert labels.of_deployment(other, CAP) == []
    with other.write() as connection:
        picks.settle(connection, other, CAP, A, "bad")
    assert picks.counts(scope, CAP).open == 1

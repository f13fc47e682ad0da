"""The review queue: what waits, in which order, and what is settled."""

import hashlib
from collections import Counter

import pytest

from tenfold.catalog import labels, picks
from tenfold.catalog.labels import Label
from tenfold.catalog.picks import Pick

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
    assert put(scope, pick, Pick(CAP, B, "doubt", worth=0.9)) == 2
    assert put(scope, pick, Pick(CAP, A, "novelty", worth=0.7)) == 1
    waiting = picks.open_picks(scope, CAP)
    assert [(one.sample, one.reason) for one in waiting] == [(B, "doubt"), (A, "novelty")]
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


def test_what_people_agreed_on_is_not_asked_again(scope):
    put(scope, Pick(CAP, A, "doubt"))
    settle(scope, A, "good")
    assert put(scope, Pick(CAP, A, "audit"), Pick(CAP, B, "audit"), Pick("other", A, "doubt")) == 3
    assert [one.sample for one in picks.open_picks(scope, CAP)] == [B]
    assert [one.truth for one in picks.of_sample(scope, CAP, A)] == ["good", "good"]
    assert picks.waiting(scope) == {CAP: 1, "other": 1}


def queue_of(scope, *, chosen, audits):
    """A queue of pictures whose names say nothing; returns the samples of the audits."""
    names = [hashlib.sha256(str(i).encode()).hexdigest() for i in range(chosen + audits)]
    drawn = names[chosen:]
    put(scope, *(Pick(CAP, name, "audit", worth=0.0) for name in drawn))
    put(scope, *(Pick(CAP, n, "doubt", worth=1 - i / 999) for i, n in enumerate(names[:chosen])))
    return set(drawn)


def test_audits_stand_among_the_others_wherever_one_looks(scope):
    drawn = queue_of(scope, chosen=120, audits=60)
    order = picks.open_picks(scope, CAP)
    assert len(order) == 180
    worths = [one.worth for one in order if one.reason == "doubt"]
    assert worths == sorted(worths, reverse=True)
    for part in (order[:60], order[60:120], order[120:]):
        assert 10 <= sum(one.sample in drawn for one in part) <= 30, "about a third"
    for limit in (1, 7, 90):
        assert picks.open_picks(scope, CAP, limit=limit) == order[:limit]


def test_no_audit_is_put_off_for_ever(scope):
    """Each time one picture is looked at, and a worthier one comes in."""
    queue_of(scope, chosen=12, audits=6)
    looked = Counter()
    for i in range(60):
        (first,) = picks.open_picks(scope, CAP, limit=1)
        looked[first.reason] += 1
        settle(scope, first.sample, "good")
        put(scope, Pick(CAP, hashlib.sha256(f"new {i}".encode()).hexdigest(), "doubt", worth=1))
    assert looked["audit"] >= 4


def test_a_picture_picked_for_itself_too_is_no_audit_to_the_queue(scope):
    put(scope, Pick(CAP, A, "audit"), Pick(CAP, A, "doubt", worth=0.1), Pick(CAP, B, "audit"))
    found = picks.open_picks(scope, CAP)
    assert sorted((one.sample, one.reason) for one in found) == [(A, "doubt"), (B, "audit")]


def test_nobody_is_asked_twice(scope):
    put(scope, Pick(CAP, A, "doubt"), Pick(CAP, B, "audit"), Pick(CAP, C, "doubt", worth=-1))
    add(scope, Label(CAP, A, "good", "k1"))
    add(scope, Label(CAP, B, "good", "k2"))
    add(scope, Label("other", C, "good", "k3"))
    assert [one.sample for one in picks.open_picks(scope, CAP, unseen_by="ann")] == [C]
    assert len(picks.open_picks(scope, CAP, unseen_by="bob")) == 3


def test_tenants_have_queues_of_their_own(catalog, scope):
    put(scope, Pick(CAP, A, "doubt"))
    other = catalog.scope("other", "bob")
    assert picks.open_picks(other, CAP) == []
    with other.write() as connection:
        picks.settle(connection, other, CAP, A, "bad")
    assert picks.counts(scope, CAP).open == 1

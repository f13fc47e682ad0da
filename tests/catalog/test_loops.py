"""Loops: rules, state that moves on once, and a timeline that is never rewritten."""

import pytest

from tenfold.catalog import loops
from tenfold.catalog.loops import Happening
from tenfold.errors import Conflict, NotFound

CAP = "station-7/cap"


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def put(scope, rules=""):
    first = Happening(CAP, "watched", "watched:1")
    return loops.put(scope, CAP, rules, state={"step": 0}, first=first)


def drop(scope):
    loops.drop(scope, CAP, last=Happening(CAP, "not watched", "not watched:1"))


def test_a_loop_begins_with_its_state_and_its_first_happening(scope):
    assert put(scope).state == {"step": 0}
    drop(scope)
    assert [one.kind for one in loops.timeline(scope, CAP)] == ["watched", "not watched"]


def test_rules_may_change_and_the_state_stays(scope):
    loop = put(scope, "approve: rule\n")
    with scope.write() as connection:
        loops.advance(connection, scope, loop, {"step": 1})
    changed = put(scope, "approve: person\n")
    assert (changed.spec, changed.state, changed.version) == ("approve: person\n", {"step": 1}, 1)
    assert [one.deployment for one in loops.everything(scope)] == [CAP]


def test_a_step_is_taken_once(scope):
    loop = put(scope)
    with scope.write() as connection:
        loops.advance(connection, scope, loop, {"step": 1})
    with pytest.raises(Conflict, match="went on meanwhile"), scope.write() as connection:
        loops.advance(connection, scope, loop, {"step": 1})


def test_a_loop_that_is_gone_takes_no_step(scope):
    loop = put(scope)
    drop(scope)
    with pytest.raises(Conflict), scope.write() as connection:
        loops.advance(connection, scope, loop, {})
    with pytest.raises(NotFound, match="is not watched"):
        loops.get(scope, CAP)
    with pytest.raises(NotFound):
        drop(scope)


def test_a_happening_is_noted_once_and_read_in_order(scope):
    first = Happening(CAP, "alarm", "alarm:1", detail={"kind": "features"})
    for _ in range(2):
        with scope.write() as connection:
            loops.note(connection, scope, [first, Happening(CAP, "make", "make:1")])
    told = loops.timeline(scope, CAP)
    assert [(one.kind, one.actor) for one in told] == [("alarm", "ann"), ("make", "ann")]
    assert loops.has_happened(scope, CAP, "alarm:1")
    assert not loops.has_happened(scope, CAP, "alarm:2")


def test_a_file_of_answers_is_taken_in_once(scope):
    with scope.write() as connection:
        loops.fold(connection, scope, "a-1", answers=3)
    with pytest.raises(Conflict, match="already"), scope.write() as connection:
        loops.fold(connection, scope, "a-1", answers=3)
    assert loops.is_folded(scope, ["a-1", "a-2"]) == {"a-1"}


def test_files_that_became_one_are_taken_in_as_one(scope):
    with scope.write() as connection:
        loops.fold(connection, scope, "a-1", answers=3)
        loops.fold(connection, scope, "a-2", answers=4)
    for _ in range(2):
        with scope.write() as connection:
            loops.fold_together(connection, scope, ["a-1", "a-2"], "day", answers=7)
    assert loops.is_folded(scope, ["a-1", "a-2", "day"]) == {"day"}


def test_where_nothing_is_watched_nothing_has_to_be_taken_in(scope):
    assert loops.fold_unwatched(scope, {"a-1": 3})
    assert loops.fold_unwatched(scope, {"a-1": 3})
    loops.put(scope, CAP, "", state={}, first=Happening(CAP, "watched", "watched:1"))
    assert not loops.fold_unwatched(scope, {"a-2": 3})
    assert loops.is_folded(scope, ["a-1", "a-2"]) == {"a-1"}


def test_tenants_do_not_see_each_other(catalog, scope):
    put(scope)
    other = catalog.scope("other", "bob")
    assert loops.everything(other) == []
    with pytest.raises(NotFound):
        loops.get(other, CAP)

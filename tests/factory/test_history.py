"""What was spent on a question, known before it is recorded."""

import pytest

from tenfold.catalog.questions import Spent
from tenfold.factory.history import History


def named(letters):
    return frozenset(letter.encode() for letter in letters)


def spent(number, judge, fit="", looks=1):
    return Spent(number, "key", named(judge), named(fit), looks)


def test_lineages_that_share_a_sample_join_and_their_looks_add_up():
    history = History([spent(1, "ab", "x", 3), spent(2, "cd", "y", 2), spent(3, "e")])
    found = history.before(named("bc"))
    assert (found.looks, found.next_look, history.next_look(named("bc"))) == (5, 6, 6)
    assert (found.judge, found.fit) == (named("abcd"), named("xy"))
    assert History([spent(1, "ab")]).next_look(named("z")) == 1


def test_a_sample_that_only_fitted_joins_too():
    history = History([spent(1, "ab", "x", 3)])
    assert history.next_look(named("xz")) == 4


def test_asking_joins_nothing():
    history = History([spent(1, "ab", "x", 3), spent(2, "cd", "y", 2)])
    history.before(named("bc"))
    assert (history.next_look(named("a")), history.next_look(named("c"))) == (4, 3)


def test_a_plan_gives_roles_to_all_that_come_after_it():
    history = History()
    history.give_roles(named("abcd"), judge=named("ab"), fit=named("c"))
    found = history.before(named("ad"))
    assert (found.looks, found.judge, found.fit) == (0, named("ab"), named("c"))
    assert history.before(named("d")).judge == frozenset(), "it has no role yet"


def test_roles_join_the_lineages_that_a_plan_connects():
    history = History([spent(1, "ab", "x", 3), spent(2, "cd", "y", 2), spent(3, "e", "f", 4)])
    history.give_roles(named("bcz"), judge=named("bc"), fit=named("z"))
    for letter in "abcdxyz":
        assert history.next_look(named(letter)) == 6
    assert history.next_look(named("e")) == 5
    assert history.before(named("z")).judge == named("abcd")


def test_what_judged_is_never_said_to_fit():
    history = History([spent(1, "ab", "x")])
    history.give_roles(named("abx"), judge=named("a"), fit=named("bx"))
    found = history.before(named("x"))
    assert (found.judge, found.fit) == (named("ab"), named("x"))


@pytest.mark.parametrize("chunks", [[1, 1, 1, 1], [2, 2], [4]])
def test_looks_are_numbered_on_whatever_is_recorded_together(chunks):
    history = History([spent(1, "ab", "x", 3)])
    history.give_roles(named("abxy"), judge=named("ab"), fit=named("xy"))
    numbers = []
    for count in chunks:
        first = history.next_look(named("abxy"))
        numbers += range(first, first + count)
        history.take_looks(named("abxy"), count)
    assert numbers == [4, 5, 6, 7]


def test_looks_of_samples_that_nothing_connects_are_counted_apart():
    history = History()
    for some in ("ab", "cd"):
        history.give_roles(named(some), judge=named(some[0]), fit=named(some[1]))
        history.take_looks(named(some), 2)
    assert (history.next_look(named("a")), history.next_look(named("d"))) == (3, 3)
    assert history.next_look(named("ad")) == 5

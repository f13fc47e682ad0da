import pytest

from tenfold.errors import Conflict, Unavailable
from tenfold.patience import patiently


def failing(times, kind=Unavailable):
    """A function that fails so often, and the list of its calls."""
    calls = []

    def fn():
        calls.append(1)
        if len(calls) <= times:
            raise kind(f"away {len(calls)}")
        return "there"

    return fn, calls


def test_what_comes_back_in_time_is_waited_for_longer_each_time():
    fn, calls = failing(2)
    told = []
    found = patiently(fn, patience_s=30, told=lambda error, wait_s: told.append((error, wait_s)))
    assert (found, len(calls)) == ("there", 3)
    assert [(str(error), wait_s) for error, wait_s in told] == [("away 1", 0.2)]


def test_patience_ends_with_the_last_error():
    fn, calls = failing(99)
    with pytest.raises(Unavailable, match="away 3"):
        patiently(fn, patience_s=0.3)
    assert len(calls) == 3


def test_without_patience_it_is_tried_once():
    fn, calls = failing(1)
    with pytest.raises(Unavailable, match="away 1"):
        patiently(fn, patience_s=0)
    assert len(calls) == 1


def test_other_errors_are_not_waited_for():
    fn, calls = failing(1, Conflict)
    with pytest.raises(Conflict):
        patiently(fn, patience_s=30)
    assert len(calls) == 1

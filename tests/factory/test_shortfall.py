"""What a model lacks, and the cheapest thing that would change it."""

from tenfold.errors import DataError
from tenfold.factory.judge import Count, judge
from tenfold.factory.shortfall import failed, ranked, shortfall
from tenfold.specs.bar import Bar

BAR = Bar(escape=0.05, overkill=0.1)


def verdict(escapes, rejects=0, n=400):
    counts = [Count("escape", "bad", escapes, n), Count("overkill", "good", rejects, n)]
    return judge(counts, BAR, look=1, by_group=True)


def test_what_more_labels_would_decide_asks_for_them():
    found = shortfall("t", verdict(14), higher_rungs=["kernel"], suspects=())
    assert (found.status, found.means) == ("undecided", "labels")
    assert "of bad" in found.next_step


def test_what_is_refused_asks_for_a_higher_rung_first_and_for_a_look_at_labels_then():
    higher = shortfall("t", verdict(100), higher_rungs=["kernel"], suspects=("a.png",))
    assert (higher.means, higher.next_step) == ("rung", "Allow a higher rung: kernel.")
    top = shortfall("t", verdict(100), higher_rungs=[], suspects=("a.png",))
    assert (top.means, top.suspects) == ("look", ("a.png",))
    assert top.next_step == "Look at the labels of a.png."


def test_the_list_begins_with_what_costs_least():
    cheap = shortfall("b", verdict(14), higher_rungs=[], suspects=())
    rung = shortfall("c", verdict(100), higher_rungs=["kernel"], suspects=())
    broken = failed("a", DataError("no goods.", hint="Add some."))
    assert [s.task for s in ranked([cheap, broken, rung])] == ["c", "a", "b"]
    assert (broken.why, broken.next_step) == ("no goods.", "Add some.")

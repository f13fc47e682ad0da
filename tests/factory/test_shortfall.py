"""What a model lacks, and the cheapest thing that would change it."""

from tenfold.errors import DataError
from tenfold.factory.judge import Count, judge
from tenfold.factory.shortfall import failed, ranked, shortfall, suspect_labels
from tenfold.specs.bar import Bar

HEAD = "sample,path,split,group,label,decision,score good,score bad\n"
BAR = Bar(escape=0.05, overkill=0.1)


def verdict(escapes, rejects=0, n=400):
    counts = [Count("escape", "bad", escapes, n), Count("overkill", "good", rejects, n)]
    return judge(counts, BAR, look=1, by_group=True)


def test_what_more_labels_would_decide_asks_for_them():
    found = shortfall("t", verdict(14), higher_rungs=["kernel"], evidence=HEAD)
    assert (found.status, found.means) == ("undecided", "labels")
    assert "of bad" in found.next_step


def test_what_is_refused_asks_for_a_higher_rung_first_and_for_a_look_at_labels_then():
    evidence = HEAD + "a,a.png,calibrate,a,bad,good,0.99,0.01\n"
    higher = shortfall("t", verdict(100), higher_rungs=["kernel"], evidence=evidence)
    assert (higher.means, higher.next_step) == ("rung", "Allow a higher rung: kernel.")
    top = shortfall("t", verdict(100), higher_rungs=[], evidence=evidence)
    assert (top.means, top.suspects) == ("look", ("a.png",))


def test_only_calibrate_pictures_are_suspected_worst_first():
    rows = [
        "a,a.png,calibrate,a,bad,good,0.99,0.01",
        "b,b.png,judge,b,bad,good,0.999,0.001",
        "c,c.png,calibrate,c,good,bad,0.001,0.999",
        "d,d.png,calibrate,d,good,good,0.9,0.1",
    ]
    assert suspect_labels(HEAD + "\n".join(rows)) == ("c.png", "a.png")


def test_the_list_begins_with_what_costs_least():
    cheap = shortfall("b", verdict(14), higher_rungs=[], evidence=HEAD)
    rung = shortfall("c", verdict(100), higher_rungs=["kernel"], evidence=HEAD)
    broken = failed("a", DataError("no goods.", hint="Add some."))
    assert [s.task for s in ranked([cheap, broken, rung])] == ["c", "a", "b"]
    assert (broken.why, broken.next_step) == ("no goods.", "Add some.")

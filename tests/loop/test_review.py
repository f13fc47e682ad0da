"""What is picked for people, and what they agree on."""

import itertools
import time

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.loop import review
from tenfold.loop.review import Agreed, Candidate, NeedsMore, Rule, Said, agreed, choose


def test_an_answer_belongs_to_the_stratum_of_what_it_said():
    assert review.stratum_of("good", good="good") == "ok"
    assert review.stratum_of("crack", good="good") == "reject"
    assert review.stratum_of("unfit", good="good") == "unfit"
    assert review.stratum_of("cat", good=None) == "said"


def test_audits_are_drawn_as_often_as_said_and_the_same_everywhere():
    names = [f"answer-{i}" for i in range(20_000)]
    drawn = [review.is_audited(name, 0.05, salt="s") for name in names]
    assert 900 < sum(drawn) < 1_100
    assert drawn == [review.is_audited(name, 0.05, salt="s") for name in names]
    others = [review.is_audited(name, 0.05, salt="t") for name in names]
    assert sum(a and b for a, b in zip(drawn, others, strict=True)) < 100, (
        "another salt, other lots"
    )
    assert not review.is_audited("x", 0.0, salt="s")
    assert review.is_audited("x", 1.0, salt="s")


def test_a_larger_share_keeps_those_that_were_drawn():
    names = [f"answer-{i}" for i in range(1000)]
    few = {n for n in names if review.is_audited(n, 0.05, salt="s")}
    assert few <= {n for n in names if review.is_audited(n, 0.2, salt="s")}


def candidates(doubt, novelty):
    return [
        Candidate(i, f"{i:064x}", d, n) for i, (d, n) in enumerate(zip(doubt, novelty, strict=True))
    ]


def test_doubt_and_novelty_share_the_budget():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(200, 8)).astype(np.float32)
    doubt, novelty = np.zeros(200), np.zeros(200)
    doubt[:10], novelty[100:110] = np.linspace(0.5, 1, 10), np.linspace(5, 9, 10)
    picked = choose(Rule(), candidates(doubt, novelty), points, budget=10, usual=4.0)
    assert {p.place for p in picked if p.reason == "doubt"} <= set(range(10))
    assert {p.place for p in picked if p.reason == "novelty"} <= set(range(100, 110))
    assert len(picked) == 10
    assert len({p.place for p in picked}) == 10


def test_pictures_that_are_alike_are_not_both_picked():
    points = np.zeros((50, 4), np.float32)
    points[25:] = 3.0
    picked = choose(Rule(), candidates(np.ones(50), np.ones(50)), points, budget=10, usual=3.0)
    assert len(picked) == 2


def test_nothing_to_pick_from_picks_nothing():
    assert choose(Rule(), [], np.zeros((0, 4), np.float32), budget=5, usual=1.0) == []
    one = candidates([1.0], [1.0])
    assert choose(Rule(), one, np.zeros((1, 4), np.float32), budget=0, usual=1.0) == []
    assert len(choose(Rule(), one, np.zeros((1, 4), np.float32), budget=9, usual=1.0)) == 1


def test_many_candidates_take_no_long_time():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(20_000, 128)).astype(np.float32)
    some = candidates(rng.random(20_000), rng.random(20_000))
    began = time.process_time()
    assert len(choose(Rule(), some, points, budget=50, usual=16.0)) == 50
    assert time.process_time() - began < 30, "seconds, not minutes"


def test_doubt_is_highest_on_the_edge():
    scores = np.array([0.1, 0.49, 0.5, 0.9], np.float32)
    assert review.doubt_of(scores, threshold=0.5, spread=0.1).argmax() == 2
    assert review.doubt_of(scores, threshold=None).argmax() == 0


def test_novelty_is_the_distance_to_the_nearest_known():
    known = np.array([[0, 0], [4, 0]], np.float32)
    seen = np.array([[1, 0], [4, 3], [0, 0]], np.float32)
    assert review.novelty_of(seen, known) == pytest.approx([1, 3, 0], abs=1e-3)
    assert review.novelty_of(seen, known[:0]) == pytest.approx([0, 0, 0])


def said(*labels):
    return [Said(f"person-{i}", label) for i, label in enumerate(labels)]


@pytest.mark.parametrize(
    ("labels", "needed", "result"),
    [
        ((), 1, NeedsMore(1)),
        ((), 2, NeedsMore(2)),
        (("good",), 1, Agreed("good")),
        (("good",), 2, NeedsMore(1)),
        (("good", "good"), 2, Agreed("good")),
        (("good", "bad"), 1, NeedsMore(1)),
        (("good", "bad", "bad"), 1, Agreed("bad")),
        (("a", "b", "c"), 1, NeedsMore(1)),
        (("a", "b", "c", "b"), 1, Agreed("b")),
        (("",), 1, Agreed("")),
        (("", "bad", "bad"), 2, Agreed("bad")),
    ],
)
def test_two_may_disagree_and_a_third_decides(labels, needed, result):
    assert agreed(said(*labels), needed=needed) == result


def test_the_newest_label_of_a_person_counts_once():
    twice = [Said("ann", "good"), Said("ann", "bad")]
    assert agreed(twice) == Agreed("bad")
    assert agreed(twice, needed=2) == NeedsMore(1)


@given(st.lists(st.sampled_from(["good", "bad", ""]), max_size=5), st.integers(1, 2))
def test_the_order_of_people_does_not_matter(labels, needed):
    results = {
        agreed([Said(str(i), labels[i]) for i in order], needed=needed)
        for order in itertools.permutations(range(len(labels)))
    }
    assert len(results) == 1


def test_second_opinions_are_drawn_by_lot():
    rule = Rule(second_opinion=0.2)
    needed = [review.opinions_needed(rule, f"{i:064x}", salt="s") for i in range(5_000)]
    assert 850 < needed.count(2) < 1_150
    assert review.opinions_needed(Rule(), "x", salt="s") == 1

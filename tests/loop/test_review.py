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
    drawn = [review.lot_of(name, salt="s") < 0.05 for name in names]
    assert 900 < sum(drawn) < 1_100
    assert drawn == [review.lot_of(name, salt="s") < 0.05 for name in names]
    others = [review.lot_of(name, salt="t") < 0.05 for name in names]
    assert sum(a and b for a, b in zip(drawn, others, strict=True)) < 100, (
        "another salt, other lots"
    )
    assert review.lot_of("x", salt="s") >= 0.0
    assert review.lot_of("x", salt="s") < 1.0


def test_what_judges_is_drawn_at_the_smallest_share_that_the_question_has():
    rule = Rule(audit_ok=0.02, audit_reject=0.3, audit_unfit=0.1, audit_said=0.05)
    assert review.even_share(rule, good="good") == 0.02
    assert review.even_share(rule, good=None) == 0.05


def test_a_larger_share_keeps_those_that_were_drawn():
    names = [f"answer-{i}" for i in range(1000)]
    few = {n for n in names if review.lot_of(n, salt="s") < 0.05}
    assert few <= {n for n in names if review.lot_of(n, salt="s") < 0.2}


def test_the_lot_knows_nothing_of_the_answer():
    """The share of errors among the drawn is that among all: what was said gives no chance away."""
    rng = np.random.default_rng(3)
    is_wrong = rng.random(40_000) < 0.1
    lots = [review.lot_of(f"answer-{i}", salt="s") < 0.1 for i in range(40_000)]
    drawn = np.array(lots)
    assert abs(is_wrong[drawn].mean() - is_wrong.mean()) < 3 * (0.09 / drawn.sum()) ** 0.5
    assert abs(np.corrcoef(drawn[:-1], drawn[1:])[0, 1]) < 0.02, "nor of the one before"


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


def test_what_one_kind_leaves_goes_to_the_other():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(60, 8)).astype(np.float32)
    known = np.arange(60) < 2
    picked = choose(Rule(), candidates(~known, known), points, budget=10, usual=4.0)
    assert [p.reason for p in picked].count("novelty") == 2
    assert len(picked) == 10
    picked = choose(Rule(), candidates(known, ~known), points, budget=10, usual=4.0)
    assert [p.reason for p in picked].count("doubt") == 2
    assert len(picked) == 10


def test_what_is_neither_doubtful_nor_novel_is_not_picked():
    points = np.eye(6, dtype=np.float32)
    picked = choose(Rule(), candidates([0, 0, 0, 0, 0, 0.1], [0] * 6), points, budget=4, usual=1.0)
    assert [(p.place, p.reason) for p in picked] == [(5, "doubt")]


@pytest.mark.parametrize(("doubt", "novelty", "reasons"), [(1, 0, {"doubt"}), (0, 0, set())])
def test_a_kind_without_a_share_is_not_picked(doubt, novelty, reasons):
    points, rule = np.eye(6, dtype=np.float32), Rule(doubt=doubt, novelty=novelty)
    picked = choose(rule, candidates([1] * 6, [1] * 6), points, budget=6, usual=1.0)
    assert {p.reason for p in picked} == reasons


@given(st.integers(0, 2**32 - 1), st.integers(1, 30), st.integers(1, 40))
def test_picks_are_few_unlike_and_picked_once(seed, budget, count):
    rng = np.random.default_rng(seed)
    points = np.round(rng.normal(size=(count, 4)) * 2).astype(np.float32)
    some = candidates(rng.random(count), np.round(rng.random(count)))
    places = [p.place for p in choose(Rule(), some, points, budget=budget, usual=8.0)]
    assert 1 <= len(places) == len(set(places)) <= budget
    apart = [np.linalg.norm(points[a] - points[b]) for a, b in itertools.combinations(places, 2)]
    assert min(apart, default=9) > review.ALIKE * 8


def test_the_worthiest_of_many_is_picked_first_and_a_rare_kind_is_not_crowded_out():
    rng = np.random.default_rng(2)
    points = rng.normal(scale=0.3, size=(1000, 16)).astype(np.float32)
    points[990:] += 5.0
    doubt = rng.random(1000)
    picked = choose(Rule(novelty=0), candidates(doubt, doubt * 0), points, budget=20, usual=6.0)
    assert picked[0].place == doubt.argmax()
    same = candidates(np.ones(1000), doubt * 0)
    picked = choose(Rule(novelty=0), same, points, budget=20, usual=6.0)
    assert any(p.place >= 990 for p in picked)


def test_fifty_thousand_candidates_take_no_long_time():
    rng = np.random.default_rng(0)
    points = rng.normal(size=(50_000, 128)).astype(np.float32)
    some = candidates(rng.random(50_000), rng.random(50_000))
    began = time.process_time()
    assert len(choose(Rule(), some, points, budget=100, usual=16.0)) == 100
    assert time.process_time() - began < 3, "a quarter of a second, unless a machine is slow"


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


def test_classes_are_the_same_in_any_order():
    assert agreed(said("scratch;dent", "dent;scratch"), needed=2) == Agreed("dent;scratch")


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

"""What a candidate has shown: pairs in their order, truths in theirs, and how a canary works."""

import hashlib
import json

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.loop import trial as trials
from tenfold.loop.rollout import Costs, Rule
from tenfold.loop.trial import MOST_ALONE, Latencies, Told, Trial

LIVE, NEW = "a" * 64, "b" * 64
RULE = Rule()


def told(number, role, label, *, route=None, ms=10.0, model=None):
    return Told(
        id=f"id-{number}",
        sample=f"{number:064x}",
        route=hashlib.sha256(str(route or number).encode()).hexdigest(),
        role=role,
        model=model or (LIVE if role == "live" else NEW),
        label=label,
        latency_ms=ms,
    )


def pair(number, live, shadow, **more):
    return [told(number, "live", live, **more), told(number, "shadow", shadow, **more)]


def shown(*answers, rule=RULE):
    return trials.fold(rule, trials.begin(NEW, rule), answers, live=LIVE)


def test_two_answers_about_one_picture_are_a_pair_whichever_comes_first():
    first, second = pair(1, "good", "bad")
    for answers in ((first, second), (second, first)):
        assert [(p.live, p.shadow) for p in shown(*answers).tail] == [("good", "bad")]


def test_answers_of_other_models_and_lonely_ones_are_no_pair():
    other = told(1, "shadow", "bad", model="c" * 64)
    assert shown(told(1, "live", "good"), other, told(2, "shadow", "bad")).tail == ()


def test_one_pair_of_each_part_counts():
    assert (
        len(shown(*pair(1, "good", "bad", route="p1"), *pair(2, "good", "bad", route="p1")).tail)
        == 1
    )


def test_pairs_that_agree_wait_for_those_before_them():
    one = shown(*pair(1, "good", "good"), *pair(2, "good", "bad"), *pair(3, "good", "good"))
    waiting = trials.settle(RULE, one, {})
    assert (waiting.evidence.n, len(waiting.tail), len(waiting.waits_for)) == (1, 2, 1)
    done = trials.settle(RULE, waiting, {f"{2:064x}": "bad"})
    assert (done.evidence.n, done.evidence.disagreements, done.tail) == (3, 1, ())
    assert done.differences.mean == pytest.approx(-1 / 3)


def test_what_nobody_can_tell_counts_as_the_worst():
    one = shown(*pair(1, "good", "bad"))
    assert trials.settle(RULE, one, {f"{1:064x}": ""}).differences.mean == 1


def test_costs_weigh_errors():
    one = shown(*pair(1, "good", "bad"))
    costs = Costs(escape=1.0, overkill=0.5)
    settled = trials.settle(RULE, one, {f"{1:064x}": "good"}, costs=costs)
    assert settled.differences.mean == pytest.approx(0.5)


def test_a_trial_takes_no_more_pairs_than_decide():
    rule = Rule(most=3)
    answers = [one for number in range(9) for one in pair(number, "good", "bad")]
    assert len(shown(*answers, rule=rule).tail) == 3


def test_a_canary_is_counted_with_its_failures_and_live_beside_it():
    seen = shown(
        told(1, "live", "unfit"),
        told(2, "canary", "good"),
        told(3, "canary", None),
        told(4, "canary", "unfit"),
        told(5, "live", "good"),
    ).operation
    assert (seen.answers, seen.failures, seen.unfit) == (3, 1, 1)
    assert seen.live_unfit_share == 0.0, "live counts from the canary's first answer on"


def test_latency_is_at_most_a_tenth_too_high():
    rng = np.random.default_rng(0)
    ms = rng.lognormal(3, 0.5, 2000)
    seen = Latencies()
    for one in ms:
        seen = seen.with_one(one)
    truth = np.quantile(ms, 0.95)
    assert truth * 0.99 <= seen.p95_ms <= truth * 1.11
    assert Latencies().p95_ms is None
    assert Latencies().with_one(1e12).p95_ms > 1e5


def test_what_never_had_a_pair_is_forgotten():
    many = shown(*(told(number, "live", "good") for number in range(MOST_ALONE + 10)))
    assert len(many.alone) == MOST_ALONE


answers = st.lists(
    st.tuples(
        st.integers(0, 12),
        st.sampled_from(["live", "shadow", "canary"]),
        st.sampled_from(["good", "bad", "unfit"]),
        st.sampled_from([None, "p1", "p2"]),
    ),
    max_size=40,
)


@given(answers, st.integers(0, 40))
@settings(max_examples=50, deadline=None)
def test_pieces_and_keeping_change_nothing(given_answers, cut):
    every = [told(n, role, label, route=route) for n, role, label, route in given_answers]
    whole = shown(*every)
    part = shown(*every[:cut])
    kept = Trial.from_json(json.loads(json.dumps(part.to_json())))
    assert kept == part
    assert trials.fold(RULE, kept, every[cut:], live=LIVE) == whole

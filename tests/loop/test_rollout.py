"""Promotion by proof, checked by simulation; the canary, edge by edge."""

import numpy as np
import pytest
from pydantic import ValidationError
from scipy.stats import binom

from tenfold.errors import DataError
from tenfold.loop.rollout import (
    Costs,
    Evidence,
    Operation,
    Rule,
    decide_canary,
    decide_shadow,
    loss,
    loss_difference,
    settled,
)
from tenfold.metrics.sequences import ConfidenceSequence

RULE = Rule()
LOOK = 50
"""Pairs between two looks."""


def evidence(differences, *, p95_ms=10.0, alpha=RULE.alpha):
    seen = ConfidenceSequence.of_differences(alpha=alpha).fold(np.array(differences, float))
    return Evidence(seen, int(np.count_nonzero(differences)), p95_ms)


def pairs(rng, n, *, worse_by, differ):
    """Differences of 0/1 losses whose mean is `worse_by`, with a share `differ` of disagreements.

    A disagreement counts only where one of them is right, as between good and bad.
    """
    chances = [(differ - worse_by) / 2, 1 - differ, (differ + worse_by) / 2]
    return rng.choice([-1.0, 0.0, 1.0], n, p=chances)


def rolled_out(rule, differences):
    """Action and pairs of a shadow that is looked at until it is decided."""
    seen, disagreements = ConfidenceSequence.of_differences(alpha=rule.alpha), 0
    for block in np.split(differences, range(LOOK, len(differences), LOOK)):
        seen, disagreements = seen.fold(block), disagreements + np.count_nonzero(block)
        decision = decide_shadow(rule, Evidence(seen, disagreements, 10.0))
        if decision.action != "wait":
            return decision.action, seen.n
    raise AssertionError("it ends at the rule's most pairs")


def simulated(rule, count, *, worse_by, differ):
    rng = np.random.default_rng(2024)
    draws = (pairs(rng, rule.most, worse_by=worse_by, differ=differ) for _ in range(count))
    return [rolled_out(rule, draw) for draw in draws]


def promoted(ends):
    return sum(action == "promote" for action, _ in ends)


@pytest.mark.parametrize("differ", [0.05, pytest.param(0.15, marks=pytest.mark.heavy)])
def test_a_shadow_worse_by_the_margin_is_rarely_promoted(differ):
    rule = Rule(margin=0.05, most=600)
    ends = simulated(rule, 120, worse_by=0.05, differ=differ)
    assert promoted(ends) <= binom.ppf(0.999, len(ends), rule.alpha)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("beyond", "differ"), [(0.0, 0.02), (0.0, 0.05), (0.0, 0.2), (0.002, 0.05)]
)
def test_at_the_margin_or_beyond_promotion_has_a_chance_of_at_most_alpha(beyond, differ):
    """Of 1,000 shadows looked at every 50 pairs up to the most that the default rule waits for."""
    rule = Rule(margin=0.02 - beyond)
    ends = simulated(rule, 1_000, worse_by=0.02, differ=differ)
    assert promoted(ends) <= rule.alpha * len(ends)


@pytest.mark.heavy
def test_an_equal_shadow_that_differs_in_five_percent_is_promoted_within_a_few_thousand_pairs():
    ends = simulated(RULE, 60, worse_by=0.0, differ=0.05)
    assert promoted(ends) >= 0.9 * len(ends)
    assert 600 < np.median([n for _, n in ends]) < 1_400


@pytest.mark.slow
@pytest.mark.parametrize(
    ("worse_by", "differ", "half", "nine_in_ten"),
    [
        (0.0, 0.0, 300, 300),
        (0.0, 0.02, 600, 1_050),
        (0.0, 0.05, 1_050, 2_300),
        (0.0, 0.1, 1_950, 4_000),
        (0.0, 0.2, 3_500, np.inf),
        (-0.02, 0.05, 300, 600),
    ],
)
def test_pairs_that_promotion_takes(worse_by, differ, half, nine_in_ten):
    """The figures of docs/decisions/promotion-by-proof.md, of 500 shadows each."""
    ends = simulated(RULE, 500, worse_by=worse_by, differ=differ)
    pairs_taken = [n if action == "promote" else np.inf for action, n in ends]
    assert np.quantile(pairs_taken, 0.5) == pytest.approx(half, abs=LOOK)
    assert np.quantile(pairs_taken, 0.9, method="lower") == pytest.approx(nine_in_ten, abs=LOOK)


def test_a_far_worse_shadow_is_given_up_before_the_most_pairs():
    action, n = rolled_out(RULE, pairs(np.random.default_rng(0), 5_000, worse_by=0.2, differ=0.2))
    assert action == "keep"
    assert n <= 200


def test_what_is_proven_and_fast_is_promoted_with_the_numbers():
    decision = decide_shadow(RULE, evidence(np.zeros(400)))
    assert decision.action == "promote"
    assert decision.upper <= RULE.margin
    assert decision.reason == (
        "The shadow loses at most 0.0137 more per answer than live, at 95 % confidence; "
        "the margin is 0.02 (400 pairs, 0 with different answers)."
    )


def test_no_pair_yet_is_no_decision():
    decision = decide_shadow(RULE, evidence([]))
    assert (decision.action, decision.upper) == ("wait", 1.0)
    assert decision.reason.startswith("Not proven yet: the shadow loses at most 1.0000 more")


@pytest.mark.parametrize(
    ("p95_ms", "says"),
    [(200.5, "took up to 200.5 ms; the budget is 200 ms"), (None, "latency was not measured")],
)
def test_what_is_proven_but_not_fast_enough_waits_and_is_given_up_at_the_most_pairs(p95_ms, says):
    waiting = decide_shadow(RULE, evidence(np.zeros(400), p95_ms=p95_ms))
    assert waiting.action == "wait"
    assert says in waiting.reason
    assert decide_shadow(RULE, evidence(np.zeros(5_000), p95_ms=p95_ms)).action == "keep"


def test_the_budget_itself_is_within_the_budget():
    assert decide_shadow(RULE, evidence(np.zeros(400), p95_ms=200.0)).action == "promote"


def test_undecided_at_the_most_pairs_keeps_live():
    rule = Rule(most=100)
    assert decide_shadow(rule, evidence(np.zeros(99))).action == "wait"
    decision = decide_shadow(rule, evidence(np.zeros(100)))
    assert decision.action == "keep"
    assert decision.reason.endswith("After 100 pairs live stays.")


def test_proven_at_the_last_pair_is_promoted():
    assert decide_shadow(Rule(most=400), evidence(np.zeros(400))).action == "promote"


def test_proven_worse_keeps_live_at_once_and_says_so():
    decision = decide_shadow(RULE, evidence(np.ones(30)))
    assert decision.action == "keep"
    assert decision.reason.startswith("The shadow is worse: it loses at least 0.")


def test_a_shadow_that_got_worse_after_it_was_proven_is_not_promoted():
    """Slow while it was good: the bounds contradict each other by the time it is fast."""
    turned = evidence([0.0] * 400 + [1.0] * 200)
    assert turned.differences.upper <= RULE.margin < turned.differences.lower
    assert decide_shadow(RULE, turned).action == "keep"


def test_evidence_at_another_alpha_is_refused():
    with pytest.raises(DataError, match=r"expected differences at alpha 0\.05"):
        decide_shadow(RULE, evidence([0.0], alpha=0.2))
    rate = Evidence(ConfidenceSequence.of_rate(alpha=0.1), 0, 10.0)
    with pytest.raises(DataError, match="values from 0 on"):
        decide_shadow(RULE, rate)


@pytest.mark.parametrize(
    "wrong",
    [{"margin": 0}, {"margin": 1.1}, {"alpha": 0}, {"most": 0}, {"latency_budget_ms": 0}, {"n": 1}],
)
def test_an_impossible_rule_is_refused(wrong):
    with pytest.raises(ValidationError):
        Rule(**wrong)


def test_an_answer_loses_one_if_wrong():
    assert (loss("bad", "bad"), loss("good", "bad"), loss("unfit", "bad")) == (0, 1, 1)
    assert (loss("dent;scratch", "scratch;dent"), loss("dent", "scratch;dent")) == (0, 1)
    assert (loss("", ""), loss("", "dent")) == (0, 1)


def test_costs_tell_escapes_from_overkills():
    costs = Costs(good="ok", escape=1.0, overkill=0.2)
    assert loss("ok", "dent", costs=costs) == 1.0
    assert loss("dent", "ok", costs=costs) == 0.2
    assert loss("unfit", "ok", costs=costs) == 0.2
    assert loss("unfit", "dent", costs=costs) == loss("ok", "ok", costs=costs) == 0.0
    with pytest.raises(ValidationError):
        Costs(escape=1.5)


def test_the_same_answers_differ_by_nothing_whatever_the_truth():
    assert loss_difference("bad", "bad", None) == 0.0
    assert loss_difference("a;b", "b;a", "c") == 0.0
    assert loss_difference("good", "bad", None) is None
    assert loss_difference("good", "bad", "bad") == 1.0
    assert loss_difference("good", "bad", "good") == -1.0
    assert loss_difference("bad", "good", "good", costs=Costs(overkill=0.1)) == 0.1
    assert loss_difference("scratch", "dent", "crack") == 0.0


def test_pairs_behind_one_that_waits_for_its_truth_wait_too():
    assert settled([0.0, 1.0, None, 0.0, 0.0]) == [0.0, 1.0]
    assert settled([0.0, 0.0]) == [0.0, 0.0]
    assert settled([None, 0.0]) == []


def canary(answers=300, failures=0, unfit=0, p95_ms=10.0, live_unfit_share=None):
    return decide_canary(RULE, Operation(answers, failures, unfit, p95_ms, live_unfit_share))


def test_a_canary_that_works_goes_on_once_it_has_answered_enough():
    assert canary(answers=299).action == "wait"
    assert "299 answers so far" in canary(answers=299).reason
    assert canary(failures=3).action == "go_on"
    assert canary(answers=1_000, failures=10).action == "go_on"
    assert "10 of 1,000 answers failed; 95 % took at most 10.0 ms." in canary(1_000, 10).reason


def test_a_canary_is_rolled_back_as_soon_as_too_many_failed():
    assert canary(answers=3, failures=3).action == "wait"
    decision = canary(answers=4, failures=4)
    assert (decision.action, decision.reason) == ("roll_back", "4 of 4 answers failed; 3 may.")
    assert canary(answers=1_000, failures=11).action == "roll_back"


def test_a_slow_canary_is_rolled_back_once_its_latency_is_known():
    assert canary(answers=20, p95_ms=900.0).action == "wait"
    decision = canary(p95_ms=900.0)
    assert decision.action == "roll_back"
    assert decision.reason == "95 % of the answers took up to 900.0 ms; the budget is 200 ms."
    assert canary(p95_ms=None).action == "wait"


def test_a_canary_that_finds_far_more_unfit_than_live_is_rolled_back():
    assert canary(unfit=300).action == "go_on"
    assert canary(unfit=30, live_unfit_share=0.1).action == "go_on"
    assert canary(answers=30, unfit=20, live_unfit_share=0.01).action == "roll_back"
    decision = canary(unfit=50, live_unfit_share=0.1)
    assert decision.action == "roll_back"
    assert decision.reason == "50 of 300 answers said unfit, 10.0% of live's; 5 points more may."

"""What a loop does next, from what is known alone."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from tenfold.loop.retrain import (
    MOST_DOUBLINGS,
    AskPerson,
    Candidate,
    GiveUp,
    Make,
    Promote,
    Rule,
    Situation,
    Try,
    Wait,
    next_action,
)
from tenfold.loop.rollout import CanaryDecision, Decision

NOW = datetime(2026, 5, 4, 12, tzinfo=UTC)
LIVE, NEW = "a" * 64, "b" * 64
CALM = Situation(now=NOW, live=LIVE, began=NOW - timedelta(days=1))
TRIED = replace(CALM, candidate=Candidate(NEW, "accepted", is_over=False))


def then(seen, *, needs_nod=False, **rule):
    return next_action(Rule(**rule), seen, needs_nod=needs_nod)


def decided(action):
    return Decision(action, 0.01, "As seen.")


def test_a_calm_loop_waits_and_says_why():
    assert then(CALM) == Wait("Nothing is due; 0 new labels.")


@pytest.mark.parametrize(
    ("seen", "rule", "trigger"),
    [
        ({"new_misses": 1}, {}, "miss"),
        ({"new_labels": 100}, {}, "labels"),
        ({"labels_since_alarm": 20, "alarms": 1}, {}, "alarm"),
        ({"new_labels": 1, "began": NOW - timedelta(days=30)}, {"every_days": 30}, "calendar"),
        ({"new_labels": 1, "last_try": NOW + timedelta(days=9)}, {"every_days": 30}, "calendar"),
    ],
)
def test_each_rule_asks_for_a_new_model(seen, rule, trigger):
    action = then(replace(CALM, **seen), **rule)
    assert isinstance(action, Make)
    assert action.trigger == trigger


@pytest.mark.parametrize(
    ("seen", "rule"),
    [
        ({"new_misses": 9}, {"misses": None}),
        ({"new_labels": 999}, {"labels": None}),
        ({"new_labels": 99, "alarms": 1}, {"alarm": False}),
        ({"new_labels": 19, "labels_since_alarm": 19, "alarms": 1}, {}),
        ({"new_labels": 200, "alarms": 1}, {}),
        ({"new_labels": 0, "began": NOW - timedelta(days=99)}, {"every_days": 30}),
    ],
)
def test_a_rule_that_is_off_or_not_met_asks_for_nothing(seen, rule):
    assert isinstance(then(replace(CALM, **seen), **rule), Wait)


def test_after_a_try_it_rests_and_a_clock_set_back_does_not_stop_it():
    due = replace(CALM, new_labels=100)
    assert isinstance(then(replace(due, last_try=NOW - timedelta(minutes=9))), Wait)
    assert isinstance(then(replace(due, last_try=NOW - timedelta(minutes=10))), Make)
    assert isinstance(then(replace(due, last_try=NOW + timedelta(days=400))), Make)


@pytest.mark.parametrize(
    ("in_vain", "wanted"), [(0, 1), (1, 2), (2, 4), (MOST_DOUBLINGS, 16), (30, 16)]
)
def test_after_each_try_in_vain_twice_as_many_labels_are_waited_for(in_vain, wanted):
    """Each try costs a look: tries without end would leave a bar that nothing can pass."""
    tired = replace(CALM, in_vain=in_vain)
    assert isinstance(then(replace(tired, new_labels=100 * wanted - 1)), Wait)
    assert isinstance(then(replace(tired, new_labels=100 * wanted)), Make)
    alarmed = replace(tired, alarms=1, new_labels=9999)
    assert isinstance(then(replace(alarmed, labels_since_alarm=20 * wanted - 1)), Wait)
    assert isinstance(then(replace(alarmed, labels_since_alarm=20 * wanted)), Make)
    assert isinstance(then(replace(tired, new_misses=1)), Make)


def test_one_is_made_at_a_time():
    assert then(replace(CALM, new_labels=500, is_making=True)) == Wait("A new model is being made.")


@pytest.mark.parametrize("status", ["undecided", "refused"])
def test_what_is_not_accepted_is_never_tried(status):
    seen = replace(CALM, candidate=Candidate(NEW, status, is_over=False))
    assert isinstance(then(seen), Wait)
    assert isinstance(then(replace(seen, new_labels=100)), Make)


def test_an_accepted_candidate_goes_shadow_canary_live():
    assert then(TRIED) == Try("shadow", NEW, "It is accepted.")
    shadow = replace(TRIED, shadow=NEW)
    assert isinstance(then(shadow), Wait)
    assert isinstance(then(replace(shadow, shadow_says=decided("wait"))), Wait)
    proven = replace(shadow, shadow_says=decided("promote"))
    assert then(proven) == Try("canary", NEW, "As seen.")
    canary = replace(proven, shadow="", canary=NEW)
    assert isinstance(then(canary), Wait)
    works = CanaryDecision("go_on", "It works.")
    assert then(replace(canary, canary_says=works)) == Promote(NEW, "It works.")
    live = replace(canary, canary="", live=NEW)
    assert then(live) == Promote(NEW, "It is live already.")
    over = replace(live, candidate=Candidate(NEW, "accepted", is_over=True))
    assert isinstance(then(over), Wait)


def test_a_person_is_asked_once_it_is_proven_and_not_before():
    shadow = replace(TRIED, shadow=NEW)
    assert isinstance(then(shadow, needs_nod=True), Wait)
    proven = replace(shadow, shadow_says=decided("promote"))
    assert then(proven, needs_nod=True) == AskPerson(NEW, "As seen.")
    assert then(replace(proven, has_nod=True), needs_nod=True) == Try("canary", NEW, "As seen.")


def test_a_nod_ahead_of_the_proof_promotes_nothing():
    seen = replace(TRIED, shadow=NEW, shadow_says=decided("wait"), has_nod=True)
    assert isinstance(then(seen, needs_nod=True), Wait)


@pytest.mark.parametrize(
    "seen",
    [
        replace(TRIED, shadow=NEW, shadow_says=decided("keep")),
        replace(TRIED, canary=NEW, canary_says=CanaryDecision("roll_back", "It fails.")),
        replace(TRIED, shadow=NEW, has_veto=True, shadow_says=decided("promote")),
        replace(TRIED, canary="c" * 64),
    ],
)
def test_what_fails_is_given_up_and_live_stays(seen):
    assert isinstance(then(seen), GiveUp)


def test_a_shadow_that_stays_undecided_is_overtaken_by_labels_for_a_better_one():
    shadow = replace(TRIED, shadow=NEW, shadow_says=decided("wait"))
    assert isinstance(then(replace(shadow, new_labels=199)), Wait)
    assert isinstance(then(replace(shadow, new_labels=200)), GiveUp)
    assert isinstance(then(replace(shadow, new_labels=200, in_vain=1)), Wait)
    assert isinstance(then(replace(shadow, new_labels=9999), labels=None), Wait)
    proven = replace(shadow, new_labels=200, shadow_says=decided("promote"))
    assert isinstance(then(proven, needs_nod=True), AskPerson), "what is proven waits for its nod"
    assert isinstance(then(replace(shadow, shadow="", canary=NEW, new_labels=200)), Wait)


def test_a_shadow_that_knows_nothing_of_a_change_is_overtaken_sooner():
    shadow = replace(TRIED, shadow=NEW, shadow_says=decided("wait"), alarms=1, new_labels=60)
    assert isinstance(then(replace(shadow, labels_since_alarm=60)), Wait), "it learnt the change"
    older = replace(shadow, is_older_than_alarm=True)
    assert isinstance(then(replace(older, labels_since_alarm=39)), Wait)
    assert isinstance(then(replace(older, labels_since_alarm=40)), GiveUp)


def test_a_trial_that_somebody_set_by_hand_is_left_alone():
    assert isinstance(then(replace(CALM, shadow="c" * 64, new_labels=999)), Wait)


def test_a_candidate_that_was_taken_off_trial_is_given_up():
    assert then(replace(TRIED, was_tried=True)) == GiveUp(NEW, "It was taken off trial.")
    assert isinstance(then(replace(TRIED, was_tried=True, shadow=NEW)), Wait)


def test_a_retired_deployment_is_left_alone():
    assert then(replace(TRIED, is_retired=True)) == Wait("It is retired.")

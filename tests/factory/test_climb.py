"""A task's walk up its ladder, without any data: what is tried next, and what is the answer."""

import pytest

from tenfold.catalog.models import Model, Stretch
from tenfold.catalog.snapshots import Snapshot
from tenfold.factory.climb import Climb
from tenfold.factory.ladder import rungs_for
from tenfold.factory.plan import Order
from tenfold.specs.task import TaskSpec

NAMES = [rung.name for rung in rungs_for("classify", "none")]
NOWHERE = Stretch(0, 0, "")


def begun(rungs=3, seconds=None):
    budget = {"rungs": rungs} | ({} if seconds is None else {"seconds": seconds})
    spec = TaskSpec.model_validate({"task": "t", "dataset": "d", "budget": budget})
    ladder = rungs_for("classify", "none")[:rungs]
    order = Order(spec, Snapshot("5" * 64, "d", 0), (), ladder, "fp32", "here", {}, "m" * 64)
    return Climb.begun(order, "key")


def model(rung, status, estimate=0.5):
    return Model(
        id=f"{rung}-{status}-{estimate}",
        task="t",
        fleet="",
        sector="",
        kind="classify",
        dataset="d",
        snapshot="5" * 64,
        make_id="m" * 64,
        rung=rung,
        estimate=estimate,
        status=status,
        verdict={"alpha": 0.03},
        identity={},
        pack="",
        head=NOWHERE,
        evidence=NOWHERE,
        roster="",
        seconds={},
    )


def judged(climb, status, estimate=0.5):
    found = model(climb.rung.name, status, estimate)
    climb.judged.append(found)
    climb.note(status, estimate=estimate, model=found)
    return found


def passed_by(climb, estimate):
    climb.note("not promising", estimate=estimate)
    climb.pass_by(estimate)


def outcomes(climb):
    return [(rung["name"], rung["outcome"]) for rung in climb.rungs]


def test_the_ladder_of_these_tests_has_three_rungs():
    assert len(begun().order.rungs) == 3


def test_an_accepted_rung_ends_the_climb():
    climb = begun()
    accepted = judged(climb, "accepted")
    assert not climb.go_on()
    assert climb.answer is accepted
    assert outcomes(climb) == [(NAMES[0], "accepted")]


@pytest.mark.parametrize("status", ["refused", "undecided", "taught"])
def test_whatever_else_a_rung_comes_to_the_next_one_is_tried(status):
    climb = begun()
    judged(climb, status)
    assert climb.go_on()
    assert (climb.rung.name, climb.must_judge) == (NAMES[1], False)


def test_a_ladder_of_one_rung_must_be_judged():
    climb = begun(rungs=1)
    assert climb.must_judge
    judged(climb, "taught")
    assert not climb.go_on()
    assert climb.answer.status == "taught"


def test_where_nothing_seemed_worth_a_look_the_most_promising_rung_is_judged():
    climb = begun()
    for place, estimate in enumerate([0.7, 0.9, 0.8]):
        assert climb.place == place
        assert not climb.must_judge
        passed_by(climb, estimate)
        assert climb.go_on()
    assert (climb.rung.name, climb.must_judge) == (NAMES[1], True)
    judged(climb, "refused", 0.9)
    assert not climb.go_on()
    assert climb.answer.rung == NAMES[1]
    assert sorted(outcomes(climb)) == sorted(
        [(NAMES[0], "not promising"), (NAMES[1], "refused"), (NAMES[2], "not promising")]
    )


@pytest.mark.parametrize("estimates", [[0.8, 0.8, 0.8], [None, None, None], [0.0, None, 0.0]])
def test_of_equally_promising_rungs_the_cheapest_is_judged(estimates):
    climb = begun()
    for estimate in estimates:
        passed_by(climb, estimate)
        assert climb.go_on()
    assert (climb.rung.name, climb.must_judge) == (NAMES[0], True)


def test_a_rung_that_was_judged_saves_those_passed_by_from_it():
    climb = begun()
    judged(climb, "refused")
    assert climb.go_on()
    passed_by(climb, 0.9)
    assert climb.go_on()
    passed_by(climb, 0.99)
    assert not climb.go_on()
    assert climb.answer.rung == NAMES[0]


def test_the_answer_is_the_best_of_the_accepted_else_of_all_the_first_of_equals():
    climb = begun()
    first, better = judged(climb, "refused", 0.6), judged(climb, "undecided", 0.7)
    assert climb.answer is better
    judged(climb, "taught", 0.7)
    assert climb.answer is better
    accepted = judged(climb, "accepted", 0.1)
    assert climb.answer is accepted
    climb.judged = [judged(climb, "taught", None), first]
    assert climb.answer is first


def test_a_spent_budget_leaves_the_rest_and_keeps_what_was_judged():
    climb = begun(seconds=1.0)
    judged(climb, "refused")
    climb.seconds["fit"] += 1.5
    assert not climb.go_on()
    assert outcomes(climb)[1:] == [(NAMES[1], "over budget"), (NAMES[2], "over budget")]
    assert climb.answer.rung == NAMES[0]


def test_a_spent_budget_still_judges_one_rung():
    climb = begun(seconds=1.0)
    passed_by(climb, 0.4)
    climb.seconds["fit"] += 1.5
    assert climb.go_on()
    assert (climb.rung.name, climb.must_judge) == (NAMES[0], True)
    judged(climb, "taught", 0.4)
    assert not climb.go_on()
    assert dict(outcomes(climb)) == {
        NAMES[0]: "taught",
        NAMES[1]: "over budget",
        NAMES[2]: "over budget",
    }


def test_time_within_the_budget_changes_nothing():
    climb = begun(seconds=1.0)
    judged(climb, "refused")
    climb.seconds["judge"] += 0.9
    assert climb.go_on()
    assert climb.rung.name == NAMES[1]


def test_a_copy_walks_on_alone():
    climb = begun()
    judged(climb, "refused")
    climb.seconds["fit"] += 0.2
    copy = climb.copied()
    copy.go_on()
    passed_by(copy, 0.9)
    copy.seconds["fit"] += 1
    assert (climb.place, climb.seconds["fit"], climb.unjudged) == (0, 0.2, [])
    assert outcomes(climb) == [(NAMES[0], "refused")]
    assert outcomes(copy) == [(NAMES[0], "refused"), (NAMES[1], "not promising")]


def test_the_record_of_a_rung_says_what_the_look_cost_and_whose_labels_to_look_at():
    climb = begun()
    found = model(NAMES[0], "refused", 0.5)
    climb.note("refused", estimate=0.5, seconds=0.3, model=found, suspects=("a.png",))
    assert climb.rungs == [
        {
            "name": NAMES[0],
            "outcome": "refused",
            "estimate": 0.5,
            "seconds": 0.3,
            "model": found.id,
            "alpha": 0.03,
            "suspects": ["a.png"],
        }
    ]

"""Verdicts: what is proven, what is not, and that looking often buys nothing."""

import importlib.util
import json
from pathlib import Path

import numpy as np
import pytest

from tenfold.errors import DataError, SpecError
from tenfold.factory.judge import (
    Count,
    Units,
    Verdict,
    counts_classes,
    counts_good_bad,
    expected_false_acceptances,
    judge,
    p_value,
    withstand_fdr,
)
from tenfold.metrics.bounds import labels_needed, spent_alpha, upper_bound
from tenfold.specs.bar import Bar

BAR = Bar(escape=0.1, overkill=0.2)


def good_bad(escapes, defects, overkills, goods, bar=BAR, *, look=1):
    counts = [
        Count("escape", "bad", escapes, defects),
        Count("overkill", "good", overkills, goods),
    ]
    return judge(counts, bar, look=look, by_group=True)


def test_accepted_means_every_bound_is_proven():
    verdict = good_bad(0, 60, 5, 80)
    assert verdict.status == "accepted"
    assert all(b.upper <= b.limit and b.more is None for b in verdict.bounds)
    assert verdict.alpha == spent_alpha(0.05, 1)


@pytest.mark.parametrize(
    ("numbers", "status"),
    [
        ((3, 60, 5, 80), "undecided"),  # 5 % seen, not proven
        ((0, 60, 30, 80), "refused"),  # overkill is over its limit, escape is proven
        ((7, 60, 5, 80), "refused"),
        ((0, 20, 5, 80), "taught"),  # 20 defects cannot prove 10 %
        ((0, 0, 5, 80), "taught"),
        ((0, 33, 0, 80), "taught"),
        ((0, 34, 0, 80), "accepted"),
    ],
)
def test_every_other_verdict_has_its_reason(numbers, status):
    assert good_bad(*numbers).status == status


def test_the_same_numbers_prove_less_at_a_later_look():
    assert [good_bad(1, 60, 5, 80, look=k).status for k in (1, 2, 3)] == [
        "accepted",
        "undecided",
        "undecided",
    ]
    assert good_bad(0, 34, 0, 80, look=2).status == "taught"


def test_undecided_says_how_many_labels_of_which_class_would_decide():
    verdict = good_bad(3, 60, 5, 80)
    escape = verdict.bounds[0]
    total = labels_needed(3 / 60, limit=0.1, alpha=spent_alpha(0.05, 2))
    assert escape.more == total - 60
    assert any(f"{escape.more:,} more" in step and "'bad'" in step for step in verdict.next_steps)


def test_normals_only_say_that_escape_is_unproven():
    asked = good_bad(0, 0, 1, 60, Bar(overkill=0.2))
    assert asked.status == "accepted"
    assert any("Escape is unproven" in sentence for sentence in asked.sentences)
    assert good_bad(0, 0, 1, 60).status == "taught"


def test_an_unfit_or_rejected_defect_did_not_escape_but_a_good_one_is_overkill():
    said_bad = np.array([True, True, False, False])
    is_bad = np.array([True, False, True, False])
    escape, overkill = counts_good_bad(said_bad, is_bad, classes=("good", "bad"))
    assert (escape.errors, escape.n, overkill.errors, overkill.n) == (1, 2, 1, 2)


def test_one_picture_of_each_group_counts_whatever_it_says():
    is_bad = np.ones(6, bool)
    said_bad = np.array([False, True, True, True, True, False])
    units = Units.of([("A", "3"), ("A", "1"), ("A", "2"), ("B", "9"), ("C", "8"), ("C", "7")])
    escape, overkill = counts_good_bad(said_bad, is_bad, classes=("good", "bad"), units=units)
    assert (escape.errors, escape.n, escape.pictures) == (1, 3, (2, 6))  # A1 right, B9, C7 wrong
    assert (overkill.n, overkill.pictures) == (0, None)


def test_all_pictures_can_refuse_but_never_accept():
    few = Count("error", "", 0, 100, pictures=(60, 300))
    assert judge([few], Bar(error=0.1), look=1, by_group=True).status == "refused"
    many = Count("error", "", 0, 10, pictures=(0, 5000))
    assert judge([many], Bar(error=0.1), look=1, by_group=True).status == "taught"


def test_several_classes_are_bounded_together_and_one_by_one():
    right = np.array([True, True, False, True])
    targets = np.eye(3)[[0, 0, 1, 2]]
    counts = {c.name: (c.errors, c.n) for c in counts_classes(right, targets, ("a", "b", "c"))}
    assert counts == {"error": (1, 4), "miss a": (0, 2), "miss b": (1, 1), "miss c": (0, 1)}


def test_several_labels_miss_only_where_their_own_is_wrong():
    right = np.array([[True, False], [True, True]])
    counts = counts_classes(right, np.array([[1, 1], [1, 0]]), ("a", "b"))
    assert [(c.errors, c.n) for c in counts] == [(1, 2), (0, 2), (1, 1)]


def test_a_bound_on_what_is_not_counted_is_told_and_never_held_silently():
    with pytest.raises(SpecError, match="miss wolf"):
        judge([Count("error", "", 0, 500)], Bar(miss={"wolf": 0.1}), look=1, by_group=True)
    alone = Units.of([("A", "1")])
    with pytest.raises(DataError):
        counts_good_bad(np.ones(2, bool), np.ones(2, bool), classes="gb", units=alone)


def test_a_verdict_survives_json():
    for numbers in ((0, 60, 5, 80), (3, 60, 5, 80), (0, 0, 5, 80)):
        verdict = good_bad(*numbers)
        assert Verdict.from_json(json.loads(json.dumps(verdict.to_json()))) == verdict
    grouped = judge([Count("error", "", 1, 9, (3, 30))], Bar(error=0.4), look=3, by_group=False)
    assert Verdict.from_json(json.loads(json.dumps(grouped.to_json()))) == grouped
    assert any("Image-level" in sentence for sentence in grouped.sentences)


def test_printed_bounds_are_never_better_than_the_truth():
    verdict = good_bad(0, 59, 5, 80)
    shown = verdict.sentences[0].removeprefix("At most ").split("%")[0]
    assert float(shown) / 100 >= upper_bound(0, 59, alpha=verdict.alpha)


def test_a_fleet_expects_at_most_what_its_looks_spent():
    alphas = [good_bad(0, 60, 5, 80, look=k).alpha for k in (1, 1, 2)]
    rungs = [{"model": name, "alpha": alpha} for name, alpha in zip("abc", alphas, strict=True)]
    passed_by = {"model": "", "alpha": 0.0}
    climbs = [[rungs[0], passed_by], rungs[1:], [rungs[0]]]  # the last one was found: no new look
    assert expected_false_acceptances(climbs) == pytest.approx(2.25 * spent_alpha(0.05, 1))


def simulation():
    path = Path(__file__).parents[2] / "benchmarks" / "false_acceptance.py"
    spec = importlib.util.spec_from_file_location("false_acceptance", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_a_head_at_its_bar_is_accepted_no_more_often_than_alpha():
    found = simulation().simulate(np.random.default_rng(1), lineages=1200, confidence=0.9)
    assert found["is_kept"], found
    assert found["if_every_look_spent_alpha"] > 0.1, "the simulation could not tell"
    assert found["if_every_picture_of_a_lot_counted"] > 0.1, "the simulation could not tell"


@pytest.mark.slow
def test_twenty_thousand_lineages_keep_alpha():
    found = simulation().simulate(np.random.default_rng(2), lineages=20_000, confidence=0.95)
    assert found["is_kept"], found


def test_a_false_discovery_rate_turns_down_what_only_just_stands():
    sure = judge([Count("error", "", 0, 2000)], Bar(error=0.05), look=1, by_group=True)
    just = judge([Count("error", "", 0, 80)], Bar(error=0.05), look=1, by_group=True)
    assert (sure.status, just.status) == ("accepted", "accepted")
    assert withstand_fdr([p_value(sure), p_value(just)], fdr=0.05, judged=2) == [True, True]
    assert withstand_fdr([p_value(sure), p_value(just)], fdr=0.05, judged=1000) == [True, False]
    assert withstand_fdr([], fdr=0.05, judged=0) == []


def test_a_p_value_is_at_most_what_the_look_may_spend_where_the_bar_is_met():
    for look in (1, 2, 5):
        verdict = judge([Count("error", "", 1, 400)], Bar(error=0.05), look=look, by_group=True)
        assert (p_value(verdict) <= 0.05) == (verdict.status == "accepted")

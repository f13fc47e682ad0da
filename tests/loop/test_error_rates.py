"""Rates of production from audits: unbiased, bounded at all times, held against the bar."""

import numpy as np
import pytest

from tenfold.loop.error_rates import Audit, against, error_rates
from tenfold.specs.bar import Bar


def audits(stratum, wrong, right):
    """In the order of a lot: a run of wrong ones would be a rate that changes."""
    said = np.random.default_rng(0).permutation([True] * wrong + [False] * right)
    return [Audit(stratum, bool(is_wrong)) for is_wrong in said]


def test_rates_follow_from_strata_and_counts():
    found = error_rates(
        {"ok": 9_000, "reject": 1_000},
        audits("ok", 1, 99) + audits("reject", 20, 80),
        alpha=0.05,
    )
    escape, overkill = found.rates
    assert escape.seen == pytest.approx(90 / (90 + 800))
    assert overkill.seen == pytest.approx(200 / (200 + 8_910))
    for rate in found.rates:
        assert rate.lower < rate.seen < rate.upper


def test_bounds_hold_at_all_times():
    """True rates lie within at every moment of a stream, but for a share of alpha."""
    missed, truth_ok, truth_reject = 0, 0.02, 0.2
    for seed in range(60):
        rng = np.random.default_rng(seed)
        drawn = []
        for _ in range(6):
            drawn += [Audit("ok", bool(x)) for x in rng.random(60) < truth_ok]
            drawn += [Audit("reject", bool(x)) for x in rng.random(60) < truth_reject]
            found = error_rates({"ok": 9_000, "reject": 1_000}, drawn, alpha=0.1)
            ok, reject = found.strata["ok"], found.strata["reject"]
            if ok.upper < truth_ok or reject.upper < truth_reject:
                missed += 1
                break
    assert missed <= 10, "of 60, each with probability at most a tenth"


def test_what_is_not_labelled_yet_holds_up_what_comes_after():
    found = error_rates(
        {"ok": 100}, [Audit("ok", False), Audit("ok", None), Audit("ok", True)], alpha=0.05
    )
    assert (found.strata["ok"].audited, found.waiting) == (1, 2)


def test_what_nobody_can_tell_is_left_out_and_counted():
    found = error_rates({"ok": 10}, [Audit("ok", False, is_unknowable=True)], alpha=0.05)
    assert (found.strata["ok"].audited, found.unknowable) == (0, 1)
    assert found.rates[0].seen is None


def test_unfit_answers_reject():
    with_unfit = error_rates(
        {"ok": 90, "unfit": 10}, audits("ok", 0, 50) + audits("unfit", 5, 0), alpha=0.05
    )
    escape, overkill = with_unfit.rates
    assert overkill.seen == pytest.approx(10 / 100)
    assert escape.seen == 0


def test_several_classes_have_one_error():
    (error,) = error_rates({"said": 100}, audits("said", 5, 45), alpha=0.05).rates
    assert (error.name, error.seen) == ("error", pytest.approx(0.1))


def test_nothing_audited_proves_nothing():
    escape, overkill = error_rates({"ok": 100}, [], alpha=0.05).rates
    assert (escape.seen, escape.lower, escape.upper) == (None, 0, 1)
    assert overkill.seen is None


def test_the_bar_is_within_outside_or_open():
    bar = Bar(escape=0.1, overkill=0.05)
    good = error_rates(
        {"ok": 5_000, "reject": 5_000}, audits("ok", 0, 400) + audits("reject", 0, 400), alpha=0.05
    )
    assert all("within the bar" in told for told in against(bar, good))
    bad = error_rates(
        {"ok": 5_000, "reject": 5_000},
        audits("ok", 300, 100) + audits("reject", 0, 400),
        alpha=0.05,
    )
    assert "outside the bar of 10.0%" in against(bar, bad)[0]
    few = error_rates(
        {"ok": 50, "reject": 50}, audits("ok", 0, 5) + audits("reject", 1, 4), alpha=0.05
    )
    assert "not decided yet" in against(bar, few)[0]
    assert against(Bar(), few) == []

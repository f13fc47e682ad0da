"""Rates of production from audits: by the lot alone, bounded at all times, held against the bar."""

import numpy as np
import pytest
from scipy.stats import binom

from tenfold.loop import draws
from tenfold.loop.draws import Draw
from tenfold.loop.error_rates import Audit, against, error_rates
from tenfold.specs.bar import Bar

SHARE = {"ok": 0.05, "reject": 0.2, "unfit": 0.2, "said": 0.05}


def settled(**strata):
    """Draws and audits of (answers, wrong, right) by stratum, on all of which people agreed."""
    now = tuple(Draw(name, SHARE[name], n, a + b) for name, (n, a, b) in strata.items())
    audits = [
        Audit(one.stratum, one.probability, now, is_wrong)
        for one in now
        for is_wrong in [True] * strata[one.stratum][1] + [False] * strata[one.stratum][2]
    ]
    return now, audits


def rates(alpha=0.05, **strata):
    return error_rates(*settled(**strata), alpha=alpha)


def stream(said, *, every=1, waits=()):
    """Of answers (stratum, is wrong) each `every`th is drawn, of which some wait."""
    now, audits = (), []
    for number, (stratum, is_wrong) in enumerate(said, 1):
        is_drawn = number % every == 0
        now = draws.add(now, stratum, SHARE[stratum], is_drawn=is_drawn)
        if is_drawn:
            known = None if len(audits) in waits else is_wrong
            audits.append(Audit(stratum, SHARE[stratum], now, known))
    return now, audits


def test_rates_follow_from_what_each_audit_stands_for():
    escape, overkill = rates(ok=(9_000, 5, 445), reject=(1_000, 40, 160)).rates
    assert escape.seen == pytest.approx(100 / (100 + 800))
    assert overkill.seen == pytest.approx(200 / (200 + 8_900))
    for rate in (escape, overkill):
        assert rate.lower < rate.seen < rate.upper


def test_rates_of_what_was_answered_hold_at_all_times_though_they_change():
    """Escape and overkill over all answers so far lie within at every look, but for alpha."""
    missed = {"escape": 0, "overkill": 0}
    for seed in range(40):
        rng = np.random.default_rng(seed)
        now, audits, true = (), [], {"ok": [0, 0], "reject": [0, 0]}
        ever = set()
        for number in range(1, 2_001):
            stratum = "ok" if rng.random() < 0.8 else "reject"
            odds = 0.01 if number < 1_000 else 0.15  # what passes gets worse
            is_wrong = bool(rng.random() < (odds if stratum == "ok" else 0.3))
            is_drawn = bool(rng.random() < SHARE[stratum])
            true[stratum][is_wrong] += 1
            now = draws.add(now, stratum, SHARE[stratum], is_drawn=is_drawn)
            if is_drawn:
                audits.append(Audit(stratum, SHARE[stratum], now, is_wrong))
            if number % 200 == 0:
                (kept, through), (caught, lost) = true["ok"], true["reject"]
                found = error_rates(now, audits, alpha=0.1)
                truth = {"escape": through / (through + caught), "overkill": lost / (lost + kept)}
                ever |= {
                    one.name for one in found.rates if not one.lower <= truth[one.name] <= one.upper
                }
        for name in ever:
            missed[name] += 1
    assert max(missed.values()) <= binom.ppf(0.999, 40, 2 * 0.1), "of each side a tenth at most"


def test_what_nobody_said_yet_leaves_out_the_answers_after_it():
    said = [("ok", False)] * 100
    now, audits = stream(said, every=10, waits={4})
    found = error_rates(now, audits, alpha=0.05)
    assert (found.answers, found.later, found.strata["ok"].audited) == (40, 60, 4)
    assert "the first 40 of 100 answers" in " ".join(against(Bar(escape=0.1), found))


def test_a_few_that_wait_count_as_the_worst_and_hold_up_nothing():
    said = [("ok", False)] * 1_000
    straggler = error_rates(*stream(said, every=5, waits={100}), alpha=0.05)
    none = error_rates(*stream(said, every=5), alpha=0.05)
    wrong = error_rates(
        *stream([(name, i == 504) for i, (name, _) in enumerate(said)], every=5), alpha=0.05
    )
    assert (straggler.answers, straggler.waiting) == (1_000, 1)
    assert straggler.strata["ok"].most == wrong.strata["ok"].most > none.strata["ok"].most
    assert straggler.strata["ok"].fewest == none.strata["ok"].fewest
    assert straggler.strata["ok"].seen == 0.0


def test_nothing_is_known_while_the_first_audit_waits():
    found = error_rates(*stream([("ok", False)] * 10, every=2, waits={0}), alpha=0.05)
    assert (found.answers, found.later) == (0, 10)
    assert (found.rates[0].seen, found.rates[0].lower, found.rates[0].upper) == (None, 0, 1)


def test_what_nobody_can_tell_counts_as_the_worst_and_is_told():
    now, audits = settled(ok=(2_000, 0, 99))
    more = (Draw("ok", SHARE["ok"], 2_000, 100),)
    found = error_rates(
        more, [*audits, Audit("ok", SHARE["ok"], more, None, is_unknowable=True)], alpha=0.05
    )
    as_wrong = rates(ok=(2_000, 1, 99)).strata["ok"]
    assert (found.strata["ok"].most, found.unknowable) == (as_wrong.most, 1)
    assert found.strata["ok"].fewest == error_rates(now, audits, alpha=0.05).strata["ok"].fewest
    assert "nobody can tell (1)" in " ".join(against(Bar(escape=0.1), found))


def test_what_was_drawn_and_never_shown_counts_as_the_worst():
    _, audits = settled(ok=(2_000, 0, 90))
    found = error_rates((Draw("ok", SHARE["ok"], 2_000, 93),), audits, alpha=0.05)
    assert found.lost == 3
    assert found.strata["ok"].most == rates(ok=(2_000, 3, 90)).strata["ok"].most
    assert "drawn before (3)" in " ".join(against(Bar(escape=0.1), found))


def test_a_share_that_was_changed_weighs_what_it_drew():
    now = (Draw("ok", 0.05, 2_000, 100), Draw("ok", 0.5, 200, 100))
    audits = [Audit("ok", 0.05, now, i < 2) for i in range(100)]
    audits += [Audit("ok", 0.5, now, i < 20) for i in range(100)]
    (ok,) = error_rates(now, audits, alpha=0.05).strata.values()
    assert ok.answers == 2_200
    assert ok.seen == pytest.approx((2 / 0.05 + 20 / 0.5) / (2_000 + 200))
    assert ok.fewest < 80 < ok.most


def test_unfit_answers_reject():
    escape, overkill = rates(ok=(90, 0, 50), unfit=(10, 5, 0)).rates
    assert overkill.seen == pytest.approx(10 / 100)
    assert escape.seen == 0


def test_several_classes_have_one_error():
    (error,) = rates(said=(1_000, 5, 45)).rates
    assert (error.name, error.seen) == ("error", pytest.approx(0.1))
    assert error.lower < 0.1 < error.upper


def test_nothing_audited_proves_nothing():
    escape, overkill = error_rates((Draw("ok", 0.05, 100),), [], alpha=0.05).rates
    assert (escape.seen, escape.lower, escape.upper) == (None, 0, 1)
    assert overkill.seen is None
    assert error_rates((), [], alpha=0.05).rates[0].seen is None


def test_the_bar_is_within_outside_or_open():
    bar = Bar(escape=0.1, overkill=0.05)
    good = rates(ok=(8_000, 0, 400), reject=(2_000, 0, 400))
    assert all("within the bar" in told for told in against(bar, good))
    bad = rates(ok=(8_000, 300, 100), reject=(2_000, 0, 400))
    assert "outside the bar of 10.0%" in against(bar, bad)[0]
    few = rates(ok=(100, 0, 5), reject=(25, 1, 4))
    assert "not decided yet" in against(bar, few)[0]
    assert against(Bar(), few) == []


def test_a_kind_that_was_never_drawn_keeps_no_rate_from_being_decided():
    now, audits = settled(ok=(8_000, 0, 400), reject=(2_000, 0, 400))
    found = error_rates((*now, Draw("unfit", 0.2, 3, 0)), audits, alpha=0.05)
    (told,) = against(Bar(escape=0.1), found)
    assert found.rates[0].seen is None
    assert "within the bar of 10.0%" in told

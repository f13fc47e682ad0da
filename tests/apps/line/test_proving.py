"""What parts in shadow prove, as bounds on what happened."""

import numpy as np
import pytest

from tenfold.apps.line.journal import Part, Seen
from tenfold.apps.line.proving import in_words, prove
from tenfold.metrics.bounds import spent_alpha, upper_bound
from tenfold.specs.bar import Bar

BAR = Bar(overkill=0.05, escape=0.05)
HEADS = (("lid", "m1"),)


def look(said="ok", word="ok", *, model="m1", taught="t1", number=0):
    seen = (Seen("lid", "good", 0.1, 0.5, model),) if model else ()
    return Part(
        number,
        "4711",
        "manual",
        judged=said,
        overruled=word,
        taught=taught,
        regions=seen,
        id=number,
    )


def proven(looks, bar=BAR, **now):
    return prove(looks, bar, **({"taught": "t1", "models": HEADS} | now))


def test_sixty_nine_good_parts_without_an_error_prove_five_percent():
    proof = proven([look()] * 68)
    assert (proof.overkill.n, proof.overkill.errors, proof.overkill.more) == (68, 0, 1)
    assert not proof.overkill.is_proven
    assert "1 more good parts without an error prove ≤ 5" in in_words(proof)[0]
    proof = proven([look()] * 69)
    assert proof.overkill.is_proven
    assert proof.overkill.upper == pytest.approx(
        upper_bound(0, 69, alpha=spent_alpha(0.05, 1)), abs=1e-12
    )


def test_between_two_looks_nothing_changes_whatever_is_seen():
    proof = proven([look()] * 69 + [look("reject")] * 5)
    assert proof.overkill.errors == 5
    assert proof.overkill.is_proven  # as it was at the look, which was fixed beforehand
    assert not proven([look()] * 69 + [look("reject")] * 5 + [look()] * 60).overkill.is_proven


def test_an_error_before_the_first_look_takes_more_parts():
    proof = proven([look("reject"), *[look()] * 68])
    assert not proof.overkill.is_proven
    assert proof.overkill.look == 1
    more = proof.overkill.more
    assert proven([look("reject"), *[look()] * (68 + more)]).overkill.is_proven
    assert not proven([look("reject"), *[look()] * (67 + more)]).overkill.is_proven


def test_manual_inspection_of_a_good_part_is_overkill_and_of_a_bad_one_no_escape():
    proof = proven([look("manual"), look("manual", "reject"), look("ok", "reject")])
    assert (proof.overkill.errors, proof.overkill.n) == (1, 1)
    assert (proof.escape.errors, proof.escape.n) == (1, 2)


def test_the_bar_is_cleared_only_when_all_that_it_asks_is_proven():
    goods = [look()] * 69
    assert not proven(goods).is_cleared
    assert proven(goods, Bar(overkill=0.05)).is_cleared
    bads = [look("reject", "reject")] * 69
    assert proven(goods + bads).is_cleared
    assert "bar does not ask" in in_words(proven(goods, Bar(overkill=0.05)))[1]


def test_parts_of_which_nobody_spoke_hold_up_the_proof():
    silent = [look("reject", "")] * 4
    proof = proven([look()] * 69 + silent, Bar(overkill=0.05))
    assert proof.unsaid == 4
    assert not proof.is_cleared
    assert "4 parts in shadow wait" in in_words(proof)[-1]


def test_heads_made_anew_begin_anew_and_pay_for_the_looks_before_them():
    old = [look("reject", model="m0")] * 3 + [look(model="m0")] * 66
    proof = proven(old)
    assert (proof.overkill.n, proof.overkill.more) == (0, 96)  # at alpha · 6 / (4 π²)
    assert proven(old + [look()] * 96).overkill.is_proven
    assert proven(old + [look()] * 96).overkill.look == 2
    assert proven([*old, look(taught="t0")]).overkill.n == 0


def test_a_part_that_cannot_be_found_counts_for_the_heads_before_it():
    proof = proven([look(), look("manual", model="")])
    assert (proof.overkill.errors, proof.overkill.n) == (1, 2)


def test_so_many_errors_are_no_way_to_the_limit():
    proof = proven([look("reject")] * 4000)
    assert proof.overkill.more is None
    assert "teach it more" in in_words(proof)[0]


def test_looking_after_every_part_accepts_a_head_at_its_limit_no_more_often_than_alpha():
    rng, false, runs = np.random.default_rng(0), 0, 200
    bar = Bar(overkill=0.2)
    for _ in range(runs):
        looks = [look("reject" if bad else "ok") for bad in rng.random(160) < 0.2]
        false += any(proven(looks[:n], bar).overkill.is_proven for n in range(20, 160, 20))
    assert false / runs <= 0.05

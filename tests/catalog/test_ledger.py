from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal

import pytest

from tenfold.catalog import ledger
from tenfold.catalog.ledger import Entry, Run, Used
from tenfold.errors import DataError


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def make(number, **given):
    return Entry(
        run="r1",
        kind="make",
        subject=f"model-{number}",
        dataset="caps",
        task=f"caps-{number}",
        fleet="caps",
        at=datetime(2026, 3, 1 + number % 28, tzinfo=UTC),
        **{"cpu_s": 0.25, "images": 10, "peak_mb": float(number)} | given,
    )


def test_entries_come_back_as_they_went_in_and_sum_by_month(scope):
    given = [make(n) for n in range(200)]
    assert ledger.book(scope, given) == 200
    assert {e.subject: e for e in ledger.newest(scope, 500)} == {e.subject: e for e in given}
    (march,) = ledger.sums(scope)
    assert (march.month, march.kind, march.dataset, march.fleet) == (202603, "make", "caps", "caps")
    assert (march.entries, march.used) == (200, Used(cpu_s=50, images=2000, peak_mb=199))


def test_booking_again_neither_loses_nor_doubles(scope):
    first = [make(n) for n in range(5)]
    assert ledger.book(scope, first) == 5
    before = ledger.sums(scope)
    assert ledger.book(scope, first) == 0
    assert ledger.sums(scope) == before
    assert ledger.book(scope, [*first, make(7), make(7)]) == 1
    assert ledger.sums(scope)[0].entries == 6


def test_what_fails_in_the_callers_transaction_is_not_booked(scope):
    def register_and_fail():
        with scope.write() as connection:
            ledger.add(connection, scope, [make(1)])
            raise RuntimeError

    with pytest.raises(RuntimeError):
        register_and_fail()
    assert ledger.sums(scope) == []
    assert ledger.newest(scope, 1) == []


def test_rollups_are_what_the_entries_say(scope):
    bill = {"kind": "spend", "amount": Decimal("0.000001"), "currency": "EUR"}
    others = [make(3, bytes_stored=3_000_000_000, bytes_read=5, labels=2, human_s=1.5)]
    others += [replace(make(4), kind="label", sector="rail"), replace(make(5), task="")]
    others += [replace(make(n), **bill) for n in (6, 7)]
    ledger.book(scope, others)
    before = ledger.sums(scope)
    ledger.recount(scope)
    assert ledger.sums(scope) == before
    (spent,) = [s for s in before if s.kind == "spend"]
    assert spent.used.amount == Decimal("0.000002")


def test_sums_are_of_the_months_asked_for(scope):
    at = [datetime(2025, 12, 31, 23, 59, tzinfo=UTC), datetime(2026, 1, 1, tzinfo=UTC)]
    ledger.book(scope, [replace(make(n), at=at[n]) for n in (0, 1)])
    assert [s.month for s in ledger.sums(scope)] == [202512, 202601]
    assert [s.month for s in ledger.sums(scope, (202601, 202612))] == [202601]
    assert [s.month for s in ledger.sums(scope, (0, 202601))] == [202512]


def test_a_tenant_sees_and_counts_its_own(catalog, scope):
    other = catalog.scope("other", "eve")
    ledger.book(scope, [make(1)])
    assert ledger.book(other, [make(1)]) == 1
    ledger.begin(scope, Run("r1", "make"))
    assert ledger.sums(other)[0].entries == 1
    assert not ledger.end(other, "r1", "done")
    assert ledger.runs_of(other, newest=9) == []
    ledger.recount(other)
    assert ledger.sums(scope)[0].entries == 1


def test_money_is_exact_and_has_a_currency():
    with pytest.raises(DataError, match="6 decimals"):
        Entry("r", "spend", "x", amount=Decimal("0.0000001"), currency="EUR")
    with pytest.raises(DataError, match="6 decimals"):
        Entry("r", "spend", "x", amount=Decimal("NaN"), currency="EUR")
    with pytest.raises(DataError, match="no currency"):
        Entry("r", "spend", "x", amount=Decimal(1))


def test_settling_books_the_rest_and_closes_the_run_once(scope):
    run = Run("r1", "make", fleet="caps", host="here")
    ledger.begin(scope, run)
    ledger.begin(scope, run)
    ledger.book(scope, [make(1), make(2)])
    total = Used(cpu_s=2, wall_s=3, peak_mb=7)
    assert ledger.settle(scope, run, total, kind="overhead", outcome="done")
    assert not ledger.settle(scope, run, Used(cpu_s=9), kind="waste", outcome="killed")
    assert ledger.booked(scope, "r1").cpu_s == 2
    assert [s.used.cpu_s for s in ledger.sums(scope) if s.kind == "overhead"] == [1.5]
    (known,) = ledger.runs_of(scope, newest=9)
    assert (known.outcome, known.actor, known.fleet) == ("done", "ann", "caps")
    assert known.ended_at >= known.began_at

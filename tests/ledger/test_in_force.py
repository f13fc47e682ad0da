"""Which prices and headcount hold: a file's, else what was saved, else the built-in ones."""

from dataclasses import replace
from datetime import date
from decimal import Decimal

import pytest

from tenfold.catalog import activity, papers
from tenfold.errors import Conflict, SpecError
from tenfold.ledger import in_force, price
from tenfold.ledger.headcount import Count

JULY = {"from": "2026-07-01", "cpu_hour": "0.05", "human_hour": "60", "exchange": {"USD": "0.9"}}


def test_what_is_saved_holds_from_its_month_on(both):
    assert in_force.prices(both, "") == price.load()
    assert in_force.source(both, "prices", "") == ("built-in", None)
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    found = in_force.prices(both, "")
    assert [str(rates.since) for rates in found.rates] == ["2000-01-01", "2026-07-01"]
    assert found.at(202606).cpu_hour == Decimal("0.04")
    assert (found.at(202607).cpu_hour, found.at(202607).gb_read) == (Decimal("0.05"), 0)
    assert found.at(202608).exchange == {"USD": Decimal("0.9")}
    source, saved = in_force.source(both, "prices", "")
    assert (source, saved and saved.changed_by) == ("saved", "ann")
    in_force.set_rates(both, "", currency="EUR", rates=JULY | {"cpu_hour": "0.06"})
    assert [rates.cpu_hour for rates in in_force.prices(both, "").rates][1:] == [Decimal("0.06")]


def test_what_was_saved_can_be_taken_back(both):
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    in_force.drop_rates(both, "", date(2000, 1, 1))
    assert len(in_force.prices(both, "").rates) == 2  # the oldest stay: the ledger may be as old
    in_force.drop_rates(both, "", date(2026, 7, 1))
    assert in_force.prices(both, "").rates == price.load().rates
    in_force.drop_prices(both)
    assert papers.find(both, "prices") is None


def test_each_change_is_in_the_activity_and_what_changes_nothing_is_not(both):
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    in_force.set_count(both, "", count={"date": "2026-01-01", "people": "12.5"})
    in_force.drop_prices(both)
    in_force.drop_prices(both)
    deeds = activity.page(both, limit=10)
    assert [(one.action, one.actor) for one in deeds] == [
        ("set-prices", "ann"),
        ("set-headcount", "ann"),
        ("set-prices", "ann"),
    ]
    assert "0.05" in deeds[2].detail["text"]
    assert activity.verify(both).holds


@pytest.mark.parametrize(
    ("currency", "wrong"),
    [
        ("EUR", {"cpu_hour": "0,05"}),
        ("EUR", {"cpu_hour": "-1"}),
        ("EUR", {"kept_months": "1.5"}),
        ("EUR", {"from": "2026-07-15"}),
        ("EUR", {"exchange": {"usd": "1"}}),
        ("EUR", {"rent": "1"}),
        ("euro", {}),
    ],
)
def test_wrong_values_are_refused_and_nothing_is_written(both, currency, wrong):
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    before = papers.find(both, "prices"), activity.head(both)
    with pytest.raises(SpecError):
        in_force.set_rates(both, "", currency=currency, rates=JULY | wrong)
    with pytest.raises(SpecError):
        in_force.set_count(both, "", count={"date": "yesterday", "people": "3"})
    assert (papers.find(both, "prices"), activity.head(both)) == before
    assert papers.find(both, "headcount") is None


def test_a_file_rules_and_nothing_is_saved_beside_it(both, tmp_path):
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    file = tmp_path / "prices.yaml"
    file.write_text("currency: CHF\nrates:\n  - {from: 2020-01-01, cpu_hour: 1}\n")
    assert in_force.prices(both, str(file)).currency == "CHF"
    assert in_force.source(both, "prices", str(file)) == ("file", None)
    with pytest.raises(Conflict, match="which rules"):
        in_force.set_rates(both, str(file), currency="EUR", rates=JULY)
    with pytest.raises(Conflict):
        in_force.set_count(both, str(file), count={"date": "2026-01-01", "people": 3})


def test_the_headcount_keeps_its_dates_in_order(both):
    assert in_force.people(both, "") is None
    for day, people in (("2026-06-30", "20"), ("2025-12-31", "12.5"), ("2026-06-30", "21")):
        in_force.set_count(both, "", count={"date": day, "people": people})
    found = in_force.people(both, "")
    assert found is not None
    first, last = found.headcount
    assert (first.people, last) == (12.5, Count(date=date(2026, 6, 30), people=21))
    for count in found.headcount:
        in_force.drop_count(both, "", count.date)
    assert in_force.people(both, "") is None
    assert papers.find(both, "headcount") is None


def test_another_tenant_has_prices_of_its_own(both):
    in_force.set_rates(both, "", currency="EUR", rates=JULY)
    assert in_force.prices(replace(both, tenant="other"), "") == price.load()

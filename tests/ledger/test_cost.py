from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tenfold.catalog.ledger import Sum, Used
from tenfold.ledger import price
from tenfold.ledger.cost import NOTHING, Cost, money, priced, share_out, split

PRICES = price.parsed(
    price.Prices,
    "currency: EUR\nrates:\n  - {from: 2020-01-01, cpu_hour: 0.07, gb_month: 0.023, gb_read: 0.01,"
    " image: 0.0003, label: 0.05, human_hour: 41.3, kept_months: 10, exchange: {USD: 0.9}}",
    where="prices",
    hint="",
)
amounts = st.decimals(0, 10**10, places=6)
used = st.builds(
    Used,
    cpu_s=st.floats(0, 1e9),
    bytes_stored=st.integers(-(10**15), 10**15),
    bytes_read=st.integers(0, 10**15),
    images=st.integers(0, 10**9),
    labels=st.integers(0, 10**9),
    human_s=st.floats(0, 1e9),
    amount=amounts,
)


def row(kind, dataset, fleet, *, month=202603, entries=1, **used):
    return Sum(month, kind, dataset, fleet, "", "", entries, Used(**used))


@given(used, used)
def test_parts_add_up_to_the_total_exactly(one, other):
    costs = [priced(u, "label", 202603, PRICES, currency="USD") for u in (one, other)]
    both = costs[0] + costs[1]
    assert sum(both.parts.values()) == both.total == costs[0].total + costs[1].total
    assert both - costs[1] == costs[0]


@given(st.builds(Cost, compute=amounts, bills=amounts), st.lists(st.integers(0, 10**9), min_size=1))
def test_shares_add_up_exactly_and_none_is_off_by_a_grain(cost, weights):
    shares = split(cost, weights)
    assert sum(shares, NOTHING) == cost
    whole = sum(weights) or len(weights)
    for share, weight in zip(shares, weights if sum(weights) else [1] * len(weights), strict=True):
        assert abs(share.compute - cost.compute * weight / whole) <= Decimal("1e-11")


def test_every_unit_is_priced_once():
    hour = Used(cpu_s=3600, bytes_stored=10**9, bytes_read=10**9, images=10, labels=10, human_s=36)
    cost = priced(hour, "embed", 202603, PRICES)
    assert cost.compute == Decimal("0.07")
    assert cost.storage == Decimal("0.23")
    assert cost.reading == Decimal("0.01")
    assert cost.images == Decimal("0.003")
    assert cost.people == Decimal("0.413")
    assert cost.labels == 0  # those that were learned from are not bought again
    assert priced(hour, "label", 202603, PRICES).labels == Decimal("0.5")
    assert priced(hour, "make", 202603, PRICES).images == 0
    bill = priced(Used(amount=Decimal(10)), "spend", 202603, PRICES, currency="USD")
    assert bill.total == bill.bills == 9


def shares(rows):
    found, unused = share_out(rows, PRICES, lambda one: one.fleet)
    return {name: cost.total for name, cost in found.items()}, unused.total


def test_embedding_goes_to_the_models_of_its_dataset_and_month():
    rows = [
        row("embed", "d", "", images=0, cpu_s=3600),
        row("make", "d", "a", images=1),
        row("make", "d", "b", images=3),
        row("make", "other", "c", images=100),
        row("make", "d", "later", images=100, month=202604),
    ]
    found, unused = shares(rows)
    assert found == {"a": Decimal("0.0175"), "b": Decimal("0.0525"), "c": 0, "later": 0}
    assert unused == 0


def test_models_share_alike_where_none_says_what_it_read():
    rows = [
        row("embed", "d", "", cpu_s=3600),
        row("make", "d", "a", entries=3),
        row("make", "d", "b"),
    ]
    assert shares(rows)[0] == {"a": Decimal("0.0525"), "b": Decimal("0.0175")}


def test_a_month_without_a_model_keeps_its_embedding_unused():
    rows = [row("embed", "d", "", cpu_s=3600), row("make", "d", "a", month=202604)]
    assert shares(rows) == ({"a": 0}, Decimal("0.07"))


@pytest.mark.parametrize(
    ("amount", "said"),
    [
        ("0", "0 EUR"),
        ("149195.51", "149,196 EUR"),
        ("12.3456", "12.35 EUR"),
        ("0.996", "1.00 EUR"),
        ("0.0003412", "0.00034 EUR"),
        ("0.00000000001", "< 0.000001 EUR"),
        ("-5", "-5.00 EUR"),
    ],
)
def test_money_is_rounded_only_when_shown(amount, said):
    assert money(Decimal(amount), "EUR") == said

from datetime import date
from decimal import Decimal
from pathlib import Path

import pytest

from tenfold.errors import NotFound, SpecError
from tenfold.ledger import price

DOCS = Path(__file__).parents[2] / "docs" / "ledger.md"


def written(tmp_path, text):
    file = tmp_path / "prices.yaml"
    file.write_text(text)
    return price.load(file)


def test_without_a_file_the_built_in_prices_hold():
    assert price.load().at(202612).cpu_hour == Decimal("0.04")


def test_the_docs_show_the_built_in_prices():
    shown = "".join(f"    {line}\n" for line in price.BUILT_IN.splitlines()[1:])
    assert shown in DOCS.read_text(encoding="utf-8")


def test_rates_hold_from_their_month_until_the_next(tmp_path):
    prices = written(
        tmp_path,
        "currency: USD\nrates:\n  - {from: 2025-01-01, cpu_hour: 0.1}\n"
        "  - {from: 2026-03-01, cpu_hour: 0.2}\n",
    )
    assert [prices.at(m).cpu_hour for m in (202501, 202602, 202603)] == [
        Decimal("0.1"),
        Decimal("0.1"),
        Decimal("0.2"),
    ]
    assert prices.rates[0].since == date(2025, 1, 1)
    assert prices.spans((202502, 202701)) == [(202502, 202603), (202603, 202701)]
    with pytest.raises(SpecError, match="2024-12"):
        prices.at(202412)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("currency: EUR\nrates:\n  - {from: 2025-01-01, cpu: 1}\n", r"yaml:3: .*no such key"),
        ("currency: EUR\nrates:\n  - {from: 2025-01-02}\n", r"yaml:3: .*first day of a month"),
        ("currency: EUR\nrates:\n  - {from: 2025-01-01, cpu_hour: -1}\n", r"yaml:3: .*cpu_hour"),
        ("currency: Euro\nrates:\n  - {from: 2025-01-01}\n", r"yaml:1: currency"),
        ("currency: EUR\nrates: []\n", r"yaml:2: rates"),
        (
            "currency: EUR\nrates:\n  - {from: 2026-01-01}\n  - {from: 2025-01-01}\n",
            "oldest first",
        ),
    ],
)
def test_an_impossible_price_names_file_and_line(tmp_path, text, said):
    with pytest.raises(SpecError, match=said):
        written(tmp_path, text)


def test_a_missing_file_is_not_found(tmp_path):
    with pytest.raises(NotFound):
        price.load(tmp_path / "none.yaml")

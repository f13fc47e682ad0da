"""What things cost, by date: the price file that people write."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from itertools import pairwise
from pathlib import Path
from typing import Annotated

from pydantic import ConfigDict, Field, model_validator

from tenfold.errors import SpecError
from tenfold.specs.yaml_file import Part, parsed, text_of

HINT = "docs/ledger.md has the keys of a price file."
BUILT_IN = """\
# What things cost when no price file is given: rented machines and an office in Europe.
currency: EUR
rates:
  - from: 2000-01-01
    cpu_hour: 0.04    # one core of a rented server for an hour
    gb_month: 0.02    # 10⁹ bytes in an object store for a month
    kept_months: 12   # so long what is stored is paid for, when it is stored
    gb_read: 0        # 10⁹ bytes read back
    image: 0          # one picture embedded, beside its CPU time
    label: 0          # one label bought, beside the minutes people took
    human_hour: 40
"""

Price = Annotated[Decimal, Field(ge=0, le=10**9, decimal_places=9)]
Currency = Annotated[str, Field(pattern="^[A-Z]{3}$")]


class Rates(Part):
    """Prices that hold from a month on."""

    model_config = ConfigDict(extra="forbid", frozen=True, populate_by_name=True)

    since: Annotated[date, Field(alias="from")]
    cpu_hour: Price = Decimal(0)
    gb_month: Price = Decimal(0)
    kept_months: Annotated[int, Field(ge=0, le=1200)] = 12
    """What is stored is paid for so many months at once."""
    gb_read: Price = Decimal(0)
    image: Price = Decimal(0)
    label: Price = Decimal(0)
    human_hour: Price = Decimal(0)
    exchange: Mapping[Currency, Annotated[Decimal, Field(gt=0, le=10**9)]] = Field(
        default_factory=dict[str, Decimal]
    )
    """What one unit of another currency is worth in the file's."""

    @model_validator(mode="after")
    def _whole_month(self) -> "Rates":
        if self.since.day != 1:
            raise ValueError(f"`from` is the first day of a month, not {self.since}")
        return self

    @property
    def month(self) -> int:
        """The first month they hold in, as 202612."""
        return self.since.year * 100 + self.since.month


class Prices(Part):
    currency: Currency
    rates: Annotated[tuple[Rates, ...], Field(min_length=1)]
    """Oldest first."""

    @model_validator(mode="after")
    def _in_order(self) -> "Prices":
        dates = [rate.since for rate in self.rates]
        if dates != sorted(set(dates)):
            raise ValueError("`rates` stand in the order of their `from`, oldest first")
        return self

    def at(self, month: int) -> Rates:
        """What holds in `month` (as 202612).

        Raises:
            SpecError: nothing does yet.
        """
        for rates in reversed(self.rates):
            if rates.month <= month:
                return rates
        raise SpecError(
            f"the price file begins with {self.rates[0].since}, the ledger in {month // 100}-"
            f"{month % 100:02}.",
            hint="Give the first rates an earlier `from`.",
        )

    def spans(self, months: tuple[int, int]) -> list[tuple[int, int]]:
        """Those months, cut where prices change."""
        cuts = [rate.month for rate in self.rates if months[0] < rate.month < months[1]]
        return list(pairwise([months[0], *cuts, months[1]]))

    def in_own_currency(self, amount: Decimal, currency: str, month: int) -> Decimal:
        """A bill in the currency of the price file.

        Raises:
            SpecError: nobody said what that currency is worth.
        """
        if currency in ("", self.currency):
            return amount
        worth = self.at(month).exchange.get(currency)
        if worth is None:
            raise SpecError(
                f"the ledger holds bills in {currency}, the price file is in {self.currency}.",
                hint=f"Say what one {currency} is worth: `exchange: {{{currency}: …}}` in `rates`.",
            )
        return amount * worth


def load(path: Path | str = "") -> Prices:
    """The prices in a YAML file; without one, those built in.

    Raises:
        NotFound: there is no such file.
        SpecError: names the file and line of what is wrong.
    """
    if not path:
        return parsed(Prices, BUILT_IN, where="built-in prices", hint=HINT)
    file = Path(path).expanduser()
    return parsed(Prices, text_of(file), where=str(file), hint=HINT)

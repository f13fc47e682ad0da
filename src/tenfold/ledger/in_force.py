"""The prices and the headcount that hold: those of a file that the settings name, else those that
an owner saved in the catalog, else the built-in ones. Everybody reads them here.
"""

from datetime import date
from typing import Any, Literal, TypeVar

import yaml
from pydantic import BaseModel, ValidationError

from tenfold.catalog import papers
from tenfold.catalog.scope import Scope
from tenfold.errors import Conflict, SpecError
from tenfold.ledger import headcount, price
from tenfold.ledger.headcount import Count, Headcount
from tenfold.ledger.price import Prices, Rates
from tenfold.specs.yaml_file import first_of, parsed

Value = TypeVar("Value", bound=BaseModel)
Source = Literal["file", "saved", "built-in"]
SAVED = {"prices": "saved prices", "headcount": "saved headcount"}


def prices(scope: Scope, file: str) -> Prices:
    """The prices that hold; `file` is what setting `prices` names.

    Raises:
        NotFound: there is no such file.
        SpecError: see `price.load`.
    """
    saved = None if file else papers.find(scope, "prices")
    return _prices(saved.text) if saved else price.load(file)


def people(scope: Scope, file: str) -> Headcount | None:
    """The headcount that holds; `file` is what setting `headcount` names; None: nobody gave one.

    Raises:
        NotFound: there is no such file.
        SpecError: see `headcount.load`.
    """
    saved = None if file else papers.find(scope, "headcount")
    return _people(saved.text) if saved else headcount.load(file)


def source(scope: Scope, kind: papers.Kind, file: str) -> tuple[Source, papers.Paper | None]:
    """Where they come from, and who saved them."""
    if file:
        return "file", None
    saved = papers.find(scope, kind)
    return ("saved", saved) if saved else ("built-in", None)


def set_rates(scope: Scope, file: str, *, currency: str, rates: dict[str, Any]) -> None:
    """Save the prices that hold from a month on (`from`) until the next ones; those of other months
    stay.

    Raises:
        SpecError: a value is none.
        Conflict: a file rules.
    """
    _check_no_file(file, "TENFOLD_PRICES")

    def write(old: str) -> str:
        now = _prices(old) if old else price.load()
        new = _valid(Rates, rates)
        kept = [one for one in now.rates if one.since != new.since]
        every = tuple(sorted([*kept, new], key=lambda one: one.since))
        return _written(_valid(Prices, {"currency": currency, "rates": every}))

    papers.change(scope, "prices", write)


def drop_rates(scope: Scope, file: str, since: date) -> None:
    """Take away the prices that hold from a month on; those before hold longer. The oldest stay.

    Raises:
        Conflict: a file rules.
    """
    _check_no_file(file, "TENFOLD_PRICES")

    def write(old: str) -> str:
        now = _prices(old) if old else price.load()
        oldest, *later = now.rates
        kept = (oldest, *(one for one in later if one.since != since))
        return _written(Prices(currency=now.currency, rates=kept)) if old else ""

    papers.change(scope, "prices", write)


def drop_prices(scope: Scope) -> None:
    """Let the built-in prices hold again."""
    papers.change(scope, "prices", lambda _: "")


def set_count(scope: Scope, file: str, *, count: dict[str, Any]) -> None:
    """Save how many people there are at the end of a `date`; those of other dates stay.

    Raises:
        SpecError: a value is none.
        Conflict: a file rules.
    """
    _check_no_file(file, "TENFOLD_HEADCOUNT")

    def write(old: str) -> str:
        new = _valid(Count, count)
        kept = [one for one in (_people(old).headcount if old else ()) if one.date != new.date]
        every = sorted([*kept, new], key=lambda one: one.date)
        return _written(Headcount(headcount=tuple(every)))

    papers.change(scope, "headcount", write)


def drop_count(scope: Scope, file: str, day: date) -> None:
    """Take the count of a date away.

    Raises:
        Conflict: a file rules.
    """
    _check_no_file(file, "TENFOLD_HEADCOUNT")

    def write(old: str) -> str:
        kept = tuple(one for one in (_people(old).headcount if old else ()) if one.date != day)
        return _written(Headcount(headcount=kept)) if kept else ""

    papers.change(scope, "headcount", write)


def _prices(text: str) -> Prices:
    return parsed(Prices, text, where=SAVED["prices"], hint=price.HINT)


def _people(text: str) -> Headcount:
    return parsed(Headcount, text, where=SAVED["headcount"], hint=headcount.HINT)


def _written(paper: Prices | Headcount) -> str:
    plain = paper.model_dump(mode="json", by_alias=True, exclude_defaults=True)
    return yaml.safe_dump(plain, sort_keys=False)


def _valid(kind: type[Value], given: dict[str, Any]) -> Value:
    try:
        return kind.model_validate(given)
    except ValidationError as error:
        raise SpecError(first_of(error)[1], hint="docs/ledger.md has the keys.") from error


def _check_no_file(file: str, setting: str) -> None:
    if file:
        raise Conflict(
            f"{setting} names the file {file}, which rules.",
            hint=f"Change that file, or start the hub without {setting}.",
        )

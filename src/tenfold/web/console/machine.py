"""What a hub runs by: prices, headcount, what is kept for how long, and where it lies."""

from datetime import date
from decimal import Decimal
from importlib.metadata import version

from nicegui import ui

from tenfold.catalog.papers import Paper
from tenfold.errors import TenfoldError
from tenfold.ledger.headcount import Count
from tenfold.ledger.price import Prices, Rates
from tenfold.settings import Settings
from tenfold.web.console.exports import (
    people_of,
    people_source,
    prices_of,
    prices_source,
)
from tenfold.web.console.parts import Cell, Column, card, facts, table, words
from tenfold.web.console.rates_form import (
    RATES,
    change_headcount,
    change_prices,
    counts,
    drop_button,
    drop_count,
    drop_rates,
)
from tenfold.web.console.retold import advice, problem
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

GROUPS: dict[str, tuple[str, ...]] = {
    "How long things are kept": ("answers_days", "uploads_days", "features_gb"),
    "Where data live": ("home", "catalog", "blobs", "features"),
    "Everything else": (
        "tenant",
        "actor",
        "runtime",
        "precision",
        "threads",
        "max_megapixels",
        "patience_s",
        "prices",
        "headcount",
    ),
}
"""Settings by what one looks for."""
EMPTY = {
    "catalog": "a SQLite file in the home",
    "blobs": "a folder in the home",
    "features": "this machine alone",
    "prices": "those of this page",
    "headcount": "that of this page",
}
"""What a setting means that is not set."""


async def show_machine(visitor: Visitor) -> None:
    """The parts of the page about prices, people and settings; for everybody who may see."""
    say = visitor.say
    settings: Settings = visitor.app.state.workspace.settings
    with ui.element("div").classes("columns"):
        with card(say("Prices in force")):
            await _prices(visitor, settings)
        with card(say("Headcount")):
            await _headcount(visitor, settings)
    with card(say("What this hub runs by")):
        words(
            say(
                "Settings are environment variables of the hub. To change one, set it where the "
                "hub is started, and start it again."
            )
        )
        facts([(say("Version of Tenfold"), version("tenfold"))])
        for group, names in GROUPS.items():
            _group(say, settings, group, names)


async def _prices(visitor: Visitor, settings: Settings) -> None:
    say = visitor.say
    try:
        found = await visitor.read(prices_of)
    except TenfoldError as error:
        _unreadable(say, say("The price file cannot be read."), error)
        return
    source, saved = await visitor.read(prices_source)
    if source == "file":
        words(say("From {file}, which TENFOLD_PRICES names.", file=settings.prices))
    elif saved:
        _saved(say, saved)
    else:
        words(say("Built in."))
    may_change = source != "file" and visitor.may("prices")
    _rates(visitor, found, may_drop=may_change and saved is not None)
    if len(found.rates) > 1:
        words(say("money in {currency}", currency=found.currency), classes="muted")
    if may_change:
        change_prices(visitor, found, is_saved=saved is not None)


def _rates(visitor: Visitor, found: Prices, *, may_drop: bool) -> None:
    """A column for each month from which prices hold."""
    say = visitor.say
    held = [say("from {date}", date=rates.since.isoformat()) for rates in found.rates]
    if len(held) == 1:
        held = [found.currency]
    rows: list[list[Cell]] = [
        [say(text), *(_price(say, rates, key) for rates in found.rates)]
        for key, text in RATES.items()
    ]
    if any(rates.exchange for rates in found.rates):
        rows.append([say("other currencies"), *(_worth(rates) for rates in found.rates)])
    if may_drop and len(found.rates) > 1:
        drops = [_drop(visitor, rates.since) for rates in found.rates[1:]]
        rows.append(["", "", *drops])
    table(
        [Column(say("Price of")), *(Column(name, is_number=True) for name in held)],
        rows,
        label=say("Prices in force"),
    )


def _drop(visitor: Visitor, since: date) -> Cell:
    label = visitor.say("Remove the prices from {date} on", date=since.isoformat())
    return lambda: drop_button(visitor, drop_rates, since, label)


def _worth(rates: Rates) -> str:
    return ", ".join(f"{unit} {worth:f}" for unit, worth in rates.exchange.items())


def _saved(say: Text, saved: Paper) -> None:
    words(
        say("Saved here by {name}, {at}.", name=saved.changed_by, at=say.moment(saved.changed_at))
    )


def _price(say: Text, rates: Rates, key: str) -> str:
    value: Decimal | int = getattr(rates, key)
    return f"{value:f}" if isinstance(value, Decimal) else say("{count} months", count=value)


async def _headcount(visitor: Visitor, settings: Settings) -> None:
    say = visitor.say
    try:
        found = await visitor.read(people_of)
    except TenfoldError as error:
        _unreadable(say, say("The headcount file cannot be read."), error)
        return
    source, saved = await visitor.read(people_source)
    may_change = source != "file" and visitor.may("prices")
    if source == "file":
        words(say("From {file}, which TENFOLD_HEADCOUNT names.", file=settings.headcount))
    elif saved:
        _saved(say, saved)
    else:
        words(say("None: the ledger cannot tell how many models a person makes in a year."))
    counted = counts(found)
    if counted:
        columns = [Column(say("At the end of")), Column(say("People"), is_number=True)]
        rows = [_count(visitor, one, may_drop=may_change) for one in counted]
        table([*columns, *([Column("")] if may_change else [])], rows, label=say("Headcount"))
    if may_change:
        change_headcount(visitor)


def _count(visitor: Visitor, one: Count, *, may_drop: bool) -> list[Cell]:
    day, people = one.date, f"{one.people:g}"
    label = visitor.say("Remove the count of {date}", date=day.isoformat())

    def drop() -> None:
        drop_button(visitor, drop_count, day, label)

    return [day.isoformat(), people, *([drop] if may_drop else [])]


def _unreadable(say: Text, text: str, error: TenfoldError) -> None:
    words(text, classes="wrong")
    words(f"{problem(say, error)} {advice(say, error)}", tag="pre")


def _group(say: Text, settings: Settings, group: str, names: tuple[str, ...]) -> None:
    told = {variable: (value, what) for variable, value, what in settings.told()}

    def row(name: str) -> list[Cell]:
        variable = f"TENFOLD_{name.upper()}"
        value, what = told[variable]
        now = value.removesuffix(".0") or (say(EMPTY[name]) if name in EMPTY else "–")
        return [lambda: _code(variable), now, say(what)]

    with ui.element("div").classes("even"):
        table(
            [Column(say(group)), Column(say("Now")), Column(say("What it changes"))],
            [row(name) for name in names],
            label=say(group),
        )


def _code(text: str) -> None:
    words(text, tag="code")

"""What a hub runs by: prices, headcount, what is kept for how long, and where it lies."""

from decimal import Decimal
from importlib.metadata import version

from nicegui import ui

from tenfold.errors import TenfoldError
from tenfold.ledger.price import Rates
from tenfold.settings import Settings
from tenfold.web.console.exports import people_of, prices_of
from tenfold.web.console.parts import Cell, Column, card, facts, table, words
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
    "prices": "the built-in prices",
    "headcount": "none",
}
"""What a setting means that is not set."""
RATES = {
    "cpu_hour": "a CPU core for an hour",
    "gb_month": "10⁹ bytes stored for a month",
    "kept_months": "storage, paid at once for",
    "gb_read": "10⁹ bytes read back",
    "image": "a picture embedded",
    "label": "a label bought",
    "human_hour": "an hour of a person",
}


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
    if settings.prices:
        words(say("From {file}, which TENFOLD_PRICES names.", file=settings.prices))
    else:
        words(say("Built in. Set TENFOLD_PRICES to a file of yours to use your own."))
    held = [say("from {date}", date=rates.since.isoformat()) for rates in found.rates]
    if len(held) == 1:
        held = [found.currency]
    table(
        [Column(say("Price of")), *(Column(name, is_number=True) for name in held)],
        [
            [say(text), *(_price(say, rates, key) for rates in found.rates)]
            for key, text in RATES.items()
        ],
        label=say("Prices in force"),
    )
    if len(found.rates) > 1:
        words(say("money in {currency}", currency=found.currency), classes="muted")


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
    if found is None:
        words(say("None. Set TENFOLD_HEADCOUNT to a file that says how many people there are:"))
        words("headcount:\n  - {date: 2026-01-01, people: 12}", tag="pre")
        return
    words(say("From {file}, which TENFOLD_HEADCOUNT names.", file=settings.headcount))
    table(
        [Column(say("At the end of")), Column(say("People"), is_number=True)],
        [[count.date.isoformat(), f"{count.people:g}"] for count in found.headcount],
        label=say("Headcount"),
    )


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

"""Prices and headcount as an owner writes them: fields, and what is wrong beside each."""

from collections.abc import Callable
from datetime import date
from typing import Any

from nicegui import ui
from nicegui.elements.mixins.text_element import TextElement
from pydantic import BaseModel, ValidationError

from tenfold.ledger import in_force
from tenfold.ledger.headcount import Count, Headcount
from tenfold.ledger.price import Prices, Rates
from tenfold.web.console.asking import Given, asked, field, form, never_mind, send
from tenfold.web.console.parts import button, words
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor
from tenfold.workspace import Workspace

RATES = {
    "cpu_hour": "a CPU core for an hour",
    "gb_month": "10⁹ bytes stored for a month",
    "kept_months": "storage, paid at once for",
    "gb_read": "10⁹ bytes read back",
    "image": "a picture embedded",
    "label": "a label bought",
    "human_hour": "an hour of a person",
}
WRONG = {
    "decimal_parsing": "A number such as 0.04 is expected.",
    "int_parsing": "A whole number is expected.",
    "int_from_float": "A whole number is expected.",
    "float_parsing": "A number such as 12.5 is expected.",
    "greater_than_equal": "It cannot be below 0.",
    "greater_than": "It must be above 0.",
    "less_than_equal": "It is too large.",
    "decimal_max_places": "At most 9 decimals are kept.",
    "finite_number": "A number such as 0.04 is expected.",
    "string_pattern_mismatch": "Three capital letters, such as EUR.",
}
"""What is wrong with a field, by the kind of error that its spec tells."""
DATE = "A date is expected."
EXCHANGE = "Write it as USD: 0.9, CHF: 1.05"


class Fields:
    """The fields of one form, each with room for what is wrong with it."""

    def __init__(self, say: Text) -> None:
        self._say = say
        self._rooms: dict[str, TextElement] = {}

    def add(self, label: str, name: str, value: str, *, kind: str = "text", hint: str = "") -> None:
        with ui.element("div"):
            made = field(label, name, value=value, kind=kind, hint=hint)
            room = words("", tag="div", classes="wrong small").props('role="alert"')
            room.props["id"] = f"wrong-{name}"
            made.props["aria-describedby"] = f"wrong-{name}"
            self._rooms[name] = room

    def are_right(self, spec: type[BaseModel], given: dict[str, Any]) -> bool:
        """Whether the spec takes them; what it does not take is said beside the field."""
        for room in self._rooms.values():
            room.set_text("")
        try:
            spec.model_validate(given)
        except ValidationError as error:
            for one in error.errors():
                name = str(one["loc"][0]) if one["loc"] else "from"
                self.tell(name, self._told(name, one["type"]))
            return False
        return True

    def tell(self, name: str, text: str) -> None:
        (self._rooms.get(name) or next(iter(self._rooms.values()))).set_text(text)

    def _told(self, name: str, kind: str) -> str:
        say = self._say
        if name in ("from", "date"):
            return say(DATE)
        return say(EXCHANGE) if name == "exchange" else say(WRONG.get(kind, "It cannot be taken."))


def change_prices(visitor: Visitor, now: Prices, *, is_saved: bool) -> None:
    """The form for the prices from a month on, filled with the newest."""
    say, newest = visitor.say, now.rates[-1]
    fields = Fields(say)

    async def save(given: Given) -> None:
        rates = _rates(given)
        if not fields.are_right(Prices, {"currency": given["currency"], "rates": [newest]}):
            return
        if rates is None:
            fields.tell("exchange", say(EXCHANGE))
        elif fields.are_right(Rates, rates) and await visitor.do(
            "prices", set_rates, given["currency"], rates
        ):
            ui.navigate.to("/settings")

    with ui.element("details").classes("more"):
        words(say("Change the prices"), tag="summary")
        words(
            say(
                "Reports are worked out anew from what the ledger recorded, at the prices of each "
                "month; what was used, and bills, stay as they were recorded. Prices from a later "
                "month leave the months before as they were."
            ),
            classes="muted small",
        )
        with form(save):
            with ui.element("div").classes("rates"):
                month = visitor.app.state.workspace.scope.now().date().isoformat()[:7]
                fields.add(say("Currency of all prices"), "currency", now.currency)
                fields.add(say("They hold from month"), "from", month, kind="month")
                for name, text in RATES.items():
                    value = getattr(newest, name)
                    shown = str(value) if name == "kept_months" else f"{value:f}"
                    label = say("storage is paid at once for so many months")
                    fields.add(label if name == "kept_months" else say(text), name, shown)
                told = ", ".join(f"{unit}: {worth:f}" for unit, worth in newest.exchange.items())
                label = say("What one unit of other currencies is worth")
                fields.add(label, "exchange", told, hint="USD: 0.9, CHF: 1.05")
            with ui.element("div").classes("row"):
                send(say("Save the prices"))
                if is_saved:
                    button(say("Back to the built-in prices"), lambda: _ask_back(visitor))


def _rates(given: Given) -> dict[str, Any] | None:
    """As the spec of rates reads them; None: the exchange is no list of `USD: 0.9`."""
    exchange: dict[str, str] = {}
    for part in filter(None, (one.strip() for one in given["exchange"].split(","))):
        unit, colon, worth = part.partition(":")
        if not colon:
            return None
        exchange[unit.strip()] = worth.strip()
    begin = given["from"] if len(given["from"]) != len("2026-11") else f"{given['from']}-01"
    plain = {name: given[name] for name in RATES}
    return plain | {"from": begin, "exchange": exchange}


def change_headcount(visitor: Visitor) -> None:
    """The form for how many people there are at the end of a day."""
    say = visitor.say
    fields = Fields(say)

    async def save(given: Given) -> None:
        count = {name: given[name] for name in ("date", "people")}
        if fields.are_right(Count, count) and await visitor.do("prices", set_count, count):
            ui.navigate.to("/settings")

    with ui.element("details").classes("more"):
        words(say("Add or change a count"), tag="summary")
        words(
            say(
                "Reports take the mean over their period: straight lines between the dates. "
                "Part-timers are parts."
            ),
            classes="muted small",
        )
        with form(save):
            with ui.element("div").classes("rates"):
                today = visitor.app.state.workspace.scope.now().date().isoformat()
                fields.add(say("At the end of"), "date", today, kind="date")
                fields.add(say("People"), "people", "")
            with ui.element("div").classes("row"):
                send(say("Save the count"))


def drop_button(visitor: Visitor, verb: Callable[..., bool], day: date, label: str) -> None:
    """Takes the rates, or the count, of a date away."""

    async def drop() -> None:
        if await visitor.do("prices", verb, day):
            ui.navigate.to("/settings")

    button(visitor.say("Remove"), drop, kind="danger").props["aria-label"] = label


def _ask_back(visitor: Visitor) -> None:
    say = visitor.say
    with asked(say, say("Back to the built-in prices")) as dialog:
        words(say("The saved prices go; the activity keeps what they were."))

        async def back() -> None:
            if await visitor.do("prices", drop_prices):
                dialog.close()
                ui.navigate.to("/settings")

        with ui.element("div").classes("row"):
            button(say("Back to the built-in prices"), back, kind="danger")
            never_mind(say, dialog)


def set_rates(workspace: Workspace, currency: str, rates: dict[str, Any]) -> bool:
    file = workspace.settings.prices
    in_force.set_rates(workspace.scope, file, currency=currency, rates=rates)
    return True


def drop_rates(workspace: Workspace, since: date) -> bool:
    in_force.drop_rates(workspace.scope, workspace.settings.prices, since)
    return True


def drop_prices(workspace: Workspace) -> bool:
    in_force.drop_prices(workspace.scope)
    return True


def set_count(workspace: Workspace, count: dict[str, Any]) -> bool:
    in_force.set_count(workspace.scope, workspace.settings.headcount, count=count)
    return True


def drop_count(workspace: Workspace, day: date) -> bool:
    in_force.drop_count(workspace.scope, workspace.settings.headcount, day)
    return True


def counts(found: Headcount | None) -> list[Count]:
    return list(found.headcount) if found else []

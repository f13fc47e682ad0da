"""The ledger: how many models were accepted, by how many people, and at what cost."""

from collections.abc import Callable, Sequence
from decimal import Decimal
from urllib.parse import urlencode

from nicegui import ui

from tenfold.errors import TenfoldError
from tenfold.factory.report.words import THIN
from tenfold.ledger.breakdown import NONE, OTHERS, UNUSED, Grouping, Line
from tenfold.ledger.cost import Cost, money
from tenfold.ledger.headcount import Headcount
from tenfold.ledger.months import before, name
from tenfold.ledger.report import Economics, Month
from tenfold.web.console.bars import TOLD, Bar, Piece, columns, rows
from tenfold.web.console.exports import BY, economics, people_of, prices_of, prices_source, question
from tenfold.web.console.forms import asking, choice, field
from tenfold.web.console.frame import title
from tenfold.web.console.parts import Column, card, empty, figure, heading, link, table, words
from tenfold.web.console.retold import advice, problem
from tenfold.web.console.text import Text
from tenfold.web.console.visitor import Visitor

KINDS = {
    "label": "labels",
    "make": "making",
    "embed": "embedding",
    "serve": "serving",
    "spend": "bills",
    "overhead": "overhead",
    "waste": "waste",
}
"""What money is spent for, in the order in which it is stacked."""
ASKED: dict[Grouping, tuple[str, str]] = {
    "task": ("Task", "What did each task cost?"),
    "sector": ("Sector", "What did each sector cost?"),
    "tenant": ("Tenant", "What did the tenant cost?"),
    "fleet": ("Fleet", "What did each fleet cost?"),
}
LISTED = 50
"""Groups on the page, as many as a breakdown names tasks."""


async def screen(visitor: Visitor) -> None:
    say = visitor.say
    title(say("Ledger"), say("How many models were accepted, by whom, and at what cost."))
    since, until = visitor.given("since"), visitor.given("until")
    by = visitor.given("by", "task")
    _ask(say, since, until, by)
    try:
        asked = question(since, until, by)
        if asked.since and asked.until and asked.since > asked.until:
            raise ValueError
    except (TenfoldError, ValueError):
        _wrong(
            say, say("This period is none: give months such as 2026-11, the first before the last.")
        )
        return
    try:
        await visitor.read(prices_of)
    except TenfoldError as error:
        _wrong(say, say("The price file cannot be read. TENFOLD_PRICES names it."), error)
        return
    people = await _people(visitor)
    try:
        found = await visitor.read(economics, asked, people)
    except TenfoldError as error:
        _wrong(say, say("The costs cannot be worked out from the ledger and the prices."), error)
        return
    if found.is_empty:
        empty(
            say("Nothing is booked and nothing was accepted yet."),
            say("Making a model books what it uses: computing, storage, labels."),
            to="/make",
            action=say("Make a model"),
        )
        return
    _figures(say, found)
    source, _ = await visitor.read(prices_source)
    with ui.element("div").classes("columns"):
        _charts(say, found)
        _notes(visitor, found, is_built_in=source == "built-in")
    _lines(say, found, urlencode({"since": since, "until": until, "by": by}))


def _ask(say: Text, since: str, until: str, by: str) -> None:
    with asking(say("Period and table")):
        field(say("From month"), "since", since, kind="month").props["placeholder"] = "2026-01"
        field(say("To month"), "until", until, kind="month").props["placeholder"] = "2026-12"
        choice(say("Table by"), "by", [(one, say(ASKED[one][0])) for one in BY], by)
        words(say("Show"), tag="button", classes="button").props["type"] = "submit"
        if since or until:
            link(say("The whole time"), f"/ledger?{urlencode({'by': by})}")


async def _people(visitor: Visitor) -> Headcount | None:
    """The headcount; a file that cannot be read is told, and the rest is shown without it."""
    say = visitor.say
    try:
        return await visitor.read(people_of)
    except TenfoldError as error:
        _wrong(say, say("The headcount file cannot be read. TENFOLD_HEADCOUNT names it."), error)
        return None


def _wrong(say: Text, text: str, error: TenfoldError | None = None) -> None:
    with ui.element("section").classes("problem").props('role="alert"'):
        heading(text)
        if error:
            words(f"{problem(say, error)} {advice(say, error)}", tag="pre")


def _figures(say: Text, found: Economics) -> None:
    accepted, unit = found.accepted, found.currency
    each, reuse = found.per_person_year, found.reuse
    with ui.element("div").classes("figures"):
        figure(say.number(accepted.newly), say("models accepted in the period"))
        figure(say.number(accepted.total), say("models accepted in all"))
        figure(_money(found.cost.total), say("cost of the period, {currency}", currency=unit))
        figure(_each(found.per_model), say("cost per accepted model, {currency}", currency=unit))
        figure(_each(found.next_model), say("cost of the next one, {currency}", currency=unit))
        figure("–" if each is None else _short(each), say("accepted per person and year"))
        figure("–" if reuse is None else _short(reuse), say("heads per embedded picture"))


def _notes(visitor: Visitor, found: Economics, *, is_built_in: bool) -> None:
    """What the figures stand on, and what is missing for more."""
    say, settings = visitor.say, visitor.app.state.workspace.settings
    first, last = name(found.period.first), name(before(found.period.last, 1))
    span = first if first == last else say("{first} to {last}", first=first, last=last)
    told = [span if found.period.is_over else say("{period}, so far", period=span)]
    if found.next_model is None:
        told.append(say("No model was accepted in this period, so there is no cost of one."))
    else:
        told.append(say("The next one costs making and labels alone; all else would be there."))
    if found.people is not None:
        told.append(say("{people} people on average.", people=_short(found.people)))
    elif not settings.headcount:
        told.append(say("For models per person, an owner enters the headcount under Settings."))
    if is_built_in:
        told.append(say("By the built-in prices; an owner sets yours under Settings."))
    with card(say("What do these figures stand on?")), ui.element("ul").classes("notes"):
        for one in told:
            words(one, tag="li")


def _charts(say: Text, found: Economics) -> None:
    counts = [_count(say, month, is_told=len(found.months) <= TOLD) for month in found.months]
    _chart(
        say("How many models were accepted each month?"),
        lambda text: columns(text, counts, lambda at: say.number(int(at)), whole=True),
    )
    costs = [_cost(say, month, found) for month in found.months]
    with _chart(
        say("What did each month cost, and what for?"),
        lambda text: columns(text, costs, _mark, whole=False),
    ):
        _legend(say, [kind for kind in KINDS if kind in found.kinds], found.currency)
    kinds = [_kind(say, kind, found) for kind in found.kinds]
    kinds.sort(key=lambda bar: -bar.value)
    _chart(say("Where did the money go?"), lambda text: rows(text, kinds))


def _count(say: Text, month: Month, *, is_told: bool) -> Bar:
    count = say.number(month.accepted)
    piece = Piece(month.accepted, "good", f"{name(month.month)}: {count}")
    return Bar(name(month.month), [piece], count if is_told else "")


def _cost(say: Text, month: Month, found: Economics) -> Bar:
    pieces = [
        Piece(
            float(month.by_kind[kind]),
            f"kind-{kind}",
            f"{name(month.month)}, {say(word)}: {_money(month.by_kind[kind], found.currency)}",
        )
        for kind, word in KINDS.items()
        if kind in month.by_kind
    ]
    return Bar(name(month.month), pieces, _money(month.cost) if len(found.months) <= TOLD else "")


def _kind(say: Text, kind: str, found: Economics) -> Bar:
    cost, whole = found.kinds[kind].total, found.cost.total
    told = _money(cost, found.currency)
    share = say.percent(float(cost / whole) if whole else 0.0)
    piece = Piece(float(cost), f"kind-{kind}", told)
    return Bar(say(KINDS.get(kind, kind)), [piece], f"{told} · {share}")


def _chart(text: str, drawn: Callable[[str], str]) -> ui.element:
    with card(text) as made:
        ui.html(drawn(text), sanitize=False)
    return made


def _legend(say: Text, kinds: Sequence[str], unit: str) -> None:
    with ui.element("ul").classes("legend"):
        for kind in kinds:
            words(say(KINDS[kind]), tag="li", classes=f"kind-{kind}")
        words(say("money in {currency}", currency=unit), tag="li", classes="muted plain")


def _lines(say: Text, found: Economics, query: str) -> None:
    column, asked = ASKED[found.by]
    whole = found.cost.total
    numbers = (say("accepted"), say("own cost"), say("of embedding"), say("in all"), say("share"))
    with card():
        with ui.element("div").classes("row spread"):
            heading(say(asked))
            link(say("Download as CSV"), f"/console/ledger.csv?{query}", classes="button").props(
                "download"
            )
        groups = [line for line in found.lines if line.is_group]
        shown = [*groups[:LISTED], *(line for line in found.lines if not line.is_group)]
        table(
            [Column(say(column)), *(Column(number, is_number=True) for number in numbers)],
            [_line(say, line, whole) for line in shown],
            label=say(asked),
        )
        if len(groups) > LISTED:
            rest = say.number(len(groups) - LISTED)
            words(say("{count} more: the CSV file has them all.", count=rest), classes="muted")
        if found.by == "tenant":
            words(say("Nobody sees what another tenant's models cost."), classes="muted")


def _line(say: Text, line: Line, whole: Decimal) -> list[str]:
    share = float(line.total / whole) if whole else 0.0
    return [
        _name(say, line),
        say.number(line.accepted) if line.accepted else "",
        _money(line.direct.total) if line.direct.total else "",
        _money(line.embedding.total) if line.embedding.total else "",
        _money(line.total),
        say.percent(share),
    ]


def _name(say: Text, line: Line) -> str:
    """Lines that belong to no group in words; a group has the name people gave it."""
    if line.name == NONE:
        return say("(none)")
    if line.is_group:
        return line.name
    if line.name == UNUSED:
        return say("embedded, not yet used")
    if line.name.endswith(OTHERS):
        count = line.name.removesuffix(OTHERS).strip().replace(",", THIN)
        return say("{count} other tasks, and what names none", count=count)
    return say(KINDS.get(line.name, line.name))


def _each(cost: Cost | None) -> str:
    """Of one model; there may have been none."""
    return _money(cost.total) if cost else "–"


def _money(amount: Decimal, currency: str = "") -> str:
    return money(amount, currency).replace(",", THIN)


def _mark(amount: float) -> str:
    """Beside a line of a chart: round numbers, with their thousands apart."""
    return f"{amount:,.0f}".replace(",", THIN) if amount >= 1000 else f"{amount:.4g}"


def _short(number: float) -> str:
    return f"{number:,.1f}".removesuffix(".0").replace(",", THIN)

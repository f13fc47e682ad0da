"""The report on economics: how many models were accepted, by how many people, at what cost.

A report counts whole months, because embedding is shared out by the month.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, datetime
from decimal import Decimal
from typing import Any, Literal

from tenfold.catalog import Scope, economics, ledger
from tenfold.catalog.economics import Weights
from tenfold.catalog.ledger import By, Sum
from tenfold.errors import SpecError
from tenfold.ledger.cost import GIGABYTE, HOUR, NOTHING, Cost, Pot, cost_of, pots, share_out
from tenfold.ledger.headcount import Headcount
from tenfold.ledger.months import Period, after, before
from tenfold.ledger.price import Prices

Grouping = Literal["task", "fleet", "tenant", "sector"]
LISTED = 50
"""Tasks, those that cost most; the others are one line."""
REASONS_OF = 1000
"""So many of the newest refused models are asked why."""
INVISIBLE = Decimal("1e-6")
NONE = "(none)"
OTHERS = "other tasks"
UNUSED = "embedded, not yet used"


@dataclass(frozen=True, slots=True)
class Question:
    """What somebody wants to know."""

    since: date | None = None
    """None: since the ledger began. Its month counts as a whole."""
    until: date | None = None
    """The last day that counts; None: today. Its month counts as a whole."""
    by: Grouping = "fleet"


@dataclass(frozen=True, slots=True)
class Accepted:
    """Questions that got their first accepted model: seeds and versions do not count."""

    newly: int
    """In the period."""
    total: int
    """At its end."""
    before: int
    """At its beginning."""
    period_before: int
    """Newly in the period of the same length before."""

    @property
    def growth(self) -> float | None:
        """Of the total over the period; 1.52 is + 152 %."""
        return self.newly / self.before if self.before else None


@dataclass(frozen=True, slots=True)
class Month:
    month: int
    """As 202612."""
    accepted: int
    total: int
    """Accepted at its end."""
    cost: Decimal
    by_kind: Mapping[str, Decimal]


@dataclass(frozen=True, slots=True)
class Line:
    """One fleet, sector, tenant or task; or what belongs to none of them."""

    name: str
    is_group: bool
    accepted: int
    direct: Cost
    embedding: Cost
    """Its share of what embedding cost."""

    @property
    def total(self) -> Decimal:
        return self.direct.total + self.embedding.total


@dataclass(frozen=True, slots=True)
class Refusals:
    judged: Mapping[str, int]
    """Models judged in the period, by status."""
    asked: int
    """So many of the refused were asked why."""
    reasons: Mapping[str, int]
    """Of those: models whose seen rate was over that bound of their bar."""

    @property
    def share(self) -> float | None:
        judged = sum(self.judged.values())
        return self.judged.get("refused", 0) / judged if judged else None


@dataclass(frozen=True, slots=True)
class Economics:
    tenant: str
    period: Period
    currency: str
    by: Grouping
    accepted: Accepted
    people: float | None
    """Average headcount; None: no headcount file."""
    kinds: Mapping[str, Cost]
    """What the period cost, by what it was for."""
    next_model: Decimal | None
    """What was booked to the tasks of newly accepted questions, each."""
    embedded: int
    """Pictures embedded until the end of the period."""
    read: int
    """Pictures that heads read, each counted for each head."""
    refusals: Refusals
    months: tuple[Month, ...]
    lines: tuple[Line, ...]

    @property
    def is_empty(self) -> bool:
        return not self.kinds and not self.accepted.total and not self.refusals.judged

    @property
    def cost(self) -> Cost:
        return sum(self.kinds.values(), NOTHING)

    @property
    def per_model(self) -> Cost | None:
        """What one newly accepted model cost: all of the period, whatever it was for."""
        return self.cost.over(self.accepted.newly) if self.accepted.newly else None

    @property
    def per_person_year(self) -> float | None:
        """Newly accepted models per person and year."""
        man_years = (self.people or 0) * self.period.years
        return self.accepted.newly / man_years if man_years else None

    @property
    def reuse(self) -> float | None:
        """Heads per embedded picture."""
        return self.read / self.embedded if self.embedded else None


def economics_of(
    scope: Scope, question: Question, prices: Prices, headcount: Headcount | None = None
) -> Economics:
    """The report, from the catalog; reads rollups, so its cost does not grow with the entries.

    Raises:
        SpecError: the period is empty, or a price is missing.
    """
    counted = economics.accepted(scope)
    everything = ledger.sums(scope, by=())
    known = [one.month for one in everything] + [month for month, _, _ in counted]
    period = _period(question, known, scope.now())
    inside = [one for one in everything if period.holds(one.month)]
    judged = economics.judged(scope, period.begin, period.end, newest_refused=REASONS_OF)
    by_month = Counter[int]()
    for (month, _, _), number in counted.items():
        by_month[month] += number
    accepted = _accepted(by_month, period)
    kinds = _by_kind(inside, prices)
    lines = _lines(scope, question.by, period, prices, counted)
    until_end = [one for one in everything if one.month < period.last]
    return Economics(
        tenant=scope.tenant,
        period=period,
        currency=prices.currency,
        by=question.by,
        accepted=accepted,
        people=headcount.average(period.begin, period.passed) if headcount else None,
        kinds=kinds,
        next_model=_next_model(scope, period, prices, accepted.newly),
        embedded=sum(one.used.images for one in until_end if one.kind == "embed"),
        read=sum(one.used.images for one in until_end if one.kind == "make"),
        refusals=Refusals(judged.by_status, len(judged.refused), reasons(judged.refused)),
        months=_months(inside, by_month, period, prices),
        lines=_closed(lines, sum(kinds.values(), NOTHING)),
    )


def reasons(verdicts: Iterable[Mapping[str, Any]]) -> dict[str, int]:
    """How many verdicts saw more errors than each bound of their bar allows, most first."""
    found = Counter[str]()
    for verdict in verdicts:
        for bound in verdict.get("bounds", ()):
            seen = [(bound["errors"], bound["n"]), bound.get("pictures") or (0, 1)]
            worst = max(errors / n if n else 0.0 for errors, n in seen)
            if bound["limit"] is not None and worst > bound["limit"]:
                found[bound["name"]] += 1
    return dict(found.most_common())


def _period(question: Question, known: Sequence[int], now: datetime) -> Period:
    today = ledger.month_of(now)
    first = _month(question.since) if question.since else min(known, default=today)
    last = after(_month(question.until) if question.until else max([*known, today]))
    if first >= last:
        raise SpecError(
            f"nothing lies between {question.since or first} and {question.until or 'today'}.",
            hint="Give --since a date before --until.",
        )
    return Period(first, last, now)


def _month(day: date) -> int:
    return day.year * 100 + day.month


def _accepted(by_month: Mapping[int, int], period: Period) -> Accepted:
    earlier = before(period.first, len(period.months))

    def of(first: int, last: int) -> int:
        return sum(number for month, number in by_month.items() if first <= month < last)

    newly, start = of(period.first, period.last), of(0, period.first)
    return Accepted(newly, start + newly, start, of(earlier, period.first))


def _by_kind(sums: Iterable[Sum], prices: Prices) -> dict[str, Cost]:
    found: dict[str, Cost] = {}
    for one in sums:
        found[one.kind] = found.get(one.kind, NOTHING) + cost_of(one, prices)
    return dict(sorted(found.items()))


def _next_model(scope: Scope, period: Period, prices: Prices, newly: int) -> Decimal | None:
    """Whatever was booked to the tasks themselves: making, labels, people, bills. Embedding,
    overhead and waste name no task: they are there whether or not one more model is made."""
    if not newly:
        return None
    booked = economics.of_newly_accepted(scope, period.begin, period.end)
    return sum((cost_of(one, prices) for one in booked), NOTHING).over(newly).total


def _months(
    sums: Sequence[Sum], by_month: Mapping[int, int], period: Period, prices: Prices
) -> tuple[Month, ...]:
    by_kind: dict[int, dict[str, Decimal]] = defaultdict(dict)
    for one in sums:
        kinds = by_kind[one.month]
        kinds[one.kind] = kinds.get(one.kind, Decimal(0)) + cost_of(one, prices).total
    total = sum(number for month, number in by_month.items() if month < period.first)
    found: list[Month] = []
    for month in period.months:
        total += by_month.get(month, 0)
        kinds = by_kind.get(month, {})
        cost = sum(kinds.values(), Decimal(0))
        found.append(Month(month, by_month.get(month, 0), total, cost, kinds))
    return tuple(found)


def _lines(
    scope: Scope,
    by: Grouping,
    period: Period,
    prices: Prices,
    counted: Mapping[tuple[int, str, str], int],
) -> tuple[Line, ...]:
    if by == "task":
        return _by_task(scope, period, prices)
    if by == "tenant":
        accepted = {scope.tenant: sum(n for (m, _, _), n in counted.items() if period.holds(m))}
        return _by_group(scope, None, period, prices, accepted)
    accepted = Counter[str]()
    for (month, fleet, sector), number in counted.items():
        if period.holds(month):
            accepted[fleet if by == "fleet" else sector] += number
    return _by_group(scope, by, period, prices, accepted)


def _by_group(
    scope: Scope,
    by: By | None,
    period: Period,
    prices: Prices,
    accepted: Mapping[str, int],
) -> tuple[Line, ...]:
    """A line for each group, then what belongs to none, then what no model has used."""
    names: tuple[By, ...] = (by,) if by else ()
    months = {"since": period.first, "until": period.last}
    direct: dict[tuple[str, bool], Cost] = defaultdict(Cost)

    def group(one: Sum) -> str:
        return getattr(one, by) if by else scope.tenant

    for one in ledger.sums(scope, by=names, **months):
        name, is_group = group(one), True
        if not name and one.kind in ("overhead", "waste"):
            name, is_group = one.kind, False
        if one.kind != "embed":
            direct[name, is_group] += cost_of(one, prices)
    shared = [
        one
        for one in ledger.sums(scope, by=("dataset", *names), **months)
        if one.kind in ("embed", "make")
    ]
    embedding, unused = share_out(shared, prices, {i: group(o) for i, o in enumerate(shared)})
    keys = {key for key, is_group in direct if is_group} | set(embedding) | set(accepted)
    lines = [
        Line(
            name=key or NONE,
            is_group=True,
            accepted=accepted.get(key, 0),
            direct=direct.get((key, True), NOTHING),
            embedding=embedding.get(key, NOTHING),
        )
        for key in keys
    ]
    lines.sort(key=lambda line: (-line.total, line.name))
    rest = [(name, cost) for (name, is_group), cost in sorted(direct.items()) if not is_group]
    return (*lines, *_rest([*rest, (UNUSED, unused)]))


def _closed(lines: tuple[Line, ...], whole: Cost) -> tuple[Line, ...]:
    """The same lines, adding up to `whole` exactly: what sums of seconds that were rounded apart
    differ in, far below a cent, goes to the first."""
    gap = whole - sum((line.direct + line.embedding for line in lines), NOTHING)
    if gap == NOTHING or not lines:
        return lines
    return (replace(lines[0], direct=lines[0].direct + gap), *lines[1:])


def _rest(costs: Iterable[tuple[str, Cost]]) -> list[Line]:
    return [
        Line(name, is_group=False, accepted=0, direct=NOTHING, embedding=cost)
        if name == UNUSED
        else Line(name, is_group=False, accepted=0, direct=cost, embedding=NOTHING)
        for name, cost in costs
        if cost != NOTHING
    ]


def _by_task(scope: Scope, period: Period, prices: Prices) -> tuple[Line, ...]:
    """The costliest tasks, then all others as one line, then what belongs to no task."""
    months = (period.first, period.last)
    names, count = economics.costliest(scope, months, _weights(prices, period), count=LISTED)
    booked = economics.of_tasks(scope, names, months)
    accepted = economics.accepted_tasks(scope, names, period.begin, period.end)
    known = pots(ledger.sums(scope, since=months[0], until=months[1], by=("dataset",)), prices)
    lines = [
        Line(
            name=name,
            is_group=True,
            accepted=accepted[name],
            direct=sum((cost_of(o, prices) for o in booked[name] if o.kind != "embed"), NOTHING),
            embedding=sum((_share(one, known) for one in booked[name]), NOTHING),
        )
        for name in names
    ]
    return (*lines, *_no_task(scope, period, prices, lines, count))


def _no_task(
    scope: Scope, period: Period, prices: Prices, lines: Sequence[Line], count: int
) -> list[Line]:
    """Everything in the period less `lines`."""
    whole = ledger.sums(scope, since=period.first, until=period.last, by=("dataset",))
    kinds = _by_kind(whole, prices)
    unused = sum((p.cost for p in pots(whole, prices).values() if not p.models), NOTHING)
    embedding = kinds.pop("embed", NOTHING) - unused
    apart = [(name, kinds.pop(name)) for name in ("overhead", "waste") if name in kinds]
    others = Line(
        name=f"{count - len(lines):,} {OTHERS}" if count > len(lines) else NONE,
        is_group=count > len(lines),
        accepted=0,
        direct=sum(kinds.values(), NOTHING) - sum((line.direct for line in lines), NOTHING),
        embedding=embedding - sum((line.embedding for line in lines), NOTHING),
    )
    shown = [others] if others.total > INVISIBLE or others.is_group else []
    return [*shown, *_rest([*apart, (UNUSED, unused)])]


def _share(one: Sum, known: Mapping[tuple[int, str], Pot]) -> Cost:
    if one.kind != "make":
        return NOTHING
    pot = known[one.month, one.dataset]
    return pot.share(pot.weight(one.used.images, one.entries))


def _weights(prices: Prices, period: Period) -> list[Weights]:
    """The prices that hold somewhere in the period, as plain numbers."""
    months = {period.first} | {r.month for r in prices.rates if period.holds(r.month)}
    found: list[Weights] = []
    for month in sorted(months):
        rates = prices.at(month)
        by_column = {
            "cpu_s": float(rates.cpu_hour) / HOUR,
            "bytes_stored": float(rates.gb_month) * rates.kept_months / GIGABYTE,
            "bytes_read": float(rates.gb_read) / GIGABYTE,
            "human_s": float(rates.human_hour) / HOUR,
        }
        exchange = {currency: float(worth) for currency, worth in rates.exchange.items()}
        found.append(Weights(month, by_column, float(rates.image), float(rates.label), exchange))
    return found

"""The report on economics: how many models were accepted, by how many people, at what cost.

A report counts whole months, because embedding is shared out by the month.
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime
from decimal import Decimal
from typing import Any

from tenfold.catalog import Scope, economics, ledger
from tenfold.catalog.ledger import Sum
from tenfold.errors import SpecError
from tenfold.ledger.breakdown import Breakdown, Grouping, Line
from tenfold.ledger.cost import NOTHING, Cost, cost_of
from tenfold.ledger.headcount import Headcount
from tenfold.ledger.months import Period, after, before
from tenfold.ledger.price import Prices

REASONS_OF = 1000
"""So many of the newest refused models are asked why."""


MARGINAL = ("make", "label")
"""Kinds of which there would be more with one more model."""


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
    def next_model(self) -> Cost | None:
        """What one more accepted model costs: making and labels alone, those of tries that were
        not accepted too. All else would be there without it."""
        own = sum((self.kinds.get(kind, NOTHING) for kind in MARGINAL), NOTHING)
        return own.over(self.accepted.newly) if self.accepted.newly else None

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
    everything = ledger.sums(scope, by=())  # a few rows a month
    known = [one.month for one in everything] + [month for month, _, _ in counted]
    period = _period(question, known, scope.now())
    inside = [one for one in everything if period.holds(one.month)]
    judged = economics.judged(scope, period.begin, period.end, newest_refused=REASONS_OF)
    by_month = Counter[int]()
    for (month, _, _), number in counted.items():
        by_month[month] += number
    accepted = _accepted(by_month, period)
    kinds = _by_kind(inside, prices)
    is_everything = len(inside) == len(everything)
    broken_down = Breakdown(scope, prices, period, kinds, is_everything)
    until_end = [one for one in everything if one.month < period.last]
    return Economics(
        tenant=scope.tenant,
        period=period,
        currency=prices.currency,
        by=question.by,
        accepted=accepted,
        people=headcount.average(period.begin, period.passed) if headcount else None,
        kinds=kinds,
        embedded=sum(one.used.images for one in until_end if one.kind == "embed"),
        read=sum(one.used.images for one in until_end if one.kind == "make"),
        refusals=Refusals(judged.by_status, len(judged.refused), reasons(judged.refused)),
        months=_months(inside, by_month, period, prices),
        lines=broken_down.by(question.by, counted),
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

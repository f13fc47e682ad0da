"""What a period cost, line by line: by fleet, sector, tenant or task."""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from decimal import Decimal
from typing import Literal

from tenfold.catalog import Scope, economics, ledger
from tenfold.catalog.economics import Weights
from tenfold.catalog.ledger import By, Kind, Sum
from tenfold.ledger.cost import GIGABYTE, HOUR, NOTHING, Cost, Pot, cost_of, pots, share_out
from tenfold.ledger.months import Period, before
from tenfold.ledger.price import Prices

Grouping = Literal["task", "fleet", "tenant", "sector"]
LISTED = 50
"""Tasks, those that cost most; the others are one line."""
NONE = "(none)"
OTHERS = "other tasks, and what names none"
UNUSED = "embedded, not yet used"
SHARED: tuple[Kind, ...] = ("embed", "make")
INVISIBLE = Decimal("1e-6")


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


@dataclass(frozen=True, slots=True, eq=False)
class Breakdown:
    """One period's cost, ready to be broken down."""

    scope: Scope
    prices: Prices
    period: Period
    kinds: Mapping[str, Cost]
    """The whole, by what it was for; the lines of each breakdown add up to it."""
    is_everything: bool
    """Whether nothing was ever booked outside the period."""

    @property
    def months(self) -> tuple[int, int]:
        return self.period.first, self.period.last

    def by(
        self, grouping: Grouping, accepted: Mapping[tuple[int, str, str], int]
    ) -> tuple[Line, ...]:
        """The costliest lines first; last what belongs to no group.

        `accepted` counts questions by (month, fleet, sector).
        """
        if grouping == "task":
            return self._closed(self._by_task())
        counts = Counter[str]()
        for (month, fleet, sector), number in accepted.items():
            if self.period.holds(month):
                names = {"fleet": fleet, "sector": sector, "tenant": self.scope.tenant}
                counts[names[grouping]] += number
        return self._closed(self._by_group(None if grouping == "tenant" else grouping, counts))

    def _by_group(self, by: By | None, accepted: Mapping[str, int]) -> list[Line]:
        names: tuple[By, ...] = (by,) if by else ()

        def group(one: Sum) -> str:
            return getattr(one, by) if by else self.scope.tenant

        shared = ledger.sums(self.scope, self.months, by=("dataset", *names), kinds=SHARED)
        embedding, unused = share_out(shared, self.prices, group)
        direct: dict[str, Cost] = defaultdict(Cost)
        apart: dict[str, Cost] = defaultdict(Cost)
        for one in self._direct(names):
            if group(one) or one.kind not in ("overhead", "waste"):
                direct[group(one)] += cost_of(one, self.prices)
            else:
                apart[one.kind] += cost_of(one, self.prices)
        lines = [
            Line(
                name=key or NONE,
                is_group=True,
                accepted=accepted.get(key, 0),
                direct=direct.get(key, NOTHING),
                embedding=embedding.get(key, NOTHING),
            )
            for key in {*direct, *embedding, *accepted}
        ]
        lines.sort(key=lambda line: (-line.total, line.name))
        return [*lines, *_rest(apart, unused)]

    def _direct(self, by: Sequence[By]) -> Iterable[Sum]:
        """All but embedding; months of one price together."""
        kinds: list[Kind] = [kind for kind in ledger.KINDS if kind != "embed"]
        for span in self.prices.spans(self.months):
            yield from ledger.sums(self.scope, span, by=by, kinds=kinds, each_month=False)

    def _by_task(self) -> list[Line]:
        """The costliest tasks, then all others as one line, then what belongs to no task."""
        scope, period = self.scope, self.period
        months = None if self.is_everything else self.months
        names, count = economics.costliest(scope, months, self._weights(), count=2 * LISTED)
        booked = economics.of_tasks(scope, names, self.months)
        accepted = economics.accepted_tasks(scope, names, period.begin, period.end)
        shared = ledger.sums(scope, self.months, by=("dataset",), kinds=SHARED)
        known = pots(shared, self.prices)
        lines = [
            Line(
                name=name,
                is_group=True,
                accepted=accepted[name],
                direct=self._direct_of(booked[name]),
                embedding=sum((_share(one, known) for one in booked[name]), NOTHING),
            )
            for name in names
        ]
        lines = sorted(lines, key=lambda line: (-line.total, line.name))[:LISTED]
        unused = sum((pot.cost for pot in known.values() if not pot.models), NOTHING)
        return [*lines, *self._no_task(lines, count, unused)]

    def _direct_of(self, booked: Iterable[Sum]) -> Cost:
        return sum((cost_of(o, self.prices) for o in booked if o.kind != "embed"), NOTHING)

    def _no_task(self, lines: Sequence[Line], count: int, unused: Cost) -> list[Line]:
        """The whole less `lines`."""
        kinds = dict(self.kinds)
        embedding = kinds.pop("embed", NOTHING) - unused
        apart = {name: kinds.pop(name) for name in ("overhead", "waste") if name in kinds}
        others = Line(
            name=f"{count - len(lines):,} {OTHERS}" if count > len(lines) else NONE,
            is_group=False,
            accepted=0,
            direct=sum(kinds.values(), NOTHING) - sum((one.direct for one in lines), NOTHING),
            embedding=embedding - sum((one.embedding for one in lines), NOTHING),
        )
        shown = [others] if others.total > INVISIBLE else []
        return [*shown, *_rest(apart, unused)]

    def _weights(self) -> Weights:
        """The period's last prices as plain numbers."""
        rates = self.prices.at(before(self.period.last, 1))
        by_column = {
            "cpu_s": float(rates.cpu_hour) / HOUR,
            "bytes_stored": float(rates.gb_month) * rates.kept_months / GIGABYTE,
            "bytes_read": float(rates.gb_read) / GIGABYTE,
            "human_s": float(rates.human_hour) / HOUR,
        }
        exchange = {currency: float(worth) for currency, worth in rates.exchange.items()}
        return Weights(by_column, float(rates.image), float(rates.label), exchange)

    def _closed(self, lines: list[Line]) -> tuple[Line, ...]:
        """The same lines, adding up exactly: what sums of seconds that were rounded apart differ
        in, far below a cent, goes to the first."""
        whole = sum(self.kinds.values(), NOTHING)
        gap = whole - sum((line.direct + line.embedding for line in lines), NOTHING)
        if gap == NOTHING or not lines:
            return tuple(lines)
        return (replace(lines[0], direct=lines[0].direct + gap), *lines[1:])


def _rest(apart: Mapping[str, Cost], unused: Cost) -> list[Line]:
    """What belongs to no group: it has no accepted models."""
    lines = [Line(name, False, 0, cost, NOTHING) for name, cost in sorted(apart.items())]
    return [line for line in [*lines, Line(UNUSED, False, 0, NOTHING, unused)] if line.total]


def _share(one: Sum, known: Mapping[tuple[int, str], Pot]) -> Cost:
    if one.kind != "make":
        return NOTHING
    pot = known[one.month, one.dataset]
    return pot.share(pot.weight(one.used.images, one.entries))

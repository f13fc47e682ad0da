"""From what was used to what it cost; and how embedding is shared out over models. Pure.

Money is `Decimal`, kept to a trillionth: few enough digits that sums are exact in any order, and
enough that nobody misses the rest. It is rounded to cents only where it is shown.
"""

from collections import defaultdict
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, fields
from decimal import ROUND_FLOOR, Decimal

from tenfold.catalog.ledger import Sum, Used
from tenfold.ledger.price import Prices

GRAIN = Decimal("1e-12")
ZERO = Decimal(0)
SMALLEST = Decimal("0.000001")
"""What is told of an amount; beneath, only that it is smaller."""
HOUR = 3600
GIGABYTE = 10**9


@dataclass(frozen=True, slots=True)
class Cost:
    """Money by what it paid for."""

    compute: Decimal = ZERO
    storage: Decimal = ZERO
    reading: Decimal = ZERO
    images: Decimal = ZERO
    labels: Decimal = ZERO
    people: Decimal = ZERO
    bills: Decimal = ZERO

    @property
    def total(self) -> Decimal:
        return sum(self.parts.values(), ZERO)

    @property
    def parts(self) -> dict[str, Decimal]:
        return {f.name: getattr(self, f.name) for f in fields(self)}

    def __add__(self, other: "Cost") -> "Cost":
        return Cost(
            self.compute + other.compute,
            self.storage + other.storage,
            self.reading + other.reading,
            self.images + other.images,
            self.labels + other.labels,
            self.people + other.people,
            self.bills + other.bills,
        )

    def over(self, count: int) -> "Cost":
        """The cost of each of `count`, to the grain."""
        return Cost(**{name: _exact(amount / count) for name, amount in self.parts.items()})

    def __sub__(self, other: "Cost") -> "Cost":
        return self + Cost(**{name: -amount for name, amount in other.parts.items()})


NOTHING = Cost()


@dataclass(frozen=True, slots=True)
class Pot:
    """What embedding one dataset cost in one month, and what the models made on it read."""

    cost: Cost
    images: int
    models: int

    def weight(self, images: int, models: int) -> int:
        """What models that read `images` in all weigh; models weigh the same where none says how
        many it read."""
        return images if self.images else models

    def share(self, weight: int) -> Cost:
        """The share of that weight, rounded down to the grain."""
        whole = self.images or self.models
        return Cost(**{n: _part(amount, weight, whole) for n, amount in self.cost.parts.items()})


def priced(used: Used, kind: str, month: int, prices: Prices, *, currency: str = "") -> Cost:
    """What it cost at the prices of its month.

    Pictures cost something where they are embedded and labels where they are made; the pictures
    and labels that a head learned from are counted, not paid for again.
    """
    rates = prices.at(month)
    kept = rates.gb_month * rates.kept_months
    return Cost(
        compute=_exact(_decimal(used.cpu_s) / HOUR * rates.cpu_hour) if used.cpu_s else ZERO,
        storage=_exact(Decimal(used.bytes_stored) / GIGABYTE * kept) if kept else ZERO,
        reading=_exact(Decimal(used.bytes_read) / GIGABYTE * rates.gb_read),
        images=_exact(used.images * rates.image) if kind == "embed" else ZERO,
        labels=_exact(used.labels * rates.label) if kind == "label" else ZERO,
        people=_exact(_decimal(used.human_s) / HOUR * rates.human_hour) if used.human_s else ZERO,
        bills=_exact(prices.in_own_currency(used.amount, currency, month)) if used.amount else ZERO,
    )


def cost_of(one: Sum, prices: Prices) -> Cost:
    return priced(one.used, one.kind, one.month, prices, currency=one.currency)


def pots(sums: Iterable[Sum], prices: Prices) -> dict[tuple[int, str], Pot]:
    """By (month, dataset): what embedding cost, to be shared by the models made in that month."""
    found: dict[tuple[int, str], Pot] = {}
    for one in sums:
        if one.kind not in ("embed", "make"):
            continue
        key = one.month, one.dataset
        pot = found.get(key, Pot(NOTHING, 0, 0))
        if one.kind == "embed":
            found[key] = Pot(pot.cost + cost_of(one, prices), pot.images, pot.models)
        else:
            read = pot.images + one.used.images
            found[key] = Pot(pot.cost, read, pot.models + one.entries)
    return found


def share_out(
    sums: Sequence[Sum], prices: Prices, group: Callable[[Sum], str]
) -> tuple[dict[str, Cost], Cost]:
    """Embedding by group of models, and what no model has used yet. What embedding a dataset
    cost in a month is shared by the models first made on it in that month, by the pictures each
    read; with none, it stays unused for good: what later months do never changes an earlier one.
    """
    shares: dict[str, Cost] = defaultdict(Cost)
    unused = NOTHING
    weights: dict[tuple[int, str], dict[str, int]] = defaultdict(dict)
    known = pots(sums, prices)
    for one in sums:
        if one.kind == "make":
            key = one.month, one.dataset
            more = known[key].weight(one.used.images, one.entries)
            weights[key][group(one)] = weights[key].get(group(one), 0) + more
    for key, pot in known.items():
        names = list(weights[key])
        if not names:
            unused += pot.cost
            continue
        for name, share in zip(names, split(pot.cost, list(weights[key].values())), strict=True):
            shares[name] += share
    return dict(shares), unused


def split(cost: Cost, weights: Sequence[int]) -> list[Cost]:
    """Shares in proportion to `weights` (equal where all are 0) that add up to `cost` exactly."""
    if len(weights) == 1:
        return [cost]
    columns = {name: _split(amount, weights) for name, amount in cost.parts.items()}
    return [Cost(**{name: columns[name][i] for name in columns}) for i in range(len(weights))]


def money(amount: Decimal, currency: str = "") -> str:
    """As people read it: whole from a hundred on, cents from one on, else two digits."""
    size = abs(amount)
    if size >= 100 or not amount:
        text = f"{amount:,.0f}"
    elif round(size, 2) >= 1:
        text = f"{amount:,.2f}"
    else:
        text = f"{amount:.2g}" if size >= SMALLEST else f"< {SMALLEST:f}"
    return f"{text} {currency}".rstrip()


def _split(amount: Decimal, weights: Sequence[int]) -> list[Decimal]:
    """Largest remainder: each gets its part rounded down, the grains left go to who lost most."""
    if not amount:
        return [ZERO] * len(weights)
    if not any(weights):
        weights = [1] * len(weights)
    whole = sum(weights)
    grains = int(amount / GRAIN)
    parts = [grains * weight // whole for weight in weights]
    lost = sorted(range(len(weights)), key=lambda i: (-(grains * weights[i] % whole), i))
    for i in lost[: grains - sum(parts)]:
        parts[i] += 1
    return [part * GRAIN for part in parts]


def _part(amount: Decimal, weight: int, whole: int) -> Decimal:
    return int(amount / GRAIN) * weight // whole * GRAIN if whole else ZERO


def _decimal(value: float) -> Decimal:
    return Decimal(repr(value))


def _exact(amount: Decimal) -> Decimal:
    return amount.quantize(GRAIN, rounding=ROUND_FLOOR) if amount else ZERO

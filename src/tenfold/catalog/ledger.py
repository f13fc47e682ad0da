"""The ledger: what every run used, entry by entry, and what the entries sum to.

Entries are only ever added. Rollups are written in the transaction that adds the entries, so a
report reads a few rows instead of all, and both always agree.
"""

from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass, fields, replace
from datetime import UTC, datetime
from decimal import Decimal
from functools import cache
from typing import Any, Literal, get_args

from sqlalchemy import (
    BigInteger,
    Column,
    ColumnElement,
    Connection,
    Table,
    and_,
    case,
    cast,
    delete,
    func,
    insert,
    literal,
    select,
    update,
)
from sqlalchemy.dialects import postgresql, sqlite

from tenfold.catalog import activity
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import (
    MILLION,
    entries,
    ledger_months,
    ledger_task_months,
    ledger_tasks,
    runs,
)
from tenfold.errors import DataError

Kind = Literal["embed", "make", "serve", "overhead", "waste", "label", "spend"]
KINDS: tuple[Kind, ...] = get_args(Kind)
By = Literal["dataset", "fleet", "sector"]
BYS: tuple[By, ...] = get_args(By)
EVER = (0, 999912)
ROLLUPS = (ledger_months, ledger_task_months, ledger_tasks)
ZERO = Decimal(0)
LARGEST = 1_000_000_000_000
"""Of one amount; whole millionths of it fit into 64 bits."""


@dataclass(frozen=True, slots=True)
class Used:
    """What something used. Sums by `+`, except that of two peaks the larger counts."""

    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float = 0.0
    bytes_stored: int = 0
    bytes_read: int = 0
    images: int = 0
    """Of `embed`: pictures embedded. Of `make`: pictures whose features the head read."""
    labels: int = 0
    human_s: float = 0.0
    amount: Decimal = ZERO

    def __add__(self, other: "Used") -> "Used":
        return Used(
            self.cpu_s + other.cpu_s,
            self.wall_s + other.wall_s,
            max(self.peak_mb, other.peak_mb),
            self.bytes_stored + other.bytes_stored,
            self.bytes_read + other.bytes_read,
            self.images + other.images,
            self.labels + other.labels,
            self.human_s + other.human_s,
            self.amount + other.amount,
        )


@dataclass(frozen=True, slots=True)
class Entry:
    """One line of the ledger. (run, kind, subject) is its identity: adding it again is nothing."""

    run: str
    kind: Kind
    subject: str
    """What it is about: a model's id, a batch of pictures, a bill."""
    dataset: str = ""
    task: str = ""
    fleet: str = ""
    sector: str = ""
    at: datetime | None = None
    """None: now."""
    cpu_s: float = 0.0
    wall_s: float = 0.0
    peak_mb: float = 0.0
    bytes_stored: int = 0
    bytes_read: int = 0
    images: int = 0
    """As in `Used`."""
    labels: int = 0
    human_s: float = 0.0
    amount: Decimal | None = None
    """Money as it was billed, to a millionth; the rest is priced when it is looked at."""
    currency: str = ""

    @classmethod
    def of(cls, used: Used, **about: Any) -> "Entry":
        """An entry of what was used."""
        plain = {f.name: getattr(used, f.name) for f in fields(used) if f.name != "amount"}
        return cls(**plain, **about)

    @property
    def used(self) -> Used:
        plain: dict[str, Any] = {f.name: getattr(self, f.name) for f in fields(Used)}
        plain["amount"] = self.amount or ZERO
        return Used(**plain)

    def __post_init__(self) -> None:
        if self.amount is not None:
            is_sane = self.amount.is_finite() and abs(self.amount) < LARGEST
            if not is_sane or self.amount * MILLION % 1:
                raise DataError(
                    f"an amount is below {LARGEST:,} and has at most 6 decimals, got {self.amount}."
                )
            if not self.currency:
                raise DataError(f"the amount {self.amount} of {self.subject!r} has no currency.")


@dataclass(frozen=True, slots=True)
class Run:
    """One command at work on one machine."""

    id: str
    command: str
    fleet: str = ""
    host: str = ""
    began_at: datetime | None = None
    """None: now."""
    ended_at: datetime | None = None
    outcome: str = ""
    actor: str = ""
    """Empty: the scope's."""


@dataclass(frozen=True, slots=True)
class Sum:
    """What the entries of one month that agree in the rest used."""

    month: int
    """As 202612."""
    kind: str
    dataset: str
    fleet: str
    sector: str
    currency: str
    entries: int
    used: Used


def month_of(at: datetime) -> int:
    """The month of a moment (UTC), as 202612."""
    at = at.astimezone(UTC)
    return at.year * 100 + at.month


def book(scope: Scope, new: Iterable[Entry]) -> int:
    """`add` in a transaction of its own."""
    with scope.write() as connection:
        return add(connection, scope, new)


def add(connection: Connection, scope: Scope, new: Iterable[Entry]) -> int:
    """Add what is not there yet, inside the caller's transaction; returns how many that were."""
    now = scope.now()
    stamped = {
        (entry.run, entry.kind, entry.subject): entry if entry.at else replace(entry, at=now)
        for entry in reversed(list(new))
    }
    if not stamped:
        return 0
    query = _insert(connection, entries).on_conflict_do_nothing()
    rows = {key: _row(scope, stamped[key]) for key in reversed(stamped)}
    added = connection.execute(
        query.returning(entries.c.run, entries.c.kind, entries.c.subject), list(rows.values())
    )
    fresh = [(rows[tuple(key)], stamped[tuple(key)].used) for key in added]
    for table in ROLLUPS:
        some = [(row, used) for row, used in fresh if row["task"] or "task" not in table.c]
        if some:
            _roll_up(connection, scope, some, table)
    return len(fresh)


def _row(scope: Scope, entry: Entry) -> dict[str, Any]:
    assert entry.at is not None
    return _plain(entry) | {"tenant": scope.tenant, "month": month_of(entry.at)}


def _plain(value: Entry | Used) -> dict[str, Any]:
    """Its fields by name; `asdict` would copy each."""
    return {f.name: getattr(value, f.name) for f in fields(value)}


def _roll_up(
    connection: Connection,
    scope: Scope,
    fresh: Sequence[tuple[dict[str, Any], Used]],
    table: Table,
) -> None:
    names = [column.name for column in table.primary_key][1:]
    sums: dict[tuple[Any, ...], tuple[int, Used]] = {}
    for row, one in fresh:
        key = tuple(row[name] for name in names)
        count, used = sums.get(key, (0, Used()))
        sums[key] = count + 1, used + one
    rows = [
        {"tenant": scope.tenant, "entries": count}
        | dict(zip(names, key, strict=True))
        | _plain(used)
        for key, (count, used) in sorted(sums.items())  # one order for all writers: no deadlocks
    ]
    connection.execute(_growing(connection.dialect.name, table), rows)


@cache
def _growing(dialect: str, table: Table) -> Any:
    """An INSERT that adds to what a row of the rollup holds already."""
    query = _insert_into(dialect, table)
    grown = {name: table.c[name] + query.excluded[name] for name in ("entries", *_SUMMED)}
    grown["peak_mb"] = _larger(query.excluded.peak_mb, table.c.peak_mb)
    return query.on_conflict_do_update(index_elements=list(table.primary_key), set_=grown)


_SUMMED = tuple(f.name for f in fields(Used) if f.name != "peak_mb")


def _larger(one: Any, other: Any) -> Any:
    return case((one > other, one), else_=other)


def _insert(connection: Connection, table: Table) -> Any:
    return _insert_into(connection.dialect.name, table)


def _insert_into(dialect: str, table: Table) -> Any:
    """An INSERT that knows ON CONFLICT; both databases do, each in its own dialect."""
    return sqlite.insert(table) if dialect == "sqlite" else postgresql.insert(table)


def recount(scope: Scope) -> None:
    """Write the rollups of this tenant again from its entries, as after a bulk load of entries."""
    with scope.write() as connection:
        for table in ROLLUPS:
            key = [column.name for column in table.primary_key]
            columns = [entries.c[name] for name in key]
            sums = [func.count(), func.max(entries.c.peak_mb).label("peak_mb")]
            sums += [func.coalesce(func.sum(entries.c[name]), 0).label(name) for name in _SUMMED]
            mine = select(*columns, *sums).where(entries.c.tenant == scope.tenant)
            if "task" in table.c:
                mine = mine.where(entries.c.task != "")
            connection.execute(delete(table).where(table.c.tenant == scope.tenant))
            names = [*key, "entries", "peak_mb", *_SUMMED]
            connection.execute(insert(table).from_select(names, mine.group_by(*columns)))


def begin(scope: Scope, run: Run) -> None:
    """Record that a run is at work; twice is once."""
    with scope.write() as connection:
        _begin(connection, scope, run)


def _begin(connection: Connection, scope: Scope, run: Run) -> None:
    values = asdict(run) | {
        "tenant": scope.tenant,
        "actor": run.actor or scope.actor,
        "began_at": run.began_at or scope.now(),
    }
    query = _insert(connection, runs).on_conflict_do_nothing().returning(runs.c.id)
    if connection.execute(query, values).first() is not None:
        as_them = replace(scope, actor=values["actor"])
        detail = {"command": run.command, "fleet": run.fleet, "host": run.host}
        activity.add(connection, as_them, "run", subject=run.id, detail=detail)


def end(scope: Scope, run_id: str, outcome: str) -> bool:
    """Close a run; False: it was closed before."""
    with scope.write() as connection:
        return _end(connection, scope, run_id, outcome)


def _end(connection: Connection, scope: Scope, run_id: str, outcome: str) -> bool:
    mine = (runs.c.tenant == scope.tenant) & (runs.c.id == run_id) & runs.c.ended_at.is_(None)
    query = update(runs).where(mine).values(ended_at=scope.now(), outcome=outcome)
    return connection.execute(query).rowcount == 1


def settle(scope: Scope, run: Run, total: Used, *, kind: Kind, outcome: str) -> bool:
    """Close a run and book, as `kind`, what of `total` is not booked under it; twice is once.

    What was booked beyond the total (clocks differ by a hair) is left as it is.
    """
    with scope.write() as connection:
        _begin(connection, scope, run)
        if not _end(connection, scope, run.id, outcome):
            return False
        known = _booked(connection, scope, run.id)
        rest = Entry(
            run=run.id,
            kind=kind,
            subject=run.id,
            fleet=run.fleet,
            cpu_s=max(total.cpu_s - known.cpu_s, 0.0),
            wall_s=max(total.wall_s - known.wall_s, 0.0),
            peak_mb=total.peak_mb,
        )
        add(connection, scope, [rest])
        return True


def booked(scope: Scope, run_id: str) -> Used:
    """What is booked under a run so far."""
    with scope.read() as connection:
        return _booked(connection, scope, run_id)


def _booked(connection: Connection, scope: Scope, run_id: str) -> Used:
    mine = (entries.c.tenant == scope.tenant) & (entries.c.run == run_id)
    row = connection.execute(select(*_totals(entries)).where(mine)).one()
    return Used(*row)


def images_booked(scope: Scope, subject: str) -> int:
    """Pictures that `embed` entries about `subject` have counted."""
    mine = (entries.c.tenant == scope.tenant) & (entries.c.subject == subject)
    query = select(func.coalesce(func.sum(entries.c.images), 0))
    with scope.read() as connection:
        found = connection.execute(query.where(mine, entries.c.kind == "embed"))
        return int(found.scalar_one())


def runs_of(scope: Scope, *, newest: int) -> list[Run]:
    """The newest runs, newest first."""
    query = select(runs).where(runs.c.tenant == scope.tenant).order_by(runs.c.began_at.desc())
    with scope.read() as connection:
        rows = connection.execute(query.limit(newest)).all()
    return [Run(**{f.name: getattr(row, f.name) for f in fields(Run)}) for row in rows]


def newest(scope: Scope, count: int) -> list[Entry]:
    """The newest entries, newest first."""
    mine = select(entries).where(entries.c.tenant == scope.tenant)
    with scope.read() as connection:
        rows = connection.execute(mine.order_by(entries.c.at.desc()).limit(count)).all()
    return [Entry(**{f.name: getattr(row, f.name) for f in fields(Entry)}) for row in rows]


def sums(
    scope: Scope,
    months: tuple[int, int] = EVER,
    *,
    by: Sequence[By] = BYS,
    kinds: Sequence[Kind] = KINDS,
    each_month: bool = True,
    fleet: str = "",
) -> list[Sum]:
    """What the months first ≤ month < last hold, by month, kind, currency and `by`.

    Without `each_month` they are one, called `first`; with `fleet`, of that one alone.
    """
    table = ledger_months
    month = table.c.month if each_month else literal(months[0]).label("month")
    keys = [month, table.c.kind, *(table.c[name] for name in by), table.c.currency]
    mine = and_(table.c.tenant == scope.tenant, within(table, months))
    if set(kinds) != set(KINDS):
        mine &= table.c.kind.in_(kinds)
    if fleet:
        mine &= table.c.fleet == fleet
    groups = keys if each_month else keys[1:]
    query = select(*sum_columns(table, keys)).where(mine).group_by(*groups).order_by(*groups)
    with scope.read() as connection:
        return [sum_of(row, by) for row in connection.execute(query)]


def within(table: Table, months: tuple[int, int]) -> ColumnElement[bool]:
    return and_(table.c.month >= months[0], table.c.month < months[1])


def sum_columns(table: Table, keys: Sequence[Any]) -> list[Any]:
    """What `sum_of` reads: month, kind, …, currency, entries, then the fields of `Used`."""
    counted = func.sum(table.c.entries) if "entries" in table.c else func.count()
    return [*keys, cast(counted, BigInteger), *_totals(table)]


def sum_of(row: Any, by: Sequence[By]) -> Sum:
    """A row of `sum_columns`, whose keys are month, kind, those of `by`, currency."""
    month, kind, *rest = row
    names = dict(zip(by, rest, strict=False))
    currency, entries, *used = rest[len(by) :]
    return Sum(
        month=month,
        kind=kind,
        dataset=names.get("dataset", ""),
        fleet=names.get("fleet", ""),
        sector=names.get("sector", ""),
        currency=currency,
        entries=entries,
        used=Used(*used),
    )


def _totals(table: Table) -> list[Any]:
    """The sum of each amount in a group of rows, in the order of `Used`."""
    return [_total(table.c[f.name]) for f in fields(Used)]


def _total(column: Column[Any]) -> Any:
    if column.name == "peak_mb":
        return func.coalesce(func.max(column), literal(0.0)).label(column.name)
    total = func.coalesce(func.sum(column), literal(0))
    if isinstance(column.type, BigInteger):
        total = cast(total, BigInteger)  # PostgreSQL sums whole numbers to decimals
    return total.label(column.name)

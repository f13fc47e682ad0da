"""The trunk's work for many tasks: every picture once, booked to its dataset."""

import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field

from tenfold.catalog import ledger
from tenfold.catalog.datasets import Item
from tenfold.catalog.ledger import Entry
from tenfold.errors import TenfoldError
from tenfold.factory import feed
from tenfold.factory.climb import Climb
from tenfold.factory.feed import Embedded, Needs
from tenfold.factory.stock import Stock
from tenfold.ledger.meter import spent
from tenfold.patience import patiently
from tenfold.values import Progress
from tenfold.workspace import Workspace

WAIT_S = 0.5


@dataclass(frozen=True, slots=True)
class Booking:
    """For whom a trunk works."""

    run: str
    dataset: str
    items: Sequence[Item]
    """All of the dataset."""
    fleet: str = ""


@dataclass(slots=True, eq=False)
class _Wanted:
    items: Sequence[Item]
    needs: Needs = field(default_factory=Needs)


def embed_for(
    stock: Stock,
    climbs: Sequence[Climb],
    *,
    run: str,
    fleet: str = "",
    progress: Progress | None = None,
) -> dict[str, TenfoldError]:
    """Embed what the next rung of every climb reads; the datasets that could not be, and why."""
    wanted: dict[str, _Wanted] = {}
    seen: set[tuple[object, ...]] = set()
    for climb in climbs:
        order, rung = climb.order, climb.rung
        key = (climb.question_key, order.snapshot.id, rung.name, order.spec.symmetry)
        if key not in seen:
            seen.add(key)
            cohort, _ = stock.cohort(order.spec, order.items, order.snapshot.id)
            one = wanted.setdefault(order.spec.dataset, _Wanted(order.items))
            one.needs.add(order, rung, cohort.items)
    faults: dict[str, TenfoldError] = {}
    for dataset, one in wanted.items():
        booking = Booking(run, dataset, one.items, fleet)
        try:
            with _alone(stock.workspace, dataset):
                embed(stock.workspace, one.needs, booking=booking, progress=progress)
        except TenfoldError as error:
            faults[dataset] = error
    return faults


@contextmanager
def _alone(workspace: Workspace, dataset: str) -> Generator[None]:
    """One process at a time embeds a dataset: those who waited find its features."""
    claims, tenant, key = workspace.catalog.claims, workspace.scope.tenant, f"embed {dataset}"
    patience_s = workspace.settings.patience_s
    while not patiently(lambda: claims.take(tenant, key), patience_s=patience_s):
        time.sleep(WAIT_S)
    try:
        yield
    finally:
        claims.release(tenant, key)


def embed(
    workspace: Workspace, needs: Needs, *, booking: Booking, progress: Progress | None = None
) -> Embedded:
    """Embed what is needed and not kept yet, and book it to the dataset.

    Pictures are counted by what is kept and was never booked, so that a run which was killed
    between the two neither loses nor doubles one.

    Raises:
        IntegrityError: a kept picture can no longer be read.
    """
    before = workspace.features.size_bytes()
    with spent() as used:
        embedded = feed.ensure(workspace, needs, progress=progress)
    everyone = [item.sha256 for item in booking.items]
    counts: dict[str, int] = {}
    for space in (space for spaces in needs.samples.values() for space in spaces):
        lacking = len(workspace.features.missing(space, "pooled", everyone))
        subject = f"{booking.dataset}/{space.key}"
        counts[subject] = len(everyone) - lacking - ledger.images_booked(workspace.scope, subject)
    fresh = {subject: count for subject, count in counts.items() if count > 0}
    share = 1 / len(fresh) if fresh else 0.0
    entries = [
        Entry(
            run=booking.run,
            kind="embed",
            subject=subject,
            dataset=booking.dataset,
            fleet=booking.fleet,
            cpu_s=share * used.cpu_s,
            wall_s=share * used.wall_s,
            bytes_stored=round(share * max(0, workspace.features.size_bytes() - before)),
            images=count,
        )
        for subject, count in fresh.items()
    ]
    if entries:
        ledger.book(workspace.scope, entries)
    return embedded

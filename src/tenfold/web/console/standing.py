"""How the loop stands and what waits for a person: looked up once for all who watch it."""

import threading
import time as clock
from dataclasses import dataclass
from datetime import datetime, time
from decimal import Decimal

from tenfold.apps.line.watching import Glance, glances
from tenfold.catalog import accounts, at_work, loops
from tenfold.catalog.at_work import AtWork, Group, Sought
from tenfold.catalog.overview import Overview, overview
from tenfold.errors import TenfoldError
from tenfold.ledger import in_force
from tenfold.ledger.cost import NOTHING, cost_of
from tenfold.loop import describing
from tenfold.loop.retrain import AskPerson
from tenfold.workspace import Workspace

EVERY_S = 5.0
LEAST_REST = 60
"""Looking takes at most one part in so many of the time, however much there is and whoever asks."""
MOST = 8
"""Deployments of each kind that are named."""


@dataclass(frozen=True, slots=True)
class Standing:
    now: Overview
    cost: Decimal
    """Since midnight, UTC."""
    currency: str
    is_shared: bool
    """Whether somebody has an account."""
    changed: list[AtWork]
    """Where the watch sees a change."""
    proven: list[AtWork]
    """Where a new model waits for a person's word."""
    asking: list[AtWork]
    """With pictures to review."""
    stations: list[Glance]
    """Of lines, on this machine."""


@dataclass(frozen=True, slots=True)
class _Seen:
    found: Standing
    until: float
    """Of the monotonic clock."""


_seen: dict[tuple[str, str], _Seen] = {}
_alone = threading.Lock()


def standing(workspace: Workspace) -> Standing:
    """Of this moment, or of a few seconds ago."""
    key = (str(workspace.settings.home), workspace.scope.tenant)
    with _alone:
        known = _seen.get(key)
        if known is None or clock.monotonic() >= known.until:
            began = clock.monotonic()
            found = look(workspace)
            ended = clock.monotonic()
            rest_s = max(EVERY_S - 1, LEAST_REST * (ended - began))
            known = _seen[key] = _Seen(found, ended + rest_s)
    return known.found


def look(workspace: Workspace) -> Standing:
    """Of this moment."""
    scope = workspace.scope
    midnight = datetime.combine(scope.now().date(), time(), scope.now().tzinfo)
    now, prices = overview(scope, since=midnight), in_force.prices(scope, workspace.settings.prices)
    cost = sum((cost_of(one, prices) for one in now.used), NOTHING)

    def some(group: Group) -> list[AtWork]:
        return at_work.search(scope, Sought(group=group, limit=MOST))

    return Standing(
        now=now,
        cost=cost.total,
        currency=prices.currency,
        is_shared=accounts.are_any(scope),
        changed=some("alarm") if now.alarms else [],
        proven=[one for one in some("trial") if _waits(workspace, one)] if now.on_trial else [],
        asking=some("review") if now.waiting else [],
        stations=glances(workspace),
    )


def _waits(workspace: Workspace, one: AtWork) -> bool:
    """For somebody's word; what cannot be looked at says so on its own page."""
    if not one.is_watched:
        return False
    try:
        seen = describing.looked_at(workspace, loops.get(workspace.scope, one.name))
    except TenfoldError:
        return False
    return isinstance(seen.action, AskPerson)

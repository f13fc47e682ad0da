"""Signing in: never on the event loop, few at once, and slower for those who guess."""

import asyncio
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

from tenfold.catalog import Scope, accounts, sessions
from tenfold.catalog.accounts import Account
from tenfold.errors import NotFound
from tenfold.web.errors import TooOften, WhoAreYou

AT_ONCE = 2
"""A hash takes 64 MiB."""
MOST_WAITING = 32
MOST_KNOWN = 10_000
"""Names and addresses that are remembered; then the one that failed longest ago is forgotten."""
FORGOTTEN_S = 3600.0
LOGGED_EACH, LOGGED_ALL = 5, 30
"""Rows of the activity log about failures, a minute: of one name, and of all together."""
MINUTE_S = 60.0
ALL = ""


@dataclass(frozen=True, slots=True)
class Limit:
    free: int
    """Failures after which one has to wait: a second, then twice as long each time."""
    longest_s: float


LIMITS = {"both": Limit(5, 900.0), "name": Limit(10, 60.0), "address": Limit(20, 900.0)}
"""By what failures are counted. Whoever knows a name can keep its owner out: hence its short wait.
"""
Clock = Callable[[], float]


class Attempts:
    """How often whom failed, in bounded memory."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._failed: OrderedDict[tuple[str, ...], tuple[int, float]] = OrderedDict()
        """How often, and when last."""

    def __len__(self) -> int:
        return len(self._failed)

    def begin(self, name: str, address: str) -> None:
        """Count an attempt as a failure until it is forgiven, so that many at once gain nothing.

        Raises:
            TooOften: there were too many; this one does not count.
        """
        now, sought = self._clock(), _keys(name, address)
        wait_s = max(self._wait_s(key, LIMITS[key[0]], now) for key in sought)
        if wait_s > 0:
            raise TooOften(
                f"too many failures to sign in; wait {wait_s:.0f} s.",
                hint="An owner may set a new password: `tenfold account password NAME`.",
            )
        for key in sought:
            count, _ = self._of(key, now)
            self._failed[key] = (count + 1, now)
            self._failed.move_to_end(key)
        while len(self._failed) > MOST_KNOWN:
            self._failed.popitem(last=False)

    def forgive(self, name: str, address: str) -> None:
        """It was no failure. Those of others at that address stay."""
        for key in _keys(name, address):
            count, at = self._failed.pop(key, (0, 0.0))
            if key[0] == "address" and count > 1:
                self._failed[key] = (count - 1, at)

    def _wait_s(self, key: tuple[str, ...], limit: Limit, now: float) -> float:
        count, at = self._of(key, now)
        if count < limit.free:
            return 0.0
        return min(limit.longest_s, 2.0 ** min(count - limit.free, 30)) - (now - at)

    def _of(self, key: tuple[str, ...], now: float) -> tuple[int, float]:
        count, at = self._failed.get(key, (0, now))
        return (0, now) if now - at > FORGOTTEN_S else (count, at)


class Ration:
    """Which failures become a row of the activity log; what was left out is told by the next."""

    def __init__(self, clock: Clock = time.monotonic) -> None:
        self._clock = clock
        self._told: OrderedDict[str, tuple[float, int, int]] = OrderedDict()
        """When a minute began, rows in it, and failures since the last row."""

    def __len__(self) -> int:
        return len(self._told)

    def taken(self, name: str) -> int:
        """How many failures the row to be written stands for; 0: none is to be written."""
        now = self._clock()
        began, rows, silent = self._minute(name, now)
        all_began, all_rows, _ = self._minute(ALL, now)
        is_told = rows < LOGGED_EACH and all_rows < LOGGED_ALL
        self._told[name] = (began, rows + is_told, 0 if is_told else silent + 1)
        self._told.move_to_end(name)
        self._told[ALL] = (all_began, all_rows + is_told, 0)
        self._told.move_to_end(ALL)
        while len(self._told) > MOST_KNOWN:
            self._told.popitem(last=False)
        return silent + 1 if is_told else 0

    def _minute(self, name: str, now: float) -> tuple[float, int, int]:
        began, rows, silent = self._told.get(name, (now, 0, 0))
        return (began, rows, silent) if now - began < MINUTE_S else (now, 0, silent)


class SignIns:
    """Attempts of one process; for one event loop."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._attempts, self._ration = Attempts(), Ration()
        self._room = asyncio.Semaphore(AT_ONCE)
        self._waiting = 0

    async def check(self, name: str, password: str, *, address: str) -> Account:
        """The account that a password opens.

        Raises:
            WhoAreYou: none; it is not told whether there is such a name.
            TooOften: too many fail, or too many ask at once.
        """
        if self._waiting >= MOST_WAITING:
            raise TooOften("too many sign in at once.", hint="Try again in a second.")
        self._attempts.begin(name, address)
        self._waiting += 1
        try:
            async with self._room:
                found = await asyncio.to_thread(accounts.check, self._scope, name, password)
        finally:
            self._waiting -= 1
        if found is None:
            await self._note(name, address)
            raise WhoAreYou("name or password is wrong.")
        self._attempts.forgive(name, address)
        return found

    async def begin(self, name: str, password: str, *, address: str) -> tuple[Account, str]:
        """Who signed in, and the token of the session.

        Raises:
            WhoAreYou: see `check`.
            TooOften: see `check`.
        """
        found = await self.check(name, password, address=address)
        try:
            token = await asyncio.to_thread(sessions.begin, self._scope, found, address=address)
        except NotFound as error:
            raise WhoAreYou("name or password is wrong.") from error
        return found, token

    async def change_password(self, name: str, old: str, new: str, *, address: str) -> None:
        """By its owner, who knows the old one.

        Raises:
            WhoAreYou: see `check`.
            TooOften: see `check`.
            SpecError: the new one is none.
        """
        await self.check(name, old, address=address)
        as_them = replace(self._scope, actor=name)
        async with self._room:
            await asyncio.to_thread(accounts.set_password, as_them, name, new)

    async def _note(self, name: str, address: str) -> None:
        count = self._ration.taken(name)
        if count:
            await asyncio.to_thread(
                sessions.note_failure, self._scope, name, address=address, count=count
            )


def _keys(name: str, address: str) -> tuple[tuple[str, ...], ...]:
    return ("both", name, address), ("name", name), ("address", address)

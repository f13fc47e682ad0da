"""The cycle of a station: trigger → grab → look → decide → record → output, each timed.

Fail-safe by design: the controller lets a part leave only on `release` of its very sequence, which
is set last, after the verdict is on the disk and while the deadline holds. Whatever fails here, is
late, or dies on the way releases nothing.
"""

import logging
import threading
import time
from collections import deque
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import Protocol

from tenfold.apps.line.journal import Journal, Part, Seen
from tenfold.apps.line.shifts import Seeing, Shift, Shown, Starts, left, seeing
from tenfold.apps.line.state import STOPPED, State
from tenfold.apps.line.values import (
    Decision,
    Frame,
    Outcome,
    Pixels,
    Sight,
    Trigger,
    is_after,
)
from tenfold.errors import IntegrityError, TenfoldError

log = logging.getLogger(__name__)

REMEMBERED = 100
"""Sequences that are not looked at again when they come once more."""
WAIT_S = 0.2
BEAT_S = 0.5
UNPROVEN, BLIND, LATE = "red rabbits wait", "a red rabbit passed", "late"
GONE, SILENT = "the next part came", "camera silent"
UNRECORDED, FULL, DAMAGED = "not recorded", "disk full", "journal damaged"
ASKED = "asked for"
IN_SHADOW = "in shadow"
"""A person decides: the part's heads are not proven, or nobody said yet that they are live."""
UNSEEN = (LATE, GONE, SILENT)
"""Reasons of rejects for which no eye saw a defect: they prove nothing of a red rabbit."""


class Controller(Protocol):
    def wait(self, timeout_s: float) -> Trigger | None:
        """The next part, once it is in place."""
        ...

    def put(self, decision: Decision) -> None:
        """Say what becomes of a part; for `ok`, release it."""
        ...

    def beat(self, count: int, *, is_ready: bool, reason: str) -> None:
        """Say that a self-test was passed, or why not."""
        ...

    def stands(self, sequence: int) -> bool:
        """Whether this part is still in place: a picture taken just now is its own."""
        ...

    def problem(self) -> str:
        """What keeps parts from coming or leaving; empty: nothing."""
        ...


class Camera(Protocol):
    def grab(self, timeout_s: float, waited_s: float = 0.0) -> Frame:
        """A picture taken from now on; by a camera that the part itself triggers, since it was
        told `waited_s` ago.

        Raises:
            Unavailable: there is none in time.
        """
        ...

    def put_back(self) -> None:
        """The picture that was given last was of no part: it may be the next one's."""
        ...

    def problem(self) -> str:
        """Why it gives no pictures; empty: it does."""
        ...


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What was seen in a picture of a part, and what follows."""

    outcome: Outcome
    reason: str = ""
    part: str = ""
    """Part number and serial, where the picture says them."""
    serial: str = ""
    regions: tuple[Seen, ...] = ()
    times: dict[str, float] = field(default_factory=dict[str, float])
    """Milliseconds by stage."""
    pixels: Pixels | None = None
    """The picture; None: there is none of this part."""
    sights: Mapping[str, Sight] = field(default_factory=dict[str, Sight])
    """By region."""
    is_shadow: bool = False
    """A person decides; what is said here is recorded, to be held against it."""
    taught: str = ""
    """In shadow: see `journal.Part`."""
    fingerprint: str = ""


class Judge(Protocol):
    def look(self, trigger: Trigger, frame: Frame, timeout_s: float) -> Judged:
        """
        Raises:
            TenfoldError: it cannot be judged now; the part is not released.
        """
        ...

    def test(self) -> str:
        """What keeps it from judging; empty: nothing."""
        ...


class Keeper(Protocol):
    def keep(self, part: Part, pixels: Pixels, sights: Mapping[str, Sight]) -> None:
        """What a part looked like; comes back at once, whatever becomes of it."""
        ...


@dataclass(frozen=True, slots=True)
class Rules:
    deadline_s: float
    """From the trigger to the output."""
    shifts: Starts
    rabbits: tuple[str, ...] = ()
    """Serials of known bad master parts; each shift must see every one rejected."""
    grab_s: float = 1.0
    station: str = ""


@dataclass(frozen=True, slots=True)
class Beside:
    """Who hears of it beside the controller; no part waits for them."""

    keeper: Keeper | None
    tell: Callable[[State], None]


def _unheard(_: State) -> None:
    pass


class Station:
    """One station at work. `run` in a thread of its own; `ask_to_stop` ends it."""

    def __init__(
        self,
        controller: Controller,
        camera: Camera,
        judge: Judge,
        journal: Journal,
        rules: Rules,
        beside: Beside | None = None,
    ) -> None:
        self._controller, self._camera, self._judge = controller, camera, judge
        self._journal, self._rules = journal, rules
        self._keeper = beside.keeper if beside else None
        self._tell = beside.tell if beside else _unheard
        self._now: Callable[[], datetime] = lambda: datetime.now(UTC)
        self._stopped = threading.Event()
        self._known = deque(
            (part.sequence for part in reversed(journal.last(REMEMBERED))), REMEMBERED
        )
        self._beats = 0
        self._last = max((part.id for part in journal.last(1)), default=0)

    def ask_to_stop(self) -> None:
        self._stopped.set()

    def run(self) -> None:
        beating = threading.Thread(target=self._beat, name="heartbeat", daemon=True)
        beating.start()
        while not self._stopped.is_set():
            try:
                trigger = self._controller.wait(WAIT_S)
                if trigger is not None:
                    self.one(trigger)
            except Exception:  # the part is not released; the next one may be
                log.exception("defect of the station")
                self._stopped.wait(WAIT_S)
        beating.join()
        self._note(replace(self.state(), is_ready=False, reason=STOPPED))

    def one(self, trigger: Trigger) -> Part | None:
        """Look at one part, and say what becomes of it; None: it was looked at before, and a
        second look might be at another part."""
        waited_s = time.monotonic() - trigger.at_s
        began = time.perf_counter() - waited_s
        if self._came_before(trigger):
            log.warning("sequence %d came again and is left alone", trigger.sequence)
            return None
        self._known.append(trigger.sequence)
        judged = self._judged(trigger, began)
        part = self._part(trigger, judged, began)
        try:
            part_id = self._last = self._journal.put(part)
        except TenfoldError as error:
            return self._untold(part, error)
        if part.reason == ASKED:
            self._answer(part_id)
        is_late = time.perf_counter() - began > self._rules.deadline_s
        if part.outcome == "ok" and is_late and not part.is_rabbit:  # a rabbit never leaves anyway
            part = replace(part, outcome="reject", reason=LATE)  # the controller waits no longer
            try:
                self._journal.withdraw(part_id, LATE)
            except TenfoldError as error:
                return self._untold(part, error)
        self._put(part)
        if self._keeper is not None and judged.pixels is not None:
            self._keeper.keep(replace(part, id=part_id), judged.pixels, judged.sights)
        return part

    def _came_before(self, trigger: Trigger) -> bool:
        """A controller that counts anew has been away: what it counted before is forgotten."""
        newest = self._known[-1] if self._known else trigger.sequence
        if trigger.is_first and is_after(newest, trigger.sequence):
            log.warning("the controller counts anew: %d after %d", trigger.sequence, newest)
            self._known.clear()
        return trigger.sequence in self._known

    def _untold(self, part: Part, error: TenfoldError) -> Part:
        """A verdict that the disk does not hold is none: it is not told, only why there is none."""
        log.error("part %d is not recorded: %s", part.sequence, error)
        try:
            self._controller.beat(self._beats, is_ready=False, reason=UNRECORDED)
        except TenfoldError as away:
            log.error("the controller was not told of part %d: %s", part.sequence, away)
        return replace(part, outcome="reject", reason=UNRECORDED)

    def _answer(self, part_id: int) -> None:
        try:
            self._journal.answer(part_id)
        except TenfoldError as error:
            log.error("the part after %d goes to a person too: %s", part_id, error)

    def _judged(self, trigger: Trigger, began: float) -> Judged:
        rules, asked = self._rules, time.perf_counter()
        try:
            frame = self._camera.grab(min(rules.grab_s, rules.deadline_s), asked - began)
        except TenfoldError as error:
            log.error("%s", error)
            return Judged("reject", SILENT)
        except Exception:
            log.exception("defect of the camera")
            return Judged("reject", SILENT)
        if not self._controller.stands(trigger.sequence):
            self._camera.put_back()
            return Judged("reject", GONE)
        grab_ms = 1000 * (time.perf_counter() - asked)
        left_s = rules.deadline_s - (time.perf_counter() - began)
        judged = self._looked(trigger, frame, left_s) if left_s > 0 else Judged("reject", LATE)
        times = {"grab": grab_ms, **judged.times}
        judged = replace(judged, times=times, pixels=frame.pixels)
        if judged.outcome == "ok" and time.perf_counter() - began > rules.deadline_s:
            return replace(judged, outcome="reject", reason=LATE, is_shadow=False)
        return judged

    def _looked(self, trigger: Trigger, frame: Frame, left_s: float) -> Judged:
        try:
            return self._judge.look(trigger, frame, left_s)
        except TenfoldError as error:
            log.error("part %d cannot be judged: %s", trigger.sequence, error)
            return Judged("manual", "heads not ready")
        except Exception:
            log.exception("part %d cannot be judged", trigger.sequence)
            return Judged("manual", "defect of the station")

    def _part(self, trigger: Trigger, judged: Judged, began: float) -> Part:
        """What is recorded. A red rabbit never leaves; nor does any part before all were shown, or
        one that somebody asked for."""
        serial = trigger.serial or judged.serial
        is_rabbit = serial in self._rules.rabbits
        outcome, reason = judged.outcome, judged.reason
        is_shadow = judged.is_shadow and not is_rabbit
        if is_shadow:
            outcome, reason = "manual", IN_SHADOW
        elif outcome == "ok" and not is_rabbit:
            seen = self.seeing()
            if seen != "proven":
                outcome, reason = "manual", UNPROVEN if seen == "unproven" else BLIND
        if not is_rabbit and self._is_asked():
            outcome, reason = "manual", ASKED
        now = self._now()
        return Part(
            sequence=trigger.sequence,
            part=trigger.part or judged.part,
            outcome=outcome,
            reason=reason,
            serial=serial,
            lot=trigger.lot,
            shift=self._shift().name,
            is_rabbit=is_rabbit,
            regions=judged.regions,
            times={**judged.times, "all": 1000 * (time.perf_counter() - began)},
            at=now,
            judged=judged.outcome if is_shadow else "",
            judged_reason=judged.reason if is_shadow else "",
            taught=judged.taught if is_shadow else "",
            fingerprint=judged.fingerprint if is_shadow else "",
        )

    def _is_asked(self) -> bool:
        """Whether somebody wants to see this part; what cannot be looked up is not released."""
        try:
            return self._journal.asking() != ""
        except TenfoldError as error:
            log.error("%s", error)
            return True

    def seeing(self) -> Seeing:
        """Whether this shift's red rabbits were rejected for what was seen of them; what cannot be
        looked up is not proven."""
        shift = self._shift()
        return seeing(self._rules.rabbits, self._shown(shift), shift)

    def _shift(self) -> Shift:
        """By the clock of this machine, as people there read it."""
        return self._rules.shifts.of(self._now().astimezone())

    def _shown(self, shift: Shift) -> list[Shown]:
        """The red rabbits of a shift, as far as an eye saw them."""
        if not self._rules.rabbits:
            return []
        try:
            looks = self._journal.rabbits(shift.name)
        except TenfoldError as error:
            log.error("%s", error)
            return []
        seen = (look for look in looks if look.reason not in UNSEEN)
        return [Shown(look.serial, look.outcome == "reject", look.at) for look in seen]

    def _put(self, part: Part) -> None:
        """Only `ok` releases, and never a red rabbit."""
        decision = Decision(part.sequence, part.part, part.outcome, part.reason)
        if part.is_rabbit and part.outcome == "ok":
            decision = Decision(part.sequence, part.part, "reject", BLIND)
        try:
            self._controller.put(decision)
        except TenfoldError as error:
            log.error("the controller was not told of part %d: %s", decision.sequence, error)

    def test(self) -> str:
        """What keeps the station from releasing; empty: nothing."""
        return self.state().reason

    def state(self) -> State:
        """How everything stands; the first problem is why nothing is released."""
        camera, controller = self._camera.problem(), self._controller.problem()
        heads, disk, shift = self._judge.test(), self._disk(), self._shift()
        shown = self._shown(shift)
        seen = seeing(self._rules.rabbits, shown, shift)
        unseen = {"proven": "", "unproven": UNPROVEN, "blind": BLIND}[seen]
        reason = (SILENT if camera else "") or controller or heads or disk
        return State(
            station=self._rules.station,
            at=datetime.now(UTC),
            is_ready=not (reason or unseen),
            reason=reason or unseen,
            camera=camera,
            controller=controller,
            heads=heads,
            disk=disk,
            seeing=seen,
            rabbits_left=tuple(left(self._rules.rabbits, shown, shift)),
            shift=shift.name,
            beats=self._beats,
            last=self._last,
        )

    def _disk(self) -> str:
        try:
            self._journal.probe()
        except TenfoldError as error:
            return DAMAGED if isinstance(error, IntegrityError) else FULL
        return ""

    def _note(self, state: State) -> None:
        """For screens, which no heart waits for."""
        try:
            self._tell(state)
        except TenfoldError as error:
            log.warning("screens are not told: %s", error)

    def _beat(self) -> None:
        """The heart beats after each self-test that was passed, and only then."""
        told = ""
        while not self._stopped.wait(BEAT_S):
            try:
                state = self.state()
                self._beats += state.is_ready
                self._note(replace(state, beats=self._beats))
                self._controller.beat(self._beats, is_ready=state.is_ready, reason=state.reason)
                told = ""
            except TenfoldError as error:
                if str(error) != told:  # a controller may be away for days
                    told = str(error)
                    log.warning("no heartbeat: %s", error)
            except Exception:
                log.exception("no heartbeat")

"""The station's end of the contract with the controller.

The controller lets a part leave only on `release` of its very `sequence`, beside its part number.
Here: what stood there before the connection is not looked at; what was decided before a connection
was lost is never written after it; nothing is written twice. A `sequence` of 0 is no part; one that
goes back takes back what was released, or it would stand there for a part that comes later.
"""

import logging
import threading
import time
from collections import deque

from tenfold.apps.line.controllers import VERDICTS, Value, Wire
from tenfold.apps.line.values import Decision, Trigger, is_after
from tenfold.errors import TenfoldError, Unavailable

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0
LOOK_S = 0.2
REMEMBERED = 1000
AWAY = "the controller is away"


class Controller:
    """A controller, kept connected by a thread. Safe to use from several threads."""

    def __init__(self, wire: Wire, *, late_s: float = 1.0) -> None:
        """A part that was not asked for within `late_s` is not looked at any more."""
        self._wire, self._late_s = wire, late_s
        self._using = threading.Lock()
        """Held while words are written and while the connection changes."""
        self._news = threading.Condition()
        self._next: Trigger | None = None
        self._given: Trigger | None = None
        """The last that was looked at."""
        self._standing: int | None = None
        self._newest: int | None = None
        """The last that came since the connection was made; None: none did."""
        self._came: deque[int] = deque(maxlen=REMEMBERED)
        """Sequences that came since the connection was made."""
        self._problem = AWAY
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="controller", daemon=True)
        self._thread.start()

    def wait(self, timeout_s: float) -> Trigger | None:
        """The newest part, once it is in place; None: there is none in time."""
        with self._news:
            self._news.wait_for(lambda: self._next is not None, timeout_s)
            trigger, self._next = self._next, None
            self._given = trigger or self._given
        if trigger is not None and time.monotonic() - trigger.at_s > self._late_s:
            log.warning("part %d waited too long and is not looked at", trigger.sequence)
            return None
        return trigger

    def put(self, decision: Decision) -> None:
        """Write a verdict; release the part if it is `ok`, and nothing else.

        Raises:
            Unavailable: it is not written, and never will be.
        """
        is_ok = decision.outcome == "ok"
        words: dict[str, Value] = {
            "verdict": VERDICTS[decision.outcome],
            "reason": decision.reason,
            "verdict_sequence": decision.sequence,
            "release_part": decision.part if is_ok else "",
            "release": decision.sequence if is_ok else 0,
        }
        if not is_ok:  # first of all
            words = {"release": 0, **{name: words[name] for name in words if name != "release"}}
        with self._using:
            self._check(decision.sequence)
            self._write(words)

    def beat(self, count: int, *, is_ready: bool, reason: str) -> None:
        """Say that a self-test was passed, or why not.

        Raises:
            Unavailable: the controller is away.
        """
        words: dict[str, Value] = {"heartbeat": count & 0x7FFFFFFF, "ready": is_ready}
        if not is_ready:
            words = {"reason": reason, **words}
        with self._using:
            if self._standing is None:
                raise Unavailable(f"{self._problem}.")
            self._write(words)

    def stands(self, sequence: int) -> bool:
        """Whether this is still the part in place, and all its words are those that were told;
        False also when the controller is away. It is asked: a picture that was taken before is
        of no other part then."""
        with self._news:  # whoever else told of it may be faster
            self._news.wait_for(lambda: sequence in self._came or self._standing is None, LOOK_S)
            if sequence not in self._came:
                return False
        with self._using:
            try:
                now = self._wire.read()
            except Unavailable:
                self._lost()
                return False
        told = self._given
        if told is None or told.sequence != sequence:
            return now.sequence == sequence
        if now != told:
            log.warning("part %d: the words were %s, now they are %s", sequence, told, now)
        return now == told

    def accepted(self) -> int | None:
        """The last sequence that the gate let leave; None: it does not say, or is away."""
        with self._using:
            if self._standing is None:
                return None
            try:
                return self._wire.accepted()
            except Unavailable:
                return None

    def problem(self) -> str:
        """Why it is away; empty: it is connected."""
        return self._problem

    def close(self) -> None:
        self._stopped.set()
        self._thread.join()

    def _check(self, sequence: int) -> None:
        if self._standing is None:
            raise Unavailable(f"{self._problem}: part {sequence} is not released.")
        if sequence not in self._came:
            raise Unavailable(
                f"part {sequence} came before the connection was made: it is not released."
            )
        self._came.remove(sequence)

    def _write(self, words: dict[str, Value]) -> None:
        try:
            self._wire.write(words)
        except Unavailable:
            self._lost()
            raise

    def _lost(self, problem: str = AWAY) -> None:
        with self._news:
            self._standing, self._next, self._problem = None, None, problem
            self._came.clear()

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopped.is_set():
            try:
                self._connect()
                wait_s = FIRST_WAIT_S
                while not self._stopped.is_set() and self._standing is not None:
                    self._look()
                self._lost()
            except TenfoldError as error:
                log.warning("controller: %s", error)
                self._lost(str(error.args[0]).rstrip("."))
            except Exception:
                log.exception("defect in the link to the controller")
                self._lost("defect in the link to the controller")
            with self._using:
                self._wire.close()
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _connect(self) -> None:
        """What stands there now is stale: nobody knows how long the part is there."""
        with self._using:
            standing = self._wire.connect()
            self._wire.write({"release": 0, "release_part": ""})
        with self._news:
            self._standing, self._next, self._problem = standing, None, ""
            self._newest = None
            self._came.clear()
        log.info("controller connected, sequence %d stands there", standing)

    def _look(self) -> None:
        sequence = self._wire.watch(LOOK_S)
        if sequence is None or sequence == self._standing:
            return
        at_s = time.monotonic()
        read = self._wire.read() if sequence else Trigger(0)
        self._take_back(read.sequence)
        with self._news:
            if self._standing is None or read.sequence == self._standing:
                return
            if read.sequence == 0:
                self._standing = 0
                return
            if self._next is not None:
                log.warning("part %d was not looked at: %d came", self._next.sequence, sequence)
            is_first = self._newest is None
            words = (read.sequence, read.part, read.serial, read.lot)
            self._next = Trigger(*words, at_s, is_first=is_first)
            self._standing = self._newest = read.sequence
            self._came.append(read.sequence)
            self._news.notify_all()

    def _take_back(self, sequence: int) -> None:
        if sequence == 0 or self._newest is None or is_after(sequence, self._newest):
            return
        log.warning("the sequence went back from %d to %d", self._newest, sequence)
        with self._using:
            self._write({"release": 0, "release_part": ""})

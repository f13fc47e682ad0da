"""Whom a station tells beside the controller. None of them can hold anything up: each has a thread
and a short queue of its own, and what it cannot take in time is dropped and counted."""

import logging
import queue
import threading
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from importlib import import_module
from typing import Any, Literal, Protocol

from tenfold.apps.line.station import ToMqtt, ToWebhook
from tenfold.apps.line.values import Decision
from tenfold.errors import TenfoldError

log = logging.getLogger(__name__)

OUTPUTS = {
    "mqtt": "tenfold.apps.line.outputs.mqtt:MqttOutput",
    "webhook": "tenfold.apps.line.outputs.webhook:WebhookOutput",
}
"""Kind in the spec → import path."""
MOST_WAITING = 100
END_S = 2.0
Subject = Literal["verdict", "state"]


class Output(Protocol):
    def send(self, subject: Subject, body: Mapping[str, Any]) -> None:
        """
        Raises:
            Unavailable: it was not told, and will not be.
        """
        ...

    def close(self) -> None: ...


def open_output(spec: ToMqtt | ToWebhook) -> Output:
    """
    Raises:
        Unsupported: its library is not installed.
    """
    module, name = OUTPUTS[spec.kind].split(":")
    return getattr(import_module(module), name)(spec)


class Beside:
    """One output with its queue."""

    def __init__(self, name: str, output: Output) -> None:
        self.name, self._output = name, output
        self.dropped = 0
        """Told to nobody, since it was away or too slow."""
        self.problem = ""
        """Why the last one was not told; empty: it was."""
        self._waiting: queue.Queue[tuple[Subject, Mapping[str, Any]] | None]
        self._waiting = queue.Queue(MOST_WAITING)
        self._thread = threading.Thread(target=self._run, name=f"output {name}", daemon=True)
        self._thread.start()

    def tell(self, subject: Subject, body: Mapping[str, Any]) -> None:
        try:
            self._waiting.put_nowait((subject, body))
        except queue.Full:
            self.dropped += 1
            self.problem = f"{self.name} is too slow"

    def close(self) -> None:
        """Within two seconds; what still waits may be lost."""
        try:
            self._waiting.put(None, timeout=END_S)
            self._thread.join(END_S)
        except queue.Full:
            pass
        self._output.close()

    def _run(self) -> None:
        while (one := self._waiting.get()) is not None:
            try:
                self._output.send(*one)
                self.problem = ""
            except TenfoldError as error:
                self.dropped += 1
                if not self.problem:
                    log.warning("%s: %s", self.name, error)
                self.problem = str(error.args[0])


class Outputs:
    def __init__(self, specs: Sequence[ToMqtt | ToWebhook] = ()) -> None:
        self.all = tuple(Beside(one.kind, open_output(one)) for one in specs)

    def put(self, decision: Decision) -> None:
        body = {
            "sequence": decision.sequence,
            "part": decision.part,
            "outcome": decision.outcome,
            "reason": decision.reason,
            "at": datetime.now(UTC).isoformat(),
        }
        for one in self.all:
            one.tell("verdict", body)

    def beat(self, count: int, *, is_ready: bool, reason: str) -> None:
        for one in self.all:
            one.tell("state", {"heartbeat": count, "ready": is_ready, "reason": reason})

    def close(self) -> None:
        for one in self.all:
            one.close()

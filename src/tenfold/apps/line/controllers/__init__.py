"""Controllers (PLC) that a station can work for: by OPC UA and by Modbus TCP."""

from collections.abc import Mapping, Sequence
from importlib import import_module
from typing import Protocol

from tenfold.apps.line.station import ControllerLight, Modbus, OpcUa
from tenfold.apps.line.values import Trigger

WIRES = {
    "opcua": "tenfold.apps.line.controllers.opcua:OpcUaWire",
    "modbus": "tenfold.apps.line.controllers.modbus:ModbusWire",
}
"""Kind in the spec → import path."""
EXTRA = "pip install 'tenfold[line]'"
Value = int | str | bool
VERDICTS = {"ok": 1, "reject": 2, "manual": 3}
"""Outcome → what stands in `verdict`; 0: nothing yet."""


class Wire(Protocol):
    """A protocol's own part. What it cannot do it raises as `Unavailable`; it never connects
    again by itself, and what could not be written is not written later."""

    def connect(self) -> int:
        """Connect, set the lights, and return the `sequence` that stands there."""
        ...

    def watch(self, timeout_s: float) -> int | None:
        """A `sequence` that changed; None: it did not in time, and the connection holds.

        Called from one thread alone."""
        ...

    def read(self) -> Trigger:
        """The words of the controller as they stand."""
        ...

    def accepted(self) -> int | None:
        """The last `sequence` that the gate let leave; None: the controller does not say."""
        ...

    def write(self, words: Mapping[str, Value]) -> None:
        """Write words of the station, in this order."""
        ...

    def examine(self) -> list[tuple[str, str]]:
        """(word, what is wrong with it) after `connect`."""
        ...

    def close(self) -> None: ...


def open_wire(spec: OpcUa | Modbus, lights: Sequence[ControllerLight] = ()) -> Wire:
    """
    Raises:
        Unsupported: its library is not installed.
    """
    module, name = WIRES[spec.kind].split(":")
    return getattr(import_module(module), name)(spec, lights)

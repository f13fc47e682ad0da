"""A controller by Modbus TCP, with pymodbus: holding registers, polled."""

import logging
import threading
import time
from collections.abc import Mapping, Sequence
from typing import Any

from tenfold.apps.line.controllers import EXTRA, Value
from tenfold.apps.line.station import (
    FROM_CONTROLLER,
    FROM_STATION,
    TEXTS,
    ControllerLight,
    Modbus,
)
from tenfold.apps.line.values import Trigger
from tenfold.errors import DataError, Unavailable, Unsupported

try:
    from pymodbus.client import ModbusTcpClient
    from pymodbus.exceptions import ModbusException
except ImportError as error:
    raise Unsupported("Modbus needs the extra `line`.", hint=EXTRA) from error

MOST_REGISTERS = 123
"""In one request."""


class ModbusWire:
    def __init__(self, spec: Modbus, lights: Sequence[ControllerLight] = ()) -> None:
        self._spec, self._lights = spec, lights
        self._client: Any = None
        self._asking = threading.Lock()
        self._last: int | None = None

    def connect(self) -> int:
        spec = self._spec
        logging.getLogger("pymodbus").setLevel(logging.CRITICAL)  # it logs what it also raises
        # A request that is sent again might be written late: no retries.
        self._client = ModbusTcpClient(spec.host, port=spec.port, timeout=spec.timeout_s, retries=0)
        if not self._client.connect():
            raise self._away("nothing is there")
        for light in self._lights:
            self._put(int(light.tag), [light.value])
        self._last = self._number("sequence")
        return self._last

    def watch(self, timeout_s: float) -> int | None:
        end = time.monotonic() + timeout_s
        while (now := time.monotonic()) < end:
            sequence = self._number("sequence")
            if sequence != self._last:
                self._last = sequence
                return sequence
            time.sleep(min(self._spec.poll_ms / 1000, end - now))
        return None

    def read(self) -> Trigger:
        part, serial, lot = (self._text(word) for word in ("part", "serial", "lot"))
        return Trigger(self._number("sequence"), part, serial, lot)

    def accepted(self) -> int | None:
        return None if self._spec.registers.accepted is None else self._number("accepted")

    def write(self, words: Mapping[str, Value]) -> None:
        """A request for each word, or for several that lie side by side in this order."""
        block: list[int] = []
        start = 0
        encoded = {word: self._encoded(word, value) for word, value in words.items()}
        for word, registers in encoded.items():
            at = getattr(self._spec.registers, word)
            beside = block and at == start + len(block)
            if beside and word != "release" and len(block) + len(registers) <= MOST_REGISTERS:
                block += registers
                continue
            if block:
                self._put(start, block)
            start, block = at, registers
        if block:
            self._put(start, block)

    def examine(self) -> list[tuple[str, str]]:
        found: list[tuple[str, str]] = []
        for word in (*FROM_CONTROLLER, *FROM_STATION):
            at = getattr(self._spec.registers, word)
            if at is None:
                continue
            try:
                self._text(word) if word in TEXTS else self._get(word)
            except Unavailable as error:
                found.append((word, str(error.args[0])))
        return found

    def close(self) -> None:
        client, self._client = self._client, None
        if client is not None:
            client.close()

    def _number(self, word: str) -> int:
        high, low = self._get(word)
        return high << 16 | low

    def _text(self, word: str) -> str:
        if getattr(self._spec.registers, word) is None:
            return ""
        data = b"".join(one.to_bytes(2, "big") for one in self._get(word))
        return data.split(b"\0", 1)[0].decode("utf-8", "replace").rstrip()

    def _encoded(self, word: str, value: Value) -> list[int]:
        size = self._spec.registers.size(word)
        if not isinstance(value, str):
            number = int(value)
            return [number] if size == 1 else [number >> 16 & 0xFFFF, number & 0xFFFF]
        data = value.encode()
        if len(data) > 2 * size:
            if word != "reason":
                raise DataError(
                    f"{value!r} has more than the {2 * size} letters of {word}.",
                    where=f"{self._spec.host}:{self._spec.port}",
                    hint="Give the registers more `letters`.",
                )
            data = data[: 2 * size].decode("utf-8", "ignore").encode()
        data = data.ljust(2 * size, b"\0")
        return [int.from_bytes(data[i : i + 2], "big") for i in range(0, len(data), 2)]

    def _get(self, word: str) -> list[int]:
        registers = self._spec.registers
        at, size = getattr(registers, word), registers.size(word)
        return self._asked("read_holding_registers", at, count=size).registers

    def _put(self, at: int, registers: list[int]) -> None:
        self._asked("write_registers", at, values=registers)

    def _asked(self, name: str, at: int, **what: Any) -> Any:
        """pymodbus connects again by itself, unnoticed: it must not, since what stands there
        after that is stale."""
        with self._asking:
            client = self._client
            if client is None or not client.connected:
                raise self._away("the connection is lost")
            try:
                reply = getattr(client, name)(at, device_id=self._spec.unit, **what)
            except (ModbusException, OSError) as error:
                client.close()
                raise self._away(str(error)) from error
        if reply.isError():
            raise self._away(f"register {at} is refused ({reply})")
        return reply

    def _away(self, why: str) -> Unavailable:
        return Unavailable(
            f"the controller does not answer: {why}.",
            where=f"{self._spec.host}:{self._spec.port}",
            hint="Is it switched on, and is the address right? `tenfold line check` tells.",
        )

"""A plant to try a station on: the servers of `examples/line`, moved by hand or by its conveyor."""

import contextlib
import json
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest

from tenfold.apps.line.station import Modbus, OpcUa, Tags

EXAMPLE = Path(__file__).parent.parent / "examples" / "line"
sys.path.insert(0, str(EXAMPLE))
for library in ("asyncua", "pymodbus"):
    pytest.importorskip(library, reason="the extra `line` is not installed")

from belt import BeltPart, Gate  # noqa: E402
from cable import Cable  # noqa: E402
from controller import FROM_STATION, Words, serve_modbus, serve_opcua  # noqa: E402

FAR_S = 1e12


def free_port() -> int:
    with socket.socket() as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


def soon(claim: Callable[[], Any], *, within_s: float = 10.0) -> Any:
    """What `claim` says once it is true."""
    end = time.monotonic() + within_s
    while not (said := claim()):
        assert time.monotonic() < end, f"not so within {within_s:g} s"
        time.sleep(0.01)
    return said


class Bench:
    """A controller whose conveyor is moved by hand, behind a cable that can be cut."""

    def __init__(self, kind: str) -> None:
        self.kind, self.port = kind, free_port()
        self.words = Words(Gate())
        serve = serve_opcua if kind == "opcua" else serve_modbus
        self._server = serve(self.words, self.port)
        self.renew()

    def renew(self) -> None:
        """As it was at first; making the server again takes seconds."""
        self.gate = self.words.gate = Gate()
        self.cable = Cable(0, self.port)
        self.words.set(part="", serial="", lot="", sequence=0, accepted=0)
        for word in FROM_STATION:
            self.words.values[word] = "" if word in ("reason", "release_part") else 0

    def spec(self, **changes: Any) -> OpcUa | Modbus:
        port = changes.pop("port", self.cable.port)
        if self.kind == "opcua":
            tags = changes.pop("tags", Tags(prefix="ns=2;s=Line."))
            return OpcUa(kind="opcua", url=f"opc.tcp://127.0.0.1:{port}/", tags=tags, **changes)
        return Modbus(kind="modbus", host="127.0.0.1", port=port, **changes)

    def bring(self, sequence: int, number: str = "4711", serial: str = "", lot: str = "") -> None:
        """A part comes before the camera, and waits there."""
        self.gate.enter(BeltPart(sequence, number, serial, "", False, FAR_S))
        self.words.set(part=number, serial=serial, lot=lot, sequence=sequence)

    def pass_all(self) -> dict[str, int]:
        """All parts come to the gate; the counts after that."""
        self.gate.passing(FAR_S)
        return self.gate.told()

    def close(self) -> None:
        self.cable.close()
        if self.kind == "opcua":
            self._server.stop()


@contextlib.contextmanager
def running(name: str, *arguments: Any, python: str = sys.executable) -> Iterator[Any]:
    """A program of the example, once it says that it is ready."""
    command = [python, str(EXAMPLE / name), *map(str, arguments)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as process:
        try:
            assert process.stdout.readline() == "ready\n"
            yield process
        finally:
            process.kill()


def counts_of(process: Any, *, within_s: float = 30.0) -> dict[str, int]:
    """What the conveyor counted, once all parts have passed."""
    return json.loads(process.communicate(timeout=within_s)[0])

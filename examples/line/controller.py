"""A controller (PLC) with a conveyor to try a station on: real OPC UA and Modbus servers, parts
that come by the clock, and a gate that opens for a release alone. `--help` lists what it can do."""

import argparse
import asyncio
import contextlib
import json
import logging
import os
import random
import socket
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path

from asyncua import ua
from asyncua.sync import Server
from belt import BeltPart, Gate
from pymodbus.server import ModbusTcpServer
from pymodbus.simulator import DataType, SimData, SimDevice

NUMBERS = {"sequence": 0, "accepted": 50, "release": 52, "verdict_sequence": 87, "heartbeat": 89}
TEXTS = {"part": 2, "serial": 18, "lot": 34, "release_part": 54, "reason": 71}
SMALL = {"verdict": 70, "ready": 91}
"""Word → its first Modbus register: the station's own layout, see docs/line.md."""
FROM_STATION = {
    "verdict", "reason", "verdict_sequence", "release_part", "release", "heartbeat", "ready",
}  # fmt: skip
LETTERS, REGISTERS = 32, 100
TYPES = dict.fromkeys(NUMBERS, ua.VariantType.UInt32) | dict.fromkeys(TEXTS, ua.VariantType.String)
TYPES |= {"verdict": ua.VariantType.UInt16, "ready": ua.VariantType.Boolean}


class Words:
    """The contract's words, which both servers read and write."""

    def __init__(self, gate: Gate, told: Path | None = None) -> None:
        self.gate, self._changed = gate, []
        self._told = told.open("a", buffering=1) if told else None
        self.values = dict.fromkeys((*NUMBERS, *SMALL), 0) | dict.fromkeys(TEXTS, "")

    def on_change(self, tell) -> None:
        self._changed.append(tell)

    def set(self, **words) -> None:
        """What the controller itself writes, in this order."""
        for word, value in words.items():
            self.values[word] = value
            for tell in self._changed:
                tell(word, value)

    def written(self, word: str, value) -> None:
        """What the station writes."""
        if word not in FROM_STATION:
            return
        self.values[word] = value
        if word == "verdict_sequence":
            self.gate.judge(value, self.values["verdict"], self.values["reason"])
            self._keep(value)
        elif word == "release":
            self.gate.release(value, self.values["release_part"])

    def _keep(self, sequence: int) -> None:
        if self._told:
            told = {word: self.values[word] for word in ("verdict", "reason")}
            line = {"sequence": sequence, **told, "at_s": time.monotonic()}
            self._told.write(json.dumps(line) + "\n")


def serve_opcua(words: Words, port: int) -> Server:
    """Nodes `ns=2;s=Line.<word>`; `stop` ends it."""
    logging.getLogger("asyncua").setLevel(logging.ERROR)
    server = Server()
    server.set_endpoint(f"opc.tcp://127.0.0.1:{port}/")
    server.set_security_policy([ua.SecurityPolicyType.NoSecurity])
    space = server.register_namespace("urn:tenfold:example:line")
    line = server.nodes.objects.add_object(f"ns={space};s=Line", "Line")
    nodes = {}
    for word, kind in TYPES.items():
        value = words.values[word]
        value = bool(value) if kind is ua.VariantType.Boolean else value
        node = line.add_variable(f"ns={space};s=Line.{word}", word, value, kind)
        nodes[word] = node
        if word in FROM_STATION:
            node.set_writable()
            server.aio_obj.set_attribute_value_setter(node.nodeid, _setter(words, word))

    def tell(word, value):
        node = nodes[word]
        server.write_attribute_value(node.nodeid, ua.DataValue(ua.Variant(value, TYPES[word])))

    server.start()
    words.on_change(tell)
    return server


def _setter(words: Words, word: str):
    def set_value(node, attribute, value):
        node.attributes[attribute].value = value
        words.written(word, value.Value.Value)

    return set_value


def serve_modbus(words: Words, port: int) -> None:
    """Holding registers from 0 on."""
    logging.getLogger("pymodbus").setLevel(logging.ERROR)

    async def asked(function, _start, address, count, registers, values):
        if values is not None and function in (6, 16):
            changed = list(registers)
            changed[address : address + count] = values
            for word, value in _decoded(changed, address, address + count):
                words.written(word, value)
        registers[:REGISTERS] = _encoded(words.values)

    device = SimDevice(1, [SimData(0, REGISTERS, datatype=DataType.REGISTERS)], action=asked)
    ready = threading.Event()

    async def run():
        server = ModbusTcpServer(device, address=("127.0.0.1", port))
        await server.serve_forever(background=True)
        ready.set()
        await asyncio.Event().wait()

    threading.Thread(target=asyncio.run, args=[run()], daemon=True).start()
    if not ready.wait(10):
        raise SystemExit(f"the Modbus server does not listen on port {port}")


def _encoded(values) -> list[int]:
    registers = [0] * REGISTERS
    for word, at in NUMBERS.items():
        registers[at : at + 2] = [values[word] >> 16 & 0xFFFF, values[word] & 0xFFFF]
    for word, at in TEXTS.items():
        data = values[word].encode()[:LETTERS].ljust(LETTERS, b"\0")
        pairs = [int.from_bytes(data[i : i + 2], "big") for i in range(0, LETTERS, 2)]
        registers[at : at + LETTERS // 2] = pairs
    for word, at in SMALL.items():
        registers[at] = int(values[word])
    return registers


def _decoded(registers, start: int, end: int) -> list:
    """Words that begin within the registers, in their order: `release` comes by itself."""
    found = []
    for word, at in sorted((NUMBERS | TEXTS | SMALL).items(), key=lambda one: one[1]):
        if not start <= at < end:
            continue
        if word in NUMBERS:
            found.append((word, registers[at] << 16 | registers[at + 1]))
        elif word in TEXTS:
            data = b"".join(r.to_bytes(2, "big") for r in registers[at : at + LETTERS // 2])
            found.append((word, data.split(b"\0", 1)[0].decode("utf-8", "replace")))
        else:
            found.append((word, registers[at]))
    return found


def serve_counts(gate: Gate, words: Words, port: int) -> None:
    """Counts and words as JSON, to any GET."""

    class Handler(BaseHTTPRequestHandler):
        def do_GET(self):
            body = json.dumps({**gate.told(), "words": words.values}).encode()
            self.send_response(200)
            self.send_header("Content-Length", str(len(body)))
            self.end_headers()
            self.wfile.write(body)

        def log_message(self, *_):
            pass

    server = ThreadingHTTPServer(("127.0.0.1", port), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()


class Conveyor:
    def __init__(self, asked, gate: Gate, words: Words) -> None:
        self._asked, self._gate, self._words = asked, gate, words
        self._rng = random.Random(asked.seed)
        self._barrier = socket.socket(socket.AF_INET, socket.SOCK_DGRAM)
        self._barrier.settimeout(0.2)
        self._log = asked.log.open("a") if asked.log else None
        self._last: BeltPart | None = None
        self._numbers = asked.numbers.split(",")
        self._rabbits = asked.rabbits.split(",") if asked.rabbits else []
        self._pictures = {
            (kind, number): _pictures(asked.pictures, kind, number)
            for kind in ("good", "bad")
            for number in self._numbers
        }

    def run(self) -> None:
        """Parts come until all have come and passed; the gate is watched between them."""
        asked, came, rabbits = self._asked, 0, 0
        while asked.begin_ready and not self._words.values["ready"]:
            time.sleep(0.01)
        next_s = time.monotonic()
        while came < asked.parts or not self._gate.is_empty():
            now_s = time.monotonic()
            is_time = came < asked.parts and now_s >= next_s
            rabbit = self._rabbit(rabbits)
            if is_time and self._may_come(now_s - next_s, rabbit):
                rabbits, came = rabbits + bool(rabbit), came + (not rabbit)
                self._bring(asked.first + came + rabbits - 1, now_s, rabbit)
                next_s = max(now_s, next_s + asked.every)
                next_s += self._rng.uniform(-asked.jitter, asked.jitter)
            for part, leaves in self._gate.passing(now_s):
                self._pass(part, leaves)
            time.sleep(0.001)

    def _rabbit(self, shown: int) -> str:
        """The master part that somebody shows the station next; empty: it needs none now."""
        words, rabbits = self._words.values, self._rabbits
        is_there = bool(words["ready"]) or "red rabbit" in words["reason"] or shown > 0
        is_enough = shown >= len(rabbits) and bool(words["ready"])
        return rabbits[shown % len(rabbits)] if rabbits and is_there and not is_enough else ""

    def _may_come(self, waited_s: float, rabbit: str) -> bool:
        if self._asked.wait_ready and not self._words.values["ready"] and not rabbit:
            return False
        return waited_s >= self._asked.patience or self._last is None or self._last.verdict > 0

    def _bring(self, sequence: int, now_s: float, rabbit: str) -> None:
        asked, rng = self._asked, self._rng
        is_bad = bool(rabbit) or rng.random() < asked.bad_share
        number = rng.choice(self._numbers)
        pictures = self._pictures["bad" if is_bad else "good", number]
        picture = rng.choice(pictures) if pictures else ""
        serial = rabbit or f"S{sequence:08d}"
        part = BeltPart(sequence, number, serial, picture, is_bad, now_s + asked.gate)
        self._gate.enter(part)
        self._last = part
        self._words.set(sequence=0)  # the part before has left its place
        told = {"part": number, "serial": part.serial, "lot": asked.lot}
        is_torn = rng.random() < asked.torn_share
        if not is_torn:
            self._words.set(**told)
        if asked.barrier:  # a part is told when the camera sees it, as a light barrier is placed
            self._show({"sequence": sequence, "picture": picture})
        self._words.set(sequence=sequence)
        if is_torn:  # a fault: the sequence before what belongs to it
            time.sleep(0.005)
            self._words.set(**told)
        if rng.random() < asked.repeat_share:  # a fault: a counter that flickers
            time.sleep(0.003)
            self._words.set(sequence=sequence - 1)
            time.sleep(0.003)
            self._words.set(sequence=sequence)

    def _show(self, told: dict) -> None:
        self._barrier.sendto(json.dumps(told).encode(), ("127.0.0.1", self._asked.barrier))
        with contextlib.suppress(OSError):  # no camera is there; the part comes nevertheless
            self._barrier.recv(100)

    def _pass(self, part: BeltPart, leaves: bool) -> None:
        if leaves:
            self._words.set(accepted=part.sequence)
        if self._log:
            kept = ("sequence", "number", "serial", "picture", "is_bad", "verdict", "reason")
            line = {name: getattr(part, name) for name in kept} | {"released": leaves}
            line["came_s"] = part.due_s - self._asked.gate
            self._log.write(json.dumps(line) + "\n")
            self._log.flush()


def _pictures(folder: Path | None, kind: str, number: str) -> list[str]:
    """Those of the part number, where it has a folder of its own."""
    if folder is None:
        return []
    own = folder / kind / number
    found = own if own.is_dir() else folder / kind
    return sorted(str(p.absolute()) for p in found.iterdir() if p.is_file())


def arguments() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    add = parser.add_argument
    add("--opcua", type=int, metavar="PORT", help="serve OPC UA")
    add("--modbus", type=int, metavar="PORT", help="serve Modbus TCP")
    add("--counts", type=int, metavar="PORT", help="serve the counts as JSON by HTTP")
    add("--parts", type=int, default=500)
    add("--first", type=int, default=1, help="sequence of the first part")
    add("--every", type=float, default=0.5, metavar="S", help="a part comes every so often")
    add("--gate", type=float, default=0.4, metavar="S", help="from the camera to the gate")
    add("--jitter", type=float, default=0.0, metavar="S", help="more or less between parts")
    add("--numbers", default="4711", help="part numbers, with commas between")
    add("--rabbits", default="", help="serials of bad master parts, shown while it waits")
    add("--lot", default="L1")
    add("--bad-share", type=float, default=0.1)
    add("--pictures", type=Path, help="folder with the folders good and bad")
    add("--barrier", type=int, metavar="PORT", help="tell the camera by UDP that a part is there")
    add("--wait-ready", action="store_true", help="bring parts only while the station is ready")
    add("--patience", type=float, default=0.0, metavar="S", help="wait so long for a verdict first")
    add("--begin-ready", action="store_true", help="bring none before the station is ready once")
    add("--repeat-share", type=float, default=0.0, help="parts whose sequence flickers")
    add("--torn-share", type=float, default=0.0, help="parts told with the sequence too early")
    add("--log", type=Path, help="a line of JSON for each part at the gate")
    add("--told", type=Path, help="a line of JSON for each verdict that was written")
    add("--linger", type=float, default=0.0, metavar="S", help="stay so long after the last part")
    add("--seed", type=int, default=0)
    return parser.parse_args()


def main() -> None:
    asked, gate = arguments(), Gate()
    words = Words(gate, asked.told)
    if asked.opcua:
        serve_opcua(words, asked.opcua)
    if asked.modbus:
        serve_modbus(words, asked.modbus)
    if asked.counts:
        serve_counts(gate, words, asked.counts)
    print("ready", flush=True)
    Conveyor(asked, gate, words).run()
    time.sleep(asked.linger)
    print(json.dumps(gate.told()), flush=True)
    os._exit(0)  # the servers' threads would keep it alive


if __name__ == "__main__":
    main()

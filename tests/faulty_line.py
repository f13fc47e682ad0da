"""A line under fire: the plant of `examples/line` beside a station, and all that goes wrong.

Shared by the tests and by `benchmarks/line_faults.py`.
"""

import json
import os
import random
import shutil
import signal
import statistics
import subprocess
import sys
import time
from bisect import bisect_right
from collections import Counter
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.request import urlopen

from plants import EXAMPLE, Cable, free_port
from serving_at import COMMAND
from taught_plates import NUMBERS, STATION, teach_plates
from tenfold.apps.line.controllers import VERDICTS
from tenfold.apps.line.journal import Journal

SPEC = """\
station: {station}
trigger: {{kind: controller}}
controller: {controller}
camera: {{kind: folder, path: {shown}, order: newest, lead_ms: 50}}
deadline_ms: {deadline_ms}
"""
CONTROLLERS = (
    '{{kind: opcua, url: "opc.tcp://127.0.0.1:{port}", tags: {{prefix: "ns=2;s=Line."}}}}',
    "{{kind: modbus, host: 127.0.0.1, port: {port}}}",
)
GATE_S, DEADLINE_S = 0.4, 0.35
"""From the camera to the gate; what the station has of it."""
DISK_BYTES = 12_000_000_000
DOWN_S = {"cut": (0.2, 1.5), "blind": (0.3, 1.5), "full": (2.0, 3.0)}
"""How long a fault lasts, at random between."""
START_S, STUCK_S, FULL_S = 120.0, 60.0, 90.0
FULL = ("disk full", "not recorded")


@dataclass(frozen=True)
class Plan:
    parts: int
    every_s: float
    faults: Mapping[str, int]
    """`kill`, `cut`, `blind`, `full` → how many."""
    seed: int = 0
    patience_s: float = 0.1
    """The next part comes with the verdict, or so long after it could have come."""


@dataclass
class Fault:
    kind: str
    began_s: float
    """As `time.monotonic` counts, in all processes of this machine."""
    ended_s: float


class Line:
    """Controller with conveyor, camera, cables and a station, each a process of its own."""

    def __init__(self, folder: Path, plan: Plan) -> None:
        self.folder, self.plan = folder, plan
        self.home, self.shown = folder / "home", folder / "shown"
        self._ports = {"--opcua": free_port(), "--modbus": free_port()}
        self.cables = [Cable(0, port) for port in self._ports.values()]
        self._barrier, self._counts = free_port(), free_port()
        self._errors = (folder / "station.log").open("a")
        self.wire = 0
        self.camera = self._run("camera.py", self._barrier, "--folder", self.shown)
        faults = ("--jitter", plan.every_s / 4, "--torn-share", 0.02, "--repeat-share", 0.02)
        self.controller = self._run(
            "controller.py", *(word for pair in self._ports.items() for word in pair),
            "--counts", self._counts, "--parts", plan.parts, "--every", plan.every_s,
            "--gate", GATE_S, "--numbers", ",".join(NUMBERS), "--bad-share", 0.3,
            "--pictures", folder / "pictures", "--barrier", self._barrier, "--begin-ready",
            "--log", folder / "gate.log", "--told", folder / "told.log", "--seed", plan.seed,
            "--patience", plan.patience_s,
            "--linger", 3600, *faults,
        )  # fmt: skip
        self.station = self._started()

    def _run(self, name: str, *words: Any) -> "subprocess.Popen[str]":
        command = [sys.executable, str(EXAMPLE / name), *map(str, words)]
        process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
        assert process.stdout is not None
        assert process.stdout.readline() == "ready\n", name
        return process

    def _started(self) -> "subprocess.Popen[bytes]":
        controller = CONTROLLERS[self.wire].format(port=self.cables[self.wire].port)
        ms = int(1000 * DEADLINE_S)
        words = {"station": STATION, "controller": controller, "shown": self.shown}
        (self.folder / "station.yaml").write_text(SPEC.format(**words, deadline_ms=ms))
        return subprocess.Popen(
            [*COMMAND, "line", "run", str(self.folder / "station.yaml"), "--json"],
            env={**os.environ, "TENFOLD_HOME": str(self.home)},
            stdout=subprocess.DEVNULL,
            stderr=self._errors,
        )

    def kill(self) -> None:
        """-9, and started again at once by the other protocol."""
        self.station.send_signal(signal.SIGKILL)
        self.station.wait(10)
        self.wire = 1 - self.wire
        self.station = self._started()

    def cut(self, down_s: float, *, stalls: bool) -> None:
        cable = self.cables[self.wire]
        cable.stall() if stalls else cable.cut()
        time.sleep(down_s)
        cable.mend()

    def blind(self, down_s: float, *, whole: bool) -> None:
        """The camera is off; or its folder is away too, which the station can see."""
        self.camera.kill()
        self.camera.wait(10)
        away = self.shown.with_name("away")
        if whole:
            self.shown.rename(away)
        time.sleep(down_s)
        if whole:
            away.rename(self.shown)
        self.camera = self._run("camera.py", self._barrier, "--folder", self.shown)

    def full(self, down_s: float) -> None:
        """Not a byte is left on the disk of the station: for some time the journal writes where
        it wrote before, then it says that it cannot, and so it stays for `down_s`."""
        filler = self.home / "filler"
        with filler.open("wb") as file:
            ends = time.monotonic() + FULL_S
            while time.monotonic() < ends:
                _fill(file)
                time.sleep(0.1)
                words = self.told()["words"]
                if words["reason"] in FULL and not words["ready"]:
                    ends = min(ends, time.monotonic() + down_s)
        filler.unlink()

    def told(self) -> dict[str, Any]:
        with urlopen(f"http://127.0.0.1:{self._counts}") as answer:
            return json.load(answer)

    def close(self) -> None:
        for one in (self.station, self.controller, self.camera):
            if one.poll() is None:
                one.kill()
            one.wait(10)
        for cable in self.cables:
            cable.close()
        self._errors.close()


def _fill(file: Any) -> None:
    for size in (100_000_000, 1_000_000, 4096, 1):
        try:
            while True:
                at = file.seek(0, os.SEEK_END)
                if size > 4096:
                    os.posix_fallocate(file.fileno(), at, size)
                else:
                    os.write(file.fileno(), b"x" * size)
        except OSError:
            continue


@contextmanager
def small_disk(folder: Path) -> Iterator[None]:
    """A disk of its own for `folder`: a file system in a file."""
    image = folder.with_name(f"{folder.name}.img")
    with image.open("wb") as file:
        file.truncate(DISK_BYTES)
    subprocess.run(["mkfs.ext4", "-q", "-m", "0", image], check=True)
    folder.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "-o", "loop", image, folder], check=True)
    try:
        yield
    finally:
        subprocess.run(["umount", folder], check=True)


def live_through(folder: Path, plan: Plan) -> dict[str, Any]:
    """What came of a plan: see `audit`. A full disk is skipped, and it says so, where no file
    system can be mounted."""
    can_fill = os.geteuid() == 0 and shutil.which("mkfs.ext4") is not None
    if plan.faults.get("full") and can_fill:
        with small_disk(folder / "home"):
            return _lived(folder, plan)
    return _lived(folder, plan, skipped="" if can_fill else "a full disk: needs root")


def _lived(folder: Path, plan: Plan, *, skipped: str = "") -> dict[str, Any]:
    teach_plates(folder)
    line = Line(folder, plan)
    try:
        faults = _under_fire(line, plan, skips=bool(skipped))
        _wait_for(lambda: _passed(line) >= plan.parts, line)
        counts = line.told()
    finally:
        line.close()
    return audit(folder, counts, faults) | ({"skipped": skipped} if skipped else {})


def _under_fire(line: Line, plan: Plan, *, skips: bool) -> list[Fault]:
    rng, done = random.Random(plan.seed), list[Fault]()
    kinds = [
        kind for kind, n in plan.faults.items() for _ in range(n) if kind != "full" or not skips
    ]
    rng.shuffle(kinds)
    for number, kind in enumerate(kinds):
        first = (number + rng.uniform(0.2, 0.8)) * plan.parts / (len(kinds) + 0.5)
        _wait_for(lambda first=first: line.told()["came"] >= first, line)
        began_s = time.monotonic()
        down_s = rng.uniform(*DOWN_S.get(kind, (0, 0)))
        match kind:
            case "kill":
                line.kill()
            case "cut":
                line.cut(down_s, stalls=rng.random() < 0.5)
            case "blind":
                line.blind(down_s, whole=rng.random() < 0.5)
            case _:
                line.full(down_s)
        ended_s = began_s if kind == "kill" else time.monotonic()
        done.append(Fault(kind, began_s, ended_s))
    return done


def _passed(line: Line) -> int:
    told = line.told()
    return told["released"] + told["rejected"]


def _wait_for(claim: Callable[[], bool], line: Line) -> None:
    """Until it is so; a line on which nothing comes any more is stuck."""
    last, since_s = -1, time.monotonic()
    while not claim():
        came, now_s = line.told()["came"], time.monotonic()
        if came != last:
            last, since_s = came, now_s
        stuck_s = STUCK_S if came else START_S
        assert now_s - since_s < stuck_s, f"nothing comes any more: {line.told()}"
        assert line.station.poll() is None, "the station ended by itself: see station.log"
        time.sleep(0.05)


def audit(folder: Path, counts: Mapping[str, Any], faults: list[Fault]) -> dict[str, Any]:
    """The controller's counts, and what of its log the journal does not hold."""
    told, gate = _lines(folder / "told.log"), _lines(folder / "gate.log")
    journal = Journal(folder / "home" / "line" / STATION / "journal.sqlite")
    looks = journal.find()
    journal.close()
    kept = {look.sequence: look for look in looks}
    lost = [one for one in told if not _is_kept(one["sequence"], one["verdict"], kept)]
    lost += [one for one in gate if one["released"] and not _is_released(one, kept)]
    doubled = len(looks) - len(kept)
    seconds = told[-1]["at_s"] - told[0]["at_s"]
    judged = sum(1 for one in gate if one["verdict"])
    return {
        "parts": counts["came"],
        "seconds": round(seconds, 1),
        "parts_per_s": round(counts["came"] / seconds, 1),
        "judged": judged,
        "judged_share": round(judged / counts["came"], 4),
        **{name: counts[name] for name in ("released", "rejected", "released_unjudged")},
        "released_wrong_part": counts["released_wrong_part"],
        "released_bad": counts["released_bad"],
        "refused_by_gate": counts["misfits"],
        "late_at_gate": counts["late"],
        "lost_verdicts": len(lost) + doubled,
        "looks": len(looks),
        "reasons": dict(Counter(look.reason for look in looks).most_common(12)),
        "tracebacks": (said := (folder / "station.log").read_text()).count("Traceback"),
        "not_recorded": said.count("is not recorded"),
        **_of_faults(faults, sorted(one["came_s"] for one in gate if one["verdict"])),
    }


def _lines(path: Path) -> list[dict[str, Any]]:
    return [json.loads(line) for line in path.read_text().splitlines()]


def _is_kept(sequence: int, verdict: int, kept: Mapping[int, Any]) -> bool:
    return sequence in kept and VERDICTS[kept[sequence].outcome] == verdict


def _is_released(one: Mapping[str, Any], kept: Mapping[int, Any]) -> bool:
    look = kept.get(one["sequence"])
    return look is not None and (look.outcome, look.part) == ("ok", one["number"])


def _of_faults(faults: list[Fault], judged_s: list[float]) -> dict[str, Any]:
    names = {
        "kill": ("kills", "restart_s"),
        "cut": ("disconnections", "reconnect_s"),
        "blind": ("camera_losses", "camera_back_s"),
        "full": ("full_disks", "disk_back_s"),
    }
    found: dict[str, Any] = {}
    for kind, (name, blind) in names.items():
        ends = [fault.ended_s for fault in faults if fault.kind == kind]
        waits = [_next(judged_s, end_s) - end_s for end_s in ends]
        found |= {name: len(ends), blind: round(statistics.median(waits), 2) if waits else None}
    return found


def _next(judged_s: list[float], after_s: float) -> float:
    place = bisect_right(judged_s, after_s)
    return judged_s[place] if place < len(judged_s) else judged_s[-1]

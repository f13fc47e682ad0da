"""One process answers for 34,000 heads: memory, latency, throughput, and what a user has today.

    python benchmarks/serving.py --models 34000
    python benchmarks/serving.py --models 34000 --keep ../fleet-bench    # models are made once

Every head is real (see `fleet.py`) and asked about real pictures of its own dataset, at random over
all heads, 5 % of them anomaly heads with maps. Load comes from a process of its own over loopback
(`serving_load.py`). Ratios are of rounds that take turns, medians of them.

What a user has today: one whole network per model, each an OpenVINO session of its own at the same
precision, in one process (`sessions`).
"""

import argparse
import json
import random
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

import tenfold
from common import DATA, publish
from fleet import fresh_home, make, prepare
from fleet_tasks import write_fleets
from tenfold.catalog import datasets, deployments, models
from tenfold.catalog.models import Search
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.runtime.kept import Kept
from tenfold.runtime.panel import Panels, ask
from tenfold.runtime.shelf import Shelf
from tenfold.workspace import Workspace

COMMAND = [sys.executable, "-c", "from tenfold.cli import main; main()"]
LOAD = Path(__file__).parent / "serving_load.py"
ROUNDS = 3
SECONDS = 15.0
RATE_SHARE = 0.4
"""Of what one model alone can answer: the rate at which latencies are compared."""
REQUESTS = 4000
PANEL = 20
SESSIONS = (1, 20, 100)


@dataclass(frozen=True, slots=True)
class Server:
    url: str
    seconds: float
    memory_mb: float
    pid: int


class BareTrunk:
    """The trunk alone, on canvases that are ready: nothing else is at work."""

    def __init__(self, workspace: Workspace, plan: Path) -> None:
        (ref,) = deployments.heads_of(workspace.scope, [_linear(workspace)[0].id])
        runtime = runtime_of(workspace)
        packs = workspace.settings.home / "packs"
        head = Shelf(workspace.blobs, runtime, packs, Kept(1)).head(ref)
        files = [one["file"] for one in json.loads(plan.read_text())][:400]
        asks = [ask([head], decode(Path(file).read_bytes(), where=file)) for file in files]
        given = head.manifest.inputs[0]
        self._trunk = runtime.trunk(given, head.manifest.precision, ("pooled",))
        self._canvases = [next(iter(one.canvases.values())) for one in asks]

    def per_second(self) -> float:
        """Pictures a second."""
        began, pending = time.perf_counter(), []
        for square in self._canvases:
            if len(pending) == 2 * self._trunk.streams:
                pending.pop(0).result()
            pending.append(self._trunk.start(square))
        for one in pending:
            one.result()
        return len(self._canvases) / (time.perf_counter() - began)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", type=int, default=34000)
    options.add_argument("--keep", type=Path, help="folder whose models are kept")
    chosen = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    with tempfile.TemporaryDirectory(prefix="tenfold-serving-") as name:
        scratch = Path(name)
        home = deployed(chosen.keep or scratch, chosen.models)
        alone = one_model(home, scratch)
        with tenfold.opened(home) as workspace:
            plans = write_plans(workspace, scratch)
            trunk = BareTrunk(workspace, plans["alone"])
        result = {"models": chosen.models} | compared(home, alone, plans, trunk)
        with tenfold.opened(home) as workspace:
            result |= against_sessions(workspace, scratch)
        publish(result)


def deployed(folder: Path, count: int) -> Path:
    """A home where so many heads are made and deployed; found again where it is whole."""
    home = folder / "home"
    if not _is_whole(home, count):
        prepare(folder)
        home = fresh_home(folder)
        with tenfold.opened(home) as workspace:
            files = write_fleets(workspace, folder, count)
        for path in files.values():
            make(home, path)
        with tenfold.opened(home) as workspace:
            for fleet in ("bench-linear", "bench-anomaly"):
                tenfold.deploy_fleet(workspace, fleet, unproven=True)
    return home


def _is_whole(home: Path, count: int) -> bool:
    if not (home / "catalog.sqlite").exists():
        return False
    with tenfold.opened(home) as workspace:
        live = [one for one in deployments.changed(workspace.scope) if one.state == "live"]
        return len(live) == count


def one_model(home: Path, scratch: Path) -> Path:
    """A copy of the home where one linear head alone is deployed."""
    alone = scratch / "alone"
    alone.mkdir()
    for path in home.iterdir():
        if path.name in ("blobs", "trunks", "features"):
            (alone / path.name).symlink_to(path.absolute())
        elif path.name.startswith(("catalog", "machine")):
            shutil.copy2(path, alone / path.name)
    with tenfold.opened(alone) as workspace:
        every = deployments.changed(workspace.scope)
        kept = _linear(workspace)[0].task
        gone = [deployments.Change(d.name, "retire") for d in every if d.name != kept]
        deployments.change(workspace.scope, gone)
    return alone


def _linear(workspace: Workspace) -> list[models.Model]:
    return models.search(workspace.scope, Search(fleet="bench-linear", limit=PANEL * 10))


def write_plans(workspace: Workspace, scratch: Path) -> dict[str, Path]:
    """Requests over all deployments, and over the one that is deployed alone."""
    rng = random.Random(0)
    pictures = _pictures(workspace)
    every = [one for one in deployments.changed(workspace.scope) if one.state == "live"]
    dataset = {ref.model: ref.dataset for ref in deployments.heads(workspace.scope)}
    alone = _linear(workspace)[0]
    many = [rng.choice(every) for _ in range(REQUESTS)]
    plans = {
        "many": [(d.name, rng.choice(pictures[dataset[d.live]])) for d in many],
        "alone": [(alone.task, rng.choice(pictures[alone.dataset])) for _ in range(REQUESTS // 4)],
    }
    written: dict[str, Path] = {}
    for name, plan in plans.items():
        written[name] = scratch / f"{name}.json"
        written[name].write_text(json.dumps([{"name": n, "file": f} for n, f in plan]))
    return written


def _pictures(workspace: Workspace) -> dict[str, list[str]]:
    """Files of each dataset."""
    found: dict[str, list[str]] = {}
    for one in datasets.everything(workspace.scope):
        items = datasets.items_of(workspace.scope, one.name)
        found[one.name] = [str(workspace.blobs.local(item.sha256)) for item in items]
    return found


@contextmanager
def served(home: Path, *more: str, tenant: str = "local") -> Generator[Server]:
    """`tenfold serve` in that home."""
    running = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--json", *more],
        env=_environment(home) | {"TENFOLD_TENANT": tenant},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        began = time.perf_counter()
        told = json.loads(running.stdout.readline())
        seconds = time.perf_counter() - began
        yield Server(told["url"], seconds, told["memory_mb"], running.pid)
    finally:
        running.terminate()
        running.wait(60)


def _environment(home: Path) -> dict[str, str]:
    from fleet import _plain

    return _plain() | {"TENFOLD_HOME": str(home)}


def load(server: Server, plan: Path, **how: float) -> dict[str, Any]:
    """What the load process saw."""
    options = [word for name, value in how.items() for word in (f"--{name}", str(value))]
    run = subprocess.run(
        [sys.executable, LOAD, server.url, plan, *options],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


def compared(home: Path, alone: Path, plans: dict[str, Path], trunk: BareTrunk) -> dict[str, Any]:
    """34,000 heads against one and against the bare trunk, by turns."""
    with served(home) as many, served(alone) as one:
        servers = {"many": many, "alone": one}
        load(one, plans["alone"], connections=4, seconds=5)
        load(many, plans["many"], connections=4, seconds=REQUESTS / 60)  # every head of the plan
        speed: dict[str, list[float]] = {name: [] for name in servers}
        trunks: list[float] = []
        for _ in range(ROUNDS):
            for name, server in servers.items():
                seen = load(server, plans[name], connections=8, seconds=SECONDS)
                speed[name].append(len(seen["answers"]) / seen["seconds"])
            trunks.append(trunk.per_second())
        rate = RATE_SHARE * statistics.median(speed["alone"])
        p95: dict[str, list[float]] = {name: [] for name in servers}
        for _ in range(ROUNDS):
            for name, server in servers.items():
                seen = load(server, plans[name], rate=rate, seconds=SECONDS)
                p95[name].append(float(np.percentile([a["ms"] for a in seen["answers"]], 95)))
        idle = load(one, plans["alone"], connections=1, seconds=SECONDS)
        busy = load(one, plans["alone"], connections=8, seconds=SECONDS)
        memory = {name: anonymous_mb(server.pid) for name, server in servers.items()}
    return {
        "ready_seconds": round(many.seconds, 1),
        "anon_mb": round(memory["many"]),
        "anon_mb_alone": round(memory["alone"]),
        "rate_per_second": round(rate, 1),
        "p95_ms": {name: round(statistics.median(all_), 1) for name, all_ in p95.items()},
        "p95_ratio": round(_ratio(p95), 3),
        "many_per_second": round(statistics.median(speed["many"]), 1),
        "alone_per_second": round(statistics.median(speed["alone"]), 1),
        "throughput_ratio": round(_ratio(speed), 3),
        "bare_trunk_per_second": round(statistics.median(trunks), 1),
        "saturation_ratio": round(
            statistics.median(a / t for a, t in zip(speed["alone"], trunks, strict=True)), 3
        ),
        "overhead_idle": round(overhead(idle["answers"]), 3),
        "overhead_load": round(overhead(busy["answers"], waiting=True), 3),
    }


def _ratio(rounds: dict[str, list[float]]) -> float:
    return statistics.median(
        many / one for many, one in zip(rounds["many"], rounds["alone"], strict=True)
    )


def overhead(answers: Sequence[dict[str, float]], *, waiting: bool = False) -> float:
    """Share of an answer's time outside decode, trunk and head; waiting in the queue is none."""
    shares: list[float] = []
    for one in answers:
        work = one["decode"] + one["trunk"] + one["head"] + (one["queue"] if waiting else 0.0)
        shares.append(max(0.0, 1 - work / one["ms"]))
    return statistics.median(shares)


def anonymous_mb(pid: int) -> float:
    """Private memory of a server: its parent and its workers."""
    from fleet import _tree

    total = 0
    for process in _tree(pid):
        try:
            lines = Path(f"/proc/{process}/smaps_rollup").read_text().splitlines()
        except (FileNotFoundError, ProcessLookupError):
            continue
        total += sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
    return total / 1024


def against_sessions(workspace: Workspace, scratch: Path) -> dict[str, Any]:
    """A panel of heads on one trunk against as many whole networks."""
    linear = _linear(workspace)
    dataset = linear[0].dataset
    mine = [m for m in linear if m.dataset == dataset][: max(SESSIONS)]
    file = scratch / "network.onnx"
    tenfold.export_onnx(workspace, mine[0].id, file)
    items = datasets.items_of(workspace.scope, dataset)[:20]
    pictures = [str(workspace.blobs.local(item.sha256)) for item in items]
    sessions = {count: _sessions(file, count, pictures) for count in SESSIONS}
    shelf = Shelf(
        workspace.blobs, runtime_of(workspace), workspace.settings.home / "packs", Kept(10**8)
    )
    heads = [shelf.head(ref) for ref in deployments.heads_of(workspace.scope, [m.id for m in mine])]
    heads = heads[:PANEL]
    panels = Panels(shelf.runtime)
    ours_mb = _ours(workspace, mine, pictures[0])
    speeds: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        asks = [ask(heads, decode(Path(p).read_bytes(), where=p)) for p in pictures]
        panels.answer(asks, lambda *_: None)
        speeds.append(len(pictures) / (time.perf_counter() - began))
    panel = statistics.median(speeds)
    return {
        "sessions_mb": {str(n): round(one["mb"]) for n, one in sessions.items()},
        "sessions_per_second": {str(n): round(one["speed"], 2) for n, one in sessions.items()},
        "heads_mb": round(ours_mb),
        "memory_ratio": round(sessions[max(SESSIONS)]["mb"] / ours_mb, 1),
        "panel_heads": len(heads),
        "panel_per_second": round(panel, 1),
        "panel_ratio": round(panel / sessions[PANEL]["speed"], 1),
    }


def _ours(workspace: Workspace, heads: Sequence[models.Model], picture: str) -> float:
    """Memory of one trunk and so many heads, asked once, in a process of its own."""
    ids = json.dumps([model.id for model in heads])
    home = str(workspace.settings.home)
    run = subprocess.run(
        [sys.executable, "-c", HEADS_PROGRAM, home, ids, picture],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


HEADS_PROGRAM = """
import json, sys
import tenfold
from tenfold.catalog import deployments
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.runtime.panel import Panels, ask
from tenfold.runtime.kept import Kept
from tenfold.runtime.shelf import Shelf

def private_kb():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
with tenfold.opened(sys.argv[1]) as workspace:
    refs = deployments.heads_of(workspace.scope, json.loads(sys.argv[2]))
    pixels = decode(open(sys.argv[3], "rb").read(), where="picture")
    before = private_kb()
    folder = workspace.settings.home / "packs"
    shelf = Shelf(workspace.blobs, runtime_of(workspace), folder, Kept(10**8))
    heads = [shelf.head(ref) for ref in refs]
    Panels(shelf.runtime).answer([ask(heads, pixels)], lambda *_: None)
    print((private_kb() - before) / 1024)
"""


def _sessions(file: Path, count: int, pictures: Sequence[str]) -> dict[str, float]:
    """Memory and pictures a second, each asked of all sessions, in a process of its own."""
    run = subprocess.run(
        [sys.executable, "-c", SESSIONS_PROGRAM, file, str(count), json.dumps(list(pictures))],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return json.loads(run.stdout.splitlines()[-1])


SESSIONS_PROGRAM = """
import json, sys, time
import numpy as np
import openvino
from tenfold.formats.pixels import decode

file, count, pictures = sys.argv[1], int(sys.argv[2]), json.loads(sys.argv[3])
def private_kb():
    lines = open("/proc/self/smaps_rollup").read().splitlines()
    return sum(int(line.split()[1]) for line in lines if line.startswith("Private_"))
core = openvino.Core()
options = {"INFERENCE_PRECISION_HINT": "f32", "PERFORMANCE_HINT": "LATENCY"}
first = decode(open(pictures[0], "rb").read(), where="picture")
before = private_kb()
sessions = [core.compile_model(file, "CPU", options).create_infer_request() for _ in range(count)]
def seen(path):
    pixels = decode(open(path, "rb").read(), where=path)
    return np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
for session in sessions:
    session.infer({"image": seen(pictures[0])})
speeds = []
for _ in range(3 if count < 50 else 1):
    some = pictures[: 20 if count <= 20 else 4]
    began = time.perf_counter()
    for path in some:
        pixels = seen(path)
        for session in sessions:
            session.infer({"image": pixels})
    speeds.append(len(some) / (time.perf_counter() - began))
print(json.dumps({"mb": (private_kb() - before) / 1024, "speed": sorted(speeds)[len(speeds) // 2]}))
"""


if __name__ == "__main__":
    main()

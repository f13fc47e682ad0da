"""What a server survives: malformed requests, and being killed under load in durable mode.

    python benchmarks/serving_faults.py [--malformed 10000] [--kills 30]

Real heads of the solar cells. `memory_ratio` is private memory after all malformed requests over
that after the first tenth of them (by then every code path was walked). `lost` are answers that
were given and are not in the record, `doubled` those that are there twice, `booked_gap` what the
ledger counts less or more than the record, `wrong` answers that differ from the same picture's.
"""

import argparse
import hashlib
import socket
import statistics
import sys
import tempfile
import threading
import time
from collections import Counter
from http.client import HTTPException
from pathlib import Path
from typing import Any

from sqlalchemy import func, select

import tenfold
from common import publish

sys.path.insert(0, str(Path(__file__).parent.parent / "tests"))

from malformed import requests
from serving_at import Serving, serving
from tenfold.catalog import datasets
from tenfold.catalog.tables import entries
from tenfold.predictions.history import read
from tenfold.web.server import private_mb

NAME = "station-7/cell"
TASK = """
task: cell
kind: classify
dataset: elpv
question: {positive: [defective], where: {cell: mono}}
bar: {escape: 0.4, overkill: 0.4}
rung: linear
"""
CLIENTS = 4


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--malformed", type=int, default=10_000)
    options.add_argument("--kills", type=int, default=30)
    chosen = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="tenfold-faults-") as name:
        home = Path(name) / "home"
        pictures = made(home)
        publish(malformed(home, pictures, chosen.malformed) | killed(home, pictures, chosen.kills))


def made(home: Path) -> list[bytes]:
    """A deployed head, and pictures of its dataset."""
    with tenfold.opened(home) as workspace:
        tenfold.ingest(workspace, "elpv", name="elpv", format="elpv")
        (home / "cell.yaml").write_text(TASK)
        tenfold.make_all(workspace, [str(home / "cell.yaml")])
        tenfold.deploy(workspace, NAME, "cell", unproven=True)
        items = datasets.items_of(workspace.scope, "elpv")[:20]
        return [workspace.blobs.get(item.sha256) for item in items]


def malformed(home: Path, pictures: list[bytes], count: int) -> dict[str, Any]:
    seen: Counter[int] = Counter()
    memory: list[float] = []
    with serving(home) as server:
        (worker,) = workers_of(server)
        for number, request in enumerate(requests(NAME, seed=0, count=count)):
            seen[status_of(server, request)] += 1
            if number >= count // 10 and number % (count // 50) == 0:
                memory.append(private_mb(worker))
        good = Counter(server.post(f"/predict/{NAME}", data)[0] for data in pictures)
        is_same = workers_of(server) == [worker]
    return {
        "malformed": count,
        "statuses": {str(status): n for status, n in sorted(seen.items())},
        "not_refused": sum(n for status, n in seen.items() if status and not 400 <= status < 500),
        "crashes": 0 if is_same and good == {200: len(pictures)} else 1,
        "memory_ratio": round(statistics.median(memory[-5:]) / statistics.median(memory[:5]), 3),
    }


def workers_of(server: Serving) -> list[int]:
    """Processes that answer."""
    children = Path(f"/proc/{server.process.pid}/task/{server.process.pid}/children")
    names = {
        int(pid): Path(f"/proc/{pid}/cmdline").read_bytes() for pid in children.read_text().split()
    }
    return sorted(pid for pid, line in names.items() if b"spawn_main" in line)


def status_of(server: Serving, request: bytes) -> int:
    """0: the connection was closed before anything was said."""
    host, _, port = server.address.partition(":")
    with socket.create_connection((host, int(port)), timeout=60) as connection:
        try:
            connection.sendall(request)
            head = connection.recv(4096)
        except ConnectionError:
            return 0
        return int(head.split()[1]) if head else 0


def killed(home: Path, pictures: list[bytes], kills: int) -> dict[str, Any]:
    given: dict[str, tuple[str, float, str]] = {}
    generations: set[int] = set()
    for turn in range(kills):
        with serving(home, "--durable") as server:
            stop = threading.Event()
            some = [
                threading.Thread(target=ask, args=(server, pictures, f"{turn}-{n}", given, stop))
                for n in range(CLIENTS)
            ]
            for thread in some:
                thread.start()
            time.sleep(0.2 + 0.05 * (turn % 20))
            server.kill()
            stop.set()
            for thread in some:
                thread.join()
            generations.add(server.told["generation"])
    with serving(home, "--durable"):
        pass  # its end collects what the killed ones left
    rows = read(home / "answers" / "local").to_pylist()
    recorded = Counter(row["id"] for row in rows if row["id"] in given or "-" in row["id"])
    truth: dict[str, set[tuple[str, float]]] = {}
    for label, score, sample in given.values():
        truth.setdefault(sample, set()).add((label, score))
    query = select(func.sum(entries.c.images)).where(entries.c.kind == "serve")
    with tenfold.opened(home) as workspace, workspace.scope.read() as connection:
        booked = connection.execute(query).scalar() or 0
    return {
        "kills": kills,
        "answers": len(given),
        "lost": len(given.keys() - recorded.keys()),
        "doubled": sum(n > 1 for n in recorded.values()),
        "wrong": sum(len(said) > 1 for said in truth.values()),
        "booked_gap": booked - len(rows),
        "restored": len(generations) == 1,
    }


def ask(
    server: Serving,
    pictures: list[bytes],
    name: str,
    given: dict[str, tuple[str, float, str]],
    stop: threading.Event,
) -> None:
    number = 0
    while not stop.is_set():
        data = pictures[number % len(pictures)]
        told_id, number = f"{name}-{number}", number + 1
        try:
            status, told = server.post(f"/predict/{NAME}", data, X_Request_Id=told_id)
        except (OSError, HTTPException):  # it was killed while it answered
            return
        if status == 200:
            sample = hashlib.sha256(data).hexdigest()
            given[told_id] = (told["label"], told["score"], sample)


if __name__ == "__main__":
    main()

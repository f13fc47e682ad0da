"""A fleet of real models from files to verdicts: models a second, memory, bytes, accepted share.

    python benchmarks/fleet.py --models 1000
    python benchmarks/fleet.py --models 34000 --keep ../fleet-bench    # pictures are prepared once

Not timed: the sets are read, and every picture passes the trunk (`embed_seconds`). Timed, each as
one `tenfold make FLEET.yaml --json` from its start to its end: 95 % linear heads, then 5 % anomaly
heads with patch maps, in the same home; `total_seconds` is their sum. `fleet_tasks.py` says what is
asked: at least 300 different questions, the rest variants of them (pictures that fit, seeds).
"""

import argparse
import json
import os
import shutil
import sqlite3
import subprocess
import sys
import tempfile
import time
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

from sqlalchemy import select

import tenfold
from common import DATA, publish
from fleet_tasks import embed_sets, ingest_sets, write_fleets
from tenfold.catalog.tables import models
from tenfold.factory.doctor import examine

COMMAND = [sys.executable, "-c", "from tenfold.cli import main; main()"]
SAMPLED_S = 0.5
WINDOW = 1000
KINDS = {"linear": "classify", "anomaly": "anomaly"}
STAGES = ("fit", "judge", "package", "catalog")
NOT_OURS = {"features"}
"""Folders of a home that no model adds to: what the trunk made of pictures."""
SHARED = ("blobs", "features", "trunks")
"""Folders whose files never change once they are written: runs may share them."""
HOW = {
    "total_seconds": "linear and anomaly fleet, one after another, each a command of its own",
    "per_second": "fit, calibrate, judge, package, register: models after the first transaction, "
    "by the time from it to the last one; of the whole command, with its start and plan: "
    "whole_per_second",
    "last_1000_over_first_1000": "of the linear fleet, by when models were registered; a third of "
    "the models each where there are fewer than 3,000",
    "bytes": "growth of the home while a fleet was made, without features, divided by its models",
    "peak_rss_mb": f"all processes of the command together, every {SAMPLED_S} s; pages that "
    "processes share count for each in RSS and once in PSS",
    "share": "of the CPU seconds that the linear fleet says it spent",
}


@dataclass(frozen=True, slots=True)
class Run:
    """One `tenfold make` of a fleet."""

    seconds: float
    made: dict[str, Any]
    """What the command printed."""
    peak_rss_mb: float
    peak_pss_mb: float
    grown: Counter[str]
    """Bytes by part of the home."""

    @property
    def counts(self) -> Counter[str]:
        return Counter(outcome["status"] for outcome in self.made["outcomes"])

    @property
    def models(self) -> int:
        """Made now, each of them different."""
        return len({o["model"] for o in self.made["outcomes"] if o["model"] and not o["was_found"]})


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", type=int, default=1000)
    options.add_argument("--keep", type=Path, help="folder whose prepared pictures are kept")
    chosen = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    with tempfile.TemporaryDirectory(prefix="tenfold-fleet-") as name:
        folder = chosen.keep or Path(name)
        ready = prepare(folder)
        home = fresh_home(folder)
        with tenfold.opened(home) as workspace:
            files = write_fleets(workspace, folder, chosen.models)
        runs = {kind: make(home, path) for kind, path in files.items()}
        publish({"models": chosen.models} | ready | summary(home, runs))


def prepare(folder: Path) -> dict[str, Any]:
    """A home in `folder` that holds all sets and their features; found again where it is whole."""
    home = folder / "prepared"
    told = home / "ready.json"
    if not told.exists():
        shutil.rmtree(home, ignore_errors=True)
        folder.mkdir(parents=True, exist_ok=True)
        with tenfold.opened(home) as workspace:
            ingest_sets(workspace, folder)
            examine(workspace)  # on pictures of the sets
            began = time.perf_counter()
            images = embed_sets(workspace)
            seconds = time.perf_counter() - began
            ready = {"images": images, "embed_seconds": round(seconds, 1)}
            ready["precision"] = workspace.precision
        told.write_text(json.dumps(ready))
    return json.loads(told.read_text())


def fresh_home(folder: Path, name: str = "home") -> Path:
    """A copy of the prepared home that no model was made in; what never changes is linked."""
    home = folder / name
    shutil.rmtree(home, ignore_errors=True)
    _checkpoint(folder / "prepared")
    for path in sorted((folder / "prepared").rglob("*")):
        copy = home / path.relative_to(folder / "prepared")
        if path.is_dir():
            copy.mkdir(parents=True, exist_ok=True)
        elif path.relative_to(folder / "prepared").parts[0] in SHARED:
            os.link(path, copy)
        else:
            shutil.copy2(path, copy)
    return home


def make(home: Path, fleet: Path, *more: str, settings: dict[str, str] | None = None) -> Run:
    """`tenfold make FLEET --json` in that home, watched."""
    before = _bytes(home)
    with tempfile.TemporaryFile("w+", encoding="utf-8") as out:
        began = time.perf_counter()
        running = subprocess.Popen(
            [*COMMAND, "make", str(fleet), "--json", *more],
            env=_plain() | {"TENFOLD_HOME": str(home)} | (settings or {}),
            stdout=out,
        )
        rss_mb, pss_mb = _watched(running)
        seconds = time.perf_counter() - began
        if running.returncode:
            sys.exit(f"tenfold make {fleet.name} ended with {running.returncode}.")
        out.seek(0)
        made = json.load(out)
    _checkpoint(home)
    run = Run(seconds, made, rss_mb, pss_mb, _bytes(home) - before)
    print(f"{fleet.name}: {seconds:.1f} s, {run.models} models", dict(run.counts), file=sys.stderr)
    return run


def summary(home: Path, runs: dict[str, Run]) -> dict[str, Any]:
    """Everything that is promised of a fleet, from its two runs."""
    result: dict[str, Any] = {}
    for kind, run in runs.items():
        result[f"{kind}_models"] = run.models
        result[f"{kind}_seconds"] = round(run.seconds, 1)
        result[f"{kind}_per_second"] = rate(home, kind)
        result[f"{kind}_whole_per_second"] = round(run.models / run.seconds, 2)
        result[f"bytes_per_{kind}"] = round(run.grown.total() / max(1, run.models))
        result[f"{kind}_bytes"] = dict(run.grown)
        result[f"{kind}_questions"] = run.made["questions"]
        result[f"{kind}_verdicts"] = dict(run.counts)
        result[f"{kind}_cpu_seconds"] = _stages(run)
    outcomes = [outcome for run in runs.values() for outcome in run.made["outcomes"]]
    asked = sum(run.made["questions"] for run in runs.values())
    return result | {
        "total_seconds": round(sum(run.seconds for run in runs.values()), 1),
        "peak_rss_mb": round(max(run.peak_rss_mb for run in runs.values())),
        "peak_pss_mb": round(max(run.peak_pss_mb for run in runs.values())),
        "last_1000_over_first_1000": slowdown(home),
        "accepted_share": round(
            sum(o["status"] == "accepted" for o in outcomes) / len(outcomes), 3
        ),
        "failed": sum(o["status"] == "failed" for o in outcomes),
        "questions": asked,
        "variants": len(outcomes) - asked,
        **_shares(_stages(runs["linear"])),
        "how": HOW,
    }


def rate(home: Path, kind: str) -> float | None:
    """Models a second while models are made."""
    at = _registered(home, kind)
    seconds = (at[-1] - at[0]).total_seconds() if at else 0.0
    return round(sum(one > at[0] for one in at) / seconds, 2) if seconds else None


def slowdown(home: Path) -> float | None:
    """Seconds of the last models over those of the first."""
    at = _registered(home, "linear")
    window = min(WINDOW, len(at) // 3)
    if not window:
        return None
    first, last = at[window] - at[0], at[-1] - at[-1 - window]
    return round(last / first, 3) if first else None


def _registered(home: Path, kind: str) -> Sequence[datetime]:
    """When models were, in order; those of one transaction at the same moment."""
    query = select(models.c.created_at).where(models.c.kind == KINDS[kind])
    with tenfold.opened(home) as workspace, workspace.scope.read() as connection:
        return sorted(connection.execute(query).scalars())


def _stages(run: Run) -> dict[str, float]:
    spent = run.made.get("seconds_by_stage") or {}
    return {stage: round(seconds, 2) for stage, seconds in spent.items()}


def _shares(spent: dict[str, float]) -> dict[str, float | None]:
    """Of all seconds; what has no name of its own here is `other`."""
    whole = sum(spent.values())
    named = {f"share_{name}": spent.get(name, 0.0) / whole if whole else None for name in STAGES}
    rest = 1 - sum(share or 0.0 for share in named.values()) if whole else None
    return {
        name: share and round(share, 3) for name, share in {**named, "share_other": rest}.items()
    }


def _plain() -> dict[str, str]:
    """Some machines narrow BLAS for tests; timings must not inherit that."""
    narrowed = ("OPENBLAS_", "TENFOLD_")
    return {key: value for key, value in os.environ.items() if not key.startswith(narrowed)}


def _watched(running: subprocess.Popen[bytes]) -> tuple[float, float]:
    """Wait for the end; the most memory of the whole tree in MB, resident and proportional."""
    most_rss, most_pss = 0.0, 0.0
    while True:
        try:
            running.wait(SAMPLED_S)
        except subprocess.TimeoutExpired:
            tree = _tree(running.pid)
            most_rss = max(most_rss, sum(_kilobytes(pid, "Rss:") for pid in tree) / 1024)
            most_pss = max(most_pss, sum(_kilobytes(pid, "Pss:") for pid in tree) / 1024)
        else:
            return most_rss, most_pss


def _tree(root: int) -> list[int]:
    """A process and all below it."""
    children: dict[int, list[int]] = {}
    for entry in Path("/proc").iterdir():
        if entry.name.isdigit():
            try:
                parent = int((entry / "stat").read_text().rpartition(")")[2].split()[1])
            except (FileNotFoundError, ProcessLookupError):
                continue
            children.setdefault(parent, []).append(int(entry.name))
    found = [root]
    for pid in found:
        found += children.get(pid, [])
    return found


def _kilobytes(pid: int, what: str) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except (FileNotFoundError, ProcessLookupError, PermissionError):
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith(what)), 0)


def _bytes(home: Path) -> Counter[str]:
    """Of each part of a home but the features."""
    found: Counter[str] = Counter()
    for top in home.iterdir():
        files = top.rglob("*") if top.is_dir() else [top]
        if top.name not in NOT_OURS:
            found[top.name] = sum(path.stat().st_size for path in files if path.is_file())
    return found


def _checkpoint(home: Path) -> None:
    """Move what the catalog's log holds into the catalog itself."""
    connection = sqlite3.connect(home / "catalog.sqlite")
    connection.execute("PRAGMA wal_checkpoint(TRUNCATE)")
    connection.close()


if __name__ == "__main__":
    main()

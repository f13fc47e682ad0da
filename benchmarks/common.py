"""What every benchmark shares: real data, an empty workspace, one JSON object as the last line."""

import hashlib
import json
import os
import platform
import resource
import subprocess
import sys
from collections.abc import Callable, Generator
from contextlib import contextmanager
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import tenfold
from tenfold.factory.doctor import examine
from tenfold.workspace import Workspace

ROOT = Path(__file__).parent.parent
DATA = ROOT.parent / "shared" / "data"


@contextmanager
def empty_workspace(home: Path | None = None) -> Generator[Workspace]:
    """A workspace that knows this machine's precision and nothing else."""
    with (
        TemporaryDirectory(prefix="tenfold-bench-") as folder,
        tenfold.opened(home or Path(folder) / "home") as workspace,
    ):
        if not workspace.machine():
            examine(workspace)
        yield workspace


def publish(result: dict[str, Any]) -> None:
    """Print the result, with where it was measured, as one JSON object: the last line."""
    peak_mb = round(resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024)
    print(json.dumps(result | {"machine": machine(), "commit": commit(), "peak_mb": peak_mb}))


def machine() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines()
    model = next((line.split(":")[1].strip() for line in lines if line.startswith("model n")), "?")
    return f"{len(os.sched_getaffinity(0))} cores of {model}, Python {platform.python_version()}"


def commit() -> str:
    run = subprocess.run(
        ["git", "rev-parse", "--short", "HEAD"], cwd=ROOT, capture_output=True, text=True
    )
    return run.stdout.strip() or "unknown"


def watch(label: str) -> Callable[[str, int, int], None]:
    """Progress on stderr, one line per stage that ends."""

    def advance(stage: str, done: int, total: int) -> None:
        if done == total:
            print(f"  {label}: {stage} {done}", file=sys.stderr)

    return advance


def data_hash(paths: list[Path]) -> str:
    """Fingerprint of the files' bytes."""
    total = hashlib.sha256()
    for path in sorted(paths):
        total.update(hashlib.sha256(path.read_bytes()).digest())
    return total.hexdigest()[:16]

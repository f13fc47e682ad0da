"""The same fleet made by processes of this machine and by Ray: equal registries, what Ray costs.

    python benchmarks/engines.py --models 300 --keep ../fleet-bench    # prepared as for fleet.py

Four runs of `tenfold make FLEET --engine ENGINE`, each in a fresh copy of one home whose pictures
have passed the trunk: both engines on one core of this machine and on two, so with as many workers.
Registries are equal when their models, verdicts, looks and the digests of packages and evidence
are. Overhead is what a model takes longer with Ray on two cores, the start of a cluster included.
"""

import argparse
import hashlib
import json
import os
import sys
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from sqlalchemy import Row, select

import tenfold
from common import DATA, publish
from fleet import Run, fresh_home, make, prepare
from fleet_tasks import mixed, questions, shares, tasks, write_fleet
from tenfold.catalog.tables import looks, models
from tenfold.catalog.tables import questions as asked

ENGINES = ("local", "ray")
WORKERS = (1, 2)


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", type=int, default=300)
    options.add_argument("--keep", type=Path, help="folder whose prepared pictures are kept")
    chosen = options.parse_args()
    if not DATA.is_dir():
        sys.exit(f"the labelled sets are not here: {DATA}")
    with tempfile.TemporaryDirectory(prefix="tenfold-engines-") as name:
        folder = chosen.keep or Path(name)
        prepare(folder)
        runs: dict[tuple[str, int], tuple[Run, str]] = {}
        for engine in ENGINES:
            for workers in WORKERS:
                runs[engine, workers] = measured(folder, chosen.models, engine, workers)
        publish({"models": chosen.models} | summary(runs))


def measured(folder: Path, count: int, engine: str, workers: int) -> tuple[Run, str]:
    """A run in a fresh home, and the digest of what it registered."""
    home = fresh_home(folder, "engines")
    fleet = _written(home, folder / "engines.yaml", count)
    with on_cores(workers):
        run = make(home, fleet, "--engine", engine)
    return run, registry(home)


@contextmanager
def on_cores(count: int) -> Generator[None]:
    """What is started meanwhile sees only so many cores; both engines take what they see."""
    every = os.sched_getaffinity(0)
    os.sched_setaffinity(0, sorted(every)[:count])
    try:
        yield
    finally:
        os.sched_setaffinity(0, every)


def summary(runs: dict[tuple[str, int], tuple[Run, str]]) -> dict[str, Any]:
    digests = {registered for _, registered in runs.values()}
    seconds = {key: run.seconds for key, (run, _) in runs.items()}
    most = WORKERS[-1]
    made = max(1, runs["local", most][0].models)
    return {
        "are_equal": len(digests) == 1,
        "registries": sorted(digests),
        "seconds": {f"{engine}_{n}": round(took, 2) for (engine, n), took in seconds.items()},
        "made": {f"{engine}_{n}": run.models for (engine, n), (run, _) in runs.items()},
        "verdicts": dict(runs["local", most][0].counts),
        "overhead_per_model": round((seconds["ray", most] - seconds["local", most]) / made, 4),
        "scaling": {
            engine: round(seconds[engine, WORKERS[0]] / seconds[engine, most], 2)
            for engine in ENGINES
        },
        "peak_rss_mb": {f"{e}_{n}": round(run.peak_rss_mb) for (e, n), (run, _) in runs.items()},
    }


def registry(home: Path) -> str:
    """Digest of every model with its verdict and bytes, and of every look; moments left out."""
    of_model = [models.c[name] for name in ("id", "task", "status", "verdict")]
    of_model += [models.c[name] for name in ("head_digest", "evidence_digest", "roster")]
    of_look = [asked.c.key, looks.c.number, looks.c.model_id]
    both = looks.join(asked, looks.c.question_id == asked.c.id)
    with tenfold.opened(home) as workspace, workspace.scope.read() as connection:
        found = [_lines(connection.execute(select(*of_model)).all())]
        found.append(_lines(connection.execute(select(*of_look).select_from(both)).all()))
    return hashlib.sha256(json.dumps(found).encode()).hexdigest()


def _lines(rows: Sequence[Row[Any]]) -> list[str]:
    return sorted(json.dumps(list(row), sort_keys=True) for row in rows)


def _written(home: Path, path: Path, count: int) -> Path:
    linear, anomaly = shares(count)
    with tenfold.opened(home) as workspace:
        both = mixed(
            tasks(questions(workspace, "classify"), linear),
            tasks(questions(workspace, "anomaly"), anomaly),
        )
    return write_fleet(path, "bench-engines", both)


if __name__ == "__main__":
    main()

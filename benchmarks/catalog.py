"""A catalog as it is after years: 34,000 packages, a million pictures, ten million ledger entries.

Filled by bulk inserts through the tables' own types, in SQLite and in a PostgreSQL cluster that is
made for this and removed. Then every question that a page asks, `CALLS` times: the 95th percentile
in milliseconds, and the seconds of the economics page. Both databases stand on the same disk.
"""

import argparse
import hashlib
import os
import pwd
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from functools import partial
from itertools import islice
from pathlib import Path
from typing import Any

import numpy as np
from sqlalchemy import Engine, Table, text

from common import publish
from tenfold.catalog import Catalog, ledger, models, tables
from tenfold.catalog.models import Search
from tenfold.catalog.questions import SHORT
from tenfold.catalog.scope import Scope
from tenfold.factory.judge import Count, judge
from tenfold.ledger import price
from tenfold.ledger.report import Grouping, Question, economics_of
from tenfold.specs.bar import Bar

CALLS = 300
TENANT = "bench"
BEGAN = datetime(2025, 1, 1, tzinfo=UTC)
MONTHS = 24
DATASETS, QUESTIONS, FLEETS, SECTORS = 40, 800, 20, 5
CHUNK = 100_000
DEFECTS = ("scratch", "dent", "crack", "blowhole", "stain", "burr", "void", "chip")
PROGRAMS = ("initdb", "pg_ctl")
SAMPLES = bytes(range(256)) * 64
"""Digests of a thousand samples, as a question's roles are kept."""
GROUPINGS: tuple[Grouping, ...] = ("fleet", "sector", "tenant", "task")


@dataclass(frozen=True, slots=True)
class Size:
    models: int = 34_000
    samples: int = 1_000_000
    entries: int = 10_000_000


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    for name, most in asdict(Size()).items():
        options.add_argument(f"--{name}", type=int, default=most)
    options.add_argument("--only", choices=("sqlite", "postgres"))
    options.add_argument("--folder", type=Path, help="where both databases are put")
    chosen = options.parse_args()
    size = Size(chosen.models, chosen.samples, chosen.entries)
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that no server is left running
    result: dict[str, Any] = {"calls": CALLS, **asdict(size)}
    with tempfile.TemporaryDirectory(prefix="tenfold-catalog-", dir=chosen.folder) as name:
        folder = Path(name)
        if chosen.only != "postgres":
            result["sqlite"] = measured(folder / "catalog.sqlite", size)
        if chosen.only != "sqlite":
            with cluster(folder) as url:
                result["postgres"] = measured(url, size)
    publish(result)


def measured(place: Path | str, size: Size) -> dict[str, Any]:
    catalog = Catalog.open(place)
    scope = catalog.scope(TENANT, "bench")
    began = time.perf_counter()
    fill_all(catalog.engine, size)
    filled = time.perf_counter()
    ledger.recount(scope)
    recounted = time.perf_counter()
    if catalog.engine.dialect.name == "postgresql":  # autovacuum would, a minute later
        with catalog.engine.connect().execution_options(isolation_level="AUTOCOMMIT") as connection:
            connection.execute(text("ANALYZE"))
    economics = economics_s(scope)
    result = {
        "fill_s": round(filled - began, 1),
        "recount_s": round(recounted - filled, 1),
        "p95_ms": {name: p95_ms(call) for name, call in calls(scope, size).items()},
        "economics_s": max(economics.values()),
        "economics_s_by": economics,
        "newest_entries_ms": p95_ms(lambda _: ledger.newest(scope, 50)),
    }
    print(catalog.engine.dialect.name, result, file=sys.stderr)
    catalog.close()
    return result


def calls(scope: Scope, size: Size) -> dict[str, Callable[[int], object]]:
    """What a page asks, about the n-th thing."""
    return {
        "show": lambda n: models.get(scope, task_of(n % size.models)),
        "show_by_id": lambda n: models.get(scope, digest("model", n % size.models)[:12]),
        "search": lambda n: models.search(scope, sought(n)),
        "search_rare": lambda n: models.search(scope, Search(text=f"-{n % size.models:05d}")),
        "lineage": lambda n: models.lineage_of(scope, digest("model", n % size.models)),
        "latest_accepted": lambda n: models.latest_accepted(scope, 1 + n % QUESTIONS),
        "count": lambda _: models.count(scope),
    }


def sought(n: int) -> Search:
    """A page of results, as somebody types a word and narrows it."""
    status = ("accepted", "refused", "undecided", "")[n % 4]
    return Search(text=DEFECTS[n % len(DEFECTS)], status=status, after=task_of(31 * n % 30_000))


def p95_ms(call: Callable[[int], object]) -> float:
    taken: list[float] = []
    for n in np.random.default_rng(0).integers(0, 1 << 30, CALLS).tolist():
        began = time.perf_counter()
        call(n)
        taken.append(1000 * (time.perf_counter() - began))
    return round(float(np.percentile(taken, 95)), 2)


def economics_s(scope: Scope) -> dict[str, float]:
    """The whole report, by each of its groupings; the slower of two times."""
    taken: dict[str, float] = {}
    for by in GROUPINGS:
        for _ in range(2):
            began = time.perf_counter()
            economics_of(scope, Question(by=by), price.load())
            taken[by] = max(taken.get(by, 0.0), round(time.perf_counter() - began, 3))
    return taken


def fill_all(engine: Engine, size: Size) -> None:
    """Every row, in the order that foreign keys ask for."""
    for table, rows in (
        (tables.datasets, dataset_rows()),
        (tables.samples, sample_rows(size)),
        (tables.items, item_rows(size)),
        (tables.questions, question_rows()),
        (tables.models, model_rows(size)),
        (tables.makes, make_rows(size)),
        (tables.looks, look_rows(size)),
        (tables.entries, entry_rows(size)),
    ):
        began, before = time.perf_counter(), engine.dialect.name
        count = fill(engine, table, rows)
        seconds = time.perf_counter() - began
        print(f"  {before}: {count:,} {table.name} in {seconds:.0f} s", file=sys.stderr)


def fill(engine: Engine, table: Table, rows: Iterator[dict[str, Any]]) -> int:
    """Insert by the fastest way of the database; returns how many rows that were."""
    first = next(rows)
    processors = [
        table.c[name].type.dialect_impl(engine.dialect).bind_processor(engine.dialect)
        for name in first
    ]
    bound = partial(_bound, processors)
    names, count = ", ".join(f'"{name}"' for name in first), 1
    raw = engine.raw_connection()
    try:
        cursor = raw.cursor()
        lines = map(bound, _chained(first, rows))
        if engine.dialect.name == "postgresql":
            with cursor.copy(f'COPY "{table.name}" ({names}) FROM STDIN') as copy:  # type: ignore[attr-defined]
                for count, line in enumerate(lines, start=1):  # noqa: B007
                    copy.write_row(line)
            raw.commit()
            return count
        count, marks = 0, ", ".join("?" * len(first))
        while some := list(islice(lines, CHUNK)):
            cursor.execute("BEGIN")
            cursor.executemany(f'INSERT INTO "{table.name}" ({names}) VALUES ({marks})', some)
            cursor.execute("COMMIT")
            count += len(some)
        return count
    finally:
        raw.close()


def _chained(first: dict[str, Any], rest: Iterable[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    yield first
    yield from rest


def _bound(processors: Sequence[Any], row: dict[str, Any]) -> tuple[Any, ...]:
    return tuple(
        process(value) if process else value
        for process, value in zip(processors, row.values(), strict=True)
    )


def digest(what: str, n: int) -> str:
    return hashlib.sha256(f"{what} {n}".encode()).hexdigest()


def task_of(n: int) -> str:
    return f"station-{n % 211:03d}-{DEFECTS[n % len(DEFECTS)]}-{n:05d}"


def dataset_of(n: int) -> str:
    return f"line-{n % QUESTIONS % DATASETS:02d}"


def fleet_of(n: int) -> str:
    return f"plant-{n % QUESTIONS % FLEETS:02d}"


def sector_of(n: int) -> str:
    return f"sector-{n % QUESTIONS % SECTORS}"


def at(share: float) -> datetime:
    """A moment so far into the years."""
    return BEGAN + timedelta(days=30 * MONTHS * share)


def dataset_rows() -> Iterator[dict[str, Any]]:
    for n in range(DATASETS):
        yield {
            "id": n + 1,
            "tenant": TENANT,
            "name": dataset_of(n),
            "format": "csv",
            "source": "labels.csv",
            "understood": "A table that names pictures.",
            "created_at": BEGAN,
            "created_by": "bench",
        }


def sample_rows(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.samples):
        yield {
            "tenant": TENANT,
            "sha256": digest("sample", n),
            "width_px": 300,
            "height_px": 300,
            "mode": "L",
            "size_bytes": 41_234,
            "phash": f"{n:016x}",
        }


def item_rows(size: Size) -> Iterator[dict[str, Any]]:
    each = -(-size.samples // DATASETS)
    for n in range(size.samples):
        yield {
            "tenant": TENANT,
            "dataset_id": n // each + 1,
            "sha256": digest("sample", n),
            "path": f"images/{n:07d}.png",
            "labels": [DEFECTS[n % len(DEFECTS)]],
            "lot": f"lot-{n // 50}",
            "split": None,
            "mask": None,
            "attributes": {"station": f"s{n % 7}", "shift": f"{n % 3}"},
            "near": None,
        }


def question_rows() -> Iterator[dict[str, Any]]:
    for n in range(QUESTIONS):
        yield {
            "id": n + 1,
            "tenant": TENANT,
            "key": digest("question", n),
            "accepted_at": at(n / QUESTIONS),
            "fleet": fleet_of(n),
            "sector": sector_of(n),
            "judge": SAMPLES[: 300 * SHORT],
            "fit": SAMPLES[300 * SHORT :],
        }


def verdict_of(n: int) -> dict[str, Any]:
    """A real one: of 90 bad and 210 good pictures, at this look."""
    counts = [Count("escape", "defect", n % 7, 90), Count("overkill", "good", n % 23, 210)]
    return judge(counts, Bar(escape=0.1, overkill=0.1), look=1, by_group=False).to_json()


def model_rows(size: Size) -> Iterator[dict[str, Any]]:
    verdicts = [verdict_of(n) for n in range(7 * 23)]
    for n in range(size.models):
        verdict = verdicts[n % len(verdicts)]
        yield {
            "tenant": TENANT,
            "id": digest("model", n),
            "task": task_of(n),
            "fleet": fleet_of(n),
            "sector": sector_of(n),
            "kind": "anomaly" if n % 20 == 0 else "classify",
            "dataset": dataset_of(n),
            "snapshot": digest("snapshot", n % DATASETS),
            "question_id": n % QUESTIONS + 1,
            "make_id": digest("make", n),
            "rung": "subspace" if n % 20 == 0 else "linear",
            "status": verdict["status"],
            "verdict": verdict,
            "identity": _identity(n),
            "pack": digest("pack", n // 500),
            "head_offset": n % 500 * 14_000,
            "head_length": 12_000,
            "head_digest": digest("head", n),
            "evidence_offset": n % 500 * 14_000 + 12_000,
            "evidence_length": 2_000,
            "evidence_digest": digest("evidence", n),
            "roster": digest("roster", n % QUESTIONS),
            "seconds": {"fit": 0.012, "judge": 0.007},
            "created_at": at(n / size.models),
            "created_by": "bench",
        }


def _identity(n: int) -> dict[str, Any]:
    return {
        "snapshot": digest("snapshot", n % DATASETS),
        "question": digest("question", n % QUESTIONS),
        "bar": Bar(escape=0.1, overkill=0.1).model_dump(mode="json"),
        "roles": digest("roles", n),
        "recipe": ["classify_linear", {}],
        "inputs": [{"trunk": "efficientnet_lite2", "size_px": 260, "fit": "pad", "views": [0]}],
        "precision": "fp32",
        "runtime": "openvino-2026.4.1",
        "seed": n // QUESTIONS,
        "code": 2,
    }


def make_rows(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.models):
        yield {
            "tenant": TENANT,
            "id": digest("make", n),
            "task": task_of(n),
            "fleet": fleet_of(n),
            "dataset": dataset_of(n),
            "snapshot": digest("snapshot", n % DATASETS),
            "spec": f"task: {task_of(n)}\nkind: classify\ndataset: {dataset_of(n)}\n",
            "model_id": digest("model", n),
            "rungs": [{"name": "linear", "outcome": "accepted", "model": digest("model", n)}],
            "seconds": {"fit": 0.012, "judge": 0.007},
            "created_at": at(n / size.models),
            "created_by": "bench",
        }


def look_rows(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.models):
        yield {
            "question_id": n % QUESTIONS + 1,
            "number": n // QUESTIONS + 1,
            "model_id": digest("model", n),
            "at": at(n / size.models),
            "actor": "bench",
        }


def entry_rows(size: Size) -> Iterator[dict[str, Any]]:
    """Run after run books each of the models it worked on; before that, a batch of pictures of
    each dataset. One entry in a hundred is a bill."""
    batches = [(f"batch-{n}", dataset_of(n), "", "", "") for n in range(DATASETS)]
    subjects = [
        (digest("model", n), dataset_of(n), task_of(n), fleet_of(n), sector_of(n))
        for n in range(size.models)
    ]
    subjects = [*batches, *sorted(subjects)]
    for start in range(0, size.entries, len(subjects)):
        moment = at(start / size.entries)
        same = {
            "tenant": TENANT,
            "run": f"{moment:%Y%m%dT%H%M%S}-{start:08x}",
            "at": moment,
            "month": ledger.month_of(moment),
        }
        for n, subject in enumerate(subjects[: size.entries - start]):
            yield same | _entry(n, *subject)


def _entry(
    n: int, subject: str, dataset: str, task: str, fleet: str, sector: str
) -> dict[str, Any]:
    is_bill = task != "" and n % 100 == 0
    kind = "spend" if is_bill else "make" if task else "embed"
    return {
        "kind": kind,
        "subject": subject,
        "dataset": dataset,
        "task": task,
        "fleet": fleet,
        "sector": sector,
        "cpu_s": 0.019 if task else 40.0,
        "wall_s": 0.021 if task else 22.0,
        "peak_mb": 412.0,
        "bytes_stored": 14_000,
        "bytes_read": 2_400_000,
        "images": 300,
        "labels": 0,
        "human_s": 0.0,
        "amount": Decimal("0.25") if is_bill else None,
        "currency": "EUR" if is_bill else "",
    }


@contextmanager
def cluster(folder: Path) -> Generator[str]:
    """A PostgreSQL of our own in `folder`, reached through a socket; removed afterwards."""
    programs = {name: _program(name) for name in PROGRAMS}
    user = _user()
    home = Path(tempfile.mkdtemp(prefix="pg-", dir="/tmp" if len(str(folder)) > 60 else folder))
    for place in (folder, home):
        place.chmod(0o755)
    if user:
        os.chown(home, pwd.getpwnam(user).pw_uid, -1)
    run = partial(subprocess.run, check=True, user=user, cwd=home, stdout=subprocess.DEVNULL)
    data = str(home / "data")
    run([programs["initdb"], "-D", data, "-A", "trust", "-U", "tenfold", "-E", "UTF8"])
    server = [programs["pg_ctl"], "-D", data, "-l", str(home / "log"), "-w"]
    run([*server, "-o", f"-k {home} -c listen_addresses=''", "start"])
    try:
        yield f"postgresql://tenfold@/postgres?host={home}"
    finally:
        run([*server, "-m", "fast", "stop"])
        shutil.rmtree(home, ignore_errors=True)


def _program(name: str) -> str:
    """From the search path, else where Debian puts the newest."""
    placed = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"), reverse=True)
    found = shutil.which(name) or (str(placed[0]) if placed else None)
    if found is None:
        sys.exit(f"PostgreSQL is not installed here: no {name}. Try --only sqlite.")
    return found


def _user() -> str | None:
    """PostgreSQL refuses to run as root."""
    if os.geteuid():
        return None
    names = {entry.pw_name for entry in pwd.getpwall()}
    return "postgres" if "postgres" in names else "nobody"


if __name__ == "__main__":
    main()

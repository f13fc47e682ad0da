"""The console as people feel it, in a real Chromium, on a catalog as it is after years.

34,000 models and deployments, a million samples, a million predictions and ledger entries; beside
them 100,000 real pictures (parking spots, each a file of its own) in one dataset, of which some
wait for review. The hub is a process of its own; times are taken in the browser's own clock.
"""

import argparse
import json
import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Generator, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from shutil import which
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.parquet as pq
from playwright.sync_api import Browser, Page, sync_playwright

import tenfold
from catalog import TENANT, Size, digest, fill, fill_all, task_of
from common import DATA, publish
from serving import COMMAND, LOAD, served
from tenfold.catalog import datasets, deployments, ledger, models, picks, tables
from tenfold.catalog.datasets import Item, Sample
from tenfold.catalog.deployments import Change
from tenfold.catalog.picks import Pick
from tenfold.predictions.history import PARQUET, SCHEMA
from tenfold.workspace import Workspace

SPOTS = DATA / "D-parking-spots"
GATE = "gate/spot"
QUIET = ["--no-sandbox", "--disable-gpu", "--no-first-run", "--disable-background-networking"]
WAITING = 260
"""Pictures of the review queue."""
COLLECTED = 20_000
"""Answers in a file, about as many as the collector reads at once."""
PRESSED = 200
ROUNDS = 5
BROWSERS = 10
LOAD_S = 6.0
TURNS = 7
TASK = """\
task: spot
kind: classify
dataset: few-spots
question: {positive: [occupied]}
bar: {escape: 0.2, overkill: 0.2}
rung: linear
"""
SCREENS = (
    "/",
    "/datasets",
    "/datasets/spots",
    "/make",
    "/models",
    "/models?status=accepted&text=scratch",
    "/models/spot",
    "/deployments",
    f"/deployments/{GATE}",
    "/review",
    f"/review/{GATE}",
    "/ledger",
    "/settings",
    "/activity",
)
VITALS = ("brightness", "contrast", "sharpness")
PAINTED = """() => { const it = document.querySelector('.thumb img');
    return it !== null && it.complete && it.naturalWidth > 0; }"""
SHOWN = """(before) => { const it = document.querySelector('#review img, .stage img');
    return it && it.complete && it.naturalWidth > 0 && it.src !== before; }"""


def main() -> None:
    options = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    options.add_argument("--models", type=int, default=34_000)
    options.add_argument("--samples", type=int, default=1_000_000)
    options.add_argument("--pictures", type=int, default=100_000)
    options.add_argument("--predictions", type=int, default=1_000_000)
    chosen = options.parse_args()
    chromium = which("chromium")
    if not SPOTS.is_dir() or chromium is None:
        sys.exit(f"needs chromium and the labelled sets: {SPOTS}")
    with tempfile.TemporaryDirectory(prefix="tenfold-console-") as name:
        home = Path(name) / "home"
        os.environ["TENFOLD_TENANT"] = TENANT
        with tenfold.opened(home, actor="bench") as workspace:
            furnish(workspace, Size(chosen.models, chosen.samples, 1_000_000), chosen)
        with hub(home) as (url, pid), sync_playwright() as played:
            browser = played.chromium.launch(executable_path=chromium, args=QUIET)
            result = felt(browser, url)
            result |= beside_serving(browser, url, home)
            result["hub_memory_mb"] = memory_mb(pid)
            browser.close()
    publish({"models": chosen.models, "pictures": chosen.pictures} | result)


def furnish(workspace: Workspace, size: Size, chosen: argparse.Namespace) -> None:
    """Everything that stands in the catalog."""
    fill_all(workspace.catalog.engine, size)
    fill(workspace.catalog.engine, tables.deployments, deployment_rows(size))
    ledger.recount(workspace.scope)
    predictions(workspace, chosen.predictions, size)
    tenfold.ingest(workspace, SPOTS, name="few-spots")
    task = workspace.settings.home / "spot.yaml"
    task.write_text(TASK)
    tenfold.make_all(workspace, [str(task)])
    deployments.change(
        workspace.scope, [Change(GATE, "deploy", model=models.get(workspace.scope, "spot").id)]
    )
    many = spots(workspace, chosen.pictures)
    with workspace.scope.write() as connection:
        waiting = [Pick(GATE, one, "doubt", said="empty", worth=1.0) for one in many[:WAITING]]
        picks.put(connection, workspace.scope, waiting)


def spots(workspace: Workspace, count: int) -> list[str]:
    """So many real pictures, each a file of its own: a number behind the end of the JPEG."""
    files = sorted(SPOTS.glob("t*/*/*.jpg"))
    content: list[tuple[Sample, Item]] = []
    for n in range(count):
        file = files[n % len(files)]
        data = file.read_bytes() + n.to_bytes(4, "big")
        sha = workspace.blobs.put(data)
        item = Item(sha, f"{n:06d}-{file.name}", (file.parent.name,))
        content.append((Sample(sha, 100, 100, "RGB", len(data), f"{n:016x}"), item))
    origin = ("image_folder", "spots", "Parking spots from above.")
    datasets.put(workspace.scope, name="spots", origin=origin, content=content, set_aside=[])
    return [sample.sha256 for sample, _ in content]


def deployment_rows(size: Size) -> Iterator[dict[str, Any]]:
    for n in range(size.models):
        yield {
            "tenant": TENANT,
            "name": f"plant-{n % 20:02d}/{task_of(n)}",
            "state": "live",
            "live": digest("model", n),
            "before": "",
            "shadow": "",
            "canary": "",
            "canary_share": 0.0,
            "salt": "",
            "keep_days": 0,
            "generation": n + 1,
        }


def predictions(workspace: Workspace, count: int, size: Size) -> None:
    """A year of answers, collected."""
    rng = np.random.default_rng(0)
    names = [f"plant-{n % 20:02d}/{task_of(n)}" for n in range(size.models)]
    which_one = rng.integers(0, size.models, count)
    moment = datetime.now(UTC)
    table = pa.table(
        {
            "id": [f"{n:032x}" for n in range(count)],
            "at": [moment - timedelta(seconds=30 * n) for n in range(count)],
            "deployment": [names[n] for n in which_one],
            "role": ["live"] * count,
            "model": [digest("model", n) for n in which_one],
            "sample": [digest("sample", n) for n in range(count)],
            "route": [""] * count,
            "label": ["good"] * count,
            "score": rng.random(count).astype(np.float32),
            "latency_ms": np.full(count, 20, np.float32),
            "busy_ms": np.full(count, 15, np.float32),
            "generation": np.zeros(count, np.int64),
            "projection": [b""] * count,
            **{name: np.full(count, 0.5, np.float32) for name in VITALS},
        },
        schema=SCHEMA,
    )
    folder = workspace.answers_folder / PARQUET
    folder.mkdir(parents=True)
    for n in range(0, count, COLLECTED):  # as the collector writes them
        pq.write_table(table.slice(n, COLLECTED), folder / f"bench-1-{n:012d}.parquet")
    row = {"tenant": TENANT, "name": "bench-1", "collected_bytes": 1, "answers": count, "lost": 0}
    fill(workspace.catalog.engine, tables.segments, iter([row]))


@contextmanager
def hub(home: Path) -> Generator[tuple[str, int]]:
    running = subprocess.Popen(
        [*COMMAND, "hub", "--port", "0", "--json"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        assert running.stdout is not None
        told, read = None, ""
        while told is None:
            read += running.stdout.readline()
            try:
                told = json.loads(read)
            except ValueError:
                continue
        yield told["url"], running.pid
    finally:
        running.terminate()
        running.wait(60)


def felt(browser: Browser, url: str) -> dict[str, Any]:
    """What one person waits for."""
    page = browser.new_page(viewport={"width": 1280, "height": 800})
    screens = {place: screen_ms(page, url + place) for place in SCREENS}
    print(json.dumps(screens), file=sys.stderr)
    return {
        "screens_ms": screens,
        "slowest_screen_ms": max(screens.values()),
        "gallery_first_paint_ms": gallery_ms(page, f"{url}/datasets/spots"),
        **review_ms(page, f"{url}/review/{GATE}"),
    }


def screen_ms(page: Page, place: str) -> float:
    """From asking to the heading of the screen, which is drawn with all that is below it."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page.goto(place, wait_until="commit")
        page.locator("main h1").wait_for()
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


def gallery_ms(page: Page, place: str) -> float:
    """From asking to the first picture of the gallery."""
    taken: list[float] = []
    for _ in range(ROUNDS):
        began = time.perf_counter()
        page.goto(place, wait_until="commit")
        page.wait_for_function(PAINTED)
        taken.append(1000 * (time.perf_counter() - began))
    return round(statistics.median(taken), 1)


def review_ms(page: Page, place: str) -> dict[str, float]:
    """From a key to the next picture, seen by the page itself."""
    page.goto(place)
    page.wait_for_function(SHOWN, arg="")
    page.wait_for_timeout(1000)
    taken: list[float] = []
    for n in range(PRESSED):
        before = page.evaluate("document.querySelector('#review img, .stage img').src")
        began = time.perf_counter()
        page.keyboard.press(str(1 + n % 2))
        page.wait_for_function(SHOWN, arg=before)
        taken.append(1000 * (time.perf_counter() - began))
        page.wait_for_timeout(30)
    return {
        "review_p95_ms": round(float(np.percentile(taken, 95)), 1),
        "review_p50_ms": round(statistics.median(taken), 1),
    }


def beside_serving(browser: Browser, url: str, home: Path) -> dict[str, float]:
    """Answers a second with open browsers against the mean of before and after, in turns."""
    with served(home, tenant=TENANT) as running, tempfile.TemporaryDirectory() as name:
        server, plan = running.url, Path(name) / "plan.json"
        files = [str(file) for file in sorted(SPOTS.glob("t*/*/*.jpg"))]
        plan.write_text(json.dumps([{"name": GATE, "file": file} for file in files]))
        ratios: list[float] = []
        for _ in range(TURNS):
            alone = per_second(server, plan)
            pages = [browser.new_page() for _ in range(BROWSERS)]
            for page in pages:
                page.goto(url)
            pages[0].wait_for_timeout(3000)
            watched = watched_rate(server, plan, pages)
            for page in pages:
                page.close()
            ratios.append(2 * watched / (alone + per_second(server, plan)))
        return {"serving_with_browsers": round(statistics.median(ratios), 3)}


def watched_rate(server: str, plan: Path, pages: list[Page]) -> float:
    found: list[float] = []
    load = threading.Thread(target=lambda: found.append(per_second(server, plan)))
    load.start()
    while load.is_alive():
        pages[0].wait_for_timeout(200)
    return found[0]


def per_second(server: str, plan: Path) -> float:
    run = subprocess.run(
        [sys.executable, LOAD, server, plan, "--connections", "8", "--seconds", str(LOAD_S)],
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    return len(json.loads(run.stdout.strip().splitlines()[-1])["answers"]) / LOAD_S


def memory_mb(pid: int) -> int:
    """Of the hub's process, its share of what it shares with others included."""
    lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    (kilobytes,) = (int(line.split()[1]) for line in lines if line.startswith("Pss:"))
    return kilobytes // 1024


if __name__ == "__main__":
    main()

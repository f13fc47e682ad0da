"""What a serving process counts, in the names that Prometheus reads.

Workers of one server add up in files that they share (prometheus_client's multiprocess mode): its
folder must be set in the environment before this module is imported.
"""

from pathlib import Path

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector, mark_process_dead

FOLDER = "PROMETHEUS_MULTIPROC_DIR"
"""Variable that names the folder."""
SECONDS = (0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 10.0)

REQUESTS = Counter("tenfold_requests_total", "Requests by HTTP status.", ["code"])
ANSWERS = Counter("tenfold_answers_total", "Answers of heads, by role.", ["role"])
LOST = Counter("tenfold_answers_not_recorded_total", "Answers that the log could not hold.")
PASSED_OVER = Counter(
    "tenfold_passed_over_total",
    "Shadows that were not asked and pictures that were not kept, as too many waited.",
    ["what"],
)
STAGE = Histogram(
    "tenfold_stage_seconds",
    "Time of a picture in decode, queue, trunk and head.",
    ["stage"],
    buckets=SECONDS,
)
BATCH = Histogram(
    "tenfold_batch_pictures",
    "Pictures that go through the trunk together.",
    buckets=(1, 2, 4, 8, 16, 32, 64),
)
HEADS = Gauge("tenfold_heads_resident", "Heads in memory.", multiprocess_mode="livesum")
HEAD_BYTES = Gauge("tenfold_heads_resident_bytes", "Memory of heads.", multiprocess_mode="livesum")
DEPLOYMENTS = Gauge("tenfold_deployments", "What is deployed.", multiprocess_mode="livemax")
GENERATION = Gauge(
    "tenfold_generation", "Generation that every worker has reached.", multiprocess_mode="livemin"
)
LOOKED_UP = Gauge(
    "tenfold_looked_up_timestamp_seconds",
    "When every worker had last seen the catalog.",
    multiprocess_mode="livemin",
)
WAITING = Gauge("tenfold_waiting", "Pictures that wait.", multiprocess_mode="livesum")


def page(folder: str) -> bytes:
    """All workers together, as text; without a folder, this process alone."""
    if not folder:
        return generate_latest()
    registry = CollectorRegistry()
    MultiProcessCollector(registry, folder)
    return generate_latest(registry)


def forget(pid: int | None, folder: Path) -> None:
    """A worker is gone: its gauges no longer count."""
    mark_process_dead(pid, str(folder))

"""What goes to a worker and what comes back: frozen values that hold blob keys, no workspace."""

from dataclasses import dataclass

from tenfold.catalog.models import Stretch
from tenfold.errors import TenfoldError
from tenfold.factory.judge import Count
from tenfold.factory.ladder import Rung
from tenfold.packages import Manifest
from tenfold.specs.bar import Bar


@dataclass(frozen=True, slots=True)
class Depot:
    """Where a worker finds bytes."""

    home: str
    """Folder of blobs and shards, unless they are kept elsewhere."""
    blobs: str
    """URL; empty: in the home."""
    features: str
    """URL of the shards that all machines share; empty: none."""
    limit_bytes: int
    """Of the shards in the home."""


@dataclass(frozen=True, slots=True, eq=False)
class Job:
    """One rung of one task."""

    task: str
    rung: Rung
    manifest: Manifest
    """Of the package, without what the fit will find out."""
    roles: bytes
    """A role per sample of the roster, see `tenfold.factory.splits.ROLES`."""
    seed: int
    bar: Bar
    must_judge: bool
    """Judge whatever is expected of it; else only if a look seems worth it."""
    next_look: int
    """The least number that its look can have."""


@dataclass(frozen=True, slots=True, eq=False)
class Assignment:
    """Jobs on one roster, for one worker."""

    depot: Depot
    roster: str
    """Blob of the roster."""
    jobs: tuple[Job, ...]
    threads: int = 1
    """Cores that one job may use."""

    def __str__(self) -> str:
        first, more = self.jobs[0], len(self.jobs) - 1
        return f"task {first.task}" + (f" and {more} more" if more else "")


@dataclass(frozen=True, slots=True)
class Seconds:
    """What a step took."""

    wall: float = 0.0
    cpu: float = 0.0


@dataclass(frozen=True, slots=True, eq=False)
class Judged:
    """What judge showed; whether it counts as a look is decided where looks are counted."""

    counts: tuple[Count, ...]
    head: Stretch
    evidence: Stretch
    goldens: tuple[str, ...]
    """Golden samples."""
    suspects: tuple[str, ...]
    """Pictures of calibrate whose label may be wrong."""
    judge: Seconds
    package: Seconds


@dataclass(frozen=True, slots=True, eq=False)
class Trial:
    """A fitted rung."""

    task: str
    estimate: float | None
    """AUC where the question is good or bad, else accuracy; on fit and calibrate alone. None
    where only goods are known, or nothing was held out."""
    expected: tuple[Count, ...]
    """Errors seen on fit and calibrate: what judge may be expected to show; none where too few
    groups are there to hold any out."""
    sizes: tuple[tuple[str, int], ...]
    """Judge groups that would stand behind each count."""
    fit: Seconds
    judged: Judged | None


@dataclass(frozen=True, slots=True)
class Fault:
    """A job that could not be done."""

    task: str
    error: TenfoldError


@dataclass(frozen=True, slots=True, eq=False)
class Attempted:
    """What became of an assignment's jobs, in their order."""

    trials: tuple[Trial | Fault, ...]
    pack: str
    """Blob that holds the judged heads and their evidence."""
    pack_bytes: int
    bytes_read: int
    peak_mb: float

"""What a report shows: plain values, filled in by `make`, turned into a page by `render`."""

from collections.abc import Mapping
from dataclasses import dataclass, field, fields
from datetime import datetime
from typing import Literal

import numpy as np
from jaxtyping import Bool, Float, Int

from tenfold.errors import DataError

Status = Literal["accepted", "undecided", "refused", "taught"]


@dataclass(frozen=True, slots=True)
class BoundLine:
    """One bound of the bar and what the judge split proved about it."""

    name: str
    """Such as `escape` or `overkill`."""
    counts: str
    """What is counted, in words: `defects passed as good`."""
    limit: float
    """The bar's limit, a share in 0..1."""
    errors: int
    n: int
    """Judged samples that could have gone wrong this way; 0: nothing is known."""
    upper: float | None
    """Exact one-sided upper bound, a share in 0..1; None: unproven."""
    more_labels: int | None = None
    """So many more judged samples would decide with 80 % power; None: not asked or hopeless."""
    more_of: str = ""
    """The class those labels must come from."""

    def __post_init__(self) -> None:
        if not 0 <= self.errors <= self.n:
            raise DataError(f"bound {self.name!r} counts {self.errors} errors of {self.n}.")

    @property
    def observed(self) -> float | None:
        return self.errors / self.n if self.n else None

    @property
    def is_met(self) -> bool:
        return self.upper is not None and self.upper <= self.limit


@dataclass(frozen=True, slots=True)
class VerdictLines:
    """The verdict as a person reads it."""

    status: Status
    sentence: str
    """Plain words, one or two sentences."""
    next_steps: tuple[str, ...] = ()
    """What to do now, most useful first."""
    bounds: tuple[BoundLine, ...] = ()
    confidence: float = 0.95
    look: int = 1
    """How many times these judge samples were asked this question, this time included."""
    alpha: float | None = None
    """Risk this look may spend; None: not told."""
    grouped_by: str = ""
    """What splits keep together; empty: image-level."""


@dataclass(frozen=True, slots=True, eq=False)
class JudgedScores:
    """Scores of the judge split for a yes-or-no question; score ≥ threshold says `positive`."""

    scores: Float[np.ndarray, " n"]
    is_positive: Bool[np.ndarray, " n"]
    threshold: float
    positive: str = "defect"
    negative: str = "good"

    def __post_init__(self) -> None:
        if self.scores.shape != self.is_positive.shape or self.scores.ndim != 1:
            raise DataError(
                f"scores and truth must be two equally long rows, "
                f"got {self.scores.shape} and {self.is_positive.shape}."
            )
        if not np.isfinite(self.scores).all():
            raise DataError("judge scores hold NaN or infinity.")


@dataclass(frozen=True, slots=True, eq=False)
class Confusion:
    """Judged samples counted by truth (rows) and answer (columns)."""

    classes: tuple[str, ...]
    counts: Int[np.ndarray, "classes classes"]

    def __post_init__(self) -> None:
        if self.counts.shape != (len(self.classes),) * 2:
            raise DataError(f"{len(self.classes)} classes but counts of {self.counts.shape}.")


@dataclass(frozen=True, slots=True)
class ClassLine:
    """How one class of many fared on judge."""

    name: str
    n: int
    missed: int
    false_alarms: int


@dataclass(frozen=True, slots=True)
class Exhibit:
    """One picture worth showing, as PNG or JPEG bytes of any size: the report shrinks it."""

    path: str
    truth: str
    said: str
    score: float
    picture: bytes
    overlay: bytes | None = None
    """The same picture under its anomaly map."""


@dataclass(frozen=True, slots=True)
class RungLine:
    """One recipe the ladder tried, judged without the judge split."""

    name: str
    estimate: float | None
    """In the unit of `ModelReport.estimate_name`; None: not finished."""
    outcome: str
    """Such as `promising`, `over budget`, `kept`."""
    seconds: float
    is_chosen: bool = False


@dataclass(frozen=True, slots=True)
class SplitLine:
    """How many samples of each label a split holds."""

    name: str
    counts: Mapping[str, int]


@dataclass(frozen=True, slots=True)
class Lineage:
    """Everything needed to make the same model again."""

    model: str
    snapshot: str
    question: str
    recipe: str
    trunk: str
    precision: str
    runtime: str
    seed: int
    code: str
    package: str = ""

    def items(self) -> tuple[tuple[str, str], ...]:
        """What is known, by name, in the order above."""
        pairs = ((f.name, str(getattr(self, f.name))) for f in fields(self))
        return tuple((name, value) for name, value in pairs if value)


@dataclass(frozen=True, slots=True, eq=False)
class ModelReport:
    """One model: its verdict first, then the evidence, then how it was made."""

    name: str
    kind: str
    """In words: `classify, two classes`, `anomaly from good pictures only`."""
    decides: str
    """One sentence: what it answers about which pictures."""
    verdict: VerdictLines
    lineage: Lineage
    measures: Mapping[str, float] = field(default_factory=dict[str, float])
    """Judged figures by name, such as AUC and accuracy."""
    splits: tuple[SplitLine, ...] = ()
    scores: JudgedScores | None = None
    confusion: Confusion | None = None
    classes: tuple[ClassLine, ...] = ()
    """For several labels per picture; with a `confusion` it is worked out from there."""
    mistakes: tuple[Exhibit, ...] = ()
    """Worst first."""
    mistake_count: int | None = None
    """All mistakes on judge, shown or not; None: counted from `confusion` or `scores`."""
    heat_maps: tuple[Exhibit, ...] = ()
    unfit: int = 0
    """Judged pictures answered with "unfit to judge"."""
    rungs: tuple[RungLine, ...] = ()
    estimate_name: str = "cross-validated AUC"
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """By stage."""
    bytes: Mapping[str, int] = field(default_factory=dict[str, int])
    """By kind of thing stored."""


@dataclass(frozen=True, slots=True)
class Quarantined:
    """A file that could not be used, and why."""

    path: str
    reason: str


@dataclass(frozen=True, slots=True)
class DatasetSummary:
    """What was ingested."""

    name: str
    snapshot: str
    labels: Mapping[str, int]
    """Samples by label."""
    quarantined: tuple[Quarantined, ...] = ()
    exact_duplicates: int = 0
    near_duplicates: tuple[tuple[str, ...], ...] = ()
    """Groups of paths that show nearly the same picture."""
    licence: str = ""

    @property
    def samples(self) -> int:
        return sum(self.labels.values())

    @property
    def largest_group(self) -> tuple[str, ...]:
        return max(self.near_duplicates, key=len, default=())


@dataclass(frozen=True, slots=True, eq=False)
class ReportData:
    """One make: one model, or a fleet of them."""

    title: str
    made_at: datetime
    dataset: DatasetSummary
    models: tuple[ModelReport, ...]
    expected_false_acceptances: float | None = None
    """Of a fleet: models expected to be accepted below their bar by chance; None: not told."""
    seconds: Mapping[str, float] = field(default_factory=dict[str, float])
    """Of the whole make, by stage; what models share is counted here once."""

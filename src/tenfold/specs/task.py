"""A task: what to look for, on which data, to which bar, for how much."""

from collections.abc import Collection, Sequence
from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from tenfold.specs.bar import Bar
from tenfold.specs.yaml_file import Name, Part, parsed, text_of
from tenfold.values import Kind, Split, fingerprint

Symmetry = Literal["none", "flips", "dihedral"]
HINT = "docs/tasks.md lists every key."
Share = Annotated[float, Field(gt=0, lt=1)]
SMALLEST_PX, LARGEST_PX = 64, 1024
"""Side of the square that a trunk reads. A map of stride 32 has two cells a side at least."""

STORED_SPLITS: dict[str, Split] = {"train": "fit", "val": "calibrate", "test": "judge"}


class Question(Part):
    """What is decided. Good or bad: name `positive` (bad) labels, `negative` (good) ones, or both;
    what is not named is the other. Several classes: name `classes`, or leave all out for all."""

    positive: tuple[str, ...] = ()
    negative: tuple[str, ...] = ()
    classes: tuple[str, ...] = ()
    multi_label: bool = False
    """A sample may have several of the classes, or none."""
    label: str | None = None
    """Attribute to take as the label; default: the dataset's own label."""
    where: dict[str, str | tuple[str, ...]] = Field(
        default_factory=dict[str, "str | tuple[str, ...]"]
    )
    """Only samples whose attributes have these values."""

    @model_validator(mode="after")
    def _one_way(self) -> "Question":
        if self.classes and (self.positive or self.negative):
            raise ValueError("give either `classes` or `positive`/`negative`, not both")
        for side in ("positive", "negative", "classes"):
            names: tuple[str, ...] = getattr(self, side)
            twice = [name for name in names if names.count(name) > 1]
            if twice:
                raise ValueError(f"{twice[0]!r} stands twice in `{side}`")
        empty = next((name for name, values in self.where.items() if values == ()), None)
        if empty is not None:
            raise ValueError(f"`where` names no value of {empty!r}")
        both = set(self.positive) & set(self.negative)
        if both:
            raise ValueError(f"{min(both)!r} cannot be both positive and negative")
        return self


class Shares(Part):
    """How samples are divided, or which column of the dataset says it."""

    fit: Share = 0.5
    calibrate: Share = 0.2
    judge: Share = 0.3
    most_fit: Annotated[int, Field(ge=2)] | None = None
    """Fit on about so many samples at most; the others are left out."""
    stored: dict[str, Literal["fit", "calibrate", "judge"]] | None = None
    """From the dataset's own split names to ours, such as `{train: fit, test: judge}`; where
    nothing is given for calibrate it is taken from fit."""
    column: str | None = None
    """Attribute that holds the names of `stored`; default: the dataset's own split."""

    @model_validator(mode="after")
    def _whole(self) -> "Shares":
        if abs(self.fit + self.calibrate + self.judge - 1) > 1e-6:
            raise ValueError("fit, calibrate and judge must add up to 1")
        if self.stored is not None and not {"fit", "judge"} <= set(self.stored.values()):
            raise ValueError("`stored` must name a split for fit and one for judge")
        if self.column is not None and self.stored is None:
            raise ValueError("`column` needs `stored`: which of its values fit, which judge")
        return self


class Budget(Part):
    """How far the ladder may be climbed."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    rungs: Annotated[int, Field(ge=1)] | None = None


class TaskSpec(Part):
    task: Name
    kind: Kind = "classify"
    dataset: Name
    question: Question = Question()
    bar: Bar = Bar()
    split: Shares = Shares()
    symmetry: Symmetry = "none"
    """Turns and mirrorings that do not change the answer."""
    soft_label: str | None = None
    """Attribute that says how likely a sample is positive, 0..1, as people judged it: the head
    learns their doubt too; errors are still counted against the labels."""
    budget: Budget = Budget()
    rung: str | None = None
    """Pin one rung of the ladder by name instead of climbing."""
    trunk: str | None = None
    """Climb the rungs of one trunk on this one instead, at its own size; see `tenfold trunk ls`."""
    size_px: Annotated[int, Field(ge=SMALLEST_PX, le=LARGEST_PX)] | None = None
    """Lay pictures on a square of this side, in pixels, instead of the rung's own: what is cut out
    small costs less and shows as much."""
    seed: Annotated[int, Field(ge=0, lt=2**32, strict=True)] = 0
    sector: Annotated[str, Field(max_length=100)] = ""
    """Business this is for, such as `rail`: reports of costs can be divided by it."""

    @model_validator(mode="after")
    def _fits_kind(self) -> "TaskSpec":
        good_or_bad = self.kind == "anomaly" or self.question.positive or self.question.negative
        if self.kind == "anomaly" and (self.question.classes or self.question.multi_label):
            raise ValueError("an anomaly task decides good or bad: it has no `classes`")
        if self.soft_label is not None and (self.kind == "anomaly" or not good_or_bad):
            raise ValueError("`soft_label` is for classify tasks that name `question.positive`")
        if good_or_bad and (self.bar.error is not None or self.bar.miss):
            raise ValueError("a good-or-bad bar has `escape` and `overkill`, not `error` or `miss`")
        if not good_or_bad and (self.bar.escape is not None or self.bar.overkill is not None):
            raise ValueError(
                "`escape` and `overkill` need to know what is bad: name `question.positive`"
            )
        return self

    @property
    def question_key(self) -> str:
        """What is decided, whatever the task, dataset, seed or bar is called, and in whatever
        order its labels and attributes are named."""
        asked = self.question
        where = {
            name: sorted({value} if isinstance(value, str) else set(value))
            for name, value in asked.where.items()
        }
        sides = [sorted(set(names)) for names in (asked.positive, asked.negative, asked.classes)]
        return fingerprint([self.kind, asked.label, asked.multi_label, sides, where])

    def to_yaml(self) -> str:
        """The task with what differs from the defaults; `parse` reads it back equal."""
        plain = self.model_dump(mode="json", exclude_defaults=True)
        ordered = {name: plain[name] for name in type(self).model_fields if name in plain}
        return yaml.safe_dump({"task": self.task, "kind": self.kind} | ordered, sort_keys=False)


def propose(
    dataset: str,
    kind: Kind,
    *,
    good: str | None,
    labels: Sequence[str],
    splits: Collection[str],
    several: bool = False,
) -> TaskSpec:
    """The task a person most likely means who gives pictures and nothing else.

    `good` is the label of the good ones, if there is one; `splits` the dataset's own split names;
    `several` says that a sample may have several labels.
    """
    has_bad = any(label != good for label in labels)
    stored: dict[str, Split] = {n: s for n, s in STORED_SPLITS.items() if n in splits}
    return TaskSpec(
        task=f"{dataset}-{kind}",
        kind=kind,
        dataset=dataset,
        question=(
            Question(negative=(good,)) if good is not None else Question(multi_label=several)
        ),
        bar=(
            Bar(error=0.05)
            if good is None
            else Bar(escape=0.05 if has_bad else None, overkill=0.10)
        ),
        split=Shares(stored=stored if {"fit", "judge"} <= set(stored.values()) else None),
    )


def load(path: Path | str) -> TaskSpec:
    """The task in a YAML file.

    Raises:
        NotFound: there is no such file.
        SpecError: names the file and line of what is wrong.
    """
    path = Path(path).expanduser()
    return parse(text_of(path), where=str(path))


def parse(text: str, *, where: str) -> TaskSpec:
    """The task in YAML text; see `load`."""
    return parsed(TaskSpec, text, where=where, hint=HINT)

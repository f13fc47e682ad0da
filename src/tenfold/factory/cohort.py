"""Which samples a question is about, and what each one's right answer is."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from jaxtyping import Bool, Float32, Int

from tenfold.catalog.datasets import Item
from tenfold.catalog.questions import short
from tenfold.errors import DataError
from tenfold.factory.groups import Groups
from tenfold.formats.row import is_good
from tenfold.specs.task import TaskSpec

GOOD, DEFECT = "good", "defect"


@dataclass(frozen=True, eq=False)  # no slots: what is asked for each sample is worked out once
class Cohort:
    """The samples that answer one question, in the order of their paths."""

    items: tuple[Item, ...]
    classes: tuple[str, ...]
    """Good comes first, then the defect, where the question is good or bad."""
    targets: Float32[np.ndarray, "n classes"]
    """1 where the class is true of the sample."""
    is_binary: bool
    unlabelled: int
    """Samples of the dataset that have no answer to this question."""
    soft_targets: Float32[np.ndarray, "n classes"] | None = None
    """How likely each class is, as people judged it; None: they were sure of all targets."""

    @property
    def learnt(self) -> Float32[np.ndarray, "n classes"]:
        """What a head is fitted to; it is judged on `targets`."""
        return self.targets if self.soft_targets is None else self.soft_targets

    @cached_property
    def samples(self) -> tuple[str, ...]:
        return tuple(item.sha256 for item in self.items)

    @cached_property
    def groups(self) -> Groups:
        """Which samples stay together."""
        return Groups.among(self.items, self.targets)

    @cached_property
    def shorts(self) -> tuple[bytes, ...]:
        """How lineages name the samples."""
        return tuple(short(sample) for sample in self.samples)

    @cached_property
    def everyone(self) -> frozenset[bytes]:
        return frozenset(self.shorts)

    def mask(self, shorts: Collection[bytes]) -> Bool[np.ndarray, " n"]:
        """Which of the cohort are among those that a lineage names."""
        if not shorts:
            return np.zeros(len(self.items), bool)
        return np.array([name in shorts for name in self.shorts], bool)

    @cached_property
    def answers(self) -> tuple[list[str], Int[np.ndarray, " n"]]:
        """Every answer that is given, sorted, and which of them each sample has."""
        names = sorted(set(self.truth))
        place = {name: i for i, name in enumerate(names)}
        return names, np.array([place[name] for name in self.truth], np.int64)

    @cached_property
    def truth(self) -> tuple[str, ...]:
        """Class names, joined by `;` where several are true."""
        return in_words(self.targets, self.classes)


def in_words(targets: Float32[np.ndarray, "n classes"], classes: Sequence[str]) -> tuple[str, ...]:
    """The names of the classes that are true of each row, joined by `;`."""
    rows, number = np.unique(targets > 0, axis=0, return_inverse=True)
    names = [
        ";".join(name for name, is_true in zip(classes, row, strict=True) if is_true)
        for row in rows
    ]
    return tuple(names[i] for i in number.ravel().tolist())


def gather(spec: TaskSpec, items: Sequence[Item]) -> Cohort:
    """Answer the task's question for every item that can answer it.

    Raises:
        DataError: nothing is left, a named class has no sample, or only one class is there.
    """
    asked = _meant(spec, items)
    if not asked:
        raise DataError(
            f"no sample of {spec.dataset!r} matches `where` {dict(spec.question.where)}.",
            where=f"task {spec.task}",
            hint=f"`tenfold show {spec.dataset}` lists the attributes there are.",
        )
    answers = _answers(spec, asked)
    if not any(answers):
        raise DataError(
            f"no sample has the attribute {spec.question.label!r}; there are "
            f"{', '.join(sorted({n for item in asked for n in item.attributes})) or 'none'}."
            if spec.question.label
            else "no sample has a label.",
            where=f"task {spec.task}, question",
            hint="Correct `question.label`, or give labels.",
        )
    if spec.question.multi_label:
        return _of_many(spec, asked, answers)
    if spec.kind == "anomaly" or spec.question.positive or spec.question.negative:
        return _good_or_bad(spec, asked, answers)
    return _of_one(spec, asked, answers)


def spelt(spec: TaskSpec, items: Sequence[Item]) -> TaskSpec:
    """The same task with good and bad named one way, so that one question has one key.

    `positive: [defective]`, `negative: [functional]` and both together ask the same thing where
    there are two labels. An anomaly task is known by what is good, any other by what is bad.
    """
    question = spec.question
    if question.multi_label or not (
        spec.kind == "anomaly" or question.positive or question.negative
    ):
        return spec
    names = {label for labels in _answers(spec, _meant(spec, items)) for label in labels}
    positive, negative = sides(spec, names)
    if positive | negative == names:
        keep_good = spec.kind == "anomaly"
        positive, negative = (set[str](), negative) if keep_good else (positive, set[str]())
    named = {"positive": tuple(sorted(positive)), "negative": tuple(sorted(negative))}
    return spec.model_copy(update={"question": question.model_copy(update=named)})


def sides(spec: TaskSpec, names: set[str]) -> tuple[set[str], set[str]]:
    """Labels that are bad and labels that are good; a side that is not named is the rest."""
    positive, negative = set(spec.question.positive), set(spec.question.negative)
    if not positive and not negative:
        negative = {name for name in names if is_good(name)} or names
    negative = negative or names - positive
    return positive or names - negative, negative


def _meant(spec: TaskSpec, items: Sequence[Item]) -> Sequence[Item]:
    for name, wanted in spec.question.where.items():
        values = {wanted} if isinstance(wanted, str) else set(wanted)
        items = [item for item in items if item.attributes.get(name) in values]
    return items


def _answers(spec: TaskSpec, items: Sequence[Item]) -> list[tuple[str, ...]]:
    name = spec.question.label
    if name is None:
        return [item.labels for item in items]
    return [(item.attributes[name],) if name in item.attributes else () for item in items]


def _good_or_bad(
    spec: TaskSpec, items: Sequence[Item], answers: Sequence[tuple[str, ...]]
) -> Cohort:
    names = {label for labels in answers for label in labels}
    positive, negative = sides(spec, names)
    for name in sorted((positive | negative) - names):
        raise DataError(
            f"no sample is labelled {name!r}; there are {', '.join(sorted(names)) or 'none'}.",
            where=f"task {spec.task}, question",
            hint="Correct the label's name in the task.",
        )
    either = positive | negative
    keep = [i for i, labels in enumerate(answers) if not either.isdisjoint(labels)]
    bad = np.array([not positive.isdisjoint(answers[i]) for i in keep], np.float32)
    if not len(keep) or bad.all():
        raise DataError("there is no good sample to learn from.", where=f"task {spec.task}")
    good_name = min(negative) if len(negative) == 1 else GOOD
    bad_name = min(positive) if len(positive) == 1 else DEFECT
    kept = tuple(items[i] for i in keep)
    return Cohort(
        items=kept,
        classes=(good_name, bad_name),
        targets=np.stack([1 - bad, bad], axis=1),
        is_binary=True,
        unlabelled=len(items) - len(keep),
        soft_targets=_soft(spec, kept, bad),
    )


def _soft(
    spec: TaskSpec, items: Sequence[Item], bad: Float32[np.ndarray, " n"]
) -> Float32[np.ndarray, "n 2"] | None:
    """Targets from the attribute `soft_label`; a sample without it keeps its plain label."""
    name = spec.soft_label
    if name is None:
        return None
    if not any(name in item.attributes for item in items):
        raise DataError(
            f"no sample has the attribute {name!r}.",
            where=f"task {spec.task}, soft_label",
            hint=f"`tenfold show {spec.dataset}` lists the attributes there are.",
        )
    likely = bad.copy()
    for i, item in enumerate(items):
        if name in item.attributes:
            likely[i] = _likelihood(name, item, is_bad=bool(bad[i]))
    return np.stack([1 - likely, likely], axis=1)


def _likelihood(name: str, item: Item, *, is_bad: bool) -> float:
    given = item.attributes[name]
    try:
        value = float(given)
    except ValueError:
        value = -1.0
    if not 0 <= value <= 1:
        raise DataError(
            f"{name} must be 0 .. 1, got {given!r}.", where=item.path, hint="Correct the table."
        )
    if value != 0.5 and (value > 0.5) != is_bad:
        raise DataError(
            f"{name} is {given}, but the label {'/'.join(item.labels)} says "
            f"{'bad' if is_bad else 'good'}.",
            where=item.path,
            hint="Correct one of them, or leave `soft_label` out of the task.",
        )
    return value


def _of_one(spec: TaskSpec, items: Sequence[Item], answers: Sequence[tuple[str, ...]]) -> Cohort:
    classes = _classes(spec, answers)
    named = frozenset(classes)
    keep = [i for i, labels in enumerate(answers) if len(named.intersection(labels)) == 1]
    several = [items[i].path for i, labels in enumerate(answers) if len(set(labels)) > 1]
    if several:
        raise DataError(
            f"{len(several)} samples have several labels, the first is {several[0]}.",
            where=f"task {spec.task}",
            hint="Set `multi_label: true` in the question, or keep one label each.",
        )
    return _cohort(items, answers, keep, classes)


def _of_many(spec: TaskSpec, items: Sequence[Item], answers: Sequence[tuple[str, ...]]) -> Cohort:
    return _cohort(items, answers, list(range(len(items))), _classes(spec, answers))


def _cohort(
    items: Sequence[Item],
    answers: Sequence[tuple[str, ...]],
    keep: list[int],
    classes: tuple[str, ...],
) -> Cohort:
    targets = np.array([[name in answers[i] for name in classes] for i in keep], np.float32)
    return Cohort(
        items=tuple(items[i] for i in keep),
        classes=classes,
        targets=targets.reshape(len(keep), len(classes)),
        is_binary=False,
        unlabelled=len(items) - len(keep),
    )


def _classes(spec: TaskSpec, answers: Sequence[tuple[str, ...]]) -> tuple[str, ...]:
    names = sorted({label for labels in answers for label in labels})
    missing = [name for name in spec.question.classes if name not in names]
    if missing:
        raise DataError(
            f"no sample is labelled {missing[0]!r}; there are {', '.join(names) or 'none'}.",
            where=f"task {spec.task}, question.classes",
        )
    chosen = tuple(spec.question.classes) or tuple(names)
    if len(chosen) < (1 if spec.question.multi_label else 2):
        raise DataError(
            f"one class ({', '.join(chosen) or 'none'}) leaves nothing to tell apart.",
            where=f"task {spec.task}",
            hint="Add pictures of another class, or set `kind: anomaly` if all are good.",
        )
    return chosen

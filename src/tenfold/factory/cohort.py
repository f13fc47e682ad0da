"""Which samples a question is about, and what each one's right answer is."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from jaxtyping import Float32

from tenfold.catalog.datasets import Item
from tenfold.errors import DataError
from tenfold.specs.task import TaskSpec

GOOD, DEFECT = "good", "defect"


@dataclass(frozen=True, slots=True, eq=False)
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

    @property
    def samples(self) -> tuple[str, ...]:
        return tuple(item.sha256 for item in self.items)

    @property
    def truth(self) -> tuple[str, ...]:
        """Class names, joined by `;` where several are true."""
        return tuple(
            ";".join(name for name, hit in zip(self.classes, row, strict=True) if hit)
            for row in self.targets
        )


def gather(spec: TaskSpec, items: Sequence[Item]) -> Cohort:
    """Answer the task's question for every item that can answer it.

    Raises:
        DataError: nothing is left, a named class has no sample, or only one class is there.
    """
    asked = [item for item in items if _is_meant(spec, item)]
    if not asked:
        raise DataError(
            f"no sample of {spec.dataset!r} matches `where` {spec.question.where!r}.",
            where=f"task {spec.task}",
            hint=f"`tenfold show {spec.dataset}` lists the attributes there are.",
        )
    answers = [_labels(spec, item) for item in asked]
    if spec.question.multi_label:
        return _of_many(spec, asked, answers)
    if spec.kind == "anomaly" or spec.question.positive or spec.question.negative:
        return _good_or_bad(spec, asked, answers)
    return _of_one(spec, asked, answers)


def _is_meant(spec: TaskSpec, item: Item) -> bool:
    return all(
        item.attributes.get(name) in ([value] if isinstance(value, str) else value)
        for name, value in spec.question.where.items()
    )


def _labels(spec: TaskSpec, item: Item) -> tuple[str, ...]:
    if spec.question.label is None:
        return item.labels
    value = item.attributes.get(spec.question.label)
    return () if value is None else (value,)


def _good_or_bad(
    spec: TaskSpec, items: Sequence[Item], answers: Sequence[tuple[str, ...]]
) -> Cohort:
    positive, negative = set(spec.question.positive), set(spec.question.negative)
    names = Counter(label for labels in answers for label in labels)
    for name in sorted((positive | negative) - set(names)):
        raise DataError(
            f"no sample is labelled {name!r}; there are {', '.join(sorted(names)) or 'none'}.",
            where=f"task {spec.task}, question",
            hint="Correct the label's name in the task.",
        )
    negative = negative or set(names) - positive
    positive = positive or set(names) - negative
    keep = [i for i, labels in enumerate(answers) if set(labels) & (positive | negative)]
    bad = np.array([bool(set(answers[i]) & positive) for i in keep], np.float32)
    if not len(keep) or bad.all():
        raise DataError("there is no good sample to learn from.", where=f"task {spec.task}")
    good_name = min(negative) if len(negative) == 1 else GOOD
    bad_name = min(positive) if len(positive) == 1 else DEFECT
    return Cohort(
        items=tuple(items[i] for i in keep),
        classes=(good_name, bad_name),
        targets=np.stack([1 - bad, bad], axis=1),
        is_binary=True,
        unlabelled=len(items) - len(keep),
    )


def _of_one(spec: TaskSpec, items: Sequence[Item], answers: Sequence[tuple[str, ...]]) -> Cohort:
    classes = _classes(spec, answers)
    keep = [i for i, labels in enumerate(answers) if len(set(labels) & set(classes)) == 1]
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

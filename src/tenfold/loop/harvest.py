"""What production taught, as a dataset: the task's own samples and those that people looked at.

What was drawn whatever had been answered (`audit`) only judges, what was picked because it was
worth a look (`review`) only fits; `factory.splits` holds that. What people said of a sample that
was there before takes the place of its label.
"""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

import numpy as np
from PIL import Image

from tenfold.catalog import datasets
from tenfold.catalog.datasets import Item, Origin, Sample
from tenfold.errors import DataError
from tenfold.factory.cohort import sides
from tenfold.factory.duplicates import near_groups, near_hashes, perceptual_hash, thumbnail
from tenfold.formats.pixels import decode, inspect
from tenfold.specs.task import TaskSpec
from tenfold.workspace import Workspace

FORMAT = "production"
Box = tuple[float, float, float, float]
"""Absolute x, y, x, y in pixels of the picture."""


@dataclass(frozen=True, slots=True)
class Learnt:
    """What people agreed on about one picture."""

    sample: str
    truth: str
    """A class of the question, or a label of the dataset."""
    origin: Origin
    lot: str | None = None
    """What it must not be parted from, such as the serial number of its part."""
    boxes: tuple[Box, ...] = ()
    """Where a defect is; empty: nobody said."""


@dataclass(frozen=True, slots=True)
class Harvest:
    dataset: str
    added: int
    corrected: int
    audits: int


def name_of(base: str, deployment: str) -> str:
    """The dataset of a deployment's own."""
    return f"{base}.{deployment.replace('/', '.')}"


def harvest(
    workspace: Workspace, spec: TaskSpec, deployment: str, learnt: Sequence[Learnt]
) -> Harvest:
    """Write the dataset of a deployment: `spec.dataset` and what was learnt since.

    Raises:
        NotFound: the dataset of the task is gone.
        DataError: a picture cannot be read, or a label answers no question of the task.
    """
    base = datasets.items_of(workspace.scope, datasets.get(workspace.scope, spec.dataset).name)
    known = {item.sha256 for item in base}
    words = _Words.of(spec, base)
    told = {one.sample: one for one in learnt}
    kept = [_corrected(item, told.get(item.sha256), words) for item in base]
    fresh = [_read(workspace, one, words) for one in learnt if one.sample not in known]
    there = [(datasets.sample(workspace.scope, item.sha256), item) for item in kept]
    content = _with_near(workspace, there, fresh)
    name = name_of(spec.dataset, deployment)
    datasets.put(
        workspace.scope,
        name=name,
        origin=(FORMAT, f"{spec.dataset} and {deployment}", f"what {deployment} taught"),
        content=content,
        set_aside=[],
    )
    return Harvest(
        dataset=name,
        added=len(fresh),
        corrected=sum(old != new for old, new in zip(base, kept, strict=True)),
        audits=sum(item.origin == "audit" for _, item in fresh),
    )


@dataclass(frozen=True, slots=True)
class _Words:
    """From what people say to what the dataset says."""

    task: str
    attribute: str | None
    where: Mapping[str, str]
    labels: frozenset[str]
    good: str
    bad: str
    """Empty where the question is not good or bad."""

    @classmethod
    def of(cls, spec: TaskSpec, items: Sequence[Item]) -> "_Words":
        name = spec.question.label
        labels = {label for item in items for label in item.labels}
        if name is not None:
            labels = {item.attributes[name] for item in items if name in item.attributes}
        where = {
            key: value if isinstance(value, str) else min(value)
            for key, value in spec.question.where.items()
        }
        positive, negative = sides(spec, labels) if _is_good_or_bad(spec) else (set(), set())
        good, bad = min(negative, default=""), min(positive, default="defect" if negative else "")
        return cls(spec.task, name, where, frozenset(labels), good, bad)

    def labels_of(self, said: str) -> tuple[str, ...]:
        """A label that the dataset has already is kept: another name would be another question.

        Raises:
            DataError: the task knows no such answer.
        """
        names = [name for name in said.split(";") if name]
        return tuple(self._label(name) for name in names)

    def _label(self, said: str) -> str:
        if said in self.labels:
            return said
        if self.good and said in ("good", "defect"):
            return self.good if said == "good" else self.bad
        raise DataError(
            f"{said!r} answers nothing that task {self.task!r} asks; there are "
            f"{', '.join(sorted(self.labels))}.",
            hint="Label the picture again.",
        )

    def attributes(self, labels: tuple[str, ...], before: Mapping[str, str]) -> dict[str, str]:
        if self.attribute is None:
            return {**self.where, **before}
        return {**self.where, **before, self.attribute: ";".join(labels)}


def _is_good_or_bad(spec: TaskSpec) -> bool:
    asked = spec.question
    return spec.kind == "anomaly" or bool(asked.positive or asked.negative)


def _corrected(item: Item, told: Learnt | None, words: _Words) -> Item:
    if told is None:
        return item
    labels = words.labels_of(told.truth)
    if words.attribute is not None:
        return replace(item, attributes=words.attributes(labels, item.attributes))
    return replace(item, labels=labels)


def _read(workspace: Workspace, one: Learnt, words: _Words) -> tuple[Sample, Item]:
    data = workspace.blobs.get(one.sample)
    limit = int(workspace.settings.max_megapixels * 1e6)
    pixels = decode(data, where=one.sample[:12], max_pixels=limit)
    height, width = pixels.shape[:2]
    _, _, mode = inspect(data, where=one.sample[:12], max_pixels=limit)
    phash = perceptual_hash(thumbnail(pixels))
    labels = words.labels_of(one.truth)
    item = Item(
        sha256=one.sample,
        path=f"production/{one.sample[:2]}/{one.sample}",
        labels=() if words.attribute is not None else labels,
        lot=one.lot,
        mask=_mask(workspace, one.boxes, (width, height)),
        attributes=words.attributes(labels, {}),
        origin=one.origin,
    )
    return Sample(one.sample, width, height, mode, len(data), f"{phash:016x}"), item


def _mask(workspace: Workspace, boxes: Sequence[Box], size: tuple[int, int]) -> str | None:
    """White where somebody saw the defect."""
    if not boxes:
        return None
    mask = np.zeros((size[1], size[0]), np.uint8)
    for x0, y0, x1, y1 in boxes:
        mask[int(y0) : int(np.ceil(y1)), int(x0) : int(np.ceil(x1))] = 255
    file = io.BytesIO()
    Image.fromarray(mask).save(file, "PNG")
    return workspace.blobs.put(file.getvalue())


def _with_near(
    workspace: Workspace,
    there: Sequence[tuple[Sample, Item]],
    fresh: Sequence[tuple[Sample, Item]],
) -> list[tuple[Sample, Item]]:
    """All of them, with near-duplicates of what is new joined to what they are like. Only pictures
    whose hashes are near a new one's are looked at."""
    every = [*there, *fresh]
    hashes = np.array([int(sample.phash, 16) for sample, _ in every], np.uint64)
    first, second = near_hashes(hashes)
    has_new = (first >= len(there)) | (second >= len(there))
    some = np.unique(np.concatenate([first[has_new], second[has_new]]))
    if not len(some):
        return every

    def pixels_of(place: int) -> np.ndarray:
        sample, limit = every[some[place]][0], int(workspace.settings.max_megapixels * 1e6)
        data = workspace.blobs.get(sample.sha256)
        return decode(data, where=sample.sha256[:12], max_pixels=limit)

    thumbs = np.stack([thumbnail(pixels_of(place)) for place in range(len(some))])
    for group in near_groups(hashes[some], thumbs, pixels_of):
        members = [int(some[place]) for place in group]
        joined = {every[i][1].near for i in members} - {None}
        name = min(filter(None, joined), default=min(every[i][1].sha256 for i in members))
        for i, (sample, item) in enumerate(every):
            if i in members or item.near in joined:
                every[i] = (sample, replace(item, near=name))
    return every

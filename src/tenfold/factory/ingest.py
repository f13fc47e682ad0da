"""Pictures and labels into the catalog: read, name by content, group what is alike, set aside
what cannot be read."""

import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from tenfold import formats
from tenfold.catalog import datasets
from tenfold.catalog.datasets import Dataset, Item, Sample, SetAside
from tenfold.errors import DataError
from tenfold.factory.duplicates import join_exact, near_groups
from tenfold.factory.read_images import ReadImage, read_images
from tenfold.formats.guess import guess
from tenfold.formats.pixels import decode
from tenfold.formats.row import Rejected, Row
from tenfold.values import Kind, Progress
from tenfold.workspace import Workspace


@dataclass(frozen=True, slots=True)
class Ingested:
    """What was read, and what a person should know about it."""

    dataset: Dataset
    kind: Kind
    """What a task on it most likely is."""
    good: str | None
    """The label of the good ones, if there is one."""
    several: bool
    """Some sample has several labels."""
    labels: dict[str, int]
    splits: tuple[str, ...]
    """The source's own split names."""
    set_aside: tuple[SetAside, ...]
    exact_duplicates: int
    near_groups: int
    largest_near_group: tuple[str, ...]

    @property
    def sentences(self) -> list[str]:
        counts = ", ".join(f"{name} {n:,}" for name, n in self.labels.items())
        words = [f"{self.dataset.size:,} samples in {self.dataset.name!r}: {counts}."]
        if self.exact_duplicates:
            words.append(f"{self.exact_duplicates:,} exact duplicates joined.")
        if self.near_groups:
            names = ", ".join(self.largest_near_group[:3])
            more = ", …" if len(self.largest_near_group) > 3 else ""
            words.append(
                f"Near-duplicates in {self.near_groups:,} groups stay together in splits; the "
                f"largest holds {len(self.largest_near_group)}: {names}{more}."
            )
        if self.set_aside:
            reasons = Counter(one.reason for one in self.set_aside)
            told = ", ".join(f"{reason} {n}" for reason, n in reasons.most_common())
            words.append(
                f"{len(self.set_aside):,} files set aside ({told}); "
                f"`tenfold show {self.dataset.name}` lists them."
            )
        return words


def ingest(
    workspace: Workspace,
    source: str | Path,
    *,
    name: str | None = None,
    format: str | None = None,
    alike: bool = False,
    progress: Progress | None = None,
) -> Ingested:
    """Read a source into the catalog under `name`; again is a refresh.

    `alike` says that pictures of different things look alike by nature, as one region of many parts
    does: then only their lots keep samples together, and near-duplicates are not looked for.

    Raises:
        NotFound: there is no such source or format.
        DataError: the source contradicts itself, or holds no picture that can be used.
        Conflict: the name is taken by a dataset from another source.
    """
    source = Path(source).expanduser()
    guessed = guess(source, format_name=format)
    rows = list(formats.named(guessed.format).read(source))
    images, set_aside = _read(workspace, rows, progress)
    if not images:
        raise DataError(
            f"none of {len(rows):,} files is a picture that can be used.",
            where=str(source),
            hint=f"The first: {set_aside[0].path}: {set_aside[0].detail}" if set_aside else "",
        )
    kept = [images[i] for i in join_exact([(i.row.path, i.sha256, i.row.labels) for i in images])]
    groups = [] if alike else _near(workspace, kept)
    near = {kept[i].sha256: min(kept[j].sha256 for j in group) for group in groups for i in group}
    dataset = datasets.put(
        workspace.scope,
        name=name or default_name(source),
        origin=(guessed.format, _source_name(source), guessed.explanation),
        content=[(_sample(image), _item(image, near.get(image.sha256))) for image in kept],
        set_aside=set_aside,
    )
    largest = max(groups, key=len, default=[])
    return Ingested(
        dataset=dataset,
        kind=guessed.kind,
        good=guessed.good,
        several=any(len(image.row.labels) > 1 for image in kept),
        splits=tuple(sorted({image.row.split for image in kept if image.row.split})),
        labels=dict(Counter(label for image in kept for label in image.row.labels).most_common()),
        set_aside=tuple(set_aside),
        exact_duplicates=len(images) - len(kept),
        near_groups=len(groups),
        largest_near_group=tuple(kept[i].row.path for i in largest),
    )


def default_name(source: Path) -> str:
    """A dataset name made of the last part of the source."""
    stem = source.absolute().name.removesuffix(".csv")
    return re.sub(r"[^A-Za-z0-9._-]+", "-", stem).strip("-._") or "dataset"


def _source_name(source: Path) -> str:
    return str(source.absolute()) if source.exists() else str(source)


def _read(
    workspace: Workspace, rows: Sequence[Row | Rejected], progress: Progress | None
) -> tuple[list[ReadImage], list[SetAside]]:
    images: list[ReadImage] = []
    set_aside: dict[str, SetAside] = {}
    limit = int(workspace.settings.max_megapixels * 1e6)
    found = read_images(
        rows, threads=workspace.settings.cores, max_pixels=limit, keep=workspace.blobs.put
    )
    for done, one in enumerate(found):
        if isinstance(one, ReadImage):
            images.append(one)
        else:
            set_aside[one.path] = SetAside(one.path, one.reason, one.detail)
        if progress:
            progress("ingest", done + 1, len(rows))
    return images, list(set_aside.values())


def _near(workspace: Workspace, kept: Sequence[ReadImage]) -> list[list[int]]:
    def pixels_of(position: int) -> np.ndarray:
        image = kept[position]
        limit = int(workspace.settings.max_megapixels * 1e6)
        return decode(workspace.blobs.get(image.sha256), where=image.row.path, max_pixels=limit)

    hashes = np.array([image.phash for image in kept], np.uint64)
    return near_groups(hashes, np.stack([image.thumb for image in kept]), pixels_of)


def _sample(image: ReadImage) -> Sample:
    return Sample(
        sha256=image.sha256,
        width_px=image.width,
        height_px=image.height,
        mode=image.mode,
        size_bytes=image.bytes_len,
        phash=f"{image.phash:016x}",
    )


def _item(image: ReadImage, near: str | None) -> Item:
    row = image.row
    return Item(
        sha256=image.sha256,
        path=row.path,
        labels=row.labels,
        lot=row.group,
        split=row.split,
        mask=image.mask_sha256,
        attributes=row.attributes,
        near=near,
    )

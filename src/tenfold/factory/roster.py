"""Who answers a question: samples, their groups and right answers, as workers and evidence need it.

All variants of a question on one snapshot share one roster, kept once as a blob. Values only.
"""

import json
import zlib
from base64 import b64decode, b64encode
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Bool, Float32

from tenfold.catalog.datasets import Item
from tenfold.factory.cohort import Cohort, in_words
from tenfold.factory.judge import Units
from tenfold.factory.splits import ROLES, Codes
from tenfold.heads.samples import choice_weights
from tenfold.values import Split

COMPRESSION = 9
"""zlib's level: a roster is written once and read often."""


@dataclass(frozen=True, eq=False)  # no slots: `truth` is worked out once
class Roster:
    classes: tuple[str, ...]
    is_binary: bool
    samples: tuple[str, ...]
    paths: tuple[str, ...]
    groups: tuple[str, ...]
    """What each sample stays together with."""
    targets: Float32[np.ndarray, "n classes"]
    soft_targets: Float32[np.ndarray, "n classes"] | None = None
    picked: Bool[np.ndarray, " n"] | None = None
    """Those that were picked in production because they teach; None: none."""
    masks: tuple[str | None, ...] = ()
    """Blobs of pictures that are white where the defect is."""

    @property
    def learnt(self) -> Float32[np.ndarray, "n classes"]:
        """What a head is fitted to; it is judged on `targets`."""
        return self.targets if self.soft_targets is None else self.soft_targets

    def counts(self, rows: Sequence[int] | np.ndarray) -> Float32[np.ndarray, " n"] | None:
        """What each of the samples counts for in a fit; None: all alike."""
        if self.picked is None or not _is_exclusive(self.learnt):
            return None
        return choice_weights(self.learnt[rows], self.picked[rows])

    @cached_property
    def truth(self) -> tuple[str, ...]:
        """Class names, joined by `;` where several are true."""
        return in_words(self.targets, self.classes)

    @cached_property
    def group_numbers(self) -> np.ndarray:
        """A number per lot or group of near-duplicates; every other sample is its own."""
        return np.unique(self.groups, return_inverse=True)[1]

    @cached_property
    def _ranks(self) -> np.ndarray:
        """Places of the samples in the order of their digests."""
        return np.argsort(np.argsort(self.samples))

    def units(self, rows: Sequence[int] | np.ndarray) -> Units:
        """What the samples stay together with, for counting."""
        return Units(self.group_numbers[rows], self._ranks[rows])


def dump(cohort: Cohort, snapshot: str, items: Sequence[Item]) -> bytes:
    """A roster as a few kilobytes: its samples are places among the `items` of a snapshot.

    The same bytes for the same cohort.
    """
    place = {item.sha256: i for i, item in enumerate(items)}
    chosen = np.zeros(len(items), bool)
    chosen[[place[sample] for sample in cohort.samples]] = True
    groups, sizes = cohort.groups, cohort.groups.sizes
    several = {
        groups.names[group]: np.flatnonzero(groups.of == group).tolist()
        for group in np.flatnonzero(sizes > 1).tolist()
    }
    named = {  # a lot of one sample
        groups.names[group]: [i]
        for i, group in enumerate(groups.of.tolist())
        if sizes[group] == 1 and groups.names[group] != cohort.samples[i]
    }
    plain = {
        "snapshot": snapshot,
        "classes": cohort.classes,
        "is_binary": cohort.is_binary,
        "size": len(items),
        "chosen": _as_text(chosen),
        "groups": several | named,
        "targets": _as_text(cohort.targets > 0.5),
        "soft": None if cohort.soft_targets is None else cohort.soft_targets.tolist(),
    }
    text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
    return zlib.compress(text.encode(), COMPRESSION)


def load(data: bytes, items_of: Callable[[str], Sequence[Item]]) -> Roster:
    """The roster that `dump` wrote; `items_of` gives the items of its snapshot."""
    plain: dict[str, Any] = json.loads(zlib.decompress(data))
    chosen = _from_text(plain["chosen"], plain["size"])
    everyone = items_of(plain["snapshot"])
    items = [everyone[i] for i in np.flatnonzero(chosen).tolist()]
    groups = [item.sha256 for item in items]
    for name, members in plain["groups"].items():
        for member in members:
            groups[member] = name
    shape = (len(items), len(plain["classes"]))
    soft = plain["soft"]
    return Roster(
        classes=tuple(plain["classes"]),
        is_binary=plain["is_binary"],
        samples=tuple(item.sha256 for item in items),
        paths=tuple(item.path for item in items),
        groups=tuple(groups),
        targets=_from_text(plain["targets"], shape[0] * shape[1]).reshape(shape).astype(np.float32),
        soft_targets=None if soft is None else np.array(soft, np.float32),
        picked=np.array([item.origin == "review" for item in items]),
        masks=tuple(item.mask for item in items),
    )


def _is_exclusive(targets: Float32[np.ndarray, "n classes"]) -> bool:
    return bool(np.allclose(targets.sum(axis=1), 1, atol=1e-3))


def _as_text(bits: np.ndarray) -> str:
    return b64encode(np.packbits(bits).tobytes()).decode()


def _from_text(text: str, size: int) -> np.ndarray:
    packed = np.frombuffer(b64decode(text), np.uint8)
    return np.unpackbits(packed, count=size).astype(bool)


def rows_of(codes: Codes, *wanted: Split) -> list[int]:
    """Places of the samples that have one of the roles: all of the first, then of the next."""
    return [int(i) for role in wanted for i in np.flatnonzero(codes == ROLES.index(role))]

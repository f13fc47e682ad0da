"""Who answers a question: samples, their groups and right answers, as workers and evidence need it.

All variants of a question on one snapshot share one roster, kept once as a blob. Values only.
"""

import json
import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from functools import cached_property
from typing import Any

import numpy as np
from jaxtyping import Float32

from tenfold.factory.cohort import Cohort
from tenfold.factory.judge import Units
from tenfold.factory.splits import ROLES, Codes
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

    @classmethod
    def of(cls, cohort: Cohort) -> "Roster":
        names = cohort.groups.names
        return cls(
            classes=cohort.classes,
            is_binary=cohort.is_binary,
            samples=cohort.samples,
            paths=tuple(item.path for item in cohort.items),
            groups=tuple(names[group] for group in cohort.groups.of),
            targets=cohort.targets,
            soft_targets=cohort.soft_targets,
        )

    @property
    def learnt(self) -> Float32[np.ndarray, "n classes"]:
        """What a head is fitted to; it is judged on `targets`."""
        return self.targets if self.soft_targets is None else self.soft_targets

    @cached_property
    def truth(self) -> tuple[str, ...]:
        """Class names, joined by `;` where several are true."""
        return tuple(
            ";".join(name for name, hit in zip(self.classes, row, strict=True) if hit)
            for row in self.targets
        )

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

    def dump(self) -> bytes:
        """The same bytes for the same roster."""
        plain = {
            "classes": self.classes,
            "is_binary": self.is_binary,
            "samples": self.samples,
            "paths": self.paths,
            "groups": [g if g != s else "" for g, s in zip(self.groups, self.samples, strict=True)],
            "targets": [np.flatnonzero(row).tolist() for row in self.targets],
            "soft": None if self.soft_targets is None else self.soft_targets.tolist(),
        }
        text = json.dumps(plain, ensure_ascii=False, separators=(",", ":"))
        return zlib.compress(text.encode(), COMPRESSION)

    @classmethod
    def load(cls, data: bytes) -> "Roster":
        plain: dict[str, Any] = json.loads(zlib.decompress(data))
        samples = tuple(plain["samples"])
        targets = np.zeros((len(samples), len(plain["classes"])), np.float32)
        for row, hits in zip(targets, plain["targets"], strict=True):
            row[hits] = 1
        soft = plain["soft"]
        return cls(
            classes=tuple(plain["classes"]),
            is_binary=plain["is_binary"],
            samples=samples,
            paths=tuple(plain["paths"]),
            groups=tuple(g or s for g, s in zip(plain["groups"], samples, strict=True)),
            targets=targets,
            soft_targets=None if soft is None else np.array(soft, np.float32),
        )


def rows_of(codes: Codes, *wanted: Split) -> list[int]:
    """Places of the samples that have one of the roles: all of the first, then of the next."""
    return [int(i) for role in wanted for i in np.flatnonzero(codes == ROLES.index(role))]

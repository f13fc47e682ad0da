"""Which samples fit, calibrate and judge: by group, stratified, and never taken back.

A sample's role within a question's lineage is for life: what once judged never fits, what once
fitted never judges, whatever the seed. New samples fill up the shares. Who judges does not depend
on the seed; the seed only divides the rest between fit and calibrate.

What was picked in production because it was worth a look never judges: it is harder than what is
seen there. What was drawn there at random judges, and does nothing else.
"""

from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np
from jaxtyping import Bool, Int, UInt8

from tenfold.errors import DataError
from tenfold.factory.cohort import Cohort
from tenfold.specs.task import Shares, TaskSpec
from tenfold.values import Split

Role = Split | None
ROLES: tuple[Role, ...] = (None, "fit", "calibrate", "judge")
NONE, FIT, CALIBRATE, JUDGE = range(4)
Codes = UInt8[np.ndarray, " n"]
"""A role per sample, as its place in `ROLES`."""
Some = Int[np.ndarray, " some"]
"""Some groups, by number."""

FEWEST = 3
"""Fewer groups than this are no stratum of their own: they are divided with other rare answers."""


@dataclass(frozen=True, slots=True, eq=False)
class Splits:
    """Roles in the order of the cohort; None for what has none."""

    codes: Codes
    by_group: bool
    """Whether every sample had a lot; else the proof is image-level."""

    @property
    def roles(self) -> tuple[Role, ...]:
        return tuple(ROLES[code] for code in self.codes)

    @property
    def left_out(self) -> int:
        """Samples without a role: in a group with judge samples but not to be judged themselves,
        or in no split that was asked for."""
        return int((self.codes == NONE).sum())

    def where(self, role: Split) -> list[int]:
        return np.flatnonzero(self.codes == ROLES.index(role)).tolist()


@dataclass(frozen=True, slots=True)
class Known:
    """Roles that the question's lineage has given already."""

    judge: frozenset[bytes] = frozenset()
    """By `questions.short`."""
    fit: frozenset[bytes] = frozenset()
    """Fit or calibrate."""


def split(spec: TaskSpec, cohort: Cohort, known: Known) -> Splits:
    """Roles for every sample of the cohort.

    Raises:
        DataError: the dataset's own splits leave nothing to fit.
    """
    origins = np.array([item.origin for item in cohort.items])
    drawing = _Drawing(
        spec,
        cohort,
        judged=cohort.mask(known.judge),
        fitted=cohort.mask(known.fit),
        audited=origins == "audit",
        reviewed=origins == "review",
    )
    codes = drawing.drawn() if spec.split.stored is None else drawing.stored(spec.split)
    drawing.divide_fit(codes)
    drawing.thin_fit(codes)
    if spec.kind == "anomaly":
        drawing.teach(codes)
    if spec.split.stored is not None and not (codes == FIT).any():
        raise DataError(
            "the dataset's own splits leave nothing to fit: every group that fits also judges.",
            where=f"task {spec.task}, split.stored",
            hint="Correct the groups, or leave `stored` out to have groups divided whole.",
        )
    return Splits(codes, by_group=all(item.lot is not None for item in cohort.items))


@dataclass(frozen=True, slots=True, eq=False)
class _Drawing:
    spec: TaskSpec
    cohort: Cohort
    judged: Bool[np.ndarray, " n"]
    """Samples that judged before."""
    fitted: Bool[np.ndarray, " n"]
    """Samples that fitted before."""
    audited: Bool[np.ndarray, " n"]
    """Samples that were drawn in production."""
    reviewed: Bool[np.ndarray, " n"]
    """Samples that were picked in production."""

    def drawn(self) -> Codes:
        """Judge is filled up to its share in every stratum, in an order that only the question
        sets."""
        groups, shares = self.cohort.groups, self.spec.split
        codes = np.full(len(self.cohort.items), FIT, np.uint8)
        may_not = (self.fitted | self.reviewed) & ~self.judged
        judges = groups.any(self.judged | (self.audited & ~may_not))
        fits = groups.any(self.fitted | self.reviewed)
        place = groups.order(self.spec.question_key)
        chosen = np.zeros(len(groups.names), bool)
        for never_fits, mine in self._strata(np.ones(len(groups.names), bool)):
            share = shares.judge / (shares.calibrate + shares.judge if never_fits else 1)
            judging = mine[judges[mine]]
            free = mine[~judges[mine] & ~fits[mine]]
            wanted = _target(groups.sizes[mine], share, alone=never_fits)
            wanted -= int(groups.sizes[judging].sum())
            taken = _take(free, groups.sizes, place, wanted, at_least_one=not len(judging))
            chosen[judging] = chosen[taken] = True
        mine = chosen[groups.of]
        # what fitted before and is now found to be like a judge sample may do neither
        codes[mine] = np.where(may_not[mine], NONE, JUDGE)
        codes[self.audited & ~mine] = NONE  # it fitted before
        return codes

    def stored(self, shares: Shares) -> Codes:
        """Roles as the dataset says; a group that touches judge lends nothing to fit."""
        names = shares.stored or {}
        said = [
            item.split if shares.column is None else item.attributes.get(shares.column)
            for item in self.cohort.items
        ]
        for name in sorted(set(names) - set(said)):
            there = sorted({one for one in said if one})
            raise DataError(
                f"no sample is in split {name!r}; there are {', '.join(there) or 'none'}.",
                where="split.stored"
                if shares.column is None
                else f"split.column {shares.column!r}",
                hint="Correct the names in `split`.",
            )
        number = {name: ROLES.index(role) for name, role in names.items()}
        codes = np.array([number.get(name or "", NONE) for name in said], np.uint8)
        codes[self.audited], codes[self.reviewed] = JUDGE, FIT
        groups = self.cohort.groups
        judges = groups.any((codes == JUDGE) | self.judged)[groups.of]
        codes[((codes != JUDGE) & judges) | ((codes == JUDGE) & self.fitted)] = NONE
        return codes

    def divide_fit(self, codes: Codes) -> None:
        """Take calibrate's share out of what fits, in an order that the seed sets. What was picked
        in production is harder than what comes along and would move the threshold, so it fits.
        Where the likeliest class wins there is no threshold to set, and fit keeps all."""
        if not self.cohort.is_binary:
            return
        groups, shares = self.cohort.groups, self.spec.split
        has_own = bool((codes == CALIBRATE).any())
        share = shares.calibrate / (shares.fit + shares.calibrate)
        place = groups.order(f"calibrate {self.spec.seed}")
        sizes = groups.count(codes == FIT)
        for never_fits, mine in self._strata((sizes > 0) & ~groups.any(self.reviewed)):
            taken = mine if never_fits else mine[:0]
            if not never_fits and not has_own:
                wanted = _target(sizes[mine], share, alone=False)
                taken = _take(mine, sizes, place, wanted, at_least_one=True)
            self._give(codes, taken, CALIBRATE)

    def teach(self, codes: Codes) -> None:
        """Anomaly heads fit goods only, so bad pictures calibrate; those that were picked in
        production, and what stays together with them, are lessons and must not."""
        bad = self.cohort.targets[:, 1] > 0
        lessons = self.cohort.groups.any(self.reviewed & bad)[self.cohort.groups.of]
        fits = bad & ((codes == FIT) | (codes == CALIBRATE))
        codes[fits] = np.where(lessons[fits], FIT, CALIBRATE)

    def thin_fit(self, codes: Codes) -> None:
        """Leave fit about `most_fit` samples; what fits a small head fits every larger one."""
        most, groups = self.spec.split.most_fit, self.cohort.groups
        sizes = groups.count(codes == FIT)
        total = int(sizes.sum())
        if most is None or total <= most:
            return
        place = groups.order(f"size {self.spec.seed}")
        for _, mine in self._strata((sizes > 0) & ~groups.any(self.reviewed)):
            wanted = max(1, round(int(sizes[mine].sum()) * most / total))
            kept = _take(mine, sizes, place, wanted, at_least_one=True)
            if len(kept):
                self._give(codes, np.setdiff1d(mine, kept), NONE)

    def _give(self, codes: Codes, some: Some, code: int) -> None:
        """The code, to what fits of some groups."""
        chosen = np.zeros(len(self.cohort.groups.names), bool)
        chosen[some] = True
        codes[(codes == FIT) & chosen[self.cohort.groups.of]] = code

    def _strata(self, among: Bool[np.ndarray, " groups"]) -> Iterator[tuple[bool, Some]]:
        """Groups by the rarest answer among their samples, and whether the stratum can never
        fit."""
        groups = self.cohort.groups
        never = groups.all_bad if self.spec.kind == "anomaly" else np.zeros(len(among), bool)
        keys = (2 * (groups.rarest + 1) + never)[among]
        found, number, counts = np.unique(keys, return_inverse=True, return_counts=True)
        if len(found) > 2:
            pooled = len(found) + found % 2
            number = np.where(counts < FEWEST, pooled, np.arange(len(found)))[number]
        some = np.flatnonzero(among)
        for stratum in np.unique(number):
            mine = some[number == stratum]
            yield bool(never[mine[0]]), mine


def _target(sizes: Int[np.ndarray, " some"], share: float, *, alone: bool) -> int:
    """Samples to take; a lone group is taken only where nobody else needs it."""
    if len(sizes) == 1:
        return int(sizes[0]) if alone else 0
    return max(round(int(sizes.sum()) * share), 1)


def _take(
    some: Some,
    sizes: Int[np.ndarray, " groups"],
    place: np.ndarray,
    wanted: int,
    *,
    at_least_one: bool,
) -> Some:
    """Groups in the order of their places until their samples come closest to `wanted`."""
    if wanted <= 0:
        return some[:0]
    ordered = some[np.argsort(place[some], kind="stable")]
    taken: list[int] = []
    missing = wanted
    for group, size in zip(ordered.tolist(), sizes[ordered].tolist(), strict=True):
        if missing <= 0:
            break
        if size <= 2 * missing:
            taken.append(group)
            missing -= size
    if not taken and at_least_one and len(some) > 1:
        taken = [int(ordered[np.argmin(sizes[ordered])])]
    return np.array(taken, np.int64)

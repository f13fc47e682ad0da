"""Which samples fit, calibrate and judge: by group, stratified, and never taken back.

A sample's role within a question's lineage is for life: what once judged never fits, what once
fitted never judges, whatever the seed. New samples fill up the shares. Who judges does not depend
on the seed; the seed only divides the rest between fit and calibrate.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from tenfold.errors import DataError
from tenfold.factory.cohort import Cohort
from tenfold.specs.task import Shares, TaskSpec
from tenfold.values import Split

Role = Split | None

FEWEST = 3
"""Fewer groups than this are no stratum of their own: they are divided with other rare answers."""


@dataclass(frozen=True, slots=True)
class Splits:
    """Roles in the order of the cohort; None for what has none."""

    roles: tuple[Role, ...]
    groups: tuple[str, ...]
    """Name of what each sample stays together with: its lot, its near-duplicates, or only itself.
    One sample of a group counts in each exact bound; see `tenfold.factory.judge.tally`."""
    by_group: bool
    """Whether every sample had a lot; else the proof is image-level."""
    left_out: int
    """Samples without a role: in a group with judge samples but not to be judged themselves, or
    in no split that was asked for."""

    def where(self, role: Split) -> list[int]:
        return [i for i, r in enumerate(self.roles) if r == role]


@dataclass(frozen=True, slots=True)
class Known:
    """Roles that the question's lineage has given already."""

    judge: frozenset[str] = frozenset()
    fit: frozenset[str] = frozenset()
    """Fit or calibrate."""


@dataclass(frozen=True, slots=True)
class _Unit:
    """Samples that must stay together."""

    name: str
    members: tuple[int, ...]
    """Positions in the cohort."""

    def __len__(self) -> int:
        return len(self.members)


def split(spec: TaskSpec, cohort: Cohort, known: Known) -> Splits:
    """Roles for every sample of the cohort.

    Raises:
        DataError: the dataset's own splits leave nothing to fit.
    """
    units = _units(cohort)
    if spec.split.stored is None:
        roles = _drawn(spec, cohort, units, known)
    else:
        roles = _stored(spec.split, cohort, units, known)
    _divide_fit(spec, cohort, units, roles)
    _thin_fit(spec, cohort, units, roles)
    if spec.kind == "anomaly":  # these heads fit goods only; the group stays out of judge
        for i in np.flatnonzero(cohort.targets[:, 1] > 0):
            roles[i] = "calibrate" if roles[i] == "fit" else roles[i]
    if "fit" not in roles and spec.split.stored is not None:
        raise DataError(
            "the dataset's own splits leave nothing to fit: every group that fits also judges.",
            where=f"task {spec.task}, split.stored",
            hint="Correct the groups, or leave `stored` out to have groups divided whole.",
        )
    return Splits(
        roles=tuple(roles),
        groups=tuple(_names(units, len(roles))),
        by_group=all(item.lot is not None for item in cohort.items),
        left_out=sum(role is None for role in roles),
    )


def _units(cohort: Cohort) -> list[_Unit]:
    """Samples of the same lot, or near-duplicates, or both in a chain."""
    parent = list(range(len(cohort.items)))

    def root(i: int) -> int:
        while parent[i] != i:
            parent[i] = parent[parent[i]]
            i = parent[i]
        return i

    first: dict[tuple[str, str], int] = {}
    for i, item in enumerate(cohort.items):
        for kind, value in (("lot", item.lot), ("near", item.near)):
            if value is not None:
                parent[root(i)] = root(first.setdefault((kind, value), i))
    members: dict[int, list[int]] = defaultdict(list)
    for i in range(len(parent)):
        members[root(i)].append(i)
    return [_Unit(_name(cohort, mine), tuple(mine)) for mine in members.values()]


def _name(cohort: Cohort, members: Sequence[int]) -> str:
    """The lot if there is one (the first of several joined ones), else the smallest digest."""
    lots = {lot for i in members if (lot := cohort.items[i].lot) is not None}
    return f"lot {min(lots)}" if lots else min(cohort.items[i].sha256 for i in members)


def _names(units: Sequence[_Unit], n: int) -> list[str]:
    names = [""] * n
    for unit in units:
        for i in unit.members:
            names[i] = unit.name
    return names


def _stored(shares: Shares, cohort: Cohort, units: list[_Unit], known: Known) -> list[Role]:
    """Roles as the dataset says; a unit that touches judge lends nothing to fit."""
    names = shares.stored or {}
    said = [
        item.split if shares.column is None else item.attributes.get(shares.column)
        for item in cohort.items
    ]
    for name in sorted(set(names) - set(said)):
        there = sorted({one for one in said if one})
        raise DataError(
            f"no sample is in split {name!r}; there are {', '.join(there) or 'none'}.",
            where="split.stored" if shares.column is None else f"split.column {shares.column!r}",
            hint="Correct the names in `split`.",
        )
    roles: list[Role] = [names.get(name or "") for name in said]
    for unit in units:
        ids = {cohort.items[i].sha256 for i in unit.members}
        judges = any(roles[i] == "judge" for i in unit.members) or ids & known.judge
        for i in unit.members:
            fitted_before = cohort.items[i].sha256 in known.fit
            if (roles[i] != "judge" and judges) or (roles[i] == "judge" and fitted_before):
                roles[i] = None
    return roles


def _drawn(spec: TaskSpec, cohort: Cohort, units: list[_Unit], known: Known) -> list[Role]:
    """Judge is filled up to its share in every stratum, in an order that only the question sets."""
    roles: list[Role] = ["fit"] * len(cohort.items)
    for never_fits, mine in _strata(spec, cohort, units):
        share = spec.split.judge
        if never_fits:
            share = spec.split.judge / (spec.split.calibrate + spec.split.judge)
        judging, free = _by_history(cohort, mine, known)
        wanted = _target(mine, share, alone=never_fits) - sum(map(len, judging))
        judging += _take(free, wanted, salt=spec.question_key, at_least_one=not judging)
        for i in (i for unit in judging for i in unit.members):
            # what fitted before and is now found to be like a judge sample may do neither
            roles[i] = None if cohort.items[i].sha256 in known.fit - known.judge else "judge"
    return roles


def _divide_fit(spec: TaskSpec, cohort: Cohort, units: list[_Unit], roles: list[Role]) -> None:
    """Take calibrate's share out of what fits, in an order that the seed sets. Where the likeliest
    class wins there is no threshold to set, and fit keeps all."""
    if not cohort.is_binary:
        return
    has_own = "calibrate" in roles
    share = spec.split.calibrate / (spec.split.fit + spec.split.calibrate)
    for never_fits, mine in _strata(spec, cohort, _fitting(units, roles)):
        if never_fits:
            taken = mine
        elif has_own:
            taken = []
        else:
            wanted = _target(mine, share, alone=False)
            taken = _take(mine, wanted, salt=f"calibrate {spec.seed}", at_least_one=True)
        for i in (i for unit in taken for i in unit.members):
            roles[i] = "calibrate"


def _thin_fit(spec: TaskSpec, cohort: Cohort, units: list[_Unit], roles: list[Role]) -> None:
    """Leave fit about `most_fit` samples; what fits a small head fits every larger one."""
    most, fitting = spec.split.most_fit, _fitting(units, roles)
    total = sum(map(len, fitting))
    if most is None or total <= most:
        return
    for _, mine in _strata(spec, cohort, fitting):
        wanted = max(1, round(sum(map(len, mine)) * most / total))
        kept = _take(mine, wanted, salt=f"size {spec.seed}", at_least_one=True) or mine
        stays = {unit.name for unit in kept}
        for i in (i for unit in mine if unit.name not in stays for i in unit.members):
            roles[i] = None


def _fitting(units: Iterable[_Unit], roles: Sequence[Role]) -> list[_Unit]:
    """What of each unit fits."""
    return [
        _Unit(unit.name, mine)
        for unit in units
        if (mine := tuple(i for i in unit.members if roles[i] == "fit"))
    ]


def _strata(
    spec: TaskSpec, cohort: Cohort, units: Iterable[_Unit]
) -> list[tuple[bool, list[_Unit]]]:
    """Units by the rarest answer among their samples, and whether the stratum can never fit."""
    counts = cohort.targets.sum(axis=0)
    found: dict[tuple[bool, int], list[_Unit]] = defaultdict(list)
    for unit in units:
        answers = cohort.targets[list(unit.members)] > 0
        hits = np.flatnonzero(answers.any(axis=0))
        rarest = int(min(hits, key=lambda c: (counts[c], c), default=-1))
        never_fits = spec.kind == "anomaly" and bool(answers[:, 1].all())
        found[never_fits, rarest].append(unit)
    rare = [key for key in found if len(found[key]) < FEWEST and len(found) > 2]
    for key in sorted(rare):
        found[key[0], -2] = found.get((key[0], -2), []) + found.pop(key)
    return [(key[0], found[key]) for key in sorted(found)]


def _by_history(
    cohort: Cohort, units: list[_Unit], known: Known
) -> tuple[list[_Unit], list[_Unit]]:
    """Units that judge already, and those that are new; those that fitted are neither."""
    judging: list[_Unit] = []
    free: list[_Unit] = []
    for unit in units:
        ids = {cohort.items[i].sha256 for i in unit.members}
        if ids & known.judge:
            judging.append(unit)
        elif not ids & known.fit:
            free.append(unit)
    return judging, free


def _target(units: Sequence[_Unit], share: float, *, alone: bool) -> int:
    """Samples to take; a lone unit is taken only where nobody else needs it."""
    if len(units) == 1:
        return len(units[0]) if alone else 0
    return max(round(sum(map(len, units)) * share), 1)


def _take(units: list[_Unit], wanted: int, *, salt: str, at_least_one: bool) -> list[_Unit]:
    """Units in the order of `salt` until their samples come closest to `wanted`."""
    if wanted <= 0:
        return []
    taken: list[_Unit] = []
    missing = wanted
    for unit in sorted(units, key=lambda unit: _place(unit, salt)):
        if missing > 0 and len(unit) <= 2 * missing:
            taken.append(unit)
            missing -= len(unit)
    if not taken and at_least_one and len(units) > 1:
        taken = [min(units, key=lambda unit: (len(unit), _place(unit, salt)))]
    return taken


def _place(unit: _Unit, salt: str) -> str:
    return hashlib.sha256(f"{salt} {unit.name}".encode()).hexdigest()

"""Which samples fit, calibrate and judge: by group, stratified, and never taken back.

A sample's role within a question's lineage is for life: what once judged never fits, what once
fitted never judges, whatever the seed. New samples fill up the shares. Who judges does not depend
on the seed; the seed only divides the rest between fit and calibrate.
"""

import hashlib
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from tenfold.factory.cohort import Cohort
from tenfold.specs.task import TaskSpec
from tenfold.values import Split

Role = Split | None


@dataclass(frozen=True, slots=True)
class Splits:
    """Roles in the order of the cohort; None for what has none."""

    roles: tuple[Role, ...]
    by_group: bool
    """Whether lots kept samples together; else the proof is image-level."""
    left_out: int
    """Samples without a role: near-duplicates of judge samples, or in no split that was asked."""

    def where(self, role: Split) -> list[int]:
        return [i for i, r in enumerate(self.roles) if r == role]


@dataclass(frozen=True, slots=True)
class Known:
    """Roles that the question's lineage has given already."""

    judge: frozenset[str] = frozenset()
    fit: frozenset[str] = frozenset()
    """Fit or calibrate."""


def split(spec: TaskSpec, cohort: Cohort, known: Known) -> Splits:
    """Roles for every sample of the cohort."""
    units = _units(cohort)
    if spec.split.stored is not None:
        roles = _stored(cohort, units, spec.split.stored, known)
    else:
        roles = _drawn(spec, cohort, units, known)
    _divide_fit(spec, cohort, units, roles)
    return Splits(
        roles=tuple(roles),
        by_group=any(item.lot is not None for item in cohort.items),
        left_out=sum(role is None for role in roles),
    )


def _units(cohort: Cohort) -> list[list[int]]:
    """Indexes that must stay together: the same lot, or near-duplicates, or both in a chain."""
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
    return list(members.values())


def _stored(
    cohort: Cohort, units: list[list[int]], names: Mapping[str, Split], known: Known
) -> list[Role]:
    """Roles as the dataset says; a unit that touches judge lends nothing to fit."""
    roles: list[Role] = [names.get(item.split or "") for item in cohort.items]
    for unit in units:
        ids = {cohort.items[i].sha256 for i in unit}
        judges = any(roles[i] == "judge" for i in unit) or ids & known.judge
        for i in unit:
            fitted_before = cohort.items[i].sha256 in known.fit
            if (roles[i] != "judge" and judges) or (roles[i] == "judge" and fitted_before):
                roles[i] = None
    return roles


def _drawn(spec: TaskSpec, cohort: Cohort, units: list[list[int]], known: Known) -> list[Role]:
    """Judge is filled up to its share in every stratum, in an order that only the question sets."""
    roles: list[Role] = ["fit"] * len(cohort.items)
    for stratum, mine in _strata(cohort, units).items():
        share = spec.split.judge
        if _never_fits(spec, stratum):
            share = spec.split.judge / (spec.split.calibrate + spec.split.judge)
        fixed, free = _by_history(cohort, mine, known)
        wanted = _target(sum(len(unit) for unit in mine), len(mine), share)
        wanted -= sum(len(unit) for unit in fixed)
        for unit in _shuffled(free, cohort, spec.question_key):
            if wanted <= 0:
                break
            if len(unit) <= wanted or wanted > len(unit) / 2:
                fixed.append(unit)
                wanted -= len(unit)
        for unit in fixed:
            for i in unit:
                roles[i] = "judge"
    return roles


def _divide_fit(spec: TaskSpec, cohort: Cohort, units: list[list[int]], roles: list[Role]) -> None:
    """Take calibrate's share out of what fits, in an order that the seed sets."""
    open_units = [
        unit for unit in ([i for i in unit if roles[i] == "fit"] for unit in units) if unit
    ]
    has_own = "calibrate" in roles
    share = spec.split.calibrate / (spec.split.fit + spec.split.calibrate)
    for stratum, mine in _strata(cohort, open_units).items():
        if _never_fits(spec, stratum):
            taken = mine
        elif has_own:
            taken = []
        else:
            wanted, taken = _target(sum(map(len, mine)), len(mine), share), []
            for unit in _shuffled(mine, cohort, f"calibrate {spec.seed}"):
                if len(unit) <= wanted or wanted > len(unit) / 2:
                    taken.append(unit)
                    wanted -= len(unit)
        for unit in taken:
            for i in unit:
                roles[i] = "calibrate"


def _strata(cohort: Cohort, units: Iterable[list[int]]) -> dict[tuple[bool, ...], list[list[int]]]:
    """Units by what is true of any of their samples, rarest answers kept visible."""
    found: dict[tuple[bool, ...], list[list[int]]] = defaultdict(list)
    for unit in units:
        found[tuple(bool(hit) for hit in cohort.targets[unit].max(0))].append(unit)
    return dict(sorted(found.items()))


def _never_fits(spec: TaskSpec, stratum: Sequence[bool]) -> bool:
    """Anomaly heads fit goods only: defects calibrate and judge."""
    return spec.kind == "anomaly" and stratum[1]


def _by_history(
    cohort: Cohort, units: list[list[int]], known: Known
) -> tuple[list[list[int]], list[list[int]]]:
    """Units that judge already, and those that are new; those that fitted are neither."""
    fixed: list[list[int]] = []
    free: list[list[int]] = []
    for unit in units:
        ids = {cohort.items[i].sha256 for i in unit}
        if ids & known.judge:
            fixed.append(unit)
        elif not ids & known.fit:
            free.append(unit)
    return fixed, free


def _target(samples: int, units: int, share: float) -> int:
    """Samples to take; at least one where that leaves one."""
    return max(round(samples * share), 1 if units > 1 else 0)


def _shuffled(units: list[list[int]], cohort: Cohort, salt: str) -> list[list[int]]:
    def place(unit: list[int]) -> str:
        name = min(cohort.items[i].sha256 for i in unit)
        return hashlib.sha256(f"{salt} {name}".encode()).hexdigest()

    return sorted(units, key=place)

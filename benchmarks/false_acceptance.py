"""How often is a head accepted that is exactly at its bar? At most alpha, however one looks.

Every simulated lineage asks one question again and again: other rungs, other seeds, the task
renamed, the dataset copied under another name, labels added one by one and in batches, pictures
in lots that err together. Who judges, what joins a lineage and what is accepted is decided by the
code that `tenfold make` runs; only the errors of the heads are drawn at random.

    python benchmarks/false_acceptance.py [--lineages 20000] [--seed 0]
"""

import argparse
import hashlib
import json
import sys
import time
from dataclasses import dataclass
from functools import cache

import numpy as np
from scipy.stats import norm

from tenfold.catalog.datasets import Item
from tenfold.catalog.questions import Spent
from tenfold.factory.cohort import Cohort, gather
from tenfold.factory.history import History
from tenfold.factory.judge import Count, Lineage, Units, Verdict, judge, tally
from tenfold.factory.splits import Known, Splits, split
from tenfold.metrics.bounds import most_errors, spent_alpha, upper_bound
from tenfold.specs.bar import Bar
from tenfold.specs.task import TaskSpec

DRAWS = 200
"""Lineages that share one history of looks and differ in the errors of their heads."""
EVENTS = ("rung", "rung", "seed", "rename task", "copy dataset", "one label", "labels")
LIMITS = (0.05, 0.1, 0.2, 0.3)


@dataclass(frozen=True, slots=True)
class Look:
    """One judging of a history: on which samples, as which look."""

    number: int
    event: str
    judge: tuple[int, ...]
    """Numbers of the judged defects."""
    units: tuple[tuple[str, str], ...]


def main(arguments: list[str]) -> dict[str, object]:
    parser = argparse.ArgumentParser(description="How often is a head at its bar accepted?")
    parser.add_argument("--lineages", type=int, default=20_000)
    parser.add_argument("--seed", type=int, default=0)
    asked = parser.parse_args(arguments)
    began = time.perf_counter()
    rng = np.random.default_rng(asked.seed)
    bar = Bar(escape=0.1)
    found = simulate(rng, lineages=asked.lineages, confidence=bar.confidence)
    advised = follow_advice(rng, lineages=asked.lineages // 2, confidence=bar.confidence)
    chosen = {str(n): choose_sizes(bar.alpha, looks=n) for n in (2, 5, 10)}
    return {
        "benchmark": "false_acceptance",
        "alpha": bar.alpha,
        **found,
        **advised,
        "worst_case_sizes_chosen_after_seeing": chosen,
        "seconds": round(time.perf_counter() - began, 1),
    }


def simulate(rng: np.random.Generator, *, lineages: int, confidence: float) -> dict[str, object]:
    """Share of lineages in which any look accepted the head, and two rules that would not do."""
    accepted = careless = by_picture = judgings = total = 0
    for history in range(-(-lineages // DRAWS)):
        limit = LIMITS[history % len(LIMITS)]
        bar = Bar(escape=limit, confidence=confidence)
        looks = look_often(rng, bar, with_lots=history % 2 == 1)
        outcome = judge_all(rng, looks, bar)
        accepted += int(outcome[0].sum())
        careless += int(outcome[1].sum())
        by_picture += int(outcome[2].sum())
        judgings += len(looks) * DRAWS
        total += DRAWS
    alpha = Bar(confidence=confidence).alpha
    return {
        "lineages": total,
        "judgings": judgings,
        "false_acceptance": accepted / total,
        "false_acceptance_upper_99": upper_bound(accepted, total, alpha=0.01),
        "is_kept": upper_bound(accepted, total, alpha=0.01) <= alpha,
        "if_every_look_spent_alpha": careless / total,
        "if_every_picture_of_a_lot_counted": by_picture / total,
    }


def look_often(rng: np.random.Generator, bar: Bar, *, with_lots: bool) -> list[Look]:
    """The looks of one question, numbered by the real lineage over really divided samples."""
    goods, defects = int(rng.integers(10, 30)), int(rng.integers(100, 600)) * (1 + with_lots)
    task, dataset, seed = "caps", "caps", 0
    spent: list[Spent] = []
    looks: list[Look] = []
    for turn in range(int(rng.integers(4, 15))):
        event = "first" if turn == 0 else str(rng.choice(EVENTS))
        task = f"task-{turn}" if event == "rename task" else task
        dataset = f"copy-{turn}" if event == "copy dataset" else dataset
        seed += event == "seed"
        defects += {"one label": 1, "labels": int(rng.integers(2, 80))}.get(event, 0)
        spec = TaskSpec.model_validate(
            {
                "task": task,
                "dataset": dataset,
                "seed": seed,
                "question": {"positive": ["defect"]},
                "bar": bar.model_dump(),
            }
        )
        cohort = gather(spec, _items(goods, defects, with_lots=with_lots))
        before = History(spent).before(cohort.everyone)
        splits = split(spec, cohort, Known(before.judge, before.fit))
        rows = splits.where("judge")
        bad = [r for r in rows if cohort.targets[r, 1]]
        looks.append(
            Look(
                number=before.next_look,
                event=event,
                judge=tuple(int(cohort.items[r].path) for r in bad),
                units=tuple(_unit(cohort, r) for r in bad),
            )
        )
        spent = [_remembered(before, cohort, splits)]
    return looks


def judge_all(
    rng: np.random.Generator, looks: list[Look], bar: Bar
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Per draw whether any look accepted: as Tenfold judges, with alpha unspent, by picture."""
    most = 1 + max(number for look in looks for number in look.judge)
    lots = {n: u[0] for look in looks for n, u in zip(look.judge, look.units, strict=True)}
    accepted, careless, by_picture = (np.zeros(DRAWS, bool) for _ in range(3))
    errors = _errors(rng, lots, most, bar)
    for look in looks:
        if look.event in ("rung", "seed"):  # another head, more or less like the last
            again = rng.random((DRAWS, 1)) < rng.uniform(0.5, 1)
            errors = np.where(again, _errors(rng, lots, most, bar), errors)
        wrong = errors[:, list(look.judge)]
        drawn = _drawn(look)
        counted = wrong[:, drawn].sum(1)
        n = len(drawn)
        accepted |= np.array([_status(int(c), n, bar, look.number) for c in counted])
        careless |= counted <= most_errors(n, limit=bar.escape or 1, alpha=bar.alpha)
        whole = len(look.judge)
        by_picture |= np.array([_status(int(c), whole, bar, look.number) for c in wrong.sum(1)])
    return accepted, careless, by_picture


def follow_advice(
    rng: np.random.Generator, *, lineages: int, confidence: float
) -> dict[str, object]:
    """A person who, while undecided, adds just the labels the verdict asks for, and looks again."""
    accepted = 0
    for i in range(lineages):
        limit = LIMITS[i % len(LIMITS)]
        bar = Bar(escape=limit, confidence=confidence)
        n = int(rng.integers(30, 200))
        errors = int(rng.binomial(n, limit))
        for number in range(1, 13):
            verdict = _verdict(errors, n, bar, number)
            accepted += verdict.status == "accepted"
            more = verdict.bounds[0].more
            if verdict.status == "accepted" or n > 5000:
                break
            more = min(more or n, 3 * n)  # refused or hopeless: half as many again, and hope
            n, errors = n + more, errors + int(rng.binomial(more, limit))
    rate = accepted / lineages
    return {"advised_lineages": lineages, "false_acceptance_advised": rate}


def choose_sizes(alpha: float, *, looks: int) -> float:
    """The most a person could reach who knows everything, chooses how many labels come next after
    each look, and has as many as they like: by backward induction, errors taken as normal."""
    z = np.linspace(-6, 6, 601)
    steps = norm.ppf((np.arange(400) + 0.5) / 400)
    value = np.zeros_like(z)
    for number in range(looks, 0, -1):
        arrived = np.where(z <= -norm.isf(spent_alpha(alpha, number)), 1.0, value)
        if number == 1:
            return round(float(np.interp(steps, z, arrived).mean()), 4)
        grown = [
            np.interp((z[:, None] + np.sqrt(s) * steps) / np.sqrt(1 + s), z, arrived).mean(1)
            for s in np.geomspace(0.01, 100, 25)
        ]
        value = np.max(grown, axis=0)
    return 0.0


def _status(errors: int, n: int, bar: Bar, number: int) -> bool:
    return _verdict(errors, n, bar, number).status == "accepted"


def _verdict(errors: int, n: int, bar: Bar, number: int) -> Verdict:
    return _judged(errors, n, bar.escape, bar.confidence, number)


@cache
def _judged(errors: int, n: int, limit: float, confidence: float, number: int) -> Verdict:
    bar = Bar(escape=limit, confidence=confidence)
    count = Count("escape", "defect", errors, n)
    return judge([count, Count("overkill", "good", 0, n)], bar, look=number, by_group=True)


def _drawn(look: Look) -> list[int]:
    """Places of the pictures that count, one by one through the real tally."""
    yes = np.ones(len(look.judge), bool)
    n = tally("escape", "defect", yes, yes, units=Units.of(look.units)).n
    first: dict[str, int] = {}
    for i in sorted(range(len(look.units)), key=lambda i: look.units[i][1]):
        first.setdefault(look.units[i][0], i)
    assert len(first) == n
    return list(first.values())


def _errors(rng: np.random.Generator, lots: dict[int, str], most: int, bar: Bar) -> np.ndarray:
    """[draws, defects]: whether a head exactly at the bar lets it escape; a lot errs as one."""
    assert bar.escape is not None
    names = {name: place for place, name in enumerate(dict.fromkeys(lots.values()))}
    wrong = rng.random((DRAWS, len(names))) < bar.escape
    errors = np.zeros((DRAWS, most), bool)
    for number, name in lots.items():
        errors[:, number] = wrong[:, names[name]]
    return errors


def _items(goods: int, defects: int, *, with_lots: bool) -> list[Item]:
    made: list[Item] = []
    for number in range(-goods, defects):
        sha = hashlib.sha256(str(number).encode()).hexdigest()
        lot = f"lot-{(number if number < 0 else number // 3)}" if with_lots else None
        made.append(Item(sha, str(number), ("good" if number < 0 else "defect",), lot=lot))
    return made


def _remembered(before: Lineage, cohort: Cohort, splits: Splits) -> Spent:
    """What the catalog knows after this look."""
    roles = list(zip(cohort.shorts, splits.roles, strict=True))
    return Spent(
        question_id=1,
        key="key",
        judge=before.judge | {sample for sample, role in roles if role == "judge"},
        fit=before.fit | {sample for sample, role in roles if role in ("fit", "calibrate")},
        looks=before.next_look,
    )


def _unit(cohort: Cohort, row: int) -> tuple[str, str]:
    """Its group, and its digest."""
    return cohort.groups.names[cohort.groups.of[row]], cohort.samples[row]


if __name__ == "__main__":
    print(json.dumps(main(sys.argv[1:])))

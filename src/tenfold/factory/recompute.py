"""Recompute a verdict from its evidence, with Python alone: this file imports no other of Tenfold.

    python recompute.py evidence.csv --alpha 0.0304 --good ok --limit escape=0.1 overkill=0.2

Counts come from the rows with split = judge. Of each group one picture counts, the one with the
smallest sample digest among those that could go wrong in that way. The exact one-sided upper
bound (Clopper and Pearson 1934) is the rate p at which so few errors have probability alpha.
"""

import argparse
import csv
import io
import json
import math
from collections.abc import Mapping


def recompute(
    text: str, *, limits: Mapping[str, float], alpha: float, good: str | None = None
) -> dict[str, dict[str, float]]:
    """Errors, number and upper bound of each limit, by its name."""
    rows = [row for row in csv.DictReader(io.StringIO(text)) if row["split"] == "judge"]
    rows.sort(key=lambda row: row["sample"])
    found: dict[str, dict[str, float]] = {}
    for name, limit in limits.items():
        counted: dict[str, bool] = {}
        for row in rows:
            outcome = is_error(name, row, good)
            if outcome is not None:
                counted.setdefault(row.get("group") or row["sample"], outcome)
        errors, n = sum(counted.values()), len(counted)
        bound = upper_bound(errors, n, alpha)
        found[name] = {"errors": errors, "n": n, "upper": bound, "limit": limit}
    return found


def is_error(name: str, row: Mapping[str, str], good: str | None) -> bool | None:
    """Whether the row went wrong in this way; None where it could not."""
    label, decision = row["label"], row["decision"]
    if name == "escape":  # a defect passed as good
        return None if label == good else decision == good
    if name == "overkill":  # a good one not passed
        return decision != good if label == good else None
    truth, answer = set(label.split(";")), set(decision.split(";"))
    if name == "error":
        return truth != answer
    wanted = name.removeprefix("miss ")
    return wanted not in answer if wanted in truth else None


def upper_bound(errors: int, n: int, alpha: float) -> float:
    """The p where P(Binomial(n, p) <= errors) = alpha, by bisection."""
    low, high = 0.0, 1.0
    while errors < n and high - low > 1e-12:
        middle = (low + high) / 2
        low, high = (middle, high) if at_most(errors, n, middle) > alpha else (low, middle)
    return high


def at_most(errors: int, n: int, p: float) -> float:
    """P(Binomial(n, p) <= errors)."""
    whole = math.lgamma(n + 1)
    return math.fsum(
        math.exp(
            whole
            - math.lgamma(k + 1)
            - math.lgamma(n - k + 1)
            + k * math.log(p)
            + (n - k) * math.log1p(-p)
        )
        for k in range(errors + 1)
    )


def main() -> str:
    parser = argparse.ArgumentParser(description="Recompute a verdict from its evidence.")
    parser.add_argument("csv", help="evidence.csv")
    parser.add_argument("--alpha", type=float, required=True, help="what this look may spend")
    parser.add_argument("--good", help="the label of good samples, where the question has one")
    parser.add_argument("--limit", nargs="+", required=True, help="such as escape=0.1")
    asked = parser.parse_args()
    with open(asked.csv, encoding="utf-8", newline="") as file:
        text = file.read()
    limits = {one.rpartition("=")[0]: float(one.rpartition("=")[2]) for one in asked.limit}
    return json.dumps(recompute(text, limits=limits, alpha=asked.alpha, good=asked.good), indent=1)


if __name__ == "__main__":
    import sys

    sys.stdout.write(main() + "\n")

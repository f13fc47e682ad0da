"""How a verdict follows from its evidence, written out so that anybody can redo it. Pure."""

from tenfold.factory.judge import Bound, Verdict
from tenfold.packages import Manifest

RECIPE = """\
How to recompute it without Tenfold, from evidence.csv alone:

import csv, math
rows = [r for r in csv.DictReader(open("evidence.csv")) if r["split"] == "judge"]

def tail(errors, n, rate):  # P(at most `errors` of n go wrong at true rate `rate`)
    logs = [math.lgamma(n + 1) - math.lgamma(i + 1) - math.lgamma(n - i + 1)
            + i * math.log(rate) + (n - i) * math.log1p(-rate) for i in range(errors + 1)]
    return sum(math.exp(x) for x in logs)

def upper(errors, n, alpha):  # Clopper-Pearson: the rate at which that tail is alpha
    if errors == n: return 1.0
    low, high = errors / n, 1.0
    for _ in range(100):
        middle = (low + high) / 2
        low, high = (middle, high) if tail(errors, n, middle) > alpha else (low, middle)
    return high
"""


def explain(manifest: Manifest, verdict: Verdict, judged: int) -> str:
    """Counts, formula and numbers of every bound, and a program that recomputes them."""
    lines = [
        f"Model {manifest.model}",
        f"Task {manifest.task}: {manifest.kind}, classes {', '.join(manifest.classes)}",
        f"Verdict: {verdict.status}",
        "",
        f"alpha in all       = 1 - {verdict.confidence} = {1 - verdict.confidence:.6g}",
        f"look               = {verdict.look}  (earlier looks of this question spent their share)",
        f"alpha of this look = alpha * 6 / (pi * {verdict.look})^2 = {verdict.alpha:.9g}",
        f"judge rows         = {judged}",
        *_decision(manifest),
        "",
    ]
    for bound in verdict.bounds:
        lines += _bound(bound, verdict.alpha, manifest)
    lines += [
        "Rules: refused if a rate seen is over its limit; accepted if every upper bound is at or",
        "below its limit; taught if judge is too small to prove a limit even without an error;",
        "else undecided.",
        "",
        RECIPE,
    ]
    lines += [_check(b, verdict.alpha, manifest) for b in verdict.bounds if b.n]
    return "\n".join(lines) + "\n"


def _decision(manifest: Manifest) -> list[str]:
    if manifest.multi_label:
        return ["decision           = every label whose score is at or over its threshold"]
    if manifest.thresholds:
        return [
            f"threshold          = {manifest.thresholds[0]!r} on the last score column:",
            f"                     at or over it is {manifest.classes[1]!r}; unfit is rejected too",
        ]
    return ["decision           = the class of the largest score"]


def _bound(bound: Bound, alpha: float, manifest: Manifest) -> list[str]:
    limit = "not asked" if bound.limit is None else f"limit {bound.limit}"
    return [
        f"{bound.name}: {bound.errors} errors of {bound.n}; {limit}",
        f"  exact one-sided upper bound = Beta^-1(1 - {alpha:.9g}; {bound.errors} + 1, "
        f"{bound.n} - {bound.errors}) = {bound.upper:.9g}",
        f"  scipy.stats.beta.isf({alpha!r}, {bound.errors + 1}, {bound.n - bound.errors})",
        "",
    ]


def _check(bound: Bound, alpha: float, manifest: Manifest) -> str:
    return (
        f"{_counted(bound, manifest)}\n"
        f"print({bound.name!r}, sum(wrong), len(wrong), upper(sum(wrong), len(wrong), {alpha!r}))"
        f"  # {bound.errors} {bound.n} {bound.upper:.9g}"
    )


def _counted(bound: Bound, manifest: Manifest) -> str:
    if bound.name == "escape":
        good, bad = manifest.classes
        return f"wrong = [r['decision'] == {good!r} for r in rows if r['label'] == {bad!r}]"
    if bound.name == "overkill":
        good, _ = manifest.classes
        return f"wrong = [r['decision'] != {good!r} for r in rows if r['label'] == {good!r}]"
    where = f" if {bound.of!r} in r['label'].split(';')" if bound.of else ""
    return f"wrong = [r['decision'] != r['label'] for r in rows{where}]"

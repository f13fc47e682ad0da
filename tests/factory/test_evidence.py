"""Evidence: the rows and the program that comes with them give the same numbers as the verdict."""

import json
import shlex
import subprocess
import sys

import numpy as np
import pytest

from tenfold.errors import DataError
from tenfold.factory.evidence import EvidenceRow, arithmetic, read, write
from tenfold.factory.judge import Units, counts_classes, counts_good_bad, judge
from tenfold.factory.recompute import recompute, upper_bound
from tenfold.metrics import bounds
from tenfold.specs.bar import Bar


def rows(labels, n, *, seed=3):
    rng = np.random.default_rng(seed)
    return [
        EvidenceRow(
            sample=f"{rng.integers(16**8):08x}{i:04}",
            path=f'odd, "name" {i}.png',
            split="judge" if i % 5 else "calibrate",
            group=f"lot {i // 3}",
            label=str(rng.choice(labels)),
            decision=str(rng.choice([*labels, "unfit"])) if i % 7 == 0 else "",
            scores=(float(rng.random()), float(rng.random(dtype=np.float32))),
        )
        for i in range(n)
    ]


def decided(made):
    return [r if r.decision else EvidenceRow(**{**as_dict(r), "decision": r.label}) for r in made]


def as_dict(row):
    return {name: getattr(row, name) for name in EvidenceRow.__slots__}


def judged(made):
    found = [row for row in made if row.split == "judge"]
    return found, Units.of([(row.group, row.sample) for row in found])


def test_rows_read_back_bit_for_bit():
    made = decided(rows(["ok", "bad; worse"], 40))
    assert read(write(made, score_names=["ok", "bad"])) == made


def test_what_is_no_evidence_is_told():
    with pytest.raises(DataError, match="column"):
        read("a,b\n1,2\n")
    text = write(rows(["ok"], 2), score_names=["ok", "bad"])
    with pytest.raises(DataError, match="line 3"):
        read(text[: text.rindex(",")] + ",x\n")


def test_the_program_in_the_text_alone_recomputes_the_verdict(tmp_path):
    made = decided(rows(["ok", "bad"], 400))
    found, units = judged(made)
    is_bad = np.array([row.label == "bad" for row in found])
    said_bad = np.array([row.decision != "ok" for row in found])
    counts = counts_good_bad(said_bad, is_bad, classes=("ok", "bad"), units=units)
    verdict = judge(counts, Bar(escape=0.3, overkill=0.3), look=3, by_group=True)
    text = arithmetic(verdict, good="ok")
    (tmp_path / "evidence.csv").write_text(write(made, score_names=["ok", "bad"]))
    (tmp_path / "recompute.py").write_text(text.split("-" * 72 + "\n", 1)[1])
    line = next(line for line in text.splitlines() if line.startswith("   python recompute.py"))
    command = [sys.executable, "-I", "-S", *shlex.split(line)[1:]]
    out = subprocess.run(command, cwd=tmp_path, capture_output=True, text=True, check=True)
    for bound in verdict.bounds:
        again = json.loads(out.stdout)[bound.name]
        assert (again["errors"], again["n"]) == (bound.errors, bound.n)
        assert again["upper"] == pytest.approx(bound.upper, rel=1e-9)
        assert bound.pictures is not None


def test_several_classes_recompute_too():
    made = decided(rows(["a", "b", "c"], 300))
    found, units = judged(made)
    classes = ("a", "b", "c")
    right = np.array([row.label == row.decision for row in found])
    targets = np.array([[row.label == name for name in classes] for row in found], float)
    bar = Bar(error=0.3, miss={"b": 0.4})
    verdict = judge(
        counts_classes(right, targets, classes, units=units), bar, look=1, by_group=True
    )
    text = write(made, score_names=["x", "y"])
    again = recompute(text, limits={"error": 0.3, "miss b": 0.4}, alpha=verdict.alpha)
    for bound in verdict.bounds:
        if bound.limit is not None:
            assert again[bound.name]["n"] == bound.n
            assert again[bound.name]["upper"] == pytest.approx(bound.upper, rel=1e-9)


@pytest.mark.parametrize(("errors", "n"), [(0, 1), (0, 59), (3, 60), (40, 2000), (5, 5), (0, 0)])
def test_plain_python_finds_the_exact_bound(errors, n):
    exact = bounds.upper_bound(errors, n, alpha=0.0304)
    assert upper_bound(errors, n, 0.0304) == pytest.approx(exact, rel=1e-9)

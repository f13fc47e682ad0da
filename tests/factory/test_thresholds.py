"""What other thresholds would do is counted as the verdict counts."""

import numpy as np
import pytest

from tenfold.factory.evidence import EvidenceRow
from tenfold.factory.judge import Units, counts_good_bad
from tenfold.factory.thresholds import MOST, what_if
from tenfold.metrics.bounds import upper_bound
from tenfold.runtime import UNFIT


def rows_of(count: int) -> list[EvidenceRow]:
    random = np.random.default_rng(3)
    rows: list[EvidenceRow] = []
    for i in range(count):
        is_bad = bool(random.random() < 0.4)
        score = float(np.float32(random.normal(0.6 if is_bad else 0.4, 0.15)))
        said = UNFIT if random.random() < 0.05 else "bad" if score >= 0.5 else "ok"
        sample = f"{random.integers(10**9):064d}"
        label = "bad" if is_bad else "ok"
        rows.append(
            EvidenceRow(sample, f"{i}.png", "judge", f"lot {i // 3}", label, said, (score,))
        )
    return rows


@pytest.mark.parametrize("count", [1, 40, 1200])
def test_its_own_threshold_comes_to_what_the_verdict_says(count):
    rows = rows_of(count)
    found = what_if(rows, bad="bad", threshold=0.5, alpha=0.03)
    (own,) = [one for one in found if one.threshold == 0.5]
    escape, overkill = counts_good_bad(
        np.array([row.decision != "ok" for row in rows]),
        np.array([row.label == "bad" for row in rows]),
        classes=("ok", "bad"),
        units=Units.of([(row.group, row.sample) for row in rows]),
    )
    for seen, told in ((escape, own.escape), (overkill, own.overkill)):
        assert (told.errors, told.n) == (seen.errors, seen.n)
        assert told.upper == upper_bound(seen.errors, seen.n, alpha=0.03)


def test_a_higher_threshold_lets_more_pass_and_rejects_fewer():
    found = what_if(rows_of(1200), bad="bad", threshold=0.5, alpha=0.03)
    assert len(found) <= MOST + 1
    thresholds = [one.threshold for one in found]
    assert thresholds == sorted(set(thresholds))
    escapes, overkills = zip(*((o.escape.errors, o.overkill.errors) for o in found), strict=True)
    assert list(escapes) == sorted(escapes)
    assert escapes[0] == 0
    assert list(overkills) == sorted(overkills, reverse=True)

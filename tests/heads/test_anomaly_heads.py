"""What anomaly heads promise beyond the contract suite: learning on, staying small, finding."""

import numpy as np
import pytest

from tenfold.heads import recipe
from tenfold.heads.anomaly_gaussian import PositionGaussian
from tenfold.heads.anomaly_memory import NearestMemory
from tenfold.metrics.classification import auroc
from tenfold.values import MapBatch

ANOMALY = ("anomaly_subspace", "anomaly_gaussian", "anomaly_memory", "anomaly_blend")
GRID = 8


def pictures(n, *, seed, defect=0.0, channels=12):
    """Parts that look different at every place, vary together, and may have a defect at (4, 4)."""
    rng = np.random.default_rng(seed)
    shape = np.random.default_rng(99).normal(size=(16, 16, channels))
    mixing = np.random.default_rng(98).normal(size=(3, channels))
    maps = shape + rng.normal(size=(n, 16, 16, 3)) @ mixing
    maps += 0.3 * rng.normal(size=(n, 16, 16, channels))
    maps[:, 7:10, 7:10] += defect * np.random.default_rng(97).normal(size=channels)
    return MapBatch(
        maps={8: maps.astype(np.float32), 16: maps[:, ::2, ::2].astype(np.float32)},
        content_xyxy=np.tile(np.array([0, 0, 1, 1], np.float32), (n, 1)),
        pooled=maps.mean((1, 2)).astype(np.float32),
        vitals=rng.uniform(0.2, 0.6, size=(n, 5)).astype(np.float32),
    )


def fit(name, *batches, **parameters):
    made = recipe(name, **{"strides": (8, 16), "grid": GRID} | parameters)
    return made.fit(lambda: iter(batches), rng=np.random.default_rng(0))


@pytest.mark.parametrize("name", ANOMALY)
def test_defects_score_higher_and_are_found_where_they_are(name):
    head = fit(name, pictures(40, seed=1), pictures(40, seed=2))
    good, bad = head.score(pictures(30, seed=3)), head.score(pictures(30, seed=4, defect=1.5))
    labels = np.repeat([0, 1], 30)
    assert auroc(labels, np.concatenate([good.image, bad.image])) > 0.95
    where = bad.maps.mean(0) - good.maps.mean(0)
    row, column = np.unravel_index(where.argmax(), where.shape)
    assert abs(row - 4) <= 1
    assert abs(column - 4) <= 1


@pytest.mark.parametrize("name", ANOMALY)
def test_learning_on_comes_near_learning_at_once(name):
    first, second = pictures(40, seed=1), pictures(40, seed=2)
    unseen = [pictures(20, seed=3), pictures(20, seed=4, defect=1.0)]
    together = fit(name, first, second)
    grown = fit(name, first).extended(lambda: iter([second]))
    ours = np.concatenate([grown.score(batch).image for batch in unseen])
    theirs = np.concatenate([together.score(batch).image for batch in unseen])
    assert np.corrcoef(ours, theirs)[0, 1] > 0.97


def test_few_directions_lose_little_against_the_full_covariance():
    goods = [pictures(50, seed=s) for s in range(4)]
    unseen = [pictures(100, seed=8), pictures(100, seed=9, defect=0.5)]
    labels = np.repeat([0, 1], 100)
    found = {}
    for rank in (12, 23):
        head = fit("anomaly_gaussian", *goods, rank=rank)
        found[rank] = auroc(labels, np.concatenate([head.score(b).image for b in unseen]))
    assert found[23] > 0.8
    assert found[12] > found[23] - 0.01


def test_position_matters_to_the_gaussian():
    head = fit("anomaly_gaussian", pictures(60, seed=1))
    batch = pictures(10, seed=2)
    mirrored = MapBatch(
        {s: m[:, :, ::-1].copy() for s, m in batch.maps.items()},
        batch.content_xyxy,
        batch.pooled,
        batch.vitals,
    )
    assert head.score(mirrored).image.min() > head.score(batch).image.max()


def test_memory_stays_bounded_and_knows_what_it_saw():
    head = fit("anomaly_memory", *(pictures(20, seed=s) for s in range(6)), capacity=200)
    assert 50 < len(head.memory) <= 200
    again = head.extended(lambda: iter([pictures(20, seed=7)]))
    assert len(again.memory) <= 200
    assert again.radius >= head.radius > 0


def test_default_heads_keep_to_their_size():
    cells = PositionGaussian().grid ** 2
    assert cells * PositionGaussian().dim * (PositionGaussian().rank + 2) < 1.3e6
    assert NearestMemory().capacity * NearestMemory().dim * 2 < 1e6


def test_missing_map_names_what_is_there():
    batch = pictures(4, seed=0)
    with pytest.raises(Exception, match=r"strides \(4,\), got \(8, 16\)"):
        fit("anomaly_subspace", batch, strides=(4,))

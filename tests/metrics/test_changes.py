"""Blocks that lean: told from lots that merely differ."""

import numpy as np
import pytest

from tenfold.metrics.changes import Lots, Spread, as_lots, usual_lean

DIM, EACH = 16, 50


def lots_of(rng, count, *, differ=0.5, shift=0.0):
    """Pictures of lots whose means differ, and the lot of each."""
    means = rng.normal(size=(count, DIM)) * differ + shift
    lots = np.repeat(np.arange(count), EACH)
    return (means[lots] + rng.normal(size=(len(lots), DIM))).astype(np.float32), lots


def blocks(projections, size=25):
    return projections.reshape(-1, size, DIM).mean(1)


def test_blocks_of_other_lots_lean_little_the_way_that_others_learned():
    """About as a Student's t: beyond 3 in one of a hundred, with 19 degrees of freedom."""
    far = []
    for seed in range(20):
        rng = np.random.default_rng(seed)
        lots = Lots.of(*lots_of(rng, 20))
        before = lots_of(rng, 6)[0].mean(0)
        far.append(np.abs(lots.lean(blocks(lots_of(rng, 10)[0]), before)) > 3)
    assert np.mean(far) < 0.05


def test_a_small_shift_of_all_leans_far_where_lots_do_not_differ_that_way():
    rng = np.random.default_rng(1)
    same_way = np.zeros(DIM)
    same_way[0] = 1.0
    projections, numbers = lots_of(rng, 20)
    projections[:, 0] -= [projections[numbers == n, 0].mean() for n in numbers]
    lots = Lots.of(projections, numbers)
    before = lots_of(rng, 10, shift=3 * same_way)[0].mean(0)
    lean = lots.lean(blocks(lots_of(rng, 10, shift=3 * same_way)[0]), before)
    assert np.median(lean) > usual_lean(projections, numbers, block=25)


def test_what_is_usual_holds_for_lots_that_were_not_seen():
    below = []
    for seed in range(12):
        rng = np.random.default_rng(seed)
        projections, numbers = lots_of(rng, 10)
        far = usual_lean(projections, numbers, block=25)
        fresh = blocks(lots_of(rng, 10)[0])
        lean = Lots.of(projections, numbers).lean(fresh, fresh.mean(0))
        below.append(np.median(lean) < far)
    assert sum(below) >= 10


def test_the_same_pictures_give_the_same_measure():
    projections, numbers = lots_of(np.random.default_rng(2), 9)
    assert usual_lean(projections, numbers, block=25) == usual_lean(projections, numbers, block=25)


@pytest.mark.parametrize("count", [3, 9, 30])
def test_blocks_of_another_lot_lie_within_reach_as_often_as_was_asked(count):
    rng, inside = np.random.default_rng(3), []
    for _ in range(400):
        means = np.repeat(rng.normal(size=(count + 1, 2)), EACH, axis=0)
        numbers = means + rng.normal(size=means.shape)
        lots = np.arange(len(numbers)) // EACH
        spread = Spread.of(numbers[lots < count], lots[lots < count], block=25)
        fresh = numbers[lots == count][:25].mean(0)
        inside.append(np.abs(fresh - spread.centre) <= spread.reach(0.95))
    assert 0.92 <= np.mean(inside) <= 0.98


def test_equal_blocks_reach_nowhere():
    assert Spread.of_blocks(np.ones((5, 3))).reach(0.95).tolist() == [0, 0, 0]


def test_equal_pictures_do_not_divide_by_zero():
    same, numbers = np.ones((200, DIM), np.float32), np.repeat(np.arange(8), 25)
    lean = Lots.of(same, numbers).lean(np.ones((2, DIM), np.float32), np.ones(DIM, np.float32))
    assert np.isfinite(lean).all()
    assert np.isfinite(usual_lean(same, numbers, block=25))


def test_small_groups_are_put_together_and_large_ones_stay():
    groups = ["a"] * 30 + ["b"] * 40 + [f"part-{i}" for i in range(60)]
    lots = as_lots(groups, least=25)
    for lot in np.unique(lots):
        assert (lots == lot).sum() >= 25
    assert {name for name, lot in zip(groups, lots, strict=True) if lot == lots[0]} >= {"a"}
    assert len(set(lots[:30])) == len(set(lots[30:70])) == 1


@pytest.mark.parametrize("count", [1, 24])
def test_too_few_for_a_lot_are_one(count):
    assert set(as_lots([str(i) for i in range(count)], least=25)) == {0}

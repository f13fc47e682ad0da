"""Splits: groups whole, strata kept, and no role ever taken back."""

import hashlib
from collections import Counter, defaultdict
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.catalog.datasets import Item
from tenfold.catalog.questions import short
from tenfold.errors import DataError
from tenfold.factory.cohort import gather
from tenfold.factory.splits import CALIBRATE, FIT, JUDGE, ROLES, Known, split
from tenfold.specs.task import TaskSpec


def task(kind="classify", **more):
    plain = {"task": "caps", "kind": kind, "dataset": "caps", "question": {"positive": ["bad"]}}
    return TaskSpec.model_validate(plain | more)


def item(number, label, **more):
    sha = hashlib.sha256(str(number).encode()).hexdigest()
    labels = label if isinstance(label, tuple) else (label,)
    return Item(sha, f"{number:05}.png", labels, **more)


def items(goods, bads, start=0, **more):
    labels = ["good"] * goods + ["bad"] * bads
    return [item(start + i, label, **more) for i, label in enumerate(labels)]


def divide(spec, rows, known=None):
    cohort = gather(spec, rows)
    return cohort, split(spec, cohort, known or Known())


def roles_by_sample(cohort, splits):
    """By the names that lineages know samples by."""
    return dict(zip(cohort.shorts, splits.roles, strict=True))


def remember(cohort, splits, known=None):
    before = known or Known()
    roles = roles_by_sample(cohort, splits)
    judge = {s for s, role in roles.items() if role == "judge"}
    fit = {s for s, role in roles.items() if role in ("fit", "calibrate")}
    return Known(before.judge | judge, before.fit | fit)


def test_shares_are_kept_in_every_class():
    cohort, splits = divide(task(), items(200, 40))
    counts = Counter(zip(splits.roles, cohort.truth, strict=True))
    assert (counts["judge", "good"], counts["judge", "bad"]) == (60, 12)
    assert (counts["calibrate", "good"], counts["calibrate", "bad"]) == (40, 8)
    assert (counts["fit", "good"], counts["fit", "bad"]) == (100, 20)


def test_roles_are_kept_as_codes_and_read_as_words():
    rows = [item(i, "bad" if i % 4 == 0 else "good") for i in range(80)]
    _, splits = divide(task(split={"most_fit": 20}), rows)
    assert splits.roles == tuple(ROLES[code] for code in splits.codes)
    assert {ROLES[code] for code in (FIT, CALIBRATE, JUDGE)} == {"fit", "calibrate", "judge"}
    numbers = [i for role in ("fit", "calibrate", "judge") for i in splits.where(role)]
    assert len(numbers) == len(set(numbers)) == 80 - splits.left_out
    _, again = divide(task(split={"most_fit": 20}), rows)
    assert again.codes.tobytes() == splits.codes.tobytes()


def test_seeds_move_fit_and_calibrate_but_never_judge():
    _, first = divide(task(seed=1), items(100, 30))
    _, other = divide(task(seed=2), items(100, 30))
    assert first.where("judge") == other.where("judge")
    assert first.where("calibrate") != other.where("calibrate")


grouped = st.lists(
    st.tuples(
        st.sampled_from(["good", "good", "bad"]),
        st.one_of(st.none(), st.sampled_from("ABCDEFGH")),
        st.one_of(st.none(), st.sampled_from("uvwxyz")),
    ),
    min_size=4,
    max_size=60,
)


@settings(max_examples=60, deadline=None)
@given(grouped, st.sampled_from(["classify", "anomaly"]), st.integers(0, 3), st.data())
def test_groups_never_straddle_and_roles_are_for_life(rows, kind, seed, data):
    made = [item(i, label, lot=lot, near=near) for i, (label, lot, near) in enumerate(rows)]
    made += [item(998, "bad"), item(999, "good")]
    cut = data.draw(st.integers(2, len(made)))
    known = Known()
    for stage, some in enumerate((made[-cut:], made)):
        cohort, splits = divide(task(kind, seed=seed + stage), some, known)
        roles = roles_by_sample(cohort, splits)
        judge = {s for s, role in roles.items() if role == "judge"}
        fit = {s for s, role in roles.items() if role in ("fit", "calibrate")}
        assert not judge & known.fit, "what fitted must not judge"
        assert not fit & known.judge, "what judged must not fit"
        assert known.judge & set(roles) <= judge, "what judged goes on judging"
        for key in ("lot", "near"):
            groups = defaultdict(set)
            for one in cohort.items:
                if getattr(one, key) is not None:
                    groups[getattr(one, key)].add(roles[short(one.sha256)])
            for found in groups.values():
                assert not ("judge" in found and found & {"fit", "calibrate"})
        if kind == "anomaly":
            bad = cohort.targets[:, 1] > 0
            assert "fit" not in {r for r, b in zip(splits.roles, bad, strict=True) if b}
        known = remember(cohort, splits, known)


def test_labels_added_one_by_one_keep_every_role_and_the_share():
    spec, rows, known, before = task(), items(30, 10), Known(), {}
    for extra in range(1, 61):
        cohort, splits = divide(spec, rows + items(0, extra, start=1000), known)
        roles = roles_by_sample(cohort, splits)
        assert {s: r == "judge" for s, r in roles.items() if s in before} == before
        before = {s: r == "judge" for s, r in roles.items()}
        known = remember(cohort, splits, known)
    bad = cohort.targets[splits.where("judge"), 1].sum()
    assert abs(bad - 0.3 * 70) <= 1


def test_a_renamed_copy_is_divided_as_the_first_was():
    cohort, first = divide(task(), items(50, 20))
    copy = [item(i, one.labels) for i, one in enumerate(items(50, 20))]
    renamed = TaskSpec.model_validate(
        task().model_dump() | {"task": "lids", "dataset": "lids", "seed": 9}
    )
    _, second = divide(renamed, copy, remember(cohort, first))
    assert first.where("judge") == second.where("judge")


def test_defects_of_an_anomaly_task_calibrate_and_judge_only():
    cohort, splits = divide(task("anomaly"), items(100, 20))
    counts = Counter(zip(splits.roles, cohort.truth, strict=True))
    assert counts["fit", "bad"] == 0
    assert (counts["judge", "bad"], counts["calibrate", "bad"]) == (12, 8)
    assert (counts["fit", "good"], counts["judge", "good"]) == (50, 30)


def test_lots_that_hold_both_goods_and_defects_still_fit_goods():
    rows = [
        item(10 * lot + i, "bad" if i == 0 else "good", lot=f"lot {lot}")
        for lot in range(12)
        for i in range(10)
    ]
    cohort, splits = divide(task("anomaly"), rows)
    counts = Counter(zip(splits.roles, cohort.truth, strict=True))
    assert counts["fit", "good"] >= 45
    assert counts["fit", "bad"] == 0
    assert splits.by_group
    assert len({cohort.groups.of[i] for i in splits.where("judge")}) in (3, 4)


@pytest.mark.parametrize("kind", ["classify", "anomaly"])
@pytest.mark.parametrize(("goods", "bads"), [(1, 1), (2, 1), (2, 2), (3, 0), (1, 0)])
def test_tiny_data_fit_first_and_fail_nowhere(kind, goods, bads):
    if kind == "classify" and not bads:
        pytest.skip("one class leaves nothing to classify")
    spec = task(kind, question={"negative": ["good"]}) if not bads else task(kind)
    cohort, splits = divide(spec, items(goods, bads))
    fit = [cohort.truth[i] for i in splits.where("fit")]
    assert "good" in fit
    assert kind == "anomaly" or "bad" in fit
    assert splits.left_out == 0


def test_rare_answers_are_divided_together():
    rng = np.random.default_rng(2)
    names = [f"label {i}" for i in range(40)]
    rows = [item(i, tuple(rng.choice(names, 3, replace=False))) for i in range(60)]
    _, splits = divide(task(question={"multi_label": True}), rows)
    assert 12 <= len(splits.where("judge")) <= 24


def stored(extra=(), known=None, **more):
    rows = [
        item(i, "bad" if i % 4 == 0 else "good", split="train" if i < 80 else "test")
        for i in range(120)
    ]
    spec = task(split={"stored": {"train": "fit", "test": "judge"}}, **more)
    return divide(spec, rows + list(extra), known)


def test_a_stored_split_is_kept_and_calibrate_comes_out_of_fit():
    _, splits = stored()
    assert splits.where("judge") == list(range(80, 120))
    assert len(splits.where("calibrate")) == pytest.approx(80 * 2 / 7, abs=1)
    assert not splits.by_group


def test_a_near_duplicate_of_a_judge_sample_fits_nothing():
    pair = [item(900, "bad", split="train", near="n"), item(901, "bad", split="test", near="n")]
    cohort, splits = stored(pair)
    roles = roles_by_sample(cohort, splits)
    fits, judges = (roles[short(one.sha256)] for one in pair)
    assert (fits, judges, splits.left_out) == (None, "judge", 1)


def test_an_attribute_can_hold_the_stored_split():
    rows = [
        item(i, "bad" if i % 3 else "good", attributes={"part": "ab"[i % 2]}) for i in range(40)
    ]
    spec = task(split={"stored": {"a": "fit", "b": "judge"}, "column": "part"})
    _, splits = divide(spec, rows)
    assert splits.where("judge") == list(range(1, 40, 2))


def test_stored_splits_that_cut_through_every_group_are_told():
    rows = [item(i, "bad" if i % 4 < 2 else "good", lot="A") for i in range(8)]
    rows = [Item(r.sha256, r.path, r.labels, "A", "train" if i % 2 else "test")
            for i, r in enumerate(rows)]  # fmt: skip
    with pytest.raises(DataError, match="nothing to fit"):
        divide(task(split={"stored": {"train": "fit", "test": "judge"}}), rows)


def test_a_small_fit_is_part_of_every_larger_one_and_judge_stays():
    rows = [item(i, "bad" if i % 4 == 0 else "good") for i in range(400)]
    _, full = divide(task(), rows)
    _, small = divide(task(split={"most_fit": 40}), rows)
    _, larger = divide(task(split={"most_fit": 100}), rows)
    assert small.where("judge") == larger.where("judge") == full.where("judge")
    assert set(small.where("fit")) < set(larger.where("fit")) < set(full.where("fit"))
    assert len(small.where("fit")) == pytest.approx(40, abs=2)
    assert len([i for i in small.where("fit") if i % 4 == 0]) == pytest.approx(10, abs=1)


def test_where_the_likeliest_class_wins_nothing_is_kept_for_a_threshold():
    rows = [item(i, "abc"[i % 3]) for i in range(90)]
    _, splits = divide(task(question={"classes": ["a", "b", "c"]}), rows)
    assert splits.where("calibrate") == []
    assert len(splits.where("fit")) + len(splits.where("judge")) == 90


def test_what_production_drew_judges_and_what_was_picked_there_never_does():
    rows = items(100, 30)
    before, first = divide(task(), rows)
    more = items(40, 40, start=1000, origin="audit") + items(40, 40, start=2000, origin="review")
    cohort, splits = divide(task(), rows + more, remember(before, first))
    roles = Counter(
        (item.origin, role) for item, role in zip(cohort.items, splits.roles, strict=True)
    )
    assert roles["audit", "judge"] == 80
    assert roles["review", "fit"] == 80
    assert roles["given", "judge"] >= 39, "what judged goes on judging"


def test_a_picked_picture_like_a_drawn_one_does_neither():
    alike = [
        item(1, "bad", near="a" * 64, origin="audit"),
        item(2, "bad", near="a" * 64, origin="review"),
    ]
    cohort, splits = divide(task(), items(50, 50, start=100) + alike)
    roles = dict(zip(cohort.samples, splits.roles, strict=True))
    assert [roles[one.sha256] for one in alike] == ["judge", None]


def test_a_drawn_picture_that_fitted_before_never_judges():
    rows = items(50, 50)
    cohort, first = divide(task(), rows)
    fitted = cohort.items[first.where("fit")[0]]
    changed = [replace(one, origin="audit") if one == fitted else one for one in rows]
    cohort, splits = divide(task(), changed, remember(cohort, first))
    assert dict(zip(cohort.samples, splits.roles, strict=True))[fitted.sha256] is None


def test_with_stored_splits_production_adds_to_judge_and_fit():
    rows = items(30, 30, split="train") + items(30, 30, start=100, split="test")
    more = [item(1000, "bad", origin="audit"), item(1001, "bad", origin="review")]
    spec = task(split={"stored": {"train": "fit", "test": "judge"}})
    cohort, splits = divide(spec, rows + more)
    roles = dict(zip(cohort.samples, splits.roles, strict=True))
    assert roles[more[0].sha256] == "judge"
    assert roles[more[1].sha256] in ("fit", "calibrate")


def test_what_was_picked_is_never_thinned_out():
    more = items(10, 10, start=1000, origin="review")
    cohort, splits = divide(task(split={"most_fit": 20}), items(100, 100) + more)
    roles = dict(zip(cohort.samples, splits.roles, strict=True))
    assert {roles[one.sha256] for one in more} <= {"fit", "calibrate"}


def test_picked_defects_are_lessons_of_anomaly_heads_and_set_no_threshold():
    more = items(5, 8, start=1000, origin="review")
    cohort, splits = divide(task("anomaly"), items(100, 30) + more)
    bad = cohort.targets[:, 1] > 0
    roles = Counter(
        (item.origin, bool(is_bad), role)
        for item, is_bad, role in zip(cohort.items, bad, splits.roles, strict=True)
    )
    assert roles["review", True, "fit"] == 8
    assert roles["given", True, "fit"] == 0
    assert roles["given", True, "calibrate"] > 0


def test_what_is_like_a_lesson_is_one_too():
    pair = [item(900, "bad", near="n"), item(901, "bad", near="n", origin="review")]
    cohort, splits = divide(task("anomaly"), items(100, 30) + pair)
    roles = roles_by_sample(cohort, splits)
    assert {roles[short(one.sha256)] for one in pair} == {"fit"}

"""Changes are alarmed, chance is not, and the state survives being kept."""

import json
from dataclasses import replace

import numpy as np
import pytest

from tenfold.loop import watch
from tenfold.loop.looks import LOOKS
from tenfold.loop.watch import Answers, Reference, Rule, State

RULE = Rule(block=10, baseline=200)
DIM = 8


AS_USUAL = {
    "shift": 0.0,
    "bad": 0.1,
    "unfit": 0.0,
    "ms": 10.0,
    "score": 0.0,
    "light": 1.0,
    "noise": 1.0,
}


def answers(rng, n, **change):
    shift, bad, unfit, ms, score, light, noise = (AS_USUAL | change).values()
    kinds = rng.random(n)
    looks = np.exp(rng.normal(np.log([0.4, 0.1, 0.02]), 0.3, size=(n, 3)))
    labels = ["unfit" if k < unfit else "bad" if k < unfit + bad else "good" for k in kinds]
    return Answers(
        projections=(rng.normal(size=(n, DIM)) + shift).astype(np.float32),
        scores=(rng.normal(size=n) + score).astype(np.float32),
        labels=tuple(labels),
        latency_ms=np.full(n, ms, np.float32),
        routes=tuple(str(i) for i in range(n)),
        at=np.arange(n, dtype=np.float64),
        looks=(looks * (light, light, light * noise)).astype(np.float32),
    )


@pytest.fixture(scope="module")
def reference():
    rng = np.random.default_rng(1)
    seen = answers(rng, 300)
    return Reference(seen.projections, seen.scores, seen.labels, seen.routes, seen.looks)


def watched(reference, *pieces, rule=RULE):
    state = watch.begin(rule, reference)
    for piece in pieces:
        state = watch.fold(rule, reference, state, piece)
    return state


def kinds(state, rule=RULE):
    return {alarm.kind for alarm in watch.alarms(rule, state)}


def test_where_nothing_changes_hardly_ever_anything_is_alarmed(reference):
    rng = np.random.default_rng(2)
    alarmed = sum(bool(kinds(watched(reference, answers(rng, 3000)))) for _ in range(40))
    assert alarmed <= 2


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ({"shift": 3.0}, "features"),
        ({"score": 5.0}, "scores"),
        ({"bad": 0.9}, "rejects"),
        ({"bad": 0.0, "unfit": 0.9}, "unfit"),
        ({"ms": 900.0}, "slow"),
        ({"light": 0.5}, "brightness"),
        ({"light": 1.5}, "contrast"),
        ({"noise": 2.0}, "sharpness"),
        ({"noise": 0.5}, "sharpness"),
    ],
)
def test_a_change_is_alarmed_soon(reference, change, kind):
    rng = np.random.default_rng(3)
    state = watched(reference, answers(rng, 2000), answers(rng, 500, **change))
    assert kind in kinds(state)
    (alarm,) = [one for one in watch.alarms(RULE, state) if one.kind == kind]
    assert 2000 < alarm.at_answer <= 2500
    assert f"answer {alarm.at_answer:,}" in alarm.reason


def test_a_late_change_is_found_as_soon_as_an_early_one(reference):
    delays = []
    for quiet in (500, 5000):
        rng = np.random.default_rng(4)
        state = watched(reference, answers(rng, quiet), answers(rng, 1000, shift=3.0))
        (alarm,) = [one for one in watch.alarms(RULE, state) if one.kind == "features"]
        delays.append(alarm.at_answer - quiet)
    assert max(delays) <= 3 * min(delays) + 100


def test_an_alarm_stays(reference):
    rng = np.random.default_rng(5)
    state = watched(reference, answers(rng, 500, shift=3.0))
    again = watch.fold(RULE, reference, state, answers(rng, 2000))
    assert watch.alarms(RULE, again) == watch.alarms(RULE, state)


@pytest.mark.parametrize("cut", [1, 7, 205, 333])
def test_pieces_and_keeping_change_nothing(reference, cut):
    rng = np.random.default_rng(6)
    every = answers(rng, 600, shift=1.0)

    def part(start, end):
        fields = ("projections", "scores", "labels", "latency_ms", "routes", "at", "looks")
        return replace(every, **{name: getattr(every, name)[start:end] for name in fields})

    whole = watched(reference, every)
    first = watched(reference, part(0, cut))
    kept = State.from_json(json.loads(json.dumps(first.to_json())))
    again = watch.fold(RULE, reference, kept, part(cut, 600))
    assert (again.shares, again.usual, again.seen) == (whole.shares, whole.usual, whole.seen)
    assert (again.total, again.means) == (whole.total, whole.means)
    assert (again.looked, again.usual_looks) == (whole.looked, whole.usual_looks)
    assert len(again.block) == len(whole.block)
    assert len(json.dumps(first.to_json())) < 50_000


def test_with_lots_that_differ_the_limit_follows(reference):
    few = replace(reference, groups=("a", "b") * 150)
    many = watch.begin(RULE, reference).shares["features"].limit
    assert watch.begin(RULE, few).shares["features"].limit > many


def test_without_groups_features_are_not_compared(reference):
    alone = replace(reference, groups=("a",) * 300)
    assert "features" not in watch.begin(RULE, alone).shares


def test_a_small_shift_of_all_is_a_drift_long_before_single_answers_are_unlike(reference):
    rng = np.random.default_rng(7)
    state = watched(reference, answers(rng, 1000), answers(rng, 1000, shift=1.0))
    assert "drift" in kinds(state)
    (alarm,) = [one for one in watch.alarms(RULE, state) if one.kind == "drift"]
    assert 1000 < alarm.at_answer <= 1600
    assert "lean one way" in alarm.reason


def test_lots_that_differ_and_come_in_runs_are_no_drift():
    rng = np.random.default_rng(8)

    def in_lots(count, each=30):
        means = np.repeat(rng.normal(size=(count, DIM)), each, axis=0)
        seen = answers(rng, count * each)
        return replace(seen, projections=(seen.projections + means).astype(np.float32))

    alarmed = 0
    for _ in range(20):
        seen = in_lots(20)
        names = tuple(str(i // 30) for i in range(600))
        judged = Reference(seen.projections, seen.scores, seen.labels, names, seen.looks)
        alarmed += "drift" in kinds(watched(judged, in_lots(100)))
    assert alarmed <= 1


def test_with_few_lots_no_drift_is_told(reference):
    few = replace(reference, groups=tuple("abcdefg"[i % 7] for i in range(300)))
    assert "drift" not in watch.begin(RULE, few).shares


def in_own_light(rng, count, each=30):
    """Lots, each with a light of its own."""
    some = [answers(rng, each, light=light) for light in np.exp(rng.normal(0, 0.3, count))]
    return _joined(some)


def _joined(some):
    def column(name):
        parts = [getattr(one, name) for one in some]
        return np.concatenate(parts) if isinstance(parts[0], np.ndarray) else sum(parts, ())

    return Answers(**{name: column(name) for name in Answers.__slots__})


@pytest.mark.parametrize("has_lots", [True, False])
def test_lots_with_a_light_of_their_own_are_no_change(has_lots):
    rng, alarmed = np.random.default_rng(10), 0
    for _ in range(20):
        seen = in_own_light(rng, 12)
        names = tuple(str(i // 30 if has_lots else i) for i in range(360))
        judged = Reference(seen.projections, seen.scores, seen.labels, names, seen.looks)
        alarmed += bool(set(LOOKS) & kinds(watched(judged, in_own_light(rng, 100))))
    assert alarmed <= 1


def test_a_tenth_less_light_harms_nobody(reference):
    rng = np.random.default_rng(11)
    steady = replace(reference, looks=np.tile(reference.looks.mean(0), (300, 1)))
    one = replace(answers(rng, 3000), looks=np.tile(0.92 * reference.looks.mean(0), (3000, 1)))
    assert not set(LOOKS) & kinds(watched(steady, one))


@pytest.mark.parametrize("unknown", ["reference", "answers", "half of the answers"])
def test_looks_that_were_not_recorded_do_no_harm(reference, unknown):
    rng = np.random.default_rng(12)
    before, after = answers(rng, 1000), answers(rng, 1000, light=0.5)
    if unknown == "reference":
        reference = replace(reference, looks=np.full((300, 3), np.nan, np.float32))
    if unknown == "answers":
        before, after = (replace(o, looks=np.full((1000, 3), np.nan)) for o in (before, after))
    if unknown == "half of the answers":
        for one in (before, after):
            one.looks[::2] = np.nan
    found = "brightness" in kinds(watched(reference, before, after))
    assert found == (unknown != "answers")


def test_a_state_that_was_kept_before_drift_was_watched_goes_on(reference):
    rng = np.random.default_rng(9)
    plain = watched(reference, answers(rng, 55)).to_json()
    del plain["total"], plain["means"], plain["shares"]["drift"]
    del plain["looked"], plain["first_looks"], plain["usual_looks"]
    state = watch.fold(RULE, reference, State.from_json(plain), answers(rng, 500))
    assert (state.seen, "drift" in state.shares) == (550, False)

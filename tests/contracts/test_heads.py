"""What every head in the table promises, whatever its kind. A new line is tested at once."""

import pickle
from dataclasses import dataclass, field, replace

import numpy as np
import onnx
import onnxruntime
import pytest
from onnx import TensorProto, helper
from threadpoolctl import threadpool_limits

from tenfold.errors import DataError, SpecError, Unsupported
from tenfold.heads import HEADS, fitted, recipe, recipe_class
from tenfold.heads.roots import mean_root
from tenfold.heads.taught import Lessons, Miss, TaughtScorer
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch

STRIDES = (4, 8, 16, 32)
CANVAS_PX = 64
ONNX_TOLERANCE = 2e-4


@dataclass(frozen=True)
class Classify:
    """A question of two, three or any number of classes on features of two views."""

    name: str
    classes: int
    multi_label: bool = False
    rows: slice = field(default_factory=lambda: slice(None))

    def recipe(self):
        return recipe(self.name, multi_label=self.multi_label)

    def data(self):
        rng = np.random.default_rng(7)
        features = rng.normal(size=(60, 2, 40)).astype(np.float32)
        labels = np.arange(60) % self.classes
        targets = np.eye(self.classes, dtype=np.float32)[labels]
        features += 2 * (targets @ rng.normal(size=(self.classes, 40)))[:, None].astype(np.float32)
        if self.multi_label:
            targets[::5] = 1 - targets[::5]
        return features, targets

    def fit(self, seed=3):
        features, targets = self.data()
        return self.recipe().fit(features, targets, rng=np.random.default_rng(seed))

    def inputs(self):
        return {"features": self.data()[0][self.rows]}

    def score(self, fitted):
        return {"probabilities": fitted.score(self.inputs()["features"])}

    def write(self, fitted, parts):
        return {"probabilities": fitted.write_onnx(parts, "features")}

    def hopeless(self):
        """Name and fit of what cannot be learnt from."""
        features, targets = self.data()
        sick = features.copy()
        sick[3, 1, 5] = np.nan
        alone = np.zeros_like(targets)
        alone[:, 0] = 1
        rng = np.random.default_rng(0)
        yield "empty", lambda: self.recipe().fit(features[:0], targets[:0], rng=rng)
        yield "NaN", lambda: self.recipe().fit(sick, targets, rng=rng)
        yield "one class", lambda: self.recipe().fit(features, alone, rng=rng)


@dataclass(frozen=True)
class Anomaly:
    """Good pictures only, some of them letterboxed."""

    name: str
    rows: slice = field(default_factory=lambda: slice(None))

    def recipe(self):
        return recipe(self.name, grid=10)

    def data(self):
        rng = np.random.default_rng(7)
        sizes = {s: CANVAS_PX // s for s in STRIDES}
        content = np.tile(np.array([0, 0, 1, 1], np.float32), (24, 1))
        content[::4] = (0, 0.25, 1, 0.75)
        return MapBatch(
            maps={
                s: (rng.normal(size=(24, k, k, 6)) + np.arange(6)).astype(np.float32)
                for s, k in sizes.items()
            },
            content_xyxy=content,
            pooled=rng.normal(size=(24, 12)).astype(np.float32),
            vitals=rng.uniform(0.2, 0.6, size=(24, 5)).astype(np.float32),
        )

    def fit(self, seed=3):
        batch = self.data()
        halves = [_part(batch, slice(0, 12)), _part(batch, slice(12, 24))]
        return self.recipe().fit(lambda: iter(halves), rng=np.random.default_rng(seed))

    def inputs(self):
        batch = _part(self.data(), self.rows)
        used = {f"map_s{s}": batch.maps[s] for s in self.recipe().strides}
        return {**used, "content_xyxy": batch.content_xyxy}

    def score(self, fitted):
        scores = fitted.score(_part(self.data(), self.rows))
        return {"image_score": scores.image, "score_map": scores.maps}

    def write(self, fitted, parts):
        return fitted.write_onnx(parts, {name: name for name in self.inputs()})

    def hopeless(self):
        batch = self.data()
        sick = _part(batch, slice(None))
        for maps in sick.maps.values():
            maps[2, 0, 0, 0] = np.nan
        rng = np.random.default_rng(0)
        yield "empty", lambda: self.recipe().fit(lambda: iter(()), rng=rng)
        yield "NaN", lambda: self.recipe().fit(lambda: iter([sick]), rng=rng)


@dataclass(frozen=True)
class Taught(Anomaly):
    """Good pictures and two that were missed, one with its region."""

    def data(self):
        batch = Anomaly.data(self)
        for maps in batch.maps.values():
            side = maps.shape[1] // 2
            maps[20:22, side : side + 2, side : side + 2] += 3
        return batch

    def fit(self, seed=3):
        batch = self.data()
        region = np.zeros((64, 64), bool)
        region[30:40, 30:40] = True
        goods, others = _part(batch, slice(0, 16)), _part(batch, slice(16, 20))
        misses = [Miss(_part(batch, slice(20, 21)), region), Miss(_part(batch, slice(21, 22)))]
        head = self.recipe().fit(lambda: iter([goods]), rng=np.random.default_rng(seed))
        lessons = Lessons.learnt(self.recipe(), lambda: iter([goods]), misses)
        usual = head.score(others).image
        limits = {"scores": usual, "threshold": 1.1 * float(usual.max())}
        return TaughtScorer(head, lessons.calibrated(lessons.picture(others), **limits))

    def hopeless(self):
        batch = self.data()
        sick = _part(batch, slice(0, 1))
        for maps in sick.maps.values():
            maps[0, 0, 0, 0] = np.nan
        misses = [Miss(_part(batch, slice(1, 2)))]
        yield "no goods", lambda: Lessons.learnt(self.recipe(), lambda: iter(()), misses)
        yield "NaN", lambda: Lessons.learnt(self.recipe(), lambda: iter([batch]), [Miss(sick)])
        yield "nothing", lambda: Lessons.learnt(self.recipe(), lambda: iter([batch]), [])


def _part(batch, rows):
    return MapBatch(
        maps={s: m[rows].copy() for s, m in batch.maps.items()},
        content_xyxy=batch.content_xyxy[rows].copy(),
        pooled=batch.pooled[rows].copy(),
        vitals=batch.vitals[rows].copy(),
    )


def _cases(name):
    if name.startswith("anomaly_"):
        return [Anomaly(name), Taught(name)]
    several = [Classify(name, 2), Classify(name, 3)]
    if "multi_label" in recipe_class(name).__dataclass_fields__:
        several.append(Classify(name, 3, multi_label=True))
    return several


CASES = [case for name in HEADS for case in _cases(name)]
every_head = pytest.mark.parametrize(
    "case",
    CASES,
    ids=lambda c: (
        c.name
        + "-taught" * isinstance(c, Taught)
        + (f"-{c.classes}" + "m" * c.multi_label if hasattr(c, "classes") else "")
    ),
)


@every_head
def test_same_seed_gives_the_same_bytes(case):
    first, second = case.fit().arrays(), case.fit().arrays()
    assert {k: v.tobytes() for k, v in first.items()} == {k: v.tobytes() for k, v in second.items()}


@every_head
def test_batch_answers_as_one_by_one(case):
    made = case.fit()
    together = case.score(made)
    for row in (0, 5, 11):
        alone = replace(case, rows=slice(row, row + 1)).score(made)
        for name, value in alone.items():
            np.testing.assert_allclose(value[0], together[name][row], rtol=1e-4, atol=1e-6)


@every_head
def test_arrays_make_the_same_head_again(case):
    made = case.fit()
    again = fitted(case.name, made.arrays())
    assert type(again) is type(made)
    assert _bytes(case.score(again)) == _bytes(case.score(made))
    assert _bytes(again.arrays()) == _bytes(made.arrays())


@every_head
def test_onnx_answers_the_same(case):
    made = case.fit()
    parts = GraphParts()
    outputs = case.write(made, parts)
    ours, inputs = case.score(made), case.inputs()
    ranks = {outputs[name]: value.ndim for name, value in ours.items()}
    theirs = _session(parts, inputs, ranks).run(list(outputs.values()), inputs)
    for name, value in zip(outputs, theirs, strict=True):
        np.testing.assert_allclose(value, ours[name], rtol=1e-3, atol=ONNX_TOLERANCE)


@every_head
def test_inputs_stay_untouched(case, monkeypatch):
    data = case.data()
    before = pickle.dumps(data)
    monkeypatch.setattr(type(case), "data", lambda _: data)
    case.score(case.fit())
    assert pickle.dumps(data) == before


@every_head
def test_what_cannot_be_learnt_from_is_a_data_error(case):
    for what, fit in case.hopeless():
        with pytest.raises(DataError):
            pytest.fail(f"{what} was fitted as {fit()!r}")


@every_head
def test_recipe_and_fitted_head_survive_pickling(case):
    made = case.fit()
    assert pickle.loads(pickle.dumps(case.recipe())) == case.recipe()
    assert _bytes(case.score(pickle.loads(pickle.dumps(made)))) == _bytes(case.score(made))


@every_head
def test_thread_count_changes_no_decision(case):
    answers = []
    for threads in (1, 2):
        with threadpool_limits(threads):
            answers.append(case.score(case.fit()))
    for name, value in answers[0].items():
        np.testing.assert_allclose(value, answers[1][name], rtol=1e-3, atol=1e-4)


every_classify_head = pytest.mark.parametrize(
    "case",
    [case for case in CASES if isinstance(case, Classify)],
    ids=lambda c: f"{c.name}-{c.classes}" + "m" * c.multi_label,
)


@every_classify_head
def test_roots_are_fitted_and_scored_as_the_features_they_come_from(case):
    features, targets = case.data()
    roots = mean_root(features)
    made = case.fit()
    again = case.recipe().fit_roots(roots, targets, rng=np.random.default_rng(3))
    assert _bytes(again.arrays()) == _bytes(made.arrays())
    said = made.score(features).tobytes()
    assert made.score_roots(roots).tobytes() == said
    assert made.score_roots(roots.astype(np.float64)).tobytes() == said  # as judging keeps them


@every_head
def test_unknown_parameter_names_the_known_ones(case):
    with pytest.raises(SpecError, match="Known parameters"):
        recipe(case.name, no_such_parameter=1)


def test_unknown_head_names_the_known_ones():
    with pytest.raises(Unsupported, match="classify_linear"):
        recipe("classify_psychic")


def _bytes(arrays):
    return {name: np.ascontiguousarray(value).tobytes() for name, value in arrays.items()}


def _session(parts, inputs, ranks):
    given = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None, *value.shape[1:]])
        for name, value in inputs.items()
    ]
    wanted = [
        helper.make_tensor_value_info(name, TensorProto.FLOAT, [None] * rank)
        for name, rank in ranks.items()
    ]
    graph = helper.make_graph(parts.nodes, "head", given, wanted, parts.weights)
    opset = [helper.make_opsetid("", 18)]
    made = helper.make_model(graph, opset_imports=opset, ir_version=10)
    onnx.checker.check_model(made)
    return onnxruntime.InferenceSession(made.SerializeToString())

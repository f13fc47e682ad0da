"""What was judged is what runs: golden pictures pass the serving trunk before a head is kept."""

import shutil

import numpy as np
import pytest

import tenfold
from tenfold import packages
from tenfold.catalog import models, questions
from tenfold.errors import IntegrityError
from tenfold.factory import feed
from tenfold.factory.feed import Needs
from tenfold.factory.gate import Gate
from tenfold.factory.plan import order, plan
from tenfold.factory.stock import Stock
from tenfold.runtime import LoadedHead
from tenfold.specs.task import TaskSpec

pytestmark = pytest.mark.xdist_group("workshop")

POOLED = ("pooled", "vitals", "content_xyxy")


@pytest.fixture
def workspace(workshop, tmp_path):
    with tenfold.opened(shutil.copytree(workshop, tmp_path / "home"), actor="ann") as opened:
        yield opened


def task(kind):
    return TaskSpec.model_validate(
        {
            "task": f"{kind}-cells",
            "kind": kind,
            "dataset": "cells",
            "trunk": "tiny",
            "question": {"positive": ["cracked"]},
            "rung": "linear" if kind == "classify" else "subspace",
        }
    )


def embedded(workspace, spec):
    """Everything the task reads, kept before anybody fits; returns its space and maps."""
    stock, needs = Stock.of(workspace), Needs()
    one = order(stock, spec)
    needs.add(one, one.rungs[0], one.items)
    feed.ensure(workspace, needs)
    (spaces,) = needs.samples.values()
    (space,) = spaces
    return space, [name for name in feed.outputs_of(one.rungs[0]) if name != "pooled"]


def alter(workspace, spec, change):
    """Change the kept features of the sample with the smallest digest: it is always golden."""
    space, maps = embedded(workspace, spec)
    sample = min(plan(workspace, spec).cohort.samples)
    names = [*POOLED, *maps]
    store = workspace.features
    kept = {name: store.read(space, name, [sample])[0] for name in names}
    assert store.drop([sample]) > 0
    with store.writer(space, ["pooled", *maps]) as writer:
        writer.add(sample, kept | change(kept))
    return sample


def brighter(kept):
    return {"pooled": kept["pooled"] * np.float32(1.5)}


def a_hair_off(kept):
    return {"pooled": np.nextafter(kept["pooled"], np.float32(np.inf))}


def blotched(kept):
    """One map with something in the middle that no picture shows."""
    name = next(name for name in kept if name.startswith("map_s"))
    changed = kept[name].copy()
    middle = changed.shape[0] // 2
    changed[middle : middle + 2, middle : middle + 2] += np.float16(40)
    return {name: changed}


@pytest.mark.parametrize(("kind", "change"), [("classify", brighter), ("anomaly", blotched)])
def test_a_head_that_was_judged_on_other_features_is_not_registered(workspace, kind, change):
    spec = task(kind)
    sample = alter(workspace, spec, change)
    with pytest.raises(IntegrityError, match=f"golden sample {sample[:12]}"):
        tenfold.make(workspace, plan(workspace, spec))
    assert models.everything(workspace.scope) == []
    assert models.makes_of(workspace.scope) == []
    assert questions.spent(workspace.scope, plan(workspace, spec).question_key) == []


def test_a_hair_between_the_features_is_left_to_each_head_and_passes(workspace):
    spec = task("classify")
    sample = alter(workspace, spec, a_hair_off)
    made = tenfold.make(workspace, plan(workspace, spec))
    package = packages.of_model(workspace.blobs, made.model)
    assert sample in {golden.sample for golden in package.manifest.goldens}
    asked = []

    def read():
        asked.append(1)
        return package

    Gate(Stock.of(workspace)).check(package.manifest, (), [sample], read)
    assert asked == [1], "the features are not the same, so the head was asked itself"


@pytest.mark.parametrize("kind", ["classify", "anomaly"])
def test_where_the_features_are_the_same_no_head_is_asked(workspace, kind):
    made = tenfold.make(workspace, plan(workspace, task(kind)))
    package = packages.of_model(workspace.blobs, made.model)
    goldens = [golden.sample for golden in package.manifest.goldens]
    strides = LoadedHead.of(package).strides
    assert goldens
    Gate(Stock.of(workspace)).check(
        package.manifest, strides, goldens, lambda: pytest.fail("the package was read")
    )


def test_a_package_that_says_otherwise_of_its_goldens_is_refused(workspace):
    """Whoever made the scores: the head is asked where the features differ by anything."""
    spec = task("classify")
    sample = alter(workspace, spec, a_hair_off)
    made = tenfold.make(workspace, plan(workspace, spec))
    package = packages.of_model(workspace.blobs, made.model)
    told = tuple(
        golden.model_copy(update={"scores": tuple(reversed(golden.scores))})
        for golden in package.manifest.goldens
    )
    manifest = package.manifest.model_copy(update={"goldens": told})
    wrong = packages.Package(manifest, package.head, package.gate)
    with pytest.raises(IntegrityError, match="golden sample"):
        Gate(Stock.of(workspace)).check(manifest, (), [sample], lambda: wrong)

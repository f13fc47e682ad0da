"""A registered model is made again, byte for byte, whatever happened since."""

from dataclasses import replace

import pytest

import tenfold
from cells import write_cells
from tenfold.catalog import models, questions
from tenfold.engine.local import LocalEngine
from tenfold.errors import Unsupported
from tenfold.factory import plan as plans
from workshop import FLEET, fill_workshop, made_by, tasks_of

pytestmark = pytest.mark.xdist_group("workshop")

SOME = ("odd", "positive-1", "positive-2", "negative-3")


@pytest.fixture(scope="module")
def workspace(tmp_path_factory):
    """Models of both kinds and of two rungs, and then many more pictures of the same dataset."""
    folder = tmp_path_factory.mktemp("again")
    fill_workshop(folder / "home", folder)
    with tenfold.opened(folder / "home", actor="ann") as opened:
        tasks = [task for task in tasks_of(FLEET) if task.task in SOME]
        made_by(opened, LocalEngine(inline=True), tasks)
        tenfold.ingest(opened, write_cells(folder / "cells", good=55, bad=36), name="cells")
        yield opened


@pytest.mark.parametrize("task", SOME)
def test_it_comes_out_the_same_after_the_dataset_grew(workspace, task):
    outcome = tenfold.reproduce(workspace, task)
    assert outcome.bytes_equal
    assert outcome.thresholds_equal
    assert outcome.worst_gap < 1e-5


def test_making_again_takes_no_look_and_books_no_model(workspace):
    before = models.count(workspace.scope)
    model = models.get(workspace.scope, "positive-1")
    looks = [spent.looks for spent in questions.spent(workspace.scope, model.identity["question"])]
    tenfold.reproduce(workspace, model.id)
    assert models.count(workspace.scope) == before
    after = questions.spent(workspace.scope, model.identity["question"])
    assert [spent.looks for spent in after] == looks


def test_another_version_of_the_code_says_so(workspace, monkeypatch):
    monkeypatch.setattr(plans, "CODE_VERSION", plans.CODE_VERSION + 1)
    with pytest.raises(Unsupported, match="code differ"):
        tenfold.reproduce(workspace, "positive-1")


def test_a_model_whose_make_is_gone_says_so(workspace):
    model = models.get(workspace.scope, "odd")
    orphan = replace(model, id="f" * 64, make_id="e" * 64, task="orphan")
    spent = questions.spent(workspace.scope, model.identity["question"])[0]
    samples = spent.judge | spent.fit
    judging = models.Judging(
        model.identity["question"], samples, spent.looks + 1, spent.judge, spent.fit, (orphan,)
    )
    with workspace.scope.write() as connection:
        models.register(connection, workspace.scope, judging)
    with pytest.raises(Unsupported, match="was not finished"):
        tenfold.reproduce(workspace, "orphan")

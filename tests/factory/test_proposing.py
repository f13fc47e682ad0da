"""The task that a dataset most likely is for."""

import pytest

from tenfold.catalog import datasets, gallery
from tenfold.catalog.datasets import Item, Sample
from tenfold.errors import DataError
from tenfold.factory.proposing import proposed
from tenfold.workspace import open_workspace


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "home", actor="ann")
    yield opened
    opened.close()


def put(workspace, **labels):
    content = []
    for label, count in labels.items():
        for _ in range(count):
            digest = f"{len(content):064x}"
            item = Item(digest, f"{len(content)}.png", (label,))
            content.append((Sample(digest, 8, 8, "L", 10, "0" * 16), item))
    origin = ("csv", "x", "y")
    datasets.put(workspace.scope, name="caps", origin=origin, content=content, set_aside=[])


def test_good_beside_enough_bad_ones_is_told_apart(workspace):
    put(workspace, good=60, scratch=40)
    task = proposed("caps", gallery.portions(workspace.scope, "caps"))
    assert (task.kind, task.question.negative) == ("classify", ("good",))
    assert task.bar.escape is not None


def test_good_ones_alone_are_learnt(workspace):
    put(workspace, good=60)
    task = proposed("caps", gallery.portions(workspace.scope, "caps"))
    assert (task.kind, task.bar.escape) == ("anomaly", None)


def test_classes_of_which_none_is_good_are_told_apart(workspace):
    put(workspace, mono=30, poly=30)
    task = proposed("caps", gallery.portions(workspace.scope, "caps"))
    assert (task.kind, task.question.negative, task.bar.error) == ("classify", (), 0.05)


def test_a_dataset_without_pictures_has_no_task(workspace):
    with pytest.raises(DataError, match="no pictures"):
        proposed("caps", gallery.portions(workspace.scope, "caps"))

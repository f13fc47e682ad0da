"""Pictures of different things that look alike by nature are not taken for copies."""

import numpy as np
import pytest
from PIL import Image

import tenfold
from tenfold.catalog import datasets


@pytest.mark.parametrize(("alike", "groups"), [(False, 1), (True, 0)])
def test_look_alikes_are_joined_unless_they_are_alike_by_nature(tmp_path, alike, groups):
    rng = np.random.default_rng(0)
    scene = np.kron(rng.integers(40, 200, (20, 20)), np.ones((8, 8)))
    for number in range(3):
        pixels = (scene + rng.normal(0, 2, scene.shape)).clip(0, 255).astype(np.uint8)
        Image.fromarray(pixels).save(tmp_path / f"{number}.png")
    lines = [f"{number}.png,good,block-{number}" for number in range(3)]
    table = tmp_path / "labels.csv"
    table.write_text("\n".join(["path,label,group", *lines]), encoding="utf-8")
    with tenfold.opened(tmp_path / "home") as workspace:
        found = tenfold.ingest(workspace, table, name="blocks", alike=alike)
        assert found.near_groups == groups
        assert datasets.get(workspace.scope, "blocks").size == 3

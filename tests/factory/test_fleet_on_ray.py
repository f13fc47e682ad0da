"""A fleet on a cluster that loses a machine ends in the registry of one that works alone."""

import shutil
import threading
import time

import pytest

import tenfold
from clusters import add_machine
from registry import assert_nothing_was_made_twice, registry
from tenfold.catalog import models
from tenfold.factory.fleet import make_fleet
from tenfold.factory.make import Workers
from workshop import FLEET, tasks_of

pytestmark = [pytest.mark.ray, pytest.mark.xdist_group("ray")]


def test_a_machine_that_is_lost_changes_nothing(cluster, workshop, quiet_workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (tmp_path / "fleet.yaml").write_text(FLEET)
    machine = add_machine(cluster, 2)
    lost = threading.Event()

    def lose_the_machine() -> None:
        time.sleep(1.0)
        cluster.remove_node(machine, allow_graceful=False)
        lost.set()

    with tenfold.opened(home, actor="ann") as workspace:
        threading.Thread(target=lose_the_machine).start()
        workers = Workers("ray", cluster.address)
        made = make_fleet(workspace, str(tmp_path / "fleet.yaml"), workers=workers)
        assert lost.wait(60)
        assert "failed" not in made.counts
        assert len(made.outcomes) == len(tasks_of(FLEET))
        assert registry(workspace) == quiet_workshop
        assert_nothing_was_made_twice(workspace)
        assert models.count(workspace.scope)

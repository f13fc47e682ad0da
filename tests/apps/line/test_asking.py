"""Heads asked by the station itself."""

import shutil
import threading

import numpy as np
import pytest

import tenfold
from tenfold.apps.line.asking import heads
from tenfold.errors import NotFound, Unavailable
from tenfold.serving.collecting import collect_now

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]


@pytest.fixture
def workspace(line, tmp_path):
    home = shutil.copytree(line.settings.home, tmp_path / "home")
    with tenfold.opened(home, actor="ann") as opened:
        tenfold.deploy(opened, "station-7/cap", "classify-cells", unproven=True)
        tenfold.deploy(opened, "station-7/rim", "anomaly-cells", unproven=True)
        yield opened


def pictures(count):
    rng = np.random.default_rng(0)
    return [rng.integers(0, 255, (48, 64, 3), np.uint8) for _ in range(count)]


def test_each_region_meets_its_own_heads_and_answers_keep_their_order(workspace):
    one, two = pictures(2)
    with heads(workspace) as desk:
        assert desk.is_ready
        assert (desk.knows("station-7/cap"), desk.knows("station-7/none")) == (True, False)
        asked = [(("station-7/cap",), one), (("station-7/rim", "station-7/cap"), two)]
        told = desk.ask(asked, id="part 1", route_key="1", timeout_s=20)
        again = desk.ask(asked[::-1], id="part 2", route_key="1", timeout_s=20)
    assert [[reply.deployment for reply in of_one.all] for of_one in told] == [
        ["station-7/cap"],
        ["station-7/rim", "station-7/cap"],
    ]
    assert told[0].all[0].answer.scores == again[1].all[0].answer.scores
    collect_now(workspace)


def test_what_is_not_deployed_or_not_in_time_is_told(workspace):
    (one,) = pictures(1)
    with heads(workspace) as desk:
        with pytest.raises(NotFound, match="station-7/none"):
            desk.ask([(("station-7/none",), one)], id="a", route_key="1", timeout_s=20)
        with pytest.raises(Unavailable):
            desk.ask([(("station-7/cap",), one)] * 8, id="b", route_key="1", timeout_s=0.0)
        assert desk.ask([(("station-7/cap",), one)], id="c", route_key="1", timeout_s=20)


def test_threads_may_ask_at_once(workspace):
    some, found = pictures(4), {}
    with heads(workspace) as desk:

        def ask(n):
            asked = [(("station-7/cap",), some[n])]
            found[n] = desk.ask(asked, id=str(n), route_key="1", timeout_s=20)[0].all[0].answer

        threads = [threading.Thread(target=ask, args=(n,)) for n in range(4)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        alone = [
            desk.ask([(("station-7/cap",), one)], id="x", route_key="1", timeout_s=20)
            for one in some
        ]
    assert [found[n].scores for n in range(4)] == [one[0].all[0].answer.scores for one in alone]

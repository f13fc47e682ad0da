"""Who makes what when changes nothing: engines, workers, kills and other processes."""

import multiprocessing
import os
import shutil
import signal
import threading
import time
from concurrent.futures import ThreadPoolExecutor

import pytest

import tenfold
from registry import assert_nothing_was_made_twice, looks_taken, registry
from tenfold.catalog import models
from tenfold.engine.local import LocalEngine
from tenfold.errors import Conflict, DataError
from tenfold.factory import attempt, produce
from tenfold.factory.fleet import make_fleet
from tenfold.factory.job import Fault
from tenfold.factory.plan import order
from tenfold.factory.produce import Floor
from tenfold.factory.recording import Made
from tenfold.factory.stock import Stock
from tenfold.ledger import meter
from workshop import FLEET, made_by, tasks_of

pytestmark = pytest.mark.xdist_group("workshop")


@pytest.fixture
def home(workshop, tmp_path):
    return shutil.copytree(workshop, tmp_path / "home")


@pytest.fixture
def fleet(tmp_path):
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return str(tmp_path / "fleet.yaml")


@pytest.fixture(scope="module")
def tasks():
    """Those of the fleet, in its order."""
    return tasks_of(FLEET)


@pytest.fixture
def quiet(quiet_workshop):
    """The registry of one process that works alone."""
    return quiet_workshop


def test_the_fleet_climbs_passes_by_and_is_judged_in_every_way(quiet):
    """Else the tests below compare little."""
    statuses = {model[2] for model in quiet["models"]}
    outcomes = {rung[1] for make in quiet["makes"] for rung in make[3:]}
    assert len(quiet["questions"]) == 3
    assert len(statuses) > 1
    assert "not promising" in outcomes
    assert {rung[0] for make in quiet["makes"] for rung in make[3:]} >= {"linear", "kernel"}


def test_looks_are_numbered_in_the_order_of_the_tasks(home, tasks):
    some = [task for task in tasks if task.task.startswith("positive")]
    one_rung = [t.model_copy(update={"rung": "linear", "budget": t.budget}) for t in some]
    with tenfold.opened(home, actor="ann") as workspace:
        made_by(workspace, LocalEngine(inline=True), one_rung)
        (taken,) = looks_taken(workspace).values()
        names = {model.id: model.task for model in models.everything(workspace.scope)}
        assert [(n, names[model]) for n, model in taken] == [
            (place + 1, task.task) for place, task in enumerate(one_rung)
        ]


def test_workers_make_what_one_process_makes(home, tasks, quiet):
    with tenfold.opened(home, actor="ann") as workspace:
        made_by(workspace, LocalEngine(workers=2), tasks)
        assert registry(workspace) == quiet


def test_what_another_call_made_is_found_and_the_rest_is_made_the_same(home, tasks, quiet):
    """The other call made one question whole, and nothing of the others."""
    before = [task for task in tasks if task.kind == "anomaly" or task.task.startswith("positive")]
    with tenfold.opened(home, actor="ann") as workspace:
        made_by(workspace, LocalEngine(inline=True), before)
        outcomes = made_by(workspace, LocalEngine(inline=True), tasks)
        assert {o.task for o in outcomes if o.was_found} == {task.task for task in before}
        assert registry(workspace) == quiet


def test_half_the_variants_of_a_question_may_be_made_by_another_call(home, workshop, tasks):
    some = [task.model_copy(update={"rung": "linear"}) for task in tasks if task.kind != "anomaly"]
    registries = []
    for place, calls in enumerate(([some], [some[:2] + some[4:6], some])):
        folder = home if place else shutil.copytree(workshop, home.parent / "whole")
        with tenfold.opened(folder, actor="ann") as workspace:
            for call in calls:
                made_by(workspace, LocalEngine(inline=True), call)
            registries.append(registry(workspace))
    assert registries[0] == registries[1]


def test_a_task_is_made_whatever_the_number_of_its_chunk(home, tasks, quiet, monkeypatch):
    monkeypatch.setattr(produce, "CHUNK", {"classify": 1, "anomaly": 1})
    with tenfold.opened(home, actor="ann") as workspace:
        made_by(workspace, LocalEngine(inline=True), tasks)
        assert registry(workspace) == quiet


def test_a_job_that_fails_is_told_and_stops_no_other(home, tasks, monkeypatch):
    some, real = tasks[:5], attempt.fit

    def fails(bench, job):
        if job.task in ("odd", "positive-2"):
            raise DataError("nothing to fit.", where=f"task {job.task}")
        return real(bench, job)

    monkeypatch.setattr(attempt, "fit", fails)
    with tenfold.opened(home, actor="ann") as workspace:
        outcomes = made_by(workspace, LocalEngine(inline=True), some)
        faults = {o.task: o.error for o in outcomes if isinstance(o, Fault)}
        assert faults.keys() == {"odd", "positive-2"}
        assert all(isinstance(error, DataError) for error in faults.values())
        assert sorted(o.task for o in outcomes) == sorted(task.task for task in some)
        assert models.make_of(workspace.scope, "positive-2") is None
        assert_nothing_was_made_twice(workspace)
        monkeypatch.setattr(attempt, "fit", real)
        again = made_by(workspace, LocalEngine(inline=True), some)
        assert {o.task for o in again if not o.was_found} == {"odd", "positive-2"}
        assert_nothing_was_made_twice(workspace)


def test_what_somebody_else_overtook_is_planned_again(home, tasks, quiet, monkeypatch):
    real, told = models.register, []

    def overtaken(connection, scope, judging):
        if len(told) < 2:
            told.append(judging.key)
            raise Conflict("look 1 at this question was taken meanwhile.")
        real(connection, scope, judging)

    monkeypatch.setattr(models, "register", overtaken)
    with tenfold.opened(home, actor="ann") as workspace:
        made_by(workspace, LocalEngine(inline=True), tasks)
        assert len(set(told)) == 2, "two of the questions"
        assert registry(workspace) == quiet


def test_a_task_that_cannot_be_planned_is_told_and_stops_no_other(home, tasks):
    unknown = tasks[2].question.model_copy(update={"positive": ("molten",)})
    bad_bar = tasks[3].bar.model_copy(update={"miss": {"zork": 0.1}})
    asked = [
        tasks[2].model_copy(update={"task": "no-such-label", "question": unknown}),
        tasks[3].model_copy(update={"task": "no-such-class", "bar": bad_bar}),
        tasks[4],
    ]
    with tenfold.opened(home, actor="ann") as workspace:
        outcomes = made_by(workspace, LocalEngine(inline=True), asked)
        told = {o.task: str(o.error) for o in outcomes if isinstance(o, Fault)}
        assert told.keys() == {"no-such-label", "no-such-class"}
        assert "molten" in told["no-such-label"]
        assert "zork" in told["no-such-class"]
        assert [o.task for o in outcomes if isinstance(o, Made)] == [tasks[4].task]


@pytest.mark.parametrize(("room", "begun"), [(0, []), (2, ["odd", "odder"]), (3, None)])
def test_no_more_tasks_are_begun_than_there_is_room_for(home, tasks, room, begun):
    left = [room]

    def given(wanted):
        some = min(wanted, left[0])
        left[0] -= some
        return some

    with tenfold.opened(home, actor="ann") as workspace:
        with meter.running(workspace.scope, workspace.runs_folder, command="make") as run:
            floor = Floor(Stock.of(workspace), LocalEngine(inline=True), run, room=given)
            outcomes = list(produce.produce(floor, [order(floor.stock, t) for t in tasks]))
        made = [make.task for make in models.makes_of(workspace.scope)]
    assert sorted(o.task for o in outcomes) == sorted(made)
    assert len(made) == room
    assert begun is None or made == begun


def test_two_tasks_that_ask_for_one_model_share_it(home, tasks):
    twins = [tasks[0].model_copy(update={"task": name}) for name in ("first", "twin", "third")]
    with tenfold.opened(home, actor="ann") as workspace:
        outcomes = made_by(workspace, LocalEngine(inline=True), twins)
        assert sorted(o.task for o in outcomes) == ["first", "third", "twin"]
        (model,) = models.everything(workspace.scope)
        assert {o.model.id for o in outcomes} == {model.id}
        assert len(models.makes_of(workspace.scope)) == 3
        assert_nothing_was_made_twice(workspace)


def kill_workers(ages_s, stop):
    """Kill -9 a worker of this process that was seen so long ago, for each of the ages in turn."""
    seen, left = {}, list(ages_s)
    while left and not stop.wait(0.01):
        for child in multiprocessing.active_children():
            first = seen.setdefault(child.pid, time.monotonic())
            if left and time.monotonic() - first >= left[0]:
                os.kill(child.pid, signal.SIGKILL)
                seen[child.pid] = float("inf")
                left.pop(0)
    return left


def test_workers_that_are_killed_as_they_start_and_at_work_cost_nothing(home, fleet, quiet):
    stop = threading.Event()
    with tenfold.opened(home, actor="ann", threads=2) as workspace, ThreadPoolExecutor(1) as pool:
        killing = pool.submit(kill_workers, (0.0, 1.5), stop)
        made = make_fleet(workspace, fleet)
        stop.set()
        assert killing.result() == [], "the fleet was over before a worker could be killed"
        assert "failed" not in made.counts
        assert registry(workspace) == quiet

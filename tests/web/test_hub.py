"""A real `tenfold hub`: it does the work, once, however often it is killed."""

import hashlib
import json
import os
import random
import shutil
import signal
import subprocess
import time
from collections import Counter

import httpx
import pytest

import tenfold
from production import CAP, TASK, answer, parts
from serving_at import COMMAND
from tenfold.catalog import datasets, deployments, loops, models, picks
from tenfold.loop import flows
from tenfold.loop.labelling import Opinion, label
from tenfold.loop.spec import parse
from tenfold.loop.state import LoopState

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]

RULES = """\
approve: rule
canary_share: 0.5
review: {audit_ok: 0.3, audit_reject: 0.3, audit_unfit: 0.3, per_day: 1000}
retrain: {labels: 10, rest_minutes: 1000}
rollout: {margin: 0.9, alpha: 0.4, fewest_canary_answers: 3, latency_budget_ms: 60000}
"""
PATIENCE_S = 90.0


@pytest.fixture
def home(workshop, tmp_path):
    """A watched deployment whose queue is labelled: a new model is due."""
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK)
    truth = {
        hashlib.sha256(file.read_bytes()).hexdigest(): said for file, said in parts(good=40, bad=40)
    }
    with tenfold.opened(home, actor="ann") as workspace:
        truth |= {i.sha256: i.labels[0] for i in datasets.items_of(workspace.scope, "cells")}
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        flows.watch(workspace, CAP, parse(RULES, where="test"))
        answer(workspace, CAP, [file for file, _ in parts(good=40, bad=40)], run="run-1")
        flows.take_in(workspace)
        for one in picks.open_picks(workspace.scope, CAP):
            label(workspace, CAP, Opinion(one.sample, truth[one.sample]))
    return home


def hub(home, **more):
    """A hub in a session of its own."""
    environment = {**os.environ, "TENFOLD_HOME": str(home)}
    return subprocess.Popen(
        [*COMMAND, "hub", "--port", "0", "--json"],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
        **more,
    )


def kill(process):
    os.killpg(process.pid, signal.SIGKILL)
    process.wait(30)


def shadow_of(home):
    with tenfold.opened(home) as workspace:
        return deployments.get(workspace.scope, CAP).shadow


def until_shadow(home, process=None):
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        if shadow_of(home):
            return True
        if process is not None and process.poll() is not None:
            raise AssertionError(process.stderr.read())
        time.sleep(0.3)
    return False


def final(home):
    """What came of it, without times."""
    with tenfold.opened(home) as workspace:
        state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
        told = Counter(one.kind for one in loops.timeline(workspace.scope, CAP))
        made = sorted((m.id, m.status) for m in models.everything(workspace.scope))
        return deployments.get(workspace.scope, CAP).shadow, state.candidate, told, made


def test_a_hub_makes_what_is_due_and_stops_when_asked(home):
    process = hub(home)
    try:
        assert '"pid"' in process.stdout.readline()
        assert until_shadow(home, process)
        process.terminate()
        assert process.wait(30) == 0
    finally:
        if process.poll() is None:
            kill(process)
    shadow, candidate, told, made = final(home)
    assert shadow == candidate.model
    assert (told["makes"], told["made"], told["shadow"]) == (1, 1, 1)
    assert len(made) == 2
    assert not (home / "hub.json").exists()


def test_two_hubs_started_at_once_are_one(home):
    both = [hub(home), hub(home)]
    try:
        ends = time.monotonic() + 30
        while all(one.poll() is None for one in both) and time.monotonic() < ends:
            time.sleep(0.1)
        over = [one for one in both if one.poll() is not None]
        assert len(over) == 1
        assert over[0].returncode == 6
        said = over[0].stdout.read()
        assert "another hub is at work" in said
        assert "process" in said
    finally:
        for one in both:
            if one.poll() is None:
                kill(one)


def killed_again_and_again(home, *, kills, seed):
    """Hubs killed at random moments, then one that is left alone."""
    rng = random.Random(seed)
    for _ in range(kills):
        process = hub(home)
        time.sleep(rng.uniform(0.2, 7.0))
        kill(process)
    process = hub(home)
    try:
        assert until_shadow(home, process)
        time.sleep(1.0)
    finally:
        process.terminate()
        process.wait(30)


def test_a_hub_that_is_killed_does_everything_once(home, tmp_path):
    quiet = shutil.copytree(home, tmp_path / "quiet")
    killed_again_and_again(home, kills=3, seed=1)
    killed_again_and_again(quiet, kills=0, seed=1)
    assert final(home) == final(quiet)


@pytest.mark.slow
def test_fifty_kills_change_nothing(home, tmp_path):
    quiet = shutil.copytree(home, tmp_path / "quiet")
    killed_again_and_again(quiet, kills=0, seed=2)
    expected = final(quiet)
    for round_ in range(10):
        copy = shutil.copytree(home, tmp_path / f"round-{round_}")
        killed_again_and_again(copy, kills=5, seed=round_)
        assert final(copy) == expected
        shutil.rmtree(copy)


def test_a_process_that_makes_and_is_killed_ends_its_try(home):
    """Out of memory, say: the loop is told, and goes on."""
    process = hub(home)
    try:
        ends = time.monotonic() + PATIENCE_S
        while time.monotonic() < ends:
            children = child_processes(process.pid)
            if children:
                os.kill(children[0], signal.SIGKILL)
            with tenfold.opened(home) as workspace:
                if loops.has_happened(workspace.scope, CAP, "made:1"):
                    break
            time.sleep(0.05)
    finally:
        kill(process)
    with tenfold.opened(home) as workspace:
        told = {one.key: one for one in loops.timeline(workspace.scope, CAP)}
        state = LoopState.from_json(loops.get(workspace.scope, CAP).state)
    assert told["made:1"].kind == "not made"
    assert "ended with -9" in told["made:1"].detail["problem"]
    assert state.trying is None


def test_ctrl_c_while_something_is_made_loses_nothing(home):
    """A terminal sends it to every process of the group."""
    process = hub(home)
    try:
        ends = time.monotonic() + PATIENCE_S
        while not child_processes(process.pid) and time.monotonic() < ends:
            time.sleep(0.02)
        os.killpg(process.pid, signal.SIGINT)
        assert process.wait(15) == 0
        assert "Traceback" not in process.stderr.read()
    finally:
        if process.poll() is None:
            kill(process)
    assert final(home)[2]["not made"] == 0
    process = hub(home)
    try:
        assert until_shadow(home, process)
    finally:
        kill(process)
    assert final(home)[2]["made"] == 1


def test_a_try_whose_job_is_cancelled_is_over(home):
    process = hub(home)
    try:
        url = json.loads(process.stdout.readline())["url"]
        ends = time.monotonic() + PATIENCE_S
        while not child_processes(process.pid) and time.monotonic() < ends:
            time.sleep(0.02)
        cancelled = httpx.post(f"{url}/api/jobs/retrain:{CAP}:1/cancel")
        assert cancelled.json()["state"] == "cancelled"
        while time.monotonic() < ends and not final(home)[2]["not made"]:
            time.sleep(0.2)
    finally:
        kill(process)
    with tenfold.opened(home) as workspace:
        assert LoopState.from_json(loops.get(workspace.scope, CAP).state).trying is None
        told = {one.key: one for one in loops.timeline(workspace.scope, CAP)}
    assert "cancelled" in told["made:1"].detail["problem"]


@pytest.mark.parametrize("how", [signal.SIGKILL, signal.SIGTERM])
def test_what_up_started_ends_with_it(home, how):
    process = subprocess.Popen(
        [*COMMAND, "up", "--port", "0", "--hub-port", "0"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    assert any("console is at" in line for line in process.stdout)  # serving may be quicker
    both = child_processes(process.pid)
    assert len(both) == 2
    process.send_signal(how)
    process.wait(60)
    ends = time.monotonic() + 60
    while any(os.path.exists(f"/proc/{pid}") for pid in both) and time.monotonic() < ends:
        time.sleep(0.1)
    assert not any(os.path.exists(f"/proc/{pid}") for pid in both)
    assert not (home / "hub.json").exists()
    process.stdout.close()


def child_processes(pid):
    """Processes of ours that a process started."""
    found = []
    for name in filter(str.isdigit, os.listdir("/proc")):
        try:
            with open(f"/proc/{name}/stat") as file:
                parent = int(file.read().rpartition(")")[2].split()[1])
            with open(f"/proc/{name}/cmdline") as file:
                words = file.read()
        except OSError:
            continue
        if parent == pid and "spawn_main" in words:
            found.append(int(name))
    return found

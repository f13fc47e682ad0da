"""kill -9 at any moment, then the same commands again: the registry is that of a quiet run."""

import json
import os
import signal
import subprocess
import sys
import time

import numpy as np
import pytest

import tenfold
from cells import write_cells
from tenfold.catalog import models, questions
from tenfold.packages import of_model

TASKS = {
    "cracks": "kind: classify\nquestion: {positive: [cracked]}\nbar: {escape: 0.3}\n",
    "oddities": "kind: anomaly\nquestion: {positive: [cracked]}\nbar: {escape: 0.3}\n",
}
PROGRAM = "from tenfold.cli import main; main()"


def commands(folder, tasks):
    return [["ingest", str(folder), "--name", "cells"], ["make", *map(str, tasks)]]


def run(home, arguments, *, kill_after_s=None):
    """Whether the command came to its end."""
    environment = os.environ | {"TENFOLD_HOME": str(home), "TENFOLD_ACTOR": "ann"}
    process = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, *arguments],
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )
    try:
        _, errors = process.communicate(timeout=kill_after_s)
    except subprocess.TimeoutExpired:
        process.send_signal(signal.SIGKILL)
        process.communicate()
        return False
    assert process.returncode == 0, errors
    return True


def registry(home):
    """All that must be the same: models, verdicts, packages, looks, roles, makes; no times."""
    with tenfold.opened(home) as workspace:
        scope = workspace.scope
        made = models.everything(scope)
        heads = {m.id: of_model(workspace.packs_folder, m) for m in made}
        keys = {m.identity["question"] for m in made}
        return json.dumps(
            {
                "models": [
                    [m.id, m.task, m.status, m.verdict, m.head.digest, m.evidence] for m in made
                ],
                "goldens": [str(heads[m.id].manifest.goldens) for m in made],
                "looks": sorted(
                    [key, spent.looks, sorted(spent.judge), sorted(spent.fit)]
                    for key in keys
                    for spent in questions.spent(scope, key)
                ),
                "makes": [
                    [m.id, m.task, m.model_id, [[r["name"], r["outcome"]] for r in m.rungs]]
                    for m in models.makes_of(scope)
                ],
            },
            sort_keys=True,
        )


@pytest.mark.parametrize(
    "kills", [pytest.param(2, id="few"), pytest.param(60, id="many", marks=pytest.mark.slow)]
)
def test_killed_runs_end_in_the_registry_of_a_quiet_run(tmp_path, kills):
    folder = write_cells(tmp_path / "cells", good=30, bad=20)
    tasks = []
    for name, text in TASKS.items():
        tasks.append(tmp_path / f"{name}.yaml")
        budget = f"budget: {{rungs: {2 if kills > 2 else 1}}}\n"
        tasks[-1].write_text(f"task: {name}\ndataset: cells\n{text}{budget}")
    began = time.monotonic()
    for command in commands(folder, tasks):
        assert run(tmp_path / "quiet", command)
    length_s = time.monotonic() - began
    expected = registry(tmp_path / "quiet")
    rng = np.random.default_rng(0)
    left = kills
    while left:
        home = tmp_path / f"killed-{left}"
        for command in commands(folder, tasks):
            while left and not run(
                home, command, kill_after_s=float(rng.uniform(0.5, 0.9 * length_s))
            ):
                left -= 1
            run(home, command)
        assert registry(home) == expected
        left = max(0, left - 1)

"""A fleet on real models of small made pictures."""

import pytest

from tenfold.catalog import models
from tenfold.errors import NotFound, SpecError
from tenfold.factory.fleet import is_fleet, make_fleet, survey

pytestmark = pytest.mark.xdist_group("line")

FLEET = """\
fleet: cells-twice
tasks:
  - {task: no-such-label, dataset: cells, question: {positive: [molten]}}
template:
  task: "fleet-{seed}"
  dataset: cells
  question: {positive: [cracked]}
  bar: {escape: 0.4, overkill: 0.4}
  rung: linear
  seed: "{seed}"
matrix:
  seed: [1, 2]
"""


@pytest.fixture
def path(tmp_path):
    (tmp_path / "fleet.yaml").write_text(FLEET)
    return str(tmp_path / "fleet.yaml")


def test_a_survey_says_what_would_be_made_and_makes_nothing(line, path):
    before = survey(line, path)
    assert (before.tasks, before.questions, before.variants) == (3, 1, 1)
    assert before.datasets.keys() == {"cells"}
    assert [task for task, _ in before.impossible] == ["no-such-label"]
    assert survey(line, path) == before


def test_one_failing_task_stops_no_other_and_a_second_run_finds_all(line, path):
    first = make_fleet(line, path)
    words = [outcome.status for outcome in first.outcomes]
    assert words[0] == "failed"
    assert "failed" not in words[1:]
    assert first.questions == 1
    spent = [models.get(line.scope, task).verdict["alpha"] for task in ("fleet-1", "fleet-2")]
    assert first.expected_false == pytest.approx(sum(spent))  # every look, accepted or not
    assert any("'molten'" in s.why for s in first.shortfalls if s.task == "no-such-label")
    again = make_fleet(line, path)
    assert [o.was_found for o in again.outcomes] == [False, True, True]
    assert [o.model for o in again.outcomes] == [o.model for o in first.outcomes]


def test_a_spent_budget_leaves_the_rest_out(line, tmp_path):
    text = FLEET.replace("[1, 2]", "[3, 4, 5]") + "budget: {tasks: 1}\n"
    (tmp_path / "small.yaml").write_text(text)
    made = make_fleet(line, str(tmp_path / "small.yaml"))
    assert [o.status == "left out" for o in made.outcomes] == [False, False, True, True]
    again = make_fleet(line, str(tmp_path / "small.yaml"))
    assert [o.status == "left out" for o in again.outcomes] == [False, False, False, True]
    assert [o.was_found for o in again.outcomes] == [False, True, False, False]


def test_a_budget_of_time_begins_nothing_once_it_is_spent(line, tmp_path):
    text = FLEET.replace("[1, 2]", "[6, 7]") + "budget: {seconds: 1.0e-9}\n"
    (tmp_path / "late.yaml").write_text(text)
    made = make_fleet(line, str(tmp_path / "late.yaml"))
    assert [o.status for o in made.outcomes] == ["failed", "left out", "left out"]


def test_counts_are_told_while_they_grow(line, path):
    told, steps = [], []
    made = make_fleet(
        line,
        path,
        progress=lambda *step: steps.append(step),
        live=lambda counts: told.append(dict(counts)),
    )
    assert told[-1] == made.counts
    assert [sum(counts.values()) for counts in told] == sorted(sum(c.values()) for c in told)
    assert steps[-1] == ("models", 3, 3)


def test_what_is_no_fleet_is_told(line, tmp_path):
    (tmp_path / "gone.yaml").write_text(
        'fleet: f\ntemplate: {task: "{c}", dataset: nowhere}\nmatrix: {c: {of: nowhere}}\n'
    )
    with pytest.raises(NotFound, match="nowhere"):
        survey(line, str(tmp_path / "gone.yaml"))
    (tmp_path / "task.yaml").write_text("task: t\ndataset: d\n")
    assert not is_fleet(str(tmp_path / "task.yaml"))
    with pytest.raises(SpecError, match="fleet"):
        survey(line, str(tmp_path / "task.yaml"))


def test_two_tasks_that_ask_for_one_model_share_it(line, tmp_path):
    (tmp_path / "same.yaml").write_text(
        FLEET.replace("fleet-{seed}", "same-{name}")
        .replace('seed: "{seed}"', "seed: 11")
        .replace("seed: [1, 2]", "name: [one, other]")
    )
    made = make_fleet(line, str(tmp_path / "same.yaml"))
    _, one, other = made.outcomes
    assert one.model == other.model
    assert models.lineage_of(line.scope, one.model).looks == 1 + sum(
        1 for _ in models.lineage_of(line.scope, one.model).relatives
    )

"""Fleet files: what they expand to, and what is wrong with them, with file and line."""

import pytest

from tenfold.errors import SpecError
from tenfold.specs.fleet import expand, parse

FULL = """\
fleet: caps
tasks:
  - task: one
    dataset: caps
template:
  task: "{part}-{seed}"
  dataset: caps
  question:
    positive: [scratch]
    where: {part: "{part}"}
  split: {most_fit: "{size}"}
  seed: "{seed}"
matrix:
  part: {of: caps, attribute: part}
  size: [50]
  seed: [0, 7]
fdr: 0.1
budget: {seconds: 60, tasks: 10}
"""


def values_of(dataset, attribute):
    return {("caps", "part"): ["left", "right"], ("caps", None): ["good"]}.get(
        (dataset, attribute), []
    )


def drawn(text):
    return expand(parse(text, where="f.yaml"), values_of, text=text, where="f.yaml")


def test_listed_tasks_come_first_and_the_last_axis_turns_fastest():
    tasks = drawn(FULL)
    assert [t.task for t in tasks] == ["one", "left-0", "left-7", "right-0", "right-7"]
    assert (tasks[2].seed, tasks[2].split.most_fit) == (7, 50)
    assert tasks[4].question.where == {"part": "right"}


def test_an_axis_may_read_the_axes_above_it():
    text = """\
fleet: f
template: {task: "{data}-{class}", dataset: "{data}", question: {positive: ["{class}"]}}
matrix:
  data: [caps]
  class: {of: "{data}"}
"""
    assert [t.task for t in drawn(text)] == ["caps-good"]


@pytest.mark.parametrize(
    ("old", "new", "line", "says"),
    [
        ("fdr: 0.1", "frd: 0.1", 17, "frd"),
        ("fdr: 0.1", "fdr: 2", 17, "must be below 1"),
        ("  seed: [0, 7]", "  seed: []", 16, "at least 1"),
        ("    dataset: caps\n", "    dataset: caps\n    colour: red\n", 5, "colour"),
        ('  seed: "{seed}"', '  seed: "{sed}"', 1, "'sed', which `matrix` has not"),
        ("  size: [50]", "  size: [50]\n  idle: [1]", 1, "never uses the axis 'idle'"),
        ("  size: [50]", "  size: [fifty]", 11, "With part = 'left', size = 'fifty'"),
        ("  - task: one", "  - task: left-0", 6, "two tasks are called 'left-0'"),
        ('task: "{part}-{seed}"', 'task: "{part}"', 6, "two tasks are called 'left'"),
        ("attribute: part}", "attribute: colour}", 14, "has the attribute 'colour'"),
        ("of: caps, a", 'of: "{seed}", a', 14, "reads 'seed', which stands below it"),
        ("fleet: caps", "fleet: a b", 1, "name"),
    ],
)
def test_what_is_wrong_is_told_with_file_and_line(old, new, line, says):
    assert old in FULL
    with pytest.raises(SpecError) as caught:
        drawn(FULL.replace(old, new))
    assert says in str(caught.value)
    assert caught.value.where == f"f.yaml:{line}"


def test_a_fleet_of_nothing_is_told():
    with pytest.raises(SpecError, match="give `tasks`, or a `template`"):
        parse("fleet: f\n", where="f.yaml")
    with pytest.raises(SpecError, match="need each other"):
        parse("fleet: f\nmatrix: {a: [1]}\ntasks: [{task: t, dataset: d}]\n", where="f.yaml")

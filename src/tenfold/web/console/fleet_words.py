"""A fleet as its writer reads it: what it makes, or what is wrong with its text."""

from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.catalog import datasets
from tenfold.catalog.gallery import Facets
from tenfold.errors import NotFound
from tenfold.factory import fleet
from tenfold.specs.fleet import FleetSpec, FromData
from tenfold.specs.task import TaskSpec
from tenfold.web.console.counted import facets
from tenfold.web.console.text import Text
from tenfold.workspace import Workspace

WHERE = "fleet"
FIRST = 4
"""Names of tasks that a sentence lists."""
DOUBTS = 5


@dataclass(frozen=True, slots=True)
class CheckedFleet:
    """A text of a fleet that was read."""

    spec: FleetSpec
    tasks: int
    first: tuple[str, ...]
    """Names of the first tasks."""
    found: dict[str, Facets]
    """Datasets that there are."""
    missing: dict[str, int]
    """Datasets that there are not, and how many tasks name them."""
    unknown: tuple[tuple[str, str], ...]
    """(dataset, label) that no picture has."""


def check_fleet(workspace: Workspace, text: str) -> CheckedFleet:
    """The fleet, its tasks, and the datasets that they name.

    Raises:
        SpecError: the text is none; names the line.
        NotFound: a dataset that an axis reads does not exist.
    """
    spec, tasks = fleet.read(workspace, text, where=WHERE)
    found: dict[str, Facets] = {}
    missing: dict[str, int] = {}
    for name, count in Counter(task.dataset for task in tasks).items():
        try:
            datasets.get(workspace.scope, name)
        except NotFound:
            missing[name] = count
        else:
            found[name] = facets(workspace, name)
    asked = dict.fromkeys(pair for task in tasks for pair in _asked(task))
    unknown = [
        (name, one) for name, one in asked if name in found and one not in found[name].labels
    ]
    first = tuple(task.task for task in tasks[:FIRST])
    return CheckedFleet(spec, len(tasks), first, found, missing, tuple(unknown))


def _asked(task: TaskSpec) -> Iterator[tuple[str, str]]:
    question = task.question
    if question.label is None:
        for label in (*question.positive, *question.negative, *question.classes):
            yield task.dataset, label


def sentences(say: Text, checked: CheckedFleet) -> Iterator[str]:
    """What will be made, from what, and when it ends."""
    spec, count = checked.spec, say.number(checked.tasks)
    names = ", ".join(checked.first)
    if checked.tasks > len(checked.first):
        yield say("Makes {count} models: {names}, …", count=count, names=names)
    else:
        yield say("Makes {count} models: {names}.", count=count, names=names)
    axes = " × ".join(_axis(say, name, axis) for name, axis in spec.matrix.items())
    if axes:
        yield say("The template is filled by {axes}.", axes=axes)
    if spec.tasks and axes:
        yield say("{count} of them are written out.", count=say.number(len(spec.tasks)))
    for name, found in list(checked.found.items())[:DOUBTS]:
        yield say("From {count} pictures of {dataset}.", count=say.number(found.size), dataset=name)
    yield from _ends(say, spec)


def _axis(say: Text, name: str, axis: object) -> str:
    if isinstance(axis, FromData):
        what = axis.attribute or say("its labels")
        return f"{name} ({axis.of}: {what})"
    assert isinstance(axis, tuple)
    return f"{name} ({say.number(len(axis))})"


def _ends(say: Text, spec: FleetSpec) -> Iterator[str]:
    budget = spec.budget
    if budget.seconds is not None:
        yield say("No further model is begun after {seconds} s.", seconds=f"{budget.seconds:g}")
    if budget.tasks is not None:
        yield say("At most {count} are begun; the rest are left out.", count=budget.tasks)
    if spec.fdr is not None:
        yield say(
            "Of the accepted that stand, at most {share} are expected to be accepted wrongly.",
            share=say.percent(spec.fdr),
        )


def doubts(say: Text, checked: CheckedFleet) -> Iterator[str]:
    """What cannot come to much, though the text is right."""
    for name, count in list(checked.missing.items())[:DOUBTS]:
        yield say(
            "{count} tasks will fail: there is no dataset {name}.",
            count=say.number(count),
            name=name,
        )
    for name, label in checked.unknown[:DOUBTS]:
        yield say("No picture of {dataset} has the label '{label}'.", dataset=name, label=label)
    more = len(checked.unknown) - DOUBTS
    if more > 0:
        yield say("and {count} more", count=say.number(more))

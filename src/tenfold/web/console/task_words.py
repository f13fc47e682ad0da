"""A task as its writer reads it: what it decides and proves, or what is wrong with its text."""

import re
from collections.abc import Collection, Iterator
from dataclasses import dataclass

from tenfold.catalog import datasets
from tenfold.catalog.gallery import Facets
from tenfold.errors import NotFound, SpecError
from tenfold.factory.judge import DEFAULT_ERROR, DEFAULT_ESCAPE, DEFAULT_OVERKILL
from tenfold.specs import task as tasks
from tenfold.specs.task import TaskSpec
from tenfold.web.console.counted import facets
from tenfold.web.console.retold import retold
from tenfold.web.console.text import Text
from tenfold.workspace import Workspace

WHERE = "task"
UNREADABLE = "this cannot be read: look for a missing colon, quote or blank."
PLACE = re.compile(r"^(task|fleet):?")
"""What a place begins with; a line may follow."""
NAMED = 5
"""Labels that a sentence lists."""


@dataclass(frozen=True, slots=True)
class Checked:
    """A text of a task that was read."""

    spec: TaskSpec
    found: Facets


def check(workspace: Workspace, text: str) -> Checked:
    """The task, and the dataset that it names.

    Raises:
        SpecError: the text is none.
        NotFound: there is no such dataset.
    """
    spec = tasks.parse(text, where=WHERE)
    datasets.get(workspace.scope, spec.dataset)
    return Checked(spec, facets(workspace, spec.dataset))


def wrong(say: Text, error: SpecError | NotFound) -> str:
    """What is wrong with the text of a task or a fleet, and where."""
    if isinstance(error, NotFound):
        return say("There is no such dataset: choose one above, or correct its name.")
    message = str(error.args[0])
    told = say(UNREADABLE) if message.startswith("not YAML") else retold(say, message)
    line = PLACE.sub("", error.where or "")
    return say("Line {line}: {told}", line=line, told=told) if line else told


def sentences(say: Text, checked: Checked) -> Iterator[str]:
    """What will be decided and proven."""
    spec, found = checked.spec, checked.found
    yield _decides(say, spec, found)
    yield from _limits(say, spec, found)
    yield say(
        "From {count} pictures of {dataset}; the proof holds with {confidence} confidence.",
        count=say.number(found.size),
        dataset=spec.dataset,
        confidence=say.percent(spec.bar.confidence),
    )


def doubts(say: Text, checked: Checked) -> Iterator[str]:
    """What cannot come to much, though the text is right."""
    asked, found = checked.spec.question, checked.found
    if asked.label is not None:
        return
    for label in (*asked.positive, *asked.negative, *asked.classes):
        if label not in found.labels:
            yield say("No picture has the label '{label}'.", label=label)
    if not found.labels:
        yield say(
            "No picture has a label: name the attribute that answers as `question.label`, or "
            "upload the pictures in one folder for each label."
        )


def is_good_or_bad(spec: TaskSpec) -> bool:
    return spec.kind == "anomaly" or bool(spec.question.positive or spec.question.negative)


def _decides(say: Text, spec: TaskSpec, found: Facets) -> str:
    asked = spec.question
    if is_good_or_bad(spec):
        good = asked.negative or _others(found, asked.positive)
        bad = asked.positive or _others(found, asked.negative)
        if spec.kind == "anomaly":
            return say(
                "Learns what is normal from '{good}', and finds whatever is not.",
                good=_named(say, good),
            )
        return say(
            "Tells bad pictures ({bad}) from good ones ({good}).",
            bad=_named(say, bad),
            good=_named(say, good),
        )
    classes = asked.classes or tuple(found.labels)
    pattern = (
        "Says which of {count} labels a picture has, several at once: {names}."
        if asked.multi_label
        else "Tells {count} labels apart: {names}."
    )
    return say(pattern, count=say.number(len(classes)), names=_named(say, classes))


def _limits(say: Text, spec: TaskSpec, found: Facets) -> Iterator[str]:
    bar, asked = spec.bar, spec.question
    escape, overkill, error = bar.escape, bar.overkill, bar.error
    is_given = escape or overkill or error or bar.miss
    if not is_given and is_good_or_bad(spec):
        has_bad = bool(asked.positive or _others(found, asked.negative))
        escape, overkill = DEFAULT_ESCAPE if has_bad else None, DEFAULT_OVERKILL
    elif not is_given:
        error = DEFAULT_ERROR
    if escape is not None:
        yield say("At most {limit} of the bad ones may pass as good.", limit=say.percent(escape))
    if overkill is not None:
        yield say("At most {limit} of the good ones may be rejected.", limit=say.percent(overkill))
    if error is not None:
        yield say("At most {limit} of the answers may be wrong.", limit=say.percent(error))
    for name, limit in bar.miss.items():
        yield say(
            "At most {limit} of '{label}' may be called something else.",
            limit=say.percent(limit),
            label=name,
        )


def _others(found: Facets, named: Collection[str]) -> tuple[str, ...]:
    return tuple(label for label in found.labels if label not in named)


def _named(say: Text, names: Collection[str]) -> str:
    first = ", ".join(list(names)[:NAMED]) or "–"
    more = len(names) - NAMED
    return f"{first} {say('and {count} more', count=say.number(more))}" if more > 0 else first

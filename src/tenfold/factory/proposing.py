"""The task, or the fleet, that a dataset of the catalog most likely is for."""

from collections.abc import Collection, Sequence
from typing import Any

import yaml
from pydantic import ValidationError

from tenfold.catalog import gallery
from tenfold.catalog.gallery import Portion
from tenfold.errors import DataError, SpecError
from tenfold.formats.guess import FEW_DEFECTS
from tenfold.formats.row import is_good
from tenfold.specs.task import TaskSpec, propose
from tenfold.specs.yaml_file import NAME, first_of
from tenfold.values import Kind
from tenfold.workspace import Workspace

MOST_VALUES = 50
"""Of an attribute that a fleet is proposed for."""


def proposed(dataset: str, found: Sequence[Portion]) -> TaskSpec:
    """As `tenfold make FOLDER` would write it, from what the catalog counts in the dataset.

    Raises:
        DataError: the dataset is empty.
        SpecError: no task can have such a name.
    """
    if not found:
        raise DataError("the dataset has no pictures.", where=dataset)
    facets = gallery.facets_of(found)
    goods = [label for label in facets.labels if is_good(label)]
    good = goods[0] if len(goods) == 1 else None
    try:
        return propose(
            dataset,
            _kind(found, good),
            good=good,
            labels=list(facets.labels),
            splits=list(facets.splits),
            several=any(len(one.labels) > 1 for one in found),
        )
    except ValidationError as error:
        raise SpecError(first_of(error)[1], where=dataset) from error


def _kind(found: Sequence[Portion], good: str | None) -> Kind:
    """Anomaly where only good pictures are there to learn from, or too few others."""
    if good is None:
        return "classify"
    bad = (one for one in found if one.labels and good not in one.labels)
    to_learn = sum(one.size for one in bad if one.split in ("", "train"))
    return "classify" if to_learn >= FEW_DEFECTS else "anomaly"


def proposed_fleet(workspace: Workspace, dataset: str) -> str:
    """A fleet on a dataset to begin from, as YAML: a model for each value of an attribute, else for
    each label, else for some seeds.

    Raises:
        DataError: the dataset is empty.
        SpecError: no task can have such a name.
    """
    task = yaml.safe_load(proposed(dataset, gallery.portions(workspace.scope, dataset)).to_yaml())
    axis, values, change = _axis(workspace, dataset, task)
    place = f"{{{axis}}}"
    template = task | change | {"task": f"{dataset}-{place}"}
    written = {"fleet": f"{dataset}-fleet", "template": template, "matrix": {axis: values}}
    return yaml.safe_dump(written, sort_keys=False, width=100)


def _axis(
    workspace: Workspace, dataset: str, task: dict[str, Any]
) -> tuple[str, Any, dict[str, Any]]:
    """Its name, its values, and what it changes in the task."""
    scope = workspace.scope
    for name in gallery.attributes(scope, dataset):
        values = gallery.labels(scope, dataset, attribute=name)
        if name.isidentifier() and name.isascii() and _tell_apart(values):
            where = task.get("question", {}) | {"where": {name: f"{{{name}}}"}}
            return name, {"of": dataset, "attribute": name}, {"question": where}
    labels = gallery.labels(scope, dataset)
    if task["kind"] == "classify" and len(labels) > 2 and _tell_apart(labels):
        bar = {"escape": 0.05, "overkill": 0.10}
        return "label", {"of": dataset}, {"question": {"positive": ["{label}"]}, "bar": bar}
    return "seed", [0, 1, 2], {"seed": "{seed}"}


def _tell_apart(values: Collection[str]) -> bool:
    """Whether a model for each makes sense: a few names, no measurements."""
    names = all(NAME.fullmatch(value) for value in values)
    return 2 <= len(values) <= MOST_VALUES and names and not any(map(_is_number, values))


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True

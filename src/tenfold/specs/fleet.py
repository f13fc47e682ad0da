"""A fleet: many tasks made together, listed, or drawn from a template by a matrix."""

import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from itertools import islice
from typing import Annotated, Any

from pydantic import Field, ValidationError, model_validator

from tenfold.errors import SpecError
from tenfold.specs.bar import Rate
from tenfold.specs.task import TaskSpec
from tenfold.specs.yaml_file import Name, Part, first_of, keys_of, line_of, parsed

HINT = "docs/fleets.md lists every key."
PLACE = re.compile(r"\{([A-Za-z_][A-Za-z0-9_]*)\}")
"""`{axis}` in a template's text."""
MOST_TASKS = 200_000

Value = str | int | float
ValuesOf = Callable[[str, str | None], Sequence[str]]
"""(dataset, attribute) → its values in order; None for the attribute asks for the labels."""


class FromData(Part):
    """An axis that takes what the dataset holds."""

    of: str
    """Dataset; may name an axis written above, as `{dataset}`."""
    attribute: str | None = None
    """Whose values; default: the labels."""


Axis = Annotated[tuple[Value, ...], Field(min_length=1)] | FromData


class FleetBudget(Part):
    """When to stop taking up further tasks; those begun are finished."""

    seconds: Annotated[float, Field(gt=0)] | None = None
    tasks: Annotated[int, Field(ge=1)] | None = None


class FleetSpec(Part):
    fleet: Name
    tasks: tuple[TaskSpec, ...] = ()
    template: dict[str, Any] | None = None
    """A task with `{axis}` wherever it differs; a text that is nothing else takes the value as it
    is, number or text."""
    matrix: dict[str, Axis] = Field(default_factory=dict[str, Axis])
    """Every combination of the axes fills the template once; the last axis turns fastest."""
    budget: FleetBudget = FleetBudget()
    fdr: Rate | None = None
    """Largest expected share of falsely accepted models among the accepted."""

    @model_validator(mode="after")
    def _whole(self) -> "FleetSpec":
        if not self.tasks and self.template is None:
            raise ValueError("give `tasks`, or a `template` with a `matrix`")
        if (self.template is None) != (not self.matrix):
            raise ValueError("`template` and `matrix` need each other")
        asked = set(PLACE.findall(str(self.template)))
        unknown = sorted(asked - self.matrix.keys())
        if unknown:
            raise ValueError(f"the template asks for {unknown[0]!r}, which `matrix` has not")
        idle = sorted(self.matrix.keys() - asked - self._sources())
        if idle:
            raise ValueError(f"the template never uses the axis {idle[0]!r}")
        return self

    def _sources(self) -> set[str]:
        """Axes that other axes read."""
        drawn = [axis.of for axis in self.matrix.values() if isinstance(axis, FromData)]
        return {name for text in drawn for name in PLACE.findall(text)}


def describes(text: str) -> bool:
    """Whether YAML text is that of a fleet rather than of one task."""
    return "fleet" in keys_of(text)


def parse(text: str, *, where: str) -> FleetSpec:
    """The fleet in YAML text.

    Raises:
        SpecError: names the line of what is wrong.
    """
    return parsed(FleetSpec, text, where=where, hint=HINT)


def expand(fleet: FleetSpec, values_of: ValuesOf, *, text: str, where: str) -> tuple[TaskSpec, ...]:
    """Every task of the fleet, in order.

    Raises:
        SpecError: a filled-in template is no task, an axis is empty, or two tasks share a name.
    """
    tasks = [*fleet.tasks, *_filled(fleet, values_of, text, where)]
    if len(tasks) > MOST_TASKS:
        raise SpecError(f"more than {MOST_TASKS:,} tasks.", where=where, hint="Split the fleet.")
    seen: set[str] = set()
    for place, task in enumerate(tasks):
        if task.task in seen:
            listed = place < len(fleet.tasks)
            path: list[Any] = ["tasks", place, "task"] if listed else ["template", "task"]
            raise SpecError(
                f"two tasks are called {task.task!r}.",
                where=f"{where}:{line_of(text, path)}",
                hint="Give each its own name; in a template put every {axis} into `task`.",
            )
        seen.add(task.task)
    return tuple(tasks)


def _filled(fleet: FleetSpec, values_of: ValuesOf, text: str, where: str) -> Iterator[TaskSpec]:
    if fleet.template is None:
        return
    for values in islice(_combinations(fleet, values_of, text, where), MOST_TASKS + 1):
        try:
            yield TaskSpec.model_validate(_put(fleet.template, values))
        except ValidationError as error:
            path, message = first_of(error)
            said = ", ".join(f"{name} = {value!r}" for name, value in values.items())
            line = line_of(text, ["template", *path])
            raise SpecError(f"{message} With {said}.", where=f"{where}:{line}") from error


def _combinations(
    fleet: FleetSpec, values_of: ValuesOf, text: str, where: str
) -> Iterator[dict[str, Value]]:
    """Each axis in turn may read what the axes above it say."""

    def below(names: list[str], chosen: dict[str, Value]) -> Iterator[dict[str, Value]]:
        if not names:
            yield dict(chosen)
            return
        name, *rest = names
        for value in _values(fleet.matrix[name], chosen, values_of, (name, text, where)):
            yield from below(rest, chosen | {name: value})

    yield from below(list(fleet.matrix), {})


def _values(
    axis: Axis, chosen: Mapping[str, Value], values_of: ValuesOf, place: tuple[str, str, str]
) -> Sequence[Value]:
    if not isinstance(axis, FromData):
        return axis
    name, text, where = place
    line = f"{where}:{line_of(text, ['matrix', name, 'of'])}"
    early = [one for one in PLACE.findall(axis.of) if one not in chosen]
    if early:
        raise SpecError(
            f"axis {name!r} reads {early[0]!r}, which stands below it.",
            where=line,
            hint=f"Write {early[0]!r} above {name!r}.",
        )
    dataset = str(_put(axis.of, chosen))
    values = values_of(dataset, axis.attribute)
    if not values:
        what = f"the attribute {axis.attribute!r}" if axis.attribute else "a label"
        raise SpecError(f"no sample of {dataset!r} has {what}.", where=line)
    return values


def _put(given: Any, values: Mapping[str, Value]) -> Any:
    """`given` with every `{axis}` replaced."""
    if isinstance(given, dict):
        return {_put(key, values): _put(value, values) for key, value in given.items()}
    if isinstance(given, list):
        return [_put(value, values) for value in given]
    if not isinstance(given, str):
        return given
    whole = PLACE.fullmatch(given)
    if whole and whole[1] in values:
        return values[whole[1]]
    return PLACE.sub(lambda hit: str(values.get(hit[1], hit[0])), given)

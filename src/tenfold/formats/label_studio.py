"""Exchange with Label Studio: its tasks and labeling interface out, its JSON and JSON-MIN back.

`write` makes `tasks.json`, `labeling.xml` and `images`. The tasks name their pictures as Label
Studio's local files, relative to the folder above: that one is its document root.

Source: Label Studio, "Export annotations" and "Label Studio JSON format of annotated tasks",
https://labelstud.io/guide/export and https://labelstud.io/guide/task_format; Apache-2.0. Tried with
the server 1.23.2.
"""

import json
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Annotated, Any, Literal, TypeVar
from urllib.parse import quote, unquote
from xml.sax.saxutils import quoteattr

from pydantic import (
    AwareDatetime,
    BaseModel,
    Field,
    FiniteFloat,
    PositiveInt,
    TypeAdapter,
    ValidationError,
)

from tenfold.errors import DataError, NotFound
from tenfold.formats.exchange import (
    BETWEEN_LABELS,
    CANNOT_TELL,
    IMAGES,
    Box,
    Choice,
    Labelled,
    Sizes,
    ToLabel,
    check_sample,
    check_size,
    enclosing,
    inside,
    person,
    said,
    sample_in,
    send,
    turned,
)

TASKS = "tasks.json"
LABELING = "labeling.xml"
LOCAL_FILES = "/data/local-files/?d="
ANSWER = "answer"
REGION = "region"
Number = Annotated[int, Field(ge=0, lt=2**63)]
Model = TypeVar("Model")


class _Data(BaseModel):
    sample: str
    image: str


class _Person(BaseModel):
    email: str


class _Rectangle(BaseModel):
    """In percent of the picture; turned clockwise around its upper left corner."""

    x: FiniteFloat
    y: FiniteFloat
    width: FiniteFloat
    height: FiniteFloat
    rotation: FiniteFloat = 0
    rectanglelabels: Annotated[list[str], Field(min_length=1, max_length=1)]


class _Drawn(BaseModel):
    original_width: PositiveInt
    original_height: PositiveInt
    image_rotation: Literal[0] | None = None
    """Boxes drawn on a picture that was turned in the tool are in pixels of another picture."""


class _Region(_Drawn):
    type: Literal["rectanglelabels"]
    value: _Rectangle


class _Choices(BaseModel):
    choices: list[str]


class _Answer(BaseModel):
    type: Literal["choices"]
    value: _Choices


_Result = Annotated[_Answer | _Region, Field(discriminator="type")]


class _Annotation(BaseModel):
    id: Number
    completed_by: int | str | _Person | None = None
    result: list[_Result]
    was_cancelled: bool = False
    updated_at: AwareDatetime
    lead_time: FiniteFloat | None = None


class _Task(BaseModel):
    id: int
    """Of the task in the tool's catalog."""
    data: _Data
    annotations: list[_Annotation]


class _FlatRegion(_Rectangle, _Drawn):
    pass


class _Untouched(_Data):
    """An entry of JSON-MIN that nobody did: it is there when all tasks are exported."""

    id: int


class _FlatTask(_Untouched):
    """An entry of JSON-MIN: one annotation, with what the task says beside it."""

    annotation_id: Number
    annotator: int | str | None = None
    updated_at: AwareDatetime
    lead_time: FiniteFloat | None = None
    answer: str | _Choices | None = None
    region: Annotated[list[_FlatRegion], Field(default_factory=list)]


def write(asks: Iterable[ToLabel], folder: Path, *, choice: Choice) -> None:
    """Fill a new folder: pictures, tasks to import, and the labeling interface to paste.

    Raises:
        DataError: nothing is asked, or twice the same, or a file is not that sample.
        Conflict: `folder` holds something.
    """
    inside_root = f"{folder.resolve().name}/{IMAGES}"
    tasks = [_asked(ask, f"{inside_root}/{name}", choice) for ask, name in send(asks, folder)]
    text = json.dumps(tasks, indent=1, ensure_ascii=False)
    (folder / TASKS).write_text(text + "\n", encoding="utf-8")
    (folder / LABELING).write_text(_labeling(choice), encoding="utf-8")


def read(source: Path, *, choice: Choice, sizes: Sizes | None = None) -> list[Labelled]:
    """What people said, task by task; skipped tasks are left out, as are tasks nobody did.

    Raises:
        NotFound: there is no such file.
        DataError: the file is no export of these tasks, or was edited; names file and task.
    """
    found: list[Labelled] = []
    tasks: dict[int, int] = {}
    samples: dict[str, int] = {}
    annotations: dict[int, int] = {}
    for task in _tasks(source):
        where = f"{source}: task {task.id}"
        _once(tasks, task.id, task.id, where=where)
        sample = _sample(task.data, where)
        _once(samples, sample, task.id, where=where)
        check_sample(sample, sizes, where=where)
        for annotation in sorted(task.annotations, key=lambda one: one.id):
            place = f"{where}, annotation {annotation.id}"
            _once(annotations, annotation.id, task.id, where=place)
            if not annotation.was_cancelled:
                found.append(_labelled(annotation, sample, (choice, sizes), place))
    return found


def _asked(ask: ToLabel, path: str, choice: Choice) -> dict[str, Any]:
    """A task to import; what the model said becomes its prediction."""
    data = {"sample": ask.sample, "image": LOCAL_FILES + quote(path), "reason": ask.reason}
    task: dict[str, Any] = {"data": {name: text for name, text in data.items() if text}}
    chosen = ask.said.split(BETWEEN_LABELS)
    if all(name in choice.classes for name in chosen):
        result = {
            "type": "choices",
            "from_name": ANSWER,
            "to_name": "image",
            "value": {"choices": chosen},
        }
        score = {} if ask.score is None else {"score": ask.score}
        task["predictions"] = [{"model_version": "tenfold", **score, "result": [result]}]
    return task


def _labeling(choice: Choice) -> str:
    """The labeling interface; a box alone says its class, so only without boxes one must choose."""
    must = "false" if choice.regions else "true"
    kind = "multiple" if choice.several else "single"
    lines = [
        "<View>",
        '  <Image name="image" value="$image" zoom="true"/>',
        f'  <Choices name="{ANSWER}" toName="image" choice="{kind}" required="{must}">',
        *(f"    <Choice value={quoteattr(name)}/>" for name in (*choice.classes, CANNOT_TELL)),
        "  </Choices>",
    ]
    if choice.regions:
        lines += [
            f'  <RectangleLabels name="{REGION}" toName="image">',
            *(f"    <Label value={quoteattr(name)}/>" for name in choice.regions),
            "  </RectangleLabels>",
        ]
    return "\n".join([*lines, "</View>", ""])


def _tasks(source: Path) -> Iterator[_Task]:
    entries = _json(source)
    if not isinstance(entries, list) or not all(isinstance(entry, dict) for entry in entries):
        raise _no_export("a list of tasks", str(source))
    held: list[dict[str, Any]] = entries
    if all("annotations" in entry for entry in held):
        yield from (_checked(_Task, entry, f"{source}: {_name(entry)}") for entry in held)
    elif all("annotation_id" in entry for entry in held):
        yield from _grouped([_flat(entry, source) for entry in held], source)
    else:
        lost = next(entry for entry in held if not {"annotations", "annotation_id"} & entry.keys())
        raise _no_export("annotations", f"{source}: {_name(lost)}")


def _flat(entry: dict[str, Any], source: Path) -> _FlatTask | _Untouched:
    is_done = entry["annotation_id"] is not None or {ANSWER, REGION} & entry.keys()
    return _checked(_FlatTask if is_done else _Untouched, entry, f"{source}: {_name(entry)}")


def _grouped(flat: list[_FlatTask | _Untouched], source: Path) -> Iterator[_Task]:
    """JSON-MIN as the tasks of JSON."""
    tasks: dict[int, _Task] = {}
    for one in flat:
        data = _Data(sample=one.sample, image=one.image)
        task = tasks.setdefault(one.id, _Task(id=one.id, data=data, annotations=[]))
        if task.data != data:
            raise DataError(
                "its annotations name different pictures.",
                where=f"{source}: task {one.id}",
                hint="Export again, and do not edit the file.",
            )
        if isinstance(one, _FlatTask):
            task.annotations.append(_unfolded(one))
    yield from tasks.values()


def _unfolded(one: _FlatTask) -> _Annotation:
    choices = _Choices(choices=[one.answer]) if isinstance(one.answer, str) else one.answer
    result: list[_Answer | _Region] = [
        *([_Answer(type="choices", value=choices)] if choices else []),
        *(
            _Region(
                type="rectanglelabels", value=region, **_Drawn.model_validate(region).model_dump()
            )
            for region in one.region
        ),
    ]
    return _Annotation(
        id=one.annotation_id,
        completed_by=one.annotator,
        result=result,
        updated_at=one.updated_at,
        lead_time=one.lead_time,
    )


def _labelled(
    annotation: _Annotation, sample: str, terms: tuple[Choice, Sizes | None], where: str
) -> Labelled:
    choice, sizes = terms
    chosen: list[str] = []
    boxes: list[Box] = []
    for result in annotation.result:
        if isinstance(result, _Answer):
            chosen += result.value.choices
            continue
        size = result.original_width, result.original_height
        check_size(sample, size, sizes, where=where)
        boxes.append(_box(result.value, size, where))
    at = _utc(annotation.updated_at, where)
    return Labelled(
        sample=sample,
        labels=said(chosen, boxes, choice, where=where),
        boxes=tuple(boxes),
        who=person(_who(annotation.completed_by), where=where),
        seconds=max(annotation.lead_time or 0.0, 0.0),
        at=at,
        key=f"label_studio/{annotation.id}/{at.isoformat()}",
    )


def _box(drawn: _Rectangle, size_px: tuple[int, int], where: str) -> Box:
    x_px, y_px = size_px[0] / 100, size_px[1] / 100
    x0, y0 = drawn.x * x_px, drawn.y * y_px
    x1, y1 = x0 + drawn.width * x_px, y0 + drawn.height * y_px
    corners = turned([(x0, y0), (x1, y0), (x1, y1), (x0, y1)], (x0, y0), drawn.rotation)
    is_turned = drawn.rotation % 360 != 0
    xyxy = enclosing(corners) if is_turned else (x0, y0, x1, y1)
    return Box(drawn.rectanglelabels[0], inside(xyxy, size_px, is_turned=is_turned, where=where))


def _sample(data: _Data, where: str) -> str:
    """The digest, which the task says twice."""
    name = unquote(data.image)
    if sample_in(data.sample) != data.sample or sample_in(name) != data.sample:
        raise DataError(
            f"sample {data.sample!r} and picture {name!r} are not the same digest.",
            where=where,
            hint="Export again, and do not edit `sample` or `image`.",
        )
    return data.sample


def _utc(told: datetime, where: str) -> datetime:
    try:
        return told.astimezone(UTC)
    except OverflowError as error:
        raise DataError(f"no time is {told.isoformat()}.", where=where) from error


def _who(person: int | str | _Person | None) -> str:
    if isinstance(person, _Person):
        return person.email
    return "" if person is None else str(person)


def _once(seen: dict[Any, int], one: Any, task: int, *, where: str) -> None:
    if one in seen:
        raise DataError(
            f"stands there twice, first in task {seen[one]}.",
            where=where,
            hint="Remove the second, or export again.",
        )
    seen[one] = task


def _json(source: Path) -> Any:
    if not source.is_file():
        raise NotFound("no such file.", where=str(source), hint="Give the exported JSON file.")
    try:
        return json.loads(source.read_bytes(), parse_constant=_refused, object_pairs_hook=_pairs)
    except json.JSONDecodeError as error:
        raise DataError(
            f"not JSON: {error.msg}.",
            where=f"{source}:{error.lineno}",
            hint="Export again, and do not edit the file.",
        ) from error
    except (ValueError, RecursionError) as error:
        raise DataError(f"not JSON: {error}.", where=str(source)) from error


def _refused(name: str) -> Any:
    raise ValueError(f"{name} is no number")


def _pairs(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    """An object of JSON, which says nothing twice."""
    held = dict(pairs)
    if len(held) != len(pairs):
        names = [name for name, _ in pairs]
        raise ValueError(f"key {next(n for n in names if names.count(n) > 1)!r} stands twice")
    return held


def _checked(model: type[Model], entry: dict[str, Any], where: str) -> Model:
    try:
        return TypeAdapter(model).validate_python(entry)
    except ValidationError as error:
        first = error.errors()[0]
        place = ".".join(str(part) for part in first["loc"])
        raise DataError(
            f"{place}: {first['msg']}, got {str(first['input'])[:80]!r}.",
            where=where,
            hint="Export JSON or JSON-MIN of tasks that Tenfold wrote, and do not edit it.",
        ) from error


def _name(entry: dict[str, Any]) -> str:
    return f"task {entry.get('id', 'without id')}"


def _no_export(expected: str, where: str) -> DataError:
    return DataError(
        f"expected {expected}.",
        where=where,
        hint="Give what Label Studio exports as JSON or JSON-MIN.",
    )

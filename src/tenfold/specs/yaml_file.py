"""YAML that a person wrote, to a checked spec; errors name file and line."""

import re
import reprlib
from pathlib import Path
from typing import Annotated, Any, TypeVar

import yaml
from pydantic import AfterValidator, BaseModel, ConfigDict, ValidationError

from tenfold.errors import NotFound, SpecError

Spec = TypeVar("Spec", bound=BaseModel)
LOADER: Any = getattr(yaml, "CSafeLoader", yaml.SafeLoader)
"""In C where PyYAML has it: a fleet's list of 34,000 tasks is read ten times as fast."""
MOST_DEPTH = 100
"""The parser of YAML calls itself for each level; far too many would end the process."""
NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,99}")
NUMBER, WHOLE, TEXT = "a number is expected", "a whole number is expected", "a text is expected"
LIST, LINES = "a list is expected, such as [good]", "`name: value` lines are expected"
DATE, AMOUNT = "a date is expected, such as 2026-01-31", "an amount is expected, such as 0.25"
PLAIN = {
    "extra_forbidden": "there is no such key",
    "missing": "it must be given",
    "float_parsing": NUMBER,
    "float_type": NUMBER,
    "finite_number": NUMBER,
    "int_parsing": WHOLE,
    "int_type": WHOLE,
    "int_from_float": WHOLE,
    "string_type": TEXT,
    "tuple_type": LIST,
    "list_type": LIST,
    "dict_type": LINES,
    "model_type": LINES,
    "model_attributes_type": LINES,
    "bool_parsing": "true or false is expected",
    "bool_type": "true or false is expected",
    "date_parsing": DATE,
    "date_type": DATE,
    "date_from_datetime_parsing": DATE,
    "decimal_parsing": AMOUNT,
    "decimal_type": AMOUNT,
    "less_than": "it must be below {lt}",
    "greater_than": "it must be above {gt}",
    "less_than_equal": "it must be at most {le}",
    "greater_than_equal": "it must be at least {ge}",
    "too_short": "it must have at least {min_length} entries",
    "string_too_short": "it must have at least {min_length} letters",
    "string_too_long": "it must have at most {max_length} letters",
    "literal_error": "one of {expected} is expected",
    "union_tag_invalid": "one of {expected_tags} is expected as its `kind`",
    "union_tag_not_found": "its `kind` must be given",
}
"""What Pydantic calls an error → in plain words, with what it gives along."""
TELLING = ("extra_forbidden", "missing", "value_error", "union_tag_not_found")
"""Errors that say all without the value."""


def _plain(name: str) -> str:
    if not NAME.fullmatch(name):
        raise ValueError("a name is letters, digits, `.`, `_`, `-`, at most 100, no blanks")
    return name


Name = Annotated[str, AfterValidator(_plain)]


class Part(BaseModel):
    """A mapping in a spec file; what it does not know is an error."""

    model_config = ConfigDict(extra="forbid", frozen=True)


def text_of(path: Path) -> str:
    """The text of a spec file.

    Raises:
        NotFound: there is no such file.
        SpecError: it is not UTF-8.
    """
    try:
        return path.read_text(encoding="utf-8")
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound("no such file.", where=str(path)) from error
    except UnicodeDecodeError as error:
        raise SpecError("a task or fleet file is UTF-8 text.", where=str(path)) from error


def parsed(model: type[Spec], text: str, *, where: str, hint: str) -> Spec:
    """`text` as a `model`.

    Raises:
        SpecError: names file and line of what is wrong.
    """
    root, plain = _yaml(text, where=where)
    if not isinstance(plain, dict):
        raise SpecError("expected `name: value` lines.", where=where, hint=hint)
    try:
        repeated = _repeated_key(root, set())
    except RecursionError as error:
        raise SpecError("an alias (`*name`) contains itself.", where=where) from error
    if repeated:
        name, line = repeated
        raise SpecError(f"{name!r} is given twice.", where=f"{where}:{line}")
    try:
        return model.model_validate(plain)
    except ValidationError as error:
        path, message = first_of(error, root=next(iter(model.model_fields)))
        raise SpecError(message, where=f"{where}:{_line(root, path)}", hint=hint) from error


def keys_of(text: str) -> set[str]:
    """Names at the top of a YAML text; empty where it is no mapping at all."""
    try:
        _check_depth(text, where="")
        root = yaml.compose(text, Loader=LOADER)
    except (SpecError, yaml.YAMLError, RecursionError):
        return set()
    return {k.value for k, _ in root.value} if isinstance(root, yaml.MappingNode) else set[str]()


def line_of(text: str, path: list[Any]) -> int:
    """Line of the deepest part of `path` that is written down."""
    return _line(yaml.compose(text, Loader=LOADER), path)


def first_of(error: ValidationError, *, root: str = "task") -> tuple[list[Any], str]:
    """Where the first error lies, and what it says; `root` is what the whole is called."""
    first = error.errors()[0]
    path = list(first["loc"])
    key = ".".join(str(part) for part in path) or root
    kind = first["type"]
    got = "" if kind in TELLING else f", got {_short(first['input'])}"
    message = first["msg"].removeprefix("Value error, ")
    if kind in PLAIN:
        given = {name: str(one).removesuffix(".0") for name, one in first.get("ctx", {}).items()}
        message = PLAIN[kind].format(**given)
    return path, f"{key}: {message}{got}."


def _short(value: object) -> str:
    """Whole where somebody wrote it by hand; aliases may make it as large as one likes."""
    shortened = reprlib.Repr()
    shortened.maxlevel, shortened.maxstring, shortened.maxother = 2, 200, 200
    return shortened.repr(value)


def _yaml(text: str, *, where: str) -> tuple[yaml.Node | None, Any]:
    try:
        _check_depth(text, where=where)
        loader = LOADER(text)
        root = loader.get_single_node()
        return root, None if root is None else loader.construct_document(root)
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise SpecError(f"not YAML: {error.problem}.", where=f"{where}:{line}") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise SpecError(f"not YAML: {error}.", where=where) from error


def _check_depth(text: str, *, where: str) -> None:
    """
    Raises:
        SpecError: it has too many levels, one within the other.
    """
    # Each level is opened by a bracket or indented farther: most texts need no closer look.
    longest = max(map(len, text.splitlines()), default=0)
    if text.count("[") + text.count("{") + 2 * longest <= MOST_DEPTH:
        return
    depth = 0
    for event in yaml.parse(text, Loader=LOADER):
        if isinstance(event, yaml.CollectionStartEvent):
            depth += 1
        elif isinstance(event, yaml.CollectionEndEvent):
            depth -= 1
        if depth > MOST_DEPTH:
            line = event.start_mark.line + 1
            raise SpecError(f"more than {MOST_DEPTH} levels.", where=f"{where}:{line}")


def _line(node: yaml.Node | None, path: list[Any]) -> int:
    line = 1
    for part in path:
        if isinstance(node, yaml.MappingNode):
            found = [(k, v) for k, v in node.value if k.value == str(part)]
        elif isinstance(node, yaml.SequenceNode) and isinstance(part, int):
            found = [(item, item) for item in node.value[part : part + 1]]
        else:
            found = []
        if not found:
            continue  # Pydantic names the kind of a part in between; what is missing has no line
        key, node = found[0]
        line = key.start_mark.line + 1
    return line


def _repeated_key(node: yaml.Node | None, done: set[int]) -> tuple[str, int] | None:
    """Nodes that were `done` are not looked at again: aliases may repeat one without end."""
    if node is None or id(node) in done:
        return None
    done.add(id(node))
    if isinstance(node, yaml.SequenceNode):
        return next((hit for one in node.value if (hit := _repeated_key(one, done))), None)
    if not isinstance(node, yaml.MappingNode):
        return None
    seen: set[str] = set()
    for key, value in node.value:
        if key.value in seen:
            return key.value, key.start_mark.line + 1
        seen.add(key.value)
        below = _repeated_key(value, done)
        if below:
            return below
    return None

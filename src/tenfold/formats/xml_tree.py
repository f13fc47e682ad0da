"""XML that a stranger wrote, as a tree that knows its lines; without DTDs, so nothing expands."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from math import isfinite
from xml.parsers import expat

from tenfold.errors import DataError

MAX_DEPTH = 100


@dataclass(slots=True)
class Node:
    """One element; grows while the file is read."""

    tag: str
    line: int
    attributes: dict[str, str]
    children: list["Node"] = field(default_factory=list["Node"])
    text: str = ""
    """Without blanks at its ends; empty where there are children."""

    def all(self, tag: str) -> list["Node"]:
        """Children of that tag."""
        return [child for child in self.children if child.tag == tag]

    def below(self, tag: str) -> Iterator["Node"]:
        """Whatever has that tag at any depth."""
        for child in self.children:
            if child.tag == tag:
                yield child
            yield from child.below(tag)

    def text_of(self, tag: str) -> str:
        """The text of the first child of that tag; empty where there is none."""
        return next((child.text for child in self.all(tag)), "")

    def get(self, name: str) -> str:
        return self.attributes.get(name, "")

    def need(self, name: str, where: str) -> str:
        """An attribute that must be there.

        Raises:
            DataError: it is not, or is empty.
        """
        if not self.get(name):
            raise DataError(f"<{self.tag}> has no {name!r}.", where=where, hint="Export again.")
        return self.get(name)

    def number(self, name: str, where: str) -> float:
        """A finite number that must be there.

        Raises:
            DataError: it is not.
        """
        text = self.need(name, where)
        try:
            number = float(text)
        except ValueError:
            number = float("nan")
        if not isfinite(number):
            raise DataError(f"expected a number as {name!r}, got {text!r}.", where=where)
        return number


def tree(data: bytes, *, where: str) -> Node:
    """The root of a document.

    Raises:
        DataError: it is no XML, has a DTD, or is nested deeper than 100; names the line.
    """
    builder = _Builder(where)
    try:
        builder.parser.Parse(data, True)
    except (expat.ExpatError, LookupError, ValueError) as error:
        line = builder.parser.ErrorLineNumber
        raise DataError(
            f"not XML: {error}.", where=f"{where}:{line}", hint="Export again, and do not edit it."
        ) from error
    return builder.top.children[0]


class _Builder:
    def __init__(self, where: str) -> None:
        self.top = Node("", 0, {})
        self.parser = expat.ParserCreate()
        self.parser.buffer_text = True
        self.parser.StartElementHandler = self._start
        self.parser.EndElementHandler = self._end
        self.parser.CharacterDataHandler = self._text
        self.parser.StartDoctypeDeclHandler = self._doctype
        self._where = where
        self._open = [self.top]
        self._texts: list[list[str]] = [[]]

    def _start(self, tag: str, attributes: dict[str, str]) -> None:
        line = self.parser.CurrentLineNumber
        if len(self._open) > MAX_DEPTH:
            raise DataError("nested too deep.", where=f"{self._where}:{line}")
        node = Node(tag, line, attributes)
        self._open[-1].children.append(node)
        self._open.append(node)
        self._texts.append([])

    def _end(self, tag: str) -> None:
        node, texts = self._open.pop(), self._texts.pop()
        node.text = "" if node.children else "".join(texts).strip()

    def _text(self, text: str) -> None:
        self._texts[-1].append(text)

    def _doctype(self, *declared: object) -> None:
        raise DataError(
            "holds a DTD, which no export has.",
            where=f"{self._where}:{self.parser.CurrentLineNumber}",
            hint="Export again; do not trust this file.",
        )

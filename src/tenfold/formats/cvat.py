"""Exchange with CVAT: pictures and labels out, "CVAT for images 1.1" back (its XML, or the ZIP).

`write` makes `images`, `labels.json` for the raw view of the label constructor, and an
`annotations.xml` that says nothing yet. What the model said is not among it: CVAT marks whatever
it takes in as `source="file"`, so a person who agrees and moves on would leave no trace.

Source: CVAT, "XML annotation format", https://docs.cvat.ai/docs/other/xml_format, and
cvat/apps/dataset_manager/formats/cvat.py of cvat-ai/cvat (MIT): what its export writes and its
import makes of it. Read, no code taken.
"""

import json
import zipfile
from collections.abc import Iterable
from datetime import UTC, datetime
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

from tenfold.errors import DataError, NotFound
from tenfold.formats.exchange import (
    CANNOT_TELL,
    Box,
    Choice,
    Labelled,
    Sizes,
    ToLabel,
    Xyxy,
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
from tenfold.formats.files import BROKEN_ZIP
from tenfold.formats.xml_tree import Node, tree
from tenfold.values import fingerprint

ANNOTATIONS = "annotations.xml"
LABELS = "labels.json"
VERSION = "1.1"
MAX_BYTES = 256 * 1024 * 1024
"""Of XML in a ZIP: some 500,000 pictures."""
NOT_PEOPLE = frozenset({"auto", "file"})
"""Sources of what a model said or a file brought, and nobody touched since."""
AGAIN = "Export again as CVAT for images 1.1, and do not edit the file."


def write(asks: Iterable[ToLabel], folder: Path, *, choice: Choice) -> None:
    """Fill a new folder: pictures, labels for the constructor, and annotations without a word.

    Raises:
        DataError: nothing is asked, or twice the same, or a file is not that sample.
        Conflict: `folder` holds something.
    """
    sent = send(asks, folder)
    labels = [
        {"name": name, "type": "any" if name in choice.regions else "tag", "attributes": []}
        for name in (*choice.classes, CANNOT_TELL)
    ]
    (folder / LABELS).write_text(json.dumps(labels, indent=1) + "\n", encoding="utf-8")
    lines = [
        '<?xml version="1.0" encoding="utf-8"?>',
        "<annotations>",
        f"  <version>{VERSION}</version>",
        f"  <meta><task><name>{escape(folder.resolve().name)}</name><size>{len(sent)}</size>",
        "    <mode>annotation</mode><labels>",
        *(f"    {_label(str(label['name']), str(label['type']))}" for label in labels),
        "  </labels></task></meta>",
        *(_image(number, name, ask) for number, (ask, name) in enumerate(sent)),
        "</annotations>",
    ]
    (folder / ANNOTATIONS).write_text("\n".join(lines) + "\n", encoding="utf-8")


def read(source: Path, *, choice: Choice, sizes: Sizes | None = None) -> list[Labelled]:
    """What people said, picture by picture; pictures of which nothing is said are left out.

    So is what a model said or a file brought, as long as nobody touched it. CVAT does not tell how
    long a person took, and who it was only as the one the task was given to.

    Raises:
        NotFound: there is no such file.
        DataError: the file is no export of these pictures, or was edited; names file and line.
    """
    root = _root(source)
    people = _people(root)
    found: list[Labelled] = []
    seen: dict[str, int] = {}
    for image in root.all("image"):
        where = f"{source}:{image.line}"
        sample = sample_in(image.need("name", where))
        if sample is None:
            raise DataError(
                f"expected a name with the sample's digest, got {image.need('name', where)!r}.",
                where=where,
                hint="Do not rename the pictures: their names tell where the labels belong.",
            )
        if seen.setdefault(sample, image.line) != image.line:
            raise DataError(
                f"sample {sample[:12]}… stands on line {seen[sample]} already.",
                where=where,
                hint="Remove one of the two; import two tasks one after the other.",
            )
        check_sample(sample, sizes, where=where)
        size = _size(image, where)
        check_size(sample, size, sizes, where=where)
        said_here = [one for one in image.children if one.get("source") not in NOT_PEOPLE]
        if said_here:
            given_to = people.get(image.get("task_id"), ("", None))
            found.append(_labelled(said_here, (sample, size), given_to, choice, str(source)))
    return found


def _labelled(
    nodes: list[Node],
    picture: tuple[str, tuple[int, int]],
    given_to: tuple[str, datetime | None],
    choice: Choice,
    source: str,
) -> Labelled:
    sample, size = picture
    chosen: list[str] = []
    boxes: list[Box] = []
    for node in nodes:
        where = f"{source}:{node.line}"
        if node.tag == "tag":
            chosen.append(node.need("label", where))
        elif node.tag == "box":
            boxes.append(_box(node, size, where))
        else:
            raise DataError(
                f"expected tags and boxes, got a {node.tag}.",
                where=where,
                hint="Draw a rectangle around it instead, and export again.",
            )
    where = f"{source}:{nodes[0].line}"
    labels = said(chosen, boxes, choice, where=where)
    who, at = given_to
    who = person(who, where=where)
    saying = [who, labels, [[box.label, *box.xyxy_px] for box in boxes]]
    key = f"cvat/{sample}/{fingerprint(saying)[:24]}"
    return Labelled(sample, labels, tuple(boxes), who=who, seconds=0.0, at=at, key=key)


def _box(node: Node, size_px: tuple[int, int], where: str) -> Box:
    """Turned clockwise around its centre, where it is turned."""
    x0, y0, x1, y1 = (node.number(name, where) for name in ("xtl", "ytl", "xbr", "ybr"))
    degrees = node.number("rotation", where) if node.get("rotation") else 0.0
    is_turned = degrees % 360 != 0
    xyxy: Xyxy = (x0, y0, x1, y1)
    if is_turned:
        corners = [(x0, y0), (x1, y0), (x1, y1), (x0, y1)]
        xyxy = enclosing(turned(corners, ((x0 + x1) / 2, (y0 + y1) / 2), degrees))
    label = node.need("label", where)
    return Box(label, inside(xyxy, size_px, is_turned=is_turned, where=where))


def _size(image: Node, where: str) -> tuple[int, int]:
    width, height = (image.number(name, where) for name in ("width", "height"))
    if not (width.is_integer() and height.is_integer() and min(width, height) >= 1):
        raise DataError(f"no picture is {width:g} × {height:g} pixels.", where=where, hint=AGAIN)
    return int(width), int(height)


def _people(root: Node) -> dict[str, tuple[str, datetime | None]]:
    """Who a task or job was given to and when it last changed, by its number.

    Where there is one alone, its pictures do not tell the number: it goes by the empty one, too.
    """
    found: dict[str, tuple[str, datetime | None]] = {}
    for meta in root.all("meta"):
        for task in (*meta.below("task"), *meta.below("job")):
            names = [name.text for one in task.all("assignee") for name in one.all("username")]
            found[task.text_of("id")] = (next(iter(names), ""), _time(task.text_of("updated")))
    return found if len(found) != 1 else {**found, "": next(iter(found.values()))}


def _time(text: str) -> datetime | None:
    try:
        at = datetime.fromisoformat(text)
        return at.astimezone(UTC) if at.tzinfo else at.replace(tzinfo=UTC)
    except (ValueError, OverflowError):
        return None


def _root(source: Path) -> Node:
    root = tree(_bytes(source), where=str(source))
    version = root.text_of("version")
    if root.tag != "annotations" or version != VERSION:
        raise DataError(
            f"expected <annotations> of version {VERSION}, got <{root.tag}> {version!r}.",
            where=f"{source}:{root.line}",
            hint=AGAIN,
        )
    track = next(iter(root.all("track")), None)
    if track is not None:
        raise DataError(
            "holds tracks, as exports for video do.", where=f"{source}:{track.line}", hint=AGAIN
        )
    return root


def _bytes(source: Path) -> bytes:
    if not source.is_file():
        raise NotFound("no such file.", where=str(source), hint="Give the exported ZIP or XML.")
    if not zipfile.is_zipfile(source):
        return source.read_bytes()
    try:
        with zipfile.ZipFile(source) as archive:
            size = archive.getinfo(ANNOTATIONS).file_size
            if size <= MAX_BYTES:
                return archive.read(ANNOTATIONS)
    except (KeyError, OSError, *BROKEN_ZIP) as error:
        raise DataError(
            f"no {ANNOTATIONS} in it can be read ({error}).", where=str(source), hint=AGAIN
        ) from error
    raise DataError(f"{ANNOTATIONS} has {size:,} bytes.", where=str(source), hint="Export less.")


def _label(name: str, kind: str) -> str:
    return f"<label><name>{escape(name)}</name><type>{kind}</type><attributes></attributes></label>"


def _image(number: int, name: str, ask: ToLabel) -> str:
    size = f'width="{ask.width_px}" height="{ask.height_px}"'
    return f'  <image id="{number}" name={quoteattr(name)} {size}></image>'

"""What the people at a line ask the hub for from their screen: regions of a part whose pictures
were sent, and to teach it.

Teaching is a job: it goes on in a process of its own whoever leaves, tells how far it is, and may
be done again.
"""

import base64
import io
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Annotated, Any

from PIL import Image
from pydantic import Field, ValidationError

from tenfold.apps.line import proposing
from tenfold.apps.line.align import Lost, align
from tenfold.apps.line.part import HINT, Alignment, PartSpec
from tenfold.apps.line.pictures import read
from tenfold.apps.line.reference import Reference
from tenfold.apps.line.stations import known_folder, parts_of
from tenfold.apps.line.teach import (
    FEWEST_GOOD,
    Shown,
    check_defect,
    check_places,
    in_words,
    teach,
)
from tenfold.apps.line.values import Pixels
from tenfold.errors import DataError, SpecError
from tenfold.factory import asked as jobs
from tenfold.factory.uploads import Uploads
from tenfold.formats.pixels import is_picture
from tenfold.specs.yaml_file import NAME, Name, Part, first_of
from tenfold.values import Progress
from tenfold.workspace import Workspace, opened

MOST_LOOKED = 60
"""Pictures in which a proposal looks for the part; teaching looks at all."""
SHOWN_PX = 1600
"""Longest side of the reference as a screen gets it."""
Uploaded = Annotated[tuple[str, ...], Field(min_length=1)]
"""Ids of complete uploads: pictures, or zips of them."""


class KnownBad(Part):
    """Parts that are known to be bad, in one region."""

    region: Name
    label: str
    """What it shows there, such as `scratch`."""
    uploads: Uploaded


class Asked(Part):
    """A part to be taught."""

    part: PartSpec
    """As its file says it; `reference` is the path of a picture among the good ones."""
    good: Uploaded
    bad: tuple[KnownBad, ...] = ()


@dataclass(frozen=True, slots=True)
class Proposed:
    part: PartSpec
    width_px: int
    height_px: int
    """Of the reference, in whose pixels the regions are."""
    picture: str
    """The reference as a `data:` address, perhaps smaller."""
    pictures: tuple[str, ...]
    """Paths of all pictures that were sent."""
    lost: tuple[str, ...]
    """Pictures in which the part was not found, and why."""
    is_known: bool
    """This part number was taught here before."""


def propose(
    workspace: Workspace, station: str, part: str, uploads: Sequence[str], reference: str = ""
) -> Proposed:
    """Regions of a part whose good pictures were sent; nothing is kept.

    Raises:
        NotFound: there is no such station or upload.
        SpecError: the part number is no name.
        DataError: too few pictures, or most of them show another part.
    """
    known_folder(workspace, station)
    if not NAME.fullmatch(part):
        raise SpecError(
            f"{part!r} is no part number that can be kept.",
            hint="Use letters a to z, digits, and . _ - between them, at most 100, no blanks.",
        )
    sent = _sent(workspace.settings.home, uploads)
    check_enough(len(sent))
    chosen = _among(sent, reference) if reference else next(iter(sent))
    pixels = read(sent[chosen])
    looked = [name for name in sent if name != chosen][:MOST_LOOKED]
    goods, lost = _found(workspace, pixels, {name: sent[name] for name in looked})
    if len(lost) * 2 > len(looked):
        raise DataError(
            f"the part of {chosen} is not found in {len(lost)} of {len(looked)} other pictures.",
            hint=f"Send pictures of one part, or choose another reference. {lost[0]}",
        )
    spec = proposing.propose(pixels, [pixels, *goods], part=part, path=chosen, station=station)
    return Proposed(
        part=spec,
        width_px=pixels.shape[1],
        height_px=pixels.shape[0],
        picture=_address(pixels),
        pictures=tuple(sent),
        lost=tuple(lost),
        is_known=part in parts_of(workspace, station).names(),
    )


def check(workspace: Workspace, station: str, plain: Mapping[str, Any]) -> Asked:
    """What was asked, if it can be taught as far as can be told at once.

    Raises:
        NotFound: there is no such station, upload or region.
        SpecError: a name, a box or a label is wrong.
        DataError: too few pictures.
    """
    known_folder(workspace, station)
    try:
        asked = Asked.model_validate(plain)
    except ValidationError as error:
        raise SpecError(first_of(error, root="body")[1], hint=HINT) from error
    sent = _sent(workspace.settings.home, asked.good)
    check_enough(len(sent))
    pixels = read(sent[_among(sent, asked.part.reference)])
    check_places(asked.part, pixels.shape[1], pixels.shape[0])
    for one in asked.bad:
        check_defect(asked.part, one.region, one.label)
        _sent(workspace.settings.home, one.uploads)
    return asked


def check_enough(pictures: int) -> None:
    """
    Raises:
        DataError: a part cannot be taught from so few.
    """
    if pictures < FEWEST_GOOD:
        raise DataError(
            f"{pictures} pictures of good parts were sent, {FEWEST_GOOD} are needed at least.",
            hint="Take more pictures of good parts, each of another part.",
        )


def teach_in_child(home: str, job: str, actor: str = "", **asked: Any) -> None:
    """Teach a part for whoever asked; `asked` has `station`, `name` and what `check` takes."""
    jobs.in_child(home, job, teach_told, {"asked": asked, "actor": actor})


def teach_told(home: str, job: str, asked: dict[str, Any], actor: str) -> None:
    """`teach` in this process."""

    def verb(progress: Progress) -> dict[str, Any]:
        station = asked["station"]
        plain = {key: asked[key] for key in ("part", "good", "bad")}
        with opened(home, actor=actor or None) as workspace:
            wanted = check(workspace, station, plain)
            sent = _sent(Path(home), wanted.good)
            reference = read(sent[wanted.part.reference])
            shown = [Shown(read(path), {}) for path in sent.values()]
            for one in wanted.bad:
                wrong = {one.region: one.label}
                shown += [Shown(read(p), wrong) for p in _sent(Path(home), one.uploads).values()]
            parts = parts_of(workspace, station)
            told = teach(workspace, parts, wanted.part, reference, shown, progress=progress)
            mode = parts.get(told.part).spec.mode
        return {"station": station, "taught": told.part, "mode": mode, "told": in_words(told)}

    jobs.tell(home, job, verb)


def _sent(home: Path, uploads: Sequence[str]) -> dict[str, Path]:
    """The pictures of some uploads by their paths, in order."""
    folder = Uploads.of(home).unpacked(list(uploads))
    paths = sorted(path for path in folder.rglob("*") if path.is_file() and is_picture(path.name))
    if not paths:
        raise DataError("no picture was sent.", hint="Send PNG, JPEG, BMP, TIFF or WebP files.")
    return {path.relative_to(folder).as_posix(): path for path in paths}


def _among(sent: Mapping[str, Path], name: str) -> str:
    if name not in sent:
        raise SpecError(
            f"the reference {name!r} is none of the good pictures.",
            hint="Choose one of those that were sent.",
        )
    return name


def _found(
    workspace: Workspace, pixels: Pixels, others: Mapping[str, Path]
) -> tuple[list[Pixels], list[str]]:
    """Pictures in which the part of the reference is found, and why it is not in the others."""
    goods: list[Pixels] = []
    lost: list[str] = []
    reference = Reference.of(pixels, Alignment())
    look = partial(_look, reference)
    with ThreadPoolExecutor(workspace.settings.cores) as threads:
        for name, (seen, place) in zip(others, threads.map(look, others.values()), strict=True):
            if isinstance(place, Lost):
                lost.append(f"{name}: {place.reason}. {place.action}")
            elif len(goods) < proposing.LOOKED_AT:
                goods.append(seen)
    return goods, lost


def _look(reference: Reference, path: Path) -> tuple[Pixels, object]:
    pixels = read(path)
    return pixels, align(pixels, reference)


def _address(pixels: Pixels) -> str:
    image, out = Image.fromarray(pixels), io.BytesIO()
    image.thumbnail((SHOWN_PX, SHOWN_PX))
    image.save(out, "JPEG", quality=88)
    return f"data:image/jpeg;base64,{base64.b64encode(out.getvalue()).decode()}"

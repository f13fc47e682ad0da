"""A person's word about a part that a station looked at: kept in the journal, and learnt from.

The word comes first and is durable; what can be learnt from it follows, while the picture is kept.
A rejected part that was good teaches that the regions which were complained of are good, a passed
part that was bad that a defect was missed. Where nobody said which region shows what, reviewers are
asked.
"""

from contextlib import closing
from dataclasses import dataclass, replace
from hashlib import sha256

from tenfold import packages
from tenfold.apps.line.align import Aligned, align
from tenfold.apps.line.corrections import Correction, check_words, corrections
from tenfold.apps.line.journal import Part
from tenfold.apps.line.modes import live_by_proof
from tenfold.apps.line.part import Surface
from tenfold.apps.line.parts import Known
from tenfold.apps.line.regions import cut
from tenfold.apps.line.stations import evidence_of, journal_of, parts_of
from tenfold.apps.line.teach import CUTTINGS
from tenfold.apps.line.values import Outcome
from tenfold.atomic import write_bytes
from tenfold.catalog import deployments, models
from tenfold.errors import SpecError, TenfoldError
from tenfold.formats.pixels import as_bmp, decode
from tenfold.loop.labelling import is_good_or_bad, words_of
from tenfold.loop.overruled import Doubted, take_in
from tenfold.workspace import Workspace

INSPECTED = "inspected"
"""Why, of an inspector's word about a part in shadow."""


@dataclass(frozen=True, slots=True)
class Word:
    """What a person says of a part."""

    verdict: Outcome
    by: str
    why: str = INSPECTED
    region: str = ""
    """That shows it; empty: nobody said."""
    label: str = ""
    """What that region shows; empty: that it is good, or a defect."""


@dataclass(frozen=True, slots=True)
class Lesson:
    """What becomes of a region of a part that was overruled."""

    region: str
    head: str
    label: str
    """What it teaches; empty: reviewers are asked."""


@dataclass(frozen=True, slots=True)
class Overruled:
    part: Part
    """As it stands in the journal now."""
    lessons: tuple[Lesson, ...] = ()
    problem: str = ""
    """Why nothing is learnt, though something might have been; empty: nothing is in the way."""
    went_live: bool = False
    """The proof let the part number go live."""


def overrule(workspace: Workspace, station: str, id: int, word: Word) -> Overruled:
    """Keep what a person says of a part, and let its heads learn from it.

    Raises:
        NotFound: there is no such look, or no such region.
        SpecError: no reason is given, or the label means nothing there.
        Conflict: somebody overruled it already.
    """
    if not word.why.strip():
        raise SpecError("say why, for the journal.", where="--why")
    with closing(journal_of(workspace, station)) as journal:
        known = _known(workspace, station, journal.get(id))
        if known is not None and word.region:
            check_words(known.spec, word.region, word.label)
        journal.overrule(id, word.verdict, by=word.by, why=word.why)
        part = journal.get(id)
    try:
        lessons, problem = _learnt(workspace, station, (known, part), word)
    except TenfoldError as error:  # the word is kept whatever becomes of its lesson
        lessons, problem = (), str(error)
    return Overruled(part, lessons, problem)


def inspected(workspace: Workspace, station: str, id: int, word: Word) -> Overruled:
    """Take in an inspector's word about a part in shadow: it counts for or against the heads, which
    learn from it too, and lets the part number go live where that clears the bar and the station's
    file says that the proof decides.

    Raises:
        NotFound, SpecError, Conflict: as `overrule`.
    """
    told = overrule(workspace, station, id, word)
    if not told.part.judged:
        return told
    return replace(told, went_live=live_by_proof(workspace, station, told.part.part) is not None)


def in_words(told: Overruled) -> list[str]:
    """What came of a word, for people."""
    lines = [f"Part {told.part.id} is {told.part.overruled}, says {told.part.overruled_by}."]
    for one in told.lessons:
        what = f"teaches {one.label}" if one.label else "is put before reviewers"
        lines.append(f"{one.region}: {what} ({one.head}).")
    if told.problem:
        lines.append(f"Nothing is learnt from it: {told.problem}")
    if told.went_live:
        lines.append(f"The bar is cleared: part number {told.part.part} is live.")
    return lines


def _known(workspace: Workspace, station: str, part: Part) -> Known | None:
    try:
        return parts_of(workspace, station).get(part.part)
    except TenfoldError:  # it is gone from here: the word is kept all the same
        return None


def _learnt(
    workspace: Workspace, station: str, about: tuple[Known | None, Part], word: Word
) -> tuple[tuple[Lesson, ...], str]:
    """What is learnt, and why nothing is."""
    known, part = about
    if known is None:
        return (), f"part number {part.part!r} is not taught here any more."
    asked = corrections(known.spec, part, word.region, word.label)
    picture = evidence_of(workspace, station).picture(part) if asked else b""
    if not asked or picture is None:
        return (), "its picture is not kept." if asked else ""
    pixels = decode(picture, where=f"part {part.id}")
    found = align(pixels, known.reference)
    if not isinstance(found, Aligned):
        return (), f"the part cannot be found in its picture: {found.reason}."
    cuttings = cut(pixels, found, [one.region for one in asked])
    shown_to = parts_of(workspace, station).folder / CUTTINGS
    doubted: list[Doubted] = []
    lessons: list[Lesson] = []
    for one, cutting in zip(asked, cuttings, strict=True):
        data, truth = as_bmp(cutting.pixels), _truth(workspace, one)
        if truth is None:
            name = f"{sha256(data).hexdigest()[:16]}.bmp"
            write_bytes(shown_to / one.check.head / one.wanted / name, data)
        else:
            doubted.append(_doubted(one, part, data, truth))
        label = one.wanted if truth is None else truth
        lessons.append(Lesson(one.region.name, one.check.head, label))
    take_in(workspace, doubted)
    return tuple(lessons), ""


def _truth(workspace: Workspace, one: Correction) -> str | None:
    """The person's word as the head's question has it; empty: reviewers must say. None: a class
    that the head does not know: it is shown to it like any other when the part is taught again."""
    now = deployments.get(workspace.scope, one.check.head)
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, now.live)).manifest
    if not one.wanted or one.wanted in words_of(workspace, now):
        return one.wanted
    if not isinstance(one.check, Surface):
        return None
    if is_good_or_bad(manifest):
        return manifest.classes[0 if one.is_good else 1]
    return ""


def _doubted(one: Correction, part: Part, data: bytes, truth: str) -> Doubted:
    seen = one.seen
    return Doubted(
        one.check.head,
        data,
        truth,
        is_miss=one.is_miss and bool(truth),
        said=seen.decision if seen else "",
        score=seen.score if seen else 0.0,
        model=seen.model if seen else "",
        route=part.serial,
        detail={"part": part.id, "why": part.why, "region": one.region.name},
    )

"""Teach a station a part from good ones, at the line, in seconds.

Each region becomes a dataset and a head of the factory's own: an anomaly head that has seen good
ones alone, or one that tells classes apart where pictures of several are shown. What is proven is
what its judge pictures prove, which of few pictures is little; more good parts prove more.
"""

import io
import re
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from hashlib import sha256
from pathlib import Path

from PIL import Image

from tenfold.apps.line.align import Aligned, Lost, align
from tenfold.apps.line.corrections import check_words
from tenfold.apps.line.part import Assembly, Golden, Mode, PartSpec, RegionSpec
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.reference import Reference
from tenfold.apps.line.regions import cut
from tenfold.apps.line.shadowing import kept_state, remember, state_of
from tenfold.apps.line.values import Pixels
from tenfold.atomic import write_bytes
from tenfold.catalog import labels, picks
from tenfold.errors import DataError, SpecError
from tenfold.factory.ingest import ingest
from tenfold.factory.make import make_those
from tenfold.factory.recording import Made
from tenfold.factory.report.words import percent_up
from tenfold.loop.harvest import harvest
from tenfold.loop.making import learnt_of
from tenfold.metrics.bounds import most_errors
from tenfold.serving.deploying import deploy
from tenfold.specs.bar import Bar
from tenfold.specs.task import Question, TaskSpec
from tenfold.values import Progress
from tenfold.workspace import Workspace

FEWEST_GOOD = 20
OVERKILL, ESCAPE = 0.05, 0.05
"""What a part's heads are to prove in the end."""
GOOD = "good"
CANVASES_PX = (96, 128, 192, 260)
"""Squares on which regions pass the trunk: few, so that those of a part pass together. What is cut
out small costs less and shows as much: on the train pictures of the screws (64 px), one picture
left out in turn, the smallest of these tells as many apart as the largest."""
QUICK = {"anomaly": "gaussian", "classify": "linear"}
"""Rungs for parts that were shown seldom: what is proven of so few is the same on every rung, and
a part does not move in its own frame."""
MANY = 200
"""Pictures from which on the whole ladder is climbed."""
LABEL = re.compile(r"[^\W_][^/\\\x00-\x1f]{0,99}")
"""What a defect may be called: its pictures lie in a folder of that name."""
CUTTINGS = "cuttings"
"""Folder beside the parts: what heads were taught from."""


@dataclass(frozen=True, slots=True, eq=False)
class Shown:
    """A picture of a part that somebody knows."""

    pixels: Pixels
    wrong: Mapping[str, str]
    """Region → what it shows, such as `scratch` or `hole`; regions that are not named are good."""


@dataclass(frozen=True, slots=True)
class TaughtHead:
    """A head of a region, and what is proven of it so far."""

    region: str
    head: str
    """Deployment."""
    model: str
    status: str
    """Of the verdict."""
    overkill: float
    """At most so many good ones are rejected, proven; 1: nothing is."""
    escape: float | None
    """At most so many bad ones pass; None: no bad one was shown to the judge."""
    more_good: int
    """Good parts more that prove `OVERKILL`, if none of them is rejected; 0: it is proven."""


@dataclass(frozen=True, slots=True)
class Taught:
    part: str
    heads: tuple[TaughtHead, ...]
    left_out: tuple[str, ...]
    """Pictures that were not used, and why."""
    seconds: float

    @property
    def overkill(self) -> float:
        """Of the part: no more good parts are rejected than all its heads together reject."""
        return min(1.0, sum(head.overkill for head in self.heads))

    @property
    def more_good(self) -> int:
        return max((head.more_good for head in self.heads), default=0)


def teach(
    workspace: Workspace,
    parts: Parts,
    spec: PartSpec,
    reference: Pixels,
    shown: Sequence[Shown],
    *,
    progress: Progress | None = None,
) -> Taught:
    """Make and deploy a head for every check that asks one, and keep the part. A part that is
    taught again learns from all pictures that it was ever shown, and from what people said of its
    regions since. It is in shadow then, unless nothing changed.

    Raises:
        NotFound: a picture shows a region that the part does not have.
        SpecError: a region lies outside the reference, or what one shows means nothing there.
        DataError: too few good parts, or the reference cannot be found again in them.
    """
    began = time.perf_counter()
    check_places(spec, reference.shape[1], reference.shape[0])
    for region, label in {pair for one in shown for pair in one.wrong.items()}:
        check_defect(spec, region, label)
    cores = workspace.settings.cores
    found, left_out = _aligned(Reference.of(reference, spec.align), shown, cores, progress)
    goods = [one for one, _ in found if not one.wrong]
    if len(goods) < FEWEST_GOOD:
        raise DataError(
            f"{len(goods)} good parts can be used, {FEWEST_GOOD} are needed at least.",
            where=f"part {spec.part}",
            hint=left_out[0] if left_out else "Show more good parts.",
        )
    before = kept_state(workspace, parts, spec.part)
    asked, cuttings = _asked(spec), parts.folder / CUTTINGS
    with ThreadPoolExecutor(workspace.settings.cores) as threads:
        for region, head in asked:
            write = partial(_write, cuttings / head, region)
            list(threads.map(write, *zip(*found, strict=True)))
    tasks = [_task(workspace, cuttings / head, region) for region, head in asked]
    made = make_those(workspace, tasks, progress=progress)
    heads = [
        _deployed(workspace, region.name, one) for (region, _), one in zip(asked, made, strict=True)
    ]
    is_same = before is not None and before == state_of(workspace, spec, reference)
    mode = parts.get(spec.part).spec.mode if is_same else "shadow"
    remember(parts, spec.part, [one.pixels for one in shown])
    _keep(parts, spec, reference, mode)
    return Taught(spec.part, tuple(heads), tuple(left_out), time.perf_counter() - began)


def check_places(spec: PartSpec, width_px: int, height_px: int) -> None:
    """
    Raises:
        SpecError: a region does not lie in the reference picture.
    """
    for region in spec.regions:
        _, _, right, bottom = region.bounds
        if right > width_px or bottom > height_px:
            raise SpecError(
                f"region {region.name!r} ends at {right}, {bottom}, outside the reference picture "
                f"of {width_px} x {height_px} pixels.",
                where=f"part {spec.part}",
                hint="Draw it inside the picture.",
            )


def check_defect(spec: PartSpec, region: str, label: str) -> None:
    """
    Raises:
        NotFound: the part has no such region.
        SpecError: no head looks there, the label means nothing, or would not do as a folder's name.
    """
    check_words(spec, region, label)
    of = next(one for one in spec.regions if one.name == region)
    if all(isinstance(check, Golden) for check in of.checks):
        raise SpecError(
            f"region {region!r} is compared with the reference; nothing is taught there.",
            where=f"part {spec.part}",
            hint="Choose a surface or an assembly check for it, or leave its bad parts out.",
        )
    if not LABEL.fullmatch(label) or label == good_of(of):
        raise SpecError(
            f"{label!r} is no name of a defect.",
            where=f"region {region}",
            hint="Call it by a word or two, such as scratch.",
        )


def _aligned(
    reference: Reference, shown: Sequence[Shown], cores: int, progress: Progress | None
) -> tuple[list[tuple[Shown, Aligned]], list[str]]:
    found: list[tuple[Shown, Aligned]] = []
    left_out: list[str] = []
    with ThreadPoolExecutor(cores) as threads:
        places: list[Aligned | Lost] = []
        for place in threads.map(partial(align, reference=reference), [s.pixels for s in shown]):
            places.append(place)
            if progress:
                progress("align", len(places), len(shown))
    for number, (one, place) in enumerate(zip(shown, places, strict=True), 1):
        if isinstance(place, Lost):
            left_out.append(f"picture {number}: {place.reason}. {place.action}")
        else:
            found.append((one, place))
    return found, left_out


def _asked(spec: PartSpec) -> list[tuple[RegionSpec, str]]:
    """Regions with the deployment that each of their heads answers under, each once."""
    pairs = [
        (region, check.head)
        for region in spec.regions
        for check in region.checks
        if not isinstance(check, Golden)
    ]
    return list({head: (region, head) for region, head in pairs}.values())


def _write(folder: Path, region: RegionSpec, shown: Shown, place: Aligned) -> None:
    """The region of a picture, in a folder of what it shows."""
    (cutting,) = cut(shown.pixels, place, [region])
    data = _png(cutting.pixels)
    label = shown.wrong.get(region.name, good_of(region))
    write_bytes(folder / label / f"{sha256(data).hexdigest()[:16]}.png", data)


def _png(pixels: Pixels) -> bytes:
    out = io.BytesIO()
    Image.fromarray(pixels).save(out, "PNG", compress_level=1)
    return out.getvalue()


def good_of(region: RegionSpec) -> str:
    """What a good one is called there."""
    for check in region.checks:
        if isinstance(check, Assembly):
            return (check.present if check.must == "present" else check.absent or (GOOD,))[0]
        if not isinstance(check, Golden):
            return check.good[0] if check.good else GOOD
    return GOOD


def _task(workspace: Workspace, folder: Path, region: RegionSpec) -> TaskSpec:
    """Classes are told apart where several are shown; else what is not good is strange."""
    head = folder.name
    ingest(workspace, folder, name=head, format="image_folder", alike=True)
    is_quick = sum(1 for _ in folder.rglob("*.png")) < MANY
    shown = {path.name for path in folder.iterdir()}
    good = good_of(region)
    has_bad = shown != {good}
    tells = has_bad and any(isinstance(check, Assembly) for check in region.checks)
    kind = "classify" if tells else "anomaly"
    task = TaskSpec(
        task=head,
        kind=kind,
        dataset=head,
        question=Question(negative=(good,)),
        bar=Bar(overkill=OVERKILL, escape=ESCAPE if has_bad else None),
        rung=QUICK[kind] if is_quick else None,
        size_px=canvas_px(region),
    )
    return task.model_copy(update={"dataset": dataset_of(workspace, task)})


def dataset_of(workspace: Workspace, task: TaskSpec) -> str:
    """What was shown; where people said more of what the head was asked about since, with that.
    It fits and never judges, for it was picked because it is hard."""
    settled = picks.settled(workspace.scope, task.task)
    said = learnt_of(settled, labels.of_deployment(workspace.scope, task.task))
    return harvest(workspace, task, task.task, said).dataset if said else task.dataset


def canvas_px(region: RegionSpec) -> int:
    """The square on which a region passes the trunk: the smallest that shows all of it."""
    left, top, right, bottom = region.bounds
    longest = max(right - left, bottom - top)
    return next((side for side in CANVASES_PX if side >= longest), CANVASES_PX[-1])


def _deployed(workspace: Workspace, region: str, made: Made) -> TaughtHead:
    deploy(workspace, made.task, made.model.id, why="taught at the line", unproven=True)
    bounds = {bound.name: bound for bound in made.verdict.bounds}
    overkill, escape = bounds.get("overkill"), bounds.get("escape")
    judged = overkill.n if overkill else 0
    return TaughtHead(
        region=region,
        head=made.task,
        model=made.model.id,
        status=made.verdict.status,
        overkill=overkill.upper if overkill else 1.0,
        escape=escape.upper if escape and escape.n else None,
        more_good=_more_good(judged, made.verdict.alpha),
    )


def _more_good(judged: int, alpha: float) -> int:
    """How many more judged without an error prove `OVERKILL`."""
    needed = next(n for n in range(1, 10_000) if most_errors(n, limit=OVERKILL, alpha=alpha) >= 0)
    return max(0, needed - judged)


def _keep(parts: Parts, spec: PartSpec, reference: Pixels, mode: Mode) -> None:
    """The part's file comes last: without it there is no such part."""
    picture = f"{spec.part}.png"
    write_bytes(parts.folder / picture, _png(reference))
    kept = spec.model_copy(update={"reference": picture, "mode": mode})
    write_bytes(parts.folder / f"{spec.part}.yaml", kept.to_yaml().encode())
    parts.get(spec.part)  # what takes long of its reference is kept for the first that comes


def in_words(told: Taught) -> list[str]:
    """What was taught and what is proven, for people."""
    lines = [f"Part {told.part} is taught in {told.seconds:.0f} s, {len(told.heads)} heads."]
    for head in told.heads:
        lines.append(f"{head.region}: overkill proven ≤ {percent_up(head.overkill)}.")
    if told.more_good:
        lines.append(
            f"{told.more_good} more good parts that pass prove ≤ {percent_up(OVERKILL)} for each."
        )
    return [*lines, *(f"Left out: {one}" for one in told.left_out)]

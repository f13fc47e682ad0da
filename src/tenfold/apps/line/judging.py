"""What a station makes of a picture: who the part is, where it lies, what its heads say of each
region, and what follows."""

import logging
import time
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace

from tenfold.apps.line.align import Aligned, align
from tenfold.apps.line.cycle import Judged
from tenfold.apps.line.decide import complaints, decide, not_aligned
from tenfold.apps.line.fitness import unfit
from tenfold.apps.line.golden import Difference, differences
from tenfold.apps.line.journal import Seen
from tenfold.apps.line.part import Golden
from tenfold.apps.line.parts import Known, Parts
from tenfold.apps.line.regions import cut
from tenfold.apps.line.station import Identity
from tenfold.apps.line.values import Complaint, Frame, Pixels, Region, Said, Sight, Trigger
from tenfold.errors import NotFound, TenfoldError
from tenfold.loop.labelling import is_good_or_bad
from tenfold.serving.desk import Desk
from tenfold.serving.inference import Replies, Reply

log = logging.getLogger(__name__)

WRONG = "wrong part"
"""What the code says is not what the controller says: nobody knows whose release it would be."""
UNKNOWN, UNREAD, NOT_READY = "unknown part", "no code read", "heads not ready"


@dataclass(slots=True)
class _Watch:
    """Milliseconds by stage, each from the end of the one before."""

    at: float = field(default_factory=time.perf_counter)
    ms: dict[str, float] = field(default_factory=dict[str, float])

    def lap(self, stage: str) -> None:
        now = time.perf_counter()
        self.ms[stage] = self.ms.get(stage, 0.0) + 1000 * (now - self.at)
        self.at = now


class Eyes:
    """The judge of a station, see `cycle.Judge`."""

    def __init__(self, parts: Parts, desk: Desk, identity: Identity) -> None:
        self._parts, self._desk, self._identity = parts, desk, identity

    def test(self) -> str:
        """What keeps it from judging; empty: nothing."""
        return "" if self._desk.is_ready else NOT_READY

    def rehearse(self, numbers: Sequence[str]) -> None:
        """Look at the references of some part numbers, so that the first part is judged as quickly
        as the others. What cannot be used is said when such a part comes."""
        for number in numbers:
            try:
                known = self._parts.get(number)
            except TenfoldError as error:
                log.warning("part %s cannot be judged: %s", number, error)
                continue
            shown = known.shown
            align(known.reference.pixels, known.reference)
            self._desk.rehearse([(heads, shown[name]) for name, heads in _heads(known).items()])

    def look(self, trigger: Trigger, frame: Frame, timeout_s: float) -> Judged:
        """
        Raises:
            TenfoldError: it cannot be judged now.
        """
        began, watch = time.monotonic(), _Watch()
        named = self._named(trigger, frame.pixels)
        watch.lap("identify")
        if named is None:
            return Judged("manual", UNREAD, times=watch.ms)
        if trigger.part and named.part != trigger.part:
            return Judged("reject", WRONG, named.part, named.serial, times=watch.ms)
        try:
            known = self._parts.get(named.part)
        except NotFound:
            return Judged("manual", UNKNOWN, named.part, named.serial, times=watch.ms)
        watch.lap("part")
        found = align(frame.pixels, known.reference)
        watch.lap("align")
        if not isinstance(found, Aligned):
            decided = decide(named.sequence, named.part, [not_aligned()])
            return Judged(decided.outcome, decided.reason, named.part, named.serial, (), watch.ms)
        regions = cut(frame.pixels, found, known.spec.regions)
        watch.lap("regions")
        left_s = timeout_s - (time.monotonic() - began)
        replies = self._asked(known, regions, named, left_s)
        watch.lap("heads")
        told, compared = _told(known, replies), _compared(known, regions)
        watch.lap("golden")
        said = _as_seen([*told, *(said for said, _ in compared)], known, regions)
        inside = {region.name: region.inside for region in regions}
        wrong = complaints(known.spec, said, inside)
        judged = _judged(named, wrong, replies, watch)
        return replace(judged, sights=_sights(regions, wrong, replies, compared))

    def _named(self, trigger: Trigger, pixels: Pixels) -> Trigger | None:
        """With what the picture says of the part; None: it should, and does not."""
        if self._identity.by == "trigger":
            return trigger
        from tenfold.apps.line.codes import identify  # needs a library that not all stations have

        told = identify(pixels, self._identity)
        if told is None:
            return None
        return Trigger(
            trigger.sequence,
            told.get("part", trigger.part),
            told.get("serial", trigger.serial),
            told.get("lot", trigger.lot),
        )

    def _asked(
        self, known: Known, regions: tuple[Region, ...], named: Trigger, left_s: float
    ) -> dict[str, Replies]:
        """What the heads say, by region; all regions pass the trunk together."""
        heads = _heads(known)
        asked = [
            (region.name, heads[region.name], region.pixels)
            for region in regions
            if region.name in heads
        ]
        if not asked:
            return {}
        replies = self._desk.ask(
            [(names, pixels) for _, names, pixels in asked],
            id=f"{named.sequence}",
            route_key=named.serial or f"{named.sequence}",
            timeout_s=max(left_s, 0.0),
        )
        return {name: reply for (name, _, _), reply in zip(asked, replies, strict=True)}


def _heads(known: Known) -> dict[str, tuple[str, ...]]:
    """Deployments by region, of regions that ask one."""
    found = {
        region.name: tuple(
            dict.fromkeys(c.head for c in region.checks if not isinstance(c, Golden))
        )
        for region in known.spec.regions
    }
    return {name: heads for name, heads in found.items() if heads}


def _as_seen(said: Sequence[Said], known: Known, regions: Sequence[Region]) -> list[Said]:
    """What was said of a region that shows nothing is not believed."""
    usual = known.shown
    problems = {region.name: unfit(region.pixels, usual[region.name]) for region in regions}
    return [replace(one, unfit=problems[one.region] or one.unfit) for one in said]


def _told(known: Known, replies: Mapping[str, Replies]) -> list[Said]:
    found: list[Said] = []
    for region in known.spec.regions:
        heard = (
            {r.deployment: r for r in replies[region.name].all} if region.name in replies else {}
        )
        for place, check in enumerate(region.checks):
            if isinstance(check, Golden) or check.head not in heard:
                continue
            found.append(_said(region.name, place, heard[check.head]))
    return found


Compared = list[tuple[Said, tuple[Difference, ...]]]


def _said(region: str, place: int, reply: Reply) -> Said:
    answer, manifest = reply.answer, reply.head.manifest
    tells_bad = is_good_or_bad(manifest)
    return Said(
        region,
        place,
        answer.decision,
        answer.score,
        unfit=answer.unfit,
        threshold=manifest.thresholds[0] if tells_bad else None,
        good=manifest.classes[0] if tells_bad else "",
    )


def _compared(known: Known, regions: tuple[Region, ...]) -> Compared:
    shown, found = known.shown, Compared()
    for region, spec in zip(regions, known.spec.regions, strict=True):
        for place, check in enumerate(spec.checks):
            if isinstance(check, Golden):
                seen = differences(region.pixels, shown[region.name], check)
                found.append((Said(region.name, place, differences=len(seen)), seen))
    return found


def _judged(
    named: Trigger, wrong: tuple[Complaint, ...], replies: Mapping[str, Replies], watch: _Watch
) -> Judged:
    decided = decide(named.sequence, named.part, wrong)
    seen = [_seen(region, reply) for region, of in replies.items() for reply in of.all]
    watch.lap("decide")
    return Judged(decided.outcome, decided.reason, named.part, named.serial, tuple(seen), watch.ms)


def _sights(
    regions: tuple[Region, ...],
    wrong: tuple[Complaint, ...],
    replies: Mapping[str, Replies],
    compared: Compared,
) -> dict[str, Sight]:
    """Regions that have something to show: a map, differences, or a complaint."""
    boxes = {said.region: tuple(one.box for one in seen) for said, seen in compared if seen}
    blamed = {one.region for one in wrong}
    found: dict[str, Sight] = {}
    for region in regions:
        of = replies[region.name].all if region.name in replies else ()
        mapped = [_mapped(region, reply) for reply in of if reply.answer.score_map is not None]
        if mapped:
            found[region.name] = max(mapped, key=lambda sight: sight.nearness)
        elif region.name in boxes or region.name in blamed:
            found[region.name] = Sight(region.pixels, boxes=boxes.get(region.name, ()))
    return found


def _mapped(region: Region, reply: Reply) -> Sight:
    manifest = reply.head.manifest
    given, threshold = manifest.inputs[0], manifest.thresholds[0]
    return Sight(region.pixels, reply.answer.score_map, threshold, given.size_px, given.fit)


def _seen(region: str, reply: Reply) -> Seen:
    manifest = reply.head.manifest
    threshold = manifest.thresholds[0] if manifest.thresholds else None
    return Seen(region, reply.answer.decision, reply.answer.score, threshold, manifest.model)

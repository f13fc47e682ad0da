"""From what was said of a part's regions to what becomes of the part: rules, no pixels.

Only a part of which every check said yes is ok. What is known to be bad is rejected, even where
another region could not be judged; what could not be judged goes to manual inspection.
"""

from collections.abc import Mapping, Sequence

from tenfold.apps.line.part import Assembly, Check, Count, Golden, PartSpec, RegionSpec, Surface
from tenfold.apps.line.values import Complaint, Decision, Said

LEAST_INSIDE = 0.9
"""Share of a region that must lie in the picture."""
NOT_ALIGNED = "cannot align"
NOT_READY = "heads not ready"
OTHER_SCENE = "a different scene"
"""What the gate before a head says of a region that looks like none it was taught from: of few
good parts it knows little, so a great defect looks so to it too."""
GOOD = "good"
ORDER = ("missing", "wrong", "turned", "unwanted", "count")
"""Rejects that come first, in this order; other rejects follow."""


def decide(sequence: int, part: str, complaints: Sequence[Complaint]) -> Decision:
    """The worst complaint decides; without one the part is ok."""
    worst = min(complaints, key=_rank, default=None)
    if worst is None:
        return Decision(sequence, part, "ok")
    return Decision(sequence, part, worst.outcome, worst.reason)


def complaints(
    spec: PartSpec, said: Sequence[Said], inside: Mapping[str, float]
) -> tuple[Complaint, ...]:
    """What is wrong with an aligned part, the worst first; empty only if every check of every
    region said that it is right.

    `inside` is the share of each region that lies in the picture.
    """
    heard = {(one.region, one.check): one for one in said}
    found = [
        complaint
        for region in spec.regions
        for complaint in _of_region(region, heard, inside.get(region.name, 0.0))
    ]
    counted = [_of_count(count, spec, heard) for count in spec.counts]
    found += [complaint for complaint in counted if complaint]
    return tuple(sorted(found, key=_rank))


def not_aligned() -> Complaint:
    """A part that could not be brought to its reference frame."""
    return Complaint("manual", NOT_ALIGNED)


def _rank(complaint: Complaint) -> tuple[int, int, float, str]:
    word = complaint.reason.split(" ")[0]
    kind = ORDER.index(word) if word in ORDER else len(ORDER)
    return complaint.outcome != "reject", kind, -complaint.score, complaint.region


def _of_region(
    region: RegionSpec, heard: Mapping[tuple[str, int], Said], inside: float
) -> list[Complaint]:
    if inside < LEAST_INSIDE:
        return [Complaint("manual", f"out of picture {region.name}", region.name)]
    found: list[Complaint] = []
    for index, check in enumerate(region.checks):
        said = heard.get((region.name, index))
        complaint = _of_check(check, said, region.name)
        if complaint is not None:
            found.append(complaint)
    return found


def _of_check(check: Check, said: Said | None, region: str) -> Complaint | None:
    if said is None:
        return Complaint("manual", NOT_READY, region)
    if said.unfit and not (isinstance(check, Surface) and _is_bad_all_the_same(said)):
        return Complaint("manual", f"unfit: {said.unfit}", region)
    match check:
        case Surface():
            return _of_surface(check, said)
        case Assembly():
            return _of_assembly(check, said)
        case Golden():
            return _of_golden(check, said)


def _is_bad_all_the_same(said: Said) -> bool:
    """A defect so great that the head takes it for another scene is a defect. What is too dark or
    blurred to be seen stays unfit: its score says nothing."""
    has_score = said.threshold is not None and said.score >= said.threshold
    return said.unfit == OTHER_SCENE and has_score


def _of_surface(check: Surface, said: Said) -> Complaint | None:
    if not said.unfit and said.decision in (check.good or (said.good or GOOD,)):
        return None
    what = "defect" if said.unfit else said.decision or "defect"
    return Complaint("reject", f"{what} {said.region}", said.region, said.score)


def _of_assembly(check: Assembly, said: Said) -> Complaint | None:
    meaning = meaning_of(check, said.decision)
    if meaning is None and _tells_bad(said):
        meaning = "wrong"  # it was taught from good ones alone, or from several that are bad
    if meaning is None:
        answer = f"unknown answer {said.decision!r} {said.region}"
        return Complaint("manual", answer, said.region, said.score)
    if _sure(said) < check.least_sure:
        return Complaint("manual", f"unsure {check.thing} {said.region}", said.region, said.score)
    if meaning == ("present" if check.must == "present" else "absent"):
        return None
    wrong = {"absent": "missing"}.get(meaning, meaning) if check.must == "present" else "unwanted"
    return Complaint("reject", f"{wrong} {check.thing} {said.region}", said.region, said.score)


def _tells_bad(said: Said) -> bool:
    return bool(said.good) and said.decision != said.good


def _sure(said: Said) -> float:
    """A head that tells good from bad says how bad it is."""
    return 1 - said.score if said.decision == said.good else said.score


def _of_golden(check: Golden, said: Said) -> Complaint | None:
    if said.differences <= check.most:
        return None
    return Complaint("reject", f"differs {said.region}", said.region, float(said.differences))


def meaning_of(check: Assembly, decision: str) -> str | None:
    """`present`, `absent`, `wrong` or `turned`; None: the answer means nothing there."""
    for meaning in ("present", "absent", "wrong", "turned"):
        if decision in getattr(check, meaning):
            return meaning
    return None


def _of_count(
    count: Count, spec: PartSpec, heard: Mapping[tuple[str, int], Said]
) -> Complaint | None:
    """What was not said is complained of where it is missing; here it may only not be counted."""
    answers = [
        heard[region.name, index]
        for region in spec.regions
        if region.name in count.regions
        for index, check in enumerate(region.checks)
        if isinstance(check, Assembly) and (region.name, index) in heard
    ]
    fit = [answer for answer in answers if not answer.unfit]
    number = sum(answer.decision in count.of for answer in fit)
    unknown = len(count.regions) - len({answer.region for answer in fit})
    if number > count.most or number + unknown < count.least:
        return Complaint("reject", f"count {count.thing} {number}")
    return None

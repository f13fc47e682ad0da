"""Which heads a person's word about a part concerns, and what it says to each: rules, no pixels."""

from collections.abc import Iterator
from dataclasses import dataclass

from tenfold.apps.line.decide import GOOD, meaning_of
from tenfold.apps.line.journal import Part, Seen
from tenfold.apps.line.part import Assembly, Golden, PartSpec, RegionSpec, Surface
from tenfold.errors import NotFound, SpecError

UNFIT = "unfit"
BAD = "defect"
"""What a surface shows where nobody said more."""


@dataclass(frozen=True, slots=True)
class Correction:
    """What a person says to the answer of a head about a region."""

    region: RegionSpec
    check: Surface | Assembly
    seen: Seen | None
    """The answer; None: there was none."""
    is_good: bool
    wanted: str
    """What the region shows; empty: the person did not say."""

    @property
    def is_miss(self) -> bool:
        """A defect was passed as good."""
        is_passed = self.seen is not None and was_right(self.check, self.seen)
        return is_passed and not self.is_good and bool(self.wanted)


def corrections(spec: PartSpec, part: Part, region: str = "", label: str = "") -> list[Correction]:
    """Of the region that was named; else, where the part is good, of those that were complained of;
    where it is bad and no head saw it, of all: then nobody said which of them shows it."""
    if part.overruled not in ("ok", "reject"):
        return []
    is_good = part.overruled == "ok"
    every = [one for one in _answers(spec, part) if region in ("", one[0].name)]
    complained = [
        (of, check, seen) for of, check, seen in every if seen and not was_right(check, seen)
    ]
    if is_good and not region:
        every = complained
    elif complained and not region:
        return []  # somebody saw it already
    is_known = is_good or bool(region) or len(every) == 1
    return [
        Correction(of, check, seen, is_good, _wanted(check, is_good, label) if is_known else "")
        for of, check, seen in every
    ]


def check_words(spec: PartSpec, region: str, label: str) -> None:
    """
    Raises:
        NotFound: the part has no such region.
        SpecError: the label means nothing there.
    """
    found = {one.name: one for one in spec.regions}
    if region not in found:
        raise NotFound(
            f"part {spec.part!r} has no region {region!r}.", hint=f"It has {', '.join(found)}."
        )
    checks = found[region].checks
    words = {word for one in checks if isinstance(one, Assembly) for word in words_of(one)}
    is_free = any(isinstance(one, Surface) for one in checks)
    if label and words and not is_free and label not in words:
        raise SpecError(
            f"{label!r} means nothing in region {region!r}.",
            where="--label",
            hint=f"There are {', '.join(sorted(words))}.",
        )


def words_of(check: Assembly) -> tuple[str, ...]:
    """All that a head may say there."""
    return (*check.present, *check.absent, *check.wrong, *check.turned)


def was_right(check: Surface | Assembly, seen: Seen) -> bool:
    """Whether the answer says that the region is as it must be."""
    if isinstance(check, Assembly):
        wanted = "present" if check.must == "present" else "absent"
        return meaning_of(check, seen.decision) == wanted
    if check.good or seen.threshold is None:
        return seen.decision in (check.good or (GOOD,))
    return seen.decision != UNFIT and seen.score < seen.threshold


def _answers(
    spec: PartSpec, part: Part
) -> Iterator[tuple[RegionSpec, Surface | Assembly, Seen | None]]:
    """Checks that ask a head, each head once, with what it said: answers stand in that order."""
    for region in spec.regions:
        seen = [one for one in part.regions if one.region == region.name]
        checks = {one.head: one for one in region.checks if not isinstance(one, Golden)}
        for place, check in enumerate(checks.values()):
            yield region, check, seen[place] if place < len(seen) else None


def _wanted(check: Surface | Assembly, is_good: bool, label: str) -> str:
    if label:
        return label
    if isinstance(check, Surface):
        return (check.good or (GOOD,))[0] if is_good else BAD
    right, wrong = check.present, (*check.absent, *check.wrong, *check.turned)
    if check.must == "absent":
        right, wrong = check.absent, (*check.present, *check.wrong, *check.turned)
    some = right if is_good else wrong
    return some[0] if len(some) == 1 else ""

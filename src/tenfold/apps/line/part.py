"""A part that a station inspects: its reference picture, its regions, and what is checked there.

part: block-4
reference: block-4.png
regions:
  - name: top_left
    box: [17, 75, 89, 147]
    checks:
      - {check: assembly, head: screws, thing: screw, present: [screw], absent: [hole]}
"""

from pathlib import Path
from typing import Annotated, Literal

import yaml
from pydantic import Field, model_validator

from tenfold.specs.yaml_file import Name, Part, parsed, text_of

HINT = "docs/line.md lists every key of a part."
Motion = Literal["fixed", "shift", "similarity", "affine"]
Mode = Literal["live", "shadow"]
Pixel = Annotated[int, Field(ge=0)]
Box = tuple[Pixel, Pixel, Pixel, Pixel]
"""Left, top, right, bottom in pixels of the reference; right and bottom lie outside."""
Share = Annotated[float, Field(ge=0, le=1)]


class Alignment(Part):
    """How the part is found, and how well it must be."""

    motion: Motion = "similarity"
    """How a part may lie otherwise than in the reference: not at all, for a fixture holds it
    (`fixed`); shifted (`shift`); turned and larger too (`similarity`); slanted too (`affine`)."""
    most_turn_deg: Annotated[float, Field(ge=0, le=180)] = 15.0
    """A part that is turned farther counts as wrongly put in."""
    within: Box | None = None
    """Only this much of the reference is looked for: the part without its surroundings."""
    ignore: tuple[Box, ...] = ()
    """Places that look different from part to part."""
    least_correlation: Annotated[float, Field(gt=0, lt=1)] = 0.35
    """Between reference and aligned picture, light taken out."""
    most_residual_px: Annotated[float, Field(gt=0)] = 3.0
    """Three of four places of the part lie at most so far off, in pixels of the reference."""

    @model_validator(mode="after")
    def _sides(self) -> "Alignment":
        for box in (*self.ignore, *((self.within,) if self.within else ())):
            _check_box(box)
        return self


class Surface(Part):
    """A head that tells good surface from bad."""

    check: Literal["surface"]
    head: Name
    """A deployment that is asked about the region."""
    good: tuple[str, ...] = ()
    """What the head says of a good one; whatever else it says is the reason of a reject. Empty: as
    the head calls it."""


class Assembly(Part):
    """A head that says what is in the region, and what must be there."""

    check: Literal["assembly"]
    head: Name
    """A deployment that is asked about the region."""
    thing: str
    """What is looked for, as it is called in reasons, such as `screw`."""
    must: Literal["present", "absent"] = "present"
    present: tuple[str, ...]
    """Classes that say it is there, right."""
    absent: tuple[str, ...] = ()
    """Classes that say it is not there."""
    wrong: tuple[str, ...] = ()
    """Classes that say another thing is there."""
    turned: tuple[str, ...] = ()
    """Classes that say it is there, but turned."""
    least_sure: Share = 0.0
    """An answer less sure than this goes to manual inspection."""

    @model_validator(mode="after")
    def _each_once(self) -> "Assembly":
        names = [*self.present, *self.absent, *self.wrong, *self.turned]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"class {twice!r} cannot mean two things")
        return self


class Golden(Part):
    """The region must look like the reference's."""

    check: Literal["golden"]
    least_difference: Annotated[int, Field(ge=1, le=255)] = 64
    """Grey levels, beyond what the tolerance explains."""
    tolerance_px: Annotated[int, Field(ge=0, le=20)] = 1
    """Edges may lie so far off."""
    drift_px: Annotated[int, Field(ge=0, le=20)] = 0
    """A place may lie so far off together with what is around it."""
    least_width_px: Annotated[int, Field(ge=1, le=50)] = 3
    """Narrower differences are not looked at."""
    least_area_px: Annotated[int, Field(ge=1)] = 5
    merge_px: Annotated[int, Field(ge=0, le=50)] = 4
    """Differences so near to each other are one."""
    margin_px: Annotated[int, Field(ge=0, le=100)] = 0
    """A box reaches so far beyond its difference."""
    most: Annotated[int, Field(ge=0)] = 0
    """Differences that may be there."""


Check = Annotated[Surface | Assembly | Golden, Field(discriminator="check")]


class RegionSpec(Part):
    """A place on the part, and what is checked there; give `box` or `polygon`."""

    name: Name
    box: Box | None = None
    polygon: Annotated[tuple[tuple[Pixel, Pixel], ...], Field(min_length=3)] | None = None
    """Corners x, y in pixels of the reference; what lies outside is grey for the heads."""
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _one_shape(self) -> "RegionSpec":
        if (self.box is None) == (self.polygon is None):
            raise ValueError(f"region {self.name!r} needs either `box` or `polygon`")
        _check_box(self.bounds)
        return self

    @property
    def bounds(self) -> Box:
        """The box, or the one around the polygon."""
        if self.polygon is None:
            return self.box or (0, 0, 0, 0)
        xs, ys = zip(*self.polygon, strict=True)
        return min(xs), min(ys), max(xs) + 1, max(ys) + 1


class Count(Part):
    """So many of several regions must show one of some classes."""

    thing: str
    """What is counted, as it is called in reasons."""
    of: Annotated[tuple[str, ...], Field(min_length=1)]
    """Classes that count."""
    regions: Annotated[tuple[Name, ...], Field(min_length=1)]
    least: Annotated[int, Field(ge=0)]
    most: Annotated[int, Field(ge=0)]

    @model_validator(mode="after")
    def _range(self) -> "Count":
        if self.least > self.most:
            raise ValueError("`least` is more than `most`")
        return self


class PartSpec(Part):
    part: Name
    """Part number, as controller or code on the part gives it."""
    reference: str
    """Picture of a good part; a path relative to this file."""
    align: Alignment = Alignment()
    regions: Annotated[tuple[RegionSpec, ...], Field(min_length=1)]
    counts: tuple[Count, ...] = ()
    mode: Mode = "live"
    """`shadow`: the station judges and records, and a person decides about each part."""

    @model_validator(mode="after")
    def _names(self) -> "PartSpec":
        names = [region.name for region in self.regions]
        twice = next((name for name in names if names.count(name) > 1), None)
        if twice is not None:
            raise ValueError(f"region {twice!r} is given twice")
        for count in self.counts:
            _check_count(count, self.regions)
        return self

    @property
    def heads(self) -> tuple[str, ...]:
        """Deployments that are asked, each once, in order."""
        asked = [
            check.head
            for region in self.regions
            for check in region.checks
            if not isinstance(check, Golden)
        ]
        return tuple(dict.fromkeys(asked))

    def to_yaml(self) -> str:
        plain = self.model_dump(mode="json", exclude_defaults=True)
        return yaml.safe_dump(plain, sort_keys=False, allow_unicode=True)


def parse_part(text: str, *, where: str) -> PartSpec:
    """
    Raises:
        SpecError: names file and line of what is wrong.
    """
    return parsed(PartSpec, text, where=where, hint=HINT)


def load_part(path: Path) -> PartSpec:
    """
    Raises:
        NotFound: there is no such file.
        SpecError: names file and line of what is wrong.
    """
    return parse_part(text_of(path), where=str(path))


def _check_box(box: Box) -> None:
    left, top, right, bottom = box
    if left >= right or top >= bottom:
        raise ValueError(f"box {list(box)} is not left, top, right, bottom")


def _check_count(count: Count, regions: tuple[RegionSpec, ...]) -> None:
    assembled = {
        region.name
        for region in regions
        if any(isinstance(check, Assembly) for check in region.checks)
    }
    unknown = next((name for name in count.regions if name not in assembled), None)
    if unknown is not None:
        raise ValueError(f"counts {count.thing!r} in {unknown!r}, which has no assembly check")

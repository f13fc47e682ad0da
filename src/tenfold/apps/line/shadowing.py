"""Parts in shadow at the station: what it says of them is recorded and releases nothing.

Here too: by what a part is judged, so that what was proven counts only for that.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass, replace

import numpy as np

from tenfold.apps.line.cycle import Judge, Judged
from tenfold.apps.line.judging import UNKNOWN, UNREAD, WRONG
from tenfold.apps.line.part import Golden, PartSpec
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.pictures import read
from tenfold.apps.line.proving import Heads
from tenfold.apps.line.values import Frame, Pixels, Trigger
from tenfold.atomic import write_bytes
from tenfold.catalog import deployments
from tenfold.errors import NotFound, TenfoldError
from tenfold.values import fingerprint
from tenfold.workspace import Workspace

STEP = 4
"""Each so many pixels a way of a picture are enough to know it again."""
NOBODY = "?"
"""Where no head is deployed."""


class Shadowing:
    """A judge whose word about parts in shadow is recorded and releases nothing."""

    def __init__(self, judge: Judge, parts: Parts) -> None:
        self._judge, self._parts = judge, parts

    def look(self, trigger: Trigger, frame: Frame, timeout_s: float) -> Judged:
        """
        Raises:
            TenfoldError: it cannot be judged now.
        """
        judged = self._judge.look(trigger, frame, timeout_s)
        if judged.reason in (UNKNOWN, UNREAD, WRONG):
            return judged
        spec = self._parts.get(judged.part).spec
        if spec.mode == "live":
            return judged
        picture = fingerprint_of(frame.pixels)
        return replace(judged, is_shadow=True, taught=taught_as(spec), fingerprint=picture)

    def test(self) -> str:
        return self._judge.test()


def heads_of(workspace: Workspace, spec: PartSpec) -> Heads:
    """Region and live model of each head of a part; `NOBODY` where none is deployed."""
    found: list[tuple[str, str]] = []
    for region in spec.regions:
        asked = [check.head for check in region.checks if not isinstance(check, Golden)]
        found += [(region.name, _live(workspace, head)) for head in dict.fromkeys(asked)]
    return tuple(sorted(found))


def _live(workspace: Workspace, head: str) -> str:
    try:
        return deployments.get(workspace.scope, head).live
    except NotFound:
        return NOBODY


def taught_as(spec: PartSpec) -> str:
    """Which state of its file a part is judged by, whatever its mode."""
    return fingerprint(spec.model_dump(mode="json", exclude={"mode", "reference"}))[:16]


def fingerprint_of(pixels: Pixels) -> str:
    """By which the same picture is known again; two of one part differ by their noise."""
    some = np.ascontiguousarray(pixels[::STEP, ::STEP])
    return hashlib.blake2b(some.tobytes(), digest_size=12).hexdigest()


def remember(parts: Parts, part: str, pictures: Sequence[Pixels]) -> None:
    """Keep which pictures taught a part: they never prove anything of it."""
    all_shown = sorted(shown_to(parts, part) | {fingerprint_of(pixels) for pixels in pictures})
    write_bytes(parts.folder / f"{part}.shown", "\n".join(all_shown).encode())


def shown_to(parts: Parts, part: str) -> set[str]:
    path = parts.folder / f"{part}.shown"
    return set(path.read_text().split()) if path.exists() else set()


@dataclass(frozen=True, slots=True)
class State:
    """By what a part is judged; where it is the same, what was proven holds."""

    taught: str
    models: Heads
    reference: str


def state_of(workspace: Workspace, spec: PartSpec, reference: Pixels) -> State:
    picture = hashlib.sha256(np.ascontiguousarray(reference).tobytes()).hexdigest()
    return State(taught_as(spec), heads_of(workspace, spec), picture)


def kept_state(workspace: Workspace, parts: Parts, part: str) -> State | None:
    """Of a part that was taught before; None: there is none that could be used."""
    try:
        spec = parts.get(part).spec
        return state_of(workspace, spec, read(parts.folder / spec.reference))
    except TenfoldError:
        return None

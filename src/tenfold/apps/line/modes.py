"""Part numbers in shadow and live: who judges them, what is proven of them, who let them go live.

The mode stands in the part's own file, which the station reads with each part; who said so, when,
why and what was proven then stands in the journal.
"""

from contextlib import closing
from dataclasses import dataclass, replace

from tenfold.apps.line.journal import ModeSaid
from tenfold.apps.line.part import Mode
from tenfold.apps.line.proving import Proof, in_words, prove
from tenfold.apps.line.shadowing import NOBODY, heads_of, shown_to, taught_as
from tenfold.apps.line.station import StationSpec, load_station
from tenfold.apps.line.stations import folder_of, journal_of, parts_of
from tenfold.atomic import write_bytes
from tenfold.errors import Conflict, SpecError
from tenfold.specs.bar import Bar
from tenfold.workspace import Workspace

BY_PROOF = "proof"
"""Who let a part number go live where nobody did."""


@dataclass(frozen=True, slots=True)
class PartState:
    """A part number of a station, and what is known of it."""

    part: str
    mode: Mode
    heads: tuple[str, ...]
    proof: Proof | None
    """None: not all its heads are at work."""
    said: ModeSaid | None
    """Who brought it into this mode; None: teaching, or whoever wrote its file."""

    @property
    def words(self) -> list[str]:
        if self.proof is None:
            return ["not all its heads are deployed: teach it."]
        return in_words(self.proof) if self.mode == "shadow" else []


def states(workspace: Workspace, station: str) -> list[PartState]:
    """Every part number of a station.

    Raises:
        SpecError: a file is wrong.
    """
    parts = parts_of(workspace, station)
    return [state(workspace, station, number) for number in parts.names()]


def state(workspace: Workspace, station: str, part: str) -> PartState:
    """
    Raises:
        NotFound: this part was never taught here.
    """
    spec = parts_of(workspace, station).get(part).spec
    with closing(journal_of(workspace, station)) as journal:
        said = journal.modes(part)[-1:]
    found = (
        None
        if NOBODY in dict(heads_of(workspace, spec)).values()
        else proof(workspace, station, part)
    )
    return PartState(
        part, spec.mode, spec.heads, found, said[0] if said and said[0].mode == spec.mode else None
    )


def proof(workspace: Workspace, station: str, part: str) -> Proof:
    """What parts in shadow prove of a part number as it is now.

    Raises:
        NotFound: this part was never taught here.
    """
    parts = parts_of(workspace, station)
    spec = parts.get(part).spec
    with closing(journal_of(workspace, station)) as journal:
        looks = journal.in_shadow(part)
    shown = shown_to(parts, part)
    fresh = [look for look in looks if look.fingerprint not in shown]
    bar, models = rules_of(workspace, station)[0], heads_of(workspace, spec)
    return prove(fresh, bar, taught=taught_as(spec), models=models)


def live(workspace: Workspace, station: str, part: str, *, why: str) -> ModeSaid:
    """Let a part number go live: from now on the station releases its good parts.

    Raises:
        NotFound: this part was never taught here.
        SpecError: no reason is given.
        Conflict: it is live already.
    """
    return _say(workspace, station, ModeSaid(part, "live", workspace.scope.actor, why, ()))


def shadow(workspace: Workspace, station: str, part: str, *, why: str) -> ModeSaid:
    """Take a part number back into shadow: from now on a person decides about each part.

    Raises:
        NotFound: this part was never taught here.
        SpecError: no reason is given.
        Conflict: it is in shadow already.
    """
    return _say(workspace, station, ModeSaid(part, "shadow", workspace.scope.actor, why, ()))


def live_by_proof(workspace: Workspace, station: str, part: str) -> ModeSaid | None:
    """Let a part number go live where the bar is cleared and the station's file lets the proof
    decide; None: it stays as it is."""
    if rules_of(workspace, station)[1] != "proven":
        return None
    now = state(workspace, station, part)
    if now.mode == "live" or now.proof is None or not now.proof.is_cleared:
        return None
    return _say(workspace, station, ModeSaid(part, "live", BY_PROOF, "the bar is cleared", ()))


def _say(workspace: Workspace, station: str, said: ModeSaid) -> ModeSaid:
    if not said.why.strip():
        raise SpecError("say why, for the journal.", where="--why")
    parts, now = parts_of(workspace, station), state(workspace, station, said.part)
    if now.mode == said.mode:
        raise Conflict(f"part {said.part!r} is {_in_words(said.mode)} already.", where=station)
    proven = in_words(now.proof) if now.proof else ()
    said = replace(said, proven=tuple(proven))
    spec = parts.get(said.part).spec.model_copy(update={"mode": said.mode})
    path, text = parts.folder / f"{said.part}.yaml", spec.to_yaml().encode()
    if said.mode == "shadow":  # what releases less comes first, whatever fails after it
        write_bytes(path, text)
    with closing(journal_of(workspace, station)) as journal:
        journal.say_mode(said)
    if said.mode == "live":
        write_bytes(path, text)
    return said


def _in_words(mode: str) -> str:
    return "live" if mode == "live" else "in shadow"


def rules_of(workspace: Workspace, station: str) -> tuple[Bar, str]:
    """What a part number must prove, and who lets it go live: as the station's file says that ran
    here last, or as one says that says nothing."""
    path = folder_of(workspace, station) / "station.yaml"
    if not path.exists():
        default = StationSpec.model_fields
        return default["bar"].default, default["go_live"].default
    spec = load_station(path)
    return spec.bar, spec.go_live

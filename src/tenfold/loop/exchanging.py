"""The review queue in the tools that people label with, and back."""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from tenfold import packages
from tenfold.catalog import deployments, models, picks
from tenfold.catalog.picks import Pick
from tenfold.errors import NotFound
from tenfold.formats import exchange
from tenfold.formats.exchange import Choice, Labelled, ToLabel
from tenfold.formats.pixels import READERS, inspect
from tenfold.loop.labelling import Opinion, is_good_or_bad, label_all, words_of
from tenfold.workspace import Workspace

SUFFIXES = {"JPEG": ".jpg", "TIFF": ".tif"}
"""Of the kinds whose name is not their suffix."""


@dataclass(frozen=True, slots=True)
class Imported:
    labels: int
    """New ones; what was imported before counts no more."""
    known: int
    settled: int
    """Pictures that people agree on now."""


def export(
    workspace: Workspace, deployment: str, tool: str, folder: Path, *, limit: int = 0
) -> int:
    """Write what waits for people into a new folder for a tool; returns how many pictures.

    What was said of a picture and why it was picked stays here: who knew would see it.

    Raises:
        NotFound: there is no such deployment or tool, or nothing waits.
        Conflict: the folder holds something.
    """
    waiting = picks.open_picks(workspace.scope, deployment, limit=limit)
    choice = choice_of(workspace, deployment)
    if not waiting:
        raise NotFound(f"nothing of {deployment!r} waits for anybody.")
    with tempfile.TemporaryDirectory() as scratch:
        asks = [_ask(workspace, one, Path(scratch)) for one in waiting]
        exchange.named(tool).write(asks, folder, choice=choice)
    return len(waiting)


def import_labels(
    workspace: Workspace, deployment: str, tool: str, source: Path, *, who: str = ""
) -> Imported:
    """Take in what people said in a tool, all of it or nothing; again adds nothing.

    `who` names the people where the tool does not.

    Raises:
        NotFound: there is no such deployment, tool or file.
        DataError: it is no export of that tool, or says something of a picture that is not in the
            queue or of a class that is not there; names file and place.
    """
    asked = _sizes(workspace, deployment)
    choice = choice_of(workspace, deployment)
    said = exchange.named(tool).read(source, choice=choice, sizes=asked)
    taken = label_all(workspace, deployment, [_opinion(one, tool, who) for one in said])
    fresh = sum(one.is_new for one in taken)
    agreed = {one.sample for one in taken if one.truth is not None}
    return Imported(fresh, len(taken) - fresh, len(agreed))


def choice_of(workspace: Workspace, deployment: str) -> Choice:
    """What may be said of a deployment's pictures.

    Raises:
        NotFound: nothing is deployed under that name.
    """
    now = deployments.get(workspace.scope, deployment)
    manifest = packages.of_model(workspace.blobs, models.get(workspace.scope, now.live)).manifest
    words = words_of(workspace, now)
    regions: Sequence[str] = words[1:] if is_good_or_bad(manifest) else ()
    return Choice(words, several=manifest.multi_label, regions=tuple(regions))


def _ask(workspace: Workspace, pick: Pick, scratch: Path) -> ToLabel:
    data = workspace.blobs.get(pick.sample)
    width, height, _ = inspect(data, where=pick.sample[:12], max_pixels=_limit(workspace))
    kind = next(name for name, (magic, _) in READERS.items() if magic.match(data))
    file = scratch / f"{pick.sample}{SUFFIXES.get(kind, f'.{kind.lower()}')}"
    file.write_bytes(data)
    return ToLabel(pick.sample, file, width, height)


def _sizes(workspace: Workspace, deployment: str) -> dict[str, tuple[int, int]]:
    found: dict[str, tuple[int, int]] = {}
    for sample in picks.beginning(workspace.scope, deployment, ""):
        data = workspace.blobs.get(sample)
        width, height, _ = inspect(data, where=sample[:12], max_pixels=_limit(workspace))
        found[sample] = (width, height)
    return found


def _opinion(one: Labelled, tool: str, who: str) -> Opinion:
    return Opinion(
        sample=one.sample,
        label=";".join(one.labels),
        boxes=tuple(box.xyxy_px for box in one.boxes),
        seconds=one.seconds,
        shown={"by": tool},
        source=tool,
        key=f"{tool}:{one.key}",
        who=one.who or who,
        at=one.at,
    )


def _limit(workspace: Workspace) -> int:
    return int(workspace.settings.max_megapixels * 1e6)

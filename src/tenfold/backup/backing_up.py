"""Copy catalog, blobs and trunks into a folder, while others ingest, make, forget and serve."""

import hashlib
import json
import logging
import os
import re
import shutil
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from importlib.metadata import version
from pathlib import Path

from tenfold import packages
from tenfold.atomic import UNFINISHED, in_words, write_bytes
from tenfold.backup.manifest import (
    LIST,
    MANIFEST,
    Manifest,
    held,
    read_list,
    read_manifest,
    write_list,
)
from tenfold.backup.shelf import BLOBS, Shelf
from tenfold.catalog import copies
from tenfold.catalog.copies import CatalogCopy, Named
from tenfold.errors import Conflict, IntegrityError, NotFound, Unavailable
from tenfold.patience import patiently
from tenfold.values import Progress
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)

CATALOG = "catalog-"
OURS = re.compile(rf"{re.escape(MANIFEST)}|{BLOBS}|{CATALOG}.*|\..*|lost\+found")
"""Names in a folder that a backup was begun in."""
PICTURE = re.compile(rb'"(?:mask|sha256)": "([0-9a-f]{64})"')
"""How the blob of a snapshot names pictures and masks."""


@dataclass(frozen=True, slots=True)
class BackedUp:
    folder: str
    tenants: tuple[str, ...]
    rows: int
    blobs: int
    size_bytes: int
    new_blobs: int
    new_bytes: int
    removed_blobs: int
    """Of the backup before, that nothing names any more."""
    forgotten: int
    """Pictures of earlier states of datasets that are there no more."""
    absent_trunks: tuple[str, ...]
    """Names of trunks that models need and this machine does not have."""
    fresh_starts: int
    """How often something was forgotten meanwhile, so that the catalog was copied again."""


def back_up(workspace: Workspace, folder: Path, *, progress: Progress | None = None) -> BackedUp:
    """Copy what all tenants have, as it is at one moment; nobody has to stop or wait.

    Killed anywhere, it leaves the backup that was there before.

    Raises:
        Conflict: the folder holds something else, or somebody is at work in it.
        IntegrityError: a blob that the catalog names is lost or damaged.
    """
    _make_folder(folder)
    with held(folder, alone=True):
        shelf = _shelf(workspace, folder)
        taking = _Taking(workspace, folder, shelf, progress)
        taken, fresh_starts, lost = taking.once(), 0, set[str]()
        while taken.lost:
            again = sorted(lost & taken.lost.keys())
            if again:
                raise _is_lost(workspace, again[0], taken.lost[again[0]])
            log.warning("something was forgotten meanwhile: the catalog is copied again.")
            lost |= taken.lost.keys()
            taken, fresh_starts = taking.once(), fresh_starts + 1
        manifest = _finish(workspace, folder, taken)
        removed = _tidy(folder, shelf, taken)
    new = shelf.copied & taken.sizes.keys()
    return BackedUp(
        folder=str(folder),
        tenants=manifest.catalog.tenants,
        rows=manifest.catalog.rows,
        blobs=manifest.blobs.count,
        size_bytes=manifest.blobs.size_bytes,
        new_blobs=len(new),
        new_bytes=sum(taken.sizes[digest] for digest in new),
        removed_blobs=removed,
        forgotten=taken.forgotten,
        absent_trunks=taken.absent_trunks,
        fresh_starts=fresh_starts,
    )


@dataclass(frozen=True, slots=True, eq=False)
class _Taken:
    folder: str
    """Of the catalog's copy."""
    at: datetime
    catalog: CatalogCopy
    sizes: dict[str, int]
    """Of all blobs that belong to it."""
    trunks: tuple[str, ...]
    lost: dict[str, str]
    """Blobs that must be there and are not: by whom they are named."""
    forgotten: int
    absent_trunks: tuple[str, ...]


@dataclass(frozen=True, slots=True, eq=False)
class _Taking:
    workspace: Workspace
    folder: Path
    shelf: Shelf
    progress: Progress | None

    def once(self) -> _Taken:
        """The catalog at one moment, then all that it names."""
        at = datetime.now(UTC)
        name = f"{CATALOG}{at:%Y%m%dT%H%M%S%f}"
        copied, named = copies.write(
            self.workspace.scope, self.folder / name, progress=self.progress
        )
        keep = partial(self.shelf.keep, progress=self.progress)
        trunks = {path.stem for path in self.workspace.trunks_folder.glob("[!.]*.onnx")}
        keep(trunks, self._trunk, stage="trunks", threads=1)
        # few at a time: a pack of anomaly heads takes a hundred megabytes
        keep({*named.heads, *named.snapshots}, self._blob, stage="packs", threads=2)
        inputs = self._read_through(named)
        wanted = named.wanted | named.needed.keys()
        keep(wanted, self._blob, stage="pictures")
        sizes = {d: n for d, n in self.shelf.sure.items() if d in wanted or d in trunks}
        return _Taken(
            folder=name,
            at=at,
            catalog=copied,
            sizes=sizes,
            trunks=tuple(sorted(trunks)),
            lost={d: by for d, by in named.needed.items() if d not in sizes},
            forgotten=len(wanted - named.needed.keys() - sizes.keys()),
            absent_trunks=tuple(sorted({n for d, n in inputs.items() if d not in sizes})),
        )

    def _read_through(self, named: Named) -> dict[str, str]:
        """Note what blobs name: snapshots their pictures, heads their golden samples; returns the
        names of their trunks by digest."""
        inputs: dict[str, str] = {}
        for snapshot in named.snapshots & self.shelf.sure.keys():
            found = PICTURE.findall(self.shelf.read(snapshot))
            named.wanted |= {digest.decode() for digest in found}
        for pack in sorted(named.heads.keys() & self.shelf.sure.keys()):
            data = self.shelf.read(pack)
            for offset, length in named.heads[pack]:
                payload = data[offset : offset + length]
                manifest = packages.load(payload, where=f"pack {pack[:12]}").manifest
                inputs |= {given.digest: given.trunk for given in manifest.inputs}
                for golden in manifest.goldens:
                    named.wanted.add(golden.sample)
                    if golden.rows:
                        named.needed[golden.rows] = f"model {manifest.task!r}"
        return inputs

    def _blob(self, digest: str) -> bytes | None:
        blobs = self.workspace.blobs

        def get() -> bytes | None:
            try:
                return blobs.get(digest)
            except NotFound:
                return blobs.get(digest) if blobs.has(digest) else None

        return patiently(get, patience_s=self.workspace.settings.patience_s, told=_waiting)

    def _trunk(self, digest: str) -> bytes:
        path = self.workspace.trunks_folder / f"{digest}.onnx"
        data = path.read_bytes()
        if hashlib.sha256(data).hexdigest() != digest:
            raise IntegrityError(
                "the trunk's bytes are not what was written.",
                where=str(path),
                hint="Delete the file; built-in trunks come back by themselves, add others again.",
            )
        return data


def _waiting(error: Unavailable, wait_s: float) -> None:
    log.warning("waiting for the blobs: %s", error)


def _make_folder(folder: Path) -> None:
    try:
        folder.mkdir(parents=True, exist_ok=True)
    except FileExistsError as error:
        raise Conflict(
            "this is a file.", where=str(folder), hint="Name a folder for the backup."
        ) from error
    except OSError as error:
        told = in_words(error.errno, where=str(folder))
        raise (told or error) from error


def _shelf(workspace: Workspace, folder: Path) -> Shelf:
    """The blobs that the folder holds already.

    Raises:
        Conflict: what it holds is no backup, or of another catalog.
    """
    last = read_manifest(folder)
    if last is None:
        others = sorted(p.name for p in folder.iterdir() if not OURS.fullmatch(p.name))
        if others or folder.resolve() == workspace.settings.home.resolve():
            raise Conflict(
                "this folder holds other things" + (f" ({others[0]})." if others else "."),
                where=str(folder),
                hint="Name a new folder for the backup.",
            )
        return Shelf(folder, {})
    first_run = last.catalog.first_run
    if first_run and not copies.knows_run(workspace.scope, first_run):
        raise Conflict(
            f"here is the backup of another catalog, that of {last.place}.",
            where=str(folder),
            hint="Name another folder: each catalog needs its own.",
        )
    return Shelf(folder, read_list(folder, last))


def _finish(workspace: Workspace, folder: Path, taken: _Taken) -> Manifest:
    """From here on this is the backup, and no longer the one before."""
    pointers = sorted(workspace.trunks_folder.glob("[!.]*.json"))
    names = {path.stem: json.loads(path.read_bytes()) for path in pointers}
    machine = workspace.machine_file
    manifest = Manifest(
        made_at=taken.at,
        made_by=version("tenfold"),
        place=workspace.scope.where,
        folder=taken.folder,
        catalog=taken.catalog,
        blobs=write_list(folder / taken.folder / LIST, taken.sizes),
        trunks=taken.trunks,
        trunk_names={n: one for n, one in names.items() if one["digest"] in taken.trunks},
        machine=json.loads(machine.read_bytes()) if machine.exists() else {},
    )
    os.sync()  # the manifest must name nothing that a power cut could take
    write_bytes(folder / MANIFEST, manifest.model_dump_json(indent=1).encode())
    return manifest


def _tidy(folder: Path, shelf: Shelf, taken: _Taken) -> int:
    """Remove what only earlier backups needed; returns how many blobs."""
    for old in folder.glob(f"{CATALOG}*"):
        if old.name != taken.folder:
            shutil.rmtree(old)
    for unfinished in folder.glob(f"{UNFINISHED}*"):
        unfinished.unlink()
    return shelf.drop_others(taken.sizes)


def _is_lost(workspace: Workspace, digest: str, by: str) -> IntegrityError:
    return IntegrityError(
        f"blob {digest[:12]}… is gone, and {by} names it.",
        where=workspace.blobs.place,
        hint="Ingest the dataset again, or `tenfold forget` what needs it; then back up again.",
    )

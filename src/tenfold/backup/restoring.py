"""Fill an empty workspace with what a backup holds."""

import json
import logging
import os
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from pathlib import Path

from tenfold.atomic import write_bytes
from tenfold.backup.manifest import Manifest, check_file, held, read_list, read_manifest
from tenfold.backup.shelf import Shelf, each
from tenfold.catalog import copies
from tenfold.errors import Conflict, NotFound, Unavailable
from tenfold.patience import patiently
from tenfold.values import Progress
from tenfold.workspace import Workspace

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Restored:
    folder: str
    made_at: datetime
    """When the backup was made."""
    tenants: tuple[str, ...]
    rows: int
    blobs: int
    size_bytes: int


def restore(workspace: Workspace, folder: Path, *, progress: Progress | None = None) -> Restored:
    """Bring blobs and trunks, then the catalog in one transaction: before it nothing is seen.

    Raises:
        NotFound: there is no backup.
        Conflict: the workspace is in use, or the backup is too new or too old.
        IntegrityError: a file of the backup is damaged or missing.
    """
    if not folder.is_dir():
        raise _no_backup(folder)
    with held(folder, alone=False):
        manifest = read_manifest(folder)
        if manifest is None:
            raise _no_backup(folder)
        copies.check_may_fill(workspace.scope, manifest.catalog.schema)
        _check_names(workspace, manifest)
        copy = folder / manifest.folder
        for table in manifest.catalog.tables:
            check_file(copy / table.file, table.digest)
        shelf = Shelf(folder, {})
        _bring(workspace, shelf, manifest, sorted(read_list(folder, manifest)), progress)
        _bring_trunks(workspace, shelf, manifest)
        os.sync()  # the catalog must name nothing that a power cut could take
        copies.fill(workspace.scope, manifest.catalog, copy, progress=progress)
    return Restored(
        folder=str(folder),
        made_at=manifest.made_at,
        tenants=manifest.catalog.tenants,
        rows=manifest.catalog.rows,
        blobs=manifest.blobs.count,
        size_bytes=manifest.blobs.size_bytes,
    )


def _bring(
    workspace: Workspace,
    shelf: Shelf,
    manifest: Manifest,
    digests: Sequence[str],
    progress: Progress | None,
) -> None:
    trunks, settings = set(manifest.trunks), workspace.settings
    # a bucket comes back by itself; a disk that is full does not
    patience_s = settings.patience_s if settings.blobs.startswith("s3:") else 0.0

    def bring(digest: str) -> None:
        data = shelf.read(digest)
        patiently(lambda: workspace.blobs.put(data), patience_s=patience_s, told=_waiting)

    blobs = [digest for digest in digests if digest not in trunks]
    for _ in each(bring, blobs, told=partial(progress, "pictures") if progress else None):
        pass


def _bring_trunks(workspace: Workspace, shelf: Shelf, manifest: Manifest) -> None:
    folder = workspace.trunks_folder
    for digest in manifest.trunks:
        write_bytes(folder / f"{digest}.onnx", shelf.read(digest))
    for name, pointer in manifest.trunk_names.items():
        if not (folder / f"{name}.json").exists():
            write_bytes(folder / f"{name}.json", json.dumps(pointer).encode())
    if manifest.machine and not workspace.machine_file.exists():
        write_bytes(workspace.machine_file, json.dumps(manifest.machine, indent=1).encode())


def _check_names(workspace: Workspace, manifest: Manifest) -> None:
    """A trunk that somebody added here already must be the one of the backup."""
    for name, pointer in manifest.trunk_names.items():
        file = workspace.trunks_folder / f"{name}.json"
        if pointer.get("source") == "added" and file.exists():
            known = json.loads(file.read_bytes())
            if known.get("digest") != pointer.get("digest"):
                raise Conflict(
                    f"there is another trunk called {name!r}.",
                    where=str(file),
                    hint="Point TENFOLD_HOME at a new folder.",
                )


def _no_backup(folder: Path) -> NotFound:
    return NotFound(
        "here is no backup.",
        where=str(folder),
        hint="Name the folder that `tenfold backup` wrote; one that was never finished is none.",
    )


def _waiting(error: Unavailable, wait_s: float) -> None:
    log.warning("waiting for the blobs: %s", error)

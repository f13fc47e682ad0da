"""Everything Tenfold keeps, in one home or shared by a team, opened for one tenant and actor.

Passed as the first argument to every stage that does I/O; never global.
"""

import json
import logging
import platform
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tenfold.atomic import write_bytes
from tenfold.blobs import Blobs
from tenfold.catalog import Catalog, Scope
from tenfold.errors import Unavailable, Unsupported
from tenfold.features import FeatureStore
from tenfold.patience import patiently
from tenfold.settings import Settings, from_environment
from tenfold.stores import open_store
from tenfold.values import Precision, fingerprint

log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True, eq=False)
class Workspace:
    settings: Settings
    catalog: Catalog
    scope: Scope
    blobs: Blobs
    features: FeatureStore

    @property
    def trunks_folder(self) -> Path:
        return self.settings.home / "trunks"

    @property
    def runs_folder(self) -> Path:
        """Where runs of this machine count what they use."""
        return self.settings.home / "runs"

    @property
    def answers_folder(self) -> Path:
        """Where what was answered is recorded on this machine."""
        return self.settings.home / "answers" / self.settings.tenant

    @property
    def reports_folder(self) -> Path:
        return self.settings.home / "reports"

    @property
    def machine_file(self) -> Path:
        return self.settings.home / "machine.json"

    @property
    def precision(self) -> Precision:
        """The set precision; `auto` is what `tenfold doctor` chose on this machine, else fp32."""
        if self.settings.precision != "auto":
            return self.settings.precision
        return self.machine().get("precision", "fp32")

    def machine(self) -> dict[str, Any]:
        """What `tenfold doctor` found, if it was found on this machine."""
        if not self.machine_file.exists():
            return {}
        found = json.loads(self.machine_file.read_text())
        return found if found.get("fingerprint") == machine_fingerprint() else {}

    def remember_machine(self, found: dict[str, Any]) -> None:
        known = found | {"fingerprint": machine_fingerprint()}
        write_bytes(self.machine_file, json.dumps(known, indent=1).encode())

    def close(self) -> None:
        self.catalog.close()


def open_workspace(home: str | Path | None = None, **overrides: Any) -> Workspace:
    """Open, or create, the workspace in `home` (default: setting `TENFOLD_HOME`).

    Raises:
        SpecError: a setting is impossible.
        Unsupported: the folder cannot be written.
        NotAllowed: the catalog or the store may not be written.
        Unavailable: the catalog did not answer for all of `patience_s`.
    """
    settings = from_environment(home=home, **overrides)
    try:
        settings.home.mkdir(parents=True, exist_ok=True)
        blobs, features = Blobs.opened(settings.blobs, settings.home), _features(settings)
        catalog = patiently(
            lambda: Catalog.open(settings.catalog or settings.home / "catalog.sqlite"),
            patience_s=settings.patience_s,
            told=_waiting,
        )
    except OSError as error:
        raise Unsupported(
            f"the workspace cannot be written: {error}.",
            where=str(settings.home),
            hint="Point TENFOLD_HOME at a folder you may write.",
        ) from error
    return Workspace(
        settings=settings,
        catalog=catalog,
        scope=catalog.scope(settings.tenant, settings.actor, patience_s=settings.patience_s),
        blobs=blobs,
        features=features,
    )


@contextmanager
def opened(home: str | Path | None = None, **overrides: Any) -> Generator[Workspace]:
    """`open_workspace` for a `with` block."""
    workspace = open_workspace(home, **overrides)
    try:
        yield workspace
    finally:
        workspace.close()


def _features(settings: Settings) -> FeatureStore:
    folder, limit_bytes = settings.home / "features", int(settings.features_gb * 1e9)
    shared = open_store(settings.features, folder=folder) if settings.features else None
    return FeatureStore(folder, limit_bytes=limit_bytes, shared=shared)


def _waiting(error: Unavailable, wait_s: float) -> None:
    log.warning("waiting for the catalog: %s", error)


def machine_fingerprint() -> str:
    """Changes when this machine may compute other bytes: processor, system, Python, numpy."""
    import numpy as np

    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    cpu = sorted({line for line in lines if line.startswith(("model name", "flags", "Features"))})
    versions = [platform.machine(), platform.python_version(), np.__version__]
    return fingerprint([*cpu, *versions])[:16]

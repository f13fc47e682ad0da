"""What ships: a head with everything needed to answer and to prove that it answers the same.

Inside, payloads lie one after another in packs, many models to a blob; outside, a model is one
`.tenfold` file: a zip of a manifest, arrays, golden rows and a card, each checked by its digest on
load. A verdict belongs to the catalog and joins the manifest when a package is read.
"""

import hashlib
import io
import json
import zipfile
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
from pydantic import BaseModel, ConfigDict, Field, ValidationError
from safetensors import SafetensorError
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from tenfold.atomic import write_bytes
from tenfold.blobs import Blobs
from tenfold.catalog.models import Model, Stretch
from tenfold.errors import DataError, IntegrityError, NotFound, Unsupported
from tenfold.values import Fit, Kind, MapBatch, Precision, Seen

SCHEMA = 1
DAMAGED_ZIP = (
    *(zipfile.BadZipFile, zlib.error, EOFError, OSError),
    *(NotImplementedError, RuntimeError, ValueError),
)
ZIP_TIME = (1980, 1, 1, 0, 0, 0)  # the same package is the same bytes, whenever it is exported


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class TrunkInput(_Part):
    """Which trunk reads the picture, and how the picture is laid on its canvas."""

    trunk: str
    digest: str
    size_px: int
    fit: Fit
    views: tuple[int, ...]


class HeadSpec(_Part):
    """How the head was fitted; `name` is a key of `tenfold.heads.HEADS`."""

    name: str
    params: dict[str, Any]
    version: int


class Golden(_Part):
    """What the head said of one sample when it was made."""

    sample: str
    scores: tuple[float, ...]
    decision: str
    rows: str = ""
    """Digest of its feature rows; empty where only its picture shows it to the head."""


class Manifest(_Part):
    """The `manifest.json` of a package."""

    schema_version: int = SCHEMA
    model: str
    task: str
    kind: Kind
    classes: tuple[str, ...]
    multi_label: bool = False
    question: dict[str, Any]
    inputs: tuple[TrunkInput, ...]
    precision: Precision
    runtime: str
    head: HeadSpec
    thresholds: tuple[float, ...] = ()
    """One per class for multi-label, one for good or bad; none where the likeliest class wins."""
    verdict: dict[str, Any] = Field(default_factory=dict[str, Any])
    goldens: tuple[Golden, ...] = ()
    tolerance: float = 1e-5
    """Largest difference of golden scores on the machine that made it."""
    lineage: dict[str, Any] = Field(default_factory=dict[str, Any])
    licences: dict[str, str] = Field(default_factory=dict[str, str])
    made_by: str = ""


@dataclass(frozen=True, slots=True, eq=False)
class Package:
    manifest: Manifest
    head: Mapping[str, np.ndarray]
    gate: Mapping[str, np.ndarray]
    """Arrays of the unfit-to-judge gate; empty when the head has none."""

    @property
    def head_bytes(self) -> int:
        return sum(array.nbytes for array in self.head.values())


def dump(package: Package) -> bytes:
    """The payload of a package, the same bytes for the same content."""
    arrays = {f"head.{name}": _plain(array) for name, array in package.head.items()}
    arrays |= {f"gate.{name}": _plain(array) for name, array in package.gate.items()}
    return save_arrays(dict(sorted(arrays.items())), {"manifest": _json(package.manifest)})


def load(payload: bytes, *, where: str) -> Package:
    """The package in `payload`.

    Raises:
        DataError: it is not a Tenfold package.
        Unsupported: it was written by a newer Tenfold.
    """
    try:
        arrays = load_arrays(payload)
        size = int.from_bytes(payload[:8], "little")
        text = json.loads(payload[8 : 8 + size])["__metadata__"]["manifest"]
    except (SafetensorError, KeyError, ValueError) as error:
        raise DataError("not a Tenfold package.", where=where) from error
    return Package(
        manifest=_manifest(text, where=where),
        head={n[5:]: a for n, a in sorted(arrays.items()) if n.startswith("head.")},
        gate={n[5:]: a for n, a in sorted(arrays.items()) if n.startswith("gate.")},
    )


class Pack:
    """Payloads laid one after another, to be kept as one blob; packs are added, never changed."""

    def __init__(self) -> None:
        self._payloads: list[bytes] = []
        self.size_bytes = 0

    def add(self, payload: bytes) -> Stretch:
        place = Stretch(self.size_bytes, len(payload), hashlib.sha256(payload).hexdigest())
        self._payloads.append(payload)
        self.size_bytes += len(payload)
        return place

    def keep(self, blobs: Blobs) -> str:
        """Wait until the store has the pack; returns its digest."""
        return blobs.put(b"".join(self._payloads), durable=True)


def read_stretch(blobs: Blobs, pack: str, stretch: Stretch) -> bytes:
    """The payload that lies there.

    Raises:
        NotFound: the pack is gone.
        IntegrityError: its bytes are no longer what was written.
    """
    payload = blobs.get_range(pack, stretch.offset, stretch.length)
    if hashlib.sha256(payload).hexdigest() != stretch.digest:
        raise IntegrityError(
            f"what lies at byte {stretch.offset} does not match its digest.",
            where=f"pack {pack[:12]}",
            hint="Restore the blob, or `tenfold forget` the model and make it again.",
        )
    return payload


def of_model(blobs: Blobs, model: Model) -> Package:
    """The package of a registered model, with its verdict."""
    package = load(read_stretch(blobs, model.pack, model.head), where=f"model {model.id[:12]}")
    manifest = package.manifest.model_copy(update={"verdict": model.verdict})
    return replace(package, manifest=manifest)


def dump_rows(seen: Seen) -> bytes:
    """What the trunk made of golden samples; heads that read the same share one blob of it."""
    if isinstance(seen, MapBatch):
        arrays = {f"map_s{stride}": dense for stride, dense in seen.maps.items()}
        arrays |= {name: getattr(seen, name) for name in ("content_xyxy", "pooled", "vitals")}
    else:
        arrays = {"pooled": seen}
    return save_arrays({name: _plain(array) for name, array in sorted(arrays.items())})


def load_rows(data: bytes) -> Seen:
    """What `dump_rows` wrote."""
    arrays = load_arrays(data)
    if "vitals" not in arrays:
        return arrays["pooled"]
    maps = {int(n[5:]): dense for n, dense in arrays.items() if n.startswith("map_s")}
    return MapBatch(maps, arrays["content_xyxy"], arrays["pooled"], arrays["vitals"])


def rows_of(blobs: Blobs, package: Package) -> dict[str, bytes]:
    """The feature rows of its golden samples, by their digests."""
    return {
        golden.rows: blobs.get(golden.rows) for golden in package.manifest.goldens if golden.rows
    }


def write_file(
    path: Path, package: Package, *, rows: Mapping[str, bytes], card_md: str, card_html: str
) -> None:
    """Write one `.tenfold` file, all of it or nothing; `rows` are those of its golden samples."""
    payload = dump(package)
    parts = {
        "manifest.json": _json(package.manifest).encode(),
        "head.safetensors": payload,
        "card.md": card_md.encode(),
        "card.html": card_html.encode(),
    } | {_rows_name(digest): data for digest, data in rows.items()}
    digests = {name: hashlib.sha256(data).hexdigest() for name, data in parts.items()}
    parts["digests.json"] = json.dumps(digests, indent=1, sort_keys=True).encode()
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, data in parts.items():
            archive.writestr(zipfile.ZipInfo(name, ZIP_TIME), data)
    write_bytes(path, buffer.getvalue())


def read_file(path: Path) -> tuple[Package, dict[str, bytes]]:
    """The package in a `.tenfold` file, and its golden samples' feature rows by their digests.

    Raises:
        NotFound: there is no such file.
        DataError: it is not a Tenfold package.
        IntegrityError: a part of it is damaged.
        Unsupported: it was written by a newer Tenfold.
    """
    try:
        with zipfile.ZipFile(path) as archive:
            parts = {name: archive.read(name) for name in archive.namelist()}
    except (FileNotFoundError, IsADirectoryError) as error:
        raise NotFound("no such package file.", where=str(path)) from error
    except DAMAGED_ZIP as error:
        damaged = path.read_bytes()[:2] == b"PK"
        kind = IntegrityError if damaged else DataError
        word = "the package is damaged" if damaged else "not a Tenfold package"
        raise kind(f"{word}: {error}.", where=str(path), hint="Export it again.") from error
    try:
        digests: dict[str, str] = json.loads(parts["digests.json"])
        wrong = [n for n, d in digests.items() if hashlib.sha256(parts[n]).hexdigest() != d]
        payload = parts["head.safetensors"]
    except (KeyError, ValueError) as error:
        raise DataError(
            f"not a Tenfold package: {error} is missing or unreadable.", where=str(path)
        ) from error
    if wrong:
        raise IntegrityError(
            f"{', '.join(wrong)} does not match its digest.",
            where=str(path),
            hint="Copy or export the file again.",
        )
    package = load(payload, where=str(path))
    kept = {golden.rows for golden in package.manifest.goldens if golden.rows}
    lost = [name for name in map(_rows_name, sorted(kept)) if name not in parts]
    if lost:
        raise IntegrityError(
            f"{lost[0]} is missing.", where=str(path), hint="Copy or export the file again."
        )
    return package, {digest: parts[_rows_name(digest)] for digest in kept}


def _rows_name(digest: str) -> str:
    return f"goldens/{digest}.safetensors"


def _manifest(text: str, *, where: str) -> Manifest:
    version = json.loads(text).get("schema_version")
    if isinstance(version, int) and version > SCHEMA:
        raise Unsupported(
            f"the package has schema {version}, this Tenfold reads up to {SCHEMA}.",
            where=where,
            hint="Upgrade Tenfold.",
        )
    try:
        return Manifest.model_validate_json(text)
    except ValidationError as error:
        raise DataError(f"the manifest does not hold: {error}.", where=where) from error


def _json(manifest: Manifest) -> str:
    return json.dumps(manifest.model_dump(mode="json"), sort_keys=True, ensure_ascii=False)


def _plain(array: np.ndarray) -> np.ndarray:
    return np.ascontiguousarray(array)

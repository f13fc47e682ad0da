"""What a head had shown when it was judged and on trial: what production is compared with."""

from functools import lru_cache

import numpy as np
from jaxtyping import Float32
from safetensors.numpy import load as load_arrays
from safetensors.numpy import save as save_arrays

from tenfold import packages
from tenfold.blobs import Blobs
from tenfold.catalog import models
from tenfold.catalog.models import Model
from tenfold.errors import NotFound
from tenfold.factory import evidence
from tenfold.factory.evidence import EvidenceRow
from tenfold.factory.reading import space_of
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.loop.watch import Answers, Reference
from tenfold.packages import Manifest
from tenfold.predictions import Projection
from tenfold.runtime import UNFIT
from tenfold.trunks.canvas import canvas, turned
from tenfold.trunks.graph import VITALS
from tenfold.trunks.runtimes import Outputs
from tenfold.workspace import Workspace

MOST = 2_000
"""Samples that are compared with; more would say the same."""


def keep(
    workspace: Workspace, model: str, *, on_trial: Answers | None = None, lot: int = 25
) -> str:
    """Keep what a model had shown of the samples that judged it, and of what it answered on trial;
    returns the blob.

    Answers on trial are put together in lots of so many that followed each other. Features that
    were evicted are computed again from the pictures.

    Raises:
        NotFound: the model or a picture is gone.
    """
    found = models.get(workspace.scope, model)
    manifest = packages.of_model(workspace.blobs, found).manifest
    rows = _judged(workspace.blobs, found)
    pooled, vitals = _seen(workspace, manifest, [row.sample for row in rows])
    looks = [vitals[:, VITALS.index(name)] for name in ("mean", "std", "sharpness")]
    arrays = {
        "projections": np.array([Projection().projected(row) for row in pooled], np.float32),
        "looks": np.column_stack(looks),  # safetensors wants rows one after another
        "scores": np.array([_score(manifest, row) for row in rows], np.float32),
    }
    words = {"labels": [row.decision for row in rows], "groups": [row.group for row in rows]}
    if on_trial is not None:
        arrays = {
            name: np.concatenate([some, getattr(on_trial, name)]) for name, some in arrays.items()
        }
        words["labels"] += on_trial.labels
        words["groups"] += [f"trial {place // lot}" for place in range(len(on_trial))]
    texts = {
        name: np.frombuffer("\n".join(some).encode(), np.uint8) for name, some in words.items()
    }
    return workspace.blobs.put(save_arrays(arrays | texts))


@lru_cache(maxsize=64)
def reference(blobs: Blobs, digest: str) -> Reference:
    """What `keep` kept."""
    arrays = load_arrays(blobs.get(digest))
    texts = {name: tuple(arrays[name].tobytes().decode().split("\n")) for name in _TEXTS}
    return Reference(
        projections=arrays["projections"],
        scores=arrays["scores"],
        labels=texts["labels"],
        groups=texts["groups"],
        looks=arrays.get("looks", np.full((len(arrays["scores"]), 3), np.nan, np.float32)),
    )


_TEXTS = ("labels", "groups")


def _judged(blobs: Blobs, model: Model) -> list[EvidenceRow]:
    rows = [row for row in evidence.read(evidence.of_model(blobs, model)) if row.split == "judge"]
    step = max(1, len(rows) // MOST)
    return rows[::step][:MOST]


def _score(manifest: Manifest, row: EvidenceRow) -> float:
    """The one score that an answer has, see `runtime.Answer`."""
    if row.decision == UNFIT or len(row.scores) == 1:
        return row.scores[0]
    is_binary = bool(manifest.thresholds) and not manifest.multi_label
    return row.scores[-1] if is_binary else max(row.scores)


def _seen(
    workspace: Workspace, manifest: Manifest, samples: list[str]
) -> tuple[Float32[np.ndarray, "n dim"], Float32[np.ndarray, "n 5"]]:
    """What the head's first trunk shows to serving, and the vital signs of what it sees."""
    given = manifest.inputs[0]
    space = space_of(manifest, given, given.views[0])
    try:
        pooled = workspace.features.read(space, "pooled", samples)
        vitals = workspace.features.read(space, "vitals", samples)
    except NotFound:
        return _computed(workspace, manifest, samples)
    return pooled.astype(np.float32), vitals.astype(np.float32)


def _computed(
    workspace: Workspace, manifest: Manifest, samples: list[str]
) -> tuple[Float32[np.ndarray, "n dim"], Float32[np.ndarray, "n 5"]]:
    given = manifest.inputs[0]
    trunk = runtime_of(workspace).trunk(given, manifest.precision, ("pooled",))
    limit = int(workspace.settings.max_megapixels * 1e6)
    found: list[Outputs] = []
    for sample in samples:
        pixels = decode(workspace.blobs.get(sample), where=sample[:12], max_pixels=limit)
        square = canvas(pixels, size_px=given.size_px, fit=given.fit)
        found.append(trunk.one(turned(*square, view=given.views[0])[0]))
    pooled, vitals = (np.concatenate([o[name] for o in found]) for name in ("pooled", "vitals"))
    return pooled, vitals

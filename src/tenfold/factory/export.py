"""Take a model out: as one `.tenfold` file, as one ONNX file, or as the evidence of its verdict."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import onnx
import onnxruntime

from tenfold import packages
from tenfold.atomic import write_bytes
from tenfold.catalog import models
from tenfold.errors import IntegrityError, Unsupported
from tenfold.factory import evidence
from tenfold.factory.evidence import arithmetic
from tenfold.factory.judge import Verdict
from tenfold.factory.onnx_export import whole_graph
from tenfold.factory.predict import package_of
from tenfold.factory.report import CardFacts, card_html, card_markdown
from tenfold.factory.report.card import standing_limits
from tenfold.factory.reporting import model_report
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.packages import Package
from tenfold.runtime import LoadedHead, check_rows
from tenfold.trunks import load_trunk
from tenfold.values import Progress
from tenfold.workspace import Workspace

ONNX_TOLERANCE = 1e-2
"""Largest difference of golden scores to our own runtime in fp32, relative to max(1, score): the
two resize alike up to two grey levels."""


@dataclass(frozen=True, slots=True)
class Written:
    path: Path
    size_bytes: int
    gap: float
    """Largest golden score difference to our own runtime at the same precision."""
    judged_gap: float
    """Largest golden score difference to what was judged."""
    in_words: str


def export_package(
    workspace: Workspace, name: str, out: Path, *, progress: Progress | None = None
) -> Written:
    """Write one `.tenfold` file, checked by reading it back.

    Raises:
        NotFound: there is no such model.
    """
    model = models.get(workspace.scope, name)
    package = package_of(workspace, model.id)
    make = models.make_of(workspace.scope, model.task)
    if make is None:
        raise Unsupported(f"task {model.task!r} was not finished.", hint="Run its make again.")
    facts = _facts(workspace, package, model.task)
    packages.write_file(
        out,
        package,
        rows=packages.rows_of(workspace.blobs, package),
        card_md=card_markdown(facts),
        card_html=card_html(facts),
    )
    again, rows = packages.read_file(out)
    check_rows(LoadedHead.of(again), lambda digest: packages.load_rows(rows[digest]))
    size = out.stat().st_size
    return Written(out, size, 0.0, 0.0, f"{out}: {size:,} bytes, model {model.id[:12]}.")


def export_onnx(
    workspace: Workspace, name: str, out: Path, *, progress: Progress | None = None
) -> Written:
    """Write preprocessing, trunk and head as one ONNX file; its golden scores are checked.

    Raises:
        IntegrityError: the file does not reproduce the golden scores.
        Unsupported: the model was judged in int8, which each runtime rounds its own way.
    """
    package = package_of(workspace, name)
    loaded = LoadedHead.of(package)
    manifest = package.manifest
    if manifest.precision == "int8":
        raise Unsupported(
            "ONNX Runtime rounds int8 otherwise than what judged this model.",
            where=f"model {manifest.model[:12]}",
            hint="`TENFOLD_PRECISION=fp32 tenfold make` makes a model that can be exported.",
        )
    graphs = {
        given.digest: onnx.load(load_trunk(given.digest, workspace.trunks_folder).path)
        for given in manifest.inputs
    }
    data = whole_graph(manifest, loaded.head, graphs).SerializeToString()
    gap, judged_gap = _golden_gaps(workspace, loaded, data)
    if gap > ONNX_TOLERANCE:
        raise IntegrityError(
            f"the ONNX file differs from our own runtime by {gap:.2g}, more than "
            f"{ONNX_TOLERANCE:.2g}.",
            where=f"model {manifest.model[:12]}",
            hint="Report this: head, trunk and ONNX Runtime version matter.",
        )
    write_bytes(out, data)
    words = (
        f"{out}: {len(data):,} bytes. Input `image` uint8 [height, width, 3] RGB; runs with "
        f"onnxruntime and numpy alone, in fp32: golden scores within {gap:.1e} of our runtime in "
        f"fp32 (tolerance {ONNX_TOLERANCE:.0e}), within {judged_gap:.1e} of what was judged in "
        f"{manifest.precision}."
    )
    return Written(out, len(data), gap, judged_gap, words)


def evidence_of(workspace: Workspace, name: str) -> tuple[str, str]:
    """The evidence CSV of a model's verdict, and the arithmetic that leads to it.

    Raises:
        NotFound: there is no such model.
    """
    model = models.get(workspace.scope, name)
    manifest = package_of(workspace, model.id).manifest
    is_binary = bool(manifest.thresholds) and not manifest.multi_label
    good = manifest.classes[0] if is_binary else None
    text = evidence.of_model(workspace.blobs, model)
    return text, arithmetic(Verdict.from_json(model.verdict), good=good)


def _facts(workspace: Workspace, package: Package, task: str) -> CardFacts:
    make = models.make_of(workspace.scope, task)
    assert make is not None
    report = model_report(workspace, make)
    return CardFacts(
        model=report,
        data=f"{make.dataset}, snapshot {make.snapshot[:12]}",
        limits=tuple(standing_limits(report)),
        licences=package.manifest.licences,
    )


def _golden_gaps(workspace: Workspace, loaded: LoadedHead, data: bytes) -> tuple[float, float]:
    """How far the file is from our own runtime in fp32, and from what was judged."""
    session = onnxruntime.InferenceSession(data, providers=["CPUExecutionProvider"])
    manifest = loaded.manifest.model_copy(update={"precision": "fp32"})
    exact, runtime = replace(loaded, manifest=manifest), runtime_of(workspace)
    gap = judged_gap = 0.0
    for golden in manifest.goldens:
        pixels = decode(workspace.blobs.get(golden.sample), where=golden.sample[:12])
        colour = np.ascontiguousarray(np.broadcast_to(pixels, (*pixels.shape[:2], 3)))
        scores = np.asarray(session.run(None, {"image": colour})[0], float).ravel()
        gap = max(gap, _gap(scores, runtime.answer(exact, pixels).scores))
        judged_gap = max(judged_gap, _gap(scores, golden.scores))
    return gap, judged_gap


def _gap(scores: np.ndarray, wanted: Sequence[float]) -> float:
    return float(np.max(np.abs(scores - wanted) / np.maximum(1, np.abs(wanted))))

"""Take models out as one folder that runs on a small machine: no Tenfold, one trunk, many heads.

The folder holds the trunk and the heads as ONNX files, what they decide as JSON, golden pictures
and a runner that needs numpy and OpenVINO or ONNX Runtime alone. The runner repeats Tenfold's
resizing to the bit, so the trunk sees there what it sees here. It is asked about the golden
pictures before the folder takes its name.
"""

import hashlib
import io
import json
import shutil
import tempfile
from collections.abc import Generator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import PIL

from tenfold.atomic import UNFINISHED, in_words, make_durable, write_bytes
from tenfold.errors import Conflict, IntegrityError, SpecError, Unsupported
from tenfold.factory.edge import run
from tenfold.factory.edge.graph import REASONS, Canvas, canvases_of, heads_graph
from tenfold.factory.export import Written
from tenfold.factory.predict import package_of
from tenfold.factory.stock import runtime_of
from tenfold.formats.pixels import decode
from tenfold.runtime import LoadedHead
from tenfold.trunks import Trunk, graph, load_trunk
from tenfold.values import Progress
from tenfold.workspace import Workspace

FORMAT = "tenfold-edge-1"
TOLERANCE = 1e-3
"""Largest difference of a golden score to our own runtime in fp32, relative to max(1, score)."""
SUMS = "SHA256SUMS"

README = """\
# A panel of heads on one trunk

Made by `tenfold export --edge`.
It needs Python 3.10, numpy, and OpenVINO or ONNX Runtime; Tenfold is not needed.

    pip install numpy onnxruntime        # or: numpy openvino
    python run.py --selftest             # reproduces the golden answers, else exits 1
    python run.py {picture}              # one JSON line per picture

Pictures are `.npy` (uint8, height × width × 1 or 3, RGB), `.ppm` or `.pgm`.
Others are read where Pillow is installed.
`--runtime openvino` or `--runtime onnxruntime` chooses where both are installed.

| task | kind | classes | threshold | verdict | judged in | model |
|---|---|---|---|---|---|---|
{heads}

Verdicts were proven on the machine and at the precision that judged; here all is computed in fp32.
The trunk `{trunk}` sees each picture {passes} time(s), at {size_px} px.

| file | what it is |
|---|---|
| `run.py` | the runner |
| `trunk.onnx` | pixels to features, shared by all heads |
| `heads.onnx` | features to scores, and whether a picture is fit to be judged |
| `panel.json` | classes, thresholds, how pictures are laid out, golden answers |
| `goldens/` | pictures of the data set, needed by the self-test alone: mind who may see them |
| `SHA256SUMS` | digests, for `sha256sum -c SHA256SUMS`; the runner checks what it reads |

Golden scores may differ by {tolerance}, relative to scores above 1; decisions must be the same.

## Licences

- run.py: Apache-2.0
{licences}
"""


@dataclass(frozen=True, slots=True, eq=False)
class _Panel:
    heads: tuple[LoadedHead, ...]
    trunk: Trunk
    size_px: int
    canvases: tuple[Canvas, ...]
    """Each is one pass of the trunk; heads that read the picture alike share it."""

    @property
    def strides(self) -> list[int]:
        return sorted({stride for loaded in self.heads for stride in loaded.strides})


def export_edge(
    workspace: Workspace, names: Sequence[str], out: Path, *, progress: Progress | None = None
) -> Written:
    """Write a panel of models on one trunk into the folder `out`, all of it or nothing.

    An earlier edge export in `out` is replaced; golden pictures must be in the workspace.

    Raises:
        SpecError: no model, or one task twice.
        Conflict: `out` holds something else than an earlier edge export.
        NotFound: there is no such model, or a golden picture is gone.
        Unsupported: the models read different trunks or sizes, several trunks, or int8.
        IntegrityError: the folder does not reproduce the golden answers.
    """
    out = out.expanduser().resolve()
    _refuse_foreign(out)
    panel = _panel(workspace, names)
    with _folder(out) as folder:
        goldens, judged_gap = _write_goldens(workspace, panel, folder, progress)
        facts = _facts(panel, goldens)
        _write_parts(panel, facts, folder)
        gap = max(_checked(folder, runtime, facts) for runtime in run.RUNTIMES)
    size = sum(path.stat().st_size for path in out.rglob("*") if path.is_file())
    words = (
        f"{out}: {size:,} bytes, {len(panel.heads)} heads on {panel.trunk.name}. "
        "`python run.py PICTURE...` answers there, with numpy and openvino or onnxruntime alone; "
        f"both reproduce {sum(len(g['answers']) for g in goldens)} golden answers within "
        f"{gap:.1e} of our runtime in fp32 (tolerance {TOLERANCE:.0e}), which lie within "
        f"{judged_gap:.1e} of what was judged. {len(goldens)} golden pictures lie in the folder."
    )
    return Written(out, size, gap, judged_gap, words)


def _panel(workspace: Workspace, names: Sequence[str]) -> _Panel:
    if not names:
        raise SpecError("an edge folder needs at least one model.")
    heads = [LoadedHead.of(package_of(workspace, name)) for name in names]
    tasks = [loaded.manifest.task for loaded in heads]
    if twice := sorted({task for task in tasks if tasks.count(task) > 1}):
        raise SpecError(f"task {twice[0]!r} is named twice.", hint="Name each model once.")
    for loaded in heads:
        _refuse_unfit(loaded)
    first = heads[0].manifest
    for other in (loaded.manifest for loaded in heads[1:]):
        (one,), (two,) = first.inputs, other.inputs
        if (one.digest, one.size_px) != (two.digest, two.size_px):
            raise Unsupported(
                f"{first.task} reads {one.trunk} at {one.size_px} px, {other.task} reads "
                f"{two.trunk} at {two.size_px} px.",
                where="edge panel",
                hint="Export them into folders apart, or pin `rung:` so that they read alike.",
            )
    canvases = dict.fromkeys(canvas for loaded in heads for canvas in canvases_of(loaded))
    (given,) = first.inputs
    trunk = load_trunk(given.digest, workspace.trunks_folder)
    return _Panel(tuple(heads), trunk, given.size_px, tuple(canvases))


def _refuse_unfit(loaded: LoadedHead) -> None:
    manifest = loaded.manifest
    if len(manifest.inputs) != 1:
        names = ", ".join(given.trunk for given in manifest.inputs)
        raise Unsupported(
            f"an edge panel has one trunk, this head reads {names}.",
            where=f"task {manifest.task}",
            hint="Pin a rung with one trunk, such as `rung: kernel`, or export it with --onnx.",
        )
    if manifest.precision == "int8":
        raise Unsupported(
            "runtimes round int8 each their own way, so it would not answer as it was judged.",
            where=f"task {manifest.task}",
            hint="`TENFOLD_PRECISION=fp32 tenfold make` makes a model that can be exported.",
        )


def _write_goldens(
    workspace: Workspace, panel: _Panel, folder: Path, progress: Progress | None
) -> tuple[list[dict[str, Any]], float]:
    """The golden pictures as arrays, what our runtime says of them in fp32, and how far that is
    from what was judged."""
    runtime, judged_gap = runtime_of(workspace), 0.0
    asked: dict[str, list[LoadedHead]] = {}
    for loaded in panel.heads:
        for golden in loaded.manifest.goldens:
            asked.setdefault(golden.sample, []).append(loaded)
    goldens: list[dict[str, Any]] = []
    for done, (sample, heads) in enumerate(asked.items()):
        pixels = decode(workspace.blobs.get(sample), where=sample[:12])
        answers: dict[str, Any] = {}
        for loaded in heads:
            exact = loaded.manifest.model_copy(update={"precision": "fp32"})
            answer = runtime.answer(replace(loaded, manifest=exact), pixels)
            judged = next(g for g in loaded.manifest.goldens if g.sample == sample)
            if answer.decision != judged.decision:
                raise IntegrityError(
                    f"golden sample {sample[:12]} was judged {judged.decision} in "
                    f"{loaded.manifest.precision} and is {answer.decision} in fp32.",
                    where=f"task {loaded.manifest.task}",
                    hint="`TENFOLD_PRECISION=fp32 tenfold make` makes a model for fp32.",
                )
            judged_gap = max(judged_gap, _gap(answer.scores, judged.scores))
            scores = dict(zip(_names(loaded), answer.scores, strict=True))
            answers[exact.task] = {"answer": answer.decision or "none", "scores": scores}
        name = f"goldens/{sample[:16]}.npy"
        write_bytes(folder / name, _npy(pixels))
        goldens.append({"picture": name, "sample": sample, "answers": answers})
        if progress:
            progress("golden pictures", done + 1, len(asked))
    return goldens, judged_gap


def _facts(panel: _Panel, goldens: list[dict[str, Any]]) -> dict[str, Any]:
    """What `panel.json` says."""
    return {
        "format": FORMAT,
        "trunk": {"name": panel.trunk.name, "digest": panel.trunk.digest},
        "size_px": panel.size_px,
        "canvases": [
            {"fit": fit, "view": view, "pillow": int(PIL.__version__.partition(".")[0])}
            for fit, view in panel.canvases
        ],
        "trunk_outputs": [*map(graph.map_name, panel.strides), "pooled", "vitals"],
        "heads": [
            {
                "task": loaded.manifest.task,
                "model": loaded.manifest.model,
                "kind": loaded.manifest.kind,
                "output": f"head{number}",
                "classes": loaded.manifest.classes,
                "scores": _names(loaded),
                "multi_label": loaded.manifest.multi_label,
                "thresholds": loaded.manifest.thresholds,
                "reasons": REASONS if loaded.gate else (),
                "judged_in": loaded.manifest.precision,
                "verdict": loaded.manifest.verdict.get("status", "unknown"),
                "licences": loaded.manifest.licences,
            }
            for number, loaded in enumerate(panel.heads)
        ],
        "tolerance": TOLERANCE,
        "goldens": goldens,
    }


def _write_parts(panel: _Panel, facts: dict[str, Any], folder: Path) -> None:
    """Everything but the golden pictures; the digests last."""
    whole = onnx.load(panel.trunk.path)
    heads = heads_graph(panel.heads, panel.canvases, _shapes(panel))
    parts = {
        "trunk.onnx": graph.to_bytes(graph.cut(whole, facts["trunk_outputs"])),
        "heads.onnx": graph.to_bytes(heads),
        "panel.json": json.dumps(facts, indent=1, ensure_ascii=False).encode(),
        "run.py": Path(run.__file__).read_bytes(),
        "README.md": _readme(panel, facts).encode(),
    }
    for name, data in parts.items():
        write_bytes(folder / name, data)
    names = [*parts, *(golden["picture"] for golden in facts["goldens"])]
    digests = {name: hashlib.sha256((folder / name).read_bytes()).hexdigest() for name in names}
    sums = "".join(f"{digest}  {name}\n" for name, digest in digests.items())
    write_bytes(folder / SUMS, sums.encode())


def _shapes(panel: _Panel) -> dict[str, tuple[int, ...]]:
    """What the heads read, a row per canvas."""
    rows = len(panel.canvases)
    sides = {stride: -(-panel.size_px // stride) for stride in panel.strides}
    maps = {
        graph.map_name(stride): (rows, side, side, panel.trunk.channels[stride])
        for stride, side in sides.items()
    }
    vectors = {"pooled": panel.trunk.pooled_dim, "vitals": len(graph.VITALS), "content_xyxy": 4}
    return maps | {name: (rows, length) for name, length in vectors.items()}


def _checked(folder: Path, runtime: str, facts: dict[str, Any]) -> float:
    """The runner's largest golden score difference with that runtime."""
    worst, wrong = run.Panel(folder, runtime).selftest()
    if wrong:
        raise IntegrityError(
            f"with {runtime} the folder says otherwise than our own runtime: {wrong[0]}",
            where="edge panel",
            hint="Report this: heads, trunk and the runtime's version matter.",
        )
    return worst


def _refuse_foreign(out: Path) -> None:
    """An earlier export may be replaced, if nothing was put beside what it wrote."""
    if not out.exists() or (out.is_dir() and not any(out.iterdir())):
        return
    try:
        facts = json.loads((out / "panel.json").read_bytes())
        known = {line[66:] for line in (out / SUMS).read_text("utf-8").splitlines()} | {SUMS}
        is_ours = facts["format"].startswith("tenfold-edge-")
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        is_ours, known = False, set[str]()
    there = {path.relative_to(out).as_posix() for path in out.rglob("*") if not path.is_dir()}
    if not is_ours or there - known:
        what = f"holds {min(there - known)}" if there - known else "is no folder"
        raise Conflict(
            f"it {what}, which no edge export wrote.",
            where=str(out),
            hint="Name a new folder, an empty one, or that of an earlier edge export.",
        )


@contextmanager
def _folder(out: Path) -> Generator[Path]:
    """A folder that takes the name `out` once the block ends well."""
    try:
        out.parent.mkdir(parents=True, exist_ok=True)
        scratch = Path(tempfile.mkdtemp(dir=out.parent, prefix=UNFINISHED))
    except OSError as error:
        told = in_words(error.errno, where=str(out.parent))
        if told is None:
            raise
        raise told from error
    try:
        folder, old = scratch / "new", scratch / "old"
        folder.mkdir(mode=0o755)
        yield folder
        if out.exists():
            out.replace(old)
        try:
            folder.replace(out)
        except BaseException:
            if old.exists():
                old.replace(out)
            raise
        make_durable(out)
    finally:
        shutil.rmtree(scratch, ignore_errors=True)


def _readme(panel: _Panel, facts: dict[str, Any]) -> str:
    rows = [
        f"| {head['task']} | {head['kind']} | {', '.join(head['classes'])} | "
        f"{', '.join(f'{limit:.6g}' for limit in head['thresholds']) or 'the likeliest class'} | "
        f"{head['verdict']} | {head['judged_in']} | `{head['model'][:12]}` |"
        for head in facts["heads"]
    ]
    licences = {
        f"- {what}: {licence}"
        for loaded in panel.heads
        for what, licence in loaded.manifest.licences.items()
    }
    licences.add(f"- trunk {panel.trunk.name}: {panel.trunk.licence}")
    return README.format(
        heads="\n".join(rows),
        trunk=panel.trunk.name,
        size_px=panel.size_px,
        passes=len(panel.canvases),
        picture=facts["goldens"][0]["picture"] if facts["goldens"] else "picture.npy",
        tolerance=f"{TOLERANCE:.0e}",
        licences="\n".join(sorted(licences)),
    )


def _names(loaded: LoadedHead) -> tuple[str, ...]:
    return ("anomaly",) if loaded.manifest.kind == "anomaly" else loaded.manifest.classes


def _gap(scores: Sequence[float], wanted: Sequence[float]) -> float:
    return float(np.max(np.abs(np.subtract(scores, wanted)) / np.maximum(1, np.abs(wanted))))


def _npy(pixels: np.ndarray) -> bytes:
    buffer = io.BytesIO()
    np.save(buffer, pixels, allow_pickle=False)
    return buffer.getvalue()

"""Frozen backbones: one ONNX file each, pixels in, maps and pooled features out.

A trunk is known by the SHA-256 of its file and kept as `<digest>.onnx` in one folder; a small
`<name>.json` beside it says which digest a name stands for.
"""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from importlib import import_module
from pathlib import Path
from typing import Any

import numpy as np
import onnx
import onnxruntime

from tenfold.atomic import write_bytes
from tenfold.errors import Conflict, IntegrityError, NotFound, SpecError
from tenfold.trunks import graph
from tenfold.values import fingerprint

TRUNKS = {
    "efficientnet_lite0": "tenfold.trunks.efficientnet_lite",
    "efficientnet_lite1": "tenfold.trunks.efficientnet_lite",
    "efficientnet_lite2": "tenfold.trunks.efficientnet_lite",
}
"""Built-in trunks: name → module with `build(name)` and `source(name)`."""

HASHED_CODE = ("trunks/graph.py", "trunks/efficientnet_lite.py", "onnx_graph.py")


@dataclass(frozen=True, slots=True)
class Trunk:
    """One network file and what a reader must know about it."""

    name: str
    digest: str
    path: Path
    size_px: int
    """Side of the canvas it was trained on; others work too where the graph is free in size."""
    channels: Mapping[int, int]
    """Channels of each map, by stride in pixels."""
    pooled_dim: int
    licence: str
    quantised_from: str = ""
    """Digest of the float trunk an int8 trunk was made from; empty for float trunks."""

    @property
    def outputs(self) -> tuple[str, ...]:
        return (*map(graph.map_name, sorted(self.channels)), "pooled", "vitals")


def load_trunk(name_or_digest: str, folder: Path) -> Trunk:
    """A built-in trunk (built once, then kept in `folder`), or one that was added there.

    Raises:
        NotFound: nothing goes by that name or digest.
        IntegrityError: the kept file is not what was written.
    """
    if name_or_digest in TRUNKS:
        return _built_in(name_or_digest, folder)
    digest = _digest_of(name_or_digest, folder) or name_or_digest
    path = folder / f"{digest}.onnx"
    if not path.is_file():
        raise NotFound(
            f"no trunk {name_or_digest!r}.",
            hint=f"Choose one of {', '.join(known_trunks(folder))}, or `tenfold trunk add`.",
        )
    return _opened(path)


def known_trunks(folder: Path) -> list[str]:
    """Names that `load_trunk` answers to: the built-in ones, then those added, sorted."""
    return [*TRUNKS, *sorted({p.stem for p in folder.glob("*.json")} - set(TRUNKS))]


def keep(model: onnx.ModelProto, folder: Path, *, source: str = "added") -> Trunk:
    """Write a finished graph (see `trunks.graph.finish`) into `folder` under its digest and name.

    The graph is run once at its own size first, so that only what works is kept.

    Raises:
        Conflict: another trunk has that name.
        SpecError: a map does not have the size that its stride promises.
    """
    facts = _facts(model)
    name, known = facts["name"], _digest_of(facts["name"], folder)
    shapes = _shapes(model, int(facts["size_px"]))
    maps = {graph.map_stride(o): shape for o, shape in shapes.items() if o.startswith("map_")}
    for stride, shape in maps.items():
        side = -(-int(facts["size_px"]) // stride)
        if shape[:3] != (1, side, side):
            raise SpecError(
                f"the map of stride {stride} has shape {shape}, expected (1, {side}, {side}, _).",
                where=name,
                hint="Check the strides and the layout in the trunk's YAML.",
            )
    facts["channels"] = {str(stride): shape[-1] for stride, shape in maps.items()}
    facts["pooled_dim"] = shapes["pooled"][-1]
    onnx.helper.set_model_props(model, {graph.FACTS: json.dumps(facts, sort_keys=True)})
    data = graph.to_bytes(model)
    digest = hashlib.sha256(data).hexdigest()
    if source == "added" and (name in TRUNKS or known not in ("", digest)):
        raise Conflict(
            f"there is another trunk called {name!r}.", hint="Give this one a name of its own."
        )
    write_bytes(folder / f"{digest}.onnx", data)
    pointer = {"digest": digest, "source": source}
    write_bytes(folder / f"{name}.json", json.dumps(pointer).encode())
    return _opened(folder / f"{digest}.onnx")


def _built_in(name: str, folder: Path) -> Trunk:
    module = import_module(TRUNKS[name])
    root = Path(__file__).parent.parent
    code = [hashlib.sha256((root / part).read_bytes()).hexdigest() for part in HASHED_CODE]
    source = fingerprint([name, module.source(name), onnx.__version__, *code])
    pointer = _pointer(name, folder)
    path = folder / f"{pointer.get('digest')}.onnx"
    if pointer.get("source") == source and path.is_file():
        try:
            return _opened(path)
        except IntegrityError:
            pass  # it can be built again from its pinned weights
    return keep(module.build(name), folder, source=source)


def _opened(path: Path) -> Trunk:
    data = path.read_bytes()
    digest = hashlib.sha256(data).hexdigest()
    if digest != path.stem:
        raise IntegrityError(
            "the trunk's bytes are not what was written.",
            where=str(path),
            hint="Delete the file; built-in trunks come back by themselves, add others again.",
        )
    facts = _facts(onnx.load_model_from_string(data))
    return Trunk(
        name=facts["name"],
        digest=digest,
        path=path,
        size_px=facts["size_px"],
        channels={int(stride): count for stride, count in facts["channels"].items()},
        pooled_dim=facts["pooled_dim"],
        licence=facts["licence"],
        quantised_from=facts.get("quantised_from", ""),
    )


def _facts(model: onnx.ModelProto) -> dict[str, Any]:
    for prop in model.metadata_props:
        if prop.key == graph.FACTS:
            return json.loads(prop.value)
    raise IntegrityError("this ONNX file is not a trunk: it does not say its name and size.")


def _shapes(model: onnx.ModelProto, size_px: int) -> dict[str, tuple[int, ...]]:
    options = onnxruntime.SessionOptions()
    options.intra_op_num_threads = 1
    options.log_severity_level = 3
    session = onnxruntime.InferenceSession(graph.to_bytes(model), options)
    noise = np.random.default_rng(0).integers(0, 256, (1, size_px, size_px, 3), np.uint8)
    names = [o.name for o in session.get_outputs()]
    arrays: Any = session.run(names, {"image": noise})
    return {name: array.shape for name, array in zip(names, arrays, strict=True)}


def _digest_of(name: str, folder: Path) -> str:
    return _pointer(name, folder).get("digest", "")


def _pointer(name: str, folder: Path) -> dict[str, str]:
    path = folder / f"{name}.json"
    return json.loads(path.read_bytes()) if "/" not in name and path.is_file() else {}

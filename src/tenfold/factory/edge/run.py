# SPDX-License-Identifier: Apache-2.0
"""Ask a panel of Tenfold heads about pictures; needs numpy and openvino or onnxruntime alone.

    python run.py PICTURE...    one JSON line per picture, with the answers of all heads
    python run.py --selftest    reproduce the golden answers; exits 1 where they are not

A picture is .npy (uint8 [height, width, 1 or 3], RGB), .ppm or .pgm, or what Pillow reads.
"""

import argparse
import hashlib
import json
import os
import re
import sys
from collections.abc import Callable, Mapping
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import numpy as np

RUNTIMES = ("openvino", "onnxruntime")
Arrays = Mapping[str, np.ndarray]


class Panel:
    """The trunk and the heads in `folder`, ready to answer."""

    def __init__(self, folder: Path, runtime: str = "") -> None:
        check_digests(folder, "panel.json", "trunk.onnx", "heads.onnx")
        self.runtime = runtime or next((name for name in RUNTIMES if find_spec(name)), "")
        if not self.runtime or not find_spec(self.runtime):
            sys.exit(f"Install {self.runtime or 'openvino or onnxruntime'} to run the networks.")
        self.folder = folder
        self.facts: dict[str, Any] = json.loads((folder / "panel.json").read_text("utf-8"))
        self.side: int = self.facts["size_px"]
        shape = [1, self.side, self.side, 3]
        self.trunk = network(folder / "trunk.onnx", self.runtime, shape)
        self.heads = network(folder / "heads.onnx", self.runtime)

    def answer(self, pixels: np.ndarray) -> dict[str, Any]:
        """By task: `answer`, `scores`, and why a picture is `unfit` to judge."""
        laid = [canvas(pixels, self.side, **given) for given in self.facts["canvases"]]
        seen = [self.trunk({"image": square[None]}) for square, _ in laid]
        given = {n: np.concatenate([one[n] for one in seen]) for n in self.facts["trunk_outputs"]}
        for name in given:
            if name.startswith("map_"):  # heads were fitted on maps kept in half precision
                given[name] = given[name].astype(np.float16).astype(np.float32)
        given["content_xyxy"] = np.stack([box for _, box in laid])
        told = self.heads(given)
        return {head["task"]: decided(head, told) for head in self.facts["heads"]}

    def selftest(self) -> tuple[float, list[str]]:
        """The largest relative difference of golden scores, and a sentence per wrong answer."""
        worst, wrong = 0.0, list[str]()
        check_digests(self.folder, *(golden["picture"] for golden in self.facts["goldens"]))
        for golden in self.facts["goldens"]:
            told = self.answer(read(self.folder / golden["picture"]))
            for task, was in golden["answers"].items():
                now = told[task]
                pairs = [(now["scores"][name], score) for name, score in was["scores"].items()]
                gap = max(abs(a - b) / max(1.0, abs(b)) for a, b in pairs)
                worst = max(worst, gap)
                if now["answer"] != was["answer"] or not gap <= self.facts["tolerance"]:
                    wrong.append(f"{golden['picture']}: {task} was {was}, is now {now}.")
        return worst, wrong


def decided(head: dict[str, Any], told: Arrays) -> dict[str, Any]:
    scores = np.ravel(told[f"{head['output']}_scores"])
    classes, limits = head["classes"], np.array(head["thresholds"], np.float32)
    if head["multi_label"]:
        hits = scores >= limits
    elif limits.size:  # good or bad
        hits = np.array([scores[-1] < limits[0], scores[-1] >= limits[0]])
    else:
        hits = np.arange(len(classes)) == scores.argmax()
    answer = ";".join(name for name, hit in zip(classes, hits, strict=True) if hit)
    flags = np.ravel(told[f"{head['output']}_unfit"]) if head["reasons"] else []
    unfit = next((why for why, flag in zip(head["reasons"], flags, strict=True) if flag), "")
    named = zip(head["scores"], map(float, scores), strict=True)
    return {"answer": "unfit" if unfit else answer or "none", "scores": dict(named), "unfit": unfit}


def network(path: Path, runtime: str, shape: list[int] | None = None) -> Callable[[Arrays], Arrays]:
    """Arrays by name to arrays by name, computed in fp32 on the processor."""
    os.environ.setdefault("ORT_DISABLE_TELEMETRY", "1")
    sys.modules.setdefault("openvino_telemetry", None)  # pyright: ignore[reportArgumentType]
    if runtime == "openvino":
        import openvino

        graph: Any = openvino.Core().read_model(path)
        if shape:
            graph.reshape(shape)
        exact = {"INFERENCE_PRECISION_HINT": "f32"}
        compiled: Any = openvino.Core().compile_model(graph, "CPU", exact)
        known = {name for port in compiled.inputs for name in port.names}
        return lambda given: compiled({n: a for n, a in given.items() if n in known})
    import onnxruntime

    session: Any = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    inputs = {port.name for port in session.get_inputs()}
    outputs = [port.name for port in session.get_outputs()]
    return lambda given: dict(
        zip(outputs, session.run(None, {n: given[n] for n in inputs}), strict=True)
    )


def check_digests(folder: Path, *names: str) -> None:
    """Ends the program unless these files are what was exported."""
    try:
        lines = (folder / "SHA256SUMS").read_text("utf-8").splitlines()
        for name in names:
            digest = hashlib.sha256((folder / name).read_bytes()).hexdigest()
            if f"{digest}  {name}" not in lines:
                sys.exit(f"{name} is not what was exported: copy the folder again.")
    except OSError as error:
        sys.exit(f"{error.filename} cannot be read: {error.strerror}.")


def canvas(
    pixels: np.ndarray, side: int, *, fit: str, view: int, pillow: int
) -> tuple[np.ndarray, np.ndarray]:
    """The picture on the square that the trunk reads, and where view 0 has it: x0, y0, x1, y1.

    `pillow` is the version whose bilinear filter is repeated, to the bit.
    """
    height, width = pixels.shape[:2]
    longest = max(height, width)
    down, across = side, side
    if fit == "letterbox":
        down = max(1, round(height * side / longest))
        across = max(1, round(width * side / longest))
    if pillow >= 13 and height - down > 2 * max(0, width - across):  # it shrinks those down first
        inner = resized(resized(pixels, down, axis=0), across, axis=1)
    else:
        inner = resized(resized(pixels, across, axis=1), down, axis=0)
    top, left = (side - down) // 2, (side - across) // 2
    rims = ((top, side - down - top), (left, side - across - left), (0, 0))
    full = np.rot90(np.pad(inner, rims, mode="edge"), view % 4)
    full = full[:, ::-1] if view >= 4 else full
    box = np.array([left, top, left + across, top + down], np.float32) / np.float32(side)
    return np.ascontiguousarray(np.broadcast_to(full, (side, side, 3))), box


def resized(pixels: np.ndarray, size: int, *, axis: int) -> np.ndarray:
    """Pillow's bilinear filter along one axis: antialiased, with weights of 22 bits."""
    length = pixels.shape[axis]
    if length == size:
        return pixels
    reach = max(length / size, 1.0)
    centre = (np.arange(size) + 0.5) * (length / size)
    first = np.maximum((centre - reach + 0.5).astype(int), 0)
    last = np.minimum((centre + reach + 0.5).astype(int), length)
    place = first[:, None] + np.arange((last - first).max())
    weight = np.maximum(1 - np.abs((place - centre[:, None] + 0.5) * (1 / reach)), 0)
    weight *= place < last[:, None]
    steps = (weight / weight.sum(1, keepdims=True) * 2**22 + 0.5).astype(np.int32)
    total: Any = np.int32(2**21)
    for tap in range(place.shape[1]):
        near = np.take(pixels, np.minimum(place[:, tap], length - 1), axis)
        total = total + near * steps[:, tap].reshape((-1, 1, 1) if axis == 0 else (1, -1, 1))
    return np.clip(total >> 22, 0, 255).astype(np.uint8)


def read(path: Path) -> np.ndarray:
    """Pixels uint8 [height, width, 1 or 3]; raises ValueError, EOFError or OSError."""
    if path.suffix.lower() == ".npy":
        pixels = np.load(path, allow_pickle=False)
    elif path.suffix.lower() in (".ppm", ".pgm"):
        pixels = netpbm(path.read_bytes())
    else:
        pixels = with_pillow(path)
    pixels = pixels[:, :, None] if pixels.ndim == 2 else pixels
    fits = pixels.ndim == 3 and pixels.shape[2] in (1, 3) and pixels.dtype == np.uint8
    if not fits or not pixels.size:
        found = f"{pixels.dtype} {list(pixels.shape)}"
        raise ValueError(f"expected uint8 [height, width, 1 or 3], got {found}")
    return pixels


def netpbm(data: bytes) -> np.ndarray:
    head = re.match(rb"P([56])" + 3 * rb"(?:\s|#[^\n]*\n)+(\d+)" + rb"\s", data)
    if not head or head[4] != b"255":
        raise ValueError("expected a binary PPM or PGM of 8 bits")
    shape = (int(head[3]), int(head[2]), 3 if head[1] == b"6" else 1)
    return np.frombuffer(data, np.uint8, int(np.prod(shape)), head.end()).reshape(shape)


def with_pillow(path: Path) -> np.ndarray:
    if not find_spec("PIL"):
        raise ValueError("install Pillow, or give .npy, .ppm or .pgm")
    from PIL import Image, ImageOps

    file = Image.open(path)
    if getattr(file, "n_frames", 1) > 1 and file.format != "MPO":
        raise ValueError("it holds several pictures")
    picture = ImageOps.exif_transpose(file)
    plain = {"1": "L", "L": "L", "RGB": "RGB", "P": "RGB", "CMYK": "RGB"}.get(picture.mode)
    if plain is None or "transparency" in picture.info:
        raise ValueError(f"save it as 8-bit grey or RGB without transparency, not {picture.mode}")
    return np.asarray(picture.convert(plain))


def main() -> int:
    """The exit code."""
    parser = argparse.ArgumentParser(description="Ask a panel of Tenfold heads about pictures.")
    parser.add_argument("pictures", nargs="*", type=Path)
    parser.add_argument("--selftest", action="store_true", help="reproduce the golden answers")
    parser.add_argument("--runtime", choices=RUNTIMES, default="", help="default: what is there")
    given = parser.parse_args()
    if given.selftest == bool(given.pictures):
        parser.error("give pictures, or --selftest.")
    panel = Panel(Path(__file__).resolve().parent, given.runtime)
    if given.selftest:
        worst, wrong = panel.selftest()
        word = "not reproduced" if wrong else "reproduced"
        told = f"golden answers {word} with {panel.runtime}: scores within {worst:.1e}, "
        sys.stdout.write("\n".join([*wrong, f"{told}allowed {panel.facts['tolerance']:.0e}.\n"]))
        return int(bool(wrong))
    failed = False
    for path in given.pictures:
        row: dict[str, Any] = {"picture": str(path)}
        try:
            pixels = read(path)
        except (OSError, ValueError, EOFError) as error:
            why = getattr(error, "strerror", None) or error
            row["error"], failed = f"the picture cannot be read: {why}.", True
        else:
            row["answers"] = panel.answer(pixels)
        sys.stdout.write(json.dumps(row, ensure_ascii=False) + "\n")
        sys.stdout.flush()
    return int(failed)


if __name__ == "__main__":
    sys.exit(main())

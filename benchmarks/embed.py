"""Files on disk → features on disk, against the bare trunk in the same run, turn by turn.

Prints a table, then one JSON object as its last line. Pictures are the real solar cells of PyPI
`elpv-dataset` (300 × 300 grey PNG), the same as JPEG, and enlarged. Files lie in the page cache, as
after an ingest.

    python benchmarks/embed.py [--images 300] [--rounds 3] [--trunk efficientnet_lite2]
"""

import argparse
import hashlib
import json
import os
import platform
import statistics
import subprocess
import tempfile
import time
from pathlib import Path

import elpv_dataset
import numpy as np
from PIL import Image

from tenfold.factory.embed import embed
from tenfold.features import FeatureStore
from tenfold.formats.pixels import decode
from tenfold.trunks import Trunk, load_trunk
from tenfold.trunks.canvas import canvas
from tenfold.trunks.runtimes import compile_trunk, in_order, precisions, runtime_version
from tenfold.values import FeatureSpace

CORES = len(os.sched_getaffinity(0))
KINDS = {"png": ("PNG", 1), "jpeg": ("JPEG", 1), "jpeg_1200": ("JPEG", 4), "jpeg_2400": ("JPEG", 8)}


def main() -> None:
    options = _options()
    with tempfile.TemporaryDirectory(prefix="tenfold-embed-") as name:
        folder = Path(name)
        trunk = load_trunk(options.trunk, folder / "trunks")
        able = [p for p in precisions("openvino") if p in ("fp32", "bf16")]
        cases = [
            (kind, p) for kind in KINDS for p in able if kind in ("png", "jpeg") or p == able[-1]
        ]
        pictures = {kind: write_pictures(folder / kind, kind, options.images) for kind in KINDS}
        results = [
            measure(trunk, pictures[kind], folder, kind=kind, precision=p, rounds=options.rounds)
            for kind, p in cases
        ]
    print(json.dumps(summary(results, trunk, able[-1], options.images)))


def write_pictures(folder: Path, kind: str, count: int) -> list[Path]:
    """`count` pictures spread over the set; the enlarged ones are a quarter as many."""
    file_format, scale = KINDS[kind]
    folder.mkdir()
    source = sorted((Path(elpv_dataset.__file__).parent / "data/images").glob("*.png"))
    count = count if scale == 1 else max(1, count // 4)
    chosen = source[:: max(1, len(source) // count)][:count]
    paths: list[Path] = []
    for path in chosen:
        target = folder / f"{path.stem}.{file_format.lower()}"
        if file_format == "PNG":
            target.write_bytes(path.read_bytes())
        else:
            with Image.open(path) as picture:
                side = picture.width * scale
                picture.resize((side, side), Image.Resampling.BICUBIC).save(target, quality=92)
        paths.append(target)
    return paths


def measure(
    trunk: Trunk, paths: list[Path], folder: Path, *, kind: str, precision: str, rounds: int
) -> dict[str, object]:
    """Pipeline and bare trunk in turns; the ratio is the median over the turns."""
    space = FeatureSpace(
        trunk.digest, trunk.size_px, "letterbox", 0, precision, runtime_version("openvino")
    )
    samples = [(hashlib.sha256(p.read_bytes()).hexdigest(), p.read_bytes) for p in paths]
    canvases = [
        canvas(decode(read(), where=sha), size_px=trunk.size_px)[0] for sha, read in samples
    ]
    bare = compile_trunk(trunk, space, ("pooled",), streams=CORES)
    list(in_order(bare, enumerate(canvases[:8])))
    ours: list[float] = []
    theirs: list[float] = []
    for turn in range(rounds):
        theirs.append(_bare_rate(bare, canvases))
        store = FeatureStore(folder / f"{kind}-{precision}-{turn}", limit_bytes=1 << 40)
        began = time.perf_counter()
        report = embed(store, trunk, [space], samples)
        ours.append(report.images / (time.perf_counter() - began))
        theirs.append(_bare_rate(bare, canvases))
    around = [(theirs[2 * i] + theirs[2 * i + 1]) / 2 for i in range(rounds)]
    result = {
        "kind": kind,
        "precision": precision,
        "ratio": round(statistics.median(o / t for o, t in zip(ours, around, strict=True)), 3),
        "images_per_second": round(statistics.median(ours), 1),
        "trunk_images_per_second": round(statistics.median(theirs), 1),
    }
    print(*(f"{name} {value}" for name, value in result.items()), sep="  ", flush=True)
    return result


def summary(
    results: list[dict[str, object]], trunk: Trunk, precision: str, images: int
) -> dict[str, object]:
    """The headline is the harder of PNG and JPEG at the fastest float precision."""
    small = [r for r in results if r["kind"] in ("png", "jpeg") and r["precision"] == precision]
    worst = min(small, key=lambda r: float(str(r["ratio"])))
    return {
        "benchmark": "embed",
        "ratio": worst["ratio"],
        "images_per_second": worst["images_per_second"],
        "trunk_images_per_second": worst["trunk_images_per_second"],
        "precision": precision,
        "cases": results,
        "trunk": trunk.name,
        "size_px": trunk.size_px,
        "images": images,
        "cores": CORES,
        "machine": _processor(),
        "numpy": np.__version__,
        "runtime": runtime_version("openvino"),
        "commit": _commit(),
        "peak_mb": _peak_mb(),
    }


def _bare_rate(bare, canvases) -> float:
    began = time.perf_counter()
    for _ in in_order(bare, enumerate(canvases)):
        pass
    return len(canvases) / (time.perf_counter() - began)


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text().splitlines() if Path("/proc/cpuinfo").exists() else []
    names = [line.partition(":")[2].strip() for line in lines if line.startswith("model name")]
    return names[0] if names else platform.machine()


def _peak_mb() -> int:
    lines = Path("/proc/self/status").read_text().splitlines()
    return next(int(line.split()[1]) // 1024 for line in lines if line.startswith("VmHWM"))


def _commit() -> str:
    command = ["git", "-C", str(Path(__file__).parent), "rev-parse", "--short", "HEAD"]
    return subprocess.run(command, capture_output=True, text=True, check=False).stdout.strip()


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--images", type=int, default=300)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--trunk", default="efficientnet_lite2")
    return parser.parse_args()


if __name__ == "__main__":
    main()

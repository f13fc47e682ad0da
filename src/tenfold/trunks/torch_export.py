"""Trunks from timm or Hugging Face, where this machine has them; needs the `train` extra.

Nothing is downloaded: weights must lie in the local cache, or at the path that is named.
"""

import io
import os
import warnings
from importlib import import_module
from pathlib import Path
from typing import Any

import onnx

from tenfold.errors import NotFound, Unsupported
from tenfold.trunks import Trunk, graph
from tenfold.trunks.user_onnx import TrunkSpec, add_network

IMAGENET_MEAN = (0.485, 0.456, 0.406)
IMAGENET_STD = (0.229, 0.224, 0.225)


def add_timm_or_hf(reference: str, folder: Path) -> Trunk:
    """Export `timm:NAME` or `hf:NAME_OR_PATH` once and keep it in `folder`.

    Raises:
        Unsupported: torch, timm or transformers is not installed, or the network has no maps.
        NotFound: its weights are not on this machine.
    """
    source, _, name = reference.partition(":")
    loaders = {"timm": _timm, "hf": _hugging_face}
    if source not in loaders or not name:
        raise Unsupported(
            f"expected timm:NAME or hf:NAME_OR_PATH, got {reference!r}.",
            hint="An ONNX file is added together with its YAML.",
        )
    os.environ["HF_HUB_OFFLINE"] = "1"  # read by huggingface_hub when it is imported
    torch = _imported("torch")
    module, spec = loaders[source](name)
    network = _exported(torch, module, spec)
    return add_network(network, spec, folder, where=reference)


def _timm(name: str) -> tuple[Any, TrunkSpec]:
    timm = _imported("timm")
    try:
        module = timm.create_model(name, pretrained=True, features_only=True).eval()
    except (OSError, RuntimeError, ValueError) as error:
        raise _not_here(f"timm:{name}", error) from error
    strides = [int(s) for s in module.feature_info.reduction()]
    config = timm.data.resolve_model_data_config(timm.create_model(name, pretrained=False))
    return module, TrunkSpec(
        name=f"timm:{name}",
        licence=str(timm.get_pretrained_cfg(name).license or "see timm"),
        size_px=config["input_size"][-1],
        mean_rgb=_times_255(config["mean"]),
        std_rgb=_times_255(config["std"]),
        maps=_map_names(strides),
    )


def _hugging_face(name: str) -> tuple[Any, TrunkSpec]:
    transformers = _imported("transformers")
    try:
        config = transformers.AutoConfig.from_pretrained(name, local_files_only=True)
        config.out_features = config.stage_names[1:]
        # AutoBackbone.from_pretrained would ask the hub whether the name exists
        kind = type(transformers.AutoBackbone.from_config(config))
        backbone, loaded = kind.from_pretrained(
            name, config=config, local_files_only=True, output_loading_info=True
        )
        backbone.eval()
    except (OSError, ValueError, AttributeError) as error:
        raise _not_here(f"hf:{name}", error) from error
    if loaded["missing_keys"]:
        raise Unsupported(
            f"hf:{name} lacks weights ({', '.join(sorted(loaded['missing_keys'])[:3])}, ...).",
            hint="Name a network that was saved as a backbone or as a whole model.",
        )
    try:
        given = transformers.AutoImageProcessor.from_pretrained(name, local_files_only=True)
        mean, std, size = given.image_mean, given.image_std, dict(given.size)
    except (OSError, ValueError):  # a network saved without its processor
        mean, std, size = IMAGENET_MEAN, IMAGENET_STD, {}
    size_px = int(size.get("shortest_edge") or size.get("height") or 224)
    return _HuggingFaceMaps(backbone), TrunkSpec(
        name=f"hf:{Path(name).name}",
        licence="see the model card",
        size_px=size_px,
        mean_rgb=_times_255(mean),
        std_rgb=_times_255(std),
        maps=_map_names(_strides(backbone, size_px)),
    )


def _HuggingFaceMaps(backbone: Any) -> Any:  # noqa: N802
    """The backbone as a module that returns its maps as a plain tuple."""
    torch = _imported("torch")

    class Maps(torch.nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.backbone = backbone

        def forward(self, pixels: Any) -> Any:
            return tuple(self.backbone(pixels).feature_maps)

    return Maps()


def _strides(backbone: Any, size_px: int) -> list[int]:
    torch = _imported("torch")
    with torch.no_grad():
        maps = backbone(torch.zeros(1, 3, size_px, size_px)).feature_maps
    return [round(size_px / m.shape[-1]) for m in maps]


def _map_names(strides: list[int]) -> dict[int, str]:
    """The last map of each stride, under the name `_exported` gives it."""
    return {stride: f"out_{i}" for i, stride in enumerate(strides)}


def _exported(torch: Any, module: Any, spec: TrunkSpec) -> onnx.ModelProto:
    """Exported at its own size, one picture at a time, with the older exporter: it needs torch
    alone, where the newer one wants onnxscript too."""
    count = 1 + max(int(name.removeprefix("out_")) for name in spec.maps.values())
    file = io.BytesIO()
    side = spec.size_px
    with torch.no_grad(), warnings.catch_warnings():
        warnings.simplefilter("ignore")  # it says at length that it is the older one
        torch.onnx.export(
            module,
            (torch.zeros(1, 3, side, side),),
            file,
            input_names=["pixels"],
            output_names=[f"out_{i}" for i in range(count)],
            dynamic_axes={"pixels": {0: "n", 2: "h", 3: "w"}},
            opset_version=graph.OPSET,
            dynamo=False,
        )
    return onnx.load_model_from_string(file.getvalue())


def _times_255(values: Any) -> tuple[float, float, float]:
    red, green, blue = (255.0 * float(v) for v in values)
    return red, green, blue


def _imported(name: str) -> Any:
    try:
        return import_module(name)
    except ImportError as error:
        raise Unsupported(
            f"this needs {name}, which is not installed.",
            hint="Install the extra with `pip install 'tenfold[train]'`, and timm or transformers.",
        ) from error


def _not_here(reference: str, error: Exception) -> NotFound:
    return NotFound(
        f"{reference} is not on this machine ({error}).",
        hint="Tenfold downloads nothing: put the weights into the local cache or name a path.",
    )

"""What anomaly heads share: maps of several strides laid on one grid, padding left out, scores.

Every step is a matrix product with constants, so the ONNX export repeats it exactly.
"""

import math
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from jaxtyping import Bool, Float, Float32
from onnx import TensorProto, helper

from tenfold.errors import DataError
from tenfold.onnx_graph import GraphParts
from tenfold.values import MapBatch

Source = Callable[[], Iterator[MapBatch]]
"""Yields the good pictures in batches, from the start at every call; views come as more batches."""

Layout = dict[int, tuple[int, int]]
"""Per stride: a map's side in cells, and its channels."""

REACH = 3
"""Cells of its own that a map is averaged over."""
SMOOTHING_CELLS = 1.0
"""Standard deviation of the smoothing that a score map gets."""


@dataclass(frozen=True, slots=True, eq=False)
class AnomalyScores:
    """How far from normal: 0 = usual, higher = more anomalous."""

    image: Float32[np.ndarray, " n"]
    maps: Float32[np.ndarray, "n gh gw"]
    """Over the whole canvas; 0 in the padding."""


def layout_of(batch: MapBatch, strides: tuple[int, ...]) -> Layout:
    """The shape of the maps that a head reads.

    Raises:
        DataError: a map is missing.
    """
    missing = [s for s in strides if s not in batch.maps]
    if missing:
        raise DataError(
            f"expected maps at strides {strides!r}, got {tuple(batch.maps)!r}.",
            hint="Embed again with the maps this head reads.",
        )
    return {s: (batch.maps[s].shape[1], batch.maps[s].shape[3]) for s in strides}


def good_patches(
    batches: Source, strides: tuple[int, ...], *, grid: int
) -> Iterator[tuple[MapBatch, Float32[np.ndarray, "n cells dim"], Bool[np.ndarray, "n cells"]]]:
    """Each batch with its patches and which of them lie on the picture."""
    for batch in batches():
        if len(batch):
            patches = joined(batch, strides, grid=grid)
            yield batch, patches, content_mask(batch.content_xyxy, grid=grid)


def joined(
    batch: MapBatch, strides: tuple[int, ...], *, grid: int, reach: int = REACH
) -> Float32[np.ndarray, "n cells dim"]:
    """Patch features: each map averaged over `reach` cells of its own and laid on one grid.

    Raises:
        DataError: a map is missing, or holds NaN or infinity.
    """
    layout_of(batch, strides)
    return np.concatenate([_laid(batch.maps[s], grid, reach) for s in strides], axis=2)


def laid_squares(
    batch: MapBatch,
    stride: int,
    matrix: Float32[np.ndarray, "c kept"],
    centre: Float32[np.ndarray, " c"],
    *,
    grid: int,
) -> Float32[np.ndarray, "n cells"]:
    """Squared length of each patch of one stride, as `joined` lays it, less `centre`, times
    `matrix`.

    A product of channels and an average over cells may change places: the product is taken where
    there are fewer cells.

    Raises:
        DataError: the map is missing, or holds NaN or infinity.
    """
    layout_of(batch, (stride,))
    maps = batch.maps[stride].astype(np.float32)
    if maps.shape[1] < grid:
        laid = _laid(maps @ matrix, grid, REACH)
    else:
        laid = _laid(maps, grid, REACH) @ matrix
    laid -= centre @ matrix
    return np.einsum("nck,nck->nc", laid, laid)


def _laid(
    maps: Float[np.ndarray, "n h w c"], grid: int, reach: int
) -> Float32[np.ndarray, "n cells c"]:
    n, h, w, c = maps.shape
    rows, columns = resampling(h, grid=grid, reach=reach), resampling(w, grid=grid, reach=reach)
    flow = rows @ maps.astype(np.float32).reshape(n, h, w * c)
    flow = columns @ flow.reshape(n, grid, w, c)
    if not np.isfinite(flow).all():
        raise DataError("feature maps hold NaN or infinity.", hint="Embed these pictures again.")
    return flow.reshape(n, grid * grid, c)


@lru_cache(maxsize=64)
def resampling(size: int, *, grid: int, reach: int = REACH) -> Float32[np.ndarray, "grid size"]:
    """Matrix that averages over `reach` cells (fewer at the rim), then interpolates linearly."""
    cell = np.arange(size)
    near = np.abs(cell[:, None] - cell[None, :]) <= reach // 2
    averaging = near / near.sum(1, keepdims=True)
    place = np.clip((np.arange(grid) + 0.5) * size / grid - 0.5, 0, size - 1)
    weight = np.clip(1 - np.abs(place[:, None] - cell[None, :]), 0, None)
    matrix = (weight @ averaging).astype(np.float32)
    matrix.setflags(write=False)  # shared by all who ask
    return matrix


def content_mask(
    content_xyxy: Float32[np.ndarray, "n 4"], *, grid: int
) -> Bool[np.ndarray, "n cells"]:
    """Cells whose centre lies on the picture; all of them where none does."""
    centre = ((np.arange(grid) + 0.5) / grid).astype(np.float32)
    x0, y0, x1, y1 = (content_xyxy[:, i, None] for i in range(4))
    across = (centre >= x0) & (centre <= x1)
    down = (centre >= y0) & (centre <= y1)
    return (down[:, :, None] & across[:, None, :]).reshape(len(content_xyxy), grid * grid)


def image_and_map(
    cells: Float32[np.ndarray, "n cells"],
    content_xyxy: Float32[np.ndarray, "n 4"],
    *,
    top_share: float,
) -> AnomalyScores:
    """Smooth the scores; the image's score is the mean of its highest cells.

    Outside the picture counts as normal, which damps its rim: the trunk sees padding there, and
    on good magnetic tiles the rim alarmed most (image AUROC 0.866 → 0.890).
    """
    grid = math.isqrt(cells.shape[1])
    inside = content_mask(content_xyxy, grid=grid).astype(np.float32).reshape(-1, grid, grid)
    blur = smoothing(grid)
    maps = (blur @ (cells.reshape(-1, grid, grid) * inside) @ blur) * inside
    flat = maps.reshape(len(maps), -1)
    count = top_cells(grid, top_share)
    top = np.sort(np.partition(flat, -count, axis=1)[:, -count:], axis=1)
    return AnomalyScores(top.mean(1, dtype=np.float32), maps.astype(np.float32))


def smoothing(
    grid: int, *, sigma_cells: float = SMOOTHING_CELLS
) -> Float32[np.ndarray, "grid grid"]:
    """Symmetric Gaussian weights between the cells of one axis."""
    cell = np.arange(grid)
    gap = (cell[:, None] - cell[None, :]) / sigma_cells
    weight = np.where(np.abs(gap) <= 4, np.exp(-0.5 * gap**2), 0)
    return (weight / weight.sum(1).max()).astype(np.float32)


def top_cells(grid: int, share: float) -> int:
    """How many cells make up the image's score."""
    return max(1, round(share * grid * grid))


def upsampled(
    score_map: Float32[np.ndarray, "gh gw"],
    content_xyxy: Float32[np.ndarray, " 4"],
    *,
    width_px: int,
    height_px: int,
) -> Float32[np.ndarray, "height width"]:
    """The score map at the size of the picture, its padding cut away."""
    gh, gw = score_map.shape
    x0, y0, x1, y1 = (float(v) for v in content_xyxy)
    rows = _between(height_px, y0 * gh, y1 * gh, gh)
    columns = _between(width_px, x0 * gw, x1 * gw, gw)
    return (rows @ score_map @ columns.T).astype(np.float32)


def _between(pixels: int, first: float, last: float, cells: int) -> np.ndarray:
    """Matrix from cells to pixels, linear between the cells whose centres lie on the picture."""
    low, high = math.ceil(first - 0.5), math.floor(last - 0.5)
    place = first + (np.arange(pixels) + 0.5) * (last - first) / pixels - 0.5
    place = np.clip(place, max(0, low), max(0, low, min(cells - 1, high)))
    return np.clip(1 - np.abs(place[:, None] - np.arange(cells)[None, :]), 0, None)


def write_joined(
    parts: GraphParts, inputs: dict[str, str], *, layout: Layout, grid: int, prefix: str
) -> str:
    """Nodes of `joined` for maps of that layout; the name of the patches [n, cells, dim]."""
    pieces: list[str] = []
    for stride, (size, _) in layout.items():
        name = f"{prefix}laid_s{stride}"
        matrix = parts.constant(f"{name}_matrix", resampling(size, grid=grid))
        flat = parts.constant(f"{name}_flat", [0, 0, -1], np.int64)
        flow = parts.node("Reshape", [inputs[f"map_s{stride}"], flat], f"{name}_rows_in")
        flow = parts.node("MatMul", [matrix, flow], f"{name}_rows")
        square = parts.constant(f"{name}_square", [0, grid, size, -1], np.int64)
        flow = parts.node("Reshape", [flow, square], f"{name}_columns_in")
        flow = parts.node("MatMul", [matrix, flow], f"{name}_columns")
        cells = parts.constant(f"{name}_cells", [0, grid * grid, -1], np.int64)
        pieces.append(parts.node("Reshape", [flow, cells], name))
    return parts.node("Concat", pieces, f"{prefix}patches", axis=2)


def write_scores(
    parts: GraphParts, cells: str, content: str, *, grid: int, top_share: float, prefix: str
) -> dict[str, str]:
    """Nodes of `image_and_map`: `cells` [n, cells] → `image_score` [n], `score_map` [n, g, g]."""

    def node(kind: str, given: list[str], name: str, **attributes: object) -> str:
        return parts.node(kind, given, prefix + name, **attributes)

    def constant(name: str, value: object, dtype: type = np.float32) -> str:
        return parts.constant(prefix + name, value, dtype)

    inside = write_content_mask(parts, content, grid=grid, prefix=prefix)
    square = node("Reshape", [cells, constant("score_shape", [-1, grid, grid], np.int64)], "score")
    blur = constant("blur", smoothing(grid))
    down = node("MatMul", [blur, node("Mul", [square, inside], "score_inside")], "score_down")
    soft = node("MatMul", [down, blur], "score_soft")
    score_map = node("Mul", [soft, inside], "score_map")
    flat = node("Reshape", [score_map, constant("flat", [0, -1], np.int64)], "score_flat")
    count = constant("top_count", [top_cells(grid, top_share)], np.int64)
    outputs = [f"{prefix}score_top", f"{prefix}score_where"]
    parts.nodes.append(helper.make_node("TopK", [flat, count], outputs, name=outputs[0], axis=1))
    axis = constant("top_axis", [1], np.int64)
    image = node("ReduceMean", [f"{prefix}score_top", axis], "image_score", keepdims=0)
    return {"image_score": image, "score_map": score_map}


def write_content_mask(parts: GraphParts, content: str, *, grid: int, prefix: str) -> str:
    """Nodes of `content_mask` as float32 [n, grid, grid]."""
    centre = parts.constant(f"{prefix}centre", [(np.arange(grid) + 0.5) / grid])
    axis = parts.constant(f"{prefix}edge_axis", [1], np.int64)
    hits: dict[str, str] = {}
    for place, edge in enumerate(("x0", "y0", "x1", "y1")):
        which = parts.constant(f"{prefix}{edge}_at", [place], np.int64)
        at = parts.node("Gather", [content, which], f"{prefix}{edge}", axis=1)
        kind = "GreaterOrEqual" if place < 2 else "LessOrEqual"
        hit = parts.node(kind, [centre, at], f"{prefix}{edge}_hit")
        hits[edge] = parts.node("Cast", [hit], f"{prefix}{edge}_share", to=TensorProto.FLOAT)
    across = parts.node("Mul", [hits["x0"], hits["x1"]], f"{prefix}across")
    down = parts.node("Mul", [hits["y0"], hits["y1"]], f"{prefix}down")
    last = parts.constant(f"{prefix}last_axis", [2], np.int64)
    column = parts.node("Unsqueeze", [down, last], f"{prefix}down_column")
    row = parts.node("Unsqueeze", [across, axis], f"{prefix}across_row")
    return parts.node("Mul", [column, row], f"{prefix}inside")

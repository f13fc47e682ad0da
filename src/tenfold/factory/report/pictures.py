"""Pictures small enough to travel inside a page."""

import base64
import io
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from PIL import Image

from tenfold.factory.report.values import Exhibit, ModelReport

MISTAKES_SHOWN = 12
HEAT_MAPS_SHOWN = 8
THUMBNAIL_PX = 224
PICTURE_BYTES = 1_900_000
"""For all pictures of one report together, before base64 adds a third."""


@dataclass(frozen=True, slots=True)
class Shown:
    """An exhibit with its pictures as `data:` addresses."""

    exhibit: Exhibit
    picture: str
    overlay: str = ""


@dataclass(frozen=True, slots=True)
class Gallery:
    """What of one model's exhibits fits; the rest is counted, never dropped in silence."""

    mistakes: tuple[Shown, ...]
    mistakes_left_out: int
    heat_maps: tuple[Shown, ...]
    heat_maps_left_out: int


def gallery(model: ModelReport, *, budget_bytes: int) -> Gallery:
    """Mistakes come first, then heat maps, until number or `budget_bytes` is spent."""
    mistakes, spent = _shrunk(model.mistakes[:MISTAKES_SHOWN], budget_bytes)
    heat_maps, _ = _shrunk(model.heat_maps[:HEAT_MAPS_SHOWN], budget_bytes - spent)
    known = _mistakes_made(model)
    return Gallery(
        mistakes,
        max(known - len(mistakes), 0),
        heat_maps,
        len(model.heat_maps) - len(heat_maps),
    )


def _mistakes_made(model: ModelReport) -> int:
    """Wrong answers on judge, from the first of the model's figures that tells."""
    if model.mistake_count is not None:
        return model.mistake_count
    if model.confusion is not None:
        return int(model.confusion.counts.sum() - np.trace(model.confusion.counts))
    if model.scores is not None:
        said = model.scores.scores >= model.scores.threshold
        return int((said != model.scores.is_positive).sum())
    return len(model.mistakes)


def _shrunk(exhibits: Sequence[Exhibit], budget_bytes: int) -> tuple[tuple[Shown, ...], int]:
    kept: list[Shown] = []
    spent = 0
    for exhibit in exhibits:
        pictures = [thumbnail(p) for p in (exhibit.picture, exhibit.overlay) if p is not None]
        cost = sum(len(p) for p in pictures)
        if spent + cost > budget_bytes:
            break
        spent += cost
        kept.append(Shown(exhibit, *(_address(p) for p in pictures)))
    return tuple(kept), spent


def thumbnail(picture: bytes) -> bytes:
    """`picture` as a small JPEG, upright shape kept."""
    with Image.open(io.BytesIO(picture)) as opened:
        image = opened.convert("L" if opened.mode == "L" else "RGB")
    image.thumbnail((THUMBNAIL_PX, THUMBNAIL_PX))
    out = io.BytesIO()
    image.save(out, "JPEG", quality=80, optimize=True)
    return out.getvalue()


def _address(jpeg: bytes) -> str:
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode()

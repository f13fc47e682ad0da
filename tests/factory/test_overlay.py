"""Anomaly maps over pictures."""

import io

import numpy as np
import pytest
from PIL import Image

from tenfold.errors import DataError
from tenfold.factory.overlay import inferno, overlay


def read(png: bytes) -> np.ndarray:
    return np.asarray(Image.open(io.BytesIO(png))).astype(int)


def test_only_the_hot_part_is_tinted():
    pixels = np.full((64, 96, 1), 120, dtype=np.uint8)
    heat = np.zeros((8, 12), dtype=np.float32)
    heat[1:4, 1:4] = 2.0
    seen = read(overlay(pixels, heat, low=1.0, high=2.0))
    assert seen.shape == (64, 96, 3)
    assert (seen[40:, 60:] == 120).all()
    assert seen[20, 20, 0] - seen[20, 20, 2] > 40  # yellow: red well above blue


def test_padding_of_a_letterboxed_map_is_cut_off():
    pixels = np.zeros((50, 100, 3), dtype=np.uint8)
    heat = np.zeros((16, 16), dtype=np.float32)
    heat[:4] = heat[12:] = 5.0  # only where the canvas is padding
    heat[8, 2] = 1.0
    seen = read(overlay(pixels, heat, low=0.5, high=1.0, content_xyxy=(0, 0.3125, 1, 0.6875)))
    rows, columns = np.nonzero(seen.sum(axis=2) > 60)
    assert columns.max() < 25
    assert 20 < rows.mean() < 40


def test_colours_brighten_with_the_score():
    colours = inferno(np.linspace(0, 1, 50)[None])[0]
    lightness = colours @ np.array([0.2126, 0.7152, 0.0722])
    assert (np.diff(lightness) > 0).all()


def test_flat_map_leaves_the_picture_alone():
    pixels = np.random.default_rng(0).integers(0, 256, (20, 30, 3), dtype=np.uint8)
    assert (read(overlay(pixels, np.ones((4, 4), dtype=np.float32))) == pixels).all()


def test_broken_input_is_refused():
    with pytest.raises(DataError, match="finite"):
        overlay(np.zeros((4, 4, 1), dtype=np.uint8), np.full((2, 2), np.nan))
    with pytest.raises(DataError, match="uint8"):
        overlay(np.zeros((4, 4, 3)), np.zeros((2, 2)))

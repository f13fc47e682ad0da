"""Copies are found, look-alikes are not."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image, ImageEnhance, ImageFilter

from tenfold.errors import DataError
from tenfold.factory.duplicates import (
    HASH_RADIUS,
    join_exact,
    near_groups,
    near_hashes,
    perceptual_hash,
    thumbnail,
)
from tenfold.formats import named
from tenfold.formats.pixels import decode

SHARED = Path(__file__).parents[2].parent / "shared/data"


def groups_of(pictures):
    thumbs = np.stack([thumbnail(p) for p in pictures])
    hashes = np.array([perceptual_hash(t) for t in thumbs], np.uint64)
    return near_groups(hashes, thumbs, lambda position: pictures[position])


def scene(seed, side=200):
    """Grain at all scales, as a surface has."""
    rng = np.random.default_rng(seed)
    picture = np.zeros((side, side))
    for size in (4, 9, 25, 60, side):
        noise = Image.fromarray(rng.normal(size=(size, size)).astype(np.float32))
        picture += np.asarray(noise.resize((side, side), Image.Resampling.BICUBIC))
    return np.clip(128 + 22 * picture, 0, 255).astype(np.uint8)


def recoded(picture):
    file = io.BytesIO()
    picture.save(file, "JPEG", quality=60)
    return Image.open(file)


CHANGES = {
    "recoded": recoded,
    "half as large": lambda p: p.resize((100, 100), Image.Resampling.BILINEAR),
    "darker": lambda p: ImageEnhance.Brightness(p).enhance(0.7),
    "blurred": lambda p: p.filter(ImageFilter.GaussianBlur(1)),
    "in colour": lambda p: p.convert("RGB"),
}


@pytest.mark.parametrize("change", CHANGES)
def test_a_changed_copy_is_found_among_others(change):
    pictures = [scene(seed)[:, :, None] for seed in range(8)]
    copy = np.asarray(CHANGES[change](Image.fromarray(scene(3))))
    assert groups_of([*pictures, copy.reshape(*copy.shape[:2], -1)]) == [[3, 8]]


def test_a_shifted_copy_is_found():
    wide = scene(3, side=206)
    pictures = [wide[:200, :200], scene(1), wide[2:202, 1:201], wide[4:204, 4:204], scene(2)]
    assert groups_of([p[:, :, None] for p in pictures]) == [[0, 2, 3]]


def test_the_same_frame_around_other_grain_is_no_copy():
    pictures = []
    for seed in range(60):
        grain = np.random.default_rng(seed).normal(160, 4, (200, 200))
        grain[::50] = grain[:, :8] = 40
        pictures.append(np.clip(grain, 0, 255).astype(np.uint8)[:, :, None])
    assert groups_of(pictures) == []
    assert groups_of([*pictures, pictures[7] - 3]) == [[7, 60]]


def test_blank_pictures_are_not_grouped():
    assert groups_of([np.full((50, 50, 1), grey, np.uint8) for grey in (0, 0, 9, 255)]) == []


def test_hashes_within_the_radius_are_all_found():
    rng = np.random.default_rng(0)
    hashes = rng.integers(0, 1 << 63, 300, dtype=np.uint64)
    for position in range(100):  # near copies at every distance
        flips = rng.choice(64, position % 14, replace=False)
        hashes[200 + position] = hashes[position] ^ np.uint64(sum(1 << int(f) for f in flips))
    distance = np.bitwise_count(hashes[:, None] ^ hashes[None])
    expected = np.argwhere(np.triu(distance <= HASH_RADIUS, 1))
    assert np.array_equal(np.column_stack(near_hashes(hashes)), expected)


def test_a_crowd_of_equal_hashes_stays_affordable():
    first, second = near_hashes(np.zeros(1500, np.uint64))
    assert len(first) <= 1500 * 256
    assert set(range(1, 1500)) <= set(second.tolist())


def test_exact_copies_join_unless_they_contradict():
    a, b, bare = ("a.png", "d1", ("ok",)), ("b.png", "d1", ("ok",)), ("c.png", "d1", ())
    assert join_exact([bare, a, b, ("e.png", "d2", ("dent",))]) == [1, 3]
    with pytest.raises(DataError, match=r"^f\.png: same picture as a\.png, which is 'ok'.*'dent'"):
        join_exact([a, b, ("f.png", "d1", ("dent",))])


def test_steel_patches_that_are_one_picture_are_found():
    folder = SHARED / "A-neu-det-steel"
    if not folder.is_dir():
        pytest.skip("the steel pictures are not on this machine")
    rows = [r for r in named("csv").read(folder) if r.labels == ("patches",)]
    pictures = [decode(r.file.read_bytes(), where=r.path) for r in rows]
    found = [{rows[i].path[7:-4] for i in group} for group in groups_of(pictures)]
    assert {"patches_101", "patches_105"} in found
    assert max(map(len, found)) == 2

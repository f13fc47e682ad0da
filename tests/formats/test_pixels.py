"""Every kind of picture file gives the same pixels; every broken one says why."""

import io

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tenfold.errors import DataError
from tenfold.formats.pixels import as_bmp, decode, inspect, reason

ROWS, COLUMNS = np.mgrid[:40, :64]
GREY = (ROWS * 3 + COLUMNS).astype(np.uint8)
COLOUR = np.stack([GREY, 255 - GREY, GREY // 2], axis=-1)
LOSSLESS = {"PNG": {}, "BMP": {}, "TIFF": {"compression": "tiff_lzw"}, "WEBP": {"lossless": True}}


def encoded(pixels, kind="PNG", **options):
    picture = pixels if isinstance(pixels, Image.Image) else Image.fromarray(pixels)
    file = io.BytesIO()
    picture.copy().save(file, kind, **options)
    return file.getvalue()


def why(data, **options):
    with pytest.raises(DataError) as caught:
        decode(data, where="shift-2/a.png", **options)
    assert str(caught.value).startswith("shift-2/a.png: ")
    return reason(caught.value)


def outcome(data):
    """Pixels, or the reason why there are none."""
    try:
        return decode(data, where="", max_pixels=1_000_000)
    except DataError as error:
        return reason(error)


@pytest.mark.parametrize("kind", LOSSLESS)
def test_lossless_kinds_give_back_their_pixels(kind):
    assert np.array_equal(decode(encoded(COLOUR, kind, **LOSSLESS[kind]), where=""), COLOUR)


@given(
    st.sampled_from(sorted(LOSSLESS)),
    st.integers(1, 40),
    st.integers(1, 40),
    st.booleans(),
    st.integers(0, 2**32 - 1),
)
@settings(max_examples=60, deadline=None)
def test_any_picture_survives_any_lossless_kind(kind, height, width, is_grey, seed):
    shape = (height, width) if is_grey else (height, width, 3)
    pixels = np.random.default_rng(seed).integers(0, 256, shape, np.uint8)
    read = decode(encoded(pixels, kind, **LOSSLESS[kind]), where="")
    assert np.array_equal(np.broadcast_to(read, (height, width, read.shape[2])), read)
    assert np.array_equal(read, pixels.reshape(height, width, -1) + np.zeros_like(read))


def test_jpeg_stays_close_and_keeps_its_channels():
    assert decode(encoded(GREY, "JPEG", quality=95), where="").shape == (40, 64, 1)
    read = decode(encoded(COLOUR, "JPEG", quality=95), where="").astype(int)
    assert np.abs(read - COLOUR).mean() < 3


@pytest.mark.parametrize("kind", ["PNG", "TIFF"])
def test_sixteen_bits_keep_full_scale(kind):
    deep = (GREY.astype(np.uint16) << 8) + 77
    assert np.array_equal(decode(encoded(deep, kind), where="")[:, :, 0], GREY)


def test_sixteen_bit_tiff_with_white_as_zero_is_turned_round():
    data = bytearray(encoded(GREY.astype(np.uint16) << 8, "TIFF"))
    entry = data.index(b"\x06\x01\x03\x00")  # tag 262, photometric interpretation
    assert data[entry + 8] == 1
    data[entry + 8] = 0
    assert np.array_equal(decode(bytes(data), where="")[:, :, 0], 255 - GREY)


def test_transparency_shows_black():
    alpha = np.full_like(GREY, 255)
    alpha[:, :32] = 0
    alpha[:, 32:40] = 128
    read = decode(encoded(np.dstack([COLOUR, alpha])), where="")
    assert not read[:, :32].any()
    assert np.abs(read[:, 32:40] - COLOUR[:, 32:40] * (128 / 255)).max() <= 1
    assert np.array_equal(read[:, 40:], COLOUR[:, 40:])
    pair = Image.merge("LA", (Image.fromarray(GREY), Image.fromarray(alpha)))
    read = decode(encoded(pair), where="")
    assert read.shape == (40, 64, 1)
    assert not read[:, :32].any()
    assert np.array_equal(read[:, 40:, 0], GREY[:, 40:])


def test_palette_cmyk_and_one_bit_become_grey_or_rgb():
    colour = Image.fromarray(COLOUR)
    palette = decode(encoded(colour.convert("P", palette=Image.Palette.ADAPTIVE)), where="")
    cmyk = decode(encoded(colour.convert("CMYK"), "JPEG", quality=95), where="")
    for read in (palette, cmyk):
        assert read.shape == (40, 64, 3)
        assert np.abs(read.astype(int) - COLOUR).mean() < 6
    bits = decode(encoded(Image.fromarray(GREY).convert("1")), where="")
    assert bits.shape == (40, 64, 1)
    assert set(np.unique(bits)) == {0, 255}


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP", "JPEG"])
@pytest.mark.parametrize("turn", range(1, 9))
def test_pictures_stand_upright(kind, turn):
    undo = {1: None, 2: 0, 3: 3, 4: 1, 5: 5, 6: 4, 7: 6, 8: 2}[turn]  # transpose that uprights it
    exif = Image.Exif()
    exif[274] = turn
    data = encoded(COLOUR, kind, exif=exif, **LOSSLESS.get(kind, {"quality": 95}))
    upright = Image.fromarray(COLOUR)
    if undo is not None:
        upright = upright.transpose(Image.Transpose(undo))
    read = decode(data, where="")
    assert inspect(data)[:2] == upright.size == read.shape[1::-1]
    assert np.abs(read.astype(int) - np.asarray(upright)).mean() < (3 if kind == "JPEG" else 0.1)


def test_empty_and_foreign_files_say_what_they_are():
    assert why(b"") == "empty"
    assert why(b"hello, world") == "not-an-image"
    assert why(encoded(Image.fromarray(GREY), "GIF")) == "unsupported-format"
    assert why(b"version https://git-lfs.github.com/spec/v1\noid sha256:0") == "unsupported-format"


def test_a_bomb_is_seen_in_the_header():
    bomb = encoded(Image.new("1", (12_000, 12_000)))
    assert len(bomb) < 100_000
    assert why(bomb) == "too-large"
    assert why(encoded(GREY), max_pixels=1000) == "too-large"


def test_pixels_without_an_agreed_white_are_refused():
    assert why(encoded(Image.fromarray(GREY).convert("F"), "TIFF")) == "unsupported-depth"
    assert why(encoded(Image.fromarray(GREY).convert("I"), "TIFF")) == "unsupported-depth"
    assert why(encoded(Image.new("LAB", (9, 9)), "TIFF")) == "unsupported-colour"


@pytest.mark.parametrize("kind", ["PNG", "TIFF", "WEBP"])
def test_several_pages_are_not_one_picture(kind):
    other = Image.fromarray(255 - GREY)
    assert why(encoded(GREY, kind, save_all=True, append_images=[other])) == "several-pages"


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG"])
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_a_cut_file_is_truncated_or_whole(kind):
    data = encoded(COLOUR, kind)
    whole = decode(data, where="")
    for length in range(12, len(data), max(1, len(data) // 60)):
        read = outcome(data[:length])
        same = isinstance(read, np.ndarray) and np.array_equal(read, whole)
        assert same or (isinstance(read, str) and read == "truncated"), length


@given(st.sampled_from(["PNG", "BMP", "TIFF", "WEBP", "JPEG"]), st.data())
@settings(max_examples=150, deadline=None)
@pytest.mark.filterwarnings("ignore::UserWarning:PIL")
def test_no_damage_raises_anything_but_a_data_error(kind, draw):
    data = bytearray(encoded(COLOUR, kind))
    for _ in range(draw.draw(st.integers(1, 6))):
        data[draw.draw(st.integers(0, len(data) - 1))] = draw.draw(st.integers(0, 255))
    read = outcome(bytes(data))
    assert isinstance(read, str) or (read.dtype == np.uint8 and read.shape[2] in (1, 3))


@pytest.mark.parametrize("channels", [1, 3])
def test_pixels_become_a_file_that_reads_back_as_they_were(channels):
    pixels = np.random.default_rng(0).integers(0, 256, (7, 5, channels), dtype=np.uint8)
    assert np.array_equal(decode(as_bmp(pixels), where="it"), pixels)
    assert as_bmp(pixels) == as_bmp(pixels.copy())

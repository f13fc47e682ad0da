"""Codes in a picture say who the part is."""

import numpy as np
import pytest

zxingcpp = pytest.importorskip("zxingcpp", reason="the extra `line` is not installed")

from tenfold.apps.line.codes import identify  # noqa: E402
from tenfold.apps.line.station import Identity  # noqa: E402

IDENTITY = Identity(by="code", pattern=r"(?P<part>\d+)-(?P<serial>\w+)")


def picture(*codes):
    """Codes on a grey part, below one another."""
    pixels = np.full((160 * len(codes) + 40, 240, 3), 200, np.uint8)
    for number, (text, name) in enumerate(codes):
        made = zxingcpp.create_barcode(text, getattr(zxingcpp.BarcodeFormat, name))
        image = np.asarray(zxingcpp.write_barcode_to_image(made, scale=4))[:140, :220]
        top = 20 + 160 * number
        pixels[top : top + image.shape[0], 10 : 10 + image.shape[1]] = image[..., None]
    return pixels


@pytest.mark.parametrize("name", ["DataMatrix", "QRCode"])
def test_part_and_serial_are_read(name):
    assert identify(picture(("4711-S42", name)), IDENTITY) == {"part": "4711", "serial": "S42"}


def test_no_code_another_code_and_two_that_differ_say_nobody():
    assert identify(np.full((200, 200, 3), 90, np.uint8), IDENTITY) is None
    assert identify(picture(("hello", "DataMatrix")), IDENTITY) is None
    two = picture(("4711-S1", "DataMatrix"), ("4711-S2", "DataMatrix"))
    assert identify(two, IDENTITY) is None
    twice = picture(("4711-S1", "DataMatrix"), ("4711-S1", "DataMatrix"))
    assert identify(twice, IDENTITY) == {"part": "4711", "serial": "S1"}

"""What a station makes of a picture, where no head is asked."""

from datetime import UTC, datetime

import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")
pytest.importorskip("zxingcpp", reason="needs the extra `line`")

import numpy as np
import zxingcpp
from PIL import Image

from parts_drawn import plate
from tenfold.apps.line.judging import Eyes
from tenfold.apps.line.parts import Parts
from tenfold.apps.line.station import Identity
from tenfold.apps.line.values import Frame, Trigger

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
PART = """\
part: "4711"
reference: a.png
regions: [{name: lid, box: [200, 60, 280, 140], checks: [{check: golden}]}]
"""
BY_CODE = Identity(by="code", formats=("QRCode",), pattern=r"(?P<part>\w+)/(?P<serial>\w+)")


def labelled(text):
    """A plate with a code on it."""
    pixels = plate(np.random.default_rng(0))
    code = zxingcpp.create_barcode(text, zxingcpp.BarcodeFormat.QRCode)
    drawn = np.array(zxingcpp.write_barcode_to_image(code, scale=3, add_quiet_zones=True))
    height, width = drawn.shape[:2]
    pixels[20 : 20 + height, 100 : 100 + width] = drawn[:, :, None]
    return pixels


def look(folder, shown, part):
    (folder / "4711.yaml").write_text(PART)
    Image.fromarray(labelled("4711/S1")).save(folder / "a.png")
    eyes = Eyes(Parts(folder), None, BY_CODE)
    return eyes.look(Trigger(1, part), Frame(shown, NOON), 5.0)


def test_the_code_says_who_the_part_is(tmp_path):
    told = look(tmp_path, labelled("4711/S1"), "")
    assert (told.outcome, told.part, told.serial) == ("ok", "4711", "S1")


def test_a_code_that_contradicts_the_controller_is_never_ok(tmp_path):
    told = look(tmp_path, labelled("4711/S1"), "4712")
    assert (told.outcome, told.reason) == ("reject", "wrong part")


def test_no_code_is_no_part(tmp_path):
    told = look(tmp_path, plate(np.random.default_rng(0)), "4711")
    assert (told.outcome, told.reason) == ("manual", "no code read")


def test_what_differs_from_the_reference_can_be_shown(tmp_path):
    whole = labelled("4711/S1")
    assert look(tmp_path, whole, "4711").sights == {}
    scratch = whole.copy()
    scratch[95:105, 215:265] = 10
    told = look(tmp_path, scratch, "4711")
    assert (told.outcome, told.reason) == ("reject", "differs lid")
    sight = told.sights["lid"]
    ((left, top, right, bottom),) = sight.boxes
    assert sight.pixels.shape == (80, 80, 3)
    assert 8 <= left < right <= 72
    assert 28 <= top < bottom <= 52


def test_a_region_that_was_torn_off_is_judged_by_nobody(tmp_path):
    torn = labelled("4711/S1")
    torn[50:150, 190:290] = 0
    told = look(tmp_path, torn, "4711")
    assert (told.outcome, told.reason) == ("manual", "unfit: too dark")

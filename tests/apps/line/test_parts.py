"""The part numbers of a station."""

import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

import numpy as np
from PIL import Image

from parts_drawn import plate
from tenfold.apps.line.parts import KEPT_FEATURES, Parts
from tenfold.errors import NotFound, SpecError

PART = """\
part: "{part}"
reference: a.png
regions: [{{name: lid, box: [30, 60, 110, 140], checks: [{{check: golden}}]}}]
"""


@pytest.fixture
def parts(tmp_path):
    (tmp_path / "parts").mkdir()
    Image.fromarray(plate(np.random.default_rng(0))).save(tmp_path / "parts" / "a.png")
    (tmp_path / "parts" / "4711.yaml").write_text(PART.format(part="4711"))
    (tmp_path / "outside.yaml").write_text(PART.format(part="outside"))
    return Parts(tmp_path / "parts")


def test_a_part_is_read_once_until_its_file_changes(parts):
    known = parts.get("4711")
    assert parts.get("4711") is known
    (parts.folder / "4711.yaml").write_text(PART.format(part="4711") + "# changed\n")
    assert parts.get("4711") is not known


@pytest.mark.parametrize("number", ["4712", "", "../outside", "a/b", "x" * 300, "a\0b"])
def test_a_number_that_was_never_taught_is_unknown_wherever_it_leads(parts, number):
    with pytest.raises(NotFound, match="never taught"):
        parts.get(number)


def test_a_file_of_another_part_is_refused(parts):
    (parts.folder / "4712.yaml").write_text(PART.format(part="4711"))
    with pytest.raises(SpecError, match="the file of part '4712' describes part '4711'"):
        parts.get("4712")


def test_what_takes_long_of_a_reference_is_kept_and_is_that_of_its_picture(parts):
    first = parts.get("4711").reference.features
    (kept,) = (parts.folder / KEPT_FEATURES).iterdir()
    written = kept.stat().st_mtime_ns
    again = Parts(parts.folder).get("4711").reference.features
    assert (again.points == first.points).all()
    assert (again.descriptors == first.descriptors).all()
    assert kept.stat().st_mtime_ns == written
    Image.fromarray(plate(np.random.default_rng(1))).save(parts.folder / "a.png")
    other = Parts(parts.folder).get("4711").reference.features
    assert other.points.shape != first.points.shape or (other.points != first.points).any()


def test_a_damaged_file_of_features_costs_time_and_nothing_else(parts):
    first = parts.get("4711").reference.features
    (kept,) = (parts.folder / KEPT_FEATURES).iterdir()
    kept.write_bytes(kept.read_bytes()[:50])
    assert (Parts(parts.folder).get("4711").reference.features.points == first.points).all()
    assert kept.stat().st_size > 50

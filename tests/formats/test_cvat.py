"""CVAT for images 1.1 is read, from datumaro and as documented; what was spoiled is refused."""

import json
import re
import time
import zipfile
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path
from xml.etree import ElementTree

import pytest

from tenfold.errors import DataError, NotFound
from tenfold.formats import cvat
from tenfold.formats.exchange import Choice
from tenfold.formats.xml_tree import tree

DATA = Path(__file__).parents[1] / "data" / "cvat"
DOCUMENTED = (DATA / "as_documented.xml").read_text(encoding="utf-8")
CHOICE = Choice(("good", "patch"), regions=("patch",))
SAMPLES = [
    "05ebb62bad48290f737fd68540bcfaa9ec76c73e9b9a998f84c836d9d7d27c85",
    "ff435ee56edd3b86a27eb71b365807c8fcb5e075b7d55d63aca7fdb8375df3f0",
    "d397351457fb679bdbbced744234ee0741901ed6b58182750029ac17cc43b320",
]
SIZES = dict.fromkeys(SAMPLES, (72, 72))


@pytest.fixture
def put(tmp_path):
    def write(text):
        (tmp_path / "annotations.xml").write_text(text, encoding="utf-8")
        return tmp_path / "annotations.xml"

    return write


def refused(source, sizes=SIZES):
    with pytest.raises(DataError) as caught:
        cvat.read(source, choice=CHOICE, sizes=sizes)
    return str(caught.value)


def test_what_datumaro_wrote():
    found = cvat.read(DATA / "datumaro.xml", choice=CHOICE, sizes=SIZES)
    assert {one.sample: one.labels for one in found} == {
        SAMPLES[0]: ("good",),
        SAMPLES[1]: (),
        SAMPLES[2]: ("patch",),
    }
    assert found[1].boxes[0].xyxy_px == (18, 9, 54, 27)
    assert (found[0].who, found[0].seconds, found[0].at) == ("", 0, None)


def test_what_the_documentation_shows():
    good, patch = cvat.read(DATA / "as_documented.xml", choice=CHOICE, sizes=SIZES)
    assert (good.labels, good.who) == (("good",), "ann")
    assert good.at == datetime(2026, 11, 25, 9, 0, 0, 200000, tzinfo=UTC)
    assert patch.labels == ("patch",)
    half = 9 * 2**0.5  # of the diagonal of 18 × 18, turned 45° around (36, 36)
    assert patch.boxes[0].xyxy_px == pytest.approx((36 - half, 36 - half, 36 + half, 36 + half))
    assert patch.boxes[1].xyxy_px == (60, 60, 72, 72)


def test_what_no_person_said_is_left_out():
    """CVAT calls a model's labels `auto`, and those it took from a file `file`."""
    found = cvat.read(DATA / "as_documented.xml", choice=CHOICE)
    assert SAMPLES[2] not in [one.sample for one in found]


def test_the_archive_that_is_downloaded(tmp_path):
    path = tmp_path / "task.zip"
    with zipfile.ZipFile(path, "w") as archive:
        archive.write(DATA / "as_documented.xml", "annotations.xml")
    assert cvat.read(path, choice=CHOICE) == cvat.read(DATA / "as_documented.xml", choice=CHOICE)
    with zipfile.ZipFile(path, "w") as archive:
        archive.writestr("other.xml", "")
    assert "no annotations.xml in it" in refused(path)


def test_a_second_export_has_the_same_keys_and_another_word_another(put):
    keys = [one.key for one in cvat.read(DATA / "as_documented.xml", choice=CHOICE)]
    later = DOCUMENTED.replace("09:00:00.2", "10:00:00.2").replace("<id>7</id>", "<id>8</id>")
    assert [one.key for one in cvat.read(put(later), choice=CHOICE)] == keys
    other = DOCUMENTED.replace('<tag label="good"', '<tag label="patch"')
    assert [one.key for one in cvat.read(put(other), choice=CHOICE)][1:] == keys[1:]
    assert cvat.read(put(other), choice=CHOICE)[0].key != keys[0]


def test_a_project_tells_who_was_given_which_task(put):
    task = "<task><id>{}</id><assignee><username>{}</username></assignee></task>"
    meta = f"<project><tasks>{task.format(1, 'ann')}{task.format(2, 'ben')}</tasks></project>"
    image = '<image name="{}.png" width="72" height="72" task_id="{}"><tag label="good"/></image>'
    images = "".join(image.format(s, n) for n, s in enumerate(SAMPLES, start=1))
    text = f"<annotations><version>1.1</version><meta>{meta}</meta>{images}</annotations>"
    assert [one.who for one in cvat.read(put(text), choice=CHOICE)] == ["ann", "ben", ""]


@pytest.mark.parametrize(
    ("old", "new", "line", "words"),
    [
        (f'name="{SAMPLES[0]}', 'name="photo', 53, "expected a name with the sample's digest"),
        (f'name="{SAMPLES[0]}', f'name="{"ab" * 32}', 53, "nobody was asked about sample abab"),
        (f'name="{SAMPLES[0]}.png" ', "", 53, "<image> has no 'name'"),
        (f'name="{SAMPLES[1]}', f'name="{SAMPLES[0]}', 57, "stands on line 53 already"),
        ('width="72"', 'width="73"', 53, "expected a picture of 72 × 72 pixels, got 73 × 72"),
        ('width="72"', 'width="wide"', 53, "expected a number as 'width', got 'wide'"),
        ('width="72"', 'width="0"', 53, "no picture is 0 × 72 pixels"),
        ('label="good"', 'label="fine"', 54, "unknown class 'fine'"),
        ('<tag label="good" source="manual">', "<tag>", 54, "<tag> has no 'label'"),
        ('xbr="72.40"', 'xbr="73.40"', 60, "does not lie in the picture of 72 × 72"),
        ('xbr="72.40"', 'xbr="59.00"', 60, "does not lie in the picture"),
        ('xbr="72.40"', 'xbr="nan"', 60, "expected a number as 'xbr', got 'nan'"),
        ('xbr="72.40" ', "", 60, "<box> has no 'xbr'"),
        ("</annotations>", "", 70, "not XML"),
        ("<version>1.1", "<version>2.0", 2, "expected <annotations> of version 1.1"),
        ("</meta>", '</meta><track id="0"/>', 52, "holds tracks, as exports for video do"),
        ("</tag>", '</tag><tag label="patch"/>', 54, "says 'good' and 'patch'"),
        ("</tag>", '</tag><polygon label="patch"/>', 55, "expected tags and boxes, got a polygon"),
        ("<annotations>", "<!DOCTYPE annotations []><annotations>", 2, "holds a DTD"),
        ("utf-8", "utf-99", 1, "not XML"),
    ],
)
def test_an_edited_export_is_refused_with_its_line(put, old, new, line, words):
    assert old in DOCUMENTED
    message = refused(put(DOCUMENTED.replace(old, new, 1)))
    assert f"annotations.xml:{line}: " in message
    assert words in message


def test_no_entity_is_expanded(put):
    bomb = '<!DOCTYPE a [<!ENTITY b "bbbb"><!ENTITY c "&b;&b;">]><annotations>&c;</annotations>'
    assert "holds a DTD" in refused(put(bomb))
    assert "nested too deep" in refused(put("<a>" * 1000))


@pytest.mark.parametrize("how", [zipfile.ZIP_DEFLATED, zipfile.ZIP_BZIP2, zipfile.ZIP_LZMA])
def test_a_damaged_archive_is_refused(tmp_path, how):
    with zipfile.ZipFile(tmp_path / "whole.zip", "w", how) as archive:
        archive.writestr("annotations.xml", DOCUMENTED)
    whole = (tmp_path / "whole.zip").read_bytes()
    for place in range(len(whole)):
        damaged = bytearray(whole)
        damaged[place] ^= 255
        (tmp_path / "damaged.zip").write_bytes(damaged)
        with suppress(DataError):
            cvat.read(tmp_path / "damaged.zip", choice=CHOICE)


def test_a_time_that_no_calendar_has_is_not_told(put):
    odd = re.sub("<updated>[^<]*", "<updated>0001-01-01T00:00:00+14:00", DOCUMENTED)
    assert odd != DOCUMENTED
    assert {one.at for one in cvat.read(put(odd), choice=CHOICE)} == {None}


def test_text_of_many_lines_is_read_in_linear_time():
    """Ten times as many lines took a hundred times as long."""
    began = time.perf_counter()
    assert len(tree(b"<a>" + b"xy\n" * 20_000_000 + b"</a>", where="here").text) == 59_999_999
    assert time.perf_counter() - began < 20


def test_no_file(tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        cvat.read(tmp_path / "lost.xml", choice=CHOICE)


def test_labels_for_the_constructor_and_annotations_without_a_word(tmp_path, one_ask):
    folder = tmp_path / "queue <1>"
    cvat.write([one_ask], folder, choice=CHOICE)
    labels = json.loads((folder / "labels.json").read_text(encoding="utf-8"))
    assert [(label["name"], label["type"]) for label in labels] == [
        ("good", "tag"),
        ("patch", "any"),
        ("cannot tell", "tag"),
    ]
    root = ElementTree.parse(folder / "annotations.xml").getroot()
    (image,) = root.iter("image")
    assert (folder / "images" / image.get("name")).read_bytes() == one_ask.file.read_bytes()
    assert not list(image)

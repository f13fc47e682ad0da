"""Bad files are set aside with their reason, good ones come in order."""

import hashlib
import os
import shutil
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tenfold.factory.read_images import Quarantined, ReadImage, read_images
from tenfold.formats import named
from tenfold.formats.row import Rejected, Row

DATA = Path(__file__).parents[1] / "data"


def test_every_row_gets_its_answer_in_order():
    rows = list(named("csv").read(DATA / "csv"))
    rows.insert(2, Rejected("notes.txt", "not-an-image", "no picture."))
    kept = []
    results = list(read_images(iter(rows), threads=3, keep=kept.append))
    assert results[2] == Quarantined("notes.txt", "not-an-image", "no picture.")
    images = [r for r in results if isinstance(r, ReadImage)]
    assert [r.row.path for r in images] == [r.path for r in rows if isinstance(r, Row)]
    first = images[0]
    assert first.sha256 == hashlib.sha256(first.row.file.read_bytes()).hexdigest()
    assert (first.width, first.height, first.mode) == (72, 72, "L")
    assert first.thumb.shape == (32, 32)
    assert {first.sha256, first.mask_sha256} <= {hashlib.sha256(data).hexdigest() for data in kept}


def test_one_bad_file_never_stops_the_others(tmp_path):
    good = (DATA / "image_folder/good/brick_0.png").read_bytes()
    bad = {"empty": b"", "truncated": good[:900], "not-an-image": b"plain words here"}
    for name, data in bad.items():
        (tmp_path / f"{name}.png").write_bytes(data)
    (tmp_path / "a.png").write_bytes(good)
    os.mkfifo(tmp_path / "not-a-file.png")
    names = ["a", *bad, "missing", "not-a-file"]
    results = list(read_images(Row(f"{name}.png", root=tmp_path) for name in names))
    assert isinstance(results[0], ReadImage)
    assert [r.reason for r in results[1:]] == names[1:]
    assert all(r.detail and "\n" not in r.detail for r in results[1:])


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_forbidden_file_is_set_aside(tmp_path):
    shutil.copyfile(DATA / "image_folder/good/brick_0.png", tmp_path / "a.png")
    (tmp_path / "a.png").chmod(0)
    (result,) = read_images([Row("a.png", root=tmp_path)])
    assert (result.reason, "Permission denied" in result.detail) == ("unreadable", True)


def test_a_mask_must_fit_its_picture(tmp_path):
    shutil.copytree(DATA / "csv", tmp_path, dirs_exist_ok=True)
    row = next(iter(named("csv").read(tmp_path)))
    Image.new("1", (72, 70)).save(tmp_path / row.mask)
    (result,) = read_images([row])
    assert result.reason == "bad-mask"
    assert "72 × 70 pixels, its picture 72 × 72" in result.detail


def test_rows_are_drawn_only_as_fast_as_they_are_read():
    drawn = []

    def rows():
        for n in range(1000):
            drawn.append(n)
            yield Rejected(str(n), "not-an-image", "")

    results = read_images(rows(), threads=2)
    assert next(results).path == "0"
    assert len(drawn) <= 8
    assert np.all([r.path == str(n) for n, r in enumerate(results, start=1)])

"""What every format must do; a new line in `FORMATS` is held to it at once."""

from pathlib import Path

import pytest

from tenfold.errors import NotFound, TenfoldError
from tenfold.formats import FORMATS, named
from tenfold.formats.guess import guess
from tenfold.formats.pixels import decode
from tenfold.formats.row import Row

DATA = Path(__file__).parents[1] / "data"


@pytest.fixture(params=sorted(FORMATS))
def name(request):
    return request.param


def test_what_is_written_reads_back_the_same(name, tmp_path):
    rows = list(named(name).read(DATA / name))
    assert len(rows) >= 5
    named(name).write(rows, tmp_path)
    assert list(named(name).read(tmp_path)) == rows


def test_rows_name_pictures_that_decode(name):
    for row in named(name).read(DATA / name):
        assert isinstance(row, Row)
        assert row.labels or name == "csv"
        assert decode(row.file.read_bytes(), where=row.path).shape[:2] == (72, 72)
        assert row.mask_file is None or row.mask_file.is_file()


def test_an_absent_source_says_so(name, tmp_path):
    with pytest.raises(TenfoldError, match="nowhere"):
        list(named(name).read(tmp_path / "nowhere"))


def test_the_format_is_recognised(name):
    if name != "elpv":  # by its name only: `tenfold ingest elpv`
        assert guess(DATA / name).format == name


def test_an_unknown_name_lists_the_known():
    with pytest.raises(NotFound, match="csv, elpv, image_folder, mvtec"):
        named("coco")

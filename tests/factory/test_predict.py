import csv
import io
import os

import pytest

import tenfold
from tenfold.catalog import models
from tenfold.errors import IntegrityError, NotFound, Unsupported
from tenfold.factory.evidence import of_model, read
from tenfold.factory.predict import as_csv

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line


def test_answers_keep_their_order_and_bad_files_are_rows(line, cells, tmp_path):
    files = sorted((cells / "good").iterdir())[:3]
    (tmp_path / "empty.png").write_bytes(b"")
    asked = [str(files[2]), str(tmp_path / "empty.png"), str(files[0]), str(tmp_path / "../none*")]
    os.mkfifo(tmp_path / "pipe.png")
    asked.append(str(tmp_path / "pipe.png"))
    rows = list(tenfold.predict(line, "classify-cells", asked))
    assert [row.path for row in rows] == asked
    assert [row.answer == "error" for row in rows] == [False, True, False, True, True]
    with pytest.raises(NotFound, match="nothing is there"):
        list(tenfold.predict(line, "classify-cells", asked[3:]))
    table = list(csv.DictReader(io.StringIO(as_csv(rows))))
    assert "empty" in table[1]["note"]
    assert set(rows[0].scores) == {"good", "cracked"}


def test_predictions_are_what_was_judged(line, cells):
    model = models.get(line.scope, "classify-cells")
    evidence = read(of_model(line.blobs, model))[:10]
    rows = tenfold.predict(line, model.id, [str(cells / row.path) for row in evidence])
    for said, row in zip(evidence, rows, strict=True):
        assert row.answer == said.decision
        assert list(row.scores.values()) == pytest.approx(said.scores, abs=1e-5)


def test_an_anomaly_head_shows_where_and_refuses_what_nobody_should_judge(line, cells, tmp_path):
    from PIL import Image

    Image.new("L", (300, 300)).save(tmp_path / "black.png")
    bad = sorted((cells / "cracked").iterdir())[0]
    rows = list(
        tenfold.predict(
            line,
            "anomaly-cells",
            [str(bad), str(tmp_path / "black.png")],
            overlays=tmp_path / "maps",
        )
    )
    assert rows[1].answer == "unfit"
    assert "dark" in rows[1].note
    with Image.open(rows[0].overlay) as overlay:
        assert overlay.size == (300, 300)


def test_a_package_file_answers_like_the_model(line, cells, tmp_path):
    out = tmp_path / "cells.tenfold"
    tenfold.export_package(line, "classify-cells", out)
    asked = [str(path) for path in sorted((cells / "cracked").iterdir())[:4]]
    mine = list(tenfold.predict(line, "classify-cells", asked))
    assert list(tenfold.predict(line, str(out), asked)) == mine
    with (
        tenfold.opened(tmp_path / "elsewhere") as other,
        pytest.raises((NotFound, Unsupported), match="trunk"),
    ):
        list(tenfold.predict(other, str(out), asked))
    out.write_bytes(out.read_bytes()[:-500])
    with pytest.raises(IntegrityError, match="damaged"):
        list(tenfold.predict(line, str(out), asked))

"""`tenfold review`: what waits, and for whom."""

import shutil

import pytest
from typer.testing import CliRunner

import tenfold
from cells import solar_cells
from production import CAP, TASK
from tenfold.catalog import picks
from tenfold.catalog.picks import Pick
from tenfold.cli import app
from tenfold.loop.labelling import Opinion, label

pytestmark = pytest.mark.xdist_group("line")


def listed(home, who):
    settings = {"TENFOLD_HOME": str(home), "TENFOLD_ACTOR": who, "COLUMNS": "100"}
    return CliRunner().invoke(app, ["review", "ls", CAP], catch_exceptions=False, env=settings)


def test_three_who_say_three_things_wait_for_a_fourth(workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.make_all(workspace, [str(home / "cap.yaml")])
        tenfold.deploy(workspace, CAP, "cap", unproven=True)
        file = [file for file, is_bad in solar_cells() if is_bad][100]
        sample = workspace.blobs.put(file.read_bytes())
        with workspace.scope.write() as connection:
            picks.put(connection, workspace.scope, [Pick(CAP, sample, "doubt")])
        said = [("ann", "good"), ("ben", "cracked"), ("eve", "")]
        for who, word in said:
            taken = label(workspace, CAP, Opinion(sample, word, who=who))
        assert (taken.truth, taken.more) == (None, 1)
        for who, _ in said:
            assert "wait for somebody else" in listed(home, who).stdout
        assert sample[:16] in listed(home, "lea").stdout
        taken = label(workspace, CAP, Opinion(sample, "cracked", who="lea"))
        assert taken.truth == "cracked"
    assert "Nothing waits for anybody" in listed(home, "ann").stdout

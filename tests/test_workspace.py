import json

import pytest

import tenfold
from tenfold.catalog import datasets
from tenfold.errors import NotAllowed, SpecError, Unavailable

team = [pytest.mark.postgres, pytest.mark.xdist_group("postgres")]


@pytest.fixture
def shared(postgres, s3):
    """Settings of a team: one catalog, one store, one set of features."""
    return {"catalog": postgres.database(), "blobs": f"{s3}/blobs", "features": f"{s3}/features"}


def pictures(folder, cells, count=4):
    for n, file in enumerate(sorted((cells / "good").iterdir())[:count]):
        (folder / "good").mkdir(parents=True, exist_ok=True)
        (folder / "good" / f"{n}.png").write_bytes(file.read_bytes())
    return folder


class TestTeam:
    pytestmark = team

    def test_what_one_home_ingested_another_lists_and_reads(self, tmp_path, shared, cells):
        source = pictures(tmp_path / "caps", cells)
        with tenfold.opened(tmp_path / "one", actor="ann", **shared) as one:
            tenfold.ingest(one, source, name="caps")
        with tenfold.opened(tmp_path / "two", actor="bob", **shared) as two:
            (found,) = datasets.everything(two.scope)
            assert (found.name, found.size, found.created_by) == ("caps", 4, "ann")
            items = datasets.items_of(two.scope, "caps")
            read = {two.blobs.get(item.sha256) for item in items}
        assert read == {file.read_bytes() for file in (source / "good").iterdir()}
        assert not (tmp_path / "two" / "blobs").exists()
        assert not list((tmp_path / "two").glob("catalog*"))

    def test_a_catalog_that_is_away_is_waited_for_as_long_as_was_set(self, postgres, tmp_path):
        url = postgres.database()
        tenfold.open_workspace(tmp_path, catalog=url).close()
        postgres.stop()
        try:
            with pytest.raises(Unavailable, match="again"):
                tenfold.open_workspace(tmp_path, catalog=url, patience_s=0.5)
        finally:
            postgres.start()
        tenfold.open_workspace(tmp_path, catalog=url, patience_s=0.0).close()


def test_what_doctor_found_holds_for_this_machine_alone(tmp_path):
    with tenfold.opened(tmp_path) as workspace:
        workspace.remember_machine({"precision": "bf16"})
        assert workspace.precision == "bf16"
        known = json.loads(workspace.machine_file.read_text())
        workspace.machine_file.write_text(json.dumps(known | {"fingerprint": "another"}))
        assert workspace.precision == "fp32"


@pytest.mark.parametrize("name", ["catalog", "blobs", "features"])
def test_an_impossible_url_names_no_password(tmp_path, name):
    with pytest.raises(SpecError, match="expected") as error:
        tenfold.open_workspace(tmp_path, **{name: "ftp://ann:geheim@host/x"})
    assert "geheim" not in str(error.value)


def test_a_home_that_is_a_file_is_told(tmp_path):
    (tmp_path / "home").write_text("")
    with pytest.raises((NotAllowed, tenfold.errors.Unsupported), match="TENFOLD_HOME"):
        tenfold.open_workspace(tmp_path / "home")

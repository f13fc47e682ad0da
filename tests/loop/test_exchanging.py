"""The queue goes to an annotation tool and its labels come back, all or none, once."""

import json
import shutil

import pytest

import tenfold
from cells import solar_cells
from production import CAP, TASK
from tenfold.catalog import labels, picks
from tenfold.catalog.picks import Pick
from tenfold.errors import Conflict, DataError, NotFound
from tenfold.loop.exchanging import export, import_labels


@pytest.fixture
def workspace(workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as opened:
        tenfold.make_all(opened, [str(home / "cap.yaml")])
        tenfold.deploy(opened, CAP, "cap", unproven=True)
        files = [file for file, is_bad in solar_cells() if is_bad][100:103]
        samples = [opened.blobs.put(file.read_bytes()) for file in files]
        with opened.scope.write() as connection:
            some = [Pick(CAP, sample, "doubt", said="good", worth=0.5) for sample in samples]
            picks.put(connection, opened.scope, some)
        yield opened


def labelled(folder, *said):
    """Its tasks as Label Studio exports them once somebody has answered."""
    tasks = json.loads((folder / "tasks.json").read_text())
    exported = []
    for number, (task, choice) in enumerate(zip(tasks, said, strict=False), 1):
        result = {"type": "choices", "from_name": "answer", "to_name": "image"}
        annotation = {
            "id": number,
            "completed_by": 1,
            "result": [result | {"value": {"choices": [choice]}}],
            "was_cancelled": False,
            "created_at": "2026-11-25T08:46:31.236484Z",
            "updated_at": "2026-11-25T08:46:31.236510Z",
            "lead_time": 4.5,
            "unique_id": f"259942a0-0319-4254-9c01-2a876e33{number:04d}",
        }
        exported.append({"id": number, "annotations": [annotation], "data": task["data"]})
    file = folder / "export.json"
    file.write_text(json.dumps(exported))
    return file


@pytest.mark.parametrize("tool", ["label_studio", "cvat"])
def test_the_queue_is_written_without_what_was_said(workspace, tmp_path, tool):
    assert export(workspace, CAP, tool, tmp_path / "out", limit=2) == 2
    assert len(list((tmp_path / "out/images").iterdir())) == 2
    texts = [p.read_text() for p in (tmp_path / "out").iterdir() if p.is_file()]
    assert not any("doubt" in text for text in texts)
    with pytest.raises(Conflict):
        export(workspace, CAP, tool, tmp_path / "out")


def test_labels_come_back_once(workspace, tmp_path):
    export(workspace, CAP, "label_studio", tmp_path / "out")
    file = labelled(tmp_path / "out", "good", "cracked", "cannot tell")
    done = import_labels(workspace, CAP, "label_studio", file, who="ben")
    assert (done.labels, done.known, done.settled) == (3, 0, 3)
    again = import_labels(workspace, CAP, "label_studio", file, who="ben")
    assert (again.labels, again.known) == (0, 3)
    said = labels.of_deployment(workspace.scope, CAP)
    assert sorted(one.label for one in said) == ["", "cracked", "good"]
    assert {one.seconds for one in said} == {4.5}
    assert {one.source for one in said} == {"label_studio"}
    assert picks.open_picks(workspace.scope, CAP) == []


def test_an_export_that_was_edited_changes_nothing(workspace, tmp_path):
    export(workspace, CAP, "label_studio", tmp_path / "out")
    file = labelled(tmp_path / "out", "good", "cracked")
    good = file.read_text()
    sample = json.loads(good)[1]["data"]["sample"]
    for text, told in (
        (good.replace(sample, "f" * 64), "sample"),
        (good.replace("cracked", "rust"), "rust"),
        (good[:-40], "JSON"),
    ):
        file.write_text(text)
        with pytest.raises(DataError, match=told):
            import_labels(workspace, CAP, "label_studio", file)
        assert labels.of_deployment(workspace.scope, CAP) == []


def test_what_is_not_there_is_told(workspace, tmp_path):
    with pytest.raises(NotFound, match="no annotation tool"):
        export(workspace, CAP, "paper", tmp_path / "out")
    with pytest.raises(NotFound, match="nothing is deployed"):
        export(workspace, "elsewhere", "cvat", tmp_path / "out")
    with pytest.raises(NotFound):
        import_labels(workspace, CAP, "cvat", tmp_path / "gone.xml")

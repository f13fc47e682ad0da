import gzip
import hashlib
import json
import shutil
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path

import pytest
from sqlalchemy import func, select
from typer.testing import CliRunner

import tenfold
from cells import solar_cells
from registry import assert_nothing_was_made_twice, registry
from serving_at import serving
from tenfold.backup import back_up, restore
from tenfold.catalog import copies, datasets, models
from tenfold.catalog.ledger import Entry, book
from tenfold.catalog.scope import HEAD
from tenfold.catalog.tables import metadata
from tenfold.cli import app
from tenfold.engine.local import LocalEngine
from tenfold.errors import Conflict, IntegrityError, NotFound, SpecError, Unsupported
from tenfold.factory.recording import Made
from tenfold.packages import of_model, rows_of
from workshop import FLEET, made_by, tasks_of

FEW = {"odd", "positive-1", "positive-2", "negative-1"}
TASKS = [task for task in tasks_of(FLEET) if task.task in FEW]
CAP = "station-7/cap"
PASSING = {"id"}
"""What an answer says of its request."""
MONTH = f"{datetime.now(UTC):%Y-%m}"
QUESTIONS = [
    ["ls", "--json"],
    ["show", "cells", "--json"],
    *(["show", task, "--json"] for task in sorted(FEW)),
    ["report", "economics", "--since", MONTH, "--until", MONTH, "--json"],
    ["report", "economics", "--by", "task", "--csv"],
    ["ledger", "show", "--json"],
    ["evidence", "positive-1"],
    ["deployments", "--json"],
]


@pytest.fixture(scope="module")
def home(workshop, tmp_path_factory):
    """Four models of two questions, one at work, a bill, and another tenant's pictures."""
    home = shutil.copytree(workshop, tmp_path_factory.mktemp("factory") / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        assert all(isinstance(one, Made) for one in make(workspace))
        bill = Entry("bill-1", "spend", "rent", amount=Decimal("1499.900001"), currency="EUR")
        book(workspace.scope, [bill])
        tenfold.deploy(workspace, CAP, "positive-1", unproven=True)
    with tenfold.opened(home, actor="bob", tenant="rail") as workspace:
        tenfold.ingest(workspace, pictures(home.parent / "tracks", 3), name="tracks")
    return home


@pytest.fixture(scope="module")
def kept(home, tmp_path_factory):
    """A backup of it, not to be changed."""
    folder = tmp_path_factory.mktemp("kept") / "backup"
    with tenfold.opened(home) as workspace:
        back_up(workspace, folder)
    return folder


@pytest.fixture
def backup(kept, tmp_path):
    return shutil.copytree(kept, tmp_path / "backup")


def make(workspace):
    return made_by(workspace, LocalEngine(inline=True), TASKS)


def pictures(folder, count, *, skip=0):
    """Real ones, of another kind than those of the workshop."""
    folder.mkdir()
    for file, _ in solar_cells("poly")[skip : skip + count]:
        shutil.copyfile(file, folder / file.name)
    return folder


def told(home, *, catalog=""):
    """What the commands say of it."""
    given = {"TENFOLD_HOME": str(home), "TENFOLD_CATALOG": catalog, "COLUMNS": "100"}
    picture = solar_cells("poly")[0][0]
    answers = []
    for words in [*QUESTIONS, *(["predict", task, str(picture), "--csv"] for task in sorted(FEW))]:
        done = CliRunner().invoke(app, words, env=given, catch_exceptions=False)
        assert done.exit_code == 0, done.output
        answers.append(done.stdout)
    return answers


def tables_of(workspace):
    with workspace.scope.read() as connection:
        return {
            table.name: connection.execute(select(table).order_by(*table.primary_key)).all()
            for table in metadata.sorted_tables
        }


def files_in(folder):
    """When each was written."""
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def nothing_is_there(home, **where):
    with tenfold.opened(home, **where) as workspace, workspace.scope.read() as connection:
        counts = [select(func.count()).select_from(t) for t in metadata.sorted_tables]
        return not any(connection.execute(count).scalar() for count in counts)


def restored(backup, home, **where):
    with tenfold.opened(home, **where) as workspace:
        return restore(workspace, backup)


@pytest.mark.heavy
def test_restored_elsewhere_it_answers_the_same(home, kept, tmp_path):
    done = restored(kept, tmp_path / "new", actor="eve")
    assert done.tenants == ("local", "rail")
    assert not (tmp_path / "new" / "features").exists()
    assert told(tmp_path / "new") == told(home)
    with tenfold.opened(home) as old, tenfold.opened(tmp_path / "new") as new:
        assert tables_of(new) == tables_of(old)
        assert registry(new) == registry(old)
        for model in models.everything(new.scope):
            assert rows_of(new.blobs, of_model(new.blobs, model))
        before = len(models.everything(new.scope))
        assert all(made.was_found for made in make(new))
        assert len(models.everything(new.scope)) == before
        report = tenfold.reproduce(new, "positive-1")
        assert report.bytes_equal


def test_the_commands_say_what_was_done_and_what_was_not(home, tmp_path):
    def run(home, *words):
        given = {"TENFOLD_HOME": str(home), "COLUMNS": "300"}
        return CliRunner().invoke(app, list(words), env=given)

    folder = str(tmp_path / "backup")
    said = run(home, "backup", folder).stdout
    assert "2 tenants (local, rail)" in said
    assert "features" in said
    again = json.loads(run(home, "backup", folder, "--json").stdout)
    assert again["new_blobs"] == again["new_bytes"] == 0
    assert again["blobs"] > 64
    assert again["fresh_starts"] == again["removed_blobs"] == again["forgotten"] == 0
    said = run(tmp_path / "new", "restore", folder).stdout
    assert "2 tenants (local, rail)" in said
    known = json.loads(run(tmp_path / "newer", "restore", folder, "--json").stdout)
    assert (known["rows"], known["blobs"]) == (again["rows"], again["blobs"])
    refused = run(home, "backup", "s3://bucket/x").exception
    assert isinstance(refused, SpecError)


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_from_sqlite_to_postgres_and_back(home, kept, postgres, tmp_path):
    url = postgres.database()
    restored(kept, tmp_path / "team", catalog=url)
    assert told(tmp_path / "team", catalog=url) == told(home)
    with tenfold.opened(home) as old, tenfold.opened(tmp_path / "team", catalog=url) as team:
        assert tables_of(team) == tables_of(old)
        assert all(made.was_found for made in make(team))
        tenfold.ingest(team, pictures(tmp_path / "more", 3), name="more")
        back_up(team, tmp_path / "from-postgres")
        left = tables_of(team)
    restored(tmp_path / "from-postgres", tmp_path / "back")
    with tenfold.opened(tmp_path / "back") as back:
        assert tables_of(back) == left
        assert datasets.get(back.scope, "more").size == 3
    with (
        pytest.raises(Conflict, match="TENFOLD_CATALOG"),
        tenfold.opened(tmp_path / "other", catalog=url) as used,
    ):
        restore(used, kept)


def test_blobs_in_s3_are_kept_and_restored(s3, kept, tmp_path):
    where = {"blobs": f"{s3}/team"}
    restored(kept, tmp_path / "team", **where)
    assert not (tmp_path / "team" / "blobs").exists()
    with tenfold.opened(tmp_path / "team", **where) as workspace:
        done = back_up(workspace, tmp_path / "again")
        left = tables_of(workspace)
    restored(tmp_path / "again", tmp_path / "new")
    with tenfold.opened(tmp_path / "new") as new:
        assert tables_of(new) == left
    trunks = {path.stem for path in (tmp_path / "new" / "trunks").glob("*.onnx")}
    blobs = {path.name for path in (tmp_path / "new" / "blobs").glob("??/*")}
    assert len(trunks | blobs) == done.blobs


def test_a_second_backup_copies_only_what_is_new_and_drops_what_nobody_names(home, tmp_path):
    home = shutil.copytree(home, tmp_path / "home")
    with tenfold.opened(home) as workspace:
        first = back_up(workspace, tmp_path / "backup")
        assert first.new_blobs == first.blobs
        before = files_in(tmp_path / "backup" / "blobs")
        tenfold.ingest(workspace, pictures(tmp_path / "more", 2, skip=3), name="more")
        second = back_up(workspace, tmp_path / "backup")
        after = files_in(tmp_path / "backup" / "blobs")
        assert second.new_blobs == second.blobs - first.blobs == 2
        assert before.items() <= after.items()
        tenfold.forget(workspace, tenfold.what_hangs_on(workspace, "more"))
        third = back_up(workspace, tmp_path / "backup")
    assert (third.new_blobs, third.removed_blobs, third.blobs) == (0, 2, first.blobs)
    assert files_in(tmp_path / "backup" / "blobs") == before
    assert len(list((tmp_path / "backup").glob("catalog-*"))) == 1


@pytest.mark.heavy
def test_while_another_makes_every_backup_is_a_whole_that_goes_on(home, workshop, tmp_path):
    """What a backup holds is what a kill at that moment would have left."""
    busy = shutil.copytree(workshop, tmp_path / "busy")
    outcomes = []

    def work():
        with tenfold.opened(busy, actor="ann") as workspace:
            for n in range(4):
                folder = pictures(tmp_path / f"p{n}", 3, skip=3 * n)
                tenfold.ingest(workspace, folder, name=f"more-{n}")
            outcomes.extend(make(workspace))

    worker, taken = threading.Thread(target=work), []
    worker.start()
    with tenfold.opened(busy) as workspace:
        while worker.is_alive() or not taken:
            folder = tmp_path / f"backup-{len(taken)}"
            if taken:
                shutil.copytree(taken[-1], folder)
            back_up(workspace, folder)
            taken.append(folder)
    worker.join()
    assert len(outcomes) == len(FEW)
    sizes = set()
    for number, folder in enumerate(taken[:: max(1, len(taken) // 4)]):
        restored(folder, tmp_path / f"new-{number}")
        with tenfold.opened(tmp_path / f"new-{number}", actor="ann") as workspace:
            assert_nothing_was_made_twice(workspace)
            for dataset in datasets.everything(workspace.scope):
                items = datasets.items_of(workspace.scope, dataset.name)
                assert len(items) == (64 if dataset.name == "cells" else 3)
                assert all(workspace.blobs.get(item.sha256) for item in items)
            for model in models.everything(workspace.scope):
                of_model(workspace.blobs, model)
            sizes.add(sum(map(len, tables_of(workspace).values())))
            make(workspace)
            with tenfold.opened(home) as quiet:
                assert registry(workspace)["models"] == registry(quiet)["models"]
    assert len(sizes) > 1


@pytest.mark.heavy
def test_a_server_goes_on_answering_and_a_restored_one_answers_the_same(home, tmp_path):
    home = shutil.copytree(home, tmp_path / "home")
    some = [file.read_bytes() for file, _ in solar_cells("poly")[:4]]
    answers, is_over = [], threading.Event()

    def ask(server):
        found = []
        for number, data in enumerate(some):
            status, told = server.post(f"/predict/{CAP}?route_key=SN-{number}", data)
            found.append((status, {n: one for n, one in told.items() if n not in PASSING}))
        return found

    def go_on(server):
        while not is_over.is_set():
            answers.append(ask(server))

    with serving(home) as server, tenfold.opened(home) as workspace:
        asking = threading.Thread(target=go_on, args=(server,))
        asking.start()
        for _ in range(3):
            back_up(workspace, tmp_path / "backup")
        is_over.set()
        asking.join()
    assert {status for found in answers for status, _ in found} == {200}
    restored(tmp_path / "backup", tmp_path / "new")
    with serving(tmp_path / "new") as server:
        assert all(found == ask(server) for found in answers)


def test_what_is_forgotten_while_it_is_copied_is_in_no_backup(home, tmp_path):
    home = shutil.copytree(home, tmp_path / "home")
    with tenfold.opened(home) as workspace, tenfold.opened(home) as other:
        tenfold.ingest(workspace, pictures(tmp_path / "more", 2, skip=3), name="more")
        left = ["more"]

        def progress(stage, done, total):
            if stage == "catalog" and done == total and left:
                tenfold.forget(other, tenfold.what_hangs_on(other, left.pop()))

        done = back_up(workspace, tmp_path / "backup", progress=progress)
    assert done.fresh_starts == 1
    restored(tmp_path / "backup", tmp_path / "new")
    with tenfold.opened(tmp_path / "new") as workspace:
        assert [one.name for one in datasets.everything(workspace.scope)] == ["cells"]


def test_pictures_that_only_earlier_states_name_may_be_gone(home, tmp_path):
    home = shutil.copytree(home, tmp_path / "home")
    source = pictures(tmp_path / "more", 2, skip=3)
    with tenfold.opened(home) as workspace:
        tenfold.ingest(workspace, source, name="more")
        first = sorted(source.iterdir())[0]
        digest = hashlib.sha256(first.read_bytes()).hexdigest()
        first.unlink()
        tenfold.ingest(workspace, source, name="more")
        assert back_up(workspace, tmp_path / "backup").forgotten == 0
        workspace.blobs.delete(digest)
        assert back_up(workspace, tmp_path / "other").forgotten == 1
    assert (tmp_path / "backup" / "blobs" / digest[:2] / digest).exists()


def test_a_lost_blob_is_named_and_the_backup_before_stays(home, backup, tmp_path):
    home = shutil.copytree(home, tmp_path / "home")
    with tenfold.opened(home) as workspace:
        pack = models.get(workspace.scope, "odd").pack
        workspace.blobs.delete(pack)
        back_up(workspace, backup)  # which holds it already
        with pytest.raises(IntegrityError, match=r"models\.pack") as error:
            back_up(workspace, tmp_path / "fresh")
        assert pack[:12] in str(error.value)
        assert error.value.hint
        with pytest.raises(NotFound, match="no backup"):
            restored(tmp_path / "fresh", tmp_path / "new")
    restored(backup, tmp_path / "new")


DYING = """
import os, signal, sys
from pathlib import Path
import tenfold, tenfold.backup
verb, home, folder, stage = sys.argv[1:]
def progress(now, done, total):
    if now == stage:
        os.kill(os.getpid(), signal.SIGKILL)
with tenfold.opened(home) as workspace:
    getattr(tenfold.backup, verb)(workspace, Path(folder), progress=progress)
"""


def killed(verb, home, folder, stage):
    words = [sys.executable, "-c", DYING, verb, str(home), str(folder), stage]
    assert subprocess.run(words, check=False).returncode == -signal.SIGKILL


@pytest.mark.heavy
@pytest.mark.parametrize("stage", ["catalog", "pictures"])
def test_a_killed_backup_leaves_the_one_before_and_the_next_one_goes_on(
    home, backup, tmp_path, stage
):
    home = shutil.copytree(home, tmp_path / "home")
    with tenfold.opened(home) as workspace:
        before = tables_of(workspace)
        tenfold.ingest(workspace, pictures(tmp_path / "more", 3, skip=3), name="more")
        after = tables_of(workspace)
    killed("back_up", home, backup, stage)
    assert len(list(backup.glob("catalog-*"))) == 2
    restored(backup, tmp_path / "new")
    with tenfold.opened(tmp_path / "new") as workspace:
        assert tables_of(workspace) == before
    with tenfold.opened(home) as workspace:
        assert back_up(workspace, backup).new_blobs == (3 if stage == "catalog" else 0)
    restored(backup, tmp_path / "newer")
    with tenfold.opened(tmp_path / "newer") as workspace:
        assert tables_of(workspace) == after
    assert len(list(backup.glob("catalog-*"))) == 1


@pytest.mark.heavy
def test_a_first_backup_that_was_killed_is_none_and_the_next_one_keeps_what_it_left(home, tmp_path):
    folder = tmp_path / "backup"
    killed("back_up", home, folder, "packs")
    with pytest.raises(NotFound, match="no backup"):
        restored(folder, tmp_path / "new")
    left = {path.name for path in (folder / "blobs").glob("??/*")}
    broken = folder / "blobs" / min(left)[:2] / min(left)
    broken.write_bytes(broken.read_bytes()[:-1])  # as a power cut may leave it
    with tenfold.opened(home) as workspace:
        done = back_up(workspace, folder)
    assert done.new_blobs == done.blobs - len(left) + 1
    restored(folder, tmp_path / "new")


@pytest.mark.parametrize("stage", ["pictures", "catalog"])
def test_a_killed_restore_leaves_an_empty_catalog_and_can_be_run_again(home, kept, tmp_path, stage):
    killed("restore", tmp_path / "new", kept, stage)
    assert nothing_is_there(tmp_path / "new")
    restored(kept, tmp_path / "new")
    with tenfold.opened(home) as old, tenfold.opened(tmp_path / "new") as new:
        assert tables_of(new) == tables_of(old)


def flipped(file):
    data = bytearray(file.read_bytes())
    data[len(data) // 2] ^= 1
    file.write_bytes(data)


@pytest.mark.parametrize("harm", [flipped, Path.unlink], ids=["damaged", "missing"])
@pytest.mark.parametrize(
    "pattern", ["blobs/??/*", "catalog-*/items.*", "catalog-*/looks.*", "catalog-*/blobs.*"]
)
def test_a_harmed_file_is_named_and_nothing_is_restored(home, backup, tmp_path, pattern, harm):
    file = sorted(backup.glob(pattern))[-1]
    harm(file)
    with pytest.raises(IntegrityError, match=r"damaged|missing") as error:
        restored(backup, tmp_path / "new")
    assert error.value.where == str(file)
    assert nothing_is_there(tmp_path / "new")
    (backup / "manifest.json").unlink()  # what the hint says
    with tenfold.opened(home) as workspace:
        back_up(workspace, backup)
    restored(backup, tmp_path / "new")


@pytest.mark.parametrize(
    ("text", "error"),
    [("{", IntegrityError), ("{}", IntegrityError), ('{"format": 99}', Unsupported)],
)
def test_a_manifest_that_cannot_be_read_is_told(backup, tmp_path, text, error):
    (backup / "manifest.json").write_text(text)
    with pytest.raises(error) as raised:
        restored(backup, tmp_path / "new")
    assert raised.value.where == str(backup / "manifest.json")
    assert raised.value.hint


def test_a_home_in_use_is_not_restored_into(home, kept, tmp_path):
    with tenfold.opened(tmp_path / "new") as workspace:
        tenfold.ingest(workspace, pictures(tmp_path / "more", 2), name="mine")
        with pytest.raises(Conflict, match="TENFOLD_HOME"):
            restore(workspace, kept)
        assert [one.name for one in datasets.everything(workspace.scope)] == ["mine"]
    trunks = shutil.copytree(home / "trunks", tmp_path / "newer" / "trunks")
    (trunks / "tiny.json").write_text(json.dumps({"digest": "0" * 64, "source": "added"}))
    with pytest.raises(Conflict, match="another trunk called 'tiny'"):
        restored(kept, tmp_path / "newer")


def test_a_folder_of_something_else_is_not_written_into(home, kept, tmp_path):
    def refused(folder, match):
        before = files_in(folder) if folder.is_dir() else None
        with pytest.raises(Conflict, match=match), tenfold.opened(home) as workspace:
            back_up(workspace, folder)
        assert before is None or files_in(folder) == before

    refused(pictures(tmp_path / "photos", 2), "other things")
    refused(home, "other things")
    (tmp_path / "file").write_text("")
    refused(tmp_path / "file", "a file")
    with tenfold.opened(tmp_path / "new") as workspace:
        with pytest.raises(Conflict, match="another catalog") as error:
            back_up(workspace, kept)
        assert str(home) in str(error.value)


def test_two_backups_into_one_folder_do_not_meet(home, backup):
    def progress(stage, done, total):
        for verb in (back_up, restore):
            with pytest.raises(Conflict, match="at work"), tenfold.opened(home) as other:
                verb(other, backup)

    with tenfold.opened(home) as workspace:
        back_up(workspace, backup, progress=progress)


def test_a_restored_workspace_is_backed_up_into_the_same_folder(backup, tmp_path):
    restored(backup, tmp_path / "new")
    with tenfold.opened(tmp_path / "new") as workspace:
        assert back_up(workspace, backup).new_blobs == 0


OLDEST_TABLES = {
    *("datasets", "samples", "items", "quarantine", "snapshots"),
    *("questions", "looks", "models", "makes"),
}


def altered(backup, **changes):
    manifest = json.loads((backup / "manifest.json").read_text())
    manifest["catalog"] |= changes
    (backup / "manifest.json").write_text(json.dumps(manifest))
    return manifest


def without(backup, table, column):
    """The copy of a table as it was before it had a column; returns its digest."""
    (file,) = backup.glob(f"catalog-*/{table}.jsonl.gz")
    with gzip.open(file, "rt") as lines:
        head, *rows = map(json.loads, lines)
    place = [name for name, _ in head["columns"]].index(column)
    for row in (head["columns"], *rows):
        del row[place]
    with gzip.open(file, "wt") as out:
        out.writelines(json.dumps(line) + "\n" for line in (head, *rows))
    return hashlib.sha256(file.read_bytes()).hexdigest()


@pytest.mark.parametrize(
    "database",
    [
        "sqlite",
        pytest.param("postgres", marks=[pytest.mark.postgres, pytest.mark.xdist_group("postgres")]),
    ],
)
def test_a_backup_of_an_older_schema_is_brought_up_to_date(
    home, backup, tmp_path, request, database
):
    where = {}
    if database == "postgres":
        where = {"catalog": request.getfixturevalue("postgres").database()}
    tables = json.loads((backup / "manifest.json").read_text())["catalog"]["tables"]
    tables = [one for one in tables if one["name"] in OLDEST_TABLES]
    (about_items,) = (one for one in tables if one["name"] == "items")
    about_items["digest"] = without(backup, "items", "origin")
    altered(backup, schema="0002", first_run="", tables=tables)
    restored(backup, tmp_path / "new", **where)
    with tenfold.opened(home) as old, tenfold.opened(tmp_path / "new", **where) as new:
        expected = tables_of(old)
        for name, rows in tables_of(new).items():
            assert rows == (expected[name] if name in OLDEST_TABLES else [])
        assert all(made.was_found for made in make(new))


@pytest.mark.parametrize(("schema", "hint"), [("9999", "Upgrade"), ("0001", "manifest names")])
def test_a_backup_too_new_or_too_old_is_refused_with_a_way_out(backup, tmp_path, schema, hint):
    altered(backup, schema=schema)
    with pytest.raises(Conflict, match=hint):
        restored(backup, tmp_path / "new")
    assert nothing_is_there(tmp_path / "new")


def test_the_catalog_in_a_backup_is_read_without_tenfold(kept):
    manifest = json.loads((kept / "manifest.json").read_text())
    assert manifest["catalog"]["schema"] == HEAD
    with gzip.open(next(kept.glob("catalog-*/datasets.jsonl.gz"))) as lines:
        columns, *rows = map(json.loads, lines)
    names = [name for name, _ in columns["columns"]]
    assert [row[names.index("name")] for row in rows] == ["cells", "tracks"]
    assert copies.TableCopy("looks", 0, "").file == "looks.jsonl.gz"

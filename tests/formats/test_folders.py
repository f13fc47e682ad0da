"""How folders are understood, and what is said where they cannot be."""

import os
import shutil
from pathlib import Path

import pytest

from tenfold.errors import DataError, NotFound, Unsupported
from tenfold.formats import image_folder, mvtec
from tenfold.formats.guess import guess
from tenfold.formats.row import Rejected, Row

PICTURE = Path(__file__).parents[1] / "data/image_folder/good/brick_0.png"


@pytest.fixture
def tree(tmp_path):
    def make(*paths):
        for path in paths:
            target = tmp_path / "set" / path
            target.parent.mkdir(parents=True, exist_ok=True)
            shutil.copyfile(PICTURE, target)
        return tmp_path / "set"

    return make


def read(source, format=image_folder):
    return {r.path: r for r in format.read(source)}


def many(folder, count=20):
    return [f"{folder}/{n}.png" for n in range(count)]


def test_folders_are_classes_however_deep(tree):
    rows = read(tree("ok/a.png", "dent/lot1/day2/a.png"))
    assert rows["ok/a.png"].labels == ("ok",)
    assert rows["dent/lot1/day2/a.png"].labels == ("dent",)
    assert rows["dent/lot1/day2/a.png"].attributes == {"folder": "lot1/day2"}


def test_split_folders_and_a_wrapper_are_looked_through(tree):
    rows = read(tree("images/Train/ok/a.png", "images/valid/dent/a.png"))
    assert rows["images/Train/ok/a.png"].split == "train"
    assert rows["images/valid/dent/a.png"].split == "val"
    assert rows["images/valid/dent/a.png"].labels == ("dent",)


def test_a_class_may_be_called_train(tree):
    rows = read(tree("train/a.png", "car/a.png"))
    assert rows["train/a.png"].labels == ("train",)
    assert rows["train/a.png"].split is None


def test_a_picture_beside_the_classes_has_no_label(tree):
    assert read(tree("stray.png", "ok/a.png"))["stray.png"].labels == ()


def test_nothing_is_dropped_in_silence(tree):
    source = tree("ok/a.png", "ok/.hidden.png", "ok/notes.txt", "ok/Thumbs.db", "dent/b.png")
    (source / "ok/gone.png").symlink_to("nowhere.png")
    (source / "ok/round").symlink_to("..")
    os.mkfifo(source / "ok/pipe.png")
    (source / "ok" / os.fsdecode(b"caf\xe9.png")).touch()
    rows = read(source)
    reasons = {path: row.reason for path, row in rows.items() if isinstance(row, Rejected)}
    assert reasons == {
        "ok/.hidden.png": "hidden",
        "ok/notes.txt": "not-an-image",
        "ok/gone.png": "missing",
        "ok/round": "link-loop",
        "ok/pipe.png": "not-a-file",
        "ok/caf\\udce9.png": "bad-name",
    }
    assert sum(isinstance(row, Row) for row in rows.values()) == 2


def test_mvtec_masks_find_their_pictures(tree):
    source = tree(
        "train/good/1.png",
        "test/good/1.png",
        "test/hole/1.png",
        "test/hole/2.png",
        "ground_truth/hole/1_mask.png",
        "ground_truth/hole/9_mask.png",
        "test/loose.png",
    )
    rows = read(source, mvtec)
    assert rows["test/hole/1.png"].mask == "ground_truth/hole/1_mask.png"
    assert rows["test/hole/2.png"].mask is None
    assert rows["ground_truth/hole/9_mask.png"].reason == "stray-mask"
    assert rows["test/loose.png"].reason == "out-of-place"
    with pytest.raises(DataError, match="expected folders train and test, got hole"):
        list(mvtec.read(source / "ground_truth"))


def test_folders_refuse_what_they_cannot_hold(tree, tmp_path):
    row = next(r for r in image_folder.read(tree("ok/a.png", "dent/b.png")))
    moved = Row("x/y.png", ("ok",), split="train", root=row.root / "..")
    (tmp_path / "x").mkdir()
    shutil.copyfile(PICTURE, tmp_path / "x/y.png")
    image_folder.write([moved], tmp_path / "out")
    assert (tmp_path / "out/train/ok/y.png").is_file()
    with pytest.raises(Unsupported, match="no place for a group, several labels"):
        image_folder.write([Row("a.png", ("a", "b"), group="g")], tmp_path / "out")


def test_good_beside_others_is_told_apart(tree):
    seen = guess(tree(*many("OK", 30), *many("dent", 15), *many("rust", 6)))
    assert (seen.format, seen.kind, seen.good) == ("image_folder", "classify", "OK")
    assert list(seen.counts.items()) == [("OK", 30), ("dent", 15), ("rust", 6)]
    assert "Tells 'OK' from dent, rust." in seen.explanation


def test_few_defects_prove_rather_than_teach(tree):
    seen = guess(tree(*many("good", 30), *many("dent", 5)))
    assert seen.kind == "anomaly"
    assert "the 5 others serve to prove it" in seen.explanation


def test_only_good_pictures_teach_what_is_normal(tree):
    seen = guess(tree("1.png", "2.png"))
    assert (seen.kind, seen.good, seen.counts) == ("anomaly", "good", {"good": 2})
    assert "stays unproven" in seen.explanation


def test_classes_without_a_good_one(tree):
    seen = guess(tree(*many("cat", 3), *many("dog", 4)))
    assert (seen.kind, seen.good) == ("classify", None)
    assert "Tells 2 classes apart" in seen.explanation


def test_mvtec_trees_are_recognised_one_by_one(tree):
    source = tree(*(f"{o}/{p}/1.png" for o in ("cap", "nut") for p in ("train/good", "test/hole")))
    assert guess(source / "cap").format == "mvtec"
    assert guess(source / "cap").kind == "anomaly"
    with pytest.raises(DataError, match=r"2 MVTec trees: cap, nut.*Give one of them"):
        guess(source)


def test_what_cannot_be_learned_from_says_what_could(tree, tmp_path):
    with pytest.raises(NotFound, match="does not exist"):
        guess(tmp_path / "nowhere")
    (tmp_path / "empty").mkdir()
    with pytest.raises(DataError, match=r"expected pictures, found nothing.*one folder for each"):
        guess(tmp_path / "empty")
    (tmp_path / "empty/a.txt").touch()
    with pytest.raises(DataError, match="found 1 other files"):
        guess(tmp_path / "empty")
    with pytest.raises(DataError, match=r"all 2 pictures are 'dent'.*name it 'good'"):
        guess(tree("dent/1.png", "dent/2.png"))
    with pytest.raises(DataError, match=r"expected a folder.*Give its folder: .*dent"):
        guess(tmp_path / "set/dent/1.png")

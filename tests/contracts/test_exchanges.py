"""What every exchange with an annotation tool must do; a new line in `EXCHANGES` is held to it."""

import hashlib
from pathlib import Path

import pytest

from tenfold.errors import Conflict, DataError, NotFound, SpecError
from tenfold.formats.exchange import EXCHANGES, Choice, ToLabel, named

DATA = Path(__file__).parents[1] / "data"
CHOICE = Choice(("good", "patch"), regions=("patch",))
EXPORTS = {
    "cvat": ("cvat/as_documented.xml", "cvat/datumaro.xml"),
    "label_studio": ("label_studio/export.json", "label_studio/export_min.json"),
}


@pytest.fixture(params=sorted(EXCHANGES))
def name(request):
    return request.param


@pytest.fixture
def asks():
    found = []
    for path in sorted((DATA / "mvtec" / "test").rglob("*.png")):
        digest = hashlib.sha256(path.read_bytes()).hexdigest()
        found.append(ToLabel(digest, path, 72, 72, said="good", score=0.1, reason="doubt"))
    return found


def test_labels_find_the_samples_that_were_written(name, asks, tmp_path):
    named(name).write(asks, tmp_path / "queue", choice=CHOICE)
    sent = {path.stem: path.read_bytes() for path in (tmp_path / "queue/images").iterdir()}
    assert sent == {ask.sample: ask.file.read_bytes() for ask in asks}
    sizes = {ask.sample: (72, 72) for ask in asks}
    for export in EXPORTS[name]:
        labelled = named(name).read(DATA / export, choice=CHOICE, sizes=sizes)
        assert {one.sample for one in labelled} <= sent.keys()
        assert len({one.key for one in labelled}) == len(labelled) >= 2
        assert all(len(one.key) <= 200 and set(one.labels) <= {"good", "patch"} for one in labelled)
        assert any(one.boxes for one in labelled)


def test_an_export_reads_the_same_twice(name):
    for export in EXPORTS[name]:
        first, second = (named(name).read(DATA / export, choice=CHOICE) for _ in range(2))
        assert first == second


def test_samples_that_nobody_asked_about_are_refused(name):
    for export in EXPORTS[name]:
        with pytest.raises(DataError, match="nobody was asked about sample") as caught:
            named(name).read(DATA / export, choice=CHOICE, sizes={})
        assert Path(export).name in caught.value.where


def test_classes_that_were_not_offered_are_refused(name):
    for export in EXPORTS[name]:
        with pytest.raises(DataError, match="unknown class 'patch'"):
            named(name).read(DATA / export, choice=Choice(("good",)))


def test_bad_asks_are_refused(name, asks, tmp_path):
    write = named(name).write
    with pytest.raises(DataError, match="nothing to ask"):
        write([], tmp_path / "none", choice=CHOICE)
    with pytest.raises(DataError, match="asked twice"):
        write([asks[0], asks[0]], tmp_path / "twice", choice=CHOICE)
    with pytest.raises(DataError, match="expected the bytes of sample"):
        write([ToLabel(asks[0].sample, asks[1].file, 72, 72)], tmp_path / "x", choice=CHOICE)
    with pytest.raises(DataError, match="cannot be read"):
        write([ToLabel("ab" * 32, tmp_path / "a.png", 9, 9)], tmp_path / "y", choice=CHOICE)
    with pytest.raises(Conflict, match="there is something already"):
        write(asks, DATA, choice=CHOICE)


def test_an_export_that_is_something_else_is_refused(name, tmp_path):
    for data in (b"", b"\0\1\2", b"a,b\n1,2\n", b"\xff\xfe{", b"PK\3\4"):
        (tmp_path / "export").write_bytes(data)
        with pytest.raises(DataError) as caught:
            named(name).read(tmp_path / "export", choice=CHOICE)
        assert str(tmp_path / "export") in caught.value.where


@pytest.mark.parametrize("classes", [(), ("a", "a"), ("a;b",), (" a",), ("",), ("cannot tell",)])
def test_class_names_that_cannot_travel_are_refused(classes):
    with pytest.raises(SpecError, match="expected different class names"):
        Choice(classes)


def test_only_a_class_is_drawn():
    with pytest.raises(SpecError, match="'b' is to be drawn"):
        Choice(("a",), regions=("b",))


def test_an_unknown_tool_lists_the_known():
    with pytest.raises(NotFound, match="There are: cvat, label_studio"):
        named("paint")

"""What a table may say, and the words for what it may not."""

import csv

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from PIL import Image

from tenfold.errors import DataError, NotFound, SpecError, Unsupported
from tenfold.formats import csv_table
from tenfold.formats.row import Rejected, Row


@pytest.fixture
def table(tmp_path):
    for name in ("a.png", "b.png"):
        Image.new("L", (8, 8)).save(tmp_path / name)

    def write(text):
        data = text if isinstance(text, bytes) else text.encode()
        (tmp_path / "labels.csv").write_bytes(data)
        return tmp_path

    return write


def refused(source, **options):
    with pytest.raises(DataError) as caught:
        list(csv_table.read(source, **options))
    return str(caught.value)


def test_other_names_and_free_columns(table):
    rows = list(csv_table.read(table("File,Class,split,lamp\na.png, dent ,Training,north\n")))
    assert rows == [Row("a.png", ("dent",), split="train", attributes={"lamp": "north"})]


def test_a_column_can_be_given_a_meaning(table):
    folder = table("file,state,subject\na.png,open,s1\nb.png,closed,s2\n")
    rows = list(csv_table.read(folder, columns={"label": "state", "group": "subject"}))
    assert [(row.labels, row.group) for row in rows] == [(("open",), "s1"), (("closed",), "s2")]
    with pytest.raises(SpecError, match="no column 'mood'; there are: file, state, subject"):
        list(csv_table.read(folder, columns={"label": "mood"}))


def test_several_labels_stand_between_semicolons(table):
    first, second = csv_table.read(table("path,labels\na.png,dent; rust;\nb.png,\n"))
    assert first.labels == ("dent", "rust")
    assert second.labels == ()


def test_excel_marks_and_windows_paths_are_read(table):
    (table(b"") / "sub").mkdir()
    Image.new("L", (8, 8)).save(table(b"") / "sub" / "c.png")
    text = "\ufeffpath,label\r\nsub\\c.png,ok\r\n"
    assert [r.path for r in csv_table.read(table(text))] == ["sub/c.png"]


def test_a_file_that_is_not_there_is_rejected_with_its_line(table):
    rows = list(csv_table.read(table("path,label\na.png,ok\nlost.png,ok\n")))
    assert rows[1] == Rejected("lost.png", "missing", "labels.csv:3 names it, but it is not there.")


@pytest.mark.parametrize(
    ("text", "line", "words"),
    [
        ("path,label\na.png,ok\na.png,bad\n", 3, "'a.png' stands on line 2 already"),
        ("path;label\na.png;ok\n", 1, "expected commas between columns, got semicolons"),
        ("a.png,ok\nb.png,bad\n", 1, "the first line names a picture"),
        ("picture,label\na.png,ok\n", 1, "expected a column path or file"),
        ("path,label\na.png,ok,north\n", 2, "expected 2 cells as in the first line, got 3"),
        ('path,label\n"a.png,ok\n', 2, "not a table"),
        ("path,label\n,ok\n", 2, "the cell of the picture is empty"),
        ("path,file\na.png,a.png\n", 1, "'path' and 'file' mean the same"),
        ("path,label,label\na.png,a,b\n", 1, "column 'label' stands twice"),
        ("path,label,labels\na.png,a,b\n", 1, "one label and for several"),
        ("path,label\na.png,gr\xfcn\n".encode("latin-1"), 2, "expected UTF-8, got byte 0xfc"),
        ("path,label\na.png,ok\n".encode("utf-16"), 1, "UTF-16"),
        ('path,label\n"a.png","two\nlines"\na.png,ok\n', 4, "stands on line 2 already"),
    ],
)
def test_mistakes_name_file_and_line(table, text, line, words):
    message = refused(table(text))
    assert f"labels.csv:{line}: " in message
    assert words in message


def test_a_table_without_lines_and_a_folder_without_table(table, tmp_path):
    assert "no line below its first" in refused(table("path,label\n"))
    (tmp_path / "labels.csv").rename(tmp_path / "one.csv")
    (tmp_path / "two.csv").touch()
    with pytest.raises(NotFound, match=r"got one\.csv, two\.csv"):
        csv_table.find_table(tmp_path)


def test_what_a_table_cannot_hold_is_refused(table, tmp_path):
    folder = table("")
    two = [Row("a.png", ("x;y", "z"), root=folder)]
    with pytest.raises(Unsupported, match="stands between labels"):
        csv_table.write(two, tmp_path / "out")
    outside = [Row("../a.png", ("x",), root=folder / "sub")]
    with pytest.raises(Unsupported, match="outside"):
        csv_table.write(outside, tmp_path / "out")


words = st.text(
    st.characters(codec="utf-8", exclude_categories=["Cc", "Cs", "Zs", "Zl", "Zp"]), min_size=1
)


@given(st.lists(st.tuples(words, words, words), min_size=1, max_size=5))
@settings(max_examples=25, deadline=None)
def test_any_words_survive_a_table(tmp_path_factory, said):
    folder = tmp_path_factory.mktemp("words")
    rows = [
        Row(f"{n}.png", (label.replace(";", ","),), group, attributes={"said": free}, root=folder)
        for n, (label, group, free) in enumerate(said)
    ]
    for row in rows:
        row.file.touch()
    csv_table.write(rows, folder / "out")
    assert list(csv_table.read(folder / "out")) == rows
    with (folder / "out/labels.csv").open(encoding="utf-8", newline="") as file:
        assert len(list(csv.reader(file))) == len(rows) + 1

"""What a real Label Studio exported is read; what somebody spoiled is refused with its place."""

import copy
import json
from datetime import UTC
from pathlib import Path
from xml.etree import ElementTree

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tenfold.errors import DataError, NotFound
from tenfold.formats import label_studio
from tenfold.formats.exchange import CANNOT_TELL, Choice, ToLabel

DATA = Path(__file__).parents[1] / "data" / "label_studio"
FULL = json.loads((DATA / "export.json").read_text(encoding="utf-8"))
FLAT = json.loads((DATA / "export_min.json").read_text(encoding="utf-8"))
CHOICE = Choice(("good", "patch"), regions=("patch",))
SAMPLES = [task["data"]["sample"] for task in FULL]
SIZES = dict.fromkeys(SAMPLES, (72, 72))


@pytest.fixture
def put(tmp_path):
    def write(content):
        text = content if isinstance(content, str) else json.dumps(content)
        (tmp_path / "export.json").write_text(text, encoding="utf-8")
        return tmp_path / "export.json"

    return write


def refused(source, choice=CHOICE, sizes=SIZES):
    with pytest.raises(DataError) as caught:
        label_studio.read(source, choice=choice, sizes=sizes)
    return str(caught.value)


def edited(entries, *path, to):
    """A copy in which one place says something else."""
    found = copy.deepcopy(entries)
    place = found
    for step in path[:-1]:
        place = place[step]
    place[path[-1]] = to
    return found


def test_what_people_said_in_a_real_export():
    found = label_studio.read(DATA / "export.json", choice=CHOICE, sizes=SIZES)
    assert [(one.sample, one.labels, one.who, one.seconds) for one in found] == [
        (SAMPLES[0], ("good",), "1", 4.5),
        (SAMPLES[1], ("patch",), "1", 8.25),
        (SAMPLES[1], ("good",), "2", 2.0),
        (SAMPLES[2], ("patch",), "1", 6.0),
        (SAMPLES[2], (), "2", 3.0),
    ]
    assert found[1].boxes[0].xyxy_px == (18.0, 9.0, 54.0, 27.0)
    assert all(one.at.tzinfo is UTC for one in found)


def test_a_turned_box_becomes_the_one_around_it():
    found = label_studio.read(DATA / "export.json", choice=CHOICE)
    # 18 × 18 pixels, 45° around its upper left corner (36, 18): half a diagonal is 12.73
    assert found[3].boxes[0].xyxy_px == pytest.approx((23.272, 18, 48.728, 43.456), abs=1e-3)


def test_both_kinds_of_export_say_the_same():
    """The same keys above all: who imports both takes in nothing twice."""
    full, flat = (
        label_studio.read(DATA / name, choice=CHOICE) for name in ("export.json", "export_min.json")
    )
    assert full == flat


def test_several_choices_and_a_task_that_nobody_did_in_a_real_export():
    choice = Choice(("good", 'a <b> & "c"', "ünï"), several=True)
    full, flat = (
        label_studio.read(DATA / name, choice=choice, sizes=SIZES)
        for name in ("several.json", "several_min.json")
    )
    assert [one.labels for one in full] == [('a <b> & "c"', "ünï"), ("good",)]
    assert full == flat


def test_a_person_comes_by_mail_address_where_the_export_has_it(put):
    person = {"id": 1, "email": "ann@example.org", "first_name": ""}
    full = edited(FULL, 0, "annotations", 0, "completed_by", to=person)
    assert label_studio.read(put(full), choice=CHOICE)[0].who == "ann@example.org"


def test_a_later_change_is_another_saying(put):
    first = label_studio.read(DATA / "export.json", choice=CHOICE)
    changed = edited(FULL, 0, "annotations", 0, "updated_at", to="2026-11-26T09:00:00.000001Z")
    second = label_studio.read(put(changed), choice=CHOICE)
    assert [a.key == b.key for a, b in zip(first, second, strict=True)] == [False] + [True] * 4


RESULT = (1, "annotations", 0, "result", 1)


@pytest.mark.parametrize(
    ("path", "to", "place", "words"),
    [
        ((0, "data", "sample"), "ab" * 32, "task 1", "are not the same digest"),
        ((0, "data", "sample"), "", "task 1", "are not the same digest"),
        ((0, "data", "image"), "/data/local-files/?d=a.png", "task 1", "not the same digest"),
        ((0, "data"), {"image": "x.png"}, "task 1", "data.sample: Field required"),
        ((1, "data"), FULL[0]["data"], "task 2", "stands there twice, first in task 1"),
        ((1, "id"), 1, "task 1", "stands there twice"),
        ((2, "annotations", 0, "id"), 1, "task 3, annotation 1", "first in task 1"),
        ((0, "annotations", 0, "result"), [], "task 1, annotation 1", "nothing was chosen"),
        ((*RESULT, "value", "rectanglelabels"), ["dent"], "task 2, annotation 2", "class 'dent'"),
        ((*RESULT, "value", "rectanglelabels"), [], "task 2", "at least 1 item"),
        ((*RESULT, "value", "x"), 90, "task 2, annotation 2", "does not lie in the picture"),
        ((*RESULT, "value", "width"), -5, "task 2, annotation 2", "does not lie in the picture"),
        ((*RESULT, "value", "width"), "wide", "task 2", "unable to parse string as a number"),
        ((*RESULT, "original_width"), 100, "annotation 2", "expected a picture of 72 × 72"),
        ((*RESULT, "image_rotation"), 90, "task 2", "image_rotation"),
        ((*RESULT, "type"), "polygonlabels", "task 2", "polygonlabels"),
        ((0, "annotations", 0, "updated_at"), "yesterday", "task 1", "updated_at"),
        ((0, "annotations", 0, "updated_at"), "0001-01-01T00:00:00+14:00", "task 1", "no time is"),
        ((0, "annotations", 0, "completed_by"), "a\0b", "task 1, annotation 1", "nobody is called"),
        ((0, "annotations", 0, "completed_by"), "\ud800", "annotation 1", "nobody is called"),
        ((0, "annotations", 0, "completed_by"), "x" * 101, "annotation 1", "nobody is called"),
        ((0, "annotations", 0, "id"), 10**30, "task 1", "id"),
        ((0, "annotations", 0, "lead_time"), "long", "task 1", "lead_time"),
        ((0,), {"id": 1, "data": {}}, "task 1", "expected annotations"),
        ((0,), 7, "export.json", "expected a list of tasks"),
    ],
)
def test_an_edited_export_is_refused_with_its_place(put, path, to, place, words):
    message = refused(put(edited(FULL, *path, to=to)))
    assert "export.json" in message
    assert place in message
    assert words in message


def test_an_edited_short_export_is_refused_with_its_place(put):
    for path, to, words in (
        ((0, "answer"), "fine", "task 1, annotation 1: unknown class 'fine'"),
        ((1, "annotation_id"), 1, "first in task 1"),
        ((1, "annotation_id"), None, "task 2: annotation_id: Input should be a valid integer"),
        ((2, "sample"), SAMPLES[0], "task 2: its annotations name different pictures"),
        ((2, "region", 0, "rectanglelabels"), ["good", "patch"], "rectanglelabels"),
    ):
        assert words in refused(put(edited(FLAT, *path, to=to)))


def test_contradictions_are_refused(put):
    chosen = (1, "annotations", 0, "result", 0, "value", "choices")
    assert "says 'good' and 'patch'" in refused(put(edited(FULL, *chosen, to=["good"])))
    both = edited(FULL, *chosen, to=[CANNOT_TELL])
    assert "says 'cannot tell' and 'patch'" in refused(put(both))


def test_labels_for_samples_that_nobody_asked_about_are_refused():
    sizes = {SAMPLES[0]: (72, 72)}
    message = refused(DATA / "export.json", sizes=sizes)
    assert "task 2: nobody was asked about sample" in message
    assert "Import it where it was exported" in message


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('[\n{"id": 1,\n}]', "export.json:3: not JSON"),
        ("[NaN]", "NaN is no number"),
        ('[{"id": 1, "id": 2}]', "key 'id' stands twice"),
        ("[" * 100_000, "not JSON"),
        ("{}", "expected a list of tasks"),
        ("[1]", "expected a list of tasks"),
        ("\ud800".encode("utf-8", "surrogatepass"), "not JSON"),
    ],
)
def test_broken_json_is_refused(tmp_path, text, words):
    data = text if isinstance(text, bytes) else text.encode()
    (tmp_path / "export.json").write_bytes(data)
    assert words in refused(tmp_path / "export.json")


def test_no_file_and_no_tasks(put, tmp_path):
    with pytest.raises(NotFound, match="no such file"):
        label_studio.read(tmp_path / "lost.json", choice=CHOICE)
    assert label_studio.read(put([]), choice=CHOICE) == []


def test_what_a_model_said_becomes_a_prediction_and_nothing_else_is_told(tmp_path, one_ask):
    told = ToLabel(one_ask.sample, one_ask.file, 72, 72, said="patch", score=0.75, reason="doubt")
    (task,) = written(tmp_path / "told", told)
    assert task["data"]["reason"] == "doubt"
    prediction = task["predictions"][0]
    assert (prediction["score"], prediction["result"][0]["value"]) == (
        0.75,
        {"choices": ["patch"]},
    )
    (task,) = written(tmp_path / "audit", one_ask)
    assert task.keys() == {"data"}
    assert task["data"].keys() == {"sample", "image"}
    unfit = ToLabel(one_ask.sample, one_ask.file, 72, 72, said="unfit")
    assert "predictions" not in written(tmp_path / "unfit", unfit)[0]


names = st.text(st.characters(codec="utf-8", exclude_categories=["C", "Z"]), min_size=1).filter(
    lambda name: ";" not in name
)


@given(st.lists(names, min_size=1, max_size=5, unique=True))
@settings(max_examples=25, deadline=None)
def test_any_class_name_survives_the_labeling_interface(tmp_path_factory, one_ask, classes):
    folder = tmp_path_factory.mktemp("names") / "queue"
    choice = Choice(tuple(classes), several=True, regions=tuple(classes))
    label_studio.write([one_ask], folder, choice=choice)
    root = ElementTree.parse(folder / label_studio.LABELING).getroot()
    assert [one.get("value") for one in root.iter("Choice")] == [*classes, CANNOT_TELL]
    assert [one.get("value") for one in root.iter("Label")] == classes


def written(folder, ask):
    label_studio.write([ask], folder, choice=CHOICE)
    return json.loads((folder / label_studio.TASKS).read_text(encoding="utf-8"))

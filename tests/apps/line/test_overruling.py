"""A person overrules a station: the word is kept, and the heads of the part learn from it."""

import numpy as np
import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")

import line_shop
import tenfold
from line_shop import HEADS, STATION
from parts_drawn import plate, scratched
from tenfold.apps.line.overruling import Word, in_words, overrule
from tenfold.apps.line.teach import dataset_of
from tenfold.catalog import datasets, labels, picks
from tenfold.errors import Conflict, NotFound, SpecError
from tenfold.specs.task import Question, TaskSpec

pytestmark = pytest.mark.xdist_group("line")
RNG = np.random.default_rng(7)


@pytest.fixture(scope="module")
def shop(tmp_path_factory):
    folder = tmp_path_factory.mktemp("overruling")
    with tenfold.opened(folder / "home", actor="ann") as workspace:
        line_shop.fill(workspace, folder)
        yield workspace


def word(verdict, **more):
    return Word(verdict, "ann", "looked at it", **more)


def settled(shop, region):
    return {one.sample: one for one in picks.settled(shop.scope, HEADS[region])}


def test_a_rejected_part_that_was_good_teaches_the_region_that_was_complained_of(shop):
    before = {name: len(settled(shop, name)) for name in HEADS}
    id = line_shop.put(shop, bad=["left"], pixels=plate(RNG), outcome="reject", judged="")
    told = overrule(shop, STATION, id, word("ok"))
    assert (told.part.overruled, told.part.overruled_by, told.problem) == ("ok", "ann", "")
    assert [(one.region, one.label) for one in told.lessons] == [("left", "good")]
    fresh = [one for one in settled(shop, "left").values() if one.detail["part"] == id]
    assert [(one.reason, one.truth, one.said) for one in fresh] == [("overruled", "good", "defect")]
    assert len(settled(shop, "right")) == before["right"]
    said = labels.of_deployment(shop.scope, HEADS["left"])[-1]
    assert (said.actor, said.label, said.source) == ("ann", "good", "line")
    assert "left: teaches good" in in_words(told)[1]


def test_a_passed_part_that_was_bad_is_a_missed_defect_of_the_region_that_was_named(shop):
    bad = scratched(plate(RNG), "right")
    id = line_shop.put(shop, pixels=bad, outcome="ok", judged="")
    told = overrule(shop, STATION, id, word("reject", region="right", label="scratch"))
    assert [(one.region, one.label) for one in told.lessons] == [("right", "defect")]
    (pick,) = [one for one in settled(shop, "right").values() if one.detail["part"] == id]
    assert (pick.reason, pick.truth) == ("miss", "defect")


def test_where_nobody_says_which_region_is_bad_reviewers_are_asked_about_all(shop):
    id = line_shop.put(shop, pixels=scratched(plate(RNG), "left"), outcome="ok", judged="")
    told = overrule(shop, STATION, id, word("reject"))
    assert {one.region: one.label for one in told.lessons} == {"left": "", "right": ""}
    for name in HEADS:
        (pick,) = [o for o in picks.open_picks(shop.scope, HEADS[name]) if o.detail["part"] == id]
        assert pick.reason == "overruled"
        assert shop.blobs.get(pick.sample)[:2] == b"BM"


def test_a_picture_that_is_gone_teaches_nothing_and_the_word_is_kept(shop):
    id = line_shop.put(shop, bad=["left"], outcome="reject", judged="")
    told = overrule(shop, STATION, id, word("ok"))
    assert told.part.overruled == "ok"
    assert not told.lessons
    assert in_words(told)[-1] == "Nothing is learnt from it: its picture is not kept."


def test_a_word_that_agrees_and_one_for_manual_inspection_teach_nothing(shop):
    id = line_shop.put(shop, bad=["left"], pixels=plate(RNG), outcome="reject", judged="")
    assert overrule(shop, STATION, id, word("reject")).lessons == ()
    id = line_shop.put(shop, pixels=plate(RNG), outcome="ok", judged="")
    assert overrule(shop, STATION, id, word("manual")).lessons == ()


def test_a_word_without_a_reason_twice_or_about_no_region_is_not_taken(shop):
    id = line_shop.put(shop, bad=["left"], outcome="reject", judged="")
    with pytest.raises(SpecError, match="say why"):
        overrule(shop, STATION, id, Word("ok", "ann", " "))
    with pytest.raises(NotFound, match="no region 'lid'"):
        overrule(shop, STATION, id, word("ok", region="lid"))
    overrule(shop, STATION, id, word("ok"))
    with pytest.raises(Conflict, match="ann overruled it already"):
        overrule(shop, STATION, id, word("reject"))


def test_a_part_that_is_taught_again_learns_what_people_said_and_is_not_judged_by_it(shop):
    id = line_shop.put(shop, pixels=scratched(plate(RNG), "left"), outcome="ok", judged="")
    overrule(shop, STATION, id, word("reject", region="left"))
    task = TaskSpec(
        task=HEADS["left"],
        kind="anomaly",
        dataset=HEADS["left"],
        question=Question(negative=("good",)),
    )
    name = dataset_of(shop, task)
    assert name == f"{HEADS['left']}.{HEADS['left']}"
    items = datasets.items_of(shop.scope, name)
    taught = [item for item in items if item.origin == "review"]
    assert len(items) == 24 + len(taught)
    assert {label for item in taught for label in item.labels} >= {"defect"}

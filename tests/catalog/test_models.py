import hashlib
from dataclasses import replace

import pytest

from tenfold.catalog import models, questions
from tenfold.catalog.models import Judging, Make, Model, Search, Stretch
from tenfold.errors import Conflict, NotFound


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def named(letters):
    """Samples as a lineage knows them, one for each letter."""
    return frozenset(
        questions.short(hashlib.sha256(letter.encode()).hexdigest()) for letter in letters
    )


def model(letter, task="caps", **more):
    made = Model(
        id=letter * 64,
        task=task,
        fleet="all-caps",
        sector="line",
        kind="classify",
        dataset="caps",
        snapshot="5" * 64,
        make_id="m" * 64,
        rung="linear",
        estimate=0.75,
        status="accepted",
        verdict={"status": "accepted", "alpha": 0.03},
        identity={"seed": 0},
        pack="9" * 64,
        head=Stretch(0, 10, "d" * 64),
        evidence=Stretch(10, 7, "e" * 64),
        roster="8" * 64,
        seconds={"fit": 0.1},
    )
    return replace(made, **more)


def judging(letters, judge, *, first, fit="FGH", **more):
    """Models of one question about to be recorded."""
    made = tuple(model(letter, **more) for letter in letters)
    judges, fits = named(judge), named(fit)
    return Judging("key", judges | fits, first, judges, fits, made)


def register(scope, *given, **more):
    with scope.write() as connection:
        models.register(connection, scope, judging(*given, **more))


def put(scope, *makes):
    with scope.write() as connection:
        models.put_makes(connection, scope, makes)


def make(letter, task="caps", **more):
    plain = Make(letter * 64, task, "", "caps", "5" * 64, "spec", "a" * 64, [], {"fit": 0.5})
    return replace(plain, **more)


def looks_at(scope, key="key"):
    return [spent.looks for spent in questions.spent(scope, key)]


def test_looks_are_counted_with_the_model_they_judged(scope):
    register(scope, "a", "xy", first=1)
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge, spent.fit) == (1, named("xy"), named("FGH"))
    register(scope, "b", "xyz", first=2)
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge) == (2, named("xyz"))


def test_a_model_comes_back_as_it_was_recorded(scope):
    register(scope, "a", "xy", first=1)
    found = models.find(scope, "a" * 64)
    assert (found.created_by, found.created_at.tzinfo is not None) == ("ann", True)
    (spent,) = questions.spent(scope, "key")
    assert found.question_id == spent.question_id
    assert replace(found, question_id=0, created_at=None, created_by="") == model("a")


def test_models_that_are_recorded_together_take_a_look_each_in_their_order(scope):
    register(scope, "abc", "xy", first=1)
    assert looks_at(scope) == [3]
    assert models.find_all(scope, ["c" * 64, "a" * 64, "z" * 64]).keys() == {"a" * 64, "c" * 64}
    register(scope, "d", "xy", first=4)
    assert looks_at(scope) == [4]


def test_a_model_is_registered_once(scope):
    register(scope, "a", "xy", first=1)
    with pytest.raises(Conflict):
        register(scope, "a", "xy", first=1)
    assert looks_at(scope) == [1]
    assert len(models.everything(scope)) == 1


def test_a_stale_look_is_a_conflict_and_spends_nothing(scope):
    register(scope, "a", "xy", first=1)
    with pytest.raises(Conflict, match="taken meanwhile"):
        register(scope, "b", "yz", first=1)
    assert looks_at(scope) == [1]
    assert models.find(scope, "b" * 64) is None


@pytest.mark.parametrize(("judge", "fit"), [("xF", "GH"), ("xz", "yG")])
def test_a_role_that_was_given_is_for_life(scope, judge, fit):
    register(scope, "a", "xy", first=1)
    with pytest.raises(Conflict, match="would judge, or one that judged would fit"):
        register(scope, "b", judge, first=2, fit=fit)
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge, spent.fit) == (1, named("xy"), named("FGH"))


def test_lineages_that_share_samples_become_one(scope):
    register(scope, "a", "xy", first=1, fit="F")
    register(scope, "b", "uv", first=1, fit="G")
    assert looks_at(scope) == [1, 1]
    register(scope, "c", "xu", first=3, fit="H")
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge, spent.fit) == (3, named("xyuv"), named("FGH"))
    assert {one.question_id for one in models.everything(scope)} == {spent.question_id}
    assert models.lineage_of(scope, "b" * 64).looks == 3


def test_what_fits_joins_lineages_too(scope):
    register(scope, "a", "xy", first=1, fit="F")
    with pytest.raises(Conflict, match="taken meanwhile"):
        register(scope, "b", "uv", first=1, fit="F")


def test_other_questions_and_other_tenants_spend_nothing_of_ours(scope, catalog):
    register(scope, "a", "xy", first=1)
    other = catalog.scope("elsewhere", "bob")
    register(other, "a", "xy", first=1)
    assert (looks_at(scope), looks_at(other), looks_at(scope, "other key")) == ([1], [1], [])
    models.drop(other, ["a" * 64])
    assert models.find(scope, "a" * 64) is not None


def test_the_newest_accepted_model_of_a_question_is_found(scope):
    register(scope, "a", "xy", first=1, status="refused")
    (spent,) = questions.spent(scope, "key")
    assert models.latest_accepted(scope, spent.question_id) is None
    register(scope, "bc", "xy", first=2)
    register(scope, "d", "xy", first=4, status="refused")
    assert models.latest_accepted(scope, spent.question_id).id in ("b" * 64, "c" * 64)


def test_forgetting_a_model_does_not_forget_what_was_spent(scope):
    register(scope, "a", "xy", first=1)
    put(scope, make("m"))
    assert models.drop(scope, ["a" * 64]) == sorted(["8" * 64, "9" * 64])
    assert (models.everything(scope), models.makes_of(scope)) == ([], [])
    assert looks_at(scope) == [1]


def test_a_blob_that_another_model_needs_is_not_let_go(scope, catalog):
    register(scope, "ab", "xy", first=1)
    assert models.drop(scope, ["a" * 64]) == []
    register(catalog.scope("elsewhere", "bob"), "c", "xy", first=1, roster="7" * 64)
    assert models.drop(scope, ["b" * 64]) == ["8" * 64]


def test_a_model_is_found_by_task_and_by_beginning_of_its_id(scope):
    register(scope, "a", "xy", first=1)
    assert models.get(scope, "caps").id == models.get(scope, "aaaaaa").id == "a" * 64
    with pytest.raises(NotFound, match="tenfold ls"):
        models.get(scope, "aaaab")


def test_the_make_says_which_model_answers_a_task(scope):
    register(scope, "ab", "xy", first=1)
    put(scope, make("m"))
    put(scope, make("m", seconds={"fit": 0.9}))
    assert models.get(scope, "caps").id == "a" * 64
    (made,) = models.makes_of(scope)
    assert made.seconds == {"fit": 0.9}
    assert models.find_make(scope, "m" * 64) == models.make_of(scope, "caps") == made


def test_many_makes_are_put_and_found_together(scope):
    put(scope, *(make(letter, task=f"task-{letter}") for letter in "mnop"))
    put(scope)
    found = models.find_makes(scope, [letter * 64 for letter in "pmz"])
    assert sorted(made.task for made in found.values()) == ["task-m", "task-p"]
    assert [made.task for made in models.makes_of(scope)] == [f"task-{x}" for x in "mnop"]


def test_pages_of_a_search_hold_every_model_of_a_task_once(scope):
    for look, letter in enumerate("abcde", 1):
        register(scope, letter, "xy", first=look, task="two" if letter in "bcd" else "one")
    pages, after = list[list[str]](), ""
    while page := models.search(scope, Search(limit=2, after=after)):
        pages.append([model.id[0] for model in page])
        after = page[-1].id
    found = [letter for page in pages for letter in page]
    assert [len(page) for page in pages] == [2, 2, 1]
    assert set(found[:2]) == {"a", "e"}
    assert set(found[2:]) == {"b", "c", "d"}


def test_models_are_searched_counted_and_told_with_their_relatives(scope):
    register(scope, "a", "xy", first=1, task="one", status="refused")
    register(scope, "b", "xy", first=2, task="two%")
    assert models.count(scope) == {"accepted": 1, "refused": 1}
    assert [m.task for m in models.search(scope, Search(text="%"))] == ["two%"]
    assert [m.task for m in models.search(scope, Search(status="refused"))] == ["one"]
    assert [m.task for m in models.search(scope, Search(after="a" * 64))] == ["two%"]
    assert models.count(scope, Search(text="%", status="refused")) == {"accepted": 1}
    family = models.lineage_of(scope, "b" * 64)
    assert (family.looks, family.relatives) == (2, (("a" * 64, "one", "refused"),))

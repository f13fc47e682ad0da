import pytest

from tenfold.catalog import models, questions
from tenfold.catalog.models import Look, Make, Model, PackRef
from tenfold.errors import Conflict, NotFound


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


def model(letter, task="caps"):
    return Model(
        id=letter * 64,
        task=task,
        kind="classify",
        dataset="caps",
        snapshot="5" * 64,
        rung="linear",
        status="accepted",
        verdict={"status": "accepted"},
        identity={"seed": 0},
        head=PackRef("heads-0001.pack", 0, 10, "d" * 64),
        evidence="e" * 64,
        seconds={"fit": 0.1},
    )


def look(number, judge, joined=()):
    return Look("key", frozenset(judge), frozenset("fit"), tuple(joined), number)


def test_looks_are_counted_with_the_model_they_judged(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge) == (1, frozenset("xy"))
    models.register(scope, model("b"), look=look(2, "xyz", [spent.question_id]))
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge) == (2, frozenset("xyz"))


def test_registering_twice_is_once(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    models.register(scope, model("a"), look=look(1, "xy"))
    assert questions.spent(scope, "key")[0].looks == 1


def test_a_stale_look_is_a_conflict_and_spends_nothing(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    with pytest.raises(Conflict, match="taken meanwhile"):
        models.register(scope, model("b"), look=look(1, "yz"))
    assert questions.spent(scope, "key")[0].looks == 1
    assert models.find(scope, "b" * 64) is None


def test_lineages_that_share_judge_samples_become_one(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    models.register(scope, model("b"), look=look(1, "uv"))
    both = [s.question_id for s in questions.spent(scope, "key")]
    models.register(scope, model("c"), look=look(3, "xu", both))
    (spent,) = questions.spent(scope, "key")
    assert (spent.looks, spent.judge) == (3, frozenset("xyuv"))


def test_forgetting_a_model_does_not_forget_what_was_spent(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    models.drop(scope, ["a" * 64])
    assert models.everything(scope) == []
    assert questions.spent(scope, "key")[0].looks == 1


def test_a_model_is_found_by_task_and_by_beginning_of_its_id(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    assert models.get(scope, "caps").id == models.get(scope, "aaaaaa").id == "a" * 64
    with pytest.raises(NotFound, match="tenfold ls"):
        models.get(scope, "aaaab")


def test_the_make_says_which_model_answers_a_task(scope):
    models.register(scope, model("a"), look=look(1, "xy"))
    models.register(scope, model("b"), look=look(2, "xy", [1]))
    make = Make("m" * 64, "caps", "caps", "5" * 64, "spec", "a" * 64, [], {})
    models.put_make(scope, make)
    models.put_make(scope, make)
    assert models.get(scope, "caps").id == "a" * 64
    assert len(models.makes_of(scope)) == 1

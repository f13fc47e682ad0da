import threading

import pytest

from tenfold.catalog import answers, deployments, keys, ledger, models
from tenfold.catalog.answers import Progress
from tenfold.catalog.deployments import Change
from tenfold.catalog.ledger import Entry
from tenfold.catalog.models import Judging, Model, Stretch
from tenfold.errors import Conflict, NotFound, SpecError

A, B, C = "a" * 64, "b" * 64, "c" * 64


@pytest.fixture
def scope(catalog):
    scope = catalog.scope("local", "ann")
    with_models(scope)
    return scope


def with_models(scope):
    made = [
        Model(
            id=one,
            task=one[0],
            fleet="",
            sector="",
            kind="classify",
            dataset="caps",
            snapshot="5" * 64,
            make_id="m" * 64,
            rung="linear",
            estimate=None,
            status="accepted",
            verdict={},
            identity={},
            pack="9" * 64,
            head=Stretch(0, 10, "d" * 64),
            evidence=Stretch(10, 7, "e" * 64),
            roster="8" * 64,
            seconds={},
        )
        for one in (A, B, C)
    ]
    sample = frozenset([b"0123456789abcdef"])
    with scope.write() as connection:
        models.register(
            connection, scope, Judging("key", sample, 1, sample, frozenset(), tuple(made))
        )


def change(scope, action, model="", name="station-7/cap", **more):
    return deployments.change(scope, [Change(name, action, model, **more)])


def now(scope, name="station-7/cap"):
    return deployments.get(scope, name)


def test_a_deployment_goes_through_shadow_canary_promotion_and_back(scope):
    change(scope, "deploy", A, why="first")
    change(scope, "shadow", B)
    change(scope, "canary", B, share=0.1)
    assert now(scope).models == (A, B), "what answers for real need not be asked twice"
    change(scope, "promote", why="proven")
    assert (now(scope).live, now(scope).before, now(scope).models) == (B, A, (B,))
    change(scope, "rollback", why="too many rejects")
    assert (now(scope).live, now(scope).before) == (A, B)
    told = [(one.action, one.model, one.before, one.why) for one in history(scope)]
    assert told == [
        ("deploy", A, "", "first"),
        ("shadow", B, A, ""),
        ("canary", B, A, ""),
        ("promote", B, A, "proven"),
        ("rollback", A, B, "too many rejects"),
    ]
    assert {one.actor for one in history(scope)} == {"ann"}
    assert [one.generation for one in history(scope)] == [1, 2, 3, 4, 5]


def history(scope):
    return deployments.history(scope, "station-7/cap")


def test_rolling_back_a_trial_leaves_what_is_live(scope):
    change(scope, "deploy", A)
    change(scope, "canary", B, share=0.5)
    change(scope, "rollback")
    assert (now(scope).live, now(scope).models) == (A, (A,))
    with pytest.raises(Conflict, match="no package before"):
        change(scope, "rollback")


def test_what_cannot_be_is_refused_and_changes_nothing(scope):
    change(scope, "deploy", A)
    with pytest.raises(NotFound, match="no model"):
        deployments.change(
            scope, [Change("other", "deploy", B), Change("third", "deploy", "d" * 64)]
        )
    with pytest.raises(Conflict, match="neither a canary nor a shadow"):
        change(scope, "promote")
    with pytest.raises(NotFound, match="'other'"):
        change(scope, "shadow", B, name="other")
    with pytest.raises(SpecError, match="share"):
        change(scope, "canary", B, share=1.0)
    for name in ("", "a b", "/a", "a/", "a//b", "x" * 201, "a/versions/b", "../a"):
        with pytest.raises(SpecError, match="named by"):
            change(scope, "deploy", B, name=name)
    assert [one.name for one in deployments.changed(scope)] == ["station-7/cap"]
    assert deployments.newest(scope) == 1


def test_retired_names_can_be_taken_up_again(scope):
    change(scope, "deploy", A)
    change(scope, "retire", why="the part is no longer made")
    with pytest.raises(NotFound):
        change(scope, "rollback")
    change(scope, "deploy", B)
    assert (now(scope).state, now(scope).live, now(scope).before) == ("live", B, A)


def test_changes_of_one_call_are_one_generation(scope):
    change(scope, "deploy", A, name="one")
    last = deployments.change(scope, [Change(n, "deploy", B) for n in ("two", "three")])
    assert [d.name for d in deployments.changed(scope, after=1)] == ["three", "two"]
    assert {d.generation for d in deployments.changed(scope, after=1)} == {last} == {2}
    assert {ref.model for ref in deployments.heads(scope, after=1)} == {B}
    assert {ref.model for ref in deployments.heads(scope)} == {A, B}
    assert deployments.using(scope, [B]) == ["three", "two"]


def test_tenants_do_not_see_each_other(scope, catalog):
    change(scope, "deploy", A)
    other = catalog.scope("others", "bob")
    assert deployments.changed(other) == []
    with pytest.raises(NotFound):
        change(other, "deploy", A)


def test_many_writers_number_their_generations_without_gaps(catalog, scope):
    def deploy(name):
        mine = catalog.scope("local", name)
        for turn in range(5):
            change(mine, "deploy", (A, B)[turn % 2], name=name)

    threads = [threading.Thread(target=deploy, args=(f"writer-{n}",)) for n in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    numbers = [t.generation for n in range(4) for t in deployments.history(scope, f"writer-{n}")]
    assert sorted(numbers) == list(range(1, 21))


def test_of_a_key_only_the_digest_is_kept(scope):
    secret = keys.create(scope, "line-3", per_minute=60)
    (key,) = keys.in_force(scope)
    assert (key.name, key.per_minute, key.digest) == ("line-3", 60, keys.digest_of(secret))
    assert len(secret) >= 43
    assert secret not in str(key)
    with pytest.raises(Conflict, match="line-3"):
        keys.create(scope, "line-3")
    keys.revoke(scope, "line-3")
    assert keys.in_force(scope) == []
    with pytest.raises(NotFound):
        keys.revoke(scope, "line-3")


def test_a_stretch_of_answers_is_booked_once(scope):
    entry = Entry("r", "serve", "s@0/a", task="cap", images=3, cpu_s=0.5)

    def book(before, end):
        with scope.write() as connection:
            answers.advance(connection, scope, before, Progress("s", end, before.answers + 3))
            ledger.add(connection, scope, [entry])

    first = answers.progress(scope, "s")
    book(first, 100)
    with pytest.raises(Conflict, match="somebody else"):
        book(first, 100)
    assert answers.progress(scope, "s") == Progress("s", 100, 3, 0)
    book(answers.progress(scope, "s"), 200)
    assert answers.totals(scope).answers == 6

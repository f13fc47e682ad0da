import pytest
from test_deployments import A, B, with_models

from tenfold.catalog import at_work, deployments, loops, picks
from tenfold.catalog.at_work import Sought
from tenfold.catalog.deployments import Change
from tenfold.catalog.loops import Happening
from tenfold.catalog.picks import Pick


@pytest.fixture
def scope(catalog):
    scope = catalog.scope("local", "ann")
    with_models(scope)
    names = ("line/a", "line/b", "line/c", "old")
    deployments.change(scope, [Change(name, "deploy", A) for name in names])
    deployments.change(scope, [Change("line/b", "canary", B, share=0.2), Change("old", "retire")])
    first = Happening("line/a", "watched", "w")
    loops.put(scope, "line/a", "", state={"alarmed": ["drift"]}, first=first)
    loops.put(scope, "line/b", "", state={"alarmed": []}, first=Happening("line/b", "watched", "w"))
    with scope.write() as connection:
        loops.note(connection, scope, [Happening("line/a", "alarm", "alarm:1", A)])
        some = [
            Pick("line/c", sample * 64, reason) for sample in "12" for reason in ("doubt", "drift")
        ]
        picks.put(connection, scope, some)
    return scope


@pytest.mark.parametrize(
    ("group", "names"),
    [
        ("", ["line/a", "line/b", "line/c", "old"]),
        ("trial", ["line/b"]),
        ("watched", ["line/a", "line/b"]),
        ("alarm", ["line/a"]),
        ("review", ["line/c"]),
        ("retired", ["old"]),
    ],
)
def test_deployments_are_found_by_what_they_need(scope, group, names):
    assert [one.name for one in at_work.search(scope, Sought(group=group))] == names
    assert at_work.counts(scope)[group] == len(names)


def test_pages_follow_each_other(scope):
    first = at_work.search(scope, Sought(text="LINE", limit=2))
    then = at_work.search(scope, Sought(text="LINE", limit=2, after=first[-1].name))
    assert [one.name for one in first + then] == ["line/a", "line/b", "line/c"]


def test_a_row_says_what_is_live_on_trial_alarmed_and_waiting(scope):
    a, b, c, _ = at_work.search(scope, Sought())
    assert (a.task, a.status, a.is_watched, a.alarms) == ("a", "accepted", True, ("drift",))
    assert (b.canary, b.canary_share, b.alarms) == (B, 0.2, ())
    assert (c.is_watched, c.waiting) == (False, 2)


def test_another_tenant_sees_nothing(catalog, scope):
    assert at_work.search(catalog.scope("other", "bob"), Sought()) == []

"""How the loop stands, looked up once for all who watch."""

import pytest
from test_deployments import A, B, with_models

from tenfold.catalog import deployments, loops, picks
from tenfold.catalog.deployments import Change
from tenfold.catalog.loops import Happening
from tenfold.catalog.picks import Pick
from tenfold.web.console.standing import look, standing
from tenfold.workspace import open_workspace


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "home", actor="ann")
    scope = opened.scope
    with_models(scope)
    deployments.change(scope, [Change(name, "deploy", A) for name in ("a", "b", "c")])
    deployments.change(scope, [Change("b", "shadow", B)])
    first = Happening("a", "watched", "w")
    loops.put(scope, "a", "", state={"alarmed": ["drift"]}, first=first)
    with scope.write() as connection:
        loops.note(connection, scope, [Happening("a", "alarm", "alarm:1", A)])
        picks.put(connection, scope, [Pick("c", "1" * 64, "doubt")])
    yield opened
    opened.close()


def test_what_waits_for_a_person_is_named(workspace):
    seen = look(workspace)
    assert [(one.name, one.alarms) for one in seen.changed] == [("a", ("drift",))]
    assert [(one.name, one.waiting) for one in seen.asking] == [("c", 1)]
    assert seen.proven == []  # nobody watches it
    assert (seen.now.live, seen.now.on_trial, seen.is_shared) == (3, 1, False)


def test_many_who_watch_cost_one_look(workspace):
    seen = standing(workspace)
    deployments.change(workspace.scope, [Change("d", "deploy", A)])
    assert standing(workspace) is seen
    assert look(workspace).now.live == 4

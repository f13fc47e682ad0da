"""The commands about people, as somebody at a terminal uses them."""

import json

import pytest
from sqlalchemy import delete, update
from typer.testing import CliRunner

from tenfold.catalog import accounts, keys
from tenfold.catalog.tables import activity
from tenfold.cli import app
from tenfold.errors import Conflict, IntegrityError, NotAllowed, NotFound, SpecError
from tenfold.workspace import opened

WORDS = "correct horse battery"


def run(*words, typed=""):
    env = {"COLUMNS": "120", "TENFOLD_ACTOR": "root"}
    done = CliRunner().invoke(app, list(words), input=typed, env=env)
    assert done.exit_code == 0, (done.output, done.exception)
    return done.stdout


def refused(*words, typed=""):
    error = CliRunner().invoke(app, list(words), input=typed).exception
    assert error is not None
    return error


def added(name, *more):
    return run("account", "add", name, "--password-stdin", *more, typed=f"{WORDS}\n")


def test_people_are_added_listed_and_changed():
    assert "no accounts" in run("account", "ls")
    assert "may sign in as owner" in added("ann")
    assert "may sign in as engineer" in added("bob", "--role", "engineer")
    assert "viewer now" in run("account", "role", "bob", "viewer")
    assert "no more" in run("account", "disable", "bob")
    table = run("account", "ls")
    assert "bob" in table
    assert "argon2" not in table
    found = {one["name"]: one for one in json.loads(run("account", "ls", "--json"))}
    assert found["bob"]["role"] == "viewer"
    assert found["bob"]["disabled_at"]
    assert found["ann"]["created_by"] == "root"
    assert "again" in run("account", "enable", "bob")
    with opened() as workspace:
        assert accounts.check(workspace.scope, "bob", WORDS)


def test_a_password_is_typed_twice():
    assert WORDS not in run("account", "add", "ann", typed=f"{WORDS}\n{WORDS}\n")
    run("account", "password", "ann", typed="another long one\nanother long one\n")
    run("account", "password", "ann", "--password-stdin", typed="a third long one\r\n")
    with opened() as workspace:
        assert accounts.check(workspace.scope, "ann", "a third long one")


def test_what_cannot_be_is_told():
    assert isinstance(
        refused("account", "add", "ann", "--password-stdin", typed="short\n"), SpecError
    )
    assert isinstance(refused("account", "add", "ann", "--role", "admin"), SpecError)
    first = ("account", "add", "ann", "--role", "viewer", "--password-stdin")
    assert isinstance(refused(*first, typed=f"{WORDS}\n"), Conflict)
    added("ann")
    assert isinstance(refused("account", "disable", "ann"), Conflict)
    assert isinstance(refused("account", "role", "nobody", "viewer"), NotFound)
    assert isinstance(refused("account", "password", "nobody"), NotFound)


def test_keys_have_roles():
    told = json.loads(run("key", "create", "robot", "--role", "engineer", "--json"))
    assert told["role"] == "engineer"
    run("key", "create", "line-3")
    found = {one["name"]: one["role"] for one in json.loads(run("key", "ls", "--json"))}
    assert found == {"robot": "engineer", "line-3": "caller"}
    with opened() as workspace:
        assert keys.find(workspace.scope, told["key"]).role == "engineer"
    assert isinstance(refused("key", "create", "x", "--role", "admin"), SpecError)


def test_the_log_is_shown_noted_and_verified():
    assert "Nobody did anything" in run("audit", "head")
    assert "holds" in run("audit", "verify")
    added("ann")
    run("key", "create", "line-3")
    head = json.loads(run("audit", "head", "--json"))
    assert head["number"] == 2
    assert head["digest"] in run("audit", "head")
    run("key", "revoke", "line-3")
    said = run("audit", "verify", "--from", head["digest"])
    assert "3 rows" in said
    assert "goes on from what was noted" in said
    assert "revoke-key" in run("audit", "show")
    rows = json.loads(run("audit", "show", "--action", "create-key", "--json"))
    assert [(one["actor"], one["subject"]) for one in rows] == [("root", "line-3")]
    assert isinstance(refused("audit", "verify", "--from", "abc"), SpecError)


def test_a_log_that_was_changed_by_hand_is_told_with_its_row():
    for name in ("ann", "bob", "eve"):
        added(name)
    noted = json.loads(run("audit", "head", "--json"))["digest"]
    with opened() as workspace, workspace.scope.write() as connection:
        connection.execute(delete(activity).where(activity.c.number == 3))
    run("audit", "verify")
    told = refused("audit", "verify", "--from", noted)
    assert isinstance(told, IntegrityError)
    assert "cut off" in str(told)
    with opened() as workspace, workspace.scope.write() as connection:
        connection.execute(update(activity).where(activity.c.number == 2).values(actor="eve"))
    assert "row 2" in str(refused("audit", "verify"))


@pytest.mark.parametrize("host", ["0.0.0.0", "192.0.2.1", "::"])
def test_a_hub_without_accounts_is_not_for_other_machines(host):
    told = refused("hub", "--host", host, "--port", "0")
    assert isinstance(told, NotAllowed)
    assert "tenfold account add" in told.hint

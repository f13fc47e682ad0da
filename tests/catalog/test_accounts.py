"""Accounts and sessions: who may sign in, as what, and for how long."""

import subprocess
import sys
import time
from dataclasses import replace
from datetime import timedelta

import pytest
from argon2 import PasswordHasher
from sqlalchemy import select, update

from tenfold.catalog import accounts, activity, sessions
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import accounts as table
from tenfold.catalog.tables import sessions as session_table
from tenfold.errors import Conflict, NotFound, SpecError

WORDS = "correct horse battery"
OTHER = "another long password"
DEMOTE = """
import sys
from tenfold.catalog import Catalog, accounts
from tenfold.errors import Conflict
scope = Catalog.open(sys.argv[1]).scope("local", "ann")
sys.stdin.readline()
try:
    accounts.disable(scope, sys.argv[2])
    print("disabled")
except Conflict:
    print("refused")
"""


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "root")


@pytest.fixture
def ann(scope):
    return accounts.create(scope, "ann", WORDS)


def test_the_first_is_an_owner_and_later_ones_see(scope):
    assert not accounts.are_any(scope)
    with pytest.raises(Conflict, match="first account is an owner"):
        accounts.create(scope, "ann", WORDS, role="viewer")
    assert not accounts.are_any(scope)
    assert accounts.create(scope, "ann", WORDS).role == "owner"
    assert accounts.create(scope, "bob", WORDS).role == "viewer"
    assert accounts.create(scope, "eve", WORDS, role="engineer").role == "engineer"
    assert [one.name for one in accounts.everyone(scope)] == ["ann", "bob", "eve"]
    with pytest.raises(Conflict, match="'bob'"):
        accounts.create(scope, "bob", WORDS)


@pytest.mark.usefixtures("ann")
@pytest.mark.parametrize("name", ["", "Ann", "a b", "key:a", "-ann", "ä", "a" * 101, "a/b", "a\n"])
def test_names_that_could_be_taken_for_another_are_refused(scope, name):
    with pytest.raises(SpecError, match="a name has"):
        accounts.create(scope, name, WORDS)


@pytest.mark.parametrize("password", ["", "short", "123456789", "a" * 1001, "aaaaaaaaaaaa"])
def test_passwords_that_anybody_guesses_are_refused(scope, password):
    with pytest.raises(SpecError, match="password") as refused:
        accounts.create(scope, "ann", password)
    assert not password or password not in str(refused.value)
    assert not accounts.are_any(scope)


def test_the_name_is_no_password(scope):
    with pytest.raises(SpecError, match="guesses"):
        accounts.create(scope, "ann@example.com", "Ann@example.com")


@pytest.mark.usefixtures("ann")
def test_a_password_opens_its_own_account_alone(scope):
    accounts.create(scope, "bob", OTHER)
    assert accounts.check(scope, "ann", WORDS).role == "owner"
    assert accounts.check(scope, "ann", OTHER) is None
    assert accounts.check(scope, "nobody", WORDS) is None
    assert accounts.check(scope, "ann", "") is None
    other = replace(scope, tenant="others")
    assert accounts.check(other, "ann", WORDS) is None
    assert not accounts.are_any(other)


def test_a_password_is_the_same_however_it_was_typed(scope):
    accounts.create(scope, "ann", "schöne Füße überall")
    assert accounts.check(scope, "ann", "scho\u0308ne Fu\u0308ße u\u0308berall")


def test_of_a_password_only_argon2_is_kept(scope, ann):
    with scope.read() as connection:
        (kept,) = connection.execute(select(table.c.password)).scalars()
    assert kept.startswith("$argon2id$")
    assert WORDS not in kept
    assert "argon2" not in str(ann)


@pytest.mark.usefixtures("ann")
def test_unknown_names_take_as_long_as_known_ones(scope):
    def took(name):
        began = time.perf_counter()
        accounts.check(scope, name, OTHER)
        return time.perf_counter() - began

    took("warm")
    rounds = [(took("nobody"), took("ann")) for _ in range(8)]  # by turns: others use the cores
    unknown, known = map(min, zip(*rounds, strict=True))
    assert 0.5 < unknown / known < 2


@pytest.mark.usefixtures("ann")
def test_a_hash_of_earlier_parameters_is_written_anew(scope):
    def kept():
        with scope.read() as connection:
            return connection.execute(select(table.c.password)).scalar()

    weak = PasswordHasher(time_cost=1, memory_cost=64, parallelism=1).hash(WORDS)
    with scope.write() as connection:
        connection.execute(update(table).values(password=weak))
    assert accounts.check(scope, "ann", OTHER) is None
    assert kept() == weak
    assert accounts.check(scope, "ann", WORDS)
    assert kept() != weak
    assert accounts.check(scope, "ann", WORDS)


@pytest.mark.usefixtures("ann")
def test_a_hash_that_is_none_opens_nothing(scope):
    with scope.write() as connection:
        connection.execute(update(table).values(password=WORDS))
    assert accounts.check(scope, "ann", WORDS) is None


@pytest.mark.usefixtures("ann")
def test_the_last_owner_stays(scope):
    for change in (
        lambda: accounts.disable(scope, "ann"),
        lambda: accounts.set_role(scope, "ann", "engineer"),
    ):
        with pytest.raises(Conflict, match="last owner"):
            change()
    accounts.create(scope, "bob", WORDS, role="owner")
    accounts.disable(scope, "bob")
    with pytest.raises(Conflict, match="last owner"):
        accounts.set_role(scope, "ann", "viewer")
    accounts.enable(scope, "bob")
    accounts.set_role(scope, "ann", "viewer")
    assert [one.role for one in accounts.everyone(scope)] == ["viewer", "owner"]


def test_two_owners_disabled_at_once_leave_one(scope, place):
    names = ("ann", "bob")
    for name in names:
        accounts.create(scope, name, WORDS, role="owner")
    pipe = subprocess.PIPE
    command = [sys.executable, "-c", DEMOTE, place]
    running = [subprocess.Popen([*command, n], stdin=pipe, stdout=pipe, text=True) for n in names]
    said = sorted(one.communicate("\n", timeout=60)[0].strip() for one in running)
    assert said == ["disabled", "refused"]


def test_unknown_accounts_are_not_changed(scope):
    for change in (
        lambda: accounts.get(scope, "nobody"),
        lambda: accounts.set_role(scope, "nobody", "viewer"),
        lambda: accounts.set_password(scope, "nobody", WORDS),
        lambda: accounts.disable(scope, "nobody"),
        lambda: accounts.enable(scope, "nobody"),
    ):
        with pytest.raises(NotFound, match="nobody"):
            change()


def test_a_session_is_whose_it_is_until_it_ends(scope, ann):
    token = sessions.begin(scope, ann)
    seen = sessions.who(scope, token)
    assert (seen.account, seen.role) == ("ann", "owner")
    with scope.read() as connection:
        assert token not in str(connection.execute(select(session_table)).all())
    assert sessions.who(scope, token[:-1]) is None
    assert sessions.who(replace(scope, tenant="others"), token) is None
    sessions.end(scope, token)
    sessions.end(scope, token)
    assert sessions.who(scope, token) is None


def test_a_role_that_changes_holds_at_once(scope, ann):
    bob = accounts.create(scope, "bob", WORDS)
    token = sessions.begin(scope, bob)
    accounts.set_role(scope, "bob", "engineer")
    assert sessions.who(scope, token).role == "engineer"
    assert sessions.who(scope, sessions.begin(scope, ann)).role == "owner"


@pytest.mark.usefixtures("ann")
def test_disabling_and_a_new_password_sign_out_everywhere(scope):
    bob = accounts.create(scope, "bob", WORDS)
    tokens = [sessions.begin(scope, bob) for _ in range(2)]
    accounts.set_password(scope, "bob", OTHER)
    assert [sessions.who(scope, token) for token in tokens] == [None, None]
    assert accounts.check(scope, "bob", WORDS) is None
    token = sessions.begin(scope, bob)
    accounts.disable(scope, "bob")
    assert sessions.who(scope, token) is None
    assert accounts.check(scope, "bob", OTHER) is None
    with pytest.raises(NotFound):
        sessions.begin(scope, bob)
    accounts.enable(scope, "bob")
    assert sessions.who(scope, token) is None
    assert accounts.check(scope, "bob", OTHER)


def test_a_session_ends_when_it_is_not_used_and_after_a_week(scope, ann, monkeypatch):
    began = Scope.now()

    def at(**later):
        monkeypatch.setattr(Scope, "now", staticmethod(lambda: began + timedelta(**later)))

    at()
    token = sessions.begin(scope, ann)
    at(hours=11)
    assert sessions.who(scope, token).expires_at == began + timedelta(hours=23)
    at(hours=22)
    assert sessions.who(scope, token)
    at(hours=35)
    assert sessions.who(scope, token) is None, "13 hours without a word"
    at()
    token = sessions.begin(scope, ann)
    for hours in range(11, 24 * 7, 11):
        at(hours=hours)
        assert sessions.who(scope, token)
    at(days=7, minutes=1)
    assert sessions.who(scope, token) is None


def test_sessions_of_one_account_are_bounded(scope, ann, monkeypatch):
    monkeypatch.setattr(sessions, "MOST", 3)
    tokens = [sessions.begin(scope, ann) for _ in range(5)]
    assert [sessions.who(scope, token) is not None for token in tokens] == [False] * 2 + [True] * 3


def test_everything_about_people_is_told(scope, ann):
    accounts.create(scope, "bob", WORDS)
    accounts.set_role(scope, "bob", "engineer")
    accounts.set_role(scope, "bob", "engineer")
    token = sessions.begin(scope, accounts.get(scope, "bob"), address="10.0.0.7")
    sessions.end(scope, token)
    sessions.note_failure(scope, "bob", address="10.0.0.9", count=3)
    sessions.note_failure(scope, "my own secret password", address="10.0.0.9")
    accounts.set_password(scope, "bob", OTHER)
    accounts.disable(scope, "bob")
    accounts.disable(scope, "bob")
    accounts.enable(scope, "bob")
    told = activity.page(scope, limit=100)[::-1]
    assert [(one.actor, one.action, one.subject) for one in told] == [
        ("root", "create-account", "ann"),
        ("root", "create-account", "bob"),
        ("root", "set-role", "bob"),
        ("bob", "sign-in", "bob"),
        ("bob", "sign-out", "bob"),
        ("root", "sign-in-failed", "bob"),
        ("root", "sign-in-failed", ""),
        ("root", "set-password", "bob"),
        ("root", "disable-account", "bob"),
        ("root", "enable-account", "bob"),
    ]
    assert told[2].detail == {"role": "engineer", "before": "viewer"}
    assert told[5].detail == {"address": "10.0.0.9", "times": 3}
    for secret in (WORDS, OTHER, token, "my own secret"):
        assert secret not in str(told)
    assert activity.verify(scope).holds

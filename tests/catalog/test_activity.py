"""The log of who did what: one chain, whoever writes at once, and every way to break it is seen."""

import subprocess
import sys
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from sqlalchemy import delete, insert, select, text, update

from catalog.test_deployments import A, B, with_models
from tenfold.catalog import Catalog, activity, copies, datasets, deployments, keys, ledger, loops
from tenfold.catalog.activity import FIRST, Sought, verify
from tenfold.catalog.deployments import Change
from tenfold.catalog.ledger import Run, Used
from tenfold.catalog.loops import Happening
from tenfold.catalog.scope import Scope
from tenfold.catalog.tables import activity as table
from tenfold.errors import Conflict, IntegrityError, NotFound, SpecError

WRITE = """
import sys
from tenfold.catalog import Catalog, activity
catalog = Catalog.open(sys.argv[1])
scope = catalog.scope("local", sys.argv[2])
sys.stdin.readline()
for turn in range(25):
    with scope.write() as connection:
        activity.add(connection, scope, "run", subject=str(turn), detail={"turn": turn})
"""
SHORT = 7
"""Rows of `chain`."""


@pytest.fixture
def scope(catalog):
    return catalog.scope("local", "ann")


@pytest.fixture
def chain(scope, monkeypatch):
    monkeypatch.setattr(activity, "CHUNK", 3)
    for number in range(SHORT):
        note(scope, f"run-{number + 1}", share=0.1 * number, ratio=1e-300, name="ü ✓ \u2028")
    return scope


def note(scope, subject, action="run", **detail):
    with scope.write() as connection:
        activity.add(connection, scope, action, subject=subject, detail=detail)


def rows(scope):
    return activity.page(scope, limit=1000)[::-1]


def test_every_row_is_sealed_with_the_one_before(chain):
    told = rows(chain)
    assert [one.number for one in told] == list(range(1, SHORT + 1))
    assert [one.before for one in told] == [FIRST, *(one.digest for one in told[:-1])]
    found = verify(chain)
    assert (found.rows, found.head, found.holds) == (SHORT, told[-1].digest, True)
    assert activity.head(chain) == told[-1]


def test_an_empty_log_holds(scope):
    assert verify(scope).rows == 0
    assert activity.head(scope) is None


@pytest.mark.parametrize(
    "values",
    [
        {"actor": "bob"},
        {"action": "promote"},
        {"subject": "run-9"},
        {"detail": {"turn": 2}},
        {"at": datetime(2020, 1, 1, tzinfo=UTC)},
        {"digest": "a" * 64},
    ],
    ids=lambda values: next(iter(values)),
)
def test_a_changed_row_is_found(chain, values):
    with chain.write() as connection:
        connection.execute(update(table).where(table.c.number == 4).values(values))
    found = verify(chain)
    assert (found.rows, found.broken.number) == (3, 4)
    assert "row 4 is not what was written" in found.broken.why


def test_a_removed_row_is_found(chain):
    for number, rest in ((4, 3), (1, 0)):
        with chain.write() as connection:
            connection.execute(delete(table).where(table.c.number == number))
        found = verify(chain)
        assert (found.rows, found.broken.number) == (rest, number)
        assert f"row {number} is missing" in found.broken.why


def test_a_removed_row_whose_gap_is_closed_is_found(chain):
    with chain.write() as connection:
        connection.execute(delete(table).where(table.c.number == 4))
        for number in range(5, SHORT + 1):
            moved = update(table).where(table.c.number == number)
            connection.execute(moved.values(number=number - 1))
    assert verify(chain).broken.number == 4


def test_an_inserted_row_is_found(chain):
    first = rows(chain)[0]
    for number in (0, -5):
        with chain.write() as connection:
            row = {"tenant": "local", "number": number, "at": first.at, "actor": "eve"}
            row |= {"action": "run", "subject": "", "detail": {}, "before": FIRST, "digest": FIRST}
            connection.execute(insert(table), row)
        assert f"stands row {number}" in verify(chain).broken.why


def test_two_rows_that_changed_places_are_found(chain):
    with chain.write() as connection:
        for old, new in ((3, 100), (4, 3), (100, 4)):
            connection.execute(update(table).where(table.c.number == old).values(number=new))
    assert verify(chain).broken.number == 3


def test_a_row_that_was_sealed_anew_breaks_the_next(chain):
    one = rows(chain)[3]
    forged = {"number": 4, "at": one.at, "actor": "eve", "action": one.action}
    forged |= {"subject": one.subject, "detail": one.detail, "before": one.before}
    digest = activity._digest("local", forged)
    with chain.write() as connection:
        changed = {"actor": "eve", "digest": digest}
        connection.execute(update(table).where(table.c.number == 4).values(changed))
    found = verify(chain)
    assert found.broken.number == 5
    assert "does not follow row 4" in found.broken.why


def test_an_end_that_was_cut_off_is_found_by_what_was_noted(chain):
    noted = activity.head(chain).digest
    assert verify(chain, noted=[noted]).holds
    note(chain, "later")
    assert verify(chain, noted=[noted.upper()[:16], rows(chain)[2].digest]).holds
    with chain.write() as connection:
        connection.execute(delete(table).where(table.c.number >= SHORT))
    assert verify(chain).holds, "nothing in the log tells"
    found = verify(chain, noted=[noted])
    assert not found.holds
    assert "cut off, or written anew" in found.broken.why
    note(chain, "and goes on")
    assert not verify(chain, noted=[noted]).holds


@pytest.mark.parametrize("digest", ["", "abc", "g" * 64, "a" * 65, "run"])
def test_what_is_no_digest_is_refused(chain, digest):
    with pytest.raises(SpecError, match="hexadecimal digits"):
        verify(chain, noted=[digest])


@pytest.mark.parametrize(
    "change",
    [
        "at = 'yesterday'",
        "at = 12",
        "detail = '{'",
        "detail = '[1]'",
        "actor = x'ff00'",
        "subject = CAST(x'ff00' AS TEXT)",
        "digest = 5",
        "number = 'four'",
    ],
)
def test_what_no_program_writes_is_found(tmp_path, change):
    opened = Catalog.open(tmp_path / "catalog.sqlite")
    scope = opened.scope("local", "ann")
    for number in range(SHORT):
        note(scope, f"run-{number + 1}")
    with scope.write() as connection:
        connection.execute(text(f"UPDATE activity SET {change} WHERE number = 4"))
    found = verify(scope)
    assert (found.rows, found.broken.number) == (3, 4)
    if change in ("at = 'yesterday'", "at = 12", "detail = '{'", "subject = CAST(x'ff00' AS TEXT)"):
        with pytest.raises(IntegrityError, match="audit verify"):
            activity.page(scope, limit=10)
    opened.close()


def test_four_processes_at_once_write_one_chain(scope, place):
    command = [sys.executable, "-c", WRITE, place]
    writers = [
        subprocess.Popen([*command, f"writer-{n}"], stdin=subprocess.PIPE, text=True)
        for n in range(4)
    ]
    for writer in writers:
        writer.stdin.write("\n")
        writer.stdin.flush()
    for writer in writers:
        assert writer.wait(120) == 0
        writer.stdin.close()
    assert (verify(scope).rows, verify(scope).holds) == (100, True)
    assert {one.actor for one in rows(scope)} == {f"writer-{n}" for n in range(4)}


def test_a_clock_that_goes_back_breaks_nothing(scope, monkeypatch):
    note(scope, "first")
    yesterday = Scope.now() - timedelta(days=1)
    monkeypatch.setattr(Scope, "now", staticmethod(lambda: yesterday))
    note(scope, "second")
    first, second = rows(scope)
    assert second.at < first.at
    assert verify(scope).holds


def test_what_is_undone_was_not_done(scope):
    def stopped():
        with scope.write() as connection:
            activity.add(connection, scope, "run", subject="never")
            raise RuntimeError

    with pytest.raises(RuntimeError):
        stopped()
    note(scope, "then")
    assert [one.subject for one in rows(scope)] == ["then"]


def test_tenants_have_logs_of_their_own(scope, catalog):
    other = catalog.scope("others", "bob")
    note(scope, "ours")
    note(other, "theirs")
    note(scope, "ours too")
    assert [verify(one).rows for one in (scope, other)] == [2, 1]
    assert [one.subject for one in rows(other)] == ["theirs"]
    with scope.write() as connection:
        connection.execute(update(table).where(table.c.number == 2).values(tenant="others"))
    assert not verify(other).holds


def test_rows_are_found_by_who_what_and_about_what(scope):
    note(scope, "caps", action="ingest")
    note(replace(scope, actor="bob"), "caps", action="forget")
    note(scope, "lids", action="ingest")

    def found(**sought):
        return [one.number for one in activity.page(scope, Sought(**sought), limit=10)]

    assert found() == [3, 2, 1]
    assert found(actor="bob") == [2]
    assert found(action="ingest") == [3, 1]
    assert found(subject="caps", before=2) == [1]
    assert [one.number for one in activity.page(scope, limit=1)] == [3]


def test_a_backup_that_is_restored_still_verifies(chain, tmp_path):
    noted = activity.head(chain).digest
    copied, _ = copies.write(chain, tmp_path / "copy")
    restored = Catalog.open(tmp_path / "restored.sqlite")
    copies.fill(restored.scope("local", "ann"), copied, tmp_path / "copy")
    assert verify(restored.scope("local", "bob"), noted=[noted]).rows == SHORT
    note(restored.scope("local", "bob"), "goes on")
    assert verify(restored.scope("local", "bob"), noted=[noted]).holds
    restored.close()


def told(scope):
    return [(one.actor, one.action, one.subject) for one in rows(scope)]


def test_deployments_tell_each_change_and_of_a_fleet_one_row(scope):
    with_models(scope)
    deployments.change(scope, [Change("cap", "deploy", A, why="first")])
    deployments.change(scope, [Change("cap", "shadow", B), Change("cap", "promote")])
    fleet = [Change(f"lids/{n}", "deploy", A, why="the fleet") for n in range(300)]
    deployments.change(scope, fleet)
    assert told(scope) == [
        ("ann", "deploy", "cap"),
        ("ann", "shadow", "cap"),
        ("ann", "promote", "cap"),
        ("ann", "change-many", "300 deployments"),
    ]
    assert rows(scope)[0].detail == {"model": A, "before": "", "why": "first", "generation": 1}
    many = {"actions": ["deploy"], "changes": 300, "why": "the fleet", "generation": 3}
    assert rows(scope)[3].detail == many
    with pytest.raises(NotFound):
        deployments.change(scope, [Change("nothing", "retire")])
    assert len(rows(scope)) == 4
    assert verify(scope).holds


def test_datasets_keys_loops_and_runs_tell_what_was_done(scope):
    origin = ("csv", "s3://ann:secret@host/caps", "a table")
    datasets.put(scope, name="caps", origin=origin, content=[], set_aside=[])
    secret = keys.create(scope, "line-3", role="viewer")
    happening = Happening("cap", "watched", "watched:1")
    loops.put(scope, "cap", "approve: rule\n", state={}, first=happening)
    run = Run("run-1", "make", fleet="lids", host="here", actor="bob")
    ledger.begin(scope, run)
    ledger.begin(scope, run)
    ledger.settle(scope, run, Used(), kind="overhead", outcome="done")
    loops.drop(scope, "cap", last=happening)
    keys.revoke(scope, "line-3")
    datasets.drop(scope, "caps")
    for refused in (
        lambda: keys.create(scope, "line-3"),
        lambda: keys.revoke(scope, "line-3"),
        lambda: datasets.drop(scope, "caps"),
    ):
        with pytest.raises((Conflict, NotFound)):
            refused()
    assert told(scope) == [
        ("ann", "ingest", "caps"),
        ("ann", "create-key", "line-3"),
        ("ann", "watch", "cap"),
        ("bob", "run", "run-1"),
        ("ann", "unwatch", "cap"),
        ("ann", "revoke-key", "line-3"),
        ("ann", "forget", "caps"),
    ]
    with scope.read() as connection:
        written = str(connection.execute(select(table)).all())
    assert secret not in written
    assert "secret" not in written
    assert verify(scope).holds

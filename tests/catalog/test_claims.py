import os
import signal
import subprocess
import sys
import time

import pytest
from sqlalchemy import text

from tenfold.catalog import Catalog

HOLD = """
import sys, time
from tenfold.catalog import Catalog
catalog = Catalog.open(sys.argv[1])
print(int(catalog.claims.take("local", "caps")), flush=True)
sys.stdin.readline()
"""


def holder(place):
    """Another process; the first line it prints is whether it got the claim."""
    command = [sys.executable, "-c", HOLD, place]
    pipe = subprocess.PIPE
    process = subprocess.Popen(command, stdin=pipe, stdout=pipe, text=True)
    return process, process.stdout.readline().strip() == "1"


def end(process, signal_number=signal.SIGKILL):
    process.send_signal(signal_number)
    process.wait()
    process.stdin.close()
    process.stdout.close()


def soon(is_true):
    deadline = time.monotonic() + 10
    while not is_true():
        assert time.monotonic() < deadline
        time.sleep(0.02)


def test_a_claim_is_held_by_one_until_it_lets_go(catalog, place):
    other = Catalog.open(place)
    assert catalog.claims.take("local", "caps")
    assert not catalog.claims.take("local", "caps")
    assert not other.claims.take("local", "caps")
    assert other.claims.take("local", "bolts")
    assert other.claims.take("eve", "caps")
    other.claims.release("local", "caps")  # not its own: nothing happens
    assert not other.claims.take("local", "caps")
    catalog.claims.release("local", "caps")
    catalog.claims.release("local", "caps")
    assert other.claims.take("local", "caps")
    other.close()
    assert catalog.claims.take("local", "caps")


def test_another_catalog_of_the_same_process_may_close_without_freeing_ours(catalog, place):
    assert catalog.claims.take("local", "caps")
    Catalog.open(place).close()
    process, got = holder(place)
    end(process)
    assert not got


def test_a_claim_goes_with_a_process_that_is_killed(catalog, place):
    process, got = holder(place)
    assert got
    assert not catalog.claims.take("local", "caps")
    end(process)
    soon(lambda: catalog.claims.take("local", "caps"))


FORK = """
import os, sys, time
from tenfold.catalog import Catalog
catalog = Catalog.open(sys.argv[1])
got = catalog.claims.take("local", "caps")
child = os.fork()
if child == 0:
    time.sleep(60)
    os._exit(0)
print(child if got else 0, flush=True)
time.sleep(60)
"""


def test_a_forked_child_that_lives_on_holds_nothing(catalog, place):
    command = [sys.executable, "-c", FORK, place]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True)
    child = int(process.stdout.readline())
    assert child
    try:
        assert not catalog.claims.take("local", "caps")
        process.kill()
        process.wait()
        soon(lambda: catalog.claims.take("local", "caps"))
    finally:
        os.kill(child, signal.SIGKILL)
        process.stdout.close()


@pytest.mark.postgres
@pytest.mark.xdist_group("postgres")
def test_a_lost_connection_loses_its_claims_and_the_next_take_connects_again(postgres):
    mine, other = (Catalog.open(url) for url in [postgres.database()] * 2)
    assert mine.claims.take("local", "caps")
    with mine.scope("local", "ann").read() as connection:
        name = connection.execute(text("SELECT current_database()")).scalar()
    postgres.run(
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity "
        f"WHERE datname = '{name}' AND query LIKE '%advisory%'"
    )
    soon(lambda: other.claims.take("local", "caps"))
    mine.claims.release("local", "caps")
    assert mine.claims.take("local", "bolts")
    assert not mine.claims.take("local", "caps")
    other.close()
    soon(lambda: mine.claims.take("local", "caps"))
    mine.close()

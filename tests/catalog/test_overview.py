"""How the loop stands, counted on both databases."""

from datetime import timedelta

from tenfold.catalog import datasets, ledger, loops
from tenfold.catalog.datasets import Item, Sample
from tenfold.catalog.ledger import Entry
from tenfold.catalog.loops import Happening
from tenfold.catalog.overview import overview


def test_an_empty_catalog_counts_nothing(catalog):
    scope = catalog.scope("plant", "ann")
    seen = overview(scope, since=scope.now())
    assert (seen.pictures, seen.models, seen.live, seen.answers, seen.waiting) == (0, {}, 0, 0, 0)
    assert (seen.alarms, seen.used) == ((), ())


def test_pictures_alarms_and_what_was_used_since_are_counted(catalog):
    scope = catalog.scope("plant", "ann")
    digest = "a" * 64
    content = [(Sample(digest, 8, 8, "L", 10, "0" * 16), Item(digest, "1.png", ("good",)))]
    datasets.put(scope, name="caps", origin=("csv", "x", "y"), content=content, set_aside=[])
    for name, alarmed in (("calm", []), ("loud", ["drift"])):
        first = Happening(name, "watched", "1")
        loops.put(scope, name, "", state={"alarmed": alarmed}, first=first)
    now = scope.now()
    old = Entry("r0", "make", "m0", cpu_s=9.0, at=now - timedelta(2))
    ledger.book(scope, [old, Entry("r1", "make", "m1", cpu_s=2.0)])
    seen = overview(scope, since=now - timedelta(hours=1))
    assert (seen.pictures, seen.datasets, seen.watched, seen.alarms) == (1, 1, 2, ("loud",))
    assert [(one.kind, one.entries, one.used.cpu_s) for one in seen.used] == [("make", 1, 2.0)]

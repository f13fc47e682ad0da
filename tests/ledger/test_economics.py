from datetime import UTC, date, datetime
from decimal import Decimal

import pytest

from ledger.filled import fill
from tenfold.catalog import ledger
from tenfold.catalog.ledger import Entry
from tenfold.errors import SpecError
from tenfold.ledger import headcount, price
from tenfold.ledger.breakdown import UNUSED
from tenfold.ledger.cost import NOTHING
from tenfold.ledger.report import Question, economics_of, reasons

MARCH = datetime(2026, 3, 10, tzinfo=UTC)
PRICES = "currency: EUR\nrates: [{from: 2020-01-01, cpu_hour: 3600, human_hour: 36}]"


def prices(text=PRICES):
    return price.parsed(price.Prices, text, where="prices", hint="")


@pytest.fixture
def published(both, tmp_path):
    """The figures a large maker of models published for 2020 and 2021."""
    fill(both, 13_490, (datetime(2015, 1, 1, tzinfo=UTC), 2191), fleets=30)
    fill(both, 20_510, (datetime(2021, 1, 1, tzinfo=UTC), 364), first=13_491, fleets=40)
    for n, (at, amount) in enumerate([("2021-03-31", "1500000000"), ("2021-12-31", "1560000000")]):
        bill = Entry(
            run="book",
            kind="spend",
            subject=f"research {n}",
            at=datetime.fromisoformat(at).replace(tzinfo=UTC),
            amount=Decimal(amount),
            currency="EUR",
        )
        ledger.book(both, [bill])
    people = tmp_path / "people.yaml"
    people.write_text(
        "headcount:\n  - {date: 2020-12-31, people: 2700}\n  - {date: 2021-12-31, people: 4200}\n"
    )
    return both, headcount.load(people)


def test_the_published_case_gives_its_figures(published):
    scope, people = published
    for by in ("fleet", "sector", "tenant", "task"):
        question = Question(since=date(2021, 1, 1), until=date(2021, 12, 31), by=by)
        found = economics_of(scope, question, price.load(), people)
        assert found.accepted.before == 13_490
        assert found.accepted.newly == 20_510
        assert found.accepted.total == 34_000
        assert f"{found.accepted.growth:+.0%}" == "+152%"
        assert found.people == pytest.approx(3450)
        assert f"{found.per_person_year:.2f}" == "5.94"
        assert found.cost.total == Decimal("3060000000")
        assert round(found.per_model.total, -3) == 149_000
        assert sum(line.total for line in found.lines) == found.cost.total
        assert [m.total for m in found.months][-1] == 34_000
        if by != "task":
            assert sum(line.accepted for line in found.lines) == 20_510


def entry(kind, subject, **given):
    return Entry(run="r1", kind=kind, subject=subject, **{"at": MARCH} | given)


@pytest.fixture
def march(both):
    """Two fleets on one dataset, one embedded and one made; and a dataset nobody used."""
    fill(both, 4, (MARCH, 1), fleets=2)
    ledger.book(
        both,
        [
            entry("embed", "d", dataset="d", cpu_s=10.0, images=100),
            entry("embed", "idle", dataset="idle", cpu_s=2.0, images=20),
            entry(
                "make", "a", dataset="d", task="task-00002", fleet="fleet-0", cpu_s=1, images=100
            ),
            entry(
                "make", "b", dataset="d", task="task-00001", fleet="fleet-1", cpu_s=3, images=300
            ),
            entry("label", "c", task="task-00001", fleet="fleet-1", human_s=100, labels=7),
            entry("overhead", "r1", cpu_s=0.5),
            entry("waste", "r0", fleet="fleet-1", cpu_s=0.25),
        ],
    )
    return both


@pytest.mark.parametrize("by", ["fleet", "sector", "tenant", "task"])
def test_lines_add_up_to_the_whole(march, by):
    found = economics_of(march, Question(by=by), prices())
    assert found.cost.total == Decimal("17.75")
    assert sum((line.direct + line.embedding for line in found.lines), NOTHING) == found.cost


def test_embedding_is_shared_by_the_pictures_each_read(march):
    found = economics_of(march, Question(by="fleet"), prices())
    lines = {line.name: line for line in found.lines}
    assert lines["fleet-0"].embedding.total == Decimal("2.5")
    assert lines["fleet-1"].embedding.total == Decimal("7.5")
    assert lines["fleet-1"].direct.total == Decimal("4.25")
    assert lines[UNUSED].total == 2
    assert lines["overhead"].total == Decimal("0.5")
    assert lines["fleet-0"].accepted == 2


def test_tasks_are_ranked_with_their_share(march):
    found = economics_of(march, Question(by="task"), prices())
    assert [(line.name, line.total) for line in found.lines] == [
        ("task-00001", Decimal("11.5")),
        ("task-00002", Decimal("3.5")),
        ("overhead", Decimal("0.5")),
        ("waste", Decimal("0.25")),
        (UNUSED, Decimal(2)),
    ]


def test_later_months_never_change_an_earlier_one(march):
    def of_march():
        asked = Question(until=date(2026, 3, 31), by="fleet")
        return {(line.name, line.total) for line in economics_of(march, asked, prices()).lines}

    before = of_march()
    later = datetime(2026, 4, 2, tzinfo=UTC)
    for dataset in ("d", "idle"):
        given = {"dataset": dataset, "fleet": "new", "images": 9, "at": later}
        ledger.book(march, [entry("make", f"{dataset} later", **given)])
    assert of_march() == before


def test_the_next_model_costs_making_and_labels_alone(march):
    found = economics_of(march, Question(), prices())
    assert found.next_model.total == Decimal("1.25")  # (1 + 3 + 1) / 4: no embedding, no overhead


def test_reuse_is_heads_per_embedded_picture(march):
    assert economics_of(march, Question(), prices()).reuse == pytest.approx(400 / 120)


def test_nothing_of_another_tenant_is_seen(march):
    other = type(march)(**{f: getattr(march, f) for f in march.__slots__} | {"tenant": "other"})
    found = economics_of(other, Question(by="tenant"), prices())
    assert found.is_empty
    assert found.cost == NOTHING
    assert not economics_of(march, Question(), prices()).is_empty


def test_refusals_say_which_bound_was_missed(both):
    bounds = [
        {"name": "escape", "limit": 0.05, "errors": 9, "n": 100, "pictures": None},
        {"name": "overkill", "limit": 0.1, "errors": 1, "n": 100, "pictures": [2, 200]},
        {"name": "error", "limit": None, "errors": 99, "n": 100, "pictures": None},
    ]
    fill(both, 3, (MARCH, 1))
    verdict = {"status": "refused", "bounds": bounds}
    fill(both, 1, (MARCH, 1), first=4, verdict=verdict)
    found = economics_of(both, Question(), prices()).refusals
    assert found.judged == {"accepted": 3, "refused": 1}
    assert (found.share, found.asked, found.reasons) == (0.25, 1, {"escape": 1})


def test_a_bound_is_missed_by_pictures_too():
    bound = {"name": "escape", "limit": 0.05, "errors": 0, "n": 10, "pictures": [9, 100]}
    assert reasons([{"bounds": [bound]}, {"bounds": [bound]}]) == {"escape": 2}


def test_an_impossible_period_is_told(scope):
    with pytest.raises(SpecError, match="--since"):
        economics_of(scope, Question(date(2026, 3, 1), date(2026, 2, 1)), prices())


def test_months_before_the_first_price_are_told(march):
    late = "currency: EUR\nrates: [{from: 2026-04-01, cpu_hour: 1}]"
    with pytest.raises(SpecError, match="2026-03"):
        economics_of(march, Question(), prices(late))


def test_bills_in_another_currency_need_a_rate(both):
    bill = entry("spend", "gpu", amount=Decimal(100), currency="USD")
    ledger.book(both, [bill])
    with pytest.raises(SpecError, match="one USD is worth"):
        economics_of(both, Question(), prices())
    worth = PRICES.replace("36}", "36, exchange: {USD: 0.9}}")
    assert economics_of(both, Question(by="task"), prices(worth)).cost.total == 90

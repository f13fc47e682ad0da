import csv
import json
import re
from datetime import UTC, datetime
from decimal import Decimal
from html.parser import HTMLParser

import pytest
from typer.testing import CliRunner

from ledger.filled import fill
from tenfold.catalog.ledger import Entry, book
from tenfold.cli import app
from tenfold.errors import Conflict, NotFound, SpecError
from tenfold.ledger import in_force
from tenfold.workspace import opened

MARCH = datetime(2026, 3, 10, tzinfo=UTC)


def run(*words):
    done = CliRunner().invoke(app, list(words), catch_exceptions=False, env={"COLUMNS": "100"})
    assert done.exit_code == 0, done.output
    return done.stdout


def refused(*words):
    error = CliRunner().invoke(app, list(words)).exception
    assert error is not None
    return error


@pytest.fixture
def filled():
    with opened() as workspace:
        fill(workspace.scope, 6, (MARCH, 1), fleets=2)
        made = [
            Entry(
                run="r1",
                kind="make",
                subject=f"m{n}",
                dataset="caps",
                task=f"task-{n:05}",
                fleet=f"<fleet-{n % 2}>",
                at=MARCH,
                cpu_s=7200.0,
                images=50,
            )
            for n in range(1, 61)
        ]
        embedded = Entry("r1", "embed", "caps", dataset="caps", at=MARCH, cpu_s=3600, images=100)
        book(workspace.scope, [embedded, *made])


def test_an_empty_ledger_says_what_to_do_next(tmp_path):
    said = run("report", "economics", "--out", str(tmp_path / "e.html"))
    assert "tenfold make" in said
    assert "tenfold ledger book" in said
    assert "Nothing is booked" in (tmp_path / "e.html").read_text()
    assert "tenfold make" in run("ledger", "show")
    assert json.loads(run("report", "economics", "--json"))["cost"]["total"] == "0"


@pytest.mark.usefixtures("filled")
def test_the_report_is_readable_in_a_hundred_columns():
    for by in ("task", "fleet", "sector", "tenant"):
        said = run("report", "economics", "--since", "2026-03", "--until", "2026-03-31", "--by", by)
        assert max(map(len, said.splitlines())) <= 100
        assert "4.84 EUR" in said
        assert f"By {by}" in said
    assert "nobody sees what another's" in said


@pytest.mark.usefixtures("filled")
def test_json_and_csv_say_the_same():
    told = json.loads(run("report", "economics", "--by", "task", "--json"))
    rows = list(csv.DictReader(run("report", "economics", "--by", "task", "--csv").splitlines()))
    assert [row["task"] for row in rows] == [line["name"] for line in told["lines"]]
    assert len(rows) == 51
    assert rows[-1]["task"].startswith("10 other tasks")
    assert sum(Decimal(row["total"]) for row in rows) == Decimal(told["cost"]["total"])
    assert told["accepted"]["newly"] == 6
    assert told["images"]["reuse"] == 30


class Outside(HTMLParser):
    """Collects addresses that the page would fetch."""

    def __init__(self):
        super().__init__()
        self.found = []

    def handle_starttag(self, tag, attrs):
        names = {"src", "href", "xlink:href", "action", "srcset"}
        self.found += [(tag, value) for name, value in attrs if name in names]
        self.found += [(tag, "script")] if tag == "script" else []


@pytest.mark.usefixtures("filled")
def test_the_page_is_self_contained_and_escapes_names(tmp_path):
    file = tmp_path / "e.html"
    run("report", "economics", "--out", str(file))
    page = file.read_text()
    parser = Outside()
    parser.feed(page)
    assert parser.found == []
    assert page.count("<svg") == 3
    assert "&lt;fleet-1&gt;" in page
    assert "<fleet-1>" not in page
    assert not re.search(r"[\"> ,](nan|inf)[\"< ,]", page)


def test_headcount_and_prices_come_from_files(filled, tmp_path, monkeypatch):
    prices, people = tmp_path / "prices.yaml", tmp_path / "people.yaml"
    prices.write_text("currency: USD\nrates: [{from: 2026-01-01, cpu_hour: 100}]\n")
    people.write_text("headcount: [{date: 2026-01-01, people: 2}]\n")
    given = ["report", "economics", "--since", "2026-03-01", "--until", "2026-03-01", "--json"]
    told = json.loads(run(*given, "--prices", str(prices), "--headcount", str(people)))
    assert (told["currency"], told["cost"]["total"]) == ("USD", "12100")
    assert told["models_per_person_year"] == pytest.approx(36)
    monkeypatch.setenv("TENFOLD_PRICES", str(prices))
    monkeypatch.setenv("TENFOLD_HEADCOUNT", str(people))
    assert json.loads(run(*given)) == told
    assert isinstance(refused(*given, "--prices", "none.yaml"), NotFound)


def test_a_bill_is_booked_once():
    said = run("ledger", "book", "1234.5", "--what", "rent", "--on", "2026-03-31")
    assert "Booked 1,234.50 EUR on 2026-03-31: rent." in said
    again = refused("ledger", "book", "1234.5", "--what", "rent", "--on", "2026-03-31")
    assert isinstance(again, Conflict)
    run("ledger", "book", "0.000001", "--what", "dust", "--currency", "EUR", "--fleet", "caps")
    told = json.loads(run("report", "economics", "--json"))
    assert told["cost_by_kind"]["spend"]["bills"] == "1234.500001"
    shown = run("ledger", "show")
    assert "0.000001 EUR" in shown
    assert "1,234.50 EUR" in shown
    assert len(json.loads(run("ledger", "show", "--json"))["entries"]) == 2


@pytest.mark.parametrize(
    "words",
    [
        ("ledger", "book", "much", "--what", "rent"),
        ("ledger", "book", "1", "--what", "rent", "--on", "yesterday"),
        ("report", "economics", "--since", "2026"),
        ("report", "economics", "--since", "2026-04", "--until", "2026-03"),
        ("report", "economics", "--out", "folder"),
    ],
)
def test_what_makes_no_sense_is_told(words):
    assert isinstance(refused(*words), SpecError)


def test_what_an_owner_saved_is_what_the_commands_reckon_with(filled):
    before = json.loads(run("report", "economics", "--json"))
    with opened() as workspace:
        rates = {"from": "2026-01-01", "cpu_hour": "400"}
        in_force.set_rates(workspace.scope, "", currency="CHF", rates=rates)
        in_force.set_count(workspace.scope, "", count={"date": "2026-01-01", "people": 3})
    after = json.loads(run("report", "economics", "--json"))
    assert (before["currency"], after["currency"]) == ("EUR", "CHF")
    assert before["people"] is None
    assert after["people"] == pytest.approx(3)  # a mean over days
    assert json.loads(run("ledger", "book", "5", "--what", "rent", "--json"))["currency"] == "CHF"

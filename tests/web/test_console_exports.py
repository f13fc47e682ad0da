"""The ledger as a file: what an address may ask, and the rows of the report."""

import asyncio
import csv
import io
import shutil
from dataclasses import replace
from datetime import date

import httpx
import pytest

import tenfold
from tenfold.errors import NotFound, SpecError
from tenfold.web.console import exports
from tenfold.web.hub_app import created


def test_an_address_asks_by_months_and_one_grouping():
    asked = exports.question("2026-01", "2026-03-15", "fleet")
    assert (asked.since, asked.until, asked.by) == (date(2026, 1, 1), date(2026, 3, 15), "fleet")
    open_ended = exports.question("", "", "task")
    assert (open_ended.since, open_ended.until) == (None, None)


@pytest.mark.parametrize(
    ("since", "until", "by", "where"),
    [
        ("abc", "", "task", "since"),
        ("", "2026-13", "task", "until"),
        ("2026-1", "", "task", "since"),
        ("2026-01-01\r\nX: 1", "", "task", "since"),
        ("", "", "colour", "by"),
    ],
)
def test_what_an_address_cannot_ask_is_named(since, until, by, where):
    with pytest.raises(SpecError) as caught:
        exports.question(since, until, by)
    assert caught.value.where == where


def answered(workspace, query):
    app = created(workspace, None)
    exports.attach(app)

    async def ask():
        transport = httpx.ASGITransport(app)
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return await client.get(f"/console/ledger.csv?{query}")

    return asyncio.run(ask())


def test_the_file_has_a_line_for_each_group_and_says_what_it_is(workshop, tmp_path):
    with tenfold.opened(shutil.copytree(workshop, tmp_path / "home"), actor="ann") as workspace:
        answer = answered(workspace, "by=task&since=2026-01")
        wrong = answered(workspace, "since=never")
    assert answer.status_code == 200
    assert answer.headers["content-type"] == "text/csv; charset=utf-8"
    assert 'filename="ledger-task-2026-01.csv"' in answer.headers["content-disposition"]
    head, *rows = csv.reader(io.StringIO(answer.text))
    assert (head[0], head[-1]) == ("task", "currency")
    assert {len(row) for row in rows} <= {len(head)}
    assert (wrong.status_code, "never" in wrong.json()["error"]) == (400, True)


def test_a_price_file_that_is_not_there_is_named(workshop, tmp_path):
    with tenfold.opened(shutil.copytree(workshop, tmp_path / "home"), actor="ann") as workspace:
        settings = replace(workspace.settings, prices="gone.yaml", headcount="gone.yaml")
        elsewhere = replace(workspace, settings=settings)
        for load in (exports.prices_of, exports.people_of):
            with pytest.raises(NotFound):
                load(elsewhere)

"""Prices and headcount over HTTP."""

import pytest
from fastapi.testclient import TestClient

from tenfold.ledger import in_force
from tenfold.web.hub_app import created
from tenfold.workspace import open_workspace

RATES = {"from": "2026-01-01", "cpu_hour": "0.05", "human_hour": "60"}


@pytest.fixture
def workspace(tmp_path):
    opened = open_workspace(tmp_path / "home", actor="ann")
    yield opened
    opened.close()


@pytest.fixture
def hub(workspace):
    return TestClient(
        created(workspace, None), client=("127.0.0.1", 1), base_url="http://127.0.0.1"
    )


def test_what_is_set_over_http_holds_for_everybody(hub, workspace):
    assert hub.get("/api/prices").json()["from"] == "built-in"
    told = hub.put("/api/prices", json={"currency": "CHF", "rates": RATES}).json()
    assert (told["from"], told["currency"]) == ("saved", "CHF")
    newest = in_force.prices(workspace.scope, "").rates[-1]
    assert (str(newest.cpu_hour), str(newest.human_hour)) == ("0.05", "60")
    hub.put("/api/headcount", json={"date": "2026-01-31", "people": 12})
    told = hub.get("/api/headcount").json()
    assert told["headcount"] == [{"date": "2026-01-31", "people": 12.0}]


def test_a_wrong_price_changes_nothing(hub, workspace):
    answer = hub.put("/api/prices", json={"currency": "EUR", "rates": RATES | {"cpu_hour": "-1"}})
    assert answer.status_code == 400
    assert "cpu_hour" in answer.json()["error"]
    assert in_force.source(workspace.scope, "prices", "")[0] == "built-in"

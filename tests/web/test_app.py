"""The application itself, over ASGI in this process: one look for `make check`."""

import asyncio
import shutil

import httpx
import pytest
from sqlalchemy import select

import tenfold
from tenfold.catalog.tables import entries
from tenfold.heads.classify_linear import LinearScorer
from tenfold.predictions.collector import collect
from tenfold.predictions.history import read
from tenfold.web.app import Limits, created

pytestmark = pytest.mark.xdist_group("line")  # one worker makes the line

CAP = "station-7/cap"


@pytest.fixture
def app(line, tmp_path):
    home = shutil.copytree(line.settings.home, tmp_path / "home")
    with tenfold.opened(home, actor="ann") as workspace:
        tenfold.deploy(workspace, CAP, "classify-cells", unproven=True)
        yield created(workspace, "run-1", Limits())


def test_a_picture_in_an_answer_out(app, line, cells):
    file = sorted((cells / "cracked").iterdir())[0]
    (expected,) = tenfold.predict(line, "classify-cells", [str(file)])

    async def scene():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                ready = await client.get("/v2/health/ready")
                told = await client.post(f"/predict/{CAP}", content=file.read_bytes())
                return ready.status_code, told

    ready, told = asyncio.run(scene())
    assert ready == 200
    assert told.status_code == 200
    assert told.json()["label"] == expected.answer
    assert told.json()["score"] == pytest.approx(expected.score, abs=1e-5)
    stages = [part.partition(";")[0].strip() for part in told.headers["server-timing"].split(",")]
    assert stages == ["decode", "queue", "trunk", "head"]


def test_that_a_head_failed_is_recorded_and_bills_no_picture(app, cells, monkeypatch):
    data = sorted((cells / "cracked").iterdir())[0].read_bytes()

    def broken(self, features):
        raise ValueError("no such feature")

    async def scene():
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app, raise_app_exceptions=False)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                good = await client.post(f"/predict/{CAP}", content=data)
                monkeypatch.setattr(LinearScorer, "score", broken)
                bad = await client.post(f"/predict/{CAP}", content=data)
                return good.status_code, bad.status_code

    assert asyncio.run(scene()) == (200, 500)
    workspace = app.state.workspace
    assert collect(workspace.scope, workspace.answers_folder).answers == 2
    rows = read(workspace.answers_folder).to_pylist()
    assert [row["label"] is None for row in rows] == [False, True]
    with workspace.scope.read() as connection:
        booked = connection.execute(select(entries.c.images).where(entries.c.kind == "serve"))
        assert booked.scalars().all() == [1]

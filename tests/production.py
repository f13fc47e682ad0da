"""Production for tests: pictures asked of the real application, over ASGI in this process."""

import asyncio
from collections.abc import Sequence
from pathlib import Path

import httpx

from cells import solar_cells
from tenfold.predictions.collector import collect
from tenfold.web.app import Limits, created
from tenfold.workspace import Workspace

CAP = "station-7/cap"
TASK = """\
task: cap
kind: classify
dataset: cells
trunk: tiny
rung: linear
question: {positive: [cracked]}
bar: {escape: 0.9, overkill: 0.9}
"""
"""A task that hardly any head fails."""


def parts(*, good: int, bad: int, after: int = 60) -> list[tuple[Path, str]]:
    """(file, truth) of cells that no test's dataset has, good and bad in turn."""
    goods = [file for file, is_bad in solar_cells() if not is_bad][after : after + good]
    bads = [file for file, is_bad in solar_cells() if is_bad][after : after + bad]
    assert (len(goods), len(bads)) == (good, bad)
    named = [(i / good, file, "good") for i, file in enumerate(goods)]
    named += [(i / bad, file, "cracked") for i, file in enumerate(bads)]
    return [(file, truth) for _, file, truth in sorted(named)]


def answer(workspace: Workspace, deployment: str, files: Sequence[Path], *, run: str) -> list[dict]:
    """Ask for all pictures, one after the other, and collect what was answered."""

    async def scene() -> list[dict]:
        app = created(workspace, run, Limits())
        async with app.router.lifespan_context(app):
            transport = httpx.ASGITransport(app=app)
            async with httpx.AsyncClient(transport=transport, base_url="http://here") as client:
                told = []
                for file in files:
                    response = await client.post(
                        f"/predict/{deployment}", content=file.read_bytes()
                    )
                    assert response.status_code == 200, response.text
                    told.append(response.json())
                return told

    answers = asyncio.run(scene())
    collect(workspace.scope, workspace.answers_folder)
    return answers

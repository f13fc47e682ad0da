"""The hub's API: a real process, real HTTP; what is killed goes on where it was."""

import asyncio
import base64
import hashlib
import io
import json
import os
import random
import shutil
import signal
import subprocess
import time
import zipfile
from contextlib import contextmanager

import httpx
import pytest

import tenfold
from cells import write_cells
from serving_at import COMMAND
from tenfold.catalog import datasets, models
from tenfold.errors import NotAllowed
from tenfold.factory.telling import Teller
from tenfold.web.hub_app import created

heavy = pytest.mark.heavy
pytestmark = pytest.mark.xdist_group("line")

TASK = """\
task: seals
kind: classify
dataset: seals
trunk: tiny
rung: linear
question: {positive: [cracked]}
bar: {escape: 0.9, overkill: 0.9}
"""
PATIENCE_S = 60.0


@pytest.fixture
def home(workshop, tmp_path):
    return shutil.copytree(workshop, tmp_path / "home")


@contextmanager
def hub(home):
    """A hub, and a client of it; killed with all that it started."""
    process = subprocess.Popen(
        [*COMMAND, "hub", "--port", "0", "--json"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        told = json.loads(process.stdout.readline())
        with httpx.Client(base_url=told["url"], timeout=30) as client:
            yield client
    finally:
        os.killpg(process.pid, signal.SIGKILL)
        process.wait(30)
        process.stdout.close()


def packed(tmp_path):
    """A zip of cells in folders named by their labels."""
    folder = write_cells(tmp_path / "cells", good=40, bad=40)
    data = io.BytesIO()
    with zipfile.ZipFile(data, "w") as archive:
        for file in sorted(folder.rglob("*.png")):
            archive.write(file, file.relative_to(folder))
    return data.getvalue()


def begun(client, data, **told):
    told |= {"filename": "cells.zip", "sha256": hashlib.sha256(data).hexdigest()}
    pairs = ",".join(f"{k} {base64.b64encode(v.encode()).decode()}" for k, v in told.items())
    headers = {"Upload-Length": str(len(data)), "Upload-Metadata": pairs}
    answer = client.post("/api/uploads", headers=headers)
    assert answer.status_code == 201, answer.text
    return answer.headers["location"]


def add(client, where, data, offset):
    headers = {"Content-Type": "application/offset+octet-stream", "Upload-Offset": str(offset)}
    return client.patch(where, headers=headers, content=data)


def until_over(client, job):
    ends = time.monotonic() + PATIENCE_S
    while time.monotonic() < ends:
        told = client.get(f"/api/jobs/{job}").json()
        if told["state"] in ("done", "failed", "cancelled"):
            return told
        time.sleep(0.2)
    raise AssertionError(told)


def followed(client, job, after=0, most=1000):
    """Events of a job: (id, kind)."""
    found, headers = [], {"Last-Event-ID": str(after)}
    with client.stream("GET", f"/api/jobs/{job}/events", headers=headers) as answer:
        for line in answer.iter_lines():
            word, _, value = line.partition(": ")
            if word == "id":
                number = int(value)
            elif word == "event":
                found.append((number, value))
                if len(found) == most:
                    break
    return found


@heavy
def test_what_is_killed_goes_on(home, tmp_path):
    """An upload and a make, each killed in the middle; everything is there once."""
    data = packed(tmp_path)
    half = len(data) // 2
    with hub(home) as client:
        where = begun(client, data)
        assert add(client, where, data[:half], 0).headers["upload-offset"] == str(half)
    with hub(home) as client:
        assert client.head(where).headers["upload-offset"] == str(half)
        assert add(client, where, data[half:], 0).status_code == 409
        assert add(client, where, data[half:], half).status_code == 204
        body = {"name": "seals", "uploads": [where.rpartition("/")[2]]}
        asked = client.post("/api/datasets", json=body)
        assert asked.status_code == 202, asked.text
        told = until_over(client, asked.json()["key"])
        assert told["state"] == "done", told
        assert client.get("/api/datasets/seals").json()["labels"] == {"cracked": 40, "good": 40}
        key = {"Idempotency-Key": "first"}
        asked = client.post("/api/makes", json={"task": TASK}, headers=key)
        job = asked.json()["key"]
        (first,) = followed(client, job, most=1)
    assert Teller(home, job).outcome() is None, "it was over before it was killed"
    with hub(home) as client:
        again = client.post("/api/makes", json={"task": TASK}, headers=key).json()
        assert again["key"] == job
        rest = followed(client, job, after=first[0])
        kinds = [kind for _, kind in rest]
        assert (kinds[-1], kinds.count("begins"), kinds.count("done")) == ("done", 1, 1)
        assert first[0] < rest[0][0]
        assert until_over(client, job)["last"]["result"]["made"][0]["task"] == "seals"
        assert len(client.get("/api/models", params={"text": "seals"}).json()["models"]) == 1
        assert {one["key"] for one in client.get("/api/jobs").json()} >= {job}
        shown = client.get("/api/models/seals").json()
        page = client.get("/api/reports/seals")
        assert page.status_code == 200
        assert "sandbox" in page.headers["content-security-policy"]
        done = client.post("/api/deployments/a/b/deploy", json={"model": "seals", "unproven": True})
        assert done.status_code == 200, done.text
        assert client.get("/api/deployments/a/b").json()["deployment"]["live"]
    with tenfold.opened(home) as workspace:
        made = [m for m in models.everything(workspace.scope) if m.task == "seals"]
        assert [m.id for m in made] == [shown["model"]["id"]]
        assert datasets.get(workspace.scope, "seals").size == 80


@heavy
def test_a_job_that_fails_says_why_and_one_is_cancelled(home, tmp_path):
    data = b"no picture"
    with hub(home) as client:
        where = begun(client, data)
        add(client, where, data, 0)
        body = {"name": "none", "uploads": [where.rpartition("/")[2]]}
        told = until_over(client, client.post("/api/datasets", json=body).json()["key"])
        assert told["state"] == "failed"
        assert told["last"]["error"] in ("DataError", "NotFound")
        table = tmp_path / "t.zip"
        with zipfile.ZipFile(table, "w") as archive:
            archive.writestr("t.csv", "path,label\n/etc/hostname.png,good\n")
        where = begun(client, table.read_bytes())
        add(client, where, table.read_bytes(), 0)
        body = {"name": "t", "uploads": [where.rpartition("/")[2]], "format": "csv"}
        told = until_over(client, client.post("/api/datasets", json=body).json()["key"])
        assert told["state"] == "failed"
        task = TASK.replace("dataset: seals", "dataset: cells")
        job = client.post("/api/makes", json={"task": task}).json()["key"]
        assert client.post(f"/api/jobs/{job}/cancel").status_code == 200
        assert until_over(client, job)["state"] == "cancelled"


@pytest.mark.slow
def test_twenty_kills_at_random_moments_make_one_model(home, tmp_path):
    """Asked for again after each kill, as a client would."""
    rng, data = random.Random(3), packed(tmp_path)
    with hub(home) as client:
        where = begun(client, data)
    body = {"name": "seals", "uploads": [where.rpartition("/")[2]]}
    kills = 0
    for kill in range(21):
        with hub(home) as client:
            offset = int(client.head(where).headers["upload-offset"])
            if offset < len(data):
                piece = data[offset : offset + len(data) // 4]
                assert add(client, where, piece, offset).status_code == 204
            else:
                key = {"Idempotency-Key": str(kill // 7)}
                read = client.post("/api/datasets", json=body, headers=key).json()["key"]
                asked = client.post("/api/makes", json={"task": TASK}, headers=key)
                assert asked.status_code in (202, 404), asked.text
            if kill == 20:
                assert until_over(client, read)["state"] == "done"
                asked = client.post("/api/makes", json={"task": TASK}, headers=key)
                assert until_over(client, asked.json()["key"])["state"] == "done"
            else:
                time.sleep(rng.uniform(0.0, 3.0))
                kills += 1
    assert kills == 20
    with tenfold.opened(home) as workspace:
        assert datasets.get(workspace.scope, "seals").size == 80
        assert [m.task for m in models.everything(workspace.scope)].count("seals") == 1


@heavy
def test_who_listens_does_not_keep_a_hub_from_stopping(home):
    process = subprocess.Popen(
        [*COMMAND, "hub", "--port", "0", "--json"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        url = json.loads(process.stdout.readline())["url"]
        task = {"task": TASK.replace("dataset: seals", "dataset: cells")}
        job = httpx.post(f"{url}/api/makes", json=task).json()["key"]
        with httpx.stream("GET", f"{url}/api/jobs/{job}/events", timeout=30):
            process.terminate()
            assert process.wait(30) == 0
    finally:
        process.stdout.close()
        if process.poll() is None:
            os.killpg(process.pid, signal.SIGKILL)
            process.wait(30)


@heavy
def test_up_starts_both_and_ends_with_the_first_that_ends(home):
    process = subprocess.Popen(
        [*COMMAND, "up", "--port", "0", "--hub-port", "0"],
        env={**os.environ, "TENFOLD_HOME": str(home)},
        stderr=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    ends = time.monotonic() + PATIENCE_S
    while not (note := home / "hub.json").exists() and time.monotonic() < ends:
        time.sleep(0.1)
    os.kill(json.loads(note.read_text())["pid"], signal.SIGKILL)
    _, said = process.communicate(timeout=60)
    assert process.returncode == 8
    assert "hub ended by itself" in said


class Viewer:
    actor = "vera"

    def identify(self, request):
        return self

    def require(self, action):
        if action != "show":
            raise NotAllowed(f"a viewer may not {action}.")


def asked(app, *requests, base="http://127.0.0.1:8081", client=("127.0.0.1", 1)):
    async def scene():
        transport = httpx.ASGITransport(app=app, client=client)
        async with httpx.AsyncClient(transport=transport, base_url=base) as one:
            return [await one.request(*request[:2], **request[2]) for request in requests]

    return asyncio.run(scene())


CHANGES = [
    ("POST", "/api/makes", {"json": {"task": TASK}}),
    ("POST", "/api/datasets", {"json": {"name": "a", "folder": "a"}}),
    ("POST", "/api/uploads", {"headers": {"Upload-Length": "1"}}),
    ("HEAD", "/api/uploads/" + "0" * 32, {}),
    ("PATCH", "/api/uploads/" + "0" * 32, {}),
    ("DELETE", "/api/uploads/" + "0" * 32, {}),
    ("POST", "/api/deployments/a/retire", {"json": {}}),
    ("POST", "/api/jobs/make:1/cancel", {}),
]


def test_a_viewer_sees_and_changes_nothing(line):
    app = created(line, None, identities=Viewer())
    assert [a.status_code for a in asked(app, *CHANGES)] == [403] * len(CHANGES)
    seen = asked(app, *[("GET", f"/api/{noun}", {}) for noun in ("datasets", "models")])
    assert [a.status_code for a in seen] == [200, 200]


def test_without_accounts_this_machine_alone_may_ask(line):
    app = created(line, None)
    one = ("GET", "/api/models", {})
    assert asked(app, one)[0].status_code == 200
    assert asked(app, one, client=("10.0.0.7", 1))[0].status_code == 401
    assert asked(app, one, base="http://evil.example:8081")[0].status_code == 401
    foreign = {"headers": {"Origin": "http://evil.example"}, "json": {}}
    assert asked(app, ("POST", "/api/deployments/a/retire", foreign))[0].status_code == 403


def test_what_is_wrong_is_told(line):
    app = created(line, None)
    wrong = [
        ("POST", "/api/makes", {"json": {"task": "task: [", "x": 1}}, 400, "extra"),
        ("POST", "/api/makes", {"json": {"task": "kind: 3"}}, 400, "task"),
        ("POST", "/api/makes", {"json": {"task": TASK}}, 404, "seals"),
        ("POST", "/api/datasets", {"json": {"name": "../a", "folder": "a"}}, 400, "name"),
        ("POST", "/api/datasets", {"json": {"name": "..", "folder": "a"}}, 400, "name"),
        ("POST", "/api/datasets", {"json": {"name": "a", "folder": "../.."}}, 404, "folder"),
        ("POST", "/api/datasets", {"json": {"name": "a"}}, 400, "either"),
        ("POST", "/api/deployments/a/canary", {"json": {"model": "m"}}, 400, "share"),
        ("POST", "/api/deployments/a/retire", {"json": {"share": 1}}, 400, "share"),
        ("POST", "/api/deployments/a/explode", {"json": {}}, 400, "verb"),
        ("POST", "/api/uploads", {"headers": {"Upload-Length": "-1"}}, 400, "number"),
        ("GET", "/api/nothing", {}, 404, "Not Found"),
    ]
    answers = asked(app, *[one[:3] for one in wrong])
    for (*_, status, word), answer in zip(wrong, answers, strict=True):
        assert answer.status_code == status, answer.text
        assert word.lower() in answer.json()["error"].lower()

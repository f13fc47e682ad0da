"""The loop over the hub's API: watch, review, label, report a miss, say a word."""

import asyncio
import shutil

import httpx
import pytest

import tenfold
from cells import solar_cells
from production import CAP, TASK
from tenfold.catalog import labels, picks
from tenfold.catalog.picks import Pick
from tenfold.errors import NotAllowed
from tenfold.web.hub_app import created

pytestmark = pytest.mark.xdist_group("line")


class Person:
    """Somebody who may do some things."""

    def __init__(self, *may):
        self.actor, self._may = "lea", may

    def identify(self, request):
        return self

    def require(self, action):
        if action not in self._may:
            raise NotAllowed(f"may not {action}.")


@pytest.fixture
def workspace(workshop, tmp_path):
    home = shutil.copytree(workshop, tmp_path / "home")
    (home / "cap.yaml").write_text(TASK)
    with tenfold.opened(home, actor="ann") as opened:
        tenfold.make_all(opened, [str(home / "cap.yaml")])
        tenfold.deploy(opened, CAP, "cap", unproven=True)
        yield opened


@pytest.fixture
def picture():
    return [file for file, is_bad in solar_cells() if is_bad][100].read_bytes()


def asked(workspace, *requests, may=None):
    async def scene():
        app = created(workspace, None, identities=Person(*may) if may is not None else None)
        transport = httpx.ASGITransport(app=app, client=("127.0.0.1", 1))
        async with httpx.AsyncClient(transport=transport, base_url="http://127.0.0.1") as client:
            return [await client.request(*one[:2], **one[2]) for one in requests]

    return asyncio.run(scene())


def test_a_deployment_is_watched_reviewed_and_let_go(workspace, picture):
    sample = workspace.blobs.put(picture)
    with workspace.scope.write() as connection:
        picks.put(connection, workspace.scope, [Pick(CAP, sample, "audit", said="good", model="m")])
    watched, seen, queue, shown, said, told, ended = asked(
        workspace,
        ("PUT", f"/api/loops/{CAP}", {"json": {"rules": "approve: rule\n"}}),
        ("GET", f"/api/loops/{CAP}", {}),
        ("GET", f"/api/review/{CAP}", {}),
        ("GET", f"/api/review/pictures/{sample[:20]}", {"params": {"deployment": CAP}}),
        (
            "POST",
            f"/api/review/{CAP}",
            {
                "json": {
                    "sample": sample,
                    "label": "cracked",
                    "seconds": 3.5,
                    "boxes": [[1, 2, 3, 4]],
                }
            },
        ),
        ("GET", f"/api/timelines/{CAP}", {}),
        ("DELETE", f"/api/loops/{CAP}", {}),
    )
    assert watched.json()["rules"] == "approve: rule\n"
    assert seen.json()["watched"]["to_review"] == 1
    assert queue.json()["pictures"][0]["sample"] == sample
    assert queue.json()["words"][:2] == ["good", "cracked"]
    assert "audit" not in queue.text
    assert shown.content == picture
    assert shown.headers["content-type"] == "image/png"
    assert said.json()["truth"] == "cracked"
    assert [one["kind"] for one in told.json()][-1] == "watched"
    assert ended.status_code == 200
    (label,) = labels.of_deployment(workspace.scope, CAP)
    assert (label.seconds, label.boxes) == (3.5, ((1, 2, 3, 4),))


def test_a_miss_is_reported_with_its_region(workspace, picture):
    where = {"params": {"region": "1,2,30,40"}, "content": picture}
    good, again, bad, empty = asked(
        workspace,
        ("POST", f"/api/misses/{CAP}", where),
        ("POST", f"/api/misses/{CAP}", where),
        ("POST", f"/api/misses/{CAP}", {"params": {"region": "x"}, "content": picture}),
        ("POST", f"/api/misses/{CAP}", {}),
    )
    assert (good.json()["label"], good.json()["boxes"]) == ("cracked", [[1, 2, 30, 40]])
    assert again.status_code == 200
    assert (bad.status_code, empty.status_code) == (400, 400)
    assert picks.counts(workspace.scope, CAP).misses == 1


WRITES = [
    ("PUT", f"/api/loops/{CAP}", {"json": {}}),
    ("DELETE", f"/api/loops/{CAP}", {}),
    ("POST", f"/api/loops/{CAP}/approve", {"json": {}}),
    ("POST", f"/api/review/{CAP}", {"json": {"sample": "a" * 64, "label": "good"}}),
    ("POST", f"/api/misses/{CAP}", {}),
]


def test_every_action_is_checked(workspace):
    refused = asked(workspace, *WRITES, may=("show",))
    assert [one.status_code for one in refused] == [403] * len(WRITES)
    looked = [("GET", f"/api/review/{CAP}", {}), ("GET", "/api/loops", {})]
    assert [one.status_code for one in asked(workspace, *looked, may=("show",))] == [403, 200]
    assert asked(workspace, looked[0], may=("label",))[0].status_code == 200


def test_what_is_wrong_is_told(workspace):
    wrong = [
        ("GET", f"/api/loops/{CAP}", {}, 404, "not watched"),
        ("PUT", f"/api/loops/{CAP}", {"json": {"rules": "x: 1"}}, 400, "rules"),
        ("PUT", "/api/loops/elsewhere", {"json": {}}, 404, "nothing is deployed"),
        ("POST", f"/api/loops/{CAP}/approve", {"json": {}}, 404, "not watched"),
        (
            "POST",
            f"/api/review/{CAP}",
            {"json": {"sample": "a", "label": "good"}},
            404,
            "asks nothing",
        ),
        ("GET", "/api/review/pictures/abc", {"params": {"deployment": CAP}}, 404, "asks nothing"),
    ]
    for one, answer in zip(wrong, asked(workspace, *[one[:3] for one in wrong]), strict=True):
        assert answer.status_code == one[3], answer.text
        assert one[4] in answer.json()["error"], answer.text

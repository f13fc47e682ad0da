"""A real Label Studio takes in what we write, and its exports are read; needs `label-studio`."""

import hashlib
import json
import os
import shutil
import socket
import subprocess
import time
import urllib.error
import urllib.request
from pathlib import Path

import pytest

from tenfold.formats import label_studio
from tenfold.formats.exchange import CANNOT_TELL, Choice, ToLabel

PROGRAM = shutil.which("label-studio")
TOKEN = "0123456789abcdef0123456789abcdef01234567"  # of a server that lives as long as the test
PICTURES = Path(__file__).parents[1] / "data" / "mvtec" / "test"
CHOICE = Choice(("good", "patch"), regions=("patch",))


class Server:
    """A Label Studio with its own SQLite, reached by its HTTP API."""

    def __init__(self, home: Path, root: Path) -> None:
        with socket.socket() as free:
            free.bind(("127.0.0.1", 0))
            port = free.getsockname()[1]
        self.url = f"http://127.0.0.1:{port}"
        settings = {
            "LABEL_STUDIO_BASE_DATA_DIR": str(home),
            "LABEL_STUDIO_LOCAL_FILES_SERVING_ENABLED": "true",
            "LABEL_STUDIO_LOCAL_FILES_DOCUMENT_ROOT": str(root),
            "LABEL_STUDIO_ENABLE_LEGACY_API_TOKEN": "true",
            **dict.fromkeys(("COLLECT_ANALYTICS", "LATEST_VERSION_CHECK"), "false"),
            **dict.fromkeys(("SENTRY_DSN", "FRONTEND_SENTRY_DSN"), ""),
        }
        command = [PROGRAM, "start", "--no-browser", "--port", str(port)]
        command += ["--internal-host", "127.0.0.1", "--username", "ann@example.org"]
        command += ["--password", TOKEN, "--user-token", TOKEN]
        with (home / "log").open("wb") as log:
            self._process = subprocess.Popen(
                command, env=os.environ | settings, stdout=log, stderr=log
            )

    def wait(self, seconds: float = 240) -> None:
        deadline = time.monotonic() + seconds
        while time.monotonic() < deadline:
            try:
                self.get("/api/projects/")
                return
            except (urllib.error.URLError, ConnectionError):
                time.sleep(1)
        raise TimeoutError("Label Studio does not answer.")

    def stop(self) -> None:
        self._process.terminate()
        self._process.wait(30)

    def get(self, path: str) -> bytes:
        return self._ask(urllib.request.Request(self.url + path))

    def post(self, path: str, body: object) -> dict:
        data = json.dumps(body).encode()
        request = urllib.request.Request(
            self.url + path, data, {"Content-Type": "application/json"}
        )
        return json.loads(self._ask(request))

    def _ask(self, request: urllib.request.Request) -> bytes:
        request.add_header("Authorization", f"Token {TOKEN}")
        with urllib.request.urlopen(request, timeout=60) as answer:
            return answer.read()


def asks(pictures: Path = PICTURES) -> list[ToLabel]:
    """The three test pictures of the MVTec tree; the second comes with what a model said."""
    found = []
    for name in ("good/000.png", "patch/000.png", "patch/001.png"):
        digest = hashlib.sha256((pictures / name).read_bytes()).hexdigest()
        found.append(ToLabel(digest, pictures / name, 72, 72))
    told = ToLabel(found[1].sample, found[1].file, 72, 72, said="patch", score=0.8, reason="doubt")
    return [found[0], told, found[2]]


def label_all(server: Server, folder: Path) -> int:
    """Import what was written and say things of it, as its own pages do; the project's number."""
    labeling = (folder / label_studio.LABELING).read_text(encoding="utf-8")
    project = server.post("/api/projects/", {"title": "queue", "label_config": labeling})["id"]
    images = {"project": project, "path": str(folder / "images"), "use_blob_urls": True}
    server.post("/api/storages/localfiles/", images)
    tasks = json.loads((folder / label_studio.TASKS).read_text(encoding="utf-8"))
    server.post(f"/api/projects/{project}/import", tasks)
    listed = json.loads(server.get(f"/api/tasks?project={project}&fields=all"))["tasks"]
    good, patch, third = sorted(listed, key=lambda task: task["id"])
    ben = server.post("/api/users/", {"email": "ben@example.org", "username": "ben"})["id"]
    say(server, good, [answer("good")], seconds=4.5)
    box = {"x": 25, "y": 12.5, "width": 50, "height": 25, "rotation": 0}
    say(server, patch, [answer("patch"), region(box)], seconds=8.25)
    say(server, patch, [answer("good")], seconds=2, completed_by=ben)
    turned = {"x": 50, "y": 25, "width": 25, "height": 25, "rotation": 45}
    say(server, third, [region(turned)], seconds=6)
    say(server, third, [answer(CANNOT_TELL)], seconds=3, completed_by=ben)
    say(server, good, [], seconds=1, was_cancelled=True)
    return project


def say(server: Server, task: dict, result: list[dict], *, seconds: float, **more: object) -> None:
    body = {"result": result, "lead_time": seconds, **more}
    server.post(f"/api/tasks/{task['id']}/annotations/", body)


def answer(name: str) -> dict:
    value = {"choices": [name]}
    return {"type": "choices", "from_name": "answer", "to_name": "image", "value": value}


def region(percent: dict) -> dict:
    return {
        "type": "rectanglelabels",
        "from_name": "region",
        "to_name": "image",
        "original_width": 72,
        "original_height": 72,
        "image_rotation": 0,
        "value": {**percent, "rectanglelabels": ["patch"]},
    }


@pytest.mark.slow
@pytest.mark.skipif(PROGRAM is None, reason="needs Label Studio: pip install label-studio")
def test_a_real_label_studio_takes_in_and_gives_back(tmp_path):
    (tmp_path / "home").mkdir()
    label_studio.write(asks(), tmp_path / "queue", choice=CHOICE)
    server = Server(tmp_path / "home", tmp_path)
    try:
        server.wait()
        project = label_all(server, tmp_path / "queue")
        picture = json.loads((tmp_path / "queue/tasks.json").read_text())[0]["data"]["image"]
        assert server.get(picture) == asks()[0].file.read_bytes()
        for name, kind in (("json.json", "JSON"), ("min.json", "JSON_MIN")):
            export = f"/api/projects/{project}/export?exportType={kind}&download_all_tasks=true"
            (tmp_path / name).write_bytes(server.get(export))
    finally:
        server.stop()
    sizes = {ask.sample: (72, 72) for ask in asks()}
    full = label_studio.read(tmp_path / "json.json", choice=CHOICE, sizes=sizes)
    flat = label_studio.read(tmp_path / "min.json", choice=CHOICE, sizes=sizes)
    assert sorted((one.labels, one.seconds) for one in full) == [
        ((), 3),
        (("good",), 2),
        (("good",), 4.5),
        (("patch",), 6),
        (("patch",), 8.25),
    ]
    assert [(one.key, one.labels, one.boxes) for one in full] == [
        (one.key, one.labels, one.boxes) for one in flat
    ]

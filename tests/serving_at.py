"""A real `tenfold serve` for tests: a process, a port, HTTP over loopback."""

import json
import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request
from collections.abc import Generator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

COMMAND = [sys.executable, "-c", "from tenfold.cli import main; main()"]


@dataclass(frozen=True)
class Serving:
    url: str
    process: subprocess.Popen[str]
    told: dict[str, Any]

    @property
    def address(self) -> str:
        return self.url.removeprefix("http://")

    def get(self, path: str, **headers: str) -> tuple[int, Any]:
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(urllib.request.Request(self.url + path, headers=named))

    def post(self, path: str, body: bytes, **headers: str) -> tuple[int, Any]:
        kinds = {"Content-Type": "application/octet-stream"}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.ask(urllib.request.Request(self.url + path, data=body, headers=kinds | named))

    def ask(self, request: urllib.request.Request) -> tuple[int, Any]:
        try:
            with urllib.request.urlopen(request, timeout=60) as response:
                return response.status, json.load(response)
        except urllib.error.HTTPError as error:
            return error.code, json.loads(error.read() or b"{}")

    def kill(self) -> None:
        """The server and its workers, at once."""
        os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait(30)

    def wait_for(self, generation: int) -> None:
        """Until the server has taken in a generation."""
        for _ in range(100):
            page = urllib.request.urlopen(self.url + "/metrics", timeout=10).read().decode()
            line = next(x for x in page.splitlines() if x.startswith("tenfold_generation "))
            if float(line.split()[1]) >= generation:
                return
            time.sleep(0.1)
        raise AssertionError(f"generation {generation} is not served after ten seconds")


@contextmanager
def serving(home: Path, *options: str) -> Generator[Serving]:
    """Started in a process group of its own, on any free port; ended by SIGTERM."""
    process = subprocess.Popen(
        [*COMMAND, "serve", "--port", "0", "--json", *options],
        env={**os.environ, "TENFOLD_HOME": str(home), "TENFOLD_THREADS": "2"},
        stdout=subprocess.PIPE,
        text=True,
        start_new_session=True,
    )
    try:
        assert process.stdout is not None
        told = json.loads(process.stdout.readline())
        assert "url" in told, told
        yield Serving(told["url"], process, told)
    finally:
        if process.poll() is None:
            process.terminate()
            try:
                process.wait(40)
            except subprocess.TimeoutExpired:
                os.killpg(process.pid, signal.SIGKILL)
                raise
        process.stdout.close()

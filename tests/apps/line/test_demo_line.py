"""`make demo-line`, shorter: a whole line on this machine, twice, and ended in the middle."""

import os
import re
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

pytest.importorskip("cv2", reason="needs the extra `line`")
pytest.importorskip("asyncua", reason="needs the extra `line`")

pytestmark = [pytest.mark.heavy, pytest.mark.xdist_group("line")]
DEMO = Path(__file__).parents[3] / "examples" / "line" / "demo.py"
CAME = re.compile(r"came (\d+), released (\d+), rejected (\d+)")


@pytest.fixture(scope="module")
def home(tmp_path_factory):
    return tmp_path_factory.mktemp("demo")


def start(home, parts):
    return subprocess.Popen(
        [sys.executable, DEMO, "--home", home, "--parts", str(parts)],
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )


def left_behind(home):
    """Processes whose command names the demo's home."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            command = (process / "cmdline").read_bytes().decode(errors="replace")
        except OSError:
            continue
        if str(home) in command and int(process.name) != os.getpid():
            found.append(command.replace("\0", " "))
    return found


@pytest.mark.slow
def test_a_line_runs_and_reports_and_runs_again(home):
    for _ in range(2):
        demo = start(home, 12)
        said, _ = demo.communicate(timeout=400)
        assert demo.returncode == 0, said
        came, released, rejected = map(int, CAME.search(said).groups())
        assert came >= 14
        assert released > 0
        assert came == released + rejected
        assert "released_unjudged 0, released_wrong_part 0, released_bad 0" in said
        assert "of 12 parts OK" in said
        report = (home / "shift.html").read_text()
        assert "data:image/jpeg;base64," in report
        assert "R-0002" in report
        assert left_behind(home) == []


def test_ctrl_c_leaves_no_process_behind(home):
    demo = start(home, 500)
    for line in demo.stdout:
        if " passed: " in line:
            break
    demo.send_signal(signal.SIGINT)
    demo.communicate(timeout=60)
    assert demo.returncode == 130
    ends = time.monotonic() + 10
    while left_behind(home):
        assert time.monotonic() < ends, left_behind(home)
        time.sleep(0.1)

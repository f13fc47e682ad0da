"""A station is one process, which leaves its name free however it ends."""

import signal
import subprocess
import sys

import pytest

from tenfold.apps.line.alone import alone
from tenfold.errors import Conflict, Unavailable

HOLDER = """
import sys, time
from pathlib import Path
from tenfold.apps.line.alone import alone
with alone(Path(sys.argv[1]), "s1"):
    print("alone", flush=True)
    time.sleep(60)
"""


def test_a_second_station_of_the_name_is_refused_until_the_first_is_killed(tmp_path):
    command = [sys.executable, "-c", HOLDER, tmp_path / "s1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as first:
        assert first.stdout.readline() == "alone\n"
        with pytest.raises(Conflict, match="'s1' is at work already"), alone(tmp_path / "s1", "s1"):
            pass
        first.send_signal(signal.SIGKILL)
    with alone(tmp_path / "s1", "s1"), alone(tmp_path / "s2", "s2"):
        pass


def test_a_folder_that_cannot_be_written_is_told(tmp_path):
    (tmp_path / "file").touch()
    with (
        pytest.raises(Unavailable, match="cannot be written"),
        alone(tmp_path / "file" / "s1", "s"),
    ):
        pass

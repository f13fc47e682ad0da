"""The report as a browser shows it: real Chromium, no host reached."""

import shutil
import subprocess

import numpy as np
import pytest
from PIL import Image

CHROMIUM = shutil.which("chromium")
pytestmark = [
    pytest.mark.xdist_group("line"),
    pytest.mark.browser,
    pytest.mark.skipif(CHROMIUM is None, reason="needs chromium (as root: `make debian`)"),
]
QUIET = (
    "--headless --no-sandbox --disable-gpu --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --host-resolver-rules=MAP\\ *\\ ~NOTFOUND"
).replace("\\ ", "\0")


def chromium(tmp_path, *arguments):
    flags = [flag.replace("\0", " ") for flag in QUIET.split()]
    profile = f"--user-data-dir={tmp_path / 'profile'}"
    return subprocess.run(
        [str(CHROMIUM), *flags, profile, *arguments],
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )


@pytest.mark.parametrize("width_px", [1280, 500])
def test_the_report_is_drawn_without_any_host(line, tmp_path, width_px):
    page = line.reports_folder / "cells-2-tasks.html"
    picture = tmp_path / "page.png"
    chromium(tmp_path, f"--window-size={width_px},1600", f"--screenshot={picture}", page.as_uri())
    drawn = np.asarray(Image.open(picture).convert("L"), np.float32)
    assert drawn.shape[1] == width_px
    assert drawn.std() > 10
    text = chromium(tmp_path, "--dump-dom", page.as_uri()).stdout
    assert "classify-cells" in text
    assert "http://" not in text.replace("http://www.w3.org", "")
    assert "https://" not in text

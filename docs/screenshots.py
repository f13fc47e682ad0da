"""Take the picture of the report that README.md shows: the top of a real report, in a browser.

    python docs/screenshots.py demo/reports/elpv-6-tasks.html docs/report.png

Needs chromium. The picture ends where `--height` says, above the first picture of the data: solar
cells of the demo may not be shown here (CC BY-NC-SA 4.0).
"""

import argparse
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

from PIL import Image

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_BYTES = 300_000
COLOURS = 192


def main() -> None:
    asked = _options()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"screenshots need one of {', '.join(BROWSERS)}.")
    with tempfile.TemporaryDirectory() as folder:
        shot = Path(folder) / "shot.png"
        command = [
            *(browser, "--headless", "--no-sandbox", "--disable-gpu", "--hide-scrollbars"),
            *(f"--user-data-dir={folder}/profile", f"--screenshot={shot}"),
            f"--window-size={asked.width},{asked.height}",
            asked.report.resolve().as_uri(),
        ]
        subprocess.run(command, check=True, capture_output=True, timeout=120)
        picture = Image.open(shot).convert("RGB").crop((0, 0, asked.width, asked.height))
    flat = picture.quantize(COLOURS, dither=Image.Dither.NONE)
    flat.save(asked.out, optimize=True)
    size = asked.out.stat().st_size
    if size > MOST_BYTES:
        sys.exit(f"{asked.out} has {size:,} bytes, more than {MOST_BYTES:,}: lower --height.")
    sys.stdout.write(f"{asked.out}: {asked.width} × {asked.height} px, {size:,} bytes\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("report", type=Path, help="HTML that `tenfold make` wrote")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1745)
    return parser.parse_args()


if __name__ == "__main__":
    main()

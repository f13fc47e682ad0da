"""Take the pictures that README.md and the docs show: of a report, or of the console's screens.

    python docs/screenshots.py demo/reports/elpv-6-tasks.html docs/report.png
    python docs/screenshots.py http://127.0.0.1:8081/ docs/console.png --height 560

Needs chromium. A picture ends where `--height` says: solar cells of the demo may not be shown here
(CC BY-NC-SA 4.0).
"""

import argparse
import io
import shutil
import sys
from pathlib import Path

from PIL import Image
from playwright.sync_api import sync_playwright

BROWSERS = ("chromium", "chromium-browser", "google-chrome")
MOST_BYTES = 300_000
COLOURS = 192
SETTLE_MS = 1500
"""Until a page of the console has drawn itself."""


def main() -> None:
    asked = _options()
    browser = next(filter(None, map(shutil.which, BROWSERS)), None)
    if browser is None:
        sys.exit(f"screenshots need one of {', '.join(BROWSERS)}.")
    place = asked.page if "://" in asked.page else Path(asked.page).resolve().as_uri()
    size = {"width": asked.width, "height": asked.height}
    with sync_playwright() as played:
        opened = played.chromium.launch(executable_path=browser, args=["--no-sandbox"])
        page = opened.new_page(viewport=size, locale=asked.language)
        page.goto(place)
        page.wait_for_timeout(SETTLE_MS)
        shot = page.screenshot(clip={"x": 0, "y": 0, **size}, full_page=True)
        opened.close()
    picture = Image.open(io.BytesIO(shot)).convert("RGB")
    picture.quantize(COLOURS, dither=Image.Dither.NONE).save(asked.out, optimize=True)
    written = asked.out.stat().st_size
    if written > MOST_BYTES:
        sys.exit(f"{asked.out} has {written:,} bytes, more than {MOST_BYTES:,}: lower --height.")
    sys.stdout.write(f"{asked.out}: {asked.width} × {asked.height} px, {written:,} bytes\n")


def _options() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("page", help="HTML that `tenfold make` wrote, or an address of the console")
    parser.add_argument("out", type=Path, help="PNG to write")
    parser.add_argument("--width", type=int, default=1280)
    parser.add_argument("--height", type=int, default=1745)
    parser.add_argument("--language", default="en-US")
    return parser.parse_args()


if __name__ == "__main__":
    main()

"""Pictures of a folder in place of a camera."""

import os
import time
from datetime import UTC, datetime
from pathlib import Path

import numpy as np
from PIL import Image

from tenfold.apps.line.station import FolderCamera
from tenfold.apps.line.values import Frame
from tenfold.errors import Unavailable

ENDINGS = (".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff")
POLL_S = 0.002
JUMP_S, SLEW = 0.05, 0.001
"""A clock that moves by more against time itself, at once or as a share of it, was set."""


class Folder:
    def __init__(self, spec: FolderCamera) -> None:
        self._spec = spec
        self._next = 0
        self._names: list[str] = []
        self._free_s = 0.0
        """When the next picture may be given, as `time.monotonic` counts."""
        self._given: str | None = None
        self._clock = time.monotonic(), time.time()
        self._stale: set[tuple[str, float]] = set()
        """Files whose times are of a clock that was set since."""

    def grab(self, timeout_s: float, waited_s: float = 0.0) -> Frame:
        """
        Raises:
            Unavailable: there is none in time, or it is no picture.
        """
        if self._spec.order == "newest":
            return self._newest(timeout_s, waited_s)
        wait_s = self._free_s - time.monotonic()
        if wait_s > timeout_s:
            time.sleep(timeout_s)
            raise self._silent("no picture is due in time")
        time.sleep(max(0.0, wait_s))
        if self._next >= len(self._names):
            self._names, self._next = sorted(self._listed()), 0
        if not self._names:
            raise self._silent("it holds no pictures")
        name = self._names[self._next]
        self._next += 1
        self._free_s = time.monotonic() + 1 / (self._spec.per_second or float("inf"))
        return Frame(_pixels(self._spec.path / name), datetime.now(UTC))

    def put_back(self) -> None:
        self._given = None
        if self._spec.order == "replay":
            self._next = max(0, self._next - 1)

    def problem(self) -> str:
        try:
            names = self._listed()
        except Unavailable as error:
            return str(error.args[0]).rstrip(".")
        empty = self._spec.order == "replay" and not names
        return f"the folder {self._spec.path} holds no pictures" if empty else ""

    def close(self) -> None:
        pass

    def _newest(self, timeout_s: float, waited_s: float) -> Frame:
        """The newest file, put there since the part was told less the lead; each is given once.
        An older one may be of a part that was not looked at."""
        end = time.monotonic() + timeout_s
        since_s = time.time() - waited_s - self._spec.lead_ms / 1000
        while True:
            if self._is_clock_set():
                self._stale = set(self._dated())
                raise self._silent("the clock was set")
            dated = [one for one in self._dated() if one not in self._stale]
            found = [(at, name) for name, at in dated if at >= since_s]
            found = [one for one in found if one[1] != self._given]
            if found:
                at, self._given = max(found)
                path = self._spec.path / self._given
                return Frame(_pixels(path), datetime.fromtimestamp(at, UTC))
            if time.monotonic() >= end:
                raise self._silent("no new picture came in time")
            time.sleep(POLL_S)

    def _is_clock_set(self) -> bool:
        """Since it was asked last."""
        (then_s, showed_s), self._clock = self._clock, (time.monotonic(), time.time())
        passed_s = self._clock[0] - then_s
        return abs(self._clock[1] - showed_s - passed_s) > JUMP_S + SLEW * passed_s

    def _dated(self) -> list[tuple[str, float]]:
        """Names and when each was put there (a move into the folder counts), in seconds since
        1970."""
        try:
            with os.scandir(self._spec.path) as found:
                return [
                    (one.name, one.stat().st_ctime)
                    for one in found
                    if one.name.lower().endswith(ENDINGS) and not one.name.startswith(".")
                ]
        except FileNotFoundError as error:
            if self._spec.path.is_dir():
                return []  # a file went away while it was looked at
            raise self._silent("it is not there") from error
        except OSError as error:
            raise self._silent(f"it cannot be read ({error.strerror})") from error

    def _listed(self) -> list[str]:
        return [name for name, _ in self._dated()]

    def _silent(self, why: str) -> Unavailable:
        return Unavailable(
            f"the folder of pictures is silent: {why}.",
            where=str(self._spec.path),
            hint="Put pictures there, or mend `camera.path`.",
        )


def _pixels(path: Path) -> np.ndarray:
    try:
        with Image.open(path) as image:
            return np.asarray(image.convert("RGB"))
    except (OSError, ValueError, SyntaxError, Image.DecompressionBombError) as error:
        raise Unavailable(f"not a picture: {error}.", where=str(path)) from error

"""A GenICam camera, kept by a grabber process that is started again when it or the camera is lost.

The grabber runs in the system's Python: Aravis comes with the system, not from PyPI.
"""

import contextlib
import json
import logging
import subprocess
import threading
import time
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import IO, Any

import numpy as np
from jaxtyping import UInt8

from tenfold.apps.line.cameras import grabber
from tenfold.apps.line.station import CameraLight, GenicamCamera
from tenfold.apps.line.values import Frame
from tenfold.errors import Unavailable, Unsupported

log = logging.getLogger(__name__)

PYTHON = Path("/usr/bin/python3")
FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 3.0
HUNG_S = 0.3
"""A grabber that says nothing for so long after it should have is killed."""
END_S = 1.0
MONO8, MONO16, RGB8, BGR8 = 0x01080001, 0x01100007, 0x02180014, 0x02180015
BAYER = {0x01080008: "GRBG", 0x01080009: "RGGB", 0x0108000A: "GBRG", 0x0108000B: "BGGR"}
HINT = "Is the camera on, and in this network? Debian: apt-get install {}.".format(
    grabber.SYSTEM_PYTHON_PACKAGES.replace(" and ", " ")
)


class Genicam:
    def __init__(self, spec: GenicamCamera, lights: Sequence[CameraLight] = ()) -> None:
        if not PYTHON.exists():
            raise Unsupported("there is no system Python for the grabber.", where=str(PYTHON))
        kept = ("address", "exposure_us", "gain_db", "trigger", "pixel_format", "lead_ms")
        settings = {name: getattr(spec, name) for name in (*kept, "packet_bytes")}
        self._settings = settings | {"lights": [(one.line, one.source) for one in lights]}
        self._lead_ms = spec.lead_ms
        self._where = spec.address or "first camera"
        self._news = threading.Condition()
        self._process: subprocess.Popen[bytes] | None = None
        self._number = 0
        self._answer: tuple[int, Frame | str] | None = None
        self._last: Frame | None = None
        self._back: Frame | None = None
        self._problem = "the camera is not found yet"
        self.name = ""
        """Vendor and model, once it was found."""
        self.starts = 0
        """How often the grabber was started."""
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="camera", daemon=True)
        self._thread.start()

    def grab(self, timeout_s: float, waited_s: float = 0.0) -> Frame:
        """
        Raises:
            Unavailable: there is none in time.
        """
        end = time.monotonic() + timeout_s
        back, self._back = self._back, None
        if back is not None and self._is_new(back, waited_s):
            return back
        with self._news:
            ready = self._news.wait_for(lambda: not self._problem, timeout_s)
            process = self._process
            if not ready or process is None or process.stdin is None:
                raise self._silent(self._problem)
            self._number = number = self._number + 1
            left_s = max(0.001, end - time.monotonic())
            try:
                process.stdin.write(f"{number} {left_s:.4f} {waited_s:.4f}\n".encode())
                process.stdin.flush()
            except OSError as error:
                raise self._silent("the grabber died") from error
            self._news.wait_for(lambda: self._is_answered(number), left_s + HUNG_S)
            if self._problem:
                raise self._silent(self._problem)
            if self._answer is None or self._answer[0] != number:
                process.kill()
                self._problem = "the grabber hung and is started again"
                raise self._silent(self._problem)
            answer = self._answer[1]
        if isinstance(answer, str):
            raise self._silent(answer)
        self._last = answer
        return answer

    def put_back(self) -> None:
        """Where the part itself triggers; else the next part gets a newer one."""
        self._back = None if self._settings["trigger"] == "software" else self._last

    def problem(self) -> str:
        return self._problem

    def close(self) -> None:
        """The grabber leaves the camera; one that does not within a second is killed."""
        self._stopped.set()
        process = self._process
        if process is not None and process.stdin is not None:
            with contextlib.suppress(OSError):
                process.stdin.close()
            with contextlib.suppress(subprocess.TimeoutExpired):
                process.wait(END_S)
            process.kill()
        self._thread.join()

    def _is_new(self, frame: Frame, waited_s: float) -> bool:
        lead = timedelta(seconds=waited_s, milliseconds=self._lead_ms)
        return frame.taken_at >= datetime.now(UTC) - lead

    def _is_answered(self, number: int) -> bool:
        return bool(self._problem) or (self._answer is not None and self._answer[0] == number)

    def _silent(self, why: str) -> Unavailable:
        return Unavailable(f"the camera is silent: {why}.", where=self._where, hint=HINT)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopped.is_set():
            began_s = time.monotonic()
            why = self._serve()
            with self._news:
                self._process, self._problem = None, why
                self._news.notify_all()
            if self._stopped.is_set():
                return
            log.warning("the grabber ended and is started again: %s", why)
            wait_s = FIRST_WAIT_S if time.monotonic() - began_s > 10 else wait_s
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _serve(self) -> str:
        """One grabber from its start to its end; returns why it ended."""
        command = [str(PYTHON), "-I", grabber.__file__]
        pipe = subprocess.PIPE
        with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
            self.starts += 1
            assert process.stdin is not None
            assert process.stdout is not None
            self._process = process
            if self._stopped.is_set():
                process.kill()
            why = "the grabber died, or the camera was unplugged"
            try:
                process.stdin.write(json.dumps(self._settings).encode() + b"\n")
                process.stdin.flush()
                while (told := _read(process.stdout)) is not None:
                    why = self._take(*told) or why
            except OSError:
                pass
            process.kill()
        return why

    def _take(self, header: tuple[Any, ...], body: bytearray) -> str:
        """Returns why the grabber ends, if it says so."""
        kind, number, width, height, pixel_format, _, taken_ns = header
        with self._news:
            if kind == b"READ":
                self.name, self._problem = body.decode(), ""
            elif kind == b"FAIL":
                self._answer = number, body.decode("utf-8", "replace")
            else:
                try:
                    pixels = rgb(body, (height, width), pixel_format)
                    taken_at = datetime.fromtimestamp(taken_ns / 1e9, UTC)
                    self._answer = number, Frame(pixels, taken_at)
                except Unsupported as error:
                    self._answer = number, str(error.args[0])
            self._news.notify_all()
        return body.decode("utf-8", "replace") if kind == b"FAIL" else ""


def rgb(
    body: bytes | bytearray, shape: tuple[int, int], pixel_format: int
) -> UInt8[np.ndarray, "height width 3"]:
    """Pixels of a camera (height, width) in one of the usual GenICam formats.

    Raises:
        Unsupported: in another one.
    """
    if pixel_format in (RGB8, BGR8):
        pixels = np.frombuffer(body, np.uint8, shape[0] * shape[1] * 3).reshape(*shape, 3)
        return pixels if pixel_format == RGB8 else pixels[..., ::-1]
    if pixel_format == MONO16:
        wide = np.frombuffer(body, "<u2", shape[0] * shape[1]).reshape(shape)
        return np.repeat((wide >> 8).astype(np.uint8)[..., None], 3, axis=2)
    if pixel_format == MONO8:
        grey = np.frombuffer(body, np.uint8, shape[0] * shape[1]).reshape(shape)
        return np.repeat(grey[..., None], 3, axis=2)
    if pixel_format in BAYER:
        try:
            import cv2
        except ImportError as error:
            raise Unsupported("a Bayer camera needs the extra `line`") from error
        mosaic = np.frombuffer(body, np.uint8, shape[0] * shape[1]).reshape(shape)
        return cv2.cvtColor(mosaic, getattr(cv2, f"COLOR_Bayer{BAYER[pixel_format]}2RGB"))
    raise Unsupported(f"the pixel format {pixel_format:#010x}; set `pixel_format: Mono8` or RGB8")


def _read(stream: IO[bytes]) -> tuple[tuple[Any, ...], bytearray] | None:
    """The next answer; None: the grabber ended."""
    head = stream.read(grabber.HEADER.size)
    if len(head) < grabber.HEADER.size:
        return None
    header = grabber.HEADER.unpack(head)
    body = bytearray(header[5])
    view, at = memoryview(body), 0
    while at < len(body):
        got = stream.readinto(view[at:])  # type: ignore[attr-defined]
        if not got:
            return None
        at += got
    return header, body

"""RTSP, USB and other streams, by PyAV; a thread decodes, so that the newest picture is new."""

import logging
import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Any

from tenfold.apps.line.station import StreamCamera
from tenfold.apps.line.values import Frame
from tenfold.errors import Unavailable, Unsupported
from tenfold.settings import masked

try:
    import av
    from av.error import FFmpegError
except ImportError as error:
    raise Unsupported(
        "streams need the extra `line`.", hint="pip install 'tenfold[line]'"
    ) from error

log = logging.getLogger(__name__)

FIRST_WAIT_S, LONGEST_WAIT_S = 0.2, 5.0


class Stream:
    def __init__(self, spec: StreamCamera) -> None:
        self._spec = spec
        self._news = threading.Condition()
        self._wanted_s = float("inf")
        """A picture is wanted from this time on; others are decoded, but not converted."""
        self._frame: Frame | None = None
        self._problem = "the stream is not open yet"
        self._last_s = time.monotonic()
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, name="stream", daemon=True)
        self._thread.start()

    def grab(self, timeout_s: float, waited_s: float = 0.0) -> Frame:
        """
        Raises:
            Unavailable: there is none in time.
        """
        with self._news:
            self._frame = None
            self._wanted_s = time.monotonic() + self._spec.lag_ms / 1000
            self._news.wait_for(lambda: self._frame is not None, timeout_s)
            self._wanted_s, frame = float("inf"), self._frame
        if frame is None:
            raise Unavailable(
                f"the stream is silent: {self.problem() or 'no picture came in time'}.",
                where=masked(self._spec.url),
                hint="Is the camera on, and does the address play in a player?",
            )
        return frame

    def put_back(self) -> None:
        pass  # the next part gets a newer one

    def problem(self) -> str:
        if not self._problem and time.monotonic() - self._last_s > self._spec.timeout_s:
            return "the stream is silent"
        return self._problem

    def close(self) -> None:
        self._stopped.set()
        self._thread.join(self._spec.timeout_s + 1)

    def _run(self) -> None:
        wait_s = FIRST_WAIT_S
        while not self._stopped.is_set():
            try:
                with self._opened() as container:
                    for picture in container.decode(video=0):
                        if self._stopped.is_set():
                            return
                        wait_s = FIRST_WAIT_S
                        self._take(picture)
                self._problem = "the stream ended"
            except (FFmpegError, OSError, IndexError, ValueError) as error:
                said = getattr(error, "strerror", None) or str(error)
                if not self._problem:
                    log.warning("the stream is lost: %s", said)
                self._problem = f"the stream does not open or broke off: {said}"
            self._stopped.wait(wait_s)
            wait_s = min(2 * wait_s, LONGEST_WAIT_S)

    def _opened(self) -> Any:
        url, timeout_s = self._spec.url, self._spec.timeout_s
        if url.startswith("/dev/"):
            return av.open(url, format="v4l2", timeout=timeout_s)
        low = {"fflags": "nobuffer", "flags": "low_delay"}
        options = {"rtsp_transport": "tcp", **low} if url.startswith("rtsp") else low
        return av.open(url, options=options, timeout=timeout_s)

    def _take(self, picture: Any) -> None:
        now_s = time.monotonic()
        self._last_s, self._problem = now_s, ""
        with self._news:
            if now_s < self._wanted_s:
                return
            self._wanted_s = float("inf")
        pixels = picture.to_ndarray(format="rgb24")
        taken_at = datetime.now(UTC) - timedelta(milliseconds=self._spec.lag_ms)
        with self._news:
            self._frame = Frame(pixels, taken_at)
            self._news.notify_all()

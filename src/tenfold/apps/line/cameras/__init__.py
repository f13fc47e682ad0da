"""Cameras of a station."""

from collections.abc import Sequence
from importlib import import_module
from typing import Protocol

from tenfold.apps.line.station import CameraLight, FolderCamera, GenicamCamera, StreamCamera
from tenfold.apps.line.values import Frame

CAMERAS = {
    "folder": "tenfold.apps.line.cameras.folder:Folder",
    "stream": "tenfold.apps.line.cameras.stream:Stream",
    "genicam": "tenfold.apps.line.cameras.genicam:Genicam",
}
"""Kind in the spec → import path."""


class Camera(Protocol):
    def grab(self, timeout_s: float, waited_s: float = 0.0) -> Frame:
        """A picture taken from now on; by a camera that the part itself triggers, since it was
        told `waited_s` ago (or `lead_ms` earlier).

        Raises:
            Unavailable: there is none in time.
        """
        ...

    def put_back(self) -> None:
        """The picture that was given last was of no part: it may be the next one's."""
        ...

    def problem(self) -> str:
        """Why there would be none; empty: nothing is known. Takes no picture."""
        ...

    def close(self) -> None: ...


def open_camera(
    spec: FolderCamera | StreamCamera | GenicamCamera, lights: Sequence[CameraLight] = ()
) -> Camera:
    """A camera that is connected in the background, again and again.

    Raises:
        Unsupported: its library is not installed.
    """
    module, name = CAMERAS[spec.kind].split(":")
    camera = getattr(import_module(module), name)
    return camera(spec, lights) if spec.kind == "genicam" else camera(spec)

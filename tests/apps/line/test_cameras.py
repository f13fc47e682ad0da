"""Cameras: replayed folders, a real network stream, and a real GigE Vision camera on loopback."""

import os
import shutil
import signal
import socket
import subprocess
import threading
import time
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from plants import free_port, soon
from tenfold.apps.line.cameras import open_camera
from tenfold.apps.line.cameras.genicam import rgb
from tenfold.apps.line.station import FolderCamera, GenicamCamera, StreamCamera
from tenfold.errors import Unavailable, Unsupported

SYSTEM_PYTHON = "/usr/bin/python3"


def write_picture(path: Path, grey: int, side_px: int = 64) -> Path:
    """Whole at once, as a folder camera needs it."""
    hidden = path.with_name(f".{path.name}")
    Image.fromarray(np.full((side_px, side_px), grey, np.uint8)).save(hidden)
    return hidden.rename(path)


def folder_camera(path, **more):
    return open_camera(FolderCamera(kind="folder", path=path, **more))


def test_a_folder_is_replayed_in_order_again_and_again(tmp_path):
    for grey in (10, 20):
        write_picture(tmp_path / f"{grey}.png", grey)
    camera = folder_camera(tmp_path)
    assert [int(camera.grab(1).pixels.mean()) for _ in range(5)] == [10, 20, 10, 20, 10]
    assert camera.grab(1).pixels.shape == (64, 64, 3)


def test_a_replay_is_no_faster_than_asked(tmp_path):
    write_picture(tmp_path / "a.png", 1)
    camera = folder_camera(tmp_path, per_second=20)
    began = time.monotonic()
    for _ in range(5):
        camera.grab(1)
    assert 0.2 <= time.monotonic() - began < 0.6
    with pytest.raises(Unavailable, match="no picture is due in time"):
        camera.grab(0.01)


def test_the_newest_picture_is_one_taken_from_now_on(tmp_path):
    write_picture(tmp_path / "old.png", 1)
    time.sleep(0.05)
    camera = folder_camera(tmp_path, order="newest")
    with pytest.raises(Unavailable, match="no new picture came in time"):
        camera.grab(0.05)
    late = threading.Timer(0.1, write_picture, (tmp_path / "new.png", 77))
    late.start()
    frame = camera.grab(2)
    assert int(frame.pixels.mean()) == 77
    assert abs((datetime.now(UTC) - frame.taken_at).total_seconds()) < 1
    late.join()


def test_a_picture_within_the_lead_is_given_once(tmp_path):
    camera = folder_camera(tmp_path, order="newest", lead_ms=500)
    write_picture(tmp_path / "a.png", 5)
    assert int(camera.grab(1).pixels.mean()) == 5
    with pytest.raises(Unavailable):
        camera.grab(0.05)


def test_an_older_picture_in_the_lead_is_of_a_part_that_was_passed_over(tmp_path):
    camera = folder_camera(tmp_path, order="newest", lead_ms=500)
    for grey in (5, 9):
        write_picture(tmp_path / f"{grey}.png", grey)
        time.sleep(0.02)
    assert int(camera.grab(1).pixels.mean()) == 9


def test_a_part_that_waited_gets_the_picture_of_its_time(tmp_path):
    camera = folder_camera(tmp_path, order="newest")
    write_picture(tmp_path / "a.png", 5)
    time.sleep(0.1)
    assert int(camera.grab(0.05, waited_s=5).pixels.mean()) == 5


@pytest.mark.parametrize("more", [{"order": "newest", "lead_ms": 500}, {"order": "replay"}])
def test_a_picture_that_is_put_back_is_given_again(tmp_path, more):
    for grey in (5, 9):
        write_picture(tmp_path / f"{grey}.png", grey)
    camera = folder_camera(tmp_path, **more)
    given = int(camera.grab(1).pixels.mean())
    camera.put_back()
    assert int(camera.grab(1).pixels.mean()) == given


@pytest.mark.parametrize("hours", [-1, 1])
def test_a_clock_that_was_set_makes_no_old_picture_new(tmp_path, monkeypatch, hours):
    camera = folder_camera(tmp_path, order="newest", lead_ms=50)
    write_picture(tmp_path / "old.png", 5)
    time.sleep(0.1)
    clock = SimpleNamespace(
        time=lambda: time.time() + 3600 * hours, monotonic=time.monotonic, sleep=time.sleep
    )
    monkeypatch.setattr("tenfold.apps.line.cameras.folder.time", clock)
    for _ in range(2):
        with pytest.raises(Unavailable):
            camera.grab(0.05)


def test_a_folder_that_is_away_or_holds_no_pictures_is_told(tmp_path):
    assert "holds no pictures" in folder_camera(tmp_path).problem()
    (tmp_path / "a.png").write_bytes(b"no picture")
    with pytest.raises(Unavailable, match="not a picture"):
        folder_camera(tmp_path).grab(1)
    away = folder_camera(tmp_path / "gone", order="newest")
    assert "is not there" in away.problem()


class Sender:
    """A camera that sends MPEG over TCP to one who connects, until it is stopped."""

    def __init__(self, port: int) -> None:
        self.url = f"tcp://127.0.0.1:{port}"
        self._server = socket.create_server(("127.0.0.1", port))
        self._stopped = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._stopped.set()
        self._thread.join(5)

    def _run(self) -> None:
        import av

        with self._server, self._server.accept()[0] as end, end.makefile("wb") as file:
            out = av.open(file, "w", format="mpegts")
            stream = out.add_stream("mpeg2video", rate=25)
            stream.width, stream.height, stream.pix_fmt = 160, 120, "yuv420p"
            stream.codec_context.gop_size = 5
            while not self._stopped.wait(0.02):
                picture = av.VideoFrame.from_ndarray(np.full((120, 160, 3), 90, np.uint8))
                out.mux(stream.encode(picture))
                file.flush()


def test_a_stream_gives_new_pictures_tells_when_it_ends_and_comes_back():
    pytest.importorskip("av", reason="the extra `line` is not installed")
    port = free_port()
    sender = Sender(port)
    with closing(open_camera(StreamCamera(kind="stream", url=sender.url, timeout_s=2))) as camera:
        frames = [camera.grab(5) for _ in range(3)]
        assert frames[0].pixels.shape == (120, 160, 3)
        ages = [f.taken_at for f in frames]
        assert ages == sorted(ages)
        assert camera.problem() == ""
        sender.stop()
        soon(camera.problem)
        with pytest.raises(Unavailable, match="the stream is silent"):
            camera.grab(0.1)
        again = Sender(port)
        assert camera.grab(15).pixels.shape == (120, 160, 3)
        again.stop()


def test_a_stream_that_is_not_there_is_told_within_its_timeout():
    pytest.importorskip("av", reason="the extra `line` is not installed")
    spec = StreamCamera(kind="stream", url=f"tcp://127.0.0.1:{free_port()}", timeout_s=1)
    with closing(open_camera(spec)) as camera:
        began = time.monotonic()
        with pytest.raises(Unavailable):
            camera.grab(0.3)
        assert time.monotonic() - began < 0.6
        soon(lambda: "does not open" in camera.problem())


def test_pixels_of_a_camera_are_rgb():
    grey = bytes(range(4))
    assert rgb(grey, (2, 2), 0x01080001)[1, 0].tolist() == [2, 2, 2]
    assert rgb(b"\1\2\3", (1, 1), 0x02180014)[0, 0].tolist() == [1, 2, 3]
    assert rgb(b"\1\2\3", (1, 1), 0x02180015)[0, 0].tolist() == [3, 2, 1]
    assert rgb(b"\0\x80", (1, 1), 0x01100007)[0, 0].tolist() == [128] * 3
    with pytest.raises(Unsupported, match="0x12345678"):
        rgb(b"", (0, 0), 0x12345678)


@pytest.mark.parametrize(
    ("pixel_format", "red_at"),
    [(0x01080009, (0, 0)), (0x01080008, (0, 1)), (0x0108000A, (1, 0)), (0x0108000B, (1, 1))],
    ids=["RG", "GR", "GB", "BG"],
)
def test_a_red_thing_is_red_through_each_bayer_filter(pixel_format, red_at):
    pytest.importorskip("cv2", reason="the extra `line` is not installed")
    mosaic = np.zeros((8, 8), np.uint8)
    mosaic[red_at[0] :: 2, red_at[1] :: 2] = 200
    assert rgb(mosaic.tobytes(), (8, 8), pixel_format)[3, 3].tolist() == [200, 0, 0]


def has_aravis() -> bool:
    code = "import gi; gi.require_version('Aravis', '0.8')"
    try:
        done = subprocess.run([SYSTEM_PYTHON, "-c", code], capture_output=True, check=False)
    except OSError:
        return False
    return done.returncode == 0


@pytest.fixture
def shown(tmp_path):
    """Shows a grey to the GigE camera; `shown.process` is the camera."""
    if not has_aravis():
        pytest.skip("Aravis is not installed here: gir1.2-aravis-0.8 and python3-gi")
    script = shutil.copy(Path(__file__).parents[3] / "examples" / "line" / "gige.py", tmp_path)
    command = [SYSTEM_PYTHON, script, "127.0.0.1", "TF01", "128", "96"]
    pipe = subprocess.PIPE
    with subprocess.Popen(command, stdin=pipe, stdout=pipe) as process:
        assert process.stdout.readline() == b"ready\n"

        def show(grey: int) -> None:
            process.stdin.write(bytes([grey]) * 128 * 96)
            process.stdin.flush()
            assert process.stdout.readline() == b"seen\n"

        show.process = process
        yield show
        process.kill()


def gige(**more):
    spec = {"address": "127.0.0.1", "exposure_us": 5000, "gain_db": 2} | more
    return closing(open_camera(GenicamCamera(kind="genicam", **spec)))


def mean_of(camera, timeout_s=2.0):
    try:
        return int(camera.grab(timeout_s).pixels.mean())
    except Unavailable:
        return None


@pytest.mark.xdist_group("gige")
def test_a_gige_camera_sees_what_is_before_it_now(shown):
    with gige() as camera:
        assert camera.grab(10).pixels.shape == (96, 128, 3)
        assert camera.name == "Aravis Fake"
        for grey in (30, 200, 90):
            shown(grey)
            assert mean_of(camera) == grey


@pytest.mark.xdist_group("gige")
@pytest.mark.parametrize("number", [signal.SIGKILL, signal.SIGSTOP], ids=["dead", "hung"])
def test_a_grabber_that_is_lost_is_told_in_time_and_started_again(shown, number):
    with gige() as camera:
        camera.grab(10)
        os.kill(camera._process.pid, number)
        began = time.monotonic()
        with pytest.raises(Unavailable, match="camera is silent"):
            camera.grab(0.5)
        assert time.monotonic() - began < 1.5
        shown(50)
        assert soon(lambda: mean_of(camera), within_s=20) == 50
        assert camera.starts > 1


@pytest.mark.xdist_group("gige")
def test_a_camera_that_cannot_do_what_is_asked_says_so(shown):
    with gige(exposure_us=9e9) as camera:
        soon(lambda: "exposure_us: 9e+09 was asked for" in camera.problem(), within_s=20)


@pytest.mark.xdist_group("gige")
def test_a_camera_that_is_not_there_is_told_within_the_timeout():
    if not has_aravis():
        pytest.skip("Aravis is not installed here: gir1.2-aravis-0.8 and python3-gi")
    with gige(address="127.0.0.77") as camera:
        began = time.monotonic()
        with pytest.raises(Unavailable, match="camera is silent"):
            camera.grab(0.5)
        assert time.monotonic() - began < 1
        soon(lambda: "Can't connect" in camera.problem() or "not found" in camera.problem())
